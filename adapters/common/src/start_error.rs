//! Why a client was not started.

use std::{fmt, io};

use ringcentral_ws_core::{FilterError, RestoreError};

use crate::foreign::{RefusedState, StateNames};
use crate::proxy::ProxyError;
use crate::tls::TlsError;

/// Why a client was not started, and what to do about it.
///
/// `Debug` prints the same sentence as `Display`, because that is what a `main` shows which returns the error.
#[non_exhaustive]
pub enum StartError {
    /// A filter cannot be one.
    Filter(FilterError),
    /// The snapshot cannot be used; start without it.
    Snapshot(RestoreError),
    /// The session in the files of a [`StateFile`](crate::StateFile) cannot be used.
    State(RefusedState),
    /// Another client has the files of this [`StateFile`](crate::StateFile). This is the file of the session.
    InUse(Box<str>),
    /// The proxy that the environment names cannot be used.
    Proxy(ProxyError),
    /// There are no TLS settings.
    Tls(TlsError),
    /// The server, whose address this is, has no TLS and is not this machine.
    InsecureServer(Box<str>),
    /// No async runtime is running here. Call `start` inside of one. Clients on threads need none.
    NoRuntime(io::Error),
    /// The system gave no random seed, no poller or no thread.
    System(io::Error),
}

impl StartError {
    /// For a snapshot that cannot be used, which came from these files, if it came from any.
    pub(crate) fn restoring(why: RestoreError, files: Option<StateNames>) -> Self {
        match files {
            Some(names) => Self::State(RefusedState::new(names, why)),
            None => Self::Snapshot(why),
        }
    }
}

impl From<FilterError> for StartError {
    fn from(error: FilterError) -> Self {
        Self::Filter(error)
    }
}

impl From<ProxyError> for StartError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<RestoreError> for StartError {
    fn from(error: RestoreError) -> Self {
        Self::Snapshot(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(error) => fmt::Display::fmt(error, f),
            Self::Snapshot(error) => fmt::Display::fmt(error, f),
            Self::State(error) => fmt::Display::fmt(error, f),
            Self::InUse(file) => write!(
                f,
                "{file} is in use by another client of this process: take the events of that one up to `Closed` or drop \
                 them, or give each client its own file"
            ),
            Self::Proxy(error) => {
                write!(f, "{error}; correct HTTPS_PROXY or ALL_PROXY in the environment, or set `proxy` of the builder")
            }
            Self::Tls(error) => fmt::Display::fmt(error, f),
            Self::InsecureServer(address) => write!(
                f,
                "the server's address {address} is not https, so credentials would travel in the clear: use https or a \
                 loopback address; a test network permits it with `.config(Config {{ allow_insecure: true, \
                 ..Config::default() }})` of the builder"
            ),
            Self::NoRuntime(error) => write!(
                f,
                "no async runtime is running here ({error}): call `start` inside of one, for example in an \
                 `async fn main` with #[tokio::main]"
            ),
            Self::System(error) => write!(
                f,
                "the system refused a random seed, a poller or a thread ({error}): check the limits of processes and \
                 open files (ulimit -u, ulimit -n)"
            ),
        }
    }
}

impl fmt::Debug for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for StartError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_main_shows_says_what_to_do() {
        let io = || io::Error::other("no");
        for (error, remedy) in [
            (StartError::InsecureServer("http://h".into()), "http://h is not https"),
            (StartError::InsecureServer("http://h".into()), "`.config(Config { allow_insecure: true, ..Config"),
            (StartError::InUse("a.state".into()), "a.state is in use by another client"),
            (StartError::NoRuntime(io()), "#[tokio::main]"),
            (StartError::System(io()), "ulimit -n"),
            (StartError::Proxy(ProxyError::Scheme), "correct HTTPS_PROXY"),
            (StartError::Tls(TlsError::NoRoots), "turn on the feature `webpki-roots`"),
            (StartError::Snapshot(RestoreError::OtherServer), "start without it"),
            (StartError::Filter(FilterError::Empty), "give at least one"),
        ] {
            let shown = format!("{error:?}");
            assert!(shown.contains(remedy) && shown == error.to_string(), "{shown}");
        }
    }
}
