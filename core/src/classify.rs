//! What an error means for a client, and what can be done about it.

mod cause;
mod codes;
mod reply;

use std::fmt;
use std::time::{Duration, SystemTime};

use http::{HeaderMap, HeaderValue, StatusCode};

pub use self::cause::Cause;
pub use self::codes::CODES;
pub(crate) use self::codes::Ending;
pub use self::reply::RateLimit;
use crate::json::{Text, each_field, each_item};
use crate::mask::Masker;

/// Longest message kept, in characters.
const MAX_MESSAGE: usize = 300;
/// Most entries of `errors[]` kept.
const MAX_ERRORS: usize = 16;
/// Longest wait that a server, or whoever speaks for one, is believed.
pub(crate) const MAX_RETRY_AFTER: Duration = Duration::from_secs(86_400);

/// One code the server may give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeRow {
    /// The code as the server writes it; close codes in decimal.
    pub code: &'static str,
    /// The HTTP status it comes with, if it is tied to one.
    pub http: Option<u16>,
    /// What it means.
    pub meaning: &'static str,
    /// What a client does.
    pub class: Class,
    /// Whether a request answered like this ran.
    pub ran: Ran,
    /// What a person can do; begins with `none` where nothing is needed.
    pub remedy: &'static str,
    /// How it ends a connection, if it does.
    pub(crate) ending: Option<Ending>,
}

/// What a client does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Nothing: only a change by a person helps.
    Permanent,
    /// Asks for a new access token, once.
    RefreshToken,
    /// Waits as long as the server says.
    RateLimited,
    /// Tries again later.
    Transient,
    /// Creates the subscription again.
    Resubscribe,
    /// Frees subscriptions, then tries again slowly.
    FreeSubscriptions,
    /// Connects again with the recovery handle.
    RecoverSession,
    /// Connects again without the recovery handle.
    ForgetWsc,
    /// Nothing: the request itself is wrong.
    CallerBug,
}

/// Whether a request ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ran {
    /// It did not; repeating it is safe.
    No,
    /// Nobody can tell.
    Maybe,
    /// It did.
    Yes,
}

/// The row of a code; the first one if it has several.
#[must_use]
pub fn lookup(code: &str) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.code == code)
}

/// The row of a code, by preference the one for this status.
fn lookup_for(status: u16, code: &str) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.code == code && row.http == Some(status)).or_else(|| lookup(code))
}

/// The class of an answer: by its code if that is known, else by its status. 429 always counts as 429.
#[must_use]
pub fn classify(status: u16, code: Option<&str>) -> Class {
    if status == 429 {
        return Class::RateLimited;
    }
    if let Some(row) = code.and_then(|code| lookup_for(status, code)) {
        return row.class;
    }
    match status {
        401 => Class::RefreshToken,
        408 => Class::Transient,
        400..=499 => Class::Permanent,
        _ => Class::Transient,
    }
}

/// An error answer of the REST API or the token service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiErrorInfo {
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
    /// `Retry-After`, if it was given in seconds, or as a date in an answer that has a `Date` too.
    pub retry_after: Option<Duration>,
    /// The parameter that is wrong.
    pub parameter: Option<Box<str>>,
    /// The rate limit the call counts against, if the headers tell.
    pub rate_limit: Option<RateLimit>,
}

/// An error answer, as [`ApiError::from_response`](ApiErrorInfo::from_response) reads it.
pub type ApiError = ApiErrorInfo;

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

impl ApiErrorInfo {
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
            retry_after: retry_after_by_date(headers),
            parameter: fields.parameter,
            rate_limit,
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
        if let Some(row) = self.code.as_deref().and_then(|code| lookup_for(self.status, code)) {
            return row.remedy;
        }
        match self.class() {
            Class::RefreshToken => "none: a new access token is asked for once",
            Class::RateLimited => "none: the call is repeated after Retry-After",
            Class::Transient => "none: the call is repeated later",
            _ if self.status == 403 => {
                "check that the app has the permission \"WebSocket Subscriptions\" and those of the filters or the call"
            }
            _ => "correct the request, the app or the account as the message says",
        }
    }
}

impl fmt::Display for ApiErrorInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(parameter) = &self.parameter {
            write!(f, " [{parameter}]")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (RCRequestId {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ApiErrorInfo {}

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

/// `Retry-After` in seconds or as an HTTP date, at least zero and at most a day. The date is held against
/// `unix_now_ms`, the wall clock in milliseconds.
#[must_use]
pub fn retry_after(headers: &HeaderMap, unix_now_ms: u64) -> Option<Duration> {
    let text = retry_after_text(headers)?;
    seconds(text).or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        let until = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Some(until.saturating_sub(Duration::from_millis(unix_now_ms)).min(MAX_RETRY_AFTER))
    })
}

/// The same without a clock: a date is held against the one of the answer itself.
fn retry_after_by_date(headers: &HeaderMap) -> Option<Duration> {
    let date = headers.get(http::header::DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let Some(date) = date else { return retry_after_text(headers).and_then(seconds) };
    let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    retry_after(headers, u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
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

#[cfg(test)]
mod tests {
    use super::*;

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
            let error = ApiErrorInfo::from_reply(403, &HeaderMap::new(), body.as_bytes());
            assert_eq!(error.class(), Class::Permanent);
            assert!(!error.is_retryable());
            assert!(error.remedy().contains("WebSocket Subscriptions"), "{code}");
        }
        assert!(ApiErrorInfo::from_reply(403, &HeaderMap::new(), b"").remedy().contains("WebSocket Subscriptions"));
    }

    // CLAUSE TOK-3
    #[test]
    fn retry_after_takes_seconds_and_dates() {
        let at = |value: &str| retry_after(&headers(value), 784_111_777_000);
        assert_eq!(at("30"), Some(Duration::from_secs(30)));
        assert_eq!(at(" 1.5 "), Some(Duration::from_millis(1500)));
        assert_eq!(at("-5"), Some(Duration::ZERO));
        assert_eq!(at(&"9".repeat(400)), Some(MAX_RETRY_AFTER));
        assert_eq!(at("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(at("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(at("Sat, 06 Nov 2094 08:50:37 GMT"), Some(MAX_RETRY_AFTER));
        for bad in ["", "soon", "inf", "nan", "1e9", "1.2.3", "-"] {
            assert_eq!(at(bad), None, "{bad}");
        }
        assert_eq!(ApiErrorInfo::from_reply(429, &headers("7"), b"").retry_after, Some(Duration::from_secs(7)));
        let mut dated = headers("Sun, 06 Nov 1994 08:51:07 GMT");
        assert_eq!(ApiErrorInfo::from_reply(503, &dated, b"").retry_after, None, "there is no clock here");
        for (date, wait) in [("Sun, 06 Nov 1994 08:49:37 GMT", 90), ("Sun, 06 Nov 1994 08:52:00 GMT", 0)] {
            dated.insert(http::header::DATE, HeaderValue::from_static(date));
            assert_eq!(ApiErrorInfo::from_reply(503, &dated, b"").retry_after, Some(Duration::from_secs(wait)));
        }
        dated.insert(http::header::RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(ApiErrorInfo::from_reply(503, &dated, b"").retry_after, Some(Duration::from_secs(7)));
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
            let error = ApiErrorInfo::from_reply_masked(400, &map, body.as_bytes(), &masker);
            assert!(!format!("{error:?} {error}").contains("ssssssss"), "{error:?}");
            assert!(error.message.contains("***"), "{error:?}");
            assert_eq!(error.request_id.as_deref(), Some("***"));
        }
    }

    #[test]
    fn status_decides_where_no_code_is_known() {
        let by_status = [(401, Class::RefreshToken), (403, Class::Permanent), (404, Class::Permanent)];
        for (status, class) in by_status.into_iter().chain([(408, Class::Transient), (503, Class::Transient)]) {
            assert_eq!(classify(status, None), class);
            assert_eq!(classify(status, Some("NEW-1")), class);
        }
        assert_eq!(classify(429, Some("CMN-101")), Class::RateLimited);
        assert_eq!(classify(401, Some("OAU-213")), Class::RefreshToken);
        assert_eq!(classify(400, Some("OAU-213")), Class::Permanent);
        assert_eq!(classify(0, None), Class::Transient);
    }

    #[test]
    fn table_has_one_row_for_each_code_and_status() {
        for (i, row) in CODES.iter().enumerate() {
            assert!(!row.meaning.is_empty() && !row.remedy.is_empty());
            assert!(!CODES[..i].iter().any(|other| other.code == row.code && other.http == row.http), "{}", row.code);
        }
        assert_eq!(lookup("WSG-400").unwrap().class, Class::ForgetWsc);
        assert_eq!(lookup("4400").unwrap().class, Class::RefreshToken);
        assert_eq!(lookup(""), None);
    }

    // CLAUSE REQ-9
    #[test]
    fn errors_are_read_whole() {
        let body = br#"{"errors":[{"errorCode":"CMN-101","message":"a\nb","parameterName":"p"},{"errorCode":"X"}]}"#;
        let error = ApiErrorInfo::from_reply(400, &headers("1"), body);
        assert_eq!(error.to_string(), "HTTP 400 CMN-101: a b [p] (RCRequestId r-1)");
        assert_eq!(error.errors.len(), 2);
        let oauth = br#"{"error":"invalid_grant","error_description":"gone"}"#;
        assert_eq!(ApiErrorInfo::from_reply(400, &HeaderMap::new(), oauth).to_string(), "HTTP 400 invalid_grant: gone");
        let documented = b"{ \"errors\": [ { \"errorCode\": \"ABC-123\", // odd\n } ] }";
        assert_eq!(&*ApiErrorInfo::from_reply(400, &HeaderMap::new(), documented).message, "Bad Request");
        let long = ApiErrorInfo::from_reply(502, &HeaderMap::new(), "<é>\r\n".repeat(900).as_bytes());
        assert_eq!(long.message.chars().count(), MAX_MESSAGE);
        assert!(!long.to_string().contains('\n'));
        assert_eq!(&*ApiErrorInfo::from_reply(599, &HeaderMap::new(), b"\xff[").message, "\u{fffd}[");
    }
}
