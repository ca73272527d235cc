//! Attempts to connect: when the next one comes, and what it waits for (BCK, REC-7, REC-8).

use std::time::Duration;

use crate::classify::Cause;
use crate::output::{Event, WaitReason};
use crate::retry::{Budget, Cost, Planned, RetryContext, asked_by};
use crate::session::Session;
use crate::session::connection::ConnectionState;
use crate::time::Timestamp;
use crate::timers::TimerKind;

/// Longer waits are events (REC-8).
pub(crate) const SILENT_WAIT: Duration = Duration::from_secs(2);

/// Attempts so far.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Attempts {
    /// Failed attempts and short-lived connections since the last good connection.
    attempt: u32,
    /// The last refusal may allow none before a moment.
    budget: Budget,
}

impl Attempts {
    pub(crate) fn new(per_minute: usize) -> Self {
        Self { attempt: 0, budget: Budget::new(per_minute) }
    }

    /// How many failed since the last good connection.
    pub(crate) const fn failed(&self) -> u32 {
        self.attempt
    }

    /// An attempt failed, or a connection that was never good ended: that is no end of a series of failures (BCK-6).
    pub(crate) const fn count_failure(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
    }

    /// The connection is good (BCK-6).
    pub(crate) const fn forget_failures(&mut self) {
        self.attempt = 0;
    }

    /// The first moment from `now` at which one is allowed.
    pub(crate) fn earliest(&self, now: Timestamp) -> Timestamp {
        self.budget.earliest(now)
    }
}

impl Session {
    /// One attempt, if the budget has one; else as soon as it has.
    pub(crate) fn begin_attempt(&mut self, now: Timestamp) {
        let at = self.state.attempts.earliest(now);
        if at > now {
            return self.wait_and_say(Planned { at, reason: WaitReason::AttemptBudget }, now);
        }
        self.state.attempts.budget.take(now);
        self.stats.attempts += 1;
        self.state.timers.stop(TimerKind::Retry);
        self.state.connection = ConnectionState::Attempting;
    }

    fn wait(&mut self, planned: Planned) {
        self.state.connection = ConnectionState::Waiting { reason: planned.reason };
        self.arm(TimerKind::Retry, planned.at);
    }

    /// Waits, and says so if it takes long (REC-8).
    pub(crate) fn wait_and_say(&mut self, planned: Planned, now: Timestamp) {
        let Planned { at, reason } = planned;
        let delay = at.since(now);
        if delay > SILENT_WAIT {
            self.out.emit(Event::Waiting { reason, at, delay });
        }
        self.wait(planned);
    }

    /// An attempt came to nothing; another follows (REC-8).
    pub(crate) fn attempt_failed(&mut self, cause: Cause, cost: Cost, floor: Timestamp, now: Timestamp) {
        let planned = self.retry_at(&cause, cost, floor, now);
        self.announce_retry(cause, planned, now);
    }

    fn retry_at(&mut self, cause: &Cause, cost: Cost, floor: Timestamp, now: Timestamp) -> Planned {
        self.state.timers.stop(TimerKind::Handshake);
        self.state.attempts.count_failure();
        self.state.attempts.budget.hold_until(Planned { at: floor, reason: asked_by(cause) });
        if *cause == Cause::MalformedWsc {
            self.context(cost, now).floor(now)
        } else {
            self.plan(cause, cost, floor, now)
        }
    }

    /// The next attempt comes at a moment that its failure decides.
    pub(crate) fn attempt_failed_until(&mut self, cause: Cause, planned: Planned, now: Timestamp) {
        self.state.timers.stop(TimerKind::Handshake);
        self.state.attempts.count_failure();
        let floor = self.context(Cost::Call, now).floor(now);
        self.announce_retry(cause, if floor.at > planned.at { floor } else { planned }, now);
    }

    fn announce_retry(&mut self, cause: Cause, planned: Planned, now: Timestamp) {
        let Planned { at, reason } = planned;
        self.out.emit(Event::Retry { attempt: self.state.attempts.failed(), cause, at, delay: at.since(now), reason });
        if at > now {
            self.wait(planned);
        } else {
            self.begin_attempt(now);
        }
    }

    /// What decides about the next attempt.
    fn context(&self, cost: Cost, now: Timestamp) -> RetryContext<'_> {
        RetryContext {
            policy: &self.config.retry,
            attempt: self.state.attempts.failed(),
            cost,
            recent: now < self.state.recovery.lost_at.after(self.recovery_window()),
            window: self.window(),
            held: self.state.attempts.budget.held(),
            attempts: Some(&self.state.attempts.budget),
            calls: (!self.state.tokens.has_ws_token(now)).then(|| self.state.tokens.calls()),
        }
    }

    /// How long a step of an attempt may take. One that hangs must not take the time of the last try (BCK-2).
    pub(crate) fn attempt_deadline(&self, timeout: Duration, now: Timestamp) -> Timestamp {
        let deadline = now.after(timeout);
        if self.state.connection.was_ready() {
            return deadline;
        }
        self.context(Cost::Call, now).attempt_deadline(deadline, now)
    }

    pub(crate) fn plan(&mut self, cause: &Cause, cost: Cost, floor: Timestamp, now: Timestamp) -> Planned {
        self.state.attempts.budget.hold_until(Planned { at: floor, reason: asked_by(cause) });
        self.plan_as_of(self.state.attempts.failed(), cause, cost, now)
    }

    /// As if so many attempts had failed.
    fn plan_as_of(&mut self, attempt: u32, cause: &Cause, cost: Cost, now: Timestamp) -> Planned {
        // It is drawn from while the rest of the session is looked at.
        let mut rng = self.state.rng.clone();
        let planned = RetryContext { attempt, ..self.context(cost, now) }.next_attempt(cause, &mut rng, now);
        self.state.rng = rng;
        planned
    }

    /// REC-7.
    pub(crate) fn recover_now(&mut self, now: Timestamp) {
        match self.state.connection {
            ConnectionState::Idle => self.start(now),
            ConnectionState::Offline | ConnectionState::Waiting { .. } => {
                let floor = self.context(Cost::None, now).floor(now);
                if floor.at > now {
                    self.wait_and_say(floor, now);
                } else {
                    self.begin_attempt(now);
                }
            }
            ConnectionState::Attempting
            | ConnectionState::Opening { .. }
            | ConnectionState::Handshaking { .. }
            | ConnectionState::Ready { .. }
            | ConnectionState::Renewing { .. }
            | ConnectionState::Closing { .. }
            | ConnectionState::Closed => {}
        }
    }

    /// BCK-4: a network is there again, or the machine woke up.
    pub(crate) fn network_changed(&mut self, online: bool, now: Timestamp) {
        if !online {
            return;
        }
        match self.state.connection {
            ConnectionState::Waiting { reason } if reason != WaitReason::Contended => {
                // As after a loss: what failed before says nothing about this network.
                let planned = self.plan_as_of(0, &Cause::SocketLost, Cost::None, now);
                if self.state.timers.get(TimerKind::Retry).is_none_or(|at| planned.at < at) {
                    self.wait(planned);
                }
            }
            ConnectionState::Ready { .. } | ConnectionState::Renewing { .. } => {
                // A probe under way is answered or not: news of the network do not put its deadline off (HB-3).
                let wake = now.after(self.config.wake_timeout);
                if self.state.timers.get(TimerKind::Liveness).is_none_or(|at| at > wake) {
                    self.probe(now);
                }
            }
            ConnectionState::Idle
            | ConnectionState::Offline
            | ConnectionState::Waiting { .. }
            | ConnectionState::Attempting
            | ConnectionState::Opening { .. }
            | ConnectionState::Handshaking { .. }
            | ConnectionState::Closing { .. }
            | ConnectionState::Closed => {}
        }
    }
}
