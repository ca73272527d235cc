//! Ends that the client begins: a renewal, and the end of the session (HB-6, CLS).

use crate::classify::Cause;
use crate::ids::ConnId;
use crate::output::{Action, CloseReason, Event};
use crate::session::connection::{AfterClose, ConnectionState};
use crate::session::recovery::StoredSnapshot;
use crate::session::{Close, Session};
use crate::time::Timestamp;
use crate::timers::TimerKind;

/// The close code of every orderly end.
const NORMAL: u16 = 1000;

impl Session {
    /// HB-6: the connection is about to grow too old.
    pub(crate) fn renewal_due(&mut self) {
        if let ConnectionState::Ready { conn } = self.state.connection
            && self.state.closing.is_none()
        {
            self.state.connection = ConnectionState::Renewing { conn };
        }
    }

    /// Goes on with a renewal: requests first, then the token, then the close.
    pub(crate) fn renew(&mut self, now: Timestamp) {
        let ConnectionState::Renewing { conn } = self.state.connection else { return };
        if self.state.subscription.is_calling() || self.state.requests.is_awaiting() {
            return;
        }
        if !self.state.tokens.has_ws_token(now) {
            return self.pursue_token(now);
        }
        if self.state.attempts.earliest(now) > now {
            return self.renewal_failed(now.after(self.config.retry.max), now);
        }
        self.start_close(conn, AfterClose::Renew, "renewal", now);
    }

    /// No token for the renewal: it is tried again, and in the end the server closes (`WSG-903`).
    pub(crate) fn renewal_failed(&mut self, floor: Timestamp, now: Timestamp) {
        self.stop_renewing();
        let spread = self.state.rng.up_to(self.config.retry.max);
        self.arm(TimerKind::Renewal, floor.max(now).after(spread));
    }

    fn stop_renewing(&mut self) {
        if let ConnectionState::Renewing { conn } = self.state.connection {
            self.state.connection = ConnectionState::Ready { conn };
        }
    }

    fn start_close(&mut self, conn: ConnId, after: AfterClose, reason: &'static str, now: Timestamp) {
        for kind in [TimerKind::Heartbeat, TimerKind::Liveness, TimerKind::Renewal] {
            self.state.timers.stop(kind);
        }
        self.forget_call_timer();
        if self.state.timers.get(TimerKind::Close).is_none() {
            self.arm(TimerKind::Close, now.after(self.config.close_timeout));
        }
        self.state.connection = ConnectionState::Closing { conn, after };
        self.out.act(Action::Close { conn, code: NORMAL, reason });
    }

    /// CLS-1.
    pub(crate) fn begin_close(&mut self, mode: Close, now: Timestamp) {
        self.state.closing = Some(mode);
        self.arm(TimerKind::Close, now.after(self.config.close_timeout));
        self.state.timers.stop(TimerKind::Renewal);
        self.stop_renewing();
        self.end_queued_requests();
        match self.state.connection {
            ConnectionState::Ready { conn } if mode == Close::Detach => {
                self.start_close(conn, AfterClose::End(mode), "detach", now);
            }
            ConnectionState::Ready { .. } | ConnectionState::Renewing { .. } => {
                self.state.subscription.revoke();
                self.retry_subscription_now();
                self.out.snapshot_changed();
            }
            ConnectionState::Closing { conn, .. } => {
                self.state.connection = ConnectionState::Closing { conn, after: AfterClose::End(mode) }
            }
            ConnectionState::Opening { conn, recovering } | ConnectionState::Handshaking { conn, recovering } => {
                self.drop_socket(conn);
                // The server may have begun a replay into the socket that is dropped here.
                self.state.recovery.stored_snapshot.end(mode == Close::Detach && !recovering);
                self.terminate(reason_of(mode), true, now);
            }
            ConnectionState::Idle
            | ConnectionState::Offline
            | ConnectionState::Waiting { .. }
            | ConnectionState::Attempting
            | ConnectionState::Closed => {
                // A restored session that was never connected keeps what its snapshot said.
                self.state.recovery.stored_snapshot.end(mode == Close::Detach);
                self.terminate(reason_of(mode), true, now);
            }
        }
    }

    /// The subscription is gone: the last step of `close(Revoke)`.
    pub(crate) fn close_after_delete(&mut self, now: Timestamp) {
        if let (Some(mode), Some(conn)) = (self.state.closing, self.ready()) {
            self.start_close(conn, AfterClose::End(mode), "closed by the application", now);
        }
    }

    pub(crate) fn close_timed_out(&mut self, now: Timestamp) {
        match self.state.closing {
            Some(mode) => self.terminate(reason_of(mode), false, now),
            None => {
                self.note_in_flight(&Cause::SocketTimeout, now);
                self.connection_lost(Cause::Renewal, true, now);
            }
        }
    }

    /// The end (CLS-2): every request first, then `Closed`, then nothing. `gone`: there is no socket to drop.
    pub(crate) fn terminate(&mut self, reason: CloseReason, gone: bool, now: Timestamp) {
        if let Some(conn) = self.live() {
            let was_ready = self.state.connection.was_ready();
            if !gone {
                self.drop_socket(conn);
            }
            if was_ready {
                // Nothing is planned after the end, so it belongs to no series either.
                let cause = if let CloseReason::Permanent(cause) = &reason { cause.clone() } else { Cause::Closed };
                self.on_disconnected(conn, cause, None, now);
            }
        }
        self.state.timers = crate::timers::Timers::default();
        self.end_all_requests();
        self.state.tokens.give_up(&mut self.out);
        if reason == CloseReason::Revoked {
            self.state.recovery.wsc = None;
            self.state.unconfirmed.take();
            self.state.subscription.forget();
            self.out.snapshot_changed();
        }
        if reason != CloseReason::Detached {
            self.state.delivery.flush_gap(now, &mut self.out);
        } else if self.state.recovery.stored_snapshot == StoredSnapshot::Final {
            // The last snapshot says that the end was orderly.
            self.out.snapshot_changed();
        }
        self.out.emit_snapshot_change();
        self.out.emit(Event::Closed { reason });
        self.state.connection = ConnectionState::Closed;
    }
}

/// The reason that `close` gives.
pub(super) fn reason_of(mode: Close) -> CloseReason {
    match mode {
        Close::Revoke => CloseReason::Revoked,
        Close::Detach => CloseReason::Detached,
    }
}
