//! The session's side: its inputs, and what becomes of what it puts out.

use bytes::Bytes;
use http::Response;
use ringcentral_ws_core::{
    AccessToken, Action, CloseInfo, ConnId, Event, Frame, HttpId, Input, Output, SecretUrl, SessionState, Timestamp,
    Wait,
};

use super::server::{Call, Packet, request_number};
use super::{DenseRun, HttpsCall, Opening, Written};
use crate::oracle::violated;
use crate::subject::{Maker, Subject};
use crate::trace::{brief, name_of_outcome, trace};

/// More outputs than this at once are no end.
const MAX_OUTPUTS: usize = 10_000;

impl<M: Maker> DenseRun<M> {
    pub(super) fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    pub(super) fn input(&mut self, input: Input<'_>) {
        let now = self.time();
        if self.session.handle_input(input, now).is_err() {
            self.judge(violated("contract", "a drained session refused an input".to_owned()));
        }
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        for _ in 0..MAX_OUTPUTS {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(event) => self.on_event(event),
                Output::Wait(wait) => {
                    self.rest(wait);
                    // What waits for its snapshot to be stored goes on when it is.
                    let (awaits, now) = (self.session.state() == SessionState::AwaitingStore, self.time());
                    if !awaits || self.session.snapshot_stored(now).is_err() {
                        return;
                    }
                }
            }
        }
        self.judge(violated("circles", "outputs without end".to_owned()));
    }

    /// Nothing more for now: the application may write down the snapshot.
    fn rest(&mut self, wait: Wait) {
        self.wake = match wait {
            Wait::Until { at, .. } => Some(at.as_micros()),
            Wait::ForInput | Wait::Finished => None,
        };
        if self.wake.is_some_and(|at| at <= self.now) {
            self.judge(violated("circles", "a timer that was run is due again".to_owned()));
        }
        let due = self.chance(90) && (self.changed || self.chance(10));
        let due = due || self.session.state() == SessionState::AwaitingStore;
        if due && self.session.state() != SessionState::Closed {
            self.write_down();
        }
    }

    pub(super) fn write_down(&mut self) {
        if let Some(snapshot) = self.session.snapshot() {
            self.changed = false;
            let Self { now: at, asked_for, desired, confirmed, unsubscribing, .. } = *self;
            self.written = Some(Written { snapshot, at, asked_for, desired, confirmed, unsubscribing });
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Authorize { id, .. } => self.login = Some(id),
            Action::Http { id, request, .. } => self.call(id, request.uri().path()),
            Action::AbortHttp { id } => self.calls.retain(|call| call.id != id),
            Action::Open { conn, url } => self.open(conn, &url),
            Action::Send { conn, text, .. } | Action::Resubscribe { conn, text } => self.send(conn, &text),
            Action::Close { conn, .. } => {
                trace!(self, "client: closes {conn}");
                self.server.inbox.push_back(Call::Close);
            }
            Action::Drop { conn } => {
                trace!(self, "client: drops {conn}");
                if self.quiet {
                    self.judge(violated("needless-loss", "a connection was dropped while all went well".to_owned()));
                }
                self.cut();
            }
        }
    }

    fn call(&mut self, id: HttpId, path: &str) {
        if self.calls.iter().any(|call| call.id == id) {
            self.judge(violated("call-twice", format!("HTTPS call {id} was made twice")));
        }
        let request = request_number(path);
        trace!(self, "client: HTTPS call {id} of {path}");
        if let Some(number) = request {
            let verdict = self.open.may_run(number);
            self.judge(verdict);
        }
        self.calls.push_back(HttpsCall { id, request });
    }

    fn open(&mut self, conn: ConnId, url: &SecretUrl) {
        let value = |name: &str| url.expose().query_pairs().find(|(key, _)| key == name).map(|(_, v)| v.into_owned());
        let (token, wsc) = (value("access_token").unwrap_or_default(), value("wsc"));
        trace!(self, "client: opens {conn}, to recover: {}", wsc.is_some());
        if self.live.is_some() {
            self.judge(violated("two-sockets", format!("{conn} opens while another one is live")));
        }
        let known = self.known_session.map(|session| format!("w{session}"));
        if wsc.is_some() && known.is_some() && wsc != known {
            self.judge(violated("stale-wsc", "a wsc was presented that a newer one had replaced".to_owned()));
        }
        self.live = Some(conn);
        self.opening = Some(Opening { conn, token, wsc });
    }

    fn send(&mut self, conn: ConnId, text: &str) {
        if !self.greeted || self.live != Some(conn) {
            self.judge(violated("before-details", format!("{conn} sends and is not ready")));
        }
        self.receive(text);
    }

    fn on_event(&mut self, event: Event) {
        if self.trace.is_some() && event != Event::SnapshotChanged {
            trace!(self, "app: {}", brief(&event));
        }
        match event {
            Event::SnapshotChanged => self.changed = true,
            Event::Notification(n) => {
                let verdict = self.oracle.notification(n.uuid());
                self.judge(verdict);
            }
            Event::Gap(gap) => {
                *self.report.gaps.entry(gap.cause.as_str()).or_default() += 1;
                let verdict = self.oracle.gap(&gap, &self.server.coming());
                self.judge(verdict);
                if self.quiet && self.desired.is_some() {
                    self.judge(violated("false-alarm", "a gap was emitted while all went well".to_owned()));
                }
            }
            Event::Subscribed(info) => {
                self.confirmed = info.server_id.parse().ok();
                if self.confirmed.is_none_or(|id| id == 0 || id > self.server.ids) {
                    self.judge(violated("foreign", format!("the server never gave the id {}", info.server_id)));
                }
                self.oracle.subscribed(self.confirmed.unwrap_or_default());
            }
            Event::Unsubscribed { .. } => {
                self.unsubscribing = false;
                self.oracle.unsubscribed();
            }
            Event::SubscriptionFailed { id, retry_at: None, .. } if self.desired == Some(id) => self.refused(),
            Event::SubscriptionFailed { retry_at: None, .. } if self.desired.is_none() => self.unsubscribing = false,
            Event::Recovered { .. } => {
                self.report.recoveries += 1;
                if !self.recovered {
                    self.judge(violated("recovered", "the server said that it had not recovered".to_owned()));
                }
            }
            Event::RecoveryFailed { .. } => self.report.recoveries_failed += 1,
            Event::Response { id, outcome } => {
                *self.report.outcomes.entry(name_of_outcome(&outcome)).or_default() += 1;
                let verdict = self.open.ended(id, &outcome);
                self.judge(verdict);
            }
            _ => {}
        }
    }

    /// The desired subscription is refused for good. It has only what was confirmed before, if the server still has
    /// that.
    fn refused(&mut self) {
        self.desired = None;
        if self.server.subscription != self.confirmed {
            self.asked_for = false;
            self.oracle.unsubscribed();
        }
    }
}

// Its inputs.
impl<M: Maker> DenseRun<M> {
    /// Gives it the access token it waits for.
    pub(super) fn log_in(&mut self) -> bool {
        let Some(id) = self.login.take() else { return false };
        let token = AccessToken { secret: "access".into(), expires_in: None, cached: false };
        self.input(Input::Authorized { id, token });
        true
    }

    pub(super) fn answer_https(&mut self, id: HttpId, status: u16, body: &str) {
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        self.input(Input::HttpResponse { id, response: Box::new(response) });
    }

    /// A WebSocket token that was never given before.
    pub(super) fn give_token(&mut self, id: HttpId) {
        self.server.tokens += 1;
        let token = self.server.tokens;
        let body = format!(r#"{{"ws_access_token":"t{token}","uri":"wss://h.ringcentral.com/ws","expires_in":600}}"#);
        self.answer_https(id, 200, &body);
    }

    /// The socket that is opening is up, unless the session thinks better of it.
    pub(super) fn finish_opening(&mut self) -> bool {
        let Some(conn) = self.opening.as_ref().map(|opening| opening.conn) else { return false };
        self.input(Input::Opened { conn });
        if let Some(opening) = self.opening.take_if(|opening| opening.conn == conn) {
            self.accept(opening.token, opening.wsc.as_deref());
        }
        true
    }

    pub(super) fn text(&mut self, text: &str) {
        if let Some(conn) = self.live {
            self.input(Input::Frame { conn, frame: Frame::Text(text) });
        }
    }

    /// A packet arrives as it was sent.
    pub(super) fn arrive(&mut self, packet: &Packet) {
        match packet {
            Packet::Details { session, recovered, text } => {
                self.known_session = Some(*session);
                self.recovered = *recovered;
                self.greeted = true;
                self.text(text);
            }
            Packet::Reply(text) => self.text(text),
            Packet::Note(note) => {
                trace!(self, "net: {} arrives", note.number);
                self.text(&note.text());
            }
        }
    }

    /// Everything that is on its way arrives.
    pub(super) fn arrive_all(&mut self) {
        while let Some(packet) = self.server.wire.pop_front() {
            self.arrive(&packet);
        }
    }

    /// The socket ends, and the session gets `Closed`.
    pub(super) fn end_socket(&mut self, code: Option<u16>) {
        let Some(conn) = self.live else { return };
        trace!(self, "net: {conn} ends, {code:?}");
        self.cut();
        self.input(Input::Closed { conn, close: CloseInfo { code, reason: "".into() } });
    }

    pub(super) fn run_timer(&mut self) {
        if let Some(at) = self.wake {
            self.now = at;
            self.input(Input::Timeout);
        }
    }
}
