//! What a client may ask of the server, and what must come of its requests.

use std::collections::{BTreeMap, VecDeque};

use ringcentral_ws_core::{RequestId, RequestOutcome};

use super::plan::MINUTE;
use crate::oracle::{Verdict, violated};

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
    opens: VecDeque<u64>,
    open: BTreeMap<RequestId, Asked>,
    /// How often each request reached the server.
    reached: BTreeMap<u64, u32>,
    pub(crate) next: u64,
}

impl Books {
    /// TOK-2. A driver that drains late makes a call later than it was decided, by up to `slack`.
    pub(crate) fn token_call(&mut self, now: u64, slack: u64) -> Verdict {
        rolling(&mut self.tokens, 4, (now, slack), "token-budget")
    }

    /// BCK-3.
    pub(crate) fn attempt(&mut self, now: u64, slack: u64) -> Verdict {
        rolling(&mut self.opens, 12, (now, slack), "attempt-budget")
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
        let never_left = matches!(
            outcome,
            RequestOutcome::NotSent(_)
                | RequestOutcome::TimedOut { sent: false }
                | RequestOutcome::Cancelled { sent: false }
        );
        let reached = self.reached.remove(&asked.number).unwrap_or(0);
        if never_left && reached > 0 && !asked.repeatable {
            return violated("request-honest", format!("request {id} is said never to have left, but arrived"));
        }
        if matches!(outcome, RequestOutcome::Response { .. }) && reached == 0 {
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
fn rolling(times: &mut VecDeque<u64>, limit: usize, (now, slack): (u64, u64), check: &'static str) -> Verdict {
    times.push_back(now);
    if times.len() > limit {
        let oldest = times.pop_front().unwrap_or(0);
        if now - oldest + slack <= MINUTE {
            return violated(check, format!("{} in {} ms", limit + 1, (now - oldest) / 1000));
        }
    }
    Ok(())
}
