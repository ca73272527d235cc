//! What the outside tells a Session: facts, never wishes.

use std::time::Duration;

use bytes::Bytes;

use crate::ids::{AuthId, ConnId, HttpId};
use crate::secret::Secret;

/// A fact for [`Session::handle_input`](crate::Session::handle_input).
#[derive(Clone)]
#[non_exhaustive]
pub enum Input<'a> {
    /// Completes `Action::Authorize`: the credential source gave an access token.
    Authorized {
        /// The action's id.
        id: AuthId,
        /// The token.
        token: AccessToken,
    },
    /// Completes `Action::Authorize`: no token could be had.
    AuthorizeFailed {
        /// The action's id.
        id: AuthId,
        /// Why, and whether trying again can help.
        failure: AuthFailure,
    },
    /// Completes `Action::Http`: any status, 4xx and 5xx included.
    HttpResponse {
        /// The action's id.
        id: HttpId,
        /// The whole response.
        response: Box<http::Response<Bytes>>,
    },
    /// Completes `Action::Http`: no response.
    HttpFailed {
        /// The action's id.
        id: HttpId,
        /// Why.
        failure: HttpFailure,
    },
    /// Completes `Action::Open`: the WebSocket is up.
    Opened {
        /// The action's connection.
        conn: ConnId,
    },
    /// Completes `Action::Open`: it is not, and never will be.
    OpenFailed {
        /// The action's connection.
        conn: ConnId,
        /// Why.
        failure: OpenFailure,
    },
    /// One whole message arrived.
    Frame {
        /// Where.
        conn: ConnId,
        /// What.
        frame: Frame<'a>,
    },
    /// The connection is gone: end of file, reset, or the end of a close handshake. Completes `Action::Close`.
    Closed {
        /// Which.
        conn: ConnId,
        /// How.
        close: CloseInfo,
    },
    /// The send buffer of this connection is above its high mark.
    SendBlocked {
        /// Which.
        conn: ConnId,
    },
    /// It is below its low mark again.
    SendReady {
        /// Which.
        conn: ConnId,
    },
    /// The host gained or lost its network.
    NetworkChanged {
        /// Whether there is a network now.
        online: bool,
    },
    /// The process was suspended, or the clock jumped. Give it before the frames that waited in the socket.
    Resumed,
    /// Nothing but time. Always safe, early or late.
    Timeout,
}

/// One WebSocket message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message: the protocol has none, so it is counted and reported.
    Binary(&'a [u8]),
    /// A transport-level ping or pong. Counts as life.
    Control,
    /// A message over the transport's size limit that was discarded, with its size in bytes where known.
    TooLarge(usize),
}

/// An OAuth access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// The bearer value.
    pub secret: Secret,
    /// Life left, if known. The Session asks for a new one at 80 % of it.
    pub expires_in: Option<Duration>,
}

/// Why a credential source gave no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFailure {
    /// `true`: asking again without a change by the user cannot help. The session ends if it has no other token and
    /// cannot connect without one; a live connection goes on.
    pub permanent: bool,
    /// The server's error code, if it gave one.
    pub code: Option<Box<str>>,
    /// One line for people; holds no secret.
    pub message: Box<str>,
    /// A floor for the next try (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// How far an HTTPS call came before it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFailure {
    /// Where it failed.
    pub phase: Phase,
    /// `true`: no byte of the request left, so repeating it is safe.
    pub not_sent: bool,
    /// One line for people; holds no secret.
    pub message: Box<str>,
}

/// The steps of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Name lookup.
    Dns,
    /// TCP, the proxy's CONNECT included.
    Tcp,
    /// TLS.
    Tls,
    /// The request or the upgrade was on its way.
    Request,
    /// The response was being read.
    Response,
}

/// Why a WebSocket did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFailure {
    /// Where it failed. Before [`Phase::Request`] the server saw no token, so the token is kept (TOK-1).
    pub phase: Phase,
    /// The status, when the server refused the upgrade.
    pub status: Option<u16>,
    /// `Retry-After` of that refusal.
    pub retry_after: Option<Duration>,
    /// One line for people; holds no secret.
    pub message: Box<str>,
}

/// How a connection ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseInfo {
    /// The close code, if a close frame came.
    pub code: Option<u16>,
    /// The close reason or the transport's error, for people.
    pub reason: Box<str>,
}
