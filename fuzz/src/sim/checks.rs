//! What a client may ask of the server, and what must come of its requests.

use std::collections::{BTreeMap, VecDeque};

use ringcentral_ws_core::{AuthId, HttpId, RequestId, RequestOutcome, Timestamp};

use super::plan::{MINUTE, S};
use crate::oracle::{Verdict, never_left, violated};

/// A REST request of the application.
#[derive(Clone, Debug)]
struct Asked {
    number: u64,
    repeatable: bool,
}

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
pub(crate) struct ProcessChecks {
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
    open: BTreeMap<RequestId, Asked>,
    /// How often each request reached the server.
    reached: BTreeMap<u64, u32>,
    pub(crate) next: u64,
}

impl ProcessChecks {
    /// TOK-2. A driver that drains late makes a call later than it was decided, by up to `slack`.
    pub(crate) fn auth_call(&mut self, call: AuthCall, now: u64, slack: u64) -> Verdict {
        if let AuthCall::Token(_) = call {
            self.token_call = Some(now);
            self.announced = None;
        }
        self.auth.push_back((now, call));
        let counts = |(at, call): &(u64, AuthCall)| {
            let rounded = if *call == AuthCall::Before { ROUNDED } else { 0 };
            now - at + slack + rounded <= MINUTE
        };
        self.auth.retain(counts);
        if self.auth.len() > AUTH_CALLS {
            let first = self.auth.front().map_or(now, |(at, _)| *at);
            return violated("token-budget", format!("{} in {} ms", self.auth.len(), (now - first) / 1000));
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

    pub(crate) fn accepted(&mut self, id: RequestId, number: u64, repeatable: bool) -> Verdict {
        match self.open.insert(id, Asked { number, repeatable }) {
            None => Ok(()),
            Some(_) => violated("request-ends", format!("request {id} was accepted twice")),
        }
    }

    /// The server got the request and did not send it back for want of authorization.
    pub(crate) fn reached(&mut self, number: u64) -> Verdict {
        let count = self.reached.entry(number).or_default();
        *count += 1;
        let repeatable = self.open.values().find(|asked| asked.number == number).is_none_or(|asked| asked.repeatable);
        if *count > 1 && !repeatable {
            return violated("request-twice", format!("request number {number} reached the server twice"));
        }
        Ok(())
    }

    pub(crate) fn ended(&mut self, id: RequestId, outcome: &RequestOutcome) -> Verdict {
        let Some(asked) = self.open.remove(&id) else {
            return violated("request-ends", format!("request {id} ended, but was not open"));
        };
        let reached = self.reached.remove(&asked.number).unwrap_or(0);
        if never_left(outcome) && reached > 0 && !asked.repeatable {
            return violated("request-honest", format!("request {id} is said never to have left, but arrived"));
        }
        // What was sent back for want of authorization, and once more after a new login, did not count as arrived.
        let answered = |response: &http::Response<_>| response.status() != http::StatusCode::UNAUTHORIZED;
        if matches!(outcome, RequestOutcome::Response { response, .. } if answered(response)) && reached == 0 {
            return violated("request-honest", format!("request {id} has an answer, but never arrived"));
        }
        Ok(())
    }

    pub(crate) fn any_open(&self) -> Option<RequestId> {
        self.open.keys().next().copied()
    }

    /// Every request must have ended.
    pub(crate) fn finish(&self) -> Verdict {
        match self.any_open() {
            None => Ok(()),
            Some(id) => violated("request-ends", format!("request {id} never ended")),
        }
    }

    /// The process is gone, and what it asked for with it.
    pub(crate) fn new_life(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
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
            let mut checks = ProcessChecks::default();
            checks.auth_call(AuthCall::Before, 0, 0).unwrap();
            checks.token_call = Some(0);
            for n in 0..30 {
                checks.attempt(40_000 + n * S, 0).unwrap();
            }
            assert_eq!(checks.attempt(last, 0).is_ok(), fine, "{last}");
        }
    }

    // CLAUSE TOK-2
    #[test]
    fn what_may_have_arrived_counts_across_a_restart() {
        let mut checks = ProcessChecks::default();
        checks.carried(&[0, S, 2 * S]);
        checks.auth_call(AuthCall::Before, 3 * S, 0).unwrap();
        checks.auth_call(AuthCall::Before, 4 * S, 0).unwrap();
        assert!(checks.clone().auth_call(AuthCall::Before, 59 * S, 0).is_err());
        assert!(checks.auth_call(AuthCall::Before, 60 * S, 0).is_ok());
    }

    // CLAUSE REC-8
    #[test]
    fn a_wait_of_more_than_two_seconds_is_announced() {
        let at = Timestamp::from_secs;
        let mut checks = ProcessChecks::default();
        assert!(checks.waits(at(12), at(10)).is_ok() && checks.waits(at(13), at(10)).is_err());
        checks.announced(at(13));
        assert!(checks.waits(at(13), at(10)).is_ok() && checks.waits(at(14), at(10)).is_err());
        checks.opens();
        assert!(checks.waits(at(13), at(10)).is_err());
    }
}
