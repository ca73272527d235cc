//! The driver: feeds a session its inputs, drains it, and does what it says.

use ringcentral_ws_core::{
    Action, AuthReason, CloseInfo, ConnId, Event, Frame, HttpId, HttpPurpose, Input, OpenFailure, Output, Purpose,
    SessionState, TimerKind, Wait,
};

use super::World;
use super::client::Poison;
use super::net::{Alarm, Call, Packet};
use super::pacing::AuthCall;
use super::plan::Fault;
use crate::http::to_gateway;
use crate::oracle::violated;
use crate::subject::{Maker, Subject};
use crate::time::S;
use crate::trace::{brief, trace};

/// A driver that drains in part leaves this many outputs at most in one go.
const SIP: u64 = 3;
/// After so many connections that came to nothing the recovery token is given up (REC-9).
const HANDLE_TRIES: u32 = 3;
/// So long after ConnectionDetails a connection that ends has certainly come to nothing.
const SHORT: u64 = 9 * S;

impl<M: Maker> World<M> {
    pub(super) fn delay(&mut self) -> u64 {
        self.plan.delay + self.rng.below(self.plan.jitter)
    }

    /// The timer of a client ran out.
    pub(super) fn wake(&mut self, client: usize) {
        self.clients[client].wake = u64::MAX;
        self.input(client, Input::Timeout);
    }

    /// Gives the session an input, then drains it, perhaps only in part.
    #[inline(always)]
    pub(super) fn input(&mut self, client: usize, input: Input<'_>) {
        let c = &mut self.clients[client];
        if c.undrained {
            return self.input_undrained(client, input);
        }
        if c.session.is_none() {
            return;
        }
        c.ending_conn = None;
        if let Input::Frame { .. } | Input::Opened { .. } = &input {
            c.frame_at = self.now;
        }
        let now = c.time(self.now);
        let Some(session) = &mut c.session else { return };
        if session.handle_input(input, now).is_err() {
            self.judge(violated("contract", "a drained session refused an input".to_owned()));
        }
        self.drain_or_sip(client);
    }

    /// It may refuse the input before it is drained.
    fn input_undrained(&mut self, client: usize, input: Input<'_>) {
        let c = &mut self.clients[client];
        let now = c.time(self.now);
        let again = input.clone();
        if c.session.as_mut().is_some_and(|session| session.handle_input(input, now).is_err()) {
            self.drain(client);
            return self.input(client, again);
        }
        c.ending_conn = None;
        if let Input::Frame { .. } | Input::Opened { .. } = &again {
            c.frame_at = self.now;
        }
        self.drain_or_sip(client);
    }

    pub(super) fn drain_or_sip(&mut self, client: usize) {
        if self.plan.lazy == 0 || !self.rng.chance(self.plan.lazy) {
            return self.drain(client);
        }
        let sip = self.rng.below(SIP + 1);
        if !self.take(client, 0..sip) {
            return;
        }
        let c = &mut self.clients[client];
        if c.session.is_some() {
            c.undrained = true;
            c.wake = u64::MAX;
            let life = c.life;
            let later = self.now + self.rng.below(S / 10);
            self.net.push(later, Packet::Alarm { client, life, alarm: Alarm::Drain });
        }
    }

    #[inline(always)]
    pub(super) fn drain(&mut self, client: usize) {
        self.take(client, 0..);
    }

    /// Takes one output in each of these turns. `false`: no more are left, or there is no process.
    #[inline(always)]
    fn take(&mut self, client: usize, turns: impl Iterator<Item = u64>) -> bool {
        for _ in turns {
            let c = &mut self.clients[client];
            let Some(session) = &mut c.session else { return false };
            match session.poll_output() {
                Output::Action(action) => self.act(client, action),
                Output::Event(Event::SnapshotChanged) => {
                    c.dirty = true;
                    trace!(self, "{client}: app gets {}", brief(&Event::SnapshotChanged));
                }
                Output::Event(event) => self.on_event(client, event),
                // There is nothing to do before this.
                Output::Wait(wait) => {
                    (c.undrained, c.decided_at) = (false, None);
                    c.wake = match wait {
                        Wait::Until { at, .. } => c.true_time(at),
                        Wait::ForInput | Wait::Finished => u64::MAX,
                    };
                    if self.plan.fill.is_some() && self.fills(client) {
                        continue;
                    }
                    let c = &self.clients[client];
                    if c.dirty && self.plan.publish_every.is_some() {
                        self.may_publish(client);
                    }
                    if self.goes_on(client) {
                        continue;
                    }
                    self.check_rest(client, wait);
                    if wait == Wait::Finished {
                        self.ended(client);
                    }
                    return false;
                }
            }
        }
        self.clients[client].session.is_some()
    }

    /// A session that goes on from an orderly end may have waited for its first snapshot to be stored.
    fn goes_on(&mut self, client: usize) -> bool {
        let c = &mut self.clients[client];
        if !c.unstored || c.published.as_ref().is_none_or(|published| published.snapshot.is_detached()) {
            return false;
        }
        c.unstored = false;
        let now = c.time(self.now);
        trace!(self, "{client}: app has stored the snapshot");
        self.clients[client].session.as_mut().is_some_and(|session| session.snapshot_stored(now).is_ok())
    }

    /// What must hold when there is nothing to do.
    #[inline(always)]
    fn check_rest(&mut self, client: usize, wait: Wait) {
        let c = &self.clients[client];
        let Some(session) = &c.session else { return };
        if let Wait::Until { at, reason: TimerKind::Retry } = wait
            && let SessionState::Waiting { .. } = session.state()
        {
            let verdict = c.pacing.waits(at, c.clock(self.now));
            return self.judge(verdict);
        }
        let detaching = c.app.closing && !c.revoking && wait != Wait::Finished;
        if detaching && session.snapshot().is_some() {
            self.judge(violated("snapshot-detaching", "a snapshot was given while the session detaches".to_owned()));
        }
    }

    #[inline(always)]
    fn act(&mut self, client: usize, action: Action) {
        match action {
            Action::Send { conn, text, purpose } => {
                if let Purpose::Request(id) = purpose {
                    trace!(self, "{client}: sends request {id}");
                }
                self.send(client, conn, text);
            }
            Action::Resubscribe { conn, text } => self.send(client, conn, text),
            Action::Authorize { id, reason, .. } => self.authorize(client, id, reason),
            Action::Http { id, purpose, request } => self.call(client, id, purpose, &request),
            Action::Open { conn, url } => {
                let url = url.expose();
                let query = url.query().unwrap_or_default();
                self.open(client, conn, format!("{}?{query}", url.path()));
            }
            Action::Close { conn, code, .. } => {
                trace!(self, "{client}: closes {conn} with {code}");
                if let Some(link) = self.link_of(client, conn) {
                    let at = self.now + self.delay();
                    self.net.send_to_server(link, at, Packet::CloseToServer { link });
                }
            }
            Action::Drop { conn } => {
                trace!(self, "{client}: drops {conn}");
                // It may have been closed while this waited to be drained.
                if let Some(link) = self.clients[client].link.filter(|link| self.net.links[*link].conn == conn) {
                    self.hang_up(link);
                }
            }
            Action::AbortHttp { id } => {
                trace!(self, "{client}: aborts http {id}");
                self.clients[client].calls.remove(&id);
            }
        }
    }

    #[inline(always)]
    pub(super) fn link_of(&mut self, client: usize, conn: ConnId) -> Option<usize> {
        let link = self.clients[client].link.filter(|link| self.net.links[*link].conn == conn);
        if link.is_none() && self.clients[client].ending_conn != Some(conn) {
            self.judge(violated("contract", format!("an action for {conn}, which is not live")));
        }
        link
    }

    /// The client forgets its end of the connection.
    pub(super) fn hang_up(&mut self, link: usize) {
        let l = &mut self.net.links[link];
        l.client_open = false;
        let (client, dead) = (l.client, l.dead);
        self.clients[client].link = None;
        if !dead {
            let at = self.now + self.delay();
            self.net.send_to_server(link, at, Packet::ResetToServer { link });
        }
    }

    #[inline(always)]
    fn send(&mut self, client: usize, conn: ConnId, text: String) {
        trace!(self, "{client}: sends on {conn} {}", name_of(&text));
        let Some(link) = self.link_of(client, conn) else { return };
        if !self.net.links[link].ready {
            return self.judge(violated("before-details", format!("{} on {conn}", name_of(&text))));
        }
        let at = self.now + self.delay();
        self.net.send_to_server(link, at, Packet::ToServer { link, text });
    }

    fn authorize(&mut self, client: usize, id: ringcentral_ws_core::AuthId, reason: AuthReason) {
        trace!(self, "{client}: asks for a token {id} {reason:?}");
        self.auth_call(client, AuthCall::Login(id));
        let life = self.clients[client].life;
        if reason == AuthReason::Refused
            && let Some(login) = &mut self.clients[client].login
        {
            login.access.clear();
        }
        let fails = self.now < self.faults.no_credentials_until;
        if fails && self.rng.chance(200) {
            return;
        }
        let at = self.now + self.rng.between(S / 100, S);
        self.net.push(at, Packet::AuthDone { client, life, id, fails });
    }

    fn call(&mut self, client: usize, id: HttpId, purpose: HttpPurpose, request: &http::Request<bytes::Bytes>) {
        let uri = request.uri();
        trace!(self, "{client}: http {id} {} {}", request.method(), uri.path());
        if purpose == HttpPurpose::ConnectionToken {
            self.auth_call(client, AuthCall::Token(id));
        }
        let c = &mut self.clients[client];
        c.calls.insert(id);
        let to = Call { client, life: c.life, id };
        self.post(to, to_gateway(request));
    }

    fn auth_call(&mut self, client: usize, call: AuthCall) {
        let slack = self.slack();
        let c = &mut self.clients[client];
        // The session counts a call when it decides it.
        let decided = c.decided_at.take().unwrap_or(self.now);
        let verdict = c.pacing.auth_call(call, (decided, self.now), slack);
        if self.counts_time() {
            self.judge(verdict);
        }
    }

    /// A process whose clock went back counts wrongly.
    pub(super) fn counts_time(&self) -> bool {
        !self.plan.faults.contains(&Fault::ClockBack)
    }

    /// How late a decision may be carried out.
    pub(super) fn slack(&self) -> u64 {
        if self.clients.iter().all(|client| client.prompt) { 0 } else { S }
    }

    fn open(&mut self, client: usize, conn: ConnId, target: String) {
        let wsc = target.contains("wsc=");
        trace!(self, "{client}: opens {conn}{}", if wsc { " with wsc" } else { "" });
        self.clients[client].pacing.opens();
        let c = &self.clients[client];
        // What a driver that drains late passes on may come too late to count, and so may what a clock that went back
        // counts.
        if let Some((poison, shown @ HANDLE_TRIES..)) = c.poison.filter(|_| wsc && c.prompt && self.counts_time()) {
            let what = format!("{conn} presents a handle that showed {shown} times in a row that it {poison:?}");
            self.judge(violated("handle-kept", what));
        }
        if self.counts_time() {
            let slack = self.slack();
            let verdict = self.clients[client].pacing.attempt(self.now, slack);
            self.judge(verdict);
        }
        if self.clients[client].link.is_some() {
            self.judge(violated("contract", format!("{conn} is opened beside a live connection")));
        }
        let link = self.net.connect(client, conn);
        self.clients[client].link = Some(link);
        self.clients[client].last_link = Some(link);
        self.dial(link, target);
    }

    /// Whether the socket of this link still is the client's.
    pub(super) fn is_live(&self, link: usize) -> bool {
        let l = &self.net.links[link];
        l.client_open && self.clients[l.client].link == Some(link)
    }

    /// Something arrived at the client's socket.
    pub(super) fn socket_text(&mut self, link: usize, text: &str, uuid: u64) {
        let l = &mut self.net.links[link];
        if l.dead || !l.client_open {
            l.frames_lost = true;
            if uuid != 0 {
                l.undelivered.push(uuid);
            }
            return;
        }
        let (client, conn) = (l.client, l.conn);
        trace!(self, "{client}: gets on {conn} {}", name_of(text));
        let c = &mut self.clients[client];
        if c.corrupt > 0 {
            c.corrupt -= 1;
            self.net.links[link].frames_lost = true;
            return self.spoiled_frame(client, conn, text);
        }
        self.garbled_frame(client, text);
        self.before_frame(link, text);
        let twice = self.clients[client].duplicate > 0;
        self.input(client, Input::Frame { conn, frame: Frame::Text(text) });
        if twice && self.is_live(link) {
            self.clients[client].duplicate -= 1;
            self.input(client, Input::Frame { conn, frame: Frame::Text(text) });
        }
    }

    /// What a frame that the session is given shows.
    #[inline(always)]
    fn before_frame(&mut self, link: usize, text: &str) {
        let counts_time = self.counts_time();
        let l = &mut self.net.links[link];
        let c = &mut self.clients[l.client];
        if text.starts_with("[{\"type\":\"Heartbeat\"") {
            c.pacing.echoed();
            l.echoed = true;
            if c.thefts_left > 0 {
                let (client, later) = (l.client, self.rng.between(S / 2, 3 * S));
                self.alarm_at(client, later, Alarm::Take);
            }
        } else if text.starts_with("[{\"type\":\"ConnectionDetails\"") {
            (l.ready, l.ready_at) = (true, self.now);
            if text.contains("\"recoveryState\":\"Successful\"") {
                if counts_time {
                    c.continued(self.now);
                }
            } else {
                // It is another session, with a handle of its own.
                (c.poison, l.poisoned) = (None, false);
                c.closings.clear();
            }
            if l.poisoned {
                l.dead = true;
                c.faulted_at = c.faulted_at.max(Some(self.now));
                let at = self.now + self.delay();
                self.net.push(at, Packet::ResetToClient { link });
            }
        }
    }

    /// How a connection ended, before the session knows.
    fn before_end(&mut self, link: usize) {
        let l = &self.net.links[link];
        let c = &mut self.clients[l.client];
        if l.poisoned
            && self.now < l.ready_at + SHORT
            && let Some((_, shown)) = &mut c.poison
        {
            *shown += 1;
        }
    }

    /// The connection ended, as the client sees it.
    pub(super) fn socket_closed(&mut self, link: usize, code: Option<u16>) {
        self.settle(link);
        if !self.is_live(link) {
            return;
        }
        let l = &mut self.net.links[link];
        l.client_open = false;
        let (client, conn) = (l.client, l.conn);
        trace!(self, "{client}: {conn} closed with {code:?}");
        self.before_end(link);
        self.clients[client].link = None;
        self.clients[client].ending_conn = Some(conn);
        let reason = "".into();
        self.input(client, Input::Closed { conn, close: CloseInfo { code, reason } });
    }

    pub(super) fn open_failed(&mut self, link: usize, failure: OpenFailure) {
        if !self.is_live(link) {
            return;
        }
        let l = &mut self.net.links[link];
        l.client_open = false;
        let (client, conn) = (l.client, l.conn);
        trace!(self, "{client}: {conn} not opened {:?} {:?}", failure.phase, failure.status);
        if self.net.links[link].poisoned
            && let Some((Poison::Refused, shown)) = &mut self.clients[client].poison
        {
            *shown += 1;
        }
        self.clients[client].link = None;
        self.clients[client].ending_conn = Some(conn);
        self.input(client, Input::OpenFailed { conn, failure });
    }
}

/// A frame by its type and message id, which are no secrets.
pub(super) fn name_of(text: &str) -> String {
    let field = |name: &str| {
        let rest = text.split_once(name)?.1;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let kind = field("\"type\":\"").unwrap_or_default();
    let id = field("\"messageId\":\"").unwrap_or_default();
    let method = field("\"method\":\"").unwrap_or_default();
    format!("{kind} {id} {method}")
}
