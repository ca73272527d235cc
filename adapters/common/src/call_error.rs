//! All that can go wrong with a call, in one type.

use std::fmt;

use ringcentral_ws_core::ApiError;

use crate::request::{FIND_OUT, RequestError};

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
/// `Display` says what happened and what to do, and `Debug` prints the same sentence.
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
            Self::Api(error) => error.status >= 500 && error.status != 503,
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
            Self::Api(_) if self.may_have_run() => FIND_OUT,
            Self::Api(error) => error.remedy(),
            Self::Body(_) => "look at the body of the response: it is empty, or does not fit the type",
            Self::TooLong => "read the list in parts of your own",
        }
    }
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
    use ringcentral_ws_core::Cause;

    use super::*;

    #[test]
    fn each_error_says_what_to_do() {
        let api = |status| ApiError::from_reply(status, &HeaderMap::new(), b"");
        let body = || serde_json::from_str::<u8>("").unwrap_err();
        for (error, again, ran, safe, part) in [
            (CallError::from(RequestError::NotSent(Cause::SocketLost)), true, false, true, "repeat the call later"),
            (RequestError::NotSent(Cause::Closed).into(), false, false, true, "start a new client"),
            (RequestError::Unknown(Cause::SocketLost).into(), false, true, false, "find out whether it ran"),
            (RequestError::Closing.into(), false, false, true, "the next run of the program"),
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
}
