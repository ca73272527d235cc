//! Why something of the session failed.

use std::fmt;
use std::time::Duration;

use super::api_error::ApiError;
use super::codes::{Class, Ending, lookup};
use crate::input::Phase;

/// Why a connection, an attempt, a request or the session came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The socket ended without a close frame.
    SocketLost,
    /// The server closed the connection.
    ServerClosed {
        /// Its close code.
        code: Option<u16>,
    },
    /// The WebSocket did not open, or no ConnectionDetails came, in time.
    HandshakeTimeout,
    /// A heartbeat was not answered in time.
    HeartbeatTimeout,
    /// The server could not read the recovery token (`WSG-400`).
    MalformedWsc,
    /// No data message for too long (`WSG-902`).
    IdleTimeout,
    /// The connection grew too old (`WSG-903`).
    AbsoluteTimeout,
    /// It was replaced in good time, before the server would have ended it.
    Renewal,
    /// Too many frames in a row could not be read.
    TooManyBadFrames,
    /// No WebSocket could be opened.
    ConnectFailed {
        /// How far it came.
        phase: Phase,
        /// One line for people.
        message: Box<str>,
    },
    /// The server answered the upgrade with another status.
    UpgradeRefused {
        /// That status.
        status: u16,
    },
    /// The server closed with 4400.
    NoAuthorization,
    /// The call for a WebSocket token was refused.
    TokenCall(Box<ApiError>),
    /// The answer with the WebSocket token could not be read.
    TokenUnreadable,
    /// The configured server has no TLS, or the address that it named for the WebSocket has none.
    InsecureUri,
    /// The server named a WebSocket on a host that is not trusted ([TOK-8](crate::protocol#tok-8)). Nothing was sent
    /// there.
    ForeignUri {
        /// The host.
        host: Box<str>,
    },
    /// An HTTPS call got no answer.
    Network {
        /// How far it came.
        phase: Phase,
        /// One line for people.
        message: Box<str>,
    },
    /// The credential source gave no access token.
    Credentials {
        /// The server's code, if there was one.
        code: Option<Box<str>>,
        /// One line for people.
        message: Box<str>,
    },
    /// A limit of this program on logins, or a pause that another login of the app was asked for: nothing was sent.
    LoginLimit {
        /// Which limit, and how to change it.
        message: Box<str>,
    },
    /// Two new access tokens were refused too, the first of them twice.
    Unauthorized,
    /// A new access token was refused; it may not be known everywhere yet, so it is not the end
    /// ([TOK-4](crate::protocol#tok-4)).
    TokenRefused,
    /// Access tokens in good use were revoked three times within minutes.
    Evicted,
    /// The app or the user lacks a permission.
    Forbidden(Box<ApiError>),
    /// Too many calls.
    RateLimited {
        /// How long to wait.
        retry_after: Duration,
    },
    /// The service is away for now.
    Unavailable {
        /// How long to wait, if the server said so.
        retry_after: Option<Duration>,
    },
    /// An `Error` message that was about the connection.
    ConnectionError {
        /// Its code.
        code: Option<Box<str>>,
    },
    /// The session was closed by the application, or had ended before.
    Closed,
    /// A subscription call was not answered in time.
    SocketTimeout,
}

/// What a cause says about who ended a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// The client.
    Client,
    /// The server, with a close frame.
    Server,
    /// The service, which is away or asks for fewer calls.
    Service,
    /// Nobody: the peer fell silent.
    Silence,
    /// Nobody: the transport broke.
    Transport,
    /// Anything else.
    Other,
}

impl Cause {
    /// Who ended the connection: the first pause (BCK-1), losses on the way (REC-5), and the series of failures (REC-9,
    /// CON-7) depend on it.
    pub(crate) const fn ended_by(&self) -> EndedBy {
        match self {
            Self::Renewal | Self::Closed => EndedBy::Client,
            Self::ServerClosed { .. } => EndedBy::Server,
            Self::Unavailable { .. } | Self::RateLimited { .. } => EndedBy::Service,
            Self::HeartbeatTimeout | Self::HandshakeTimeout => EndedBy::Silence,
            Self::SocketLost | Self::SocketTimeout => EndedBy::Transport,
            Self::MalformedWsc
            | Self::IdleTimeout
            | Self::AbsoluteTimeout
            | Self::TooManyBadFrames
            | Self::ConnectFailed { .. }
            | Self::UpgradeRefused { .. }
            | Self::NoAuthorization
            | Self::TokenCall(_)
            | Self::TokenUnreadable
            | Self::InsecureUri
            | Self::ForeignUri { .. }
            | Self::Network { .. }
            | Self::Credentials { .. }
            | Self::LoginLimit { .. }
            | Self::Unauthorized
            | Self::TokenRefused
            | Self::Evicted
            | Self::Forbidden(_)
            | Self::ConnectionError { .. } => EndedBy::Other,
        }
    }

    /// A word that stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SocketLost => "socket_lost",
            Self::ServerClosed { .. } => "server_closed",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::HeartbeatTimeout => "heartbeat_timeout",
            Self::MalformedWsc => "malformed_wsc",
            Self::IdleTimeout => "idle_timeout",
            Self::AbsoluteTimeout => "absolute_timeout",
            Self::Renewal => "renewal",
            Self::TooManyBadFrames => "too_many_bad_frames",
            Self::ConnectFailed { .. } => "connect_failed",
            Self::UpgradeRefused { .. } => "upgrade_refused",
            Self::NoAuthorization => "no_authorization",
            Self::TokenCall(_) => "token_call",
            Self::TokenUnreadable => "token_unreadable",
            Self::InsecureUri => "insecure_uri",
            Self::ForeignUri { .. } => "foreign_uri",
            Self::Network { .. } => "network",
            Self::Credentials { .. } => "credentials",
            Self::LoginLimit { .. } => "login_limit",
            Self::Unauthorized => "unauthorized",
            Self::TokenRefused => "token_refused",
            Self::Evicted => "evicted",
            Self::Forbidden(_) => "forbidden",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::ConnectionError { .. } => "connection_error",
            Self::Closed => "closed",
            Self::SocketTimeout => "socket_timeout",
        }
    }
}

impl Cause {
    /// What a person can do about it, where a code of the server tells; of other causes `Display` says it, if anything can
    /// be done.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        match self {
            Self::TokenCall(error) | Self::Forbidden(error) => Some(error.remedy()),
            Self::Credentials { code: Some(code), .. } => {
                lookup(code).filter(|row| row.class == Class::Permanent).map(|row| row.remedy)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SocketLost => f.write_str("the connection was lost"),
            Self::ServerClosed { code: Some(code) } => write!(f, "the server closed the connection ({code})"),
            Self::ServerClosed { code: None } => f.write_str("the server closed the connection"),
            Self::HandshakeTimeout => f.write_str("the connection was not ready in time"),
            Self::HeartbeatTimeout => f.write_str("a heartbeat was not answered in time"),
            Self::MalformedWsc => f.write_str("the server could not read the recovery token (WSG-400)"),
            Self::IdleTimeout => f.write_str("the server's idle timeout (WSG-902)"),
            Self::AbsoluteTimeout => f.write_str("the server's absolute timeout (WSG-903)"),
            Self::Renewal => f.write_str("the connection was renewed before its time was up"),
            Self::TooManyBadFrames => f.write_str("too many frames in a row could not be read"),
            Self::ConnectFailed { phase, message } => write!(f, "the WebSocket was not opened: {phase} failed: {message}"),
            Self::UpgradeRefused { status } => write!(f, "the server refused the WebSocket with HTTP {status}"),
            Self::NoAuthorization => f.write_str("the server closed the connection because the login was not valid for it (4400)"),
            Self::TokenCall(error) => write!(f, "the WebSocket token was refused: {error}"),
            Self::TokenUnreadable => f.write_str("the answer with the WebSocket token could not be read"),
            Self::InsecureUri => f.write_str(
                "the server, or the WebSocket that it named, has an address without TLS, so nothing was sent there; \
                 Config::allow_insecure permits it",
            ),
            Self::ForeignUri { host } => write!(
                f,
                "the server named the WebSocket host {host}, which is neither its own nor below ringcentral.com, so nothing \
                 was sent there; if the host is right, list it in Config::websocket_hosts"
            ),
            Self::Network { phase, message } => write!(f, "{phase} failed: {message}"),
            Self::Credentials { code: Some(code), message } if !message.contains(&**code) => write!(f, "the login failed ({code}): {message}"),
            Self::Credentials { message, .. } => write!(f, "the login failed: {message}"),
            Self::LoginLimit { message } => write!(f, "the login waits: {message}"),
            Self::Unauthorized => f.write_str(
                "new access tokens were refused too: check the app, the user and the server; if other programs log in as \
                 this user with this app, at most five of these logins live at a time, and each new one ends the oldest",
            ),
            Self::TokenRefused => f.write_str("a new access token was refused; it may not be known everywhere yet"),
            Self::Evicted => f.write_str(
                "the server ended three logins within minutes: at most five logins of a user with one app live at a time, \
                 and each new one ends the oldest; end other programs that log in, or give this one an app of its own",
            ),
            Self::Forbidden(error) => write!(f, "{error}; {}", error.remedy()),
            Self::RateLimited { retry_after } => write!(f, "too many calls: the server takes none for {} s", retry_after.as_secs_f64().ceil()),
            Self::Unavailable { retry_after: Some(d) } => write!(f, "the service is unavailable for {} s", d.as_secs()),
            Self::Unavailable { retry_after: None } => f.write_str("the service is unavailable"),
            Self::ConnectionError { code: Some(code) } => write!(f, "the server reported {code}"),
            Self::ConnectionError { code: None } => f.write_str("the server reported an error"),
            Self::Closed => f.write_str("the session was closed"),
            Self::SocketTimeout => f.write_str("no answer before the connection was lost"),
        }
    }
}

impl Ending {
    /// The cause that the application sees. `code` is that of the close frame.
    pub(crate) const fn cause(self, code: Option<u16>) -> Cause {
        match self {
            Self::MalformedWsc => Cause::MalformedWsc,
            Self::Idle => Cause::IdleTimeout,
            Self::TooOld => Cause::AbsoluteTimeout,
            Self::NoAuthorization => Cause::NoAuthorization,
            Self::Lost => Cause::SocketLost,
            Self::Away | Self::Closed => Cause::ServerClosed { code },
        }
    }
}
