//! The connection: TOK, CON, REC-1, HB, BCK, CLS.

use super::{BAD_FRAMES, Cost, In, Loss, Model, Out, Phase, SECOND, Timer, Trial};

impl Model {
    pub(super) fn attempt_now(&mut self) {
        self.timers.remove(&Timer::Retry);
        self.pursue_token();
    }

    pub(super) fn pursue_token(&mut self) {
        if self.token.as_ref().is_some_and(|(_, until)| self.now < *until) {
            self.open();
        } else if self.access.is_held() {
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

    /// TOK-1, REC-1.
    pub(super) fn open(&mut self) {
        self.forfeit_if_late();
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

    pub(super) fn open_failed(&mut self, status: Option<u16>) {
        let Phase::Opening(wsc) = self.phase else { return };
        let kept = self.carried.take();
        let Some(status) = status else {
            self.token = kept;
            return self.failed(Cost::Local);
        };
        if wsc {
            self.handle_refused(matches!(status, 429 | 502 | 503 | 504));
        }
        self.failed(if matches!(status, 401 | 403) { Cost::Spent } else { Cost::Call });
    }

    /// The attempt came to nothing.
    pub(super) fn failed(&mut self, cost: Cost) {
        self.timers.remove(&Timer::Handshake);
        self.attempt += 1;
        self.phase = Phase::Waiting;
        let choice = self.after_failure(cost);
        self.leave_to_chance(Timer::Retry, choice);
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

    pub(super) fn gone(&mut self, code: Option<u16>) {
        let loss = code.map_or(Loss::Silent, Loss::Closed);
        match self.phase {
            Phase::Opening(wsc) | Phase::Handshaking(wsc) => {
                self.carried = None;
                if wsc {
                    self.handle_refused(matches!(code, Some(1001 | 1012 | 1013)));
                }
                self.failed(if code == Some(4400) { Cost::Spent } else { Cost::Call });
            }
            Phase::Closing => self.finish(true),
            Phase::Ready => {
                if code.is_some() {
                    self.closed_at = Some(self.now);
                }
                self.lose(loss, false);
            }
            _ => {}
        }
    }

    /// A connection that was ready is lost.
    pub(super) fn lose(&mut self, loss: Loss, forget: bool) {
        if forget {
            self.drop_socket();
        }
        if self.phase == Phase::Closing {
            return self.finish(true);
        }
        self.note_in_flight(loss);
        self.leave();
        let rests = self.judge(loss);
        if self.ending.is_some() {
            return self.finish(true);
        }
        let choice = if rests { self.rest() } else { self.after_loss(loss) };
        self.leave_to_chance(Timer::Retry, choice);
        if !self.trial.echoed {
            self.attempt += 1;
        }
    }

    fn leave(&mut self) {
        for timer in [Timer::Heartbeat, Timer::Liveness, Timer::Replay, Timer::Handshake] {
            self.timers.remove(&timer);
        }
        self.forget_call_timer();
        self.phase = Phase::Waiting;
        self.lost_at = self.now;
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
                self.seen();
                self.timers.remove(&Timer::Liveness);
                self.plan_heartbeat();
            }
            Phase::Closing => self.seen(),
            _ => {}
        }
    }

    fn seen(&mut self) {
        self.last_seen = self.now;
        self.closed_at = None;
    }

    /// HB-1, and one within 30 s of ConnectionDetails, so that an echo shows that the connection is good (BCK-6).
    fn plan_heartbeat(&mut self) {
        let first = self.trial.since + 30 * SECOND;
        if self.last_sent + 900 * SECOND <= self.now || !self.trial.asked && first <= self.now {
            self.heartbeat();
        }
        let mut at = (self.now + 30 * SECOND).min(self.last_sent + 900 * SECOND);
        if !self.trial.asked {
            at = at.min(first);
        }
        self.timers.insert(Timer::Heartbeat, at);
    }

    pub(super) fn heartbeat(&mut self) {
        self.heartbeats += 1;
        self.last_sent = self.now;
        self.trial.asked = true;
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
            In::Echo(number) => {
                if !self.trial.echoed {
                    self.is_good();
                }
                self.echo(number);
            }
            In::Answer(answer) => self.answer(answer),
            In::Reply(request) => self.reply(request),
            In::Idle => {
                self.put(Out::Bad);
                self.lose(Loss::Own, true);
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
            In::Malformed | In::Idle => self.give_up_handshake(wsc),
            In::Notification(..) => {
                self.put(Out::Bad);
                if self.subs.may_be_owed(wsc) {
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
        let fresh = self.phase == Phase::Handshaking(false);
        if self.subs.may_be_owed(!fresh) || self.subs.is_holding() {
            self.unreadable();
            self.fill_replay(true);
            if self.subs.is_active() && self.phase == Phase::Ready && self.replay.is_none() {
                self.emit_gap();
            }
        }
        if self.bad >= BAD_FRAMES {
            self.bad = 0;
            if let Phase::Handshaking(wsc) = self.phase {
                self.give_up_handshake(wsc);
            } else {
                self.lose(Loss::Own, true);
            }
        }
    }

    fn give_up_handshake(&mut self, wsc: bool) {
        self.drop_socket();
        if wsc {
            self.handle_refused(false);
        }
        self.failed(Cost::Call);
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
        self.seen();
        self.last_sent = self.now;
        self.trial = Trial { since: self.now, handle: wsc, ..Trial::default() };
        (self.phase, self.bad, self.fence) = (Phase::Ready, 0, None);
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
            self.came_back();
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
    pub(super) fn session_lost(&mut self, cause: &'static str) {
        self.wsc = None;
        self.repeats.session_is_gone();
        if self.subs.may_be_active() {
            self.was_lost = true;
            self.subs.are_lost();
            self.lost(cause);
        } else {
            self.subs.leave_behind();
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
        if matches!(self.phase, Phase::Ready | Phase::Closing) {
            if !gone {
                self.drop_socket();
            }
            self.leave();
        }
        self.end(if revoke { "revoked" } else { "detached" });
    }

    pub(super) fn end(&mut self, reason: &'static str) {
        self.timers.clear();
        self.chance.clear();
        if self.phase == Phase::Fetching {
            self.put(Out::Abort);
        }
        if reason != "detached" {
            self.emit_gap();
        }
        self.phase = Phase::Closed;
        self.put(Out::Closed(reason));
    }
}
