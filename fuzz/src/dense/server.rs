//! A server for one session: the smallest that recovers, forgets, refuses, and replays what was not read. Shares no
//! code with the stand-in.

use std::collections::{BTreeSet, VecDeque};

/// Notifications that it keeps for a session without a connection.
const BUFFER: usize = 4;
/// How long it keeps the session.
pub(super) const WINDOW: u64 = 180_000_000;
/// What it says of its limits. A session renews itself every minute, and has one request at a time.
pub(super) const LIMITS: &str =
    r#""recoveryBufferSize":4,"recoveryTimeout":180,"absoluteTimeout":60,"maxActiveRequests":1"#;
/// Refusals that have no effect.
pub(super) const REFUSALS: [(u16, &str); 5] =
    [(400, "SUB-508"), (429, "CMN-301"), (401, "OAU-123"), (403, "SUB-505"), (500, "SUB-508")];

#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) number: u64,
    pub(super) subscription: u64,
}

impl Note {
    pub(super) fn text(self) -> String {
        let Self { number, subscription } = self;
        format!(
            r#"[{{"type":"ServerNotification"}},{{"uuid":"{number}","subscriptionId":"{subscription}","body":{{}}}}]"#
        )
    }
}

/// What is on its way to the client.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// ConnectionDetails.
    Details {
        session: u64,
        recovered: bool,
        text: String,
    },
    Reply(String),
    Note(Note),
}

/// What the client sent and the server has not taken up.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Heartbeat(String),
    Rest { message: String, method: String, path: String },
    Close,
}

#[derive(Debug, Default)]
pub(super) struct Server {
    /// Sessions made; the last one lives. Its `wsc` is `w` and its number.
    pub(super) session: u64,
    /// It gave no `wsc` for that one.
    pub(super) nameless: bool,
    /// Subscription ids given; and the one that stands.
    pub(super) ids: u64,
    pub(super) subscription: Option<u64>,
    pub(super) buffer: VecDeque<Note>,
    /// It has a connection; since when it has none.
    pub(super) up: bool,
    pub(super) gone_at: u64,
    pub(super) wire: VecDeque<Packet>,
    pub(super) inbox: VecDeque<Call>,
    /// WebSocket tokens given, and those presented.
    pub(super) tokens: u64,
    pub(super) presented: BTreeSet<String>,
    /// REST requests that came over this connection.
    pub(super) asked: BTreeSet<u64>,
}

impl Server {
    pub(super) fn keep(&mut self, note: Note) {
        self.buffer.push_back(note);
        if self.buffer.len() > BUFFER {
            self.buffer.pop_front();
        }
    }

    /// The notifications that it has sent or keeps, and that were not read.
    pub(super) fn coming(&self) -> BTreeSet<u64> {
        let note = |packet: &Packet| if let Packet::Note(note) = packet { Some(note.number) } else { None };
        self.wire.iter().filter_map(note).chain(self.buffer.iter().map(|note| note.number)).collect()
    }

    pub(super) fn reply(&mut self, message: &str, status: u16, body: &str) {
        let head = format!(r#"{{"type":"ClientRequest","messageId":"{message}","status":{status}}}"#);
        self.wire.push_back(Packet::Reply(format!("[{head},{body}]")));
    }
}

/// The number in the path of a request: `/r7`.
pub(super) fn request_number(path: &str) -> Option<u64> {
    path.strip_prefix("/r")?.parse().ok()
}
