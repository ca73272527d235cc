//! Errors as they come with a response ([REQ-9](crate::protocol#req-9)).

use std::time::Duration;

use http::{HeaderMap, Response};

use super::{ApiErrorInfo, seconds};
use crate::mask::Masker;

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

impl ApiErrorInfo {
    /// The error a response tells of; `None` below status 400. Where a response of a session quotes its secrets they
    /// are masked: it brings along a [`Masker`] that knows them, among its extensions.
    #[must_use]
    pub fn from_response<T: AsRef<[u8]>>(response: &Response<T>) -> Option<Self> {
        let status = response.status().as_u16();
        let none = Masker::new();
        let masker = response.extensions().get::<Masker>().unwrap_or(&none);
        let body = response.body().as_ref();
        (status >= 400).then(|| Self::from_reply_masked(status, response.headers(), body, masker))
    }

    /// RingCentral's code, such as `CMN-101`: the first if there are several.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;

    // CLAUSE REQ-9
    #[test]
    fn a_response_tells_its_error() {
        let body = r#"{"errorCode":"CMN-301","message":"Request rate exceeded","errors":[]}"#;
        let response = Response::builder()
            .status(429)
            .header("RCRequestId", "r-1")
            .header("Retry-After", "30")
            .header("X-Rate-Limit-Group", "heavy")
            .header("X-Rate-Limit-Limit", "10")
            .header("X-Rate-Limit-Remaining", "0")
            .header("X-Rate-Limit-Window", "60");
        let error = ApiErrorInfo::from_response(&response.body(Body::from(body)).unwrap()).unwrap();
        assert_eq!(
            (error.status, error.error_code(), &*error.message),
            (429, Some("CMN-301"), "Request rate exceeded")
        );
        assert_eq!((error.request_id.as_deref(), error.retry_after), (Some("r-1"), Some(Duration::from_secs(30))));
        let limit = error.rate_limit.as_ref().unwrap();
        assert_eq!((limit.group.as_deref(), limit.limit, limit.remaining), (Some("heavy"), Some(10), Some(0)));
        assert_eq!(limit.window, Some(Duration::from_secs(60)));
        assert!(error.is_retryable() && error.remedy().contains("Retry-After"));
        let refused = Response::builder().status(403).body(&b"<html>"[..]).unwrap();
        let refused = ApiErrorInfo::from_response(&refused).unwrap();
        assert!(!refused.is_retryable() && refused.rate_limit.is_none());
        assert_eq!(ApiErrorInfo::from_response(&Response::new(Body::empty())), None);
    }
}
