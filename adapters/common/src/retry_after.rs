//! Calls of the application that wait out a refusal of the server, and a network that is away.

use std::time::Duration;

use http::{Method, StatusCode};
use ringcentral_ws_core::{ApiError, is_read};

use crate::request::RequestError;
use crate::response::Response;

/// How often one call is made at most.
const MOST_CALLS: u32 = 5;
/// The pause after a 503 that names none. After a 429 it is a minute ([TOK-3](ringcentral_ws_core::protocol#tok-3)).
const UNAVAILABLE: Duration = Duration::from_secs(5);
const LIMITED: Duration = Duration::from_secs(60);
/// The pauses, in seconds, after a call that was not sent: 52 s together.
const NOT_SENT: [u64; MOST_CALLS as usize - 1] = [2, 5, 15, 30];

/// How long a call may wait out 429 (too many requests), 503 (not available), and a network that is away, for
/// `Client::retry_after`.
///
/// The wait is what the server's `Retry-After` says; without it, or with less than a second, a minute after 429, and 5 s after
/// 503. A call that was not sent for a cause that may pass ([`RequestError::is_retryable`]), such as a host that cannot be
/// reached, is made again after 2, 5, 15 and 30 s. A call is made at most five times. If the next wait would go beyond the
/// limit, the answer or the error is returned at once, so a wait that cannot succeed is not begun. Each of these calls has
/// the deadline of the request for itself.
///
/// After an answer only GET, HEAD and OPTIONS wait, unless [`writes_too`](Self::writes_too) is set. What was not sent can be
/// sent again with every method. A call that may have run is never repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter {
    limit: Duration,
    writes: bool,
}

impl RetryAfter {
    /// Waits no longer than this, all waits of a call together.
    #[must_use]
    pub const fn up_to(limit: Duration) -> Self {
        Self { limit, writes: false }
    }

    /// Waits out 429 also with POST, PUT, PATCH and DELETE: the server counts calls before it carries them out, so one
    /// that was too many did not run. A 503 is not waited out for these, because it says nothing of the kind.
    #[must_use]
    pub const fn writes_too(self) -> Self {
        Self { writes: true, ..self }
    }

    /// The pause after the last of so many calls, which waited so long together; `None`: its answer is final.
    fn pause(&self, method: &Method, answer: &Response, calls: u32, waited: Duration) -> Option<Duration> {
        let is_read = is_read(method);
        let otherwise = match answer.status() {
            StatusCode::TOO_MANY_REQUESTS if is_read || self.writes => LIMITED,
            StatusCode::SERVICE_UNAVAILABLE if is_read => UNAVAILABLE,
            _ => return None,
        };
        let pause = ApiError::from_response(answer).and_then(|error| error.retry_after).unwrap_or(otherwise);
        self.fits(pause, calls, waited)
    }

    /// The same of a call that has no answer.
    fn pause_unsent(&self, error: &RequestError, calls: u32, waited: Duration) -> Option<Duration> {
        let pause = error.is_retryable().then_some(calls.checked_sub(1)?)?;
        self.fits(Duration::from_secs(*NOT_SENT.get(pause as usize)?), calls, waited)
    }

    fn fits(&self, pause: Duration, calls: u32, waited: Duration) -> Option<Duration> {
        (calls < MOST_CALLS && pause <= self.limit.saturating_sub(waited)).then_some(pause)
    }
}

/// How often one call was made, and how long it waited.
#[doc(hidden)]
#[derive(Debug)]
pub struct Tries {
    rule: RetryAfter,
    calls: u32,
    waited: Duration,
}

impl Tries {
    /// Of a call that was not made yet.
    #[must_use]
    pub const fn new(rule: RetryAfter) -> Self {
        Self { rule, calls: 0, waited: Duration::ZERO }
    }

    /// The call was made, and ended so: the pause before it is made again. `None`: this is final.
    pub fn ended(&mut self, method: &Method, how: &Result<Response, RequestError>) -> Option<Duration> {
        self.calls += 1;
        let pause = match how {
            Ok(answer) => self.rule.pause(method, answer, self.calls, self.waited),
            Err(error) => self.rule.pause_unsent(error, self.calls, self.waited),
        }?;
        self.waited += pause;
        Some(pause)
    }
}

impl From<Duration> for RetryAfter {
    fn from(limit: Duration) -> Self {
        Self::up_to(limit)
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::{Body, Cause, Via};

    use super::*;
    use crate::request::RequestErrorKind;

    fn answer(status: u16, after: Option<&str>) -> Response {
        let mut answer = http::Response::builder().status(status);
        if let Some(after) = after {
            answer = answer.header("Retry-After", after);
        }
        Response::new(answer.body(Body::empty()).unwrap(), Via::Https)
    }

    #[test]
    fn what_is_waited_out_and_how_long() {
        let second = Duration::from_secs(1);
        let reads = RetryAfter::up_to(60 * second);
        let writes = reads.writes_too();
        for (rule, method, status, after, pause) in [
            (reads, Method::GET, 429, Some("7"), Some(7)),
            (reads, Method::GET, 429, Some("60"), Some(60)),
            (reads, Method::GET, 429, Some("61"), None),
            (reads, Method::GET, 429, None, Some(60)),
            (reads, Method::HEAD, 503, None, Some(5)),
            (reads, Method::GET, 503, Some("0"), Some(5)),
            (reads, Method::GET, 429, Some("0"), Some(60)),
            (reads, Method::GET, 500, Some("1"), None),
            (reads, Method::GET, 200, Some("1"), None),
            (reads, Method::POST, 429, Some("1"), None),
            (reads, Method::PUT, 503, Some("1"), None),
            (writes, Method::POST, 429, Some("1"), Some(1)),
            (writes, Method::DELETE, 503, Some("1"), None),
        ] {
            let found = rule.pause(&method, &answer(status, after), 1, Duration::ZERO);
            assert_eq!(found, pause.map(|pause| pause * second), "{method} {status} {after:?}");
        }
        let again = |calls, waited| reads.pause(&Method::GET, &answer(429, Some("10")), calls, waited * second);
        assert_eq!((again(4, 50), again(4, 51), again(5, 0)), (Some(10 * second), None, None));
    }

    #[test]
    fn what_was_not_sent_is_sent_again_with_every_method() {
        let second = Duration::from_secs(1);
        let rule = RetryAfter::up_to(60 * second);
        let unsent = RequestError::from(RequestErrorKind::NotSent(Cause::SocketLost));
        let pauses: Vec<_> = (1..=5).map(|calls| rule.pause_unsent(&unsent, calls, Duration::ZERO)).collect();
        assert_eq!(pauses, [Some(2 * second), Some(5 * second), Some(15 * second), Some(30 * second), None]);
        assert_eq!(rule.pause_unsent(&unsent, 4, 30 * second), Some(30 * second));
        assert_eq!(rule.pause_unsent(&unsent, 4, 31 * second), None);
        for error in [RequestErrorKind::Unknown(Cause::SocketLost), RequestErrorKind::NotSent(Cause::Closed)] {
            let error = RequestError::from(error);
            assert_eq!(rule.pause_unsent(&error, 1, Duration::ZERO), None, "{error}");
        }
    }
}
