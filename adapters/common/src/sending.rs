//! The way of messages to a WebSocket: a bounded queue, the pressure it shows, and how a connection ended.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode};
use ringcentral_ws_core::{CloseInfo, HttpFailure, OpenFailure, Phase, Timestamp, classify};

use crate::limits::IoLimits;

/// Why a connection ended that was alive: for people.
pub const UNREAD_PONGS: &str = "the server sent pings and did not read the answers";

/// The header of a client's answer to a ping, with its mask.
const PONG_HEADER: usize = 6;

/// Whether the Session must know about the send queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pressure {
    /// More than `IoLimits::send_high` waits.
    Blocked,
    /// No more than `IoLimits::send_low` waits.
    Ready,
}

/// Messages that wait to be sent, with the size of each, and whether anything can be sent at all.
#[derive(Debug)]
pub struct SendQueue<M> {
    queue: VecDeque<(M, usize)>,
    bytes: usize,
    /// Bytes of answers to pings that were handed over since the last flush.
    pongs: usize,
    blocked: bool,
    /// Why nothing can be sent any more. What the peer had sent before is still read.
    broken: Option<CloseInfo>,
    /// Since when that is so, as far as turns of reading show.
    broken_since: Option<Timestamp>,
    /// The end, once it is known.
    ended: Option<CloseInfo>,
    high: usize,
    low: usize,
    max: usize,
    pong_max: usize,
}

impl<M> SendQueue<M> {
    /// Nothing waits.
    #[must_use]
    pub const fn new(limits: &IoLimits) -> Self {
        Self {
            queue: VecDeque::new(),
            bytes: 0,
            pongs: 0,
            blocked: false,
            broken: None,
            broken_since: None,
            ended: None,
            high: limits.send_high,
            low: limits.send_low,
            max: limits.send_max,
            pong_max: limits.pong_max,
        }
    }

    /// Takes a message of so many bytes. Beyond the limit the connection counts as lost.
    pub fn push(&mut self, message: M, bytes: usize) {
        if self.is_over() {
            return;
        }
        self.bytes += bytes;
        if self.bytes > self.max && !self.queue.is_empty() {
            self.breaks("too much waits to be sent");
            return;
        }
        self.queue.push_back((message, bytes));
    }

    /// Takes a message that has a place whatever waits, such as the close frame.
    pub fn push_last(&mut self, message: M) {
        self.queue.push_back((message, 0));
    }

    /// A ping with a payload of so many bytes came, and the WebSocket answers it by itself, into a buffer of its own.
    /// `false` when more answers wait than is allowed: who sends pings and reads no answers is not served.
    #[must_use]
    pub const fn answers_ping(&mut self, payload: usize) -> bool {
        self.pongs = self.pongs.saturating_add(payload).saturating_add(PONG_HEADER);
        self.pongs <= self.pong_max
    }

    /// Nothing waits in the WebSocket's own buffer.
    pub fn flushed(&mut self) {
        self.pongs = 0;
        if self.queue.is_empty() {
            // An idle session keeps no room for messages.
            self.queue = VecDeque::new();
        }
    }

    /// The next message to send.
    pub fn pop(&mut self) -> Option<M> {
        let (message, bytes) = self.queue.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(message)
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// What the Session must know, once for each change.
    pub fn pressure(&mut self) -> Option<Pressure> {
        if !self.blocked && self.bytes > self.high {
            self.blocked = true;
            return Some(Pressure::Blocked);
        }
        if self.blocked && self.bytes <= self.low {
            self.blocked = false;
            return Some(Pressure::Ready);
        }
        None
    }

    /// Nothing can be sent any more. The first cause stands.
    pub fn breaks(&mut self, why: &str) {
        self.broken.get_or_insert_with(|| CloseInfo { code: None, reason: why.into() });
        self.clear();
    }

    /// Whether nothing can be sent any more, though the end is not known yet.
    #[must_use]
    pub const fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Whether a turn of reading that begins comes later than `limit` after the first one in which nothing could be sent:
    /// a peer that never pauses must not keep a connection that cannot answer.
    #[must_use]
    pub fn is_overdue(&mut self, limit: Duration, now: Timestamp) -> bool {
        self.is_broken() && now.since(*self.broken_since.get_or_insert(now)) > limit
    }

    /// The peer could not be read for a while, by no fault of its own: that time begins anew.
    pub const fn pause(&mut self) {
        self.broken_since = None;
    }

    /// Whether nothing can be sent any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.broken.is_some() || self.ended.is_some()
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn ended(&self) -> Option<CloseInfo> {
        self.ended.clone()
    }

    /// The peer ended it. The first end stands.
    pub fn end(&mut self, code: Option<u16>, reason: &str) -> CloseInfo {
        let end = self.ended.get_or_insert_with(|| CloseInfo { code, reason: reason.into() }).clone();
        self.clear();
        end
    }

    /// Nobody ended it: it broke, by what made sending fail, or else for this reason.
    pub fn end_unasked(&mut self, reason: &str) -> CloseInfo {
        let reason = self.broken.take().map_or_else(|| reason.into(), |broken| broken.reason);
        self.end(None, &reason)
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.bytes = 0;
    }
}

/// A WebSocket that was not opened.
#[must_use]
pub fn not_opened(phase: Phase, message: &str) -> OpenFailure {
    OpenFailure { phase, status: None, retry_after: None, message: message.into() }
}

/// The same, because the application's TLS settings panicked. The token may have been presented.
#[must_use]
pub fn opening_panicked() -> OpenFailure {
    not_opened(Phase::Request, "the opening panicked: this is an error in the program, not in its settings")
}

/// The same, because there is no connection.
#[must_use]
pub fn not_dialled(failure: HttpFailure) -> OpenFailure {
    OpenFailure { phase: failure.phase, status: None, retry_after: None, message: failure.message }
}

/// The same, because the server answered the upgrade with this.
#[must_use]
pub fn not_upgraded(status: StatusCode, headers: &HeaderMap) -> OpenFailure {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    OpenFailure {
        phase: Phase::Response,
        status: Some(status.as_u16()),
        retry_after: classify::retry_after(headers, now),
        message: format!("the server answered the upgrade with {status}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(high: usize, low: usize, max: usize) -> IoLimits {
        IoLimits { send_high: high, send_low: low, send_max: max, ..IoLimits::default() }
    }

    // CLAUSE HB-3
    #[test]
    fn pressure_shows_at_its_limits_and_once() {
        let mut sending = SendQueue::new(&limits(20, 10, 100));
        sending.push('a', 10);
        sending.push('b', 10);
        assert_eq!(sending.pressure(), None, "just as much as is allowed");
        sending.push('c', 1);
        assert_eq!((sending.pressure(), sending.pressure()), (Some(Pressure::Blocked), None));
        assert_eq!((sending.pop(), sending.pressure()), (Some('a'), None), "11 are too many");
        assert_eq!((sending.pop(), sending.pressure(), sending.pressure()), (Some('b'), Some(Pressure::Ready), None));
        assert_eq!((sending.pop(), sending.pop()), (Some('c'), None));
    }

    // CLAUSE FRM-4 SEC-3
    #[test]
    fn what_does_not_fit_ends_the_connection() {
        let mut sending = SendQueue::new(&limits(20, 10, 100));
        sending.push('a', 1_000);
        assert!(!sending.is_over(), "a message alone always fits");
        sending.push('b', 1);
        assert!(sending.is_broken() && sending.is_empty());
        sending.push('c', 1);
        assert!(sending.is_empty(), "nothing is taken any more");
        sending.breaks("another cause");
        assert_eq!(&*sending.end_unasked("end of the stream").reason, "too much waits to be sent");
        assert_eq!(sending.end(Some(1000), "later"), sending.ended().unwrap());
        assert_eq!(sending.ended().unwrap().code, None, "the first end stands");
        let mut exact = SendQueue::new(&limits(20, 10, 100));
        exact.push('a', 60);
        exact.push('b', 40);
        exact.push_last('x');
        assert!(!exact.is_over());
        assert_eq!([exact.pop(), exact.pop(), exact.pop(), exact.pop()], [Some('a'), Some('b'), Some('x'), None]);
    }

    // CLAUSE FRM-4 SEC-3
    #[test]
    fn answers_to_pings_are_bounded_in_bytes_until_they_leave() {
        let mut sending = SendQueue::<()>::new(&IoLimits { pong_max: 131 * 10, ..IoLimits::default() });
        for _ in 0..3 {
            assert!((0..10).all(|_| sending.answers_ping(125)));
            sending.flushed();
        }
        assert!((0..10).all(|_| sending.answers_ping(125)) && !sending.answers_ping(0));
    }

    // CLAUSE FRM-4
    #[test]
    fn what_cannot_send_is_read_for_a_limited_time() {
        let (second, limit) = (Duration::from_secs(1), Duration::from_secs(40));
        let at = |seconds| Timestamp::ZERO.after(second * seconds);
        let mut sending = SendQueue::<()>::new(&IoLimits::default());
        assert!(!sending.is_overdue(limit, at(0)));
        sending.breaks("broken pipe");
        assert!(!sending.is_overdue(limit, at(100)), "it counts from the first turn");
        assert!(!sending.is_overdue(limit, at(140)) && sending.is_overdue(limit, at(141)));
        sending.pause();
        assert!(!sending.is_overdue(limit, at(200)) && sending.is_overdue(limit, at(241)));
    }

    #[test]
    fn a_refused_upgrade_says_when_to_come_again() {
        let mut headers = HeaderMap::new();
        headers.insert(http::header::RETRY_AFTER, http::HeaderValue::from_static("30"));
        let failure = not_upgraded(StatusCode::SERVICE_UNAVAILABLE, &headers);
        assert_eq!((failure.status, failure.retry_after), (Some(503), Some(Duration::from_secs(30))));
    }
}
