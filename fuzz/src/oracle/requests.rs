//! The application's REST requests: each ends once, with an outcome that is right.

use std::collections::BTreeMap;

use http::StatusCode;
use ringcentral_ws_core::{RequestId, RequestOutcome};

use super::{Verdict, violated};

/// A request that has not ended.
#[derive(Clone, Debug)]
struct Open {
    number: u64,
    /// It may run more than once.
    repeatable: bool,
    /// How often it may have run.
    runs: u32,
}

/// The requests of one process. The application numbers them; the server sees the numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(BTreeMap<RequestId, Open>);

impl Requests {
    pub(crate) fn accepted(&mut self, id: RequestId, number: u64, repeatable: bool) -> Verdict {
        match self.0.insert(id, Open { number, repeatable, runs: 0 }) {
            None => Ok(()),
            Some(_) => violated("request-ends", format!("request {id} was accepted twice")),
        }
    }

    fn numbered(&mut self, number: u64) -> Option<&mut Open> {
        self.0.values_mut().find(|open| open.number == number)
    }

    /// It left or arrived in a way in which it may run.
    pub(crate) fn may_run(&mut self, number: u64) -> Verdict {
        let Some(open) = self.numbered(number) else { return Ok(()) };
        open.runs += 1;
        if open.runs > 1 && !open.repeatable {
            return violated("request-twice", format!("request number {number} may run twice"));
        }
        Ok(())
    }

    /// It is known that it did not run that time.
    pub(crate) fn did_not_run(&mut self, number: u64) {
        if let Some(open) = self.numbered(number) {
            open.runs -= 1;
        }
    }

    pub(crate) fn ended(&mut self, id: RequestId, outcome: &RequestOutcome) -> Verdict {
        let Some(Open { runs, .. }) = self.0.remove(&id) else {
            return violated("request-ends", format!("request {id} ended, but was not open"));
        };
        if never_left(outcome) && runs > 0 {
            return violated("request-honest", format!("request {id} is said never to have left, but it did"));
        }
        // One that is refused for want of authorization does not run.
        let answered = |response: &http::Response<_>| response.status() != StatusCode::UNAUTHORIZED;
        if matches!(outcome, RequestOutcome::Response { response, .. } if answered(response)) && runs == 0 {
            return violated("request-honest", format!("request {id} has an answer, but never arrived"));
        }
        Ok(())
    }

    pub(crate) fn any_open(&self) -> Option<RequestId> {
        self.0.keys().next().copied()
    }

    /// Every request must have ended.
    pub(crate) fn finish(&self) -> Verdict {
        match self.any_open() {
            None => Ok(()),
            Some(id) => violated("request-ends", format!("request {id} never ended")),
        }
    }

    /// The process is gone, and with it what it was asked.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Whether a request is said not to have left.
const fn never_left(outcome: &RequestOutcome) -> bool {
    matches!(
        outcome,
        RequestOutcome::NotSent(_)
            | RequestOutcome::TimedOut { sent: false }
            | RequestOutcome::Cancelled { sent: false }
    )
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::Cause;

    use super::*;

    fn not_sent() -> RequestOutcome {
        RequestOutcome::NotSent(Cause::Closed)
    }

    /// One request, number 7, that may have run so many times; one of them is taken back if `back`.
    fn asked(repeatable: bool, runs: usize, back: bool) -> (Requests, Verdict) {
        let (mut requests, mut verdict) = (Requests::default(), Ok(()));
        requests.accepted(1.into(), 7, repeatable).unwrap();
        for _ in 0..runs {
            verdict = verdict.and(requests.may_run(7));
        }
        if back {
            requests.did_not_run(7);
        }
        (requests, verdict)
    }

    #[test]
    fn only_what_is_repeatable_may_run_twice() {
        assert!(asked(false, 1, false).1.is_ok() && asked(true, 2, false).1.is_ok());
        assert_eq!(asked(false, 2, false).1.unwrap_err().check, "request-twice");
    }

    #[test]
    fn what_may_have_run_did_leave() {
        assert!(asked(true, 0, false).0.ended(1.into(), &not_sent()).is_ok());
        assert!(asked(true, 1, true).0.ended(1.into(), &not_sent()).is_ok());
        for repeatable in [false, true] {
            let verdict = asked(repeatable, 1, false).0.ended(1.into(), &not_sent());
            assert_eq!(verdict.unwrap_err().check, "request-honest");
        }
    }

    #[test]
    fn each_ends_once() {
        let (mut requests, _) = asked(false, 0, false);
        assert_eq!(requests.accepted(1.into(), 8, false).unwrap_err().check, "request-ends");
        assert_eq!(requests.finish().unwrap_err().check, "request-ends");
        requests.ended(1.into(), &not_sent()).unwrap();
        assert!(requests.finish().is_ok());
        assert_eq!(requests.ended(1.into(), &not_sent()).unwrap_err().check, "request-ends");
    }
}
