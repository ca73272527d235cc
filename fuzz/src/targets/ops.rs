//! A driver and a server in miniature, played by operations that fit the state the session is in.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::*;

use crate::subject::{Maker, Subject};

const WS_TOKEN: &str = r#"{"uri":"wss://h.ringcentral.com/ws","ws_access_token":"secret","expires_in":600}"#;
/// Tokens of a restored session last until a later clock than this.
const UNIX: UnixMillis = UnixMillis(1_800_000_000_000);

/// One operation. What it needs is picked from what is open at the moment.
#[derive(Clone, Debug, Arbitrary)]
pub(super) enum Op {
    /// The next asynchronous action ends: well (0), or in one of several bad ways.
    Complete {
        how: u8,
    },
    /// Time passes, up to the next timer and a little beyond.
    Sleep {
        quarter: u8,
    },
    /// Time passes, no matter what timers say.
    Oversleep {
        seconds: u16,
    },
    Notify {
        number: u8,
        foreign: bool,
    },
    Reply {
        status: u8,
    },
    Echo,
    ServerError {
        kind: u8,
    },
    Garbage {
        kind: u8,
    },
    Lost {
        code: u8,
    },
    Subscribe {
        filters: u8,
    },
    Unsubscribe,
    Request {
        kind: u8,
    },
    Cancel {
        number: u8,
    },
    Recover,
    Blocked(bool),
    Network(bool),
    Resumed,
    ClockBack {
        seconds: u16,
    },
    Stale {
        number: u8,
    },
}

/// How the driver treats the session beyond what it must.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Style {
    /// A `Timeout` before its time, after every input.
    pub(super) early_timeouts: bool,
    /// The snapshot is taken, written and read after every drain.
    pub(super) snapshots: bool,
}

/// What awaits an end.
#[derive(Clone, Debug)]
enum Open {
    Login(AuthId),
    Call(HttpId),
    Socket(ConnId),
    Closing(ConnId),
}

#[derive(Clone)]
pub(super) struct Player<S = Checked> {
    session: S,
    now: Timestamp,
    style: Style,
    wait: Option<Timestamp>,
    open: VecDeque<Open>,
    pub(super) conn: Option<ConnId>,
    /// Messages the server has not answered.
    messages: VecDeque<(String, Purpose)>,
    requests: BTreeSet<RequestId>,
    recoverable: bool,
    pub(super) outputs: Vec<Output>,
    pub(super) closed: bool,
}

impl<S: Subject> Player<S> {
    pub(super) fn with<M: Maker<Subject = S>>(maker: &M, config: Config, seed: u64, style: Style) -> Self {
        let clock = ClockReading { now: Timestamp::from_secs(1), unix: UNIX };
        let mut session = maker.create(config, seed, clock);
        assert!(session.connect(clock.now).is_ok(), "a new session takes connect");
        Self::around(session, clock.now, style)
    }

    /// Around a session that is connecting.
    pub(super) fn around(session: S, now: Timestamp, style: Style) -> Self {
        let mut player = Self {
            session,
            now,
            style,
            wait: None,
            open: VecDeque::new(),
            conn: None,
            messages: VecDeque::new(),
            requests: BTreeSet::new(),
            recoverable: false,
            outputs: Vec::new(),
            closed: false,
        };
        player.drain();
        player
    }

    pub(super) fn give(&mut self, input: &Input<'_>) {
        assert!(self.session.handle_input(input.clone(), self.now).is_ok(), "a drained session takes every input");
        self.drain();
        if self.style.early_timeouts && self.wait.is_none_or(|at| self.now < at) {
            assert!(self.session.handle_input(Input::Timeout, self.now).is_ok(), "C11");
            let before = self.outputs.len();
            self.drain();
            assert_eq!(before, self.outputs.len(), "C11: an early timeout did something");
        }
    }

    pub(super) fn drain(&mut self) {
        loop {
            let output = self.session.poll_output();
            match &output {
                Output::Wait(wait) => {
                    self.wait = if let Wait::Until { at, .. } = wait { Some(*at) } else { None };
                    break;
                }
                Output::Action(action) => self.note(action),
                Output::Event(Event::Response { id, .. }) => drop(self.requests.remove(id)),
                Output::Event(Event::Closed { .. }) => self.closed = true,
                Output::Event(_) => {}
            }
            self.outputs.push(output);
        }
        if self.style.snapshots {
            assert!(self.session.snapshot().is_some(), "PST: a drained session has a snapshot");
        }
    }

    fn note(&mut self, action: &Action) {
        match action {
            Action::Authorize { id, .. } => self.open.push_back(Open::Login(*id)),
            Action::Http { id, .. } => self.open.push_back(Open::Call(*id)),
            Action::AbortHttp { id } => self.open.retain(|open| !matches!(open, Open::Call(of) if of == id)),
            Action::Open { conn, url } => {
                self.recoverable = url.expose().query_pairs().any(|(name, _)| name == "wsc");
                self.open.push_back(Open::Socket(*conn));
            }
            Action::Close { conn, .. } => self.open.push_back(Open::Closing(*conn)),
            Action::Drop { .. } => self.hang_up(),
            Action::Send { text, purpose, .. } => self.messages.push_back((id_of(text), *purpose)),
            Action::Resubscribe { text, .. } => self.messages.push_back((id_of(text), Purpose::Subscribe)),
        }
    }

    fn hang_up(&mut self) {
        self.conn = None;
        self.messages.clear();
        self.open.retain(|open| matches!(open, Open::Login(_) | Open::Call(_)));
    }

    fn text(&mut self, text: &str) {
        if let Some(conn) = self.conn {
            self.give(&Input::Frame { conn, frame: Frame::Text(text) });
        }
    }

    pub(super) fn complete(&mut self, how: u8) {
        match self.open.pop_front() {
            Some(Open::Login(id)) if how % 4 < 3 => {
                let expires_in = (!how.is_multiple_of(4)).then(|| Duration::from_secs(u64::from(how) * 10));
                self.give(&Input::Authorized {
                    id,
                    token: AccessToken { secret: Secret::from("access"), expires_in, cached: false },
                });
            }
            Some(Open::Login(id)) => {
                let kind = match how {
                    255 => AuthFailureKind::Permanent,
                    _ if how % 4 == 1 => AuthFailureKind::Network { phase: Phase::Tcp, not_sent: how % 8 == 1 },
                    _ if how % 4 == 3 => AuthFailureKind::Limited,
                    _ => AuthFailureKind::Other,
                };
                let retry_after = (how > 100).then_some(Duration::from_secs(5));
                let failure = AuthFailure { retry_after, ..AuthFailure::new(kind, "no") };
                self.give(&Input::AuthorizeFailed { id, failure });
            }
            Some(Open::Call(id)) if how % 8 == 7 => {
                let failure = HttpFailure { phase: Phase::Tcp, not_sent: how > 100, message: "no".into() };
                self.give(&Input::HttpFailed { id, failure });
            }
            Some(Open::Call(id)) => {
                let status = [200, 200, 200, 401, 429, 500, 503][usize::from(how % 8)];
                let body = if status == 200 { WS_TOKEN } else { r#"{"errorCode":"OAU-128"}"# };
                let mut response = http::Response::new(Bytes::from_static(body.as_bytes()));
                *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
                self.give(&Input::HttpResponse { id, response: Box::new(response) });
            }
            Some(Open::Socket(conn)) if how % 4 == 3 => {
                let status = (how > 100).then_some([401, 403, 429, 503][usize::from(how / 4 % 4)]);
                let failure = OpenFailure { phase: Phase::Request, status, retry_after: None, message: "no".into() };
                self.give(&Input::OpenFailed { conn, failure });
            }
            Some(Open::Socket(conn)) => {
                self.conn = Some(conn);
                self.give(&Input::Opened { conn });
                self.details(how);
            }
            Some(Open::Closing(conn)) => {
                self.hang_up();
                self.give(&Input::Closed { conn, close: CloseInfo { code: Some(1000), reason: "".into() } });
            }
            None => {}
        }
    }

    fn details(&mut self, how: u8) {
        let state = match (self.recoverable, how % 3) {
            (false, _) => "",
            (true, 0 | 1) => r#""recoveryState":"Successful","#,
            (true, _) => r#""recoveryState":"Failed","recoveryErrorCode":"WSG-1005","#,
        };
        let wsc = if how % 8 == 5 { "" } else { r#","wsc":{"token":"wsc","sequence":1}"# };
        self.text(&format!(r#"[{{"type":"ConnectionDetails"{wsc}}},{{{state}"recoveryBufferSize":3}}]"#));
    }

    pub(super) fn reply(&mut self, status: u16) {
        let Some((id, purpose)) = self.messages.pop_front() else { return };
        let body = match purpose {
            Purpose::Heartbeat => return self.text(&format!(r#"[{{"type":"Heartbeat","messageId":"{id}"}}]"#)),
            Purpose::Subscribe | Purpose::Update if status == 200 => {
                r#",{"id":"sub-1","eventFilters":["/x"],"expiresIn":86399}"#
            }
            _ if status >= 400 => r#",{"errorCode":"CMN-101"}"#,
            _ => "",
        };
        self.text(&format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":{status}}}{body}]"#));
    }

    pub(super) fn notify(&mut self, number: u64, subscription: &str) {
        let body = format!(r#"{{"uuid":"{number}","subscriptionId":"{subscription}","body":{{}}}}"#);
        self.text(&format!(r#"[{{"type":"ServerNotification","messageId":"{number}"}},{body}]"#));
    }

    fn request(&mut self, kind: u8) {
        let method = ["GET", "POST", "DELETE", "HEAD"][usize::from(kind % 4)];
        let path = ["/restapi/v1.0/a", "/restapi/v1.0/b/content/1", "/restapi/oauth/c", "x"][usize::from(kind / 4 % 4)];
        let body = [Body::empty(), Body::from("{}"), Body::from("[1]")][usize::from(kind / 16 % 3)].clone();
        let Ok(mut request) = http::Request::builder().method(method).uri(path).body(body) else { return };
        request.extensions_mut().insert(RequestOptions { repeat_if_safe: kind > 127, ..RequestOptions::default() });
        if let Ok(id) = self.session.request(request, self.now) {
            self.requests.insert(id);
        }
        self.drain();
    }

    pub(super) fn subscribe(&mut self, count: u8) {
        let filters = Filters::new((0..=count % 3).map(|n| format!("/x{n}")));
        if let Ok(filters) = filters {
            let _ = self.session.subscribe(filters, self.now);
        }
        self.drain();
    }

    pub(super) fn sleep(&mut self) {
        if let Some(at) = self.wait {
            self.now = at;
            self.give(&Input::Timeout);
        }
    }

    fn pass_time(&mut self, op: &Op) {
        match *op {
            Op::Sleep { quarter } => {
                if let Some(at) = self.wait {
                    let left = at.since(self.now) / 4 * u32::from(quarter % 5);
                    self.now = if quarter % 5 == 4 { at } else { self.now.after(left) };
                }
                self.give(&Input::Timeout);
            }
            Op::Oversleep { seconds } => {
                self.now = self.now.after(Duration::from_secs(seconds.into()));
                self.give(&Input::Timeout);
            }
            Op::ClockBack { seconds } => {
                let now = self.now;
                self.now = now.before(Duration::from_secs(seconds.into()));
                self.give(&Input::Timeout);
                self.now = now;
            }
            _ => {}
        }
    }

    pub(super) fn play(&mut self, op: &Op) {
        let sub = |foreign: bool| if foreign { "another" } else { "sub-1" };
        match *op {
            Op::Complete { how } => self.complete(how),
            Op::Sleep { .. } | Op::Oversleep { .. } | Op::ClockBack { .. } => self.pass_time(op),
            Op::Notify { number, foreign } => self.notify(number.into(), sub(foreign)),
            Op::Reply { status } => self.reply([200, 200, 204, 400, 404, 429, 500, 503][usize::from(status % 8)]),
            Op::Echo => self.reply(200),
            Op::ServerError { kind } => {
                let code = ["WSG-400", "WSG-902", "WSG-903", "CMN-103"][usize::from(kind % 4)];
                self.text(&format!(r#"[{{"type":"Error","status":400}},{{"errorCode":"{code}"}}]"#));
            }
            Op::Garbage { kind } => self.text(["", "[", "[{}]", "[{\"type\":\"New\"},1]"][usize::from(kind % 4)]),
            Op::Lost { code } => {
                if let Some(conn) = self.conn {
                    self.hang_up();
                    let code = (code > 50).then_some(1000 + u16::from(code));
                    self.give(&Input::Closed { conn, close: CloseInfo { code, reason: "".into() } });
                }
            }
            Op::Subscribe { filters } => self.subscribe(filters),
            Op::Unsubscribe => {
                let _ = self.session.unsubscribe(self.now);
                self.drain();
            }
            Op::Request { kind } => self.request(kind),
            Op::Cancel { number } => {
                let _ = self.session.cancel(RequestId::from(u64::from(number)), self.now);
                self.drain();
            }
            Op::Recover => {
                let _ = self.session.recover(self.now);
                self.drain();
            }
            Op::Blocked(blocked) => {
                if let Some(conn) = self.conn {
                    self.give(&if blocked { Input::SendBlocked { conn } } else { Input::SendReady { conn } });
                }
            }
            Op::Network(online) => self.give(&Input::NetworkChanged { online }),
            Op::Resumed => self.give(&Input::Resumed),
            Op::Stale { number } => {
                let id = HttpId::from(u64::from(number) + 1_000_000);
                self.give(&Input::HttpResponse { id, response: Box::new(http::Response::new(Bytes::new())) });
            }
        }
    }

    /// From the beginning to the open socket, ConnectionDetails awaited.
    pub(super) fn reach_handshake(&mut self) {
        for _ in 0..8 {
            if let Some(Open::Socket(conn)) = self.open.front().cloned() {
                self.open.pop_front();
                self.conn = Some(conn);
                return self.give(&Input::Opened { conn });
            }
            self.complete(0);
        }
    }

    pub(super) fn reach_subscribed(&mut self) {
        for _ in 0..200 {
            match self.session.state() {
                SessionState::Closed => return,
                SessionState::Ready { .. } if self.open.is_empty() && self.messages.is_empty() => break,
                SessionState::Connecting if self.conn.is_some() => self.details(0),
                _ if !self.open.is_empty() => self.complete(0),
                _ if !self.messages.is_empty() => self.reply(200),
                SessionState::Offline => {
                    let _ = self.session.recover(self.now);
                    self.drain();
                }
                _ => self.sleep(),
            }
        }
        self.subscribe(0);
        for _ in 0..8 {
            self.reply(200);
        }
    }

    pub(super) fn state(&self) -> SessionState {
        self.session.state()
    }

    /// Ends the session: it must end in time, whatever the peer does (CLS-1), with every request.
    pub(super) fn close(&mut self) {
        let _ = self.session.close(Close::Revoke, self.now);
        self.drain();
        for _ in 0..200 {
            if self.closed {
                break;
            }
            self.sleep();
        }
        assert!(self.closed, "CLS-1: it does not end");
        assert!(self.requests.is_empty(), "C7: {:?}", self.requests);
    }
}

/// The operations in these bytes, at most so many.
pub(super) fn ops(data: &[u8], limit: usize) -> Vec<Op> {
    let mut bytes = Unstructured::new(data);
    let mut ops = Vec::new();
    while !bytes.is_empty() && ops.len() < limit {
        match Op::arbitrary(&mut bytes) {
            Ok(op) => ops.push(op),
            Err(_) => break,
        }
    }
    ops
}

fn id_of(text: &str) -> String {
    let rest = text.split_once("\"messageId\":\"").map_or("", |(_, rest)| rest);
    rest.split_once('"').map_or("", |(id, _)| id).to_owned()
}
