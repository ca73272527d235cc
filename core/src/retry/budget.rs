//! Uses in any rolling minute, and what a server adds to that (TOK-2, BCK-3).

use std::collections::VecDeque;
use std::time::Duration;

use crate::classify::{MAX_RETRY_AFTER, RateLimit};
use crate::output::WaitReason;
use crate::retry::Planned;
use crate::time::Timestamp;

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// Most uses that are kept, whatever the limit.
const MAX_KEPT: usize = 10_000;
/// Most uses that a snapshot keeps.
pub(crate) const MAX_STORED: usize = 64;

/// At most `limit` uses in any rolling 60 s, and none before `not_before`.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Budget {
    limit: usize,
    /// When each use counts no more, in order.
    free_at: VecDeque<Timestamp>,
    /// No use is allowed before this: a server asked for it (TOK-3), or the program's own limit on logins (TOK-9).
    not_before: Timestamp,
    /// Which of the two it was.
    #[cfg_attr(feature = "recorder", serde(default = "asked_by_server"))]
    held_by: WaitReason,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            free_at: VecDeque::new(),
            not_before: Timestamp::ZERO,
            held_by: WaitReason::RetryAfter,
        }
    }

    /// Only what a server asks for counts: no use is taken from it.
    pub(crate) const fn without_limit() -> Self {
        let free_at = VecDeque::new();
        Self { limit: MAX_KEPT, free_at, not_before: Timestamp::ZERO, held_by: WaitReason::RetryAfter }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// The first moment from `now` at which a use is allowed.
    pub(crate) fn earliest(&self, now: Timestamp) -> Timestamp {
        self.spent_until(now).unwrap_or(now).max(self.not_before)
    }

    /// What decides about [`earliest`](Self::earliest), if it is later than `now`.
    pub(crate) fn reason(&self, now: Timestamp, spent: WaitReason) -> Option<WaitReason> {
        match self.spent_until(now) {
            Some(at) if at >= self.not_before => Some(spent),
            _ => (self.not_before > now).then_some(self.held_by),
        }
    }

    /// When the oldest use is free again, if it is in the way of another.
    fn spent_until(&self, now: Timestamp) -> Option<Timestamp> {
        let first = self.free_at.len().checked_sub(self.limit)?;
        self.free_at.get(first).copied().filter(|at| *at > now)
    }

    /// How many uses are left now, and when the next one is added.
    pub(crate) fn left(&self, now: Timestamp) -> (usize, Option<Timestamp>) {
        let first = self.free_at.partition_point(|free| *free <= now);
        (self.limit.saturating_sub(self.free_at.len() - first), self.free_at.get(first).copied())
    }

    /// How many of the uses so far count still at `at`.
    pub(crate) fn held_at(&self, at: Timestamp) -> usize {
        self.free_at.len() - self.free_at.partition_point(|free| *free <= at)
    }

    pub(crate) fn take(&mut self, now: Timestamp) {
        self.hold(now, released(now));
    }

    fn hold(&mut self, now: Timestamp, free: Timestamp) {
        let place = self.free_at.partition_point(|at| *at <= free);
        self.free_at.insert(place, free);
        // What is older than the minute counts no more, so a limit without end is no memory without end.
        while self.free_at.len() > self.limit.min(MAX_KEPT) || self.free_at.front().is_some_and(|free| *free <= now) {
            self.free_at.pop_front();
        }
    }

    /// The use of that moment never left the machine: nobody counts it.
    pub(crate) fn give_back(&mut self, at: Timestamp) {
        if let Ok(i) = self.free_at.binary_search(&released(at)) {
            self.free_at.remove(i);
        }
    }

    /// The server allows none before `at`.
    pub(crate) fn penalty(&mut self, at: Timestamp) {
        if at > self.not_before {
            self.hold_until(Planned { at, reason: WaitReason::RetryAfter });
        }
    }

    /// The last refusal allows no use before `at`. It replaces what an earlier one said.
    pub(crate) const fn hold_until(&mut self, hold: Planned) {
        self.not_before = hold.at;
        self.held_by = hold.reason;
    }

    pub(crate) const fn held(&self) -> Planned {
        Planned { at: self.not_before, reason: self.held_by }
    }

    /// What an answer says about the limit. It may take uses away, and never gives more than the settings do.
    pub(crate) fn believe(&mut self, stated: &RateLimit, now: Timestamp) {
        let auth = stated.group.as_deref().is_none_or(|group| group.eq_ignore_ascii_case("auth"));
        let Some(remaining) = stated.remaining.filter(|_| auth) else { return };
        let remaining = usize::try_from(remaining).unwrap_or(usize::MAX);
        let window = stated.window.unwrap_or(MINUTE).min(MAX_RETRY_AFTER);
        let (left, _) = self.left(now);
        // Others use the same limit: what they took counts like uses of this moment.
        for _ in remaining..left.min(MAX_KEPT) {
            self.hold(now, now.after(window));
        }
    }

    /// What counts still: when each use is free again, oldest first, and the end of a penalty.
    pub(crate) fn stored(&self, now: Timestamp) -> (impl Iterator<Item = Timestamp> + '_, Option<Timestamp>) {
        let count = self.held_at(now).min(MAX_STORED);
        let newest = self.free_at.range(self.free_at.len() - count..).copied();
        (newest, Some(self.not_before).filter(|at| *at > now))
    }

    /// What another process used.
    pub(crate) fn restore(
        &mut self,
        free_at: impl IntoIterator<Item = Timestamp>,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) {
        for free in free_at.into_iter().filter(|free| *free > now) {
            self.hold(now, free);
        }
        self.not_before = not_before.unwrap_or(self.not_before);
    }
}

#[cfg(feature = "recorder")]
const fn asked_by_server() -> WaitReason {
    WaitReason::RetryAfter
}

/// A use exactly 60 s old still shares a closed 60 s window, so one microsecond more.
fn released(used: Timestamp) -> Timestamp {
    used.after(MINUTE).after(Duration::from_micros(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    fn just_after(s: u64) -> Timestamp {
        at(s).after(Duration::from_micros(1))
    }

    // CLAUSE TOK-2
    #[test]
    fn budget_allows_the_limit_in_any_rolling_minute() {
        let mut b = Budget::new(4);
        for s in [0, 10, 20, 30] {
            assert_eq!(b.earliest(at(s)), at(s));
            b.take(at(s));
        }
        assert_eq!(b.earliest(at(31)), just_after(60));
        assert_eq!(b.reason(at(31), WaitReason::AuthBudget), Some(WaitReason::AuthBudget));
        assert_eq!(b.earliest(at(61)), at(61));
        assert_eq!(b.reason(at(61), WaitReason::AuthBudget), None);
        assert_eq!(b.left(at(31)), (0, Some(just_after(60))));
        assert_eq!(b.left(at(61)), (1, Some(just_after(70))));
    }

    // CLAUSE TOK-2
    #[test]
    fn what_never_left_is_given_back() {
        let mut b = Budget::new(2);
        b.take(at(0));
        b.take(at(1));
        b.give_back(at(1));
        assert_eq!(b.earliest(at(1)), at(1));
        b.give_back(at(1));
        assert_eq!(b.left(at(1)).0, 1, "only once");
    }

    // CLAUSE TOK-2
    #[test]
    fn the_servers_word_about_its_limit_is_believed() {
        let stated = |remaining, group: Option<&str>| RateLimit {
            group: group.map(Into::into),
            limit: Some(5),
            remaining: Some(remaining),
            window: Some(Duration::from_secs(30)),
        };
        let mut b = Budget::new(5);
        b.take(at(0));
        b.believe(&stated(1, None), at(1));
        assert_eq!(b.left(at(1)).0, 1);
        b.believe(&stated(4, Some("auth")), at(1));
        assert_eq!(b.left(at(1)).0, 1, "it takes, and never gives");
        b.believe(&stated(0, Some("heavy")), at(1));
        assert_eq!(b.earliest(at(1)), at(1), "another group");
        b.believe(&stated(0, Some("auth")), at(1));
        assert_eq!(b.earliest(at(1)), at(31), "its window is the server's");
    }

    // CLAUSE TOK-3
    #[test]
    fn a_penalty_is_no_use() {
        let mut b = Budget::new(5);
        b.penalty(at(31));
        b.penalty(at(9));
        assert_eq!((b.earliest(at(1)), b.left(at(1)).0), (at(31), 5));
        assert_eq!(b.reason(at(1), WaitReason::AuthBudget), Some(WaitReason::RetryAfter));
    }

    // CLAUSE TOK-2
    #[test]
    fn what_another_process_used_counts_as_long_as_there() {
        let mut b = Budget::new(3);
        b.restore([at(100), at(110), at(140)], Some(at(105)), at(100));
        assert_eq!(b.left(at(100)), (1, Some(at(110))));
        assert_eq!(b.earliest(at(100)), at(105));
        let stored = |now| {
            let (free_at, not_before) = b.stored(now);
            (free_at.collect::<Vec<_>>(), not_before)
        };
        assert_eq!(stored(at(100)), (vec![at(110), at(140)], Some(at(105))));
        assert_eq!(stored(at(200)), (vec![], None));
    }

    #[test]
    fn a_budget_without_end_is_no_memory_without_end() {
        let mut b = Budget::new(usize::MAX);
        (0..1_000).for_each(|s| b.take(at(s)));
        assert_eq!(b.free_at.len(), 61, "those of the last minute, both ends included");
        let mut b = Budget::new(4);
        (0..6).for_each(|s| b.take(at(s)));
        assert_eq!(b.free_at.len(), 4);
    }

    // CLAUSE TOK-2 TOK-3
    #[test]
    fn the_later_of_budget_and_penalty_is_the_reason() {
        for (penalty, reason) in [(59, WaitReason::AuthBudget), (61, WaitReason::RetryAfter)] {
            let mut b = Budget::new(1);
            b.take(at(0));
            b.penalty(at(penalty));
            assert_eq!(b.reason(at(1), WaitReason::AuthBudget), Some(reason));
        }
    }
}
