//! Requests of the application: how they are made, and how they came out.

use std::fmt;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use ringcentral_ws_core::{Body, Cause, CommandError, InvalidReason, RequestLine, RequestOutcome, is_read};
use serde::Serialize;

use crate::response::Response;

/// Most characters of a path that an error shows.
const SHOWN: usize = 200;

/// What to do about a call that may have run.
pub(crate) fn find_out(request: Option<&RequestLine>) -> &'static str {
    match request {
        Some(line) if line.is_read() => "repeat the call: it changes nothing on the server",
        Some(_) => "find out whether it ran before you repeat it",
        None => "find out whether it ran before you repeat it; a GET may be repeated at once",
    }
}

/// The driver's answer to a request: its outcome, or why it was not accepted.
pub type Answer = Result<RequestOutcome, CommandError<Request<Body>>>;

/// Replaces the headers that say where a request over HTTP/1.1 goes to and where it ends: a caller's own may be wrong.
/// `Host` is left to whoever writes the request. A method that gives a body a meaning says also that there is none
/// (RFC 9110, section 8.6), else servers may answer 411.
pub fn frame(method: &Method, headers: &mut HeaderMap, body_bytes: usize) {
    for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    if body_bytes > 0 || [Method::POST, Method::PUT, Method::PATCH].contains(method) {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body_bytes));
    }
}

/// A request without a body, for a path of the server.
///
/// # Errors
///
/// [`RequestErrorKind::InvalidPath`].
pub fn request_to(method: Method, path: &str) -> Result<Request<Body>, RequestError> {
    let bad = |why: String| -> RequestError {
        // The query may have what a user wrote, or a key.
        let path = path.split('?').next().unwrap_or_default().chars().take(SHOWN).collect::<String>();
        RequestErrorKind::InvalidPath { path: path.into(), why: why.into() }.into()
    };
    if !path.starts_with('/') && !path.contains("://") {
        return Err(bad(InvalidReason::RelativePath.to_string()));
    }
    let odd = path.chars().find(|c| !c.is_ascii_graphic());
    if let Some(odd) = odd {
        return Err(bad(format!("{odd:?} must be percent-encoded; `with_query` writes queries")));
    }
    let uri: Uri = path.parse().map_err(|error: http::uri::InvalidUri| bad(error.to_string()))?;
    let mut request = Request::new(Body::empty());
    (*request.method_mut(), *request.uri_mut()) = (method, uri);
    Ok(request)
}

/// A request with `value` as its body in JSON.
///
/// # Errors
///
/// [`RequestErrorKind::InvalidPath`] and [`RequestErrorKind::InvalidBody`].
pub fn request_with_json<T: Serialize + ?Sized>(
    method: Method,
    path: &str,
    value: &T,
) -> Result<Request<Body>, RequestError> {
    let mut request = request_to(method, path)?;
    let invalid = |error| RequestError::from(RequestErrorKind::InvalidBody(error)).of(&RequestLine::of(&request));
    let body = Body::json(value).map_err(invalid)?;
    *request.body_mut() = body;
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

/// The result of a request for the application.
///
/// # Errors
///
/// [`RequestError`], which says whether the request may have run.
pub fn response(answer: Answer) -> Result<Response, RequestError> {
    let kind = match answer {
        Ok(RequestOutcome::Response { response, via }) => {
            return Ok(Response::new((*response).map(Body::from), via));
        }
        Ok(RequestOutcome::NotSent(cause)) => RequestErrorKind::NotSent(cause),
        Ok(RequestOutcome::TimedOut { sent }) => RequestErrorKind::TimedOut { sent },
        Ok(RequestOutcome::Cancelled { sent }) => RequestErrorKind::Cancelled { sent },
        Ok(RequestOutcome::Unknown(cause)) => RequestErrorKind::Unknown(cause),
        Err(refused) => RequestErrorKind::Refused(Box::new(refused)),
        Ok(_) => RequestErrorKind::Unknown(Cause::Closed),
    };
    Err(kind.into())
}

/// The result of a request, with its name: in the error, or among the extensions of the response for its
/// [`ApiError`](ringcentral_ws_core::ApiError).
///
/// # Errors
///
/// The error that was given.
pub fn named(result: Result<Response, RequestError>, request: &RequestLine) -> Result<Response, RequestError> {
    match result {
        Ok(response) => Ok(response.of(request.clone())),
        Err(error) => Err(error.of(request)),
    }
}

/// Why a request has no response, and whether it may have run. Its text begins with the request, as in
/// `POST /restapi/v1.0/account/~/extension/~/sms: the request has no answer and may have run: …`.
#[derive(Debug)]
pub struct RequestError {
    kind: RequestErrorKind,
    request: Option<Box<RequestLine>>,
}

/// What happened to a request that has no response: the [kind](RequestError::kind) of an error.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestErrorKind {
    /// No request can be made to this path. Nothing was sent.
    InvalidPath {
        /// The path as it was given, without its query.
        path: Box<str>,
        /// What is wrong with it.
        why: Box<str>,
    },
    /// The body cannot be written as JSON. Nothing was sent.
    InvalidBody(serde_json::Error),
    /// The client did not accept the request, and hands it back. Nothing was sent. [`CommandError`] says why.
    Refused(Box<CommandError<Request<Body>>>),
    /// The request did not reach the server, or was not carried out. Repeating it is safe.
    NotSent(Cause),
    /// The request was sent, and its answer was lost. It may have run.
    Unknown(Cause),
    /// The deadline passed.
    TimedOut {
        /// Whether the request was sent. Then it may have run.
        sent: bool,
    },
    /// The request was cancelled.
    Cancelled {
        /// Whether the request was sent. Then it may have run.
        sent: bool,
    },
    /// The program ends its client (`close`, `close_when`, `close_when_idle`), and the request did not run: it waited to
    /// be made again, or had not been sent, or came after the end. Of GET, HEAD and OPTIONS also one whose answer did not
    /// come any more. The next run can make it.
    Closing,
}

impl RequestError {
    /// What happened.
    #[must_use]
    pub const fn kind(&self) -> &RequestErrorKind {
        &self.kind
    }

    /// What happened, by value.
    #[must_use]
    pub fn into_kind(self) -> RequestErrorKind {
        self.kind
    }

    /// Which request it was: method and path. `None` if no request could be made of them.
    #[must_use]
    pub fn request_line(&self) -> Option<&RequestLine> {
        self.request.as_deref()
    }

    /// The same error with the name of its request.
    #[doc(hidden)]
    #[must_use]
    pub fn of(mut self, request: &RequestLine) -> Self {
        let has_name = matches!(self.kind, RequestErrorKind::InvalidPath { .. });
        if self.request.is_none() && !has_name {
            self.request = Some(Box::new(request.clone()));
        }
        self
    }

    /// Whether the server may have carried the request out.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self.kind {
            RequestErrorKind::Unknown(_) => true,
            RequestErrorKind::TimedOut { sent } | RequestErrorKind::Cancelled { sent } => sent,
            RequestErrorKind::InvalidPath { .. }
            | RequestErrorKind::InvalidBody(_)
            | RequestErrorKind::Refused(_)
            | RequestErrorKind::NotSent(_)
            | RequestErrorKind::Closing => false,
        }
    }

    /// Whether the only reason is that the program ends its client: no error for a program that was asked to end, because
    /// the call did not run, and the next run can make it.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self.kind, RequestErrorKind::Closing)
    }

    /// The same error of a client that the program has begun to close: what did not run for that reason is
    /// [`Closing`](RequestErrorKind::Closing).
    #[doc(hidden)]
    #[must_use]
    pub fn while_closing(mut self, method: &Method) -> Self {
        let is_closing = match &self.kind {
            RequestErrorKind::NotSent(Cause::Closed) => true,
            RequestErrorKind::Refused(why) => matches!(**why, CommandError::Closed(_)),
            RequestErrorKind::Unknown(Cause::Closed) => is_read(method),
            _ => false,
        };
        if is_closing {
            self.kind = RequestErrorKind::Closing;
        }
        self
    }

    /// Whether the same call may succeed later with nothing changed, and cannot run twice by that: it did not run, and
    /// what was in the way may pass. A call that [`may_have_run`](Self::may_have_run) is not counted in; one that
    /// changes nothing, such as a GET, may be repeated all the same.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            RequestErrorKind::Refused(why) => matches!(**why, CommandError::Full(_) | CommandError::NotDrained(_)),
            RequestErrorKind::NotSent(cause) => may_pass(cause),
            RequestErrorKind::TimedOut { sent } => !sent,
            RequestErrorKind::InvalidPath { .. }
            | RequestErrorKind::InvalidBody(_)
            | RequestErrorKind::Unknown(_)
            | RequestErrorKind::Cancelled { .. }
            | RequestErrorKind::Closing => false,
        }
    }

    /// What a person can do, in a few words.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match &self.kind {
            RequestErrorKind::InvalidPath { .. } => "correct the path",
            RequestErrorKind::InvalidBody(_) => "give a value that JSON can hold, with strings as its keys",
            RequestErrorKind::Refused(why) => match &**why {
                CommandError::Full(_) | CommandError::NotDrained(_) => "repeat the call when another one has ended",
                CommandError::Closed(_) => "start a new client",
                _ => "correct the request as the message says",
            },
            RequestErrorKind::NotSent(Cause::Closed) => "start a new client",
            RequestErrorKind::NotSent(cause) => match cause.remedy() {
                Some(remedy) => remedy,
                None if may_pass(cause) => "repeat the call later: it did not run",
                None => "correct the app, the login or the settings as the message says",
            },
            RequestErrorKind::Unknown(_) | RequestErrorKind::TimedOut { sent: true } => find_out(self.request_line()),
            RequestErrorKind::TimedOut { sent: false } => "repeat the call later, or give it more time: it did not run",
            RequestErrorKind::Cancelled { .. } => "this program cancelled the call",
            RequestErrorKind::Closing => "the next run of the program can make the call",
        }
    }

    /// A word such as `timed_out`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self.kind {
            RequestErrorKind::Unknown(_) => "unknown",
            RequestErrorKind::TimedOut { .. } => "timed_out",
            RequestErrorKind::Cancelled { .. } => "cancelled",
            _ => "not_sent",
        }
    }
}

impl From<RequestErrorKind> for RequestError {
    fn from(kind: RequestErrorKind) -> Self {
        Self { kind, request: None }
    }
}

/// Whether a call that did not run for this cause may do so later, with nothing changed.
fn may_pass(cause: &Cause) -> bool {
    match cause {
        Cause::TokenCall(error) => error.is_retryable(),
        Cause::Credentials { .. } => cause.remedy().is_none(),
        Cause::Closed
        | Cause::Forbidden(_)
        | Cause::Unauthorized
        | Cause::Evicted
        | Cause::InsecureUri
        | Cause::ForeignUri { .. } => false,
        _ => true,
    }
}

impl fmt::Display for RequestErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = |sent: bool| if sent { "it may have run" } else { "it was not sent" };
        match self {
            Self::InvalidPath { path, why } => write!(f, "the path {path:?} cannot be requested: {why}"),
            Self::InvalidBody(error) => write!(f, "the body cannot be written as JSON: {error}"),
            Self::Refused(why) => write!(f, "the request was refused: {why}"),
            Self::NotSent(cause) => write!(f, "the request was not sent: {cause}"),
            Self::Unknown(cause) => write!(f, "the request has no answer and may have run: {cause}"),
            Self::TimedOut { sent } => write!(f, "the request was not answered in time; {}", ran(*sent)),
            Self::Cancelled { sent } => write!(f, "the request was cancelled; {}", ran(*sent)),
            Self::Closing => f.write_str("the request was not made, because the program ends its client"),
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(request) = &self.request {
            write!(f, "{request}: ")?;
        }
        self.kind.fmt(f)
    }
}

impl std::error::Error for RequestError {}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[test]
    fn a_bad_path_is_refused_with_words_and_without_its_query() {
        for (path, why) in [
            ("restapi/v1.0/account/~", "must begin with `/`"),
            ("", "must begin with `/`"),
            ("/restapi/v1.0/a b?key=hunter2", "' ' must be percent-encoded"),
            ("/p?q=\u{202e}hunter2", r"'\u{202e}' must be percent-encoded"),
            ("http://", "cannot be requested: "),
        ] {
            let error = request_to(Method::GET, path).unwrap_err();
            let shown = error.to_string();
            assert!(shown.contains(why) && !shown.contains("hunter2"), "{shown}");
            assert!(!error.may_have_run() && error.as_str() == "not_sent");
        }
        let request = request_to(Method::DELETE, "/restapi/v1.0/p?a=%20b").unwrap();
        assert_eq!((request.method(), request.uri().query()), (&Method::DELETE, Some("a=%20b")));
    }

    // CLAUSE REQ-1
    #[test]
    fn a_value_is_sent_as_json_and_named_so() {
        let request = request_with_json(Method::POST, "/p", &["a"]).unwrap();
        assert_eq!(request.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(request.body(), &Body::from(r#"["a"]"#));
        let keys = std::collections::BTreeMap::from([(["a"], 1)]);
        let error = request_with_json(Method::PUT, "/p", &keys).unwrap_err();
        assert!(error.to_string().contains("cannot be written as JSON") && !error.may_have_run());
    }

    #[test]
    fn an_error_says_whether_to_repeat_the_call_and_what_to_do() {
        let credentials = |code: &str, message: &str| {
            RequestErrorKind::NotSent(Cause::Credentials { code: Some(code.into()), message: message.into() })
        };
        let wrong = credentials("OAU-146", "HTTP 401 OAU-146: Client authentication is required");
        let shown = wrong.to_string();
        assert_eq!(shown.matches("OAU-146").count(), 1, "{shown}");
        let request = || Request::new(Body::empty());
        let refused = |why| RequestErrorKind::Refused(Box::new(why));
        for (error, again, remedy) in [
            (wrong, false, "check the client id and secret"),
            (credentials("CMN-203", "m"), true, "repeat the call later"),
            (RequestErrorKind::NotSent(Cause::SocketLost), true, "repeat the call later"),
            (RequestErrorKind::NotSent(Cause::Closed), false, "start a new client"),
            (RequestErrorKind::NotSent(Cause::InsecureUri), false, "settings"),
            (RequestErrorKind::Unknown(Cause::SocketLost), false, "find out whether it ran"),
            (RequestErrorKind::TimedOut { sent: true }, false, "find out whether it ran"),
            (RequestErrorKind::TimedOut { sent: false }, true, "more time"),
            (RequestErrorKind::Cancelled { sent: false }, false, "cancelled"),
            (RequestErrorKind::Closing, false, "the next run"),
            (refused(CommandError::Full(request())), true, "another one has ended"),
            (refused(CommandError::Closed(request())), false, "start a new client"),
            (refused(CommandError::Invalid(request(), InvalidReason::Body)), false, "correct the request"),
            (request_to(Method::GET, "").unwrap_err().into_kind(), false, "correct the path"),
        ] {
            let error = RequestError::from(error);
            assert!(error.remedy().contains(remedy) && error.is_retryable() == again, "{error}: {}", error.remedy());
            assert!(!(again && error.may_have_run()), "{error}");
        }
    }

    #[test]
    fn what_the_end_of_the_client_refused_is_no_fault() {
        let closed = || RequestErrorKind::Refused(Box::new(CommandError::Closed(Request::new(Body::empty()))));
        for (error, method, is_closing) in [
            (RequestErrorKind::NotSent(Cause::Closed), Method::POST, true),
            (closed(), Method::POST, true),
            (RequestErrorKind::Unknown(Cause::Closed), Method::GET, true),
            (RequestErrorKind::Unknown(Cause::Closed), Method::POST, false),
            (RequestErrorKind::NotSent(Cause::SocketLost), Method::GET, false),
            (RequestErrorKind::NotSent(Cause::Unauthorized), Method::POST, false),
        ] {
            let error = RequestError::from(error);
            assert!(!error.is_closing());
            let error = error.while_closing(&method);
            assert_eq!(error.is_closing(), is_closing, "{error}");
            assert!(!is_closing || (!error.may_have_run() && error.as_str() == "not_sent"));
        }
    }

    // CLAUSE SEC-1 SEC-6
    #[test]
    fn a_refused_request_shows_neither_its_query_nor_its_headers() {
        let request = Request::get("https://h.example/p?key=hunter2").header("Authorization", "Bearer hunter2");
        let request = request.header("x-key", "hunter2").body(Body::from("hunter2")).unwrap();
        let error = response(Err(CommandError::Invalid(request, InvalidReason::ForeignHost))).unwrap_err();
        let shown = format!("{error:?} {error:#?} {error}");
        assert!(!shown.contains("hunter2") && shown.contains("ForeignHost"), "{shown}");
        let RequestErrorKind::Refused(refused) = error.into_kind() else { panic!("it is refused") };
        let CommandError::Invalid(back, _) = *refused else { panic!("{refused:?}") };
        assert_eq!(back.uri().query(), Some("key=hunter2"), "it is handed back whole");
    }
}
