//! The connection: attempts, loss, renewal, the end.

use super::{Close, Session};
use crate::classify::{Cause, MAX_RETRY_AFTER};
use crate::gap::GapCause;
use crate::ids::ConnId;
use crate::input::{CloseInfo, Frame, OpenFailure, Phase};
use crate::output::{Action, CloseReason, Event, WaitReason};
use crate::retry::{Cost, Planned};
use crate::time::Timestamp;
use crate::timers::TimerKind;

/// The close code of every orderly end.
const NORMAL: u16 = 1000;
/// The close code of a server that saw no token.
const NO_AUTHORIZATION: u16 = 4400;

/// Where the connection stands.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) enum Link {
    /// Never asked for.
    Idle,
    /// Lost, and not to be replaced until asked.
    Offline,
    /// The `Retry` timer runs.
    Waiting,
    /// An attempt that has no WebSocket token yet.
    Token,
    /// `Action::Open` is under way.
    Opening { conn: ConnId, wsc: bool },
    /// Open; ConnectionDetails are awaited.
    Handshaking { conn: ConnId, wsc: bool },
    /// ConnectionDetails came.
    Ready { conn: ConnId },
    /// `Action::Close` is under way; frames are still read.
    #[cfg_attr(feature = "recorder", serde(skip))]
    Closing { conn: ConnId, then: Then },
    /// `Event::Closed` was told.
    Closed,
}

/// What follows an orderly close.
#[derive(Clone, Debug)]
pub(super) enum Then {
    /// A new connection with the same session (HB-6).
    Renew,
    /// The end.
    End(CloseReason),
}

impl Session {
    pub(super) fn start(&mut self, now: Timestamp) {
        if !self.is_allowed(&self.config.server.clone(), "https", "http") {
            return self.finish(CloseReason::Permanent(Cause::InsecureUri), true, now);
        }
        self.bind();
        self.continue_detached();
        self.state.recovery.lost_at = now;
        self.state.tokens.unpack(self.state.clock, now);
        self.begin_attempt(now);
    }

    /// There is a WebSocket token and nothing live: presents it (TOK-1, REC-1).
    pub(super) fn open(&mut self, now: Timestamp) {
        self.forfeit_if_late(now);
        self.meet_host();
        if self.state.recovery.wsc.is_none() {
            // The server gave no handle: there is nothing to continue with.
            self.session_lost(GapCause::RecoveryFailed(None), None);
        }
        let wsc = if self.state.subs.may_be_active() { self.state.recovery.wsc.clone() } else { None };
        let Some(url) = self.state.tokens.present(wsc.as_ref()) else { return };
        let conn = ConnId(self.state.next_conn);
        self.state.next_conn += 1;
        self.state.requests.blocked = false;
        self.state.link = Link::Opening { conn, wsc: wsc.is_some() };
        self.arm(TimerKind::Handshake, self.step_deadline(self.config.handshake_timeout, now));
        self.out.act(Action::Open { conn, url });
    }

    pub(super) fn opened(&mut self, conn: ConnId) {
        match self.state.link {
            Link::Opening { conn: live, wsc } if live == conn => {
                self.state.tokens.presented();
                self.state.link = Link::Handshaking { conn, wsc };
            }
            _ => self.stats.stale_inputs += 1,
        }
    }

    pub(super) fn open_failed(&mut self, conn: ConnId, failure: OpenFailure, now: Timestamp) {
        let wsc = match self.state.link {
            Link::Opening { conn: live, wsc } if live == conn => wsc,
            _ => {
                self.stats.stale_inputs += 1;
                return;
            }
        };
        let seen = failure.status.is_some() || matches!(failure.phase, Phase::Request | Phase::Response);
        if seen {
            self.state.tokens.presented();
        } else {
            self.state.tokens.keep_unpresented();
        }
        let told = failure.retry_after.map(|wait| wait.min(MAX_RETRY_AFTER));
        let cause = match failure.status {
            Some(429) => Cause::RateLimited { retry_after: told.unwrap_or(self.config.retry.penalty) },
            Some(503) => Cause::Unavailable { retry_after: told },
            Some(status) => Cause::UpgradeRefused { status },
            None => {
                let message = self.words(&failure.message);
                Cause::ConnectFailed { phase: failure.phase, message }
            }
        };
        let floor = if let Cause::RateLimited { retry_after } = cause { Some(retry_after) } else { told };
        let floor = floor.map_or(now, |wait| now.after(wait));
        if wsc && let Some(status) = failure.status {
            self.handle_refused(matches!(status, 429 | 502..=504), now);
        }
        self.attempt_failed(cause, if seen { Cost::Call } else { Cost::Local }, floor, now);
    }

    pub(super) fn handshake_timed_out(&mut self, now: Timestamp) {
        if let Some(conn) = self.live() {
            self.note_in_flight(&Cause::HandshakeTimeout, now);
            self.drop_socket(conn);
            self.attempt_failed(Cause::HandshakeTimeout, Cost::Call, now, now);
        }
    }

    pub(super) fn socket_closed(&mut self, conn: ConnId, close: &CloseInfo, now: Timestamp) {
        if self.live() != Some(conn) {
            self.stats.stale_inputs += 1;
            return;
        }
        let cause = match close.code {
            Some(NO_AUTHORIZATION) => Cause::NoAuthorization,
            Some(1006) | None => Cause::SocketLost,
            code => Cause::ServerClosed { code },
        };
        if matches!(self.state.link, Link::Ready { .. } | Link::Closing { .. }) && cause != Cause::SocketLost {
            self.state.recovery.closed_in_order(now);
        }
        match &self.state.link {
            Link::Opening { wsc, .. } | Link::Handshaking { wsc, .. } => {
                let (wsc, away) = (*wsc, matches!(close.code, Some(1001 | 1012 | 1013)));
                self.note_in_flight(&cause, now);
                if wsc {
                    self.handle_refused(away, now);
                }
                self.state.tokens.presented();
                self.attempt_failed(cause, Cost::Call, now, now);
            }
            Link::Closing { then: Then::End(reason), .. } => {
                let reason = reason.clone();
                self.state.recovery.detached = reason == CloseReason::Detached;
                self.finish(reason, true, now);
            }
            Link::Closing { then: Then::Renew, .. } => {
                self.note_in_flight(&cause, now);
                self.lose(Cause::Renewal, false, now);
            }
            _ => {
                let reason = Some(self.words(&close.reason)).filter(|reason| !reason.is_empty());
                self.lose_for(cause, reason, false, now);
            }
        }
    }

    /// The connection is gone, or is to be forgotten. Plans the next one.
    pub(super) fn lose(&mut self, cause: Cause, forget: bool, now: Timestamp) {
        self.lose_for(cause, None, forget, now);
    }

    /// The same, with what the server or the transport said.
    fn lose_for(&mut self, cause: Cause, said: Option<Box<str>>, forget: bool, now: Timestamp) {
        let Some(conn) = self.live() else { return };
        if let Link::Closing { then: Then::End(reason), .. } = &self.state.link {
            let reason = reason.clone();
            return self.finish(reason, !forget, now);
        }
        if forget {
            self.drop_socket(conn);
        }
        self.note_in_flight(&cause, now);
        self.leave(conn, cause.clone(), said, now);
        let rest = self.connection_judged(&cause, now);
        match self.state.ending {
            Some(mode) => self.finish(reason_of(mode), true, now),
            None if cause == Cause::Renewal => {
                self.state.link = Link::Waiting;
                self.begin_attempt(now);
            }
            None if !self.config.auto_recover => self.state.link = Link::Offline,
            None => {
                let planned = match rest {
                    Some(at) => Planned { at, reason: WaitReason::Contended },
                    None => self.plan(&cause, Cost::None, now, now),
                };
                if !self.state.trial.is_good() {
                    // A connection that was never good is no end of a series of failures (BCK-6).
                    self.state.attempt = self.state.attempt.saturating_add(1);
                }
                self.wait_and_say(planned, now);
            }
        }
    }

    /// Everything that ends with a connection that was ready.
    fn leave(&mut self, conn: ConnId, cause: Cause, reason: Option<Box<str>>, now: Timestamp) {
        for kind in
            [TimerKind::Heartbeat, TimerKind::Liveness, TimerKind::Replay, TimerKind::Renewal, TimerKind::Handshake]
        {
            self.state.timers.stop(kind);
        }
        self.forget_call_timer();
        if self.state.ending.is_none() {
            self.state.timers.stop(TimerKind::Close);
        }
        self.state.link = Link::Waiting;
        self.out.forget(conn);
        self.state.recovery.renewing = false;
        self.state.recovery.lost_at = now;
        self.state.ledger.replay_interrupted(now, &mut self.out);
        self.subs_disconnected();
        self.requests_disconnected(&cause, now);
        self.out.tell(Event::Disconnected { conn, cause, reason });
    }

    pub(super) fn drop_socket(&mut self, conn: ConnId) {
        self.state.tokens.presented();
        self.out.forget(conn);
        self.out.act(Action::Drop { conn });
    }

    /// HB-4: no timer that ran out during the sleep may act before the waiting bytes were read.
    pub(super) fn resumed(&mut self, now: Timestamp) {
        self.state.recovery.sleep_ended(self.state.next_id);
        match self.state.link {
            Link::Ready { .. } => self.probe(now),
            _ => self.network_changed(true, now),
        }
        let wake = now.after(self.config.wake_timeout);
        let mut patient = vec![TimerKind::Handshake, TimerKind::Replay, TimerKind::TokenCall, TimerKind::Authorize];
        // The answer of a call, or the last frames before a renewal; a retry and the end of the session do not wait.
        patient.extend(self.state.subs.is_calling().then_some(TimerKind::Subscribe));
        patient.extend(self.state.ending.is_none().then_some(TimerKind::Close));
        for kind in patient {
            if self.state.timers.get(kind).is_some_and(|at| at < wake) {
                self.arm(kind, wake);
            }
        }
    }

    /// HB-3: messages wait for the application. As after a sleep they are read first, and say nothing about the time in
    /// which they waited.
    pub(super) fn unread(&mut self, conn: ConnId, now: Timestamp) {
        if self.live() != Some(conn) {
            self.stats.stale_inputs += 1;
        } else if self.state.timers.is_due_for_messages(now) {
            self.resumed(now);
            self.frame(conn, Frame::Control, now);
        } else if self.ready().is_some() && now.since(self.state.recovery.last_seen) >= self.config.wake_timeout {
            // The answer to a heartbeat sent now comes behind all that waits (REC-5).
            self.state.recovery.sleep_ended(self.state.next_id);
            self.send_heartbeat();
        }
    }

    /// HB-6: the connection is about to grow too old.
    pub(super) fn renewal_due(&mut self) {
        if self.ready().is_some() && self.state.ending.is_none() {
            self.state.recovery.renewing = true;
        }
    }

    /// Goes on with a renewal: requests first, then the token, then the close.
    pub(super) fn renew(&mut self, now: Timestamp) {
        let Some(conn) = self.ready() else { return };
        if !self.state.recovery.renewing || self.state.subs.is_calling() || self.state.requests.is_awaiting() {
            return;
        }
        if !self.state.tokens.has_ws_token(now) {
            return self.pursue_token(now);
        }
        if self.state.attempts.earliest(now) > now {
            return self.renewal_failed(now.after(self.config.retry.max), now);
        }
        self.start_close(conn, Then::Renew, "renewal", now);
    }

    /// No token for the renewal: it is tried again, and in the end the server closes (`WSG-903`).
    pub(super) fn renewal_failed(&mut self, floor: Timestamp, now: Timestamp) {
        self.state.recovery.renewing = false;
        let spread = self.state.rng.up_to(self.config.retry.max);
        self.arm(TimerKind::Renewal, floor.max(now).after(spread));
    }

    fn start_close(&mut self, conn: ConnId, then: Then, reason: &'static str, now: Timestamp) {
        for kind in [TimerKind::Heartbeat, TimerKind::Liveness, TimerKind::Renewal] {
            self.state.timers.stop(kind);
        }
        self.forget_call_timer();
        if self.state.timers.get(TimerKind::Close).is_none() {
            self.arm(TimerKind::Close, now.after(self.config.close_timeout));
        }
        self.state.link = Link::Closing { conn, then };
        self.out.act(Action::Close { conn, code: NORMAL, reason });
    }

    /// CLS-1.
    pub(super) fn begin_close(&mut self, mode: Close, now: Timestamp) {
        self.state.ending = Some(mode);
        self.arm(TimerKind::Close, now.after(self.config.close_timeout));
        self.state.timers.stop(TimerKind::Renewal);
        self.state.recovery.renewing = false;
        self.end_queued_requests();
        match self.state.link.clone() {
            Link::Ready { conn } if mode == Close::Detach => {
                self.start_close(conn, Then::End(CloseReason::Detached), "detach", now);
            }
            Link::Ready { .. } => {
                self.state.subs.wanted = None;
                self.retry_subscription_now();
                self.out.snapshot_changed();
            }
            Link::Closing { conn, .. } => self.state.link = Link::Closing { conn, then: Then::End(reason_of(mode)) },
            Link::Opening { conn, wsc } | Link::Handshaking { conn, wsc } => {
                self.drop_socket(conn);
                // The server may have begun a replay into the socket that is dropped here.
                self.state.recovery.detached = mode == Close::Detach && !wsc && !self.state.recovery.restored;
                self.finish(reason_of(mode), true, now);
            }
            Link::Idle | Link::Offline | Link::Waiting | Link::Token | Link::Closed => {
                // A restored session that was never connected keeps what its snapshot said.
                self.state.recovery.detached =
                    mode == Close::Detach && (!self.state.recovery.restored || self.state.recovery.detached);
                self.finish(reason_of(mode), true, now);
            }
        }
    }

    /// The subscription is gone: the last step of `close(Revoke)`.
    pub(super) fn close_after_delete(&mut self, now: Timestamp) {
        if let (Some(mode), Some(conn)) = (self.state.ending, self.ready()) {
            self.start_close(conn, Then::End(reason_of(mode)), "closed by the application", now);
        }
    }

    pub(super) fn close_timed_out(&mut self, now: Timestamp) {
        match self.state.ending {
            Some(mode) => self.finish(reason_of(mode), false, now),
            None => {
                self.note_in_flight(&Cause::SocketTimeout, now);
                self.lose(Cause::Renewal, true, now);
            }
        }
    }

    /// The end (CLS-2): every request first, then `Closed`, then nothing. `gone`: there is no socket to drop.
    pub(super) fn finish(&mut self, reason: CloseReason, gone: bool, now: Timestamp) {
        if let Some(conn) = self.live() {
            let told = matches!(self.state.link, Link::Ready { .. } | Link::Closing { .. });
            if !gone {
                self.drop_socket(conn);
            }
            if told {
                // Nothing is planned after the end, so nothing is judged either.
                let cause = if let CloseReason::Permanent(cause) = &reason { cause.clone() } else { Cause::Closed };
                self.leave(conn, cause, None, now);
            }
        }
        self.state.timers = crate::timers::Timers::default();
        self.end_all_requests();
        self.state.tokens.give_up(&mut self.out);
        if reason == CloseReason::Revoked {
            self.state.recovery.wsc = None;
            self.state.subs.forget();
            self.out.snapshot_changed();
        }
        if reason != CloseReason::Detached {
            self.state.ledger.flush_gap(now, &mut self.out);
        } else if self.state.recovery.detached {
            // The last snapshot says that the end was orderly.
            self.out.snapshot_changed();
        }
        self.out.tell_snapshot_change();
        self.out.tell(Event::Closed { reason });
        self.state.link = Link::Closed;
    }
}

/// The reason that `close` gives.
fn reason_of(mode: Close) -> CloseReason {
    match mode {
        Close::Revoke => CloseReason::Revoked,
        Close::Detach => CloseReason::Detached,
    }
}
