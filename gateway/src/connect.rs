//! From the upgrade request to `ConnectionDetails`, and what a lost socket leaves behind.

use crate::config::micros;
use crate::gateway::{Conn, Gateway};
use crate::http::HttpResponse;
use crate::output::{FrameKind, GatewayEvent, GatewayOutput, LossCause, LossReport, Recovery, Upgrade};
use crate::session::{Session, Stored, Wsc};
use crate::text;
use crate::timers::Timer;

/// The close code of a socket that came without authorization.
const UNAUTHORIZED: u16 = 4400;

impl Gateway {
    /// An upgrade request came in, on a connection whose number was never used before. `target` is its path
    /// and query, `authorization` its header of that name, if any.
    ///
    /// After [`Upgrade::Accepted`] the network owes one [`ws_closed`](Self::ws_closed) or
    /// [`ws_lost`](Self::ws_lost), even if the gateway closes the connection itself.
    pub fn ws_open(&mut self, conn: u64, target: &str, authorization: Option<&str>, now: u64) -> Upgrade {
        self.advance(now);
        self.stats.upgrades += 1;
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        if let Some(refusal) = self.faults.strike("GET", path, self.now) {
            return self.refuse(conn, self.http_response(refusal));
        }
        let pairs = text::pairs(target.split_once('?').map_or("", |(_, query)| query));
        let bearer = || authorization.and_then(|header| text::strip_scheme(header, "Bearer"));
        let token = text::lookup(&pairs, "access_token").or_else(bearer);
        let Some(oauth) = token.and_then(|token| self.present_ws_token(token, conn)) else {
            if self.config.refuse_unauthorized_upgrade {
                return self.refuse(conn, HttpResponse::new(401, Vec::new()));
            }
            self.stats.upgrades_refused += 1;
            self.event(GatewayEvent::Refused { conn, code: UNAUTHORIZED });
            let reason = "server did not receive authorization".to_owned();
            self.order(GatewayOutput::Close { conn, code: UNAUTHORIZED, reason });
            return Upgrade::Accepted;
        };
        let wsc = text::lookup(&pairs, "wsc").map(str::to_owned);
        let socket = Conn { oauth, wsc, last_data: self.now, ..Conn::default() };
        self.conns.insert(conn, socket);
        self.arm(conn, Timer::Idle(conn), self.now.saturating_add(micros(self.config.idle_timeout)));
        self.arm(conn, Timer::Absolute(conn), self.now.saturating_add(micros(self.config.absolute_timeout)));
        if let Some(interval) = self.config.ping_interval {
            self.arm(conn, Timer::Ping(conn), self.now.saturating_add(micros(interval)));
        }
        match micros(self.config.details_delay) {
            0 => self.release_details_of(conn),
            delay => self.arm(conn, Timer::Details(conn), self.now.saturating_add(delay)),
        }
        Upgrade::Accepted
    }

    /// The connection ended, and everything that was sent on it had arrived.
    pub fn ws_closed(&mut self, conn: u64, now: u64) {
        self.advance(now);
        self.departed.remove(&conn);
        self.detach(conn, None);
    }

    /// The connection ended, and these notifications never arrived. If the session still waits for
    /// recovery they go back to the front of its buffer (see
    /// [`GatewayConfig::half_open_replays`](crate::GatewayConfig::half_open_replays)); otherwise they are lost.
    pub fn ws_lost(&mut self, conn: u64, undelivered: &[u64], now: u64) -> LossReport {
        self.advance(now);
        let session = self.session_of(conn).or_else(|| self.departed.get(&conn).copied());
        self.departed.remove(&conn);
        self.detach(conn, None);
        let mut report = LossReport::default();
        let Some(id) = session else { return report };
        let back = self.take_back(id, undelivered);
        report.requeued = back.iter().map(|s| s.uuid).collect();
        report.dropped = undelivered.iter().copied().filter(|uuid| !report.requeued.contains(uuid)).collect();
        self.lost(id, report.dropped.clone(), LossCause::Undelivered);
        let Some(session) = self.sessions.get_mut(&id) else { return report };
        session.ledger.buffered += back.len() as u64;
        for stored in back.into_iter().rev() {
            session.buffer.push_front(stored);
        }
        let excess = session.buffer.len().saturating_sub(self.config.recovery_buffer_size);
        let overflow: Vec<u64> = session.buffer.drain(..excess).map(|s| s.uuid).collect();
        if !report.requeued.is_empty() {
            self.event(GatewayEvent::Requeued { session: id, uuids: report.requeued.clone() });
        }
        report.requeued.retain(|uuid| !overflow.contains(uuid));
        report.dropped.extend(&overflow);
        self.lost(id, overflow, LossCause::Overflow);
        report
    }

    /// The undelivered notifications that a detached session still remembers, in the order they were sent.
    fn take_back(&mut self, id: u64, undelivered: &[u64]) -> Vec<Stored> {
        let replays = self.config.half_open_replays;
        let Some(session) = self.sessions.get_mut(&id).filter(|s| s.conn.is_none() && replays) else {
            return Vec::new();
        };
        if undelivered.is_empty() {
            return Vec::new();
        }
        let (back, kept) = session.sent.drain(..).partition(|s| undelivered.contains(&s.uuid));
        session.sent = kept;
        Vec::from(back)
    }

    fn refuse(&mut self, conn: u64, response: HttpResponse) -> Upgrade {
        self.stats.upgrades_refused += 1;
        self.event(GatewayEvent::Refused { conn, code: response.status });
        Upgrade::Refused(response)
    }

    /// The OAuth session a WebSocket token stands for. A token in use elsewhere cuts the other connection.
    fn present_ws_token(&mut self, token: &str, conn: u64) -> Option<u64> {
        let single_use = self.config.ws_token.single_use;
        let presented = self.ws_tokens.present(token, conn, single_use, self.now).ok()?;
        let oauth = self.oauth.get(presented.oauth)?;
        if self.config.oauth.close_sockets_at_expiry && oauth.access_expires <= self.now {
            return None;
        }
        if let Some(earlier) = presented.earlier {
            self.take_over(earlier);
        }
        Some(presented.oauth)
    }

    fn take_over(&mut self, conn: u64) {
        if self.conns.contains_key(&conn) {
            self.stats.takeovers += 1;
            self.close(conn, self.config.takeover_close_code, "replaced by a newer connection");
        }
    }

    /// Settles the session of a connection, sends `ConnectionDetails` and at once what had been missed.
    pub(crate) fn release_details_of(&mut self, conn: u64) {
        let Some(socket) = self.conns.get_mut(&conn).filter(|c| c.session.is_none()) else { return };
        let oauth = socket.oauth;
        let wsc = socket.wsc.take();
        let settled = match wsc.map(|token| Wsc::decode(&token, self.config.seed)) {
            None => Ok(None),
            Some(Some(wsc)) => Ok(Some(self.recoverable(wsc, oauth))),
            Some(None) => Err(()),
        };
        let (session, recovery) = match settled {
            Ok(None) => (self.new_session(oauth), Recovery::Fresh),
            Ok(Some(Ok(session))) => (session, Recovery::Successful),
            Ok(Some(Err(code))) => (self.new_session(oauth), Recovery::Failed(code.to_owned())),
            Err(()) => {
                let message = "Malformed WebSocket session context token";
                self.stats.malformed_wsc += 1;
                self.send_error(conn, None, 400, "WSG-400", message);
                return self.close(conn, self.config.error_close_code, message);
            }
        };
        self.attach(conn, session, &recovery);
        let early = self.conns.get_mut(&conn).map(|socket| std::mem::take(&mut socket.early));
        for text in early.unwrap_or_default() {
            self.frame(conn, text.into());
        }
    }

    /// Which session a recovery token brings back, or why it does not.
    fn recoverable(&self, wsc: Wsc, oauth: u64) -> Result<u64, &'static str> {
        if wsc.oauth != oauth {
            return Err("WSG-1003");
        }
        let session = self.sessions.get(&wsc.session).filter(|s| s.subscription.is_some()).ok_or("WSG-1005")?;
        let newest = wsc.epoch == session.epoch && wsc.sequence == session.wsc_sequence;
        let end = session.detached_at.saturating_add(micros(self.config.recovery_timeout));
        let in_time = session.conn.is_some() || self.now <= end;
        let found = in_time && (newest || self.config.accept_old_wsc);
        if found { Ok(wsc.session) } else { Err("WSG-1005") }
    }

    fn new_session(&mut self, oauth: u64) -> u64 {
        self.next_session += 1;
        let id = self.next_session;
        self.sessions.insert(id, Session::new(oauth));
        self.by_oauth.entry(oauth).or_default().insert(id);
        id
    }

    fn attach(&mut self, conn: u64, id: u64, recovery: &Recovery) {
        if let Some(older) = self.connection_of(id) {
            self.take_over(older);
        }
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let window = session.detached_at.saturating_add(micros(self.config.recovery_timeout)).saturating_add(1);
        self.timers.cancel(window, Timer::Window(id));
        session.conn = Some(conn);
        session.epoch += 1;
        session.wsc_sequence = 1;
        let mut replay: Vec<Stored> = Vec::new();
        if *recovery == Recovery::Successful {
            replay = session.sent_tail(self.config.replay_sent_tail, self.config.recovery_buffer_size);
            replay.extend(session.buffer.drain(..));
        }
        if let Some(socket) = self.conns.get_mut(&conn) {
            socket.session = Some(id);
        }
        match recovery {
            Recovery::Fresh => {}
            Recovery::Successful => self.stats.recoveries += 1,
            Recovery::Failed(_) => self.stats.recoveries_failed += 1,
        }
        let details = self.details(id, recovery);
        self.send(conn, FrameKind::ConnectionDetails, details);
        self.event(GatewayEvent::Connected { conn, session: id, recovery: recovery.clone(), replayed: replay.len() });
        for stored in replay {
            self.stats.replayed += 1;
            self.put_notification(id, conn, stored, true);
        }
    }

    fn details(&mut self, session: u64, recovery: &Recovery) -> String {
        let request = self.request_id();
        let wsc = self.wsc_member(session).unwrap_or_default();
        let mut created = String::new();
        text::push_iso(&mut created, self.unix_ms(), if self.config.creation_time_z { "Z" } else { "+0000" });
        let state = match recovery {
            Recovery::Fresh => String::new(),
            Recovery::Successful => "\"recoveryState\":\"Successful\",".to_owned(),
            Recovery::Failed(code) => {
                format!("\"recoveryState\":\"Failed\",\"recoveryErrorCode\":{},", text::json(code))
            }
        };
        let config = &self.config;
        format!(
            "[{{\"type\":\"ConnectionDetails\",\"messageId\":\"{request}\",\"status\":200,{wsc}\
             \"headers\":{{\"RCRequestId\":\"{request}\"}}}},{{\"creationTime\":\"{created}\",{state}\
             \"maxConnectionsPerSession\":{},\"recoveryBufferSize\":{},\"recoveryTimeout\":{},\
             \"idleTimeout\":{},\"absoluteTimeout\":{},\"maxActiveRequests\":{}}}]",
            config.max_connections_per_session,
            config.recovery_buffer_size,
            config.recovery_timeout.as_secs(),
            config.idle_timeout.as_secs(),
            config.absolute_timeout.as_secs(),
            config.max_active_requests
        )
    }

    /// The `wsc` member of a meta object, with a comma behind.
    fn wsc_member(&self, id: u64) -> Option<String> {
        let session = self.sessions.get(&id)?;
        let wsc = Wsc { oauth: session.oauth, session: id, epoch: session.epoch, sequence: session.wsc_sequence };
        let token = wsc.encode(self.config.seed);
        let mut member = String::with_capacity(token.len() + 54);
        member.push_str("\"wsc\":{\"token\":\"");
        member.push_str(&token);
        member.push_str("\",\"sequence\":");
        text::push_number(&mut member, wsc.sequence);
        member.push_str("},");
        Some(member)
    }

    /// Where the configuration says so, a new `wsc` for an ordinary message.
    pub(crate) fn rotated_wsc(&mut self, conn: u64) -> Option<String> {
        let every = self.config.rotate_wsc_every?;
        let socket = self.conns.get_mut(&conn)?;
        socket.messages = socket.messages.wrapping_add(1);
        if socket.messages % every.max(1) != 0 {
            return None;
        }
        let id = socket.session?;
        self.sessions.get_mut(&id)?.wsc_sequence += 1;
        self.wsc_member(id)
    }
}
