//! Errors of the REST API and the token service, read from their answers ([REQ-9](crate::protocol#req-9)).

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::codes::{Class, LATER, RELOGIN, WAIT, classify, lookup_for};
use super::reply::{RateLimit, retry_after_since};
use crate::json::{Text, each_field, each_item};
use crate::mask::Masker;
use crate::request_line::RequestLine;

/// Longest message kept, in characters.
const MAX_MESSAGE: usize = 300;
/// Most entries of `errors[]` kept.
const MAX_ERRORS: usize = 16;

/// An error answer of the REST API or the token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// The HTTP status.
    pub status: u16,
    /// The first error code.
    pub code: Option<Box<str>>,
    /// One line for people, at most 300 characters.
    pub message: Box<str>,
    /// All of `errors[]`: code and message of each, at most 16.
    pub errors: Vec<(Box<str>, Box<str>)>,
    /// `RCRequestId`, which RingCentral's support asks for.
    pub request_id: Option<Box<str>>,
    /// `Retry-After`, if it was given in seconds, or as a date in an answer that has a `Date` too. Less than a second is
    /// none.
    pub retry_after: Option<Duration>,
    /// The parameter that is wrong.
    pub parameter: Option<Box<str>>,
    /// The rate limit the call counts against, if the headers say so.
    pub rate_limit: Option<RateLimit>,
    /// Which request was refused, if it was one of the application: its response brings that along, among its extensions.
    pub request: Option<RequestLine>,
}

/// One level of an error body.
#[derive(Default)]
struct ErrorFields {
    code: Option<Box<str>>,
    message: Option<Box<str>>,
    parameter: Option<Box<str>>,
    oauth: Option<Box<str>>,
    description: Option<Box<str>>,
    errors: Vec<(Box<str>, Box<str>)>,
}

impl ErrorFields {
    /// Reads what it can, also from a body that breaks off.
    fn read(json: &str, nested: bool) -> Self {
        let mut fields = Self::default();
        each_field(json, |key, value| {
            let text = || Text::from_raw(value).map(|text| line(&text)).filter(|text| !text.is_empty());
            match key {
                "errorCode" => fields.code = text(),
                "message" => fields.message = text(),
                "parameterName" => fields.parameter = text(),
                "error" => fields.oauth = text(),
                "error_description" => fields.description = text(),
                "errors" if nested => {
                    each_item(value.get(), |item| {
                        let one = Self::read(item.get(), false);
                        if fields.parameter.is_none() {
                            fields.parameter = one.parameter;
                        }
                        if fields.errors.len() < MAX_ERRORS && (one.code.is_some() || one.message.is_some()) {
                            fields.errors.push((one.code.unwrap_or_default(), one.message.unwrap_or_default()));
                        }
                    });
                }
                _ => {}
            }
        });
        fields
    }
}

impl ApiError {
    /// The error that a response reports; `None` below status 400. Where a response of a session quotes its secrets they are
    /// masked: it brings along a [`Masker`] that knows them, among its extensions.
    #[must_use]
    pub fn from_response<T: AsRef<[u8]>>(response: &Response<T>) -> Option<Self> {
        let status = response.status().as_u16();
        let none = Masker::new();
        let masker = response.extensions().get::<Masker>().unwrap_or(&none);
        let body = response.body().as_ref();
        let request = response.extensions().get::<RequestLine>();
        (status >= 400).then(|| Self {
            request: request.cloned(),
            ..Self::from_reply_masked(status, response.headers(), body, masker)
        })
    }

    /// RingCentral's code, such as `CMN-101`: the first if there are several.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// Reads an error answer. Any body will do; what is no JSON becomes the message.
    #[must_use]
    pub fn from_reply(status: u16, headers: &HeaderMap, body: &[u8]) -> Self {
        Self::from_reply_masked(status, headers, body, &Masker::new())
    }

    /// The same, with `***` in place of the secrets that `masker` knows: servers and proxies quote what they were sent.
    #[must_use]
    pub fn from_reply_masked(status: u16, headers: &HeaderMap, body: &[u8], masker: &Masker) -> Self {
        // Before anything is cut off, and a secret with it.
        let body = masker.mask_bytes(body);
        let text = String::from_utf8_lossy(&body);
        let fields = ErrorFields::read(&text, true);
        let first = fields.errors.first();
        let first_code = first.map(|(code, _)| code).filter(|code| !code.is_empty());
        let first_message = first.map(|(_, message)| message).filter(|message| !message.is_empty());
        let message = fields.message.or_else(|| first_message.cloned()).or(fields.description);
        let plain = |id: &HeaderValue| line(&masker.mask(&String::from_utf8_lossy(id.as_bytes())));
        let request_id = headers.get("rcrequestid").map(plain);
        let mut rate_limit = RateLimit::from_headers(headers);
        if let Some(group) = rate_limit.as_mut().and_then(|limit| limit.group.as_mut()) {
            *group = line(&masker.mask(group));
        }
        Self {
            status,
            code: fields.code.or_else(|| first_code.cloned()).or(fields.oauth),
            message: message.unwrap_or_else(|| fallback_message(status, &text)),
            errors: fields.errors,
            request_id,
            retry_after: retry_after_since(headers, None),
            parameter: fields.parameter,
            rate_limit,
            request: None,
        }
    }

    /// What a client does about it.
    #[must_use]
    pub fn class(&self) -> Class {
        classify(self.status, self.code.as_deref())
    }

    /// Whether the same call may succeed later, with nothing changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.class(), Class::Transient | Class::RateLimited)
    }

    /// What a person can do.
    #[must_use]
    pub fn remedy(&self) -> &str {
        // The first code may be a general one, such as `FeatureNotAvailable`.
        let codes = self.code.iter().chain(self.errors.iter().map(|(code, _)| code));
        if let Some(row) = codes.into_iter().find_map(|code| lookup_for(self.status, code)) {
            return row.remedy;
        }
        match self.class() {
            Class::RefreshToken => RELOGIN,
            Class::RateLimited => WAIT,
            Class::Transient => LATER,
            _ if self.status == 403 => {
                "check that the app has the permission \"WebSocket Subscriptions\" and those of the filters or the call"
            }
            _ => "correct the request, the app or the account as the message says",
        }
    }

    /// Whether a subscription refused with this is refused for good. Otherwise it is tried again for as long as anybody
    /// wants it.
    #[doc(hidden)]
    #[must_use]
    pub fn is_final_refusal(&self) -> bool {
        matches!(self.class(), Class::Permanent | Class::CallerBug | Class::Resubscribe)
    }

    /// What to say of a subscription that failed with this and is not tried again. The remedy alone would promise another
    /// attempt where there is none, because nobody wants the subscription any more.
    #[doc(hidden)]
    #[must_use]
    pub fn remedy_of_last_attempt(&self) -> &str {
        if self.is_final_refusal() {
            self.remedy()
        } else {
            "it is not tried again, because no subscription is wanted any more"
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(request) = &self.request {
            write!(f, "{request}: ")?;
        }
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(parameter) = &self.parameter {
            write!(f, " [{parameter}]")?;
        }
        if let Some(wait) = self.retry_after {
            write!(f, " (retry after {} s)", wait.as_secs_f64())?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (RCRequestId {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiError {}

/// The message of an answer without one: its text unless that is JSON or empty, else the status in words.
fn fallback_message(status: u16, text: &str) -> Box<str> {
    let text = text.trim_start();
    let shown = if text.starts_with(['{', '[', '"']) { "".into() } else { line(text) };
    if !shown.is_empty() {
        return shown;
    }
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("no message").into()
}

/// One line of at most [`MAX_MESSAGE`] characters: runs of whitespace and control characters become one space.
fn line(text: &str) -> Box<str> {
    let mut out = String::new();
    let mut space = false;
    for c in text.chars().take(4 * MAX_MESSAGE).filter(|c| *c != '\u{feff}') {
        if c.is_whitespace() || c.is_control() {
            space = !out.is_empty();
            continue;
        }
        if space {
            out.push(' ');
            space = false;
        }
        out.push(c);
    }
    out.chars().take(MAX_MESSAGE).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Body;
    use crate::classify::{MAX_RETRY_AFTER, retry_after};

    fn headers(value: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert("retry-after", HeaderValue::from_str(value).unwrap());
        map.insert("RCRequestId", HeaderValue::from_static("r-1"));
        map
    }

    // CLAUSE TOK-5
    #[test]
    fn permissions_are_permanent_and_named() {
        for code in ["CMN-401", "InsufficientPermissions", "SUB-528"] {
            let body = format!(r#"{{"errorCode":"{code}","message":"m"}}"#);
            let error = ApiError::from_reply(403, &HeaderMap::new(), body.as_bytes());
            assert_eq!(error.class(), Class::Permanent);
            assert!(!error.is_retryable());
            assert!(error.remedy().contains("WebSocket Subscriptions"), "{code}");
        }
        assert!(ApiError::from_reply(403, &HeaderMap::new(), b"").remedy().contains("WebSocket Subscriptions"));
    }

    #[test]
    fn a_general_code_does_not_hide_the_one_that_says_what_to_do() {
        let body = br#"{"errorCode":"FeatureNotAvailable","message":"m","errors":[{"errorCode":"MSG-304"}]}"#;
        let error = ApiError::from_reply(403, &HeaderMap::new(), body);
        assert_eq!((error.error_code(), error.class()), (Some("FeatureNotAvailable"), Class::Permanent));
        assert!(error.remedy().contains("phone-number"), "{}", error.remedy());
    }

    // CLAUSE TOK-3
    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let at = |value: &str| retry_after(&headers(value), 784_111_777_000);
        assert_eq!(at("30"), Some(Duration::from_secs(30)));
        assert_eq!(at(" 1.5 "), Some(Duration::from_millis(1500)));
        for nothing in ["-5", "0", "0.9"] {
            assert_eq!(at(nothing), None, "{nothing}");
        }
        assert_eq!(at(&"9".repeat(400)), Some(MAX_RETRY_AFTER));
        assert_eq!(at("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(at("Sun, 06 Nov 1994 08:00:00 GMT"), None);
        assert_eq!(at("Sat, 06 Nov 2094 08:50:37 GMT"), Some(MAX_RETRY_AFTER));
        for bad in ["", "soon", "inf", "nan", "1e9", "1.2.3", "-"] {
            assert_eq!(at(bad), None, "{bad}");
        }
        assert_eq!(ApiError::from_reply(429, &headers("7"), b"").retry_after, Some(Duration::from_secs(7)));
        let mut dated = headers("Sun, 06 Nov 1994 08:51:07 GMT");
        assert_eq!(ApiError::from_reply(503, &dated, b"").retry_after, None, "there is no clock here");
        for (date, wait) in [("Sun, 06 Nov 1994 08:49:37 GMT", Some(90)), ("Sun, 06 Nov 1994 08:52:00 GMT", None)] {
            dated.insert(http::header::DATE, HeaderValue::from_static(date));
            let wait = wait.map(Duration::from_secs);
            assert_eq!(ApiError::from_reply(503, &dated, b"").retry_after, wait);
            assert_eq!(retry_after(&dated, 0), wait, "the clock here is not asked");
        }
        dated.insert(http::header::RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(ApiError::from_reply(503, &dated, b"").retry_after, Some(Duration::from_secs(7)));
    }

    // CLAUSE SEC-6
    #[test]
    fn what_is_known_to_be_secret_is_masked_before_it_is_cut() {
        let (secret, mut masker) = ("s".repeat(400) + "/end", Masker::new());
        masker.learn(&secret);
        let escaped = secret.replace('/', "\\/");
        let json = format!(
            r#"{{"errorCode":"{secret}","message":"you sent {secret}","parameterName":"{secret}","errors":[
               {{"errorCode":"C","message":"{escaped}"}}],"error":"{secret}","error_description":"{secret}"}}"#
        );
        let mut map = HeaderMap::new();
        map.insert("rcrequestid", secret.parse().unwrap());
        map.insert("x-rate-limit-group", secret.parse().unwrap());
        for body in [json, format!("<pre>{secret}</pre>"), format!("{}{secret}", "x".repeat(280))] {
            let error = ApiError::from_reply_masked(400, &map, body.as_bytes(), &masker);
            assert!(!format!("{error:?} {error}").contains("ssssssss"), "{error:?}");
            assert!(error.message.contains("***"), "{error:?}");
            assert_eq!(error.request_id.as_deref(), Some("***"));
        }
    }

    // CLAUSE REQ-9
    #[test]
    fn errors_are_read_whole() {
        let body = br#"{"errors":[{"errorCode":"CMN-101","message":"a\nb","parameterName":"p"},{"errorCode":"X"}]}"#;
        let error = ApiError::from_reply(400, &headers("1"), body);
        assert_eq!(error.to_string(), "HTTP 400 CMN-101: a b [p] (retry after 1 s) (RCRequestId r-1)");
        assert_eq!(error.errors.len(), 2);
        let oauth = br#"{"error":"invalid_grant","error_description":"gone"}"#;
        assert_eq!(ApiError::from_reply(400, &HeaderMap::new(), oauth).to_string(), "HTTP 400 invalid_grant: gone");
        let documented = b"{ \"errors\": [ { \"errorCode\": \"ABC-123\", // odd\n } ] }";
        assert_eq!(&*ApiError::from_reply(400, &HeaderMap::new(), documented).message, "Bad Request");
        let long = ApiError::from_reply(502, &HeaderMap::new(), "<é>\r\n".repeat(900).as_bytes());
        assert_eq!(long.message.chars().count(), MAX_MESSAGE);
        assert!(!long.to_string().contains('\n'));
        assert_eq!(&*ApiError::from_reply(599, &HeaderMap::new(), b"\xff[").message, "\u{fffd}[");
    }

    // CLAUSE REQ-9
    #[test]
    fn a_response_reports_its_error() {
        let body = r#"{"errorCode":"CMN-301","message":"Request rate exceeded","errors":[]}"#;
        let response = Response::builder()
            .status(429)
            .header("RCRequestId", "r-1")
            .header("Retry-After", "30")
            .header("X-Rate-Limit-Group", "heavy")
            .header("X-Rate-Limit-Limit", "10")
            .header("X-Rate-Limit-Remaining", "0")
            .header("X-Rate-Limit-Window", "60");
        let error = ApiError::from_response(&response.body(Body::from(body)).unwrap()).unwrap();
        assert_eq!(
            (error.status, error.error_code(), &*error.message),
            (429, Some("CMN-301"), "Request rate exceeded")
        );
        assert_eq!((error.request_id.as_deref(), error.retry_after), (Some("r-1"), Some(Duration::from_secs(30))));
        let limit = error.rate_limit.as_ref().unwrap();
        assert_eq!((limit.group.as_deref(), limit.limit, limit.remaining), (Some("heavy"), Some(10), Some(0)));
        assert_eq!(limit.window, Some(Duration::from_secs(60)));
        assert!(error.is_retryable() && error.remedy().starts_with("repeat the call after Retry-After"));
        let shown = error.to_string();
        assert_eq!(shown, "HTTP 429 CMN-301: Request rate exceeded (retry after 30 s) (RCRequestId r-1)");
        let refused = Response::builder().status(403).body(&b"<html>"[..]).unwrap();
        let refused = ApiError::from_response(&refused).unwrap();
        assert!(!refused.is_retryable() && refused.rate_limit.is_none());
        assert_eq!(ApiError::from_response(&Response::new(Body::empty())), None);
    }
}
