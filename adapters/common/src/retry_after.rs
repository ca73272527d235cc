//! Calls of the application that wait out a refusal of the server, and a network that is away.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::{Method, StatusCode};
use ringcentral_ws_core::{ApiError, RateLimit, is_read};

use crate::request::RequestError;
use crate::response::Response;

/// How often one call is made at most.
const MOST_CALLS: u32 = 5;
/// The pause after a 503 that names none. After a 429 it is a minute ([TOK-3](ringcentral_ws_core::protocol#tok-3)).
const UNAVAILABLE: Duration = Duration::from_secs(5);
const LIMITED: Duration = Duration::from_secs(60);
/// A timer may end so much before another clock says so.
const ROUNDED: Duration = Duration::from_millis(50);
/// Rate-limit groups that are kept apart; the service has four.
const MOST_GROUPS: usize = 8;
/// Bytes of a group's name that count.
const LONGEST_GROUP: usize = 32;
/// The pauses, in seconds, after a call that was not sent: 52 s together.
const NOT_SENT: [u64; MOST_CALLS as usize - 1] = [2, 5, 15, 30];

/// How long a call may wait out 429 (too many requests), 503 (not available), and a network that is away, for
/// `Client::retry_after`.
///
/// The wait is what the server's `Retry-After` says; without it, or with less than a second, a minute after 429, and 5 s after
/// 503. If another call of the same client that waits too is refused meanwhile, in the same rate-limit group
/// (`X-Rate-Limit-Group`), its wait is that of all: a call before its end would prolong the penalty for each of them. A call
/// that was not sent for a cause that may pass ([`RequestError::is_retryable`]), such as a host that cannot be
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

/// Until when the server wants no calls of a rate-limit group, by its answers to calls that may wait. Times are those of a
/// monotonic clock.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Penalties(Mutex<Vec<(Box<str>, Duration)>>);

impl Penalties {
    fn begins(&self, group: &str, until: Duration) {
        let mut groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, end)) = groups.iter_mut().find(|(name, _)| **name == *group) {
            *end = until.max(*end);
        } else if groups.len() < MOST_GROUPS {
            groups.push((group.into(), until));
        }
    }

    /// A call of this group was let through.
    fn ends(&self, group: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(name, _)| **name != *group);
    }

    fn left(&self, group: &str, now: Duration) -> Duration {
        let groups = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = groups.iter().find_map(|(name, end)| (**name == *group).then_some(*end));
        end.unwrap_or_default().saturating_sub(now)
    }
}

/// How often one call was made, and how long it waited.
#[doc(hidden)]
#[derive(Debug)]
pub struct Tries {
    rule: RetryAfter,
    calls: u32,
    waited: Duration,
    /// The last answer was a 429 to a call of this group.
    group: Option<Box<str>>,
}

impl Tries {
    /// Of a call that was not made yet.
    #[must_use]
    pub const fn new(rule: RetryAfter) -> Self {
        Self { rule, calls: 0, waited: Duration::ZERO, group: None }
    }

    /// The call was made, and ended so: the pause before it is made again. `None`: this is final.
    pub fn ended(
        &mut self,
        method: &Method,
        how: &Result<Response, RequestError>,
        penalties: &Penalties,
        now: Duration,
    ) -> Option<Duration> {
        self.calls += 1;
        let pause = match how {
            Ok(answer) => self.rule.pause(method, answer, self.calls, self.waited),
            Err(error) => self.rule.pause_unsent(error, self.calls, self.waited),
        };
        self.group = how.as_ref().ok().and_then(|answer| group_after(answer, penalties, now));
        // Another one may have to wait for longer, and this one with it.
        let left = self.group.as_ref().map_or(Duration::ZERO, |group| penalties.left(group, now));
        let pause = self.rule.fits(pause?.max(left), self.calls, self.waited)?;
        self.waited += pause;
        Some(pause)
    }

    /// A pause is over: another one, for the sake of a call that was refused meanwhile; zero if there is none. `None`: it
    /// would be too long.
    pub fn paused(&mut self, penalties: &Penalties, now: Duration) -> Option<Duration> {
        let left = self.group.as_ref().map(|group| penalties.left(group, now)).filter(|left| *left > ROUNDED);
        let left = left.unwrap_or_default();
        self.rule.fits(left, self.calls, self.waited)?;
        self.waited += left;
        Some(left)
    }
}

/// Notes what an answer says of its rate-limit group, and names the group if the call was one too many. An answer that names
/// none, such as one over the WebSocket, says nothing of others.
fn group_after(answer: &Response, penalties: &Penalties, now: Duration) -> Option<Box<str>> {
    let name = RateLimit::from_headers(answer.headers())?.group?;
    let group: Box<str> = name.chars().take(LONGEST_GROUP).collect::<String>().into();
    if answer.status() != StatusCode::TOO_MANY_REQUESTS {
        penalties.ends(&group);
        return None;
    }
    let penalty = ApiError::from_response(answer).and_then(|error| error.retry_after).unwrap_or(LIMITED);
    penalties.begins(&group, now.saturating_add(penalty));
    Some(group)
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
    fn calls_that_wait_for_one_group_wait_for_the_last_refusal_of_it() {
        let second = Duration::from_secs(1);
        let of = |group: &str| {
            let answer = http::Response::builder().status(429).header("Retry-After", "60");
            Ok(Response::new(answer.header("X-Rate-Limit-Group", group).body(Body::empty()).unwrap(), Via::Https))
        };
        let penalties = Penalties::default();
        let refused = |limit: u32, group: &str, at: u32| {
            let mut tries = Tries::new(RetryAfter::up_to(limit * second));
            assert_eq!(tries.ended(&Method::GET, &of(group), &penalties, at * second), Some(60 * second));
            tries
        };
        let (mut first, mut short, mut other) =
            (refused(90, "light", 0), refused(79, "light", 0), refused(90, "heavy", 0));
        // One that does not wait says it too.
        let mut last = Tries::new(RetryAfter::up_to(second));
        assert_eq!(last.ended(&Method::GET, &of("light"), &penalties, 20 * second), None);
        let early = 60 * second - Duration::from_millis(50);
        assert_eq!(
            other.paused(&penalties, early),
            Some(Duration::ZERO),
            "a group of its own, and a timer a little early"
        );
        assert_eq!(short.paused(&penalties, 60 * second), None, "it would be too long");
        assert_eq!(first.paused(&penalties, 60 * second), Some(20 * second));
        assert_eq!(first.paused(&penalties, 80 * second), Some(Duration::ZERO));
        assert_eq!(first.ended(&Method::GET, &of("light"), &penalties, 80 * second), None, "no third wait fits");
        (0..100).for_each(|n| penalties.begins(&n.to_string(), second));
        assert_eq!(penalties.0.lock().unwrap().len(), MOST_GROUPS);
    }

    #[test]
    fn a_wait_in_vain_is_not_begun_and_a_call_that_is_let_through_ends_the_wait_of_others() {
        let second = Duration::from_secs(1);
        let of = |status: u16, after: &str, group: Option<&str>| {
            let mut answer = http::Response::builder().status(status).header("Retry-After", after);
            if let Some(group) = group {
                answer = answer.header("X-Rate-Limit-Group", group);
            }
            Ok(Response::new(answer.body(Body::empty()).unwrap(), Via::Https))
        };
        let penalties = Penalties::default();
        let ended = |limit: u32, answer: &Result<Response, RequestError>| {
            Tries::new(RetryAfter::up_to(limit * second)).ended(&Method::GET, answer, &penalties, second)
        };
        assert_eq!(ended(60, &of(429, "90", Some("light"))), None);
        assert_eq!(ended(60, &of(429, "5", Some("light"))), None, "it would end within the other's");
        assert_eq!(ended(100, &of(429, "5", Some("light"))), Some(90 * second));
        assert_eq!(ended(60, &of(429, "5", None)), Some(5 * second), "of a group that is not known");
        assert_eq!(ended(60, &of(200, "0", Some("light"))), None);
        assert_eq!(ended(60, &of(429, "5", Some("light"))), Some(5 * second));
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
