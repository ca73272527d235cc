//! What a client may ask of the server, and what must come of its requests.

use std::collections::{BTreeMap, VecDeque};

use ringcentral_ws_core::{RequestId, RequestOutcome};

use super::plan::MINUTE;
use crate::oracle::{Verdict, never_left, violated};

/// A REST request of the application.
#[derive(Clone, Debug)]
struct Asked {
    number: u64,
    repeatable: bool,
}

/// What is counted in the life of one process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Books {
    tokens: VecDeque<u64>,
    /// When each attempt began, as far as can be seen: with its token call, or with the socket if it needs none.
    attempts: VecDeque<u64>,
    /// When the token call was made that no socket followed yet.
    token_call: Option<u64>,
    open: BTreeMap<RequestId, Asked>,
    /// How often each request reached the server.
    reached: BTreeMap<u64, u32>,
    pub(crate) next: u64,
}

impl Books {
    /// TOK-2. A driver that drains late makes a call later than it was decided, by up to `slack`.
    pub(crate) fn token_call(&mut self, now: u64, slack: u64) -> Verdict {
        self.token_call = Some(now);
        rolling(&mut self.tokens, 4, (now, now, slack), "token-budget")
    }

    /// BCK-3: a socket opens. Its attempt is counted from its beginning, which is earlier by what the token took.
    pub(crate) fn attempt(&mut self, now: u64, slack: u64) -> Verdict {
        let began = self.token_call.take().filter(|call| now - call <= MINUTE / 2).unwrap_or(now);
        rolling(&mut self.attempts, 12, (began, now, slack), "attempt-budget")
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

    const S: u64 = 1_000_000;

    // CLAUSE BCK-3
    #[test]
    fn an_attempt_begins_with_its_token_call() {
        // The first waits 40 ms for its token; the thirteenth begins a minute after it, and needs none.
        for (last, fine) in [(60 * S + 12, true), (60 * S, false), (60 * S - 30, false)] {
            let mut books = Books::default();
            books.token_call(0, 0).unwrap();
            for n in 0..12 {
                books.attempt(40_000 + n * S, 0).unwrap();
            }
            assert_eq!(books.attempt(last, 0).is_ok(), fine, "{last}");
        }
    }
}
