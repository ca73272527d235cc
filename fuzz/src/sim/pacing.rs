//! How often a client may try, and what it must say of its tries and waits.

use std::collections::VecDeque;

use ringcentral_ws_core::{AuthId, HttpId, Timestamp};

use crate::oracle::{Verdict, violated};
use crate::time::{MINUTE, S};

/// Calls of the rate-limit group Auth in any 60 s (TOK-2).
const AUTH_CALLS: usize = 5;
/// Attempts in any 60 s (BCK-3).
const ATTEMPTS: usize = 30;
/// What rounding to milliseconds may cost when times are written down and read.
const ROUNDED: u64 = 2_000;
/// Longer waits are announced (REC-8).
const SILENT_WAIT: u64 = 2 * S;

/// A call of the rate-limit group Auth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthCall {
    /// For a WebSocket token.
    Token(HttpId),
    /// Of the credential source.
    Login(AuthId),
    /// Of a process before this one.
    Before,
}

/// What is counted in the life of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pacing {
    /// Calls that may have reached the server.
    auth: VecDeque<(u64, AuthCall)>,
    /// When each attempt began, as far as can be seen: with its token call, or with the socket if it needs none.
    attempts: VecDeque<u64>,
    /// When the token call was made that no socket followed yet.
    token_call: Option<u64>,
    /// Until when the session said that it waits, by the clock of the process.
    announced: Option<Timestamp>,
    /// Failed attempts and connections without an echo since the last echo.
    failures: u32,
}

impl Pacing {
    /// TOK-2. A driver that drains late makes a call later than it was decided, by up to `slack`; one that slept meanwhile
    /// perhaps at `decided`, for all that can be seen, and counts for the calls after it from then on.
    pub(crate) fn auth_call(&mut self, call: AuthCall, (decided, now): (u64, u64), slack: u64) -> Verdict {
        if let AuthCall::Token(_) = call {
            self.token_call = Some(now);
        }
        self.auth.push_back((now, call));
        let counts = |(at, call): &(u64, AuthCall)| {
            let rounded = if *call == AuthCall::Before { ROUNDED } else { 0 };
            now.saturating_sub(*at) + slack + rounded <= MINUTE
        };
        self.auth.retain(counts);
        if self.auth.len() > AUTH_CALLS {
            let first = self.auth.front().map_or(now, |(at, _)| *at);
            return violated("token-budget", format!("{} in {} ms", self.auth.len(), (now - first) / 1000));
        }
        if let Some((at, _)) = self.auth.back_mut() {
            *at = decided;
        }
        Ok(())
    }

    /// It never reached the server.
    pub(crate) fn never_left(&mut self, call: AuthCall) {
        self.auth.retain(|(_, other)| *other != call);
    }

    /// What another process must know of.
    pub(crate) fn auth_calls(&self) -> Vec<u64> {
        self.auth.iter().map(|(at, _)| *at).collect()
    }

    /// The process goes on from a snapshot that was taken after these calls.
    pub(crate) fn carried(&mut self, calls: &[u64]) {
        self.auth = calls.iter().map(|at| (*at, AuthCall::Before)).collect();
    }

    /// BCK-3: a socket opens. Its attempt is counted from its beginning, which is earlier by what the token took.
    pub(crate) fn attempt(&mut self, now: u64, slack: u64) -> Verdict {
        let began = self.token_call.take().filter(|call| now - call <= MINUTE / 2).unwrap_or(now);
        rolling(&mut self.attempts, ATTEMPTS, (began, now, slack), "attempt-budget")
    }

    /// A socket opens: what was announced is over.
    pub(crate) fn opens(&mut self) {
        self.announced = None;
    }

    /// The session says until when it waits.
    pub(crate) fn announced(&mut self, at: Timestamp) {
        self.announced = Some(at);
    }

    /// REC-8: it waits for its next attempt, and `now` is the time of its process.
    pub(crate) fn waits(&self, at: Timestamp, now: Timestamp) -> Verdict {
        let silent = at.as_micros().saturating_sub(now.as_micros()) > SILENT_WAIT;
        if silent && self.announced.is_none_or(|announced| announced < at) {
            let what = format!("it waits until {at:?}, and the last it said was {:?}", self.announced);
            return violated("silent-wait", what);
        }
        Ok(())
    }

    /// A heartbeat was answered.
    pub(crate) fn echoed(&mut self) {
        self.failures = 0;
    }

    /// A connection ended on which none was.
    pub(crate) fn short_lived(&mut self) {
        self.failures += 1;
    }

    /// BCK-6: it says that an attempt failed, and which it was.
    pub(crate) fn failed(&mut self, attempt: u32) -> Verdict {
        self.failures += 1;
        if self.failures == attempt {
            return Ok(());
        }
        violated("attempt-number", format!("it says that {attempt} failed, and there were {}", self.failures))
    }
}

/// At most `limit` in any 60 s.
/// One more that began then and shows now. It is too many if even now is less than a minute after the oldest began.
fn rolling(
    times: &mut VecDeque<u64>,
    limit: usize,
    (began, now, slack): (u64, u64, u64),
    check: &'static str,
) -> Verdict {
    times.push_back(began);
    if times.len() > limit {
        let oldest = times.pop_front().unwrap_or(0);
        if now - oldest + slack <= MINUTE {
            return violated(check, format!("{} in {} ms", limit + 1, (now - oldest) / 1000));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE BCK-3
    #[test]
    fn an_attempt_begins_with_its_token_call() {
        // The first waits 40 ms for its token; the 31st begins a minute after it, and needs none.
        for (last, fine) in [(60 * S + 12, true), (60 * S, false), (60 * S - 30, false)] {
            let mut pacing = Pacing::default();
            pacing.auth_call(AuthCall::Before, (0, 0), 0).unwrap();
            pacing.token_call = Some(0);
            for n in 0..30 {
                pacing.attempt(40_000 + n * S, 0).unwrap();
            }
            assert_eq!(pacing.attempt(last, 0).is_ok(), fine, "{last}");
        }
    }

    // CLAUSE TOK-2
    #[test]
    fn what_may_have_arrived_counts_across_a_restart() {
        let mut pacing = Pacing::default();
        pacing.carried(&[0, S, 2 * S]);
        pacing.auth_call(AuthCall::Before, (3 * S, 3 * S), 0).unwrap();
        pacing.auth_call(AuthCall::Before, (4 * S, 4 * S), 0).unwrap();
        assert!(pacing.clone().auth_call(AuthCall::Before, (59 * S, 59 * S), 0).is_err());
        assert!(pacing.auth_call(AuthCall::Before, (60 * S, 60 * S), 0).is_ok());
    }

    // CLAUSE TOK-2
    #[test]
    fn a_call_of_a_process_that_slept_counts_from_before_for_the_calls_after_it() {
        let mut pacing = Pacing::default();
        for n in 0..5 {
            pacing.auth_call(AuthCall::Before, (n * S, n * S), 0).unwrap();
        }
        assert!(pacing.clone().auth_call(AuthCall::Before, (5 * S, 5 * S), 0).is_err());
        pacing.auth_call(AuthCall::Before, (5 * S, 90 * S), 0).unwrap();
        for n in 91..96 {
            pacing.auth_call(AuthCall::Before, (n * S, n * S), 0).unwrap();
        }
        assert!(pacing.auth_call(AuthCall::Before, (96 * S, 96 * S), 0).is_err());
    }

    // CLAUSE REC-8
    #[test]
    fn a_wait_of_more_than_two_seconds_is_announced() {
        let at = Timestamp::from_secs;
        let mut pacing = Pacing::default();
        assert!(pacing.waits(at(12), at(10)).is_ok() && pacing.waits(at(13), at(10)).is_err());
        pacing.announced(at(13));
        assert!(pacing.waits(at(13), at(10)).is_ok() && pacing.waits(at(14), at(10)).is_err());
        pacing.opens();
        assert!(pacing.waits(at(13), at(10)).is_err());
    }
}
