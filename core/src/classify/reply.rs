//! What the headers of an answer say about waiting.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

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

/// `Retry-After` in seconds or as an HTTP date, at most a day. The date is held against `unix_now_ms`, the wall clock in
/// milliseconds. Less than a second, or a date that has passed, says nothing: `None`. To come back at once may be what the
/// server's penalty is for ([TOK-3](crate::protocol#tok-3)).
#[must_use]
pub fn retry_after(headers: &HeaderMap, unix_now_ms: u64) -> Option<Duration> {
    let text = retry_after_text(headers)?;
    let until = seconds(text).or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        let until = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(until.saturating_sub(Duration::from_millis(unix_now_ms)).min(MAX_RETRY_AFTER))
    });
    until.filter(says_something)
}

/// The same without a clock: a date is held against the one of the answer itself.
pub(super) fn retry_after_by_date(headers: &HeaderMap) -> Option<Duration> {
    let date = headers.get(http::header::DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let Some(date) = date else { return retry_after_text(headers).and_then(seconds).filter(says_something) };
    let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    retry_after(headers, u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Whether a wait that the server named is one.
pub(crate) fn says_something(retry_after: &Duration) -> bool {
    *retry_after >= Duration::from_secs(1)
}

fn retry_after_text(headers: &HeaderMap) -> Option<&str> {
    headers.get(http::header::RETRY_AFTER)?.to_str().ok().map(str::trim)
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
