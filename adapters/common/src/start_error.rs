//! Why a client was not started.

use std::{fmt, io};

use ringcentral_ws_core::{FilterError, RestoreError};

use crate::proxy::ProxyError;
use crate::tls::TlsError;

/// Why a client was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A filter cannot be one.
    Filter(FilterError),
    /// The snapshot cannot be used; start without it.
    Snapshot(RestoreError),
    /// The proxy that the environment names cannot be used.
    Proxy(ProxyError),
    /// There are no TLS settings.
    Tls(TlsError),
    /// The server has no TLS and is not this machine.
    InsecureServer,
    /// No runtime is running here: start the client from inside of one. Clients on threads need none.
    NoRuntime(io::Error),
    /// The system gave no random seed, no poller or no thread.
    System(io::Error),
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
            Self::Filter(error) => error.fmt(f),
            Self::Snapshot(error) => error.fmt(f),
            Self::Proxy(error) => write!(f, "{error}; see HTTPS_PROXY and ALL_PROXY"),
            Self::Tls(error) => error.fmt(f),
            Self::InsecureServer => f.write_str(
                "the server's address is not https, so credentials would travel in the clear: use https, a loopback \
                 address, or set `allow_insecure`",
            ),
            Self::NoRuntime(error) => write!(f, "no async runtime is running here: {error}"),
            Self::System(error) => write!(f, "the system refused what a client needs: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
