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
    /// Messages of this connection have waited unread, because the application is slow. Give it in place of
    /// [`Timeout`](Self::Timeout) when a deadline has come meanwhile: the peer is alive, and what a timer waits for may be
    /// among those messages, so such timers are put off (HB-3). Give it also right before the first of them is handed on:
    /// when they came nobody knows, so until a heartbeat sent now is answered, silence counts from before they waited
    /// (REC-5).
    Unread {
        /// Which.
        conn: ConnId,
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
    /// Bytes that arrived and are no whole message: the WebSocket layer could not read them, or the connection ended
    /// in the middle of one. They may have been a notification, so they are reported like one that cannot be read
    /// (FRM-1). [`Input::Closed`] follows as soon as the transport has ended.
    Unreadable(Unreadable),
}

/// What the WebSocket layer could not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// A text message that is not UTF-8.
    Utf8,
    /// Reserved bits in a frame header.
    ReservedBits,
    /// An opcode that RFC 6455 does not define.
    Opcode,
    /// A masked frame, which a server must not send.
    Masked,
    /// A continuation without a beginning, or a beginning inside another message.
    Fragment,
    /// A control frame that is fragmented or too long, or a close frame that makes no sense.
    Control,
    /// The connection ended in the middle of a message.
    Cut,
    /// Anything else that breaks RFC 6455.
    Other,
}

impl Unreadable {
    /// A word that stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::ReservedBits => "reserved_bits",
            Self::Opcode => "opcode",
            Self::Masked => "masked",
            Self::Fragment => "fragment",
            Self::Control => "control",
            Self::Cut => "cut",
            Self::Other => "other",
        }
    }

    /// The kind that [`as_str`](Self::as_str) names.
    #[cfg(feature = "recorder")]
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        let all = [
            Self::Utf8,
            Self::ReservedBits,
            Self::Opcode,
            Self::Masked,
            Self::Fragment,
            Self::Control,
            Self::Cut,
            Self::Other,
        ];
        all.into_iter().find(|one| one.as_str() == word)
    }
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
    /// What failed, and so what helps.
    pub kind: AuthFailureKind,
    /// The server's error code, if it gave one.
    pub code: Option<Box<str>>,
    /// One line for people; holds no secret.
    pub message: Box<str>,
    /// A floor for the next try (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// What kept a credential source from giving a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthFailureKind {
    /// Asking again without a change by the user cannot help. The session ends if it has no other token and cannot
    /// connect without one; a live connection goes on.
    Permanent,
    /// The call of the login got no answer.
    Network {
        /// How far it came.
        phase: Phase,
        /// `true`: nothing reached the server, so it counts against none of its limits (TOK-2).
        not_sent: bool,
    },
    /// The server answered 429.
    RateLimited,
    /// The server answered 5xx.
    Unavailable,
    /// A limit on this side: nothing was sent, and `retry_after` says when there is room again (TOK-9).
    Limited,
    /// Anything else that may pass.
    Other,
}

impl AuthFailure {
    /// A failure that only a change by the user mends. `message` is one line for people, without secrets.
    #[must_use]
    pub fn permanent(message: impl Into<Box<str>>) -> Self {
        Self::new(AuthFailureKind::Permanent, message)
    }

    /// A failure that may pass. `message` is one line for people, without secrets.
    #[must_use]
    pub fn transient(message: impl Into<Box<str>>) -> Self {
        Self::new(AuthFailureKind::Other, message)
    }

    /// A failure of this kind, without a code and without a floor for the next try.
    #[must_use]
    pub fn new(kind: AuthFailureKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, code: None, message: message.into(), retry_after: None }
    }

    /// Whether only a change by the user helps.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        matches!(self.kind, AuthFailureKind::Permanent)
    }

    /// Whether the server cannot have seen a call.
    #[must_use]
    pub const fn not_sent(&self) -> bool {
        matches!(self.kind, AuthFailureKind::Network { not_sent: true, .. } | AuthFailureKind::Limited)
    }
}

impl From<HttpFailure> for AuthFailure {
    /// A login's call that got no answer.
    fn from(failure: HttpFailure) -> Self {
        Self::new(AuthFailureKind::Network { phase: failure.phase, not_sent: failure.not_sent }, failure.message)
    }
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
