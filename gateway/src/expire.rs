//! What happens when a deadline has come.

use crate::config::micros;
use crate::gateway::Gateway;
use crate::output::{FrameKind, GatewayEvent, GatewayOutput};
use crate::text;
use crate::timers::Timer;

/// Why a connection is ended with an `Error` first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionTimeout {
    /// `WSG-902`: no data messages for too long.
    Idle,
    /// `WSG-903`: too old.
    Absolute,
}

impl Gateway {
    pub(crate) fn expire(&mut self, timer: Timer) {
        match timer {
            Timer::Details(conn) => self.release_details_of(conn),
            Timer::Reply(number) => self.release_reply(number),
            Timer::Idle(conn) => self.expire_idle(conn),
            Timer::Absolute(conn) => {
                if self.conns.contains_key(&conn) {
                    self.time_out(conn, ConnectionTimeout::Absolute);
                }
            }
            Timer::Ping(conn) => self.expire_ping(conn),
            Timer::Window(session) => self.expire_window(session),
            Timer::Subscription(key) => self.expire_subscription(key),
            Timer::AccessToken(oauth) => self.expire_access_token(oauth),
            Timer::Fax(user, id) => self.fax_left(user, id),
            Timer::Call(number) => self.step_call(number),
            Timer::OAuthEnd(oauth) => match self.oauth.ends_at(oauth) {
                Some(at) if at > self.now => self.timers.set(at, timer),
                Some(_) => self.end_oauth(oauth),
                None => {}
            },
        }
    }

    /// Ends a connection with `Error` `WSG-902` or `WSG-903` and a close. Its session stays recoverable.
    pub(crate) fn time_out(&mut self, conn: u64, kind: ConnectionTimeout) {
        let (code, message) = match kind {
            ConnectionTimeout::Idle => ("WSG-902", "WebSocket connection idle timeout exceeded"),
            ConnectionTimeout::Absolute => ("WSG-903", "WebSocket connection absolute timeout exceeded"),
        };
        self.send_error(conn, None, 400, code, message);
        self.close(conn, self.config.error_close_code, message);
    }

    /// Sends an `Error` frame. Without the id of a request it gets one of its own.
    pub(crate) fn send_error(&mut self, conn: u64, id: Option<&str>, status: u16, code: &str, message: &str) {
        let request = self.request_id();
        let id = id.map_or_else(|| text::json(&request), str::to_owned);
        let frame = format!(
            "[{{\"type\":\"Error\",\"messageId\":{id},\"status\":{status},\
             \"headers\":{{\"RCRequestId\":\"{request}\"}}}},\
             {{\"errorCode\":\"{code}\",\"message\":{}}}]",
            text::json(message)
        );
        self.send(conn, FrameKind::Error, frame);
    }

    fn expire_idle(&mut self, conn: u64) {
        let Some(socket) = self.conns.get(&conn) else { return };
        let due = socket.last_data.saturating_add(micros(self.config.idle_timeout));
        if due > self.now {
            self.arm(conn, Timer::Idle(conn), due);
        } else {
            self.time_out(conn, ConnectionTimeout::Idle);
        }
    }

    fn expire_ping(&mut self, conn: u64) {
        let wait = micros(self.config.pong_timeout);
        let now = self.now;
        let Some(socket) = self.conns.get_mut(&conn) else { return };
        match socket.unanswered_ping {
            Some(at) if now >= at.saturating_add(wait) => {
                self.stats.pongs_missed += 1;
                self.close(conn, 1001, "no pong");
            }
            Some(at) => self.arm(conn, Timer::Ping(conn), at.saturating_add(wait)),
            None => {
                socket.unanswered_ping = Some(now);
                self.order(GatewayOutput::Ping { conn });
                self.arm(conn, Timer::Ping(conn), now.saturating_add(wait));
            }
        }
    }

    /// A pong arrived.
    pub fn ws_pong(&mut self, conn: u64, now: u64) {
        self.advance(now);
        let Some(interval) = self.config.ping_interval else { return };
        let Some(socket) = self.conns.get_mut(&conn) else { return };
        if let Some(at) = socket.unanswered_ping.take() {
            let next = at.saturating_add(micros(interval)).max(self.now + 1);
            self.arm(conn, Timer::Ping(conn), next);
        }
    }

    fn expire_window(&mut self, id: u64) {
        let Some(session) = self.sessions.get(&id) else { return };
        if session.conn.is_some() {
            return;
        }
        let end = session.detached_at.saturating_add(micros(self.config.recovery_timeout));
        if self.now > end {
            self.end_session(id);
        } else {
            self.timers.set(end.saturating_add(1), Timer::Window(id));
        }
    }

    fn expire_subscription(&mut self, key: u64) {
        let over = |s: &crate::session::Subscription| s.session.is_none() && s.expires <= self.now;
        if self.subscriptions.all.get(&key).is_some_and(over)
            && let Some(subscription) = self.subscriptions.remove(key)
        {
            self.event(GatewayEvent::Unsubscribed { id: subscription.id });
        }
    }

    pub(crate) fn expire_access_token(&mut self, oauth: u64) {
        let Some(session) = self.oauth.get(oauth) else { return };
        if session.access_expires > self.now {
            self.timers.set(session.access_expires, Timer::AccessToken(oauth));
        } else if self.config.oauth.close_sockets_at_expiry {
            let code = self.config.auth_close_code;
            for conn in self.sockets_of(oauth) {
                self.close(conn, code, "access token expired");
            }
        }
    }
}
