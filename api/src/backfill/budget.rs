//! Calls a minute for each rate-limit group, and what the service adds to that.

use std::collections::VecDeque;
use std::time::Duration;

use ringcentral_ws_core::{ClockReading, RateLimit, Timestamp, UnixMillis};
use serde::{Deserialize, Serialize};

/// A minute, and a second for the way: a call may be a little longer on its way than another.
const WINDOW: Duration = Duration::from_secs(61);
/// What is added to the pauses after refusals in a row, at most. Who waited out the first ones is not alone.
const APART: [Duration; 4] =
    [Duration::from_secs(20), Duration::from_secs(60), Duration::from_secs(120), Duration::from_secs(240)];
/// Longest pause that the service is believed.
const LONGEST: Duration = Duration::from_secs(3600);

/// The groups of calls that RingCentral limits by themselves, for each pair of user and app: see "API Rate Limits" of
/// its developer guide (developers.ringcentral.com/guide/basics/rate-limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallGroup {
    /// 50 calls a minute by the guide.
    Light,
    /// 40 calls a minute by the guide.
    Medium,
    /// 10 calls a minute by the guide.
    Heavy,
}

impl CallGroup {
    /// All.
    pub const ALL: [Self; 3] = [Self::Light, Self::Medium, Self::Heavy];

    /// What `X-Rate-Limit-Group` calls it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Medium => "medium",
            Self::Heavy => "heavy",
        }
    }
}

/// At most `limit` calls in any rolling minute, and none before `not_before`.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    limit: usize,
    /// When each call counts no more, in order.
    free_at: VecDeque<Timestamp>,
    not_before: Timestamp,
    /// So many calls in a row were refused because of the rate limit.
    refusals: u32,
}

/// A budget between two processes: by the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredBudget {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    free_at: Vec<UnixMillis>,
    #[serde(default)]
    not_before: UnixMillis,
}

impl Budget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), free_at: VecDeque::new(), not_before: Timestamp::ZERO, refusals: 0 }
    }

    /// The first moment from `now` on at which a call may be made.
    pub(super) fn earliest(&self, now: Timestamp) -> Timestamp {
        let spent = self.free_at.len().checked_sub(self.limit).and_then(|first| self.free_at.get(first));
        spent.copied().unwrap_or(now).max(self.not_before).max(now)
    }

    pub(super) fn take(&mut self, now: Timestamp) {
        self.hold(now, now.after(WINDOW));
    }

    fn hold(&mut self, now: Timestamp, free: Timestamp) {
        let place = self.free_at.partition_point(|at| *at <= free);
        self.free_at.insert(place, free);
        while self.free_at.len() > self.limit || self.free_at.front().is_some_and(|free| *free <= now) {
            self.free_at.pop_front();
        }
    }

    /// The service wants no calls of this group for so long.
    pub(super) fn pause(&mut self, pause: Duration, now: Timestamp) {
        self.not_before = self.not_before.max(now.after(pause.min(LONGEST)));
    }

    /// A call was refused because of the rate limit, and the service wants none for so long. `share` is that of what is
    /// added, in thousandths: two that wait for the same penalty and come just before each other's end would prolong it
    /// for ever.
    pub(super) fn limited(&mut self, pause: Duration, share: u64, now: Timestamp) {
        let most = APART[(self.refusals as usize).min(APART.len() - 1)];
        self.refusals = self.refusals.saturating_add(1);
        self.pause(pause.min(LONGEST).saturating_add(most.mul_f64(share as f64 / 1000.0)), now);
    }

    /// A call was not refused because of the rate limit.
    pub(super) fn has_passed(&mut self) {
        self.refusals = 0;
    }

    /// Another call goes first.
    pub(super) fn hold_until(&mut self, at: Timestamp) {
        self.not_before = self.not_before.max(at);
    }

    /// What an answer says about the limit. It may take calls away, and never gives more than the settings do.
    pub(super) fn believe(&mut self, stated: &RateLimit, now: Timestamp) {
        let Some(remaining) = stated.remaining else { return };
        let window = stated.window.unwrap_or(WINDOW).min(LONGEST);
        let used = self.free_at.iter().filter(|free| **free > now).count();
        let left = self.limit.saturating_sub(used);
        for _ in usize::try_from(remaining).unwrap_or(usize::MAX)..left {
            self.hold(now, now.after(window));
        }
    }

    pub(super) fn stored(&self, clock: ClockReading) -> StoredBudget {
        let later = |at: &&Timestamp| **at > clock.now;
        let free_at = self.free_at.iter().filter(later).map(|at| clock.unix_at(*at)).collect();
        let not_before = Some(&self.not_before).filter(later).map_or(UnixMillis(0), |at| clock.unix_at(*at));
        StoredBudget { free_at, not_before }
    }

    /// What another process used. A time further away than any wait can be comes from a clock that was set back.
    pub(super) fn restore(&mut self, stored: &StoredBudget, clock: ClockReading) {
        let wait = |at: UnixMillis| Duration::from_millis(at.0.saturating_sub(clock.unix.0)).min(LONGEST);
        for free in stored.free_at.iter().take(self.limit).filter(|free| **free > clock.unix) {
            self.hold(clock.now, clock.now.after(wait(*free)));
        }
        if stored.not_before > clock.unix {
            self.pause(wait(stored.not_before), clock.now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    fn clock(s: u64) -> ClockReading {
        ClockReading { now: at(s), unix: UnixMillis(1_000_000 + s * 1000) }
    }

    fn stated(remaining: u64) -> RateLimit {
        RateLimit { group: None, limit: None, remaining: Some(remaining), window: Some(Duration::from_secs(30)) }
    }

    #[test]
    fn a_minute_has_so_many_calls() {
        let mut budget = Budget::new(2);
        budget.take(at(0));
        budget.take(at(10));
        assert_eq!(budget.earliest(at(20)), at(61));
        budget.take(at(61));
        assert_eq!(budget.earliest(at(62)), at(71));
    }

    #[test]
    fn the_service_takes_calls_away_and_asks_for_pauses() {
        let mut budget = Budget::new(3);
        budget.believe(&stated(10), at(0));
        assert_eq!(budget.earliest(at(0)), at(0), "it never gives");
        budget.believe(&stated(0), at(0));
        assert_eq!(budget.earliest(at(0)), at(30));
        budget.pause(Duration::from_secs(50), at(0));
        budget.pause(Duration::from_secs(5), at(1));
        assert_eq!(budget.earliest(at(1)), at(50));
        budget.pause(Duration::MAX, at(0));
        assert_eq!(budget.earliest(at(1)), at(3600));
    }

    #[test]
    fn another_process_goes_on_with_it() {
        let mut budget = Budget::new(2);
        budget.take(at(0));
        budget.take(at(30));
        budget.pause(Duration::from_secs(70), at(0));
        let stored = budget.stored(clock(40));
        let mut next = Budget::new(2);
        next.restore(&stored, ClockReading { now: at(5), unix: clock(50).unix });
        assert_eq!(next.earliest(at(5)), at(25));
        let mut late = Budget::new(2);
        late.restore(&stored, ClockReading { now: at(5), unix: clock(500).unix });
        assert_eq!(late.earliest(at(5)), at(5));
    }
}
