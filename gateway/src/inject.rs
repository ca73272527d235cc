//! Faults on command: overload, refused calls, duplicates, cut and closed sockets, lost memory.

use std::time::Duration;

use crate::config::micros;
use crate::expire::ConnectionTimeout;
use crate::faults::{MAX_SCRIPTED, Overload};
use crate::gateway::Gateway;
use crate::http::HttpResponse;
use crate::output::{FrameKind, GatewayOutput};

impl Gateway {
    /// For this long every HTTP call, upgrade and request over a socket is answered with `status`.
    /// With `retry_after` the answers say how many seconds are left.
    pub fn overload(&mut self, status: u16, duration: Duration, retry_after: bool, now: u64) {
        self.advance(now);
        let until = self.now.saturating_add(micros(duration));
        self.faults.overload = Some(Overload { status, until, retry_after });
    }

    /// The next call (over HTTP, over a socket, or an upgrade) whose path begins with this gets the given
    /// response. A method before it, as in `DELETE /restapi/v1.0`, means calls of that method alone. Scripts queue up; the
    /// oldest that fits is used first.
    pub fn fail_next(&mut self, path_prefix: &str, response: HttpResponse) {
        if self.faults.failures.len() >= MAX_SCRIPTED {
            self.faults.failures.pop_front();
        }
        self.faults.failures.push_back((path_prefix.to_owned(), response));
    }

    /// Forgets all that [`fail_next`](Self::fail_next) planned and that has not happened yet.
    pub fn fail_no_more(&mut self) {
        self.faults.failures.clear();
    }

    /// The next `count` notifications that go into a socket go twice.
    pub fn duplicate_next(&mut self, count: u32) {
        self.faults.duplicates = self.faults.duplicates.saturating_add(count);
    }

    /// Sends any text on one connection, or on all.
    pub fn send_raw(&mut self, conn: Option<u64>, text: &str, now: u64) {
        self.advance(now);
        for conn in self.chosen(conn) {
            self.send(conn, FrameKind::Raw, text.to_owned());
        }
    }

    /// Closes every connection politely. The sessions can be recovered.
    pub fn close_all(&mut self, code: u16, reason: &str, now: u64) {
        self.advance(now);
        for conn in self.chosen(None) {
            self.close(conn, code, reason);
        }
    }

    /// Cuts one connection, or all, without a close frame. The sessions can be recovered.
    pub fn reset(&mut self, conn: Option<u64>, now: u64) {
        self.advance(now);
        for conn in self.chosen(conn) {
            self.detach(conn, Some(1006));
            self.order(GatewayOutput::Reset { conn });
        }
    }

    /// Ends one connection, or all, as if its idle or absolute timeout had come.
    pub fn force_timeout(&mut self, conn: Option<u64>, kind: ConnectionTimeout, now: u64) {
        self.advance(now);
        for conn in self.chosen(conn) {
            self.time_out(conn, kind);
        }
    }

    /// The server starts again: sockets are cut and WebSocket sessions forgotten, with what their buffers
    /// held. OAuth sessions, tokens and subscriptions on record remain.
    pub fn restart(&mut self, now: u64) {
        self.reset(None, now);
        let sessions: Vec<u64> = self.sessions.keys().copied().collect();
        for session in sessions {
            self.end_session(session);
        }
    }

    /// Ends all OAuth sessions of a user: tokens, sockets and WebSocket sessions.
    pub fn log_out(&mut self, user: usize, now: u64) {
        self.advance(now);
        for oauth in self.oauth.of_user(user) {
            self.end_oauth(oauth);
        }
    }

    /// Every access token expires now. Refresh tokens stay good.
    pub fn expire_access_tokens(&mut self, now: u64) {
        self.advance(now);
        for oauth in self.oauth.expire_all(self.now) {
            self.expire_access_token(oauth);
        }
    }

    fn chosen(&self, conn: Option<u64>) -> Vec<u64> {
        match conn {
            Some(conn) => Vec::from_iter(self.conns.contains_key(&conn).then_some(conn)),
            None => self.conns.keys().copied().collect(),
        }
    }
}
