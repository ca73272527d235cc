//! The error of a program.

use std::error::Error as StdError;
use std::fmt;

use ringcentral_ws_adapter::call_remedy;

use crate::{ApiError, CallError, RequestError};

/// Any error, for a `main` and the functions that it calls: all errors of this crate convert into it by `?`, and so does
/// every other type of error.
///
/// A `main` that returns it ends with status 1 and prints one line: what happened and, of a call, what to do.
///
/// ```no_run
/// use ringcentral_ws::Error;
///
/// fn main() -> Result<(), Error> {
///     let text = std::fs::read_to_string("numbers.txt")?;
///     if text.is_empty() {
///         return Err(Error::new("numbers.txt is empty"));
///     }
///     Ok(())
/// }
/// ```
///
/// Programs that already use `anyhow` or `Box<dyn Error + Send + Sync>` need it not.
pub struct Error(Box<dyn StdError + Send + Sync>);

impl Error {
    /// An error that says this.
    #[must_use]
    pub fn new(message: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(message.into())
    }

    /// What it was made from.
    #[must_use]
    pub fn inner(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }

    /// `Ok` if it is a call that did not run because the program ends its client ([`CallError::is_closing`]), else this
    /// error. With it a `main` ends with status 0 after Ctrl-C, also when that broke off a wait for the next try of a call:
    ///
    /// ```
    /// # use ringcentral_ws::Error;
    /// # fn run() -> Result<(), Error> { Ok(()) }
    /// fn main() -> Result<(), Error> {
    ///     run().or_else(Error::unless_closing)
    /// }
    /// ```
    ///
    /// Nothing is lost by it, if the program does not store the last snapshot then: the next start begins with a gap.
    ///
    /// # Errors
    ///
    /// Every other error.
    pub fn unless_closing(self) -> Result<(), Self> {
        let of_call = self.0.downcast_ref::<CallError>().is_some_and(CallError::is_closing);
        let of_request = self.0.downcast_ref::<RequestError>().is_some_and(RequestError::is_closing);
        if of_call || of_request { Ok(()) } else { Err(self) }
    }

    /// What a person can do, if the text of the error does not say it already.
    fn remedy(&self) -> Option<&str> {
        let api = self.0.downcast_ref::<ApiError>().map(call_remedy);
        api.or_else(|| self.0.downcast_ref::<RequestError>().map(RequestError::remedy))
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl From<Error> for Box<dyn StdError + Send + Sync> {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)?;
        match self.remedy() {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

/// The same line, because that is what a `main` shows which returns it.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::HeaderMap;
    use crate::{Cause, CloseReason, RequestErrorKind, StartError};

    fn shown(error: impl Into<Error>) -> String {
        let error = error.into();
        assert_eq!(error.to_string(), format!("{error:?}"));
        error.to_string()
    }

    #[test]
    fn what_main_shows_says_what_to_do_and_says_it_once() {
        let sent = |kind: RequestErrorKind| RequestError::from(kind);
        let api = || ApiError::from_reply(400, &HeaderMap::new(), br#"{"errorCode":"SUB-505","message":"m"}"#);
        let once = |line: String, part: &str| assert_eq!(line.matches(part).count(), 1, "{line}");
        once(shown(api()), api().remedy());
        once(shown(CallError::from(api())), api().remedy());
        once(shown(sent(RequestErrorKind::NotSent(Cause::SocketLost))), "repeat the call later");
        once(shown(StartError::InsecureServer("http://h".into())), "allow_insecure");
        let cause = Cause::Credentials { code: Some("OAU-140".into()), message: "m".into() };
        let ended = CloseReason::Permanent(cause).into_result().unwrap_err();
        once(shown(ended), "make a new JWT credential in the developer console");
        assert_eq!(shown(std::io::Error::other("no")), "no");
        assert!(Error::from(CallError::from(sent(RequestErrorKind::Closing))).unless_closing().is_ok());
        assert!(Error::from(sent(RequestErrorKind::Closing)).unless_closing().is_ok());
        assert!(Error::from(sent(RequestErrorKind::NotSent(Cause::Closed))).unless_closing().is_err());
        let own = Error::new("mine");
        assert!(
            own.inner().to_string() == "mine" && Box::<dyn StdError + Send + Sync>::from(own).to_string() == "mine"
        );
    }
}
