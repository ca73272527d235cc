//! The rate limit of the `Auth` group, with the trap that calls during the penalty prolong it.

use std::collections::VecDeque;

/// What the limiter says to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Go on; so many calls remain in the window.
    Pass { remaining: u32 },
    /// Over the limit: the penalty starts now.
    Exceeded,
    /// Called during a penalty, which thereby starts anew.
    Trapped,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Limiter {
    calls: VecDeque<u64>,
    penalty_until: u64,
}

impl Limiter {
    pub(crate) fn call(&mut self, limit: u32, window: u64, penalty: u64, now: u64) -> Verdict {
        if now < self.penalty_until {
            self.penalty_until = now.saturating_add(penalty);
            return Verdict::Trapped;
        }
        while self.calls.front().is_some_and(|at| at.saturating_add(window) <= now) {
            self.calls.pop_front();
        }
        let used = u32::try_from(self.calls.len()).unwrap_or(u32::MAX);
        if used >= limit {
            self.calls.clear();
            self.penalty_until = now.saturating_add(penalty);
            return Verdict::Exceeded;
        }
        self.calls.push_back(now);
        Verdict::Pass { remaining: limit - used - 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000;

    fn call(limiter: &mut Limiter, at: u64) -> Verdict {
        limiter.call(5, 60 * S, 60 * S, at)
    }

    #[test]
    fn the_sixth_call_in_the_window_is_refused() {
        let mut limiter = Limiter::default();
        for n in 0..5 {
            assert_eq!(call(&mut limiter, n), Verdict::Pass { remaining: 4 - n as u32 });
        }
        assert_eq!(call(&mut limiter, 5), Verdict::Exceeded);
    }

    #[test]
    fn a_call_leaves_the_window_after_exactly_sixty_seconds() {
        let mut limiter = Limiter::default();
        for _ in 0..5 {
            call(&mut limiter, 0);
        }
        let mut early = limiter.clone();
        assert_eq!(call(&mut early, 60 * S - 1), Verdict::Exceeded);
        assert_eq!(call(&mut limiter, 60 * S), Verdict::Pass { remaining: 4 });
    }

    #[test]
    fn calls_during_the_penalty_restart_it() {
        let mut limiter = Limiter::default();
        for _ in 0..6 {
            call(&mut limiter, 0);
        }
        assert_eq!(call(&mut limiter, 60 * S - 1), Verdict::Trapped);
        assert_eq!(call(&mut limiter, 120 * S - 2), Verdict::Trapped);
        assert_eq!(call(&mut limiter, 180 * S - 2), Verdict::Pass { remaining: 4 });
    }
}
