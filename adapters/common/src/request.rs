//! How a request of the application came out.

use std::fmt;

use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use ringcentral_ws_core::{Body, Cause, CommandError, RequestOutcome};

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

/// The result of a request for the application. The response has the extension `Via`, the way that the request went.
///
/// # Errors
///
/// [`RequestError`], which says whether the request may have run.
pub fn response(answer: Answer) -> Result<Response<Body>, RequestError> {
    match answer {
        Ok(RequestOutcome::Response { response, via }) => {
            let mut response = (*response).map(Body::from);
            response.extensions_mut().insert(via);
            Ok(response)
        }
        Ok(RequestOutcome::NotSent(cause)) => Err(RequestError::NotSent(cause)),
        Ok(RequestOutcome::TimedOut { sent }) => Err(RequestError::TimedOut { sent }),
        Ok(RequestOutcome::Cancelled { sent }) => Err(RequestError::Cancelled { sent }),
        Ok(RequestOutcome::Unknown(cause)) => Err(RequestError::Unknown(cause)),
        Err(refused) => Err(RequestError::Refused(Box::new(refused))),
        Ok(_) => Err(RequestError::Unknown(Cause::Closed)),
    }
}

/// Why a request has no response, and whether it may have run.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// The request was not accepted. Nothing was sent, and the request is handed back; [`CommandError`] says why.
    Refused(Box<CommandError<Request<Body>>>),
    /// The request did not run. Repeating it is safe.
    NotSent(Cause),
    /// The request left, and no answer will come. It may have run.
    Unknown(Cause),
    /// The deadline passed.
    TimedOut {
        /// Whether the request had left. Then it may have run.
        sent: bool,
    },
    /// The request was cancelled.
    Cancelled {
        /// Whether the request had left. Then it may have run.
        sent: bool,
    },
}

impl RequestError {
    /// Whether the server may have carried the request out.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::Refused(_) | Self::NotSent(_) => false,
            Self::Unknown(_) => true,
            Self::TimedOut { sent } | Self::Cancelled { sent } => *sent,
        }
    }

    /// A word such as `timed_out`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::NotSent(_) => "not_sent",
            Self::Unknown(_) => "unknown",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = |sent: bool| if sent { "it may have run" } else { "it was not sent" };
        match self {
            Self::Refused(why) => write!(f, "the request was refused: {why}"),
            Self::NotSent(cause) => write!(f, "the request was not sent: {cause}"),
            Self::Unknown(cause) => write!(f, "the request has no answer and may have run: {cause}"),
            Self::TimedOut { sent } => write!(f, "the request was not answered in time; {}", ran(*sent)),
            Self::Cancelled { sent } => write!(f, "the request was cancelled; {}", ran(*sent)),
        }
    }
}

impl std::error::Error for RequestError {}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::InvalidReason;

    use super::*;

    // CLAUSE SEC-1 SEC-6
    #[test]
    fn a_refused_request_shows_neither_its_query_nor_its_headers() {
        let request = Request::get("https://h.example/p?key=hunter2").header("Authorization", "Bearer hunter2");
        let request = request.header("x-key", "hunter2").body(Body::from("hunter2")).unwrap();
        let error = response(Err(CommandError::Invalid(request, InvalidReason::ForeignHost))).unwrap_err();
        let shown = format!("{error:?} {error:#?} {error}");
        assert!(!shown.contains("hunter2") && shown.contains("ForeignHost"), "{shown}");
        let RequestError::Refused(refused) = error else { panic!("{error:?}") };
        let CommandError::Invalid(back, _) = *refused else { panic!("{refused:?}") };
        assert_eq!(back.uri().query(), Some("key=hunter2"), "it is handed back whole");
    }
}
