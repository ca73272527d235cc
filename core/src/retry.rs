//! The retry policy of attempts and of the subscription (BCK).
//!
//! What an attempt may cost decides how often there is one. One that fails before anything leaves the machine costs
//! nothing, so it is repeated soon. One that the server may have seen costs a call of the budget (TOK-2), so the calls
//! are spread over the minute. Near the ends of the recovery window an attempt is placed right before them.

mod budget;

use std::time::Duration;

pub(crate) use self::budget::{Budget, MAX_STORED, MINUTE};
use crate::classify::{Cause, EndedBy};
use crate::config::RetryPolicy;
use crate::output::WaitReason;
use crate::rng::Rng;
use crate::time::Timestamp;

/// When the server may end a lost session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first moment at which it can have ended: counted from the last sign of life.
    pub(crate) first: Timestamp,
    /// The last moment at which it can still be open: counted from the loss as it was noticed.
    pub(crate) last: Timestamp,
}

/// What the attempt before cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// There was none: a connection was lost.
    None,
    /// Nothing left the machine.
    Local,
    /// The server may have seen it.
    Call,
}

/// What is known when a retry is planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryContext<'a> {
    pub(crate) policy: &'a RetryPolicy,
    /// Failed attempts and short-lived connections so far.
    pub(crate) attempt: u32,
    pub(crate) cost: Cost,
    /// Whether attempts that cost nothing are still made often: the loss is recent.
    pub(crate) recent: bool,
    pub(crate) window: Option<Window>,
    /// None is allowed before this, and why.
    pub(crate) held: Planned,
    pub(crate) attempts: Option<&'a Budget>,
    /// `None`: the next attempt needs no call.
    pub(crate) calls: Option<&'a Budget>,
}

/// When the next attempt comes, and what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    pub(crate) at: Timestamp,
    pub(crate) reason: WaitReason,
}

impl Planned {
    /// Why nothing is done before.
    pub(crate) fn as_cause(self, now: Timestamp) -> Cause {
        let retry_after = self.at.since(now);
        match self.reason {
            WaitReason::LoginLimit => {
                let seconds = retry_after.as_secs_f64().ceil();
                Cause::LoginLimit { message: format!("the next one is allowed in {seconds} s").into() }
            }
            _ => Cause::RateLimited { retry_after },
        }
    }
}

/// What is waited for beside the penalty after so many 429s in a row and one more. Who waited out the first one and is
/// refused again is not alone: two clients of one user that both wait just as long as the penalty could keep each other in it
/// for hours.
pub(crate) fn apart(before: u8, penalty: Duration, rng: &mut Rng) -> Duration {
    let Some(doublings) = before.checked_sub(1) else { return Duration::ZERO };
    rng.up_to(penalty.saturating_mul(1 << doublings.min(2)))
}

impl RetryContext<'_> {
    /// The earliest moment that the budgets and the server allow.
    pub(crate) fn floor(&self, now: Timestamp) -> Planned {
        let mut floor = Planned { at: now, reason: WaitReason::Backoff };
        if self.held.at > now {
            floor = self.held;
        }
        let budgets = [(self.attempts, WaitReason::AttemptBudget), (self.calls, WaitReason::AuthBudget)];
        for (budget, spent) in budgets {
            let Some(budget) = budget else { continue };
            if let Some(reason) = budget.reason(now, spent).filter(|_| budget.earliest(now) > floor.at) {
                floor = Planned { at: budget.earliest(now), reason };
            }
        }
        floor
    }

    /// The time of the next attempt (BCK-1, BCK-2).
    pub(crate) fn next_attempt(&self, cause: &Cause, rng: &mut Rng, now: Timestamp) -> Planned {
        let mut next = Planned { at: now.after(self.delay(cause, rng, now)), reason: WaitReason::Backoff };
        let floor = self.floor(now);
        if next.at < floor.at {
            // Everyone who waits for the same moment must not leave it together.
            let spread = self.policy.socket_lost / 4 * 3;
            next = Planned { at: floor.at.after(rng.up_to(spread)), reason: floor.reason };
        }
        self.before_the_end(next, floor.at, rng, now)
    }

    fn delay(&self, cause: &Cause, rng: &mut Rng, now: Timestamp) -> Duration {
        let policy = self.policy;
        match self.cost {
            Cost::None if self.attempt == 0 => rng.up_to(first_delay(policy, cause)),
            Cost::Local if self.recent => between(policy.unsent / 5 * 2, policy.unsent, rng),
            Cost::Local => between(policy.unsent_later / 2, policy.unsent_later, rng),
            // The server has named the moment.
            Cost::Call if self.attempt <= 3 && self.held.at > now => Duration::ZERO,
            // The WebSocket token is spent; another one is all that is missing (CON-3).
            Cost::Call if self.attempt <= 2 && spends_token(cause) => rng.up_to(policy.socket_lost / 2),
            Cost::None | Cost::Call => {
                let doubled = policy.base.saturating_mul(1u32.checked_shl(self.attempt).unwrap_or(u32::MAX));
                let delay = around(doubled.min(policy.max), 8, rng);
                if self.attempt < 3 { delay } else { delay.max(self.share_of_minute(rng, now)) }
            }
        }
    }

    /// The delay that spreads the calls left evenly up to the moment when the next one is added.
    fn share_of_minute(&self, rng: &mut Rng, now: Timestamp) -> Duration {
        match self.calls.map(|calls| calls.left(now)) {
            // With none left the budget itself says when.
            None | Some((0, _) | (_, None)) => Duration::ZERO,
            Some((left, Some(added))) => around(added.since(now) / part(left + 1), 25, rng),
        }
    }

    /// Keeps a call for the last stretch before each end of the window, and places an attempt in it.
    fn before_the_end(&self, next: Planned, floor: Timestamp, rng: &mut Rng, now: Timestamp) -> Planned {
        // One try for each: crumbs of what is left of a stretch would cost the whole budget within a moment.
        let ahead: Vec<_> = self.stretches().into_iter().filter(|(start, _)| now <= *start).collect();
        let Some((start, stop)) = ahead.first().copied() else { return next };
        let mut next = next;
        let at_once = self.cost == Cost::Local || self.cost == Cost::None && self.attempt == 0;
        if next.at < start && !at_once && stop.since(now) <= MINUTE {
            next.at = next.at.max(self.sparing(&ahead, rng, now));
        }
        let from = start.max(floor);
        if next.at < start || (from..stop).contains(&next.at) || stop <= from {
            return next;
        }
        Planned { at: from.after(rng.up_to(stop.since(from))), reason: WaitReason::LastChance }
    }

    /// The first moment for a call that leaves one for each stretch ahead: what may be used before is spread evenly.
    fn sparing(&self, ahead: &[(Timestamp, Timestamp)], rng: &mut Rng, now: Timestamp) -> Timestamp {
        let (Some(calls), Some((start, stop))) = (self.calls, ahead.first()) else { return now };
        let spare = |(i, (_, stop)): (usize, &(Timestamp, Timestamp))| {
            calls.limit().saturating_sub(calls.held_at(*stop)).saturating_sub(i + 1)
        };
        match ahead.iter().enumerate().map(spare).min() {
            // Anywhere in the stretch.
            None | Some(0) => *stop,
            Some(spare) => now.after(around(start.since(now) / part(spare + 1), 25, rng)),
        }
    }

    /// The last stretches before the two ends, in order; one if the ends are close together. An eighth is kept for the
    /// attempt itself.
    fn stretches(&self) -> Vec<(Timestamp, Timestamp)> {
        let Some(Window { first, last }) = self.window else { return Vec::new() };
        let length = self.policy.last_chance;
        let stretch = |end: Timestamp| (end.before(length), end.before(length / 8));
        if last.since(first) < length / 4 * 3 {
            return vec![(last.before(length), first.before(length / 8))];
        }
        vec![stretch(first), stretch(last)]
    }

    /// Until when a step of an attempt may hang, so that it does not take the time of the next last try (BCK-2).
    pub(crate) fn attempt_deadline(&self, deadline: Timestamp, now: Timestamp) -> Timestamp {
        let next = self.stretches().into_iter().find(|(start, _)| now < *start);
        // One that has just begun is given some time.
        let least = now.after(self.policy.last_chance / 2);
        next.map_or(deadline, |(start, _)| deadline.min(start.max(least)))
    }
}

fn part(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn between(low: Duration, high: Duration, rng: &mut Rng) -> Duration {
    low + rng.up_to(high.saturating_sub(low))
}

/// This much, give or take the `divisor`-th part of it.
fn around(delay: Duration, divisor: u32, rng: &mut Rng) -> Duration {
    let part = delay / divisor;
    between(delay.saturating_sub(part), delay.saturating_add(part), rng)
}

/// Who asks for a wait after a failure like this.
pub(crate) const fn asked_by(cause: &Cause) -> WaitReason {
    match cause {
        Cause::LoginLimit { .. } => WaitReason::LoginLimit,
        _ => WaitReason::RetryAfter,
    }
}

const fn spends_token(cause: &Cause) -> bool {
    matches!(cause, Cause::UpgradeRefused { status: 401 | 403 } | Cause::NoAuthorization)
}

fn first_delay(policy: &RetryPolicy, cause: &Cause) -> Duration {
    match cause.ended_by() {
        EndedBy::Server | EndedBy::Service => policy.server_closed,
        EndedBy::Client | EndedBy::Silence | EndedBy::Transport | EndedBy::Other => policy.socket_lost,
    }
}

#[cfg(test)]
mod tests;
