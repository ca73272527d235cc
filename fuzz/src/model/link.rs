//! The connection: TOK, CON, REC-1, HB, BCK, CLS.

use super::{BAD_FRAMES, Model, Out, Phase, RECOVERY_WINDOW, SECOND, Time, Timer};
use crate::model::In;

impl Model {
    pub(super) fn attempt_now(&mut self) {
        self.timers.remove(&Timer::Retry);
        self.pursue_token();
    }

    pub(super) fn pursue_token(&mut self) {
        if self.token.as_ref().is_some_and(|(_, until)| self.now < *until) {
            self.open();
        } else if self.logged_in {
            self.phase = Phase::Fetching;
            self.asked = self.now;
            self.put(Out::TokenCall);
            self.arm_patiently(Timer::TokenCall, 30 * SECOND);
        } else {
            self.phase = Phase::Login;
            self.put(Out::Login);
            self.arm_patiently(Timer::Login, 30 * SECOND);
        }
    }

    /// The end of the recovery window, if there is something to recover.
    fn window_end(&self) -> Option<Time> {
        (self.wsc.is_some() && self.subs.may_be_active()).then_some(self.last_seen + RECOVERY_WINDOW)
    }

    /// One step that hangs must not take the time of the last try (BCK-2).
    fn arm_patiently(&mut self, timer: Timer, after: Time) {
        let after = match self.window_end() {
            Some(end) if self.now + 8 * SECOND < end => after.min(end - 4 * SECOND - self.now),
            _ => after,
        };
        self.arm(timer, after);
    }

    /// TOK-1, REC-1.
    pub(super) fn open(&mut self) {
        if self.window_end().is_some_and(|end| self.now >= end) {
            self.session_lost("window_passed");
        }
        if self.wsc.is_none() {
            self.session_lost("recovery_failed");
        }
        let wsc = if self.subs.may_be_active() { self.wsc.clone() } else { None };
        let Some(token) = self.token.take() else { return };
        self.phase = Phase::Opening(wsc.is_some());
        self.arm_patiently(Timer::Handshake, 15 * SECOND);
        self.put(Out::Open { token: token.0.clone(), wsc });
        self.carried = Some(token);
    }

    pub(super) fn opened(&mut self) {
        if let Phase::Opening(wsc) = self.phase {
            self.carried = None;
            self.phase = Phase::Handshaking(wsc);
        }
    }

    pub(super) fn open_failed(&mut self, seen: bool) {
        let kept = self.carried.take();
        if !seen {
            self.token = kept;
        }
        self.failed(2 * SECOND);
    }

    /// The attempt came to nothing. The first delay depends on the cause, and grows.
    pub(super) fn failed(&mut self, first: Time) {
        self.timers.remove(&Timer::Handshake);
        self.attempt += 1;
        let grown = ((2 * SECOND) << self.attempt.min(16)).min(20 * SECOND);
        self.phase = Phase::Waiting;
        self.leave_to_chance(Timer::Retry, first.max(grown));
        self.put(Out::Retry(self.attempt));
    }

    pub(super) fn drop_socket(&mut self) {
        self.carried = None;
        self.forget_sends();
        self.put(Out::Drop);
    }

    /// What was not sent when the connection went never will be. Heartbeats are numbered as they are seen to leave.
    fn forget_sends(&mut self) {
        self.heartbeats -= self.out.iter().filter(|out| matches!(out, Out::Heartbeat)).count() as u64;
        self.out.retain(|out| {
            !matches!(
                out,
                Out::Heartbeat
                    | Out::Post
                    | Out::Resubscribe
                    | Out::Put(_)
                    | Out::Delete(_)
                    | Out::Request(_)
                    | Out::Close
            )
        });
    }

    pub(super) fn gone(&mut self) {
        match self.phase {
            Phase::Opening(_) | Phase::Handshaking(_) => {
                self.carried = None;
                self.failed(2 * SECOND);
            }
            Phase::Closing => self.finish(true),
            Phase::Ready => self.lose(false),
            _ => {}
        }
    }

    /// A connection that was ready is lost.
    pub(super) fn lose(&mut self, forget: bool) {
        if forget {
            self.drop_socket();
        }
        if self.ending.is_some() {
            return self.finish(true);
        }
        self.leave();
        self.leave_to_chance(Timer::Retry, if self.attempt == 0 { 2 * SECOND } else { 20 * SECOND });
    }

    fn leave(&mut self) {
        for timer in [Timer::Heartbeat, Timer::Liveness, Timer::Replay, Timer::Handshake] {
            self.timers.remove(&timer);
        }
        self.forget_call_timer();
        self.phase = Phase::Waiting;
        self.forget_sends();
        self.replay_is_cut("replay_interrupted");
        self.subs_are_disconnected();
        self.requests_are_lost();
        self.put(Out::Disconnected);
    }

    /// Any frame is life (HB-2); the server's idle timer sees only what is sent (HB-1).
    pub(super) fn sign_of_life(&mut self) {
        match self.phase {
            Phase::Ready => {
                self.last_seen = self.now;
                self.timers.remove(&Timer::Liveness);
                self.plan_heartbeat();
            }
            Phase::Closing => self.last_seen = self.now,
            _ => {}
        }
    }

    fn plan_heartbeat(&mut self) {
        if self.last_sent + 900 * SECOND <= self.now {
            self.heartbeat();
        }
        let at = (self.now + 30 * SECOND).min(self.last_sent + 900 * SECOND);
        self.timers.insert(Timer::Heartbeat, at);
    }

    pub(super) fn heartbeat(&mut self) {
        self.heartbeats += 1;
        self.last_sent = self.now;
        self.put(Out::Heartbeat);
    }

    pub(super) fn frame(&mut self, frame: In) {
        if let Phase::Handshaking(wsc) = self.phase {
            return self.handshake(wsc, frame);
        }
        if !matches!(self.phase, Phase::Ready | Phase::Closing) {
            return;
        }
        if frame == In::Garbage {
            return self.garbage();
        }
        self.bad = 0;
        match frame {
            In::Notification(n, subscription) => self.notification(n, subscription.as_deref()),
            In::Echo(number) => self.echo(number),
            In::Answer(answer) => self.answer(answer),
            In::Reply(request) => self.reply(request),
            In::Idle => {
                self.put(Out::Bad);
                self.lose(true);
            }
            _ => {}
        }
    }

    fn handshake(&mut self, wsc: bool, frame: In) {
        if frame == In::Garbage {
            return self.garbage();
        }
        self.bad = 0;
        match frame {
            In::Details(state, handle) => self.connected(wsc, state, handle),
            In::Malformed if wsc => {
                self.session_lost("recovery_failed");
                self.drop_socket();
                self.attempt += 1;
                self.timers.remove(&Timer::Handshake);
                self.put(Out::Retry(self.attempt));
                self.attempt_now();
            }
            In::Malformed | In::Idle => {
                self.drop_socket();
                self.failed(2 * SECOND);
            }
            In::Notification(..) => {
                self.put(Out::Bad);
                if self.subs.may_be_active() {
                    self.lost("unreadable_frame");
                }
            }
            _ => {}
        }
    }

    /// FRM-1: it may have been a notification.
    fn garbage(&mut self) {
        self.bad += 1;
        self.put(Out::Bad);
        if self.subs.may_be_active() || self.subs.is_holding() {
            self.unreadable();
            self.fill_replay(true);
            if self.subs.is_active() && self.phase == Phase::Ready && self.replay.is_none() {
                self.tell_gap();
            }
        }
        if self.bad >= BAD_FRAMES {
            self.bad = 0;
            if let Phase::Handshaking(_) = self.phase {
                self.drop_socket();
                self.failed(2 * SECOND);
            } else {
                self.lose(true);
            }
        }
    }

    fn connected(&mut self, wsc: bool, state: Option<bool>, handle: Option<String>) {
        let continued = wsc && state == Some(true);
        let lost = if wsc { !continued } else { std::mem::take(&mut self.was_lost) };
        if wsc && lost {
            self.session_lost("recovery_failed");
            self.was_lost = false;
        }
        // What was held and not presented belongs to another session.
        self.wsc = handle.or(self.wsc.take().filter(|_| wsc));
        (self.last_seen, self.last_sent) = (self.now, self.now);
        (self.phase, self.attempt, self.bad, self.fence) = (Phase::Ready, 0, 0, None);
        self.timers.remove(&Timer::Handshake);
        self.plan_heartbeat();
        self.put(Out::Connected(match (continued, lost) {
            (true, _) => "recovered",
            (_, true) => "lost",
            _ => "fresh",
        }));
        if lost {
            self.put(Out::RecoveryFailed);
        } else if !continued && self.subs.leave_behind() {
            self.lost("subscription_lost");
        }
        if continued {
            self.put(Out::Recovered);
            if self.subs.is_active() {
                self.start_replay();
                self.heartbeat();
                self.fence = Some(self.heartbeats);
                self.arm(Timer::Replay, 10 * SECOND);
            }
        }
        self.step();
    }

    /// The server no longer has the session.
    fn session_lost(&mut self, cause: &'static str) {
        self.wsc = None;
        if self.subs.may_be_active() {
            self.was_lost = true;
            self.subs.are_lost();
            self.lost(cause);
        }
    }

    /// CLS-1.
    pub(super) fn close(&mut self, revoke: bool) {
        self.ending = Some(revoke);
        self.arm(Timer::Close, 5 * SECOND);
        match self.phase {
            Phase::Ready if !revoke => self.start_close(),
            Phase::Ready => self.revoke(),
            Phase::Opening(_) | Phase::Handshaking(_) => {
                self.drop_socket();
                self.finish(true);
            }
            _ => self.finish(true),
        }
    }

    pub(super) fn start_close(&mut self) {
        self.timers.remove(&Timer::Heartbeat);
        self.timers.remove(&Timer::Liveness);
        self.forget_call_timer();
        self.phase = Phase::Closing;
        self.put(Out::Close);
    }

    pub(super) fn close_is_late(&mut self) {
        self.finish(false);
    }

    /// CLS-2: `gone`: there is no socket to drop.
    pub(super) fn finish(&mut self, gone: bool) {
        let Some(revoke) = self.ending else { return };
        let fetching = self.phase == Phase::Fetching;
        if matches!(self.phase, Phase::Ready | Phase::Closing) {
            if !gone {
                self.drop_socket();
            }
            self.leave();
        }
        self.timers.clear();
        self.chance.clear();
        if fetching {
            self.put(Out::Abort);
        }
        if revoke {
            self.tell_gap();
        }
        self.phase = Phase::Closed;
        self.put(Out::Closed(if revoke { "revoked" } else { "detached" }));
    }
}
