//! What the headers of an answer say about waiting.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// Longest wait that is accepted from a server or a proxy.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// How much of a rate limit is used up: the `X-Rate-Limit-*` headers. RingCentral sends them with most answers over
/// HTTPS, not with those over the socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// The group the call belongs to: `light`, `medium`, `heavy` or `auth`.
    pub group: Option<Box<str>>,
    /// Calls allowed in a window.
    pub limit: Option<u64>,
    /// Calls left in this window.
    pub remaining: Option<u64>,
    /// Length of the window.
    pub window: Option<Duration>,
}

impl RateLimit {
    /// Reads the headers of any answer; `None` when there are none.
    #[must_use]
    pub fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
        let number = |name| text(name)?.parse().ok();
        let limit = Self {
            group: text("x-rate-limit-group").map(Into::into),
            limit: number("x-rate-limit-limit"),
            remaining: number("x-rate-limit-remaining"),
            window: text("x-rate-limit-window").and_then(seconds),
        };
        let any = limit.group.is_some() || limit.limit.is_some() || limit.remaining.is_some() || limit.window.is_some();
        any.then_some(limit)
    }
}

/// `Retry-After` in seconds or as an HTTP date, at most a day. The date is held against the `Date` of the answer, or against
/// `unix_now_ms`, the wall clock here in milliseconds, if there is none. Less than a second, or a date that has passed, says
/// nothing: `None`. To come back at once may be what the server's penalty is for ([TOK-3](crate::protocol#tok-3)).
#[must_use]
pub fn retry_after(headers: &HeaderMap, unix_now_ms: u64) -> Option<Duration> {
    retry_after_since(headers, Some(Duration::from_millis(unix_now_ms)))
}

/// The same where no clock may be there.
pub(super) fn retry_after_since(headers: &HeaderMap, now: Option<Duration>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok().map(str::trim)?;
    let wait = seconds(text).or_else(|| {
        let until = since_epoch(text)?;
        // A clock here may be days off.
        let now = headers.get(DATE).and_then(|date| since_epoch(date.to_str().ok()?)).or(now)?;
        Some(until.saturating_sub(now).min(MAX_RETRY_AFTER))
    });
    wait.filter(says_something)
}

/// Whether a wait that the server named is one.
pub(crate) fn says_something(retry_after: &Duration) -> bool {
    *retry_after >= Duration::from_secs(1)
}

fn since_epoch(date: &str) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    Some(date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

/// Whole or decimal seconds, clamped.
fn seconds(text: &str) -> Option<Duration> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit()) || digits.contains(|c: char| !matches!(c, '0'..='9' | '.')) {
        return None;
    }
    // Digits without an exponent are finite or, when absurdly many, infinite; the clamp takes both.
    let value: f64 = text.parse().ok()?;
    Some(Duration::from_secs_f64(value.clamp(0.0, MAX_RETRY_AFTER.as_secs_f64())))
}
