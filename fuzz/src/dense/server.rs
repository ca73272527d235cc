//! A server for one session: the smallest that recovers, forgets, refuses, and replays what was not read. Shares no
//! code with the stand-in.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

use super::DenseRun;
use super::client::request_number;
use crate::oracle::violated;
use crate::sim::trace;
use crate::subject::Maker;

/// Notifications that it keeps for a session without a connection.
const BUFFER: usize = 4;
/// How long it keeps the session.
const WINDOW: u64 = 180_000_000;
/// What it says of its limits. A session renews itself every minute, and has one request at a time.
const LIMITS: &str = r#""recoveryBufferSize":4,"recoveryTimeout":180,"absoluteTimeout":60,"maxActiveRequests":1"#;
/// Refusals that have no effect.
const REFUSALS: [(u16, &str); 5] =
    [(400, "SUB-508"), (429, "CMN-301"), (401, "OAU-123"), (403, "SUB-505"), (500, "SUB-508")];

#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub(super) number: u64,
    subscription: u64,
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
    session: u64,
    /// It gave no `wsc` for that one.
    pub(super) nameless: bool,
    /// Subscription ids given; and the one that stands.
    pub(super) ids: u64,
    pub(super) subscription: Option<u64>,
    buffer: VecDeque<Note>,
    /// It has a connection; since when it has none.
    pub(super) up: bool,
    gone_at: u64,
    pub(super) wire: VecDeque<Packet>,
    pub(super) inbox: VecDeque<Call>,
    /// WebSocket tokens given, and those presented.
    pub(super) tokens: u64,
    presented: BTreeSet<String>,
    /// REST requests that came over this connection.
    asked: BTreeSet<u64>,
}

impl Server {
    fn keep(&mut self, note: Note) {
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

    fn reply(&mut self, message: &str, status: u16, body: &str) {
        let head = format!(r#"{{"type":"ClientRequest","messageId":"{message}","status":{status}}}"#);
        self.wire.push_back(Packet::Reply(format!("[{head},{body}]")));
    }
}

impl<M: Maker> DenseRun<M> {
    /// Something happens that the client has subscribed to.
    pub(super) fn notify(&mut self) {
        let Some(subscription) = self.server.subscription else { return };
        let note = Note { number: self.oracle.send(subscription), subscription };
        trace!(self, "server: notification {} of {subscription}, connected: {}", note.number, self.server.up);
        if self.server.up { self.server.wire.push_back(Packet::Note(note)) } else { self.server.keep(note) }
    }

    /// A socket opened, with this token and perhaps a `wsc`.
    pub(super) fn accept(&mut self, token: String, wsc: Option<&str>) {
        if !self.server.presented.insert(token) {
            self.judge(violated("token-reuse", "a WebSocket token was presented again".to_owned()));
        }
        if self.rough && self.chance(10) {
            self.fault("subscription forgotten");
            self.server.subscription = None;
        }
        let without_handle = self.rough && self.chance(10);
        let server = &mut self.server;
        let is_own = wsc.is_some_and(|wsc| wsc == format!("w{}", server.session));
        let recovers = is_own && server.subscription.is_some() && self.now - server.gone_at < WINDOW;
        server.up = true;
        server.wire.clear();
        server.inbox.clear();
        server.asked.clear();
        if !recovers {
            server.session += 1;
            server.nameless = without_handle;
            server.subscription = None;
            server.buffer.clear();
        }
        let recovery = match (recovers, wsc) {
            (true, _) => r#","recoveryState":"Successful""#,
            (false, Some(_)) => r#","recoveryState":"Failed","recoveryErrorCode":"WSG-1005""#,
            (false, None) => "",
        };
        let session = server.session;
        let handle = format!(r#","wsc":{{"token":"w{session}","sequence":1}}"#);
        // A session that goes on keeps the one that it was presented.
        let handle = if without_handle { "" } else { &handle };
        let text = format!(r#"[{{"type":"ConnectionDetails"{handle}}},{{{LIMITS}{recovery}}}]"#);
        server.wire.push_back(Packet::Details { session, recovered: recovers, text });
        let replay = std::mem::take(&mut server.buffer);
        trace!(self, "server: session {}, recovered: {recovers}, {} to replay", server.session, replay.len());
        server.wire.extend(replay.into_iter().map(Packet::Note));
        if without_handle {
            self.fault("no handle");
        }
    }

    /// The socket is gone. What was not read goes back into the buffer; what had been sent may be done or not.
    pub(super) fn cut(&mut self) {
        self.live = None;
        self.opening = None;
        self.greeted = false;
        let unread = std::mem::take(&mut self.server.wire);
        let calls = std::mem::take(&mut self.server.inbox);
        if !self.server.up {
            return;
        }
        self.server.up = false;
        self.server.gone_at = self.now;
        for call in calls {
            if self.chance(50) {
                self.take_up(call);
            }
        }
        // The answers go nowhere.
        self.server.wire.clear();
        for packet in unread {
            if let Packet::Note(note) = packet {
                self.server.keep(note);
            }
        }
    }

    /// The client sends.
    pub(super) fn receive(&mut self, text: &str) {
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |name: &str| value[0][name].as_str().unwrap_or_default().to_owned();
        if field("type") == "Heartbeat" {
            self.report.heartbeats += 1;
            return self.server.inbox.push_back(Call::Heartbeat(text.to_owned()));
        }
        let (message, method, path) = (field("messageId"), field("method"), field("path"));
        trace!(self, "client: {method} {path}");
        if let Some(number) = request_number(&path) {
            self.oracle.left(number);
            if !self.server.asked.insert(number) {
                self.judge(violated("request-twice", format!("request {number} came twice over one connection")));
            }
        }
        self.server.inbox.push_back(Call::Rest { message, method, path });
    }

    /// Does what it was asked, and answers. It may do it and say that it failed.
    pub(super) fn take_up(&mut self, call: Call) {
        let (message, method, path) = match call {
            Call::Heartbeat(text) => return self.server.wire.push_back(Packet::Reply(text)),
            Call::Rest { message, method, path } => (message, method, path),
            Call::Close => return,
        };
        if method == "GET" {
            return self.server.reply(&message, 200, "{}");
        }
        if let Some((status, code)) = self.refusal(&method) {
            trace!(self, "server: refuses {method} with {status} {code}");
            return self.server.reply(&message, status, &format!(r#"{{"errorCode":"{code}"}}"#));
        }
        let fails = !self.calm && self.chance(15);
        let done = self.change(&method, path.rsplit('/').next().and_then(|id| id.parse().ok()));
        trace!(self, "server: {method}, done: {done}, said: {}, now {:?}", !fails, self.server.subscription);
        if fails {
            self.fault("done, but answered 503");
            return self.server.reply(&message, 503, r#"{"errorCode":"CMN-211"}"#);
        }
        match self.server.subscription {
            _ if !done => self.server.reply(&message, 404, r#"{"errorCode":"CMN-102"}"#),
            Some(id) => self.server.reply(&message, 200, &format!(r#"{{"id":"{id}"}}"#)),
            None => self.server.reply(&message, 204, "null"),
        }
    }

    fn refusal(&mut self, method: &str) -> Option<(u16, &'static str)> {
        if self.calm {
            return None;
        }
        if self.chance(8) {
            let refusal = *self.rng.pick(&REFUSALS);
            // For a removal 401 means that it is done.
            if method != "DELETE" || refusal.0 != 401 {
                self.fault("call refused");
                return Some(refusal);
            }
        }
        self.chance(10).then(|| {
            self.fault("call answered 503");
            (503, "CMN-211")
        })
    }

    /// `false`: there is no such subscription.
    fn change(&mut self, method: &str, id: Option<u64>) -> bool {
        let stands = self.server.subscription.is_some() && self.server.subscription == id;
        match method {
            "POST" => {
                // The answer may have the same id once more.
                if self.server.subscription.is_none() || self.chance(70) {
                    self.server.ids += 1;
                }
                self.server.subscription = Some(self.server.ids);
                true
            }
            "PUT" => {
                if stands && self.rough && self.chance(10) {
                    self.fault("subscription replaced");
                    self.server.ids += 1;
                    self.server.subscription = Some(self.server.ids);
                }
                stands
            }
            _ => {
                if stands {
                    self.server.subscription = None;
                }
                stands
            }
        }
    }
}
