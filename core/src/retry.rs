//! The one retry policy and the budgets nothing bypasses (BCK, TOK-2).

use std::collections::VecDeque;
use std::time::Duration;

use crate::classify::Cause;
use crate::config::RetryPolicy;
use crate::rng::Rng;
use crate::time::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);

/// At most `limit` uses in any rolling 60 s.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Budget {
    limit: usize,
    used: VecDeque<Timestamp>,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), used: VecDeque::new() }
    }

    /// The first moment from `now` at which a use leaves `reserve` more in the same 60 s.
    pub(crate) fn earliest(&self, now: Timestamp, reserve: usize) -> Timestamp {
        let allowed = self.limit.saturating_sub(reserve).max(1);
        match self.used.len().checked_sub(allowed) {
            // A use exactly 60 s old still shares a closed 60 s window, so one microsecond more.
            Some(i) => self.used[i].after(MINUTE).after(Duration::from_micros(1)).max(now),
            None => now,
        }
    }

    pub(crate) fn take(&mut self, now: Timestamp) {
        self.used.push_back(now);
        // What is older than the window counts no more, so a limit without end is no memory without end.
        while self.used.len() > self.limit || self.used.front().is_some_and(|used| used.after(MINUTE) < now) {
            self.used.pop_front();
        }
    }
}

/// What is known when a retry is planned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outlook {
    /// Failed attempts so far.
    pub(crate) attempt: u32,
    /// End of the recovery window, if a session is at stake.
    pub(crate) window_end: Option<Timestamp>,
    /// No earlier than this (budgets, `Retry-After`).
    pub(crate) floor: Timestamp,
    /// The same for a try that may use the reserved call.
    pub(crate) reserved_floor: Timestamp,
}

/// The time of the next attempt (BCK-1, BCK-2).
pub(crate) fn next_attempt(
    policy: &RetryPolicy,
    cause: &Cause,
    o: Outlook,
    rng: &mut Rng,
    now: Timestamp,
) -> Timestamp {
    let spread = first_delay(policy, cause).max(backoff(policy, o.attempt));
    let spread = if o.attempt == 0 { first_delay(policy, cause) } else { spread };
    let mut at = now.after(rng.up_to(spread));
    if at < o.floor {
        // Everyone who waits for the same floor must not leave it together.
        at = o.floor.after(rng.up_to(spread.max(Duration::from_secs(1))));
    }
    match o.window_end {
        Some(end) => last_chance(policy, o, end, at, rng, now),
        None => at,
    }
}

/// Moves a try that would miss the end of the recovery window into its last stretch.
fn last_chance(
    policy: &RetryPolicy,
    o: Outlook,
    end: Timestamp,
    at: Timestamp,
    rng: &mut Rng,
    now: Timestamp,
) -> Timestamp {
    // An eighth of the stretch is kept for the attempt itself.
    let stretch = policy.last_chance;
    let start = end.before(stretch).max(o.reserved_floor).max(now);
    let stop = end.before(stretch / 8);
    let in_time = at < end.before(stretch) || (start..stop).contains(&at);
    // Each such try takes a part of what is left: the crumbs would cost the whole budget within a moment.
    if in_time || stop <= start || stop.since(start) < stretch / 32 {
        return at;
    }
    start.after(rng.up_to(stop.since(start)))
}

fn backoff(policy: &RetryPolicy, attempt: u32) -> Duration {
    policy.base.saturating_mul(1u32.checked_shl(attempt.min(16)).unwrap_or(u32::MAX)).min(policy.max)
}

fn first_delay(policy: &RetryPolicy, cause: &Cause) -> Duration {
    match cause {
        Cause::ServerClosed { .. } | Cause::Unavailable { .. } | Cause::RateLimited { .. } => policy.server_closed,
        _ => policy.socket_lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    // CLAUSE TOK-2
    #[test]
    fn budget_allows_the_limit_in_any_rolling_minute() {
        let mut b = Budget::new(4);
        for s in [0, 10, 20, 30] {
            assert_eq!(b.earliest(at(s), 0), at(s));
            b.take(at(s));
        }
        assert_eq!(b.earliest(at(31), 0), at(60).after(Duration::from_micros(1)));
        assert_eq!(b.earliest(at(61), 0), at(61));
        // CLAUSE BCK-3
        assert_eq!(b.earliest(at(61), 1), at(70).after(Duration::from_micros(1)));
    }

    #[test]
    fn a_budget_without_end_is_no_memory_without_end() {
        let mut b = Budget::new(usize::MAX);
        (0..1_000).for_each(|s| b.take(at(s)));
        assert_eq!(b.used.len(), 61, "those of the last minute, both ends included");
        let mut b = Budget::new(4);
        (0..6).for_each(|s| b.take(at(s)));
        assert_eq!(b.used.len(), 4);
    }

    // CLAUSE BCK-1
    #[test]
    fn the_first_delay_depends_on_the_cause_and_grows() {
        let (p, mut rng) = (RetryPolicy::default(), Rng::new(1));
        let o = Outlook { attempt: 0, window_end: None, floor: at(0), reserved_floor: at(0) };
        let mut worst = |cause: &Cause, attempt| {
            (0..2000).map(|_| next_attempt(&p, cause, Outlook { attempt, ..o }, &mut rng, at(0))).max().unwrap()
        };
        let (lost, closed) = (Cause::SocketLost, Cause::ServerClosed { code: None });
        assert!((1_950..=2_000).contains(&(worst(&lost, 0).as_micros() / 1000)));
        assert!((4_900..=5_000).contains(&(worst(&closed, 0).as_micros() / 1000)));
        assert!((7_800..=8_000).contains(&(worst(&lost, 2).as_micros() / 1000)));
        assert!((19_500..=20_000).contains(&(worst(&lost, 9).as_micros() / 1000)));
    }

    // CLAUSE BCK-2
    #[test]
    fn a_try_falls_into_the_last_stretch_of_the_window() {
        let (p, mut rng) = (RetryPolicy::default(), Rng::new(2));
        for _ in 0..2000 {
            let o = Outlook { attempt: 9, window_end: Some(at(180)), floor: at(168), reserved_floor: at(160) };
            let next = next_attempt(&p, &Cause::SocketLost, o, &mut rng, at(165));
            assert!(next >= at(168) && next <= at(179), "{next}");
        }
    }

    // CLAUSE BCK-2 BCK-3
    #[test]
    fn the_last_stretch_does_not_eat_the_attempts() {
        let p = RetryPolicy::default();
        for seed in 0..2000 {
            let (mut rng, mut now) = (Rng::new(seed), at(171));
            let mut crumbs = 0;
            while now < at(179) {
                crumbs += usize::from(now > at(179).before(Duration::from_millis(250)));
                let o = Outlook { attempt: 9, window_end: Some(at(180)), floor: now, reserved_floor: now };
                now = next_attempt(&p, &Cause::SocketLost, o, &mut rng, now);
            }
            // The one that ends there, and what the ordinary jitter rarely adds.
            assert!(crumbs <= 4, "{crumbs}");
        }
    }
}
