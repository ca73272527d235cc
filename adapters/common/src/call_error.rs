//! All that can go wrong with a call, in one type.

use std::fmt;

use ringcentral_ws_core::ApiError;

use crate::request::{RequestError, find_out};

/// Why a call came to nothing: it has no response, or the server refused it, or the body of the response does not fit.
///
/// All three convert into it, so a function that makes a call and reads its answer can return it:
///
/// ```
/// use ringcentral_ws_adapter::{CallError, Response};
///
/// fn name(response: Response) -> Result<String, CallError> {
///     let me: serde_json::Value = response.error_for_status()?.json()?;
///     Ok(me["name"].as_str().unwrap_or_default().to_owned())
/// }
/// ```
///
/// `Display` says which call it was (method and path), what happened and what to do, and `Debug` prints the same sentence.
#[non_exhaustive]
pub enum CallError {
    /// There is no response.
    Request(RequestError),
    /// The server refused the call.
    Api(Box<ApiError>),
    /// The body of the response is not what was expected.
    Body(serde_json::Error),
    /// A list has more pages than are read.
    TooLong,
}

impl CallError {
    /// Whether the server may have carried the request out. One that it refused was not, but with a status from 500 on
    /// (503 aside) it does not say: something broke, perhaps after the work was done.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::Request(error) => error.may_have_run(),
            Self::Api(error) => broke(error),
            Self::Body(_) | Self::TooLong => true,
        }
    }

    /// Whether the request certainly changed nothing, and the same one may be sent again, now or by the next run of the
    /// program: it did not leave, or the server was too busy for it (429, 503) or did not take the login (401).
    ///
    /// `false` means that it is not to be repeated: it [may have run](Self::may_have_run), or the server refuses the
    /// same request again. [`StateFile::once`](crate::StateFile::once) makes this decision for you.
    ///
    /// ```
    /// use ringcentral_ws_adapter::CallError;
    ///
    /// fn report(error: &CallError) {
    ///     if error.did_not_run() {
    ///         println!("it is sent again: {error}");
    ///     } else if error.may_have_run() {
    ///         println!("look whether it ran: {error}");
    ///     } else {
    ///         println!("it is refused: {error}");
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn did_not_run(&self) -> bool {
        match self {
            Self::Request(error) => !error.may_have_run(),
            Self::Api(error) => matches!(error.status, 401 | 429 | 503),
            Self::Body(_) | Self::TooLong => false,
        }
    }

    /// Whether the only reason is that the program ends its client ([`RequestError::is_closing`]). A program that was asked
    /// to end need not treat it as an error: the call did not run, and the next run can make it. For a `main` there is
    /// `Error::unless_closing`.
    #[must_use]
    pub const fn is_closing(&self) -> bool {
        matches!(self, Self::Request(error) if error.is_closing())
    }

    /// Whether the same call may succeed later with nothing changed, and did not run.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Request(error) => error.is_retryable(),
            Self::Api(error) => error.is_retryable() && !self.may_have_run(),
            Self::Body(_) | Self::TooLong => false,
        }
    }

    /// What a person can do, in a few words.
    #[must_use]
    pub fn remedy(&self) -> &str {
        match self {
            Self::Request(error) => error.remedy(),
            Self::Api(error) => call_remedy(error),
            Self::Body(_) => "look at the body of the response: it is empty, or does not fit the type",
            Self::TooLong => "read the list in parts of your own",
        }
    }
}

/// Whether a call that was answered so may have run.
const fn broke(error: &ApiError) -> bool {
    error.status >= 500 && error.status != 503
}

/// What to do about a call that was answered so.
#[doc(hidden)]
#[must_use]
pub fn call_remedy(error: &ApiError) -> &str {
    if broke(error) { find_out(error.request.as_ref()) } else { error.remedy() }
}

impl From<RequestError> for CallError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<ApiError> for CallError {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl From<serde_json::Error> for CallError {
    fn from(error: serde_json::Error) -> Self {
        Self::Body(error)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => write!(f, "{error}")?,
            Self::Api(error) => write!(f, "{error}")?,
            Self::Body(error) => write!(f, "the response cannot be read: {error}")?,
            Self::TooLong => f.write_str("the list has more pages than are read")?,
        }
        write!(f, "; {}", self.remedy())
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for CallError {}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use ringcentral_ws_core::{Cause, RequestLine};

    use super::*;
    use crate::request::RequestErrorKind;

    #[test]
    fn each_error_says_what_to_do() {
        let api = |status| ApiError::from_reply(status, &HeaderMap::new(), b"");
        let ended = |kind: RequestErrorKind| CallError::from(RequestError::from(kind));
        let body = || serde_json::from_str::<u8>("").unwrap_err();
        for (error, again, ran, safe, part) in [
            (ended(RequestErrorKind::NotSent(Cause::SocketLost)), true, false, true, "repeat the call later"),
            (ended(RequestErrorKind::NotSent(Cause::Closed)), false, false, true, "start a new client"),
            (ended(RequestErrorKind::Unknown(Cause::SocketLost)), false, true, false, "find out whether it ran"),
            (ended(RequestErrorKind::Closing), false, false, true, "the next run of the program"),
            (api(401).into(), false, false, true, "HTTP 401"),
            (api(404).into(), false, false, false, "HTTP 404"),
            (api(429).into(), true, false, true, "HTTP 429"),
            (api(500).into(), false, true, false, "find out whether it ran"),
            (api(503).into(), true, false, true, "HTTP 503"),
            (api(504).into(), false, true, false, "HTTP 504"),
            (body().into(), false, true, false, "cannot be read"),
        ] {
            let shown = error.to_string();
            assert!(shown.contains(part) && shown.contains(error.remedy()) && shown == format!("{error:?}"), "{shown}");
            let said = (error.is_retryable(), error.may_have_run(), error.did_not_run());
            assert_eq!(said, (again, ran, safe), "{shown}");
        }
    }
    // CLAUSE REQ-9 SEC-1
    #[test]
    fn the_text_names_the_call_and_its_method_says_whether_to_repeat_it() {
        let line = |method: &str| {
            let request = http::Request::builder().method(method).uri("https://h.example/a/~/sms?key=hunter2");
            RequestLine::of(&request.body(()).unwrap())
        };
        for (method, remedy) in [
            ("GET", "; repeat the call: it changes nothing on the server"),
            ("POST", "; find out whether it ran before you repeat it"),
        ] {
            let lost = RequestError::from(RequestErrorKind::Unknown(Cause::SocketLost)).of(&line(method));
            let mut broken = ApiError::from_reply(502, &HeaderMap::new(), b"");
            broken.request = Some(line(method));
            for error in [CallError::from(lost), broken.into()] {
                let shown = error.to_string();
                assert!(shown.starts_with(&format!("{method} /a/~/sms: ")) && shown.ends_with(remedy), "{shown}");
                assert!(!shown.contains("hunter2") && error.may_have_run(), "{shown}");
            }
        }
        // The first name stays, and a path that cannot be one is in the text already.
        let late = RequestError::from(RequestErrorKind::TimedOut { sent: false }).of(&line("PUT")).of(&line("GET"));
        assert_eq!(late.request_line().map(RequestLine::method), Some(&http::Method::PUT));
        let bad = crate::request_to(http::Method::GET, "a").unwrap_err().of(&line("GET"));
        assert!(bad.request_line().is_none() && bad.to_string().starts_with("the path \"a\""));
    }
}
