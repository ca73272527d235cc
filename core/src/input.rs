//! Inputs: what happened outside of a Session.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::ids::{AuthId, ConnId, HttpId};
use crate::secret::Secret;

/// Something that happened, for [`Session::handle_input`](crate::Session::handle_input): a frame, the end of an action,
/// the time.
///
/// Each asynchronous [`Action`](crate::Action) is completed by exactly one input that repeats its id. Input for a
/// connection, call or question that has ended is counted and changes nothing ([CON-4](crate::protocol#con-4)).
///
/// ```
/// use ringcentral_ws_core::{ClockReading, Config, ConnId, Frame, Input, Session, Timestamp};
///
/// let mut session = Session::new(Config::default(), 7, ClockReading::default());
/// let frame = Frame::Text(r#"[{"type":"Heartbeat"}]"#);
/// session.handle_input(Input::Frame { conn: ConnId::from(1), frame }, Timestamp::from_millis(20))?;
/// assert_eq!(session.stats().stale_inputs, 1, "no connection was opened");
/// # Ok::<(), ringcentral_ws_core::NotDrained>(())
/// ```
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
    /// Completes `Action::Authorize`: the credential source gave no token.
    AuthorizeFailed {
        /// The action's id.
        id: AuthId,
        /// Why not, and whether another try can help.
        failure: AuthFailure,
    },
    /// Completes `Action::Http`: the server answered, with any status.
    HttpResponse {
        /// The action's id.
        id: HttpId,
        /// Status, headers and the whole body.
        response: Box<http::Response<Bytes>>,
    },
    /// Completes `Action::Http`: there is no whole response, and there will be none.
    HttpFailed {
        /// The action's id.
        id: HttpId,
        /// How far the call came.
        failure: HttpFailure,
    },
    /// Completes `Action::Open`: the WebSocket is open.
    Opened {
        /// The action's connection.
        conn: ConnId,
    },
    /// Completes `Action::Open`: the WebSocket could not be opened.
    OpenFailed {
        /// The action's connection.
        conn: ConnId,
        /// How far it came.
        failure: OpenFailure,
    },
    /// A message arrived.
    Frame {
        /// The connection it arrived on.
        conn: ConnId,
        /// The message.
        frame: Frame<'a>,
    },
    /// The connection has ended: end of file, reset, or the end of a close handshake. Completes `Action::Close`.
    Closed {
        /// The connection.
        conn: ConnId,
        /// How it ended.
        close: CloseInfo,
    },
    /// The send buffer of the connection is above its high mark: requests wait.
    SendBlocked {
        /// The connection.
        conn: ConnId,
    },
    /// The send buffer is below its low mark again.
    SendReady {
        /// The connection.
        conn: ConnId,
    },
    /// The machine gained or lost its network.
    NetworkChanged {
        /// Whether there is a network now.
        online: bool,
    },
    /// Messages of the connection are waiting unread, because the application is slow. Give it at two moments:
    ///
    /// - In place of [`Timeout`](Self::Timeout), when a deadline comes while messages wait. The peer is alive, and the
    ///   answer that a timer waits for may be among the messages, so such timers are postponed
    ///   ([HB-3](crate::protocol#hb-3)).
    /// - Right before the first of these messages is given. It is unknown when they arrived, so the connection counts
    ///   as silent since before they waited, until a new heartbeat is answered ([REC-5](crate::protocol#rec-5)).
    Unread {
        /// The connection.
        conn: ConnId,
    },
    /// The process was suspended, or the clock jumped ([HB-4](crate::protocol#hb-4)). Give it before the frames that
    /// waited in the socket.
    Resumed,
    /// Time has passed. Give it at the time of [`Wait::Until`](crate::Wait::Until); earlier or later does no harm.
    Timeout,
}

impl Input<'_> {
    /// Whether a call or a connection has ended by it, or a question for a token.
    pub(crate) const fn is_an_end(&self) -> bool {
        match self {
            Self::Authorized { .. }
            | Self::AuthorizeFailed { .. }
            | Self::HttpResponse { .. }
            | Self::HttpFailed { .. }
            | Self::OpenFailed { .. }
            | Self::Closed { .. } => true,
            Self::Opened { .. }
            | Self::Frame { .. }
            | Self::SendBlocked { .. }
            | Self::SendReady { .. }
            | Self::NetworkChanged { .. }
            | Self::Unread { .. }
            | Self::Resumed
            | Self::Timeout => false,
        }
    }
}

/// One WebSocket message, or what the WebSocket layer made of the bytes that arrived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message. The protocol has none, so it is counted and reported.
    Binary(&'a [u8]),
    /// A WebSocket ping or pong: a sign of life.
    Control,
    /// A message above the transport's size limit, which was discarded. Its size in bytes, as far as it is known.
    TooLarge(usize),
    /// Bytes that arrived and are no whole message: the WebSocket layer could not read them, or the connection ended in
    /// the middle of a message. They may have been a notification, so they count as an unreadable frame
    /// ([FRM-1](crate::protocol#frm-1)). [`Input::Closed`] follows as soon as the transport has ended.
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

/// The words of the kinds, for both directions.
macro_rules! unreadable_words {
    ($($kind:ident = $word:literal),* $(,)?) => {
        impl Unreadable {
            /// All kinds that this version knows.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// A word such as `reserved_bits`, which stays the same between versions.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $word,)* }
            }

            /// The kind that [`as_str`](Self::as_str) names.
            #[cfg(feature = "recorder")]
            pub(crate) fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

unreadable_words! {
    Utf8 = "utf8",
    ReservedBits = "reserved_bits",
    Opcode = "opcode",
    Masked = "masked",
    Fragment = "fragment",
    Control = "control",
    Cut = "cut",
    Other = "other",
}

/// An OAuth access token, as a credential source gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessToken {
    /// The bearer value.
    pub secret: Secret,
    /// How long it is valid from now, if that is known. The session asks for a new one after 80 % of it.
    pub expires_in: Option<Duration>,
    /// Whether the source had it already and made no call for it. Then, if it lives for at least a minute, the question
    /// costs no call of the budget ([TOK-2](crate::protocol#tok-2)). If in doubt, `false`.
    pub cached: bool,
}

/// Why a credential source gave no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFailure {
    /// What failed. It decides what the session does next.
    pub kind: AuthFailureKind,
    /// The server's error code, if it gave one.
    pub code: Option<Box<str>>,
    /// One line for people, without secrets.
    pub message: Box<str>,
    /// The shortest wait before the next try, such as `Retry-After`. With `RateLimited` none, or less than a second,
    /// means [`RetryPolicy::penalty`](crate::RetryPolicy::penalty) ([TOK-3](crate::protocol#tok-3)).
    pub retry_after: Option<Duration>,
}

/// The kinds of [`AuthFailure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthFailureKind {
    /// Retries cannot solve it; a person has to change something. A live connection goes on. The session ends when it
    /// needs a token and has none.
    Permanent,
    /// The call of the login got no answer.
    Network {
        /// How far it came.
        phase: Phase,
        /// Whether nothing reached the server. Then the call counts against no limit ([TOK-2](crate::protocol#tok-2)).
        not_sent: bool,
    },
    /// The server answered 429.
    RateLimited,
    /// The server answered 5xx.
    Unavailable,
    /// A limit of the client's own ([TOK-9](crate::protocol#tok-9)). Nothing was sent, and `retry_after` says when
    /// there is room again.
    Limited,
    /// Anything else that may pass.
    Other,
}

impl AuthFailure {
    /// A failure that retries cannot solve. `message` is one line for people, without secrets.
    #[must_use]
    pub fn permanent(message: impl Into<Box<str>>) -> Self {
        Self::new(AuthFailureKind::Permanent, message)
    }

    /// A failure that may pass. `message` is one line for people, without secrets.
    #[must_use]
    pub fn transient(message: impl Into<Box<str>>) -> Self {
        Self::new(AuthFailureKind::Other, message)
    }

    /// A failure of this kind, without a code and without a shortest wait.
    #[must_use]
    pub fn new(kind: AuthFailureKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, code: None, message: message.into(), retry_after: None }
    }

    /// Whether retries cannot solve it, and a person has to change something.
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

impl fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the login failed: ")?;
        // The message of an answer of the server begins with it.
        if let Some(code) = self.code.as_deref().filter(|code| !self.message.contains(code)) {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for AuthFailure {}

/// Why an HTTPS call has no response, and how far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFailure {
    /// Where it failed.
    pub phase: Phase,
    /// Whether no byte of the request was sent. Then it cannot have run, and repeating it is safe.
    pub not_sent: bool,
    /// One line for people, without secrets.
    pub message: Box<str>,
}

impl fmt::Display for HttpFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = if self.not_sent { "nothing was sent" } else { "it may have run" };
        write!(f, "the HTTPS call failed at {}: {}; {sent}", self.phase, self.message)
    }
}

impl std::error::Error for HttpFailure {}

/// The steps of a connection or call, in order: a later one compares as greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// Name lookup.
    Dns,
    /// The TCP connection, and the proxy's CONNECT.
    Tcp,
    /// The TLS handshake.
    Tls,
    /// The request or the upgrade was on its way.
    Request,
    /// The response was being read.
    Response,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Dns => "the name lookup",
            Self::Tcp => "the TCP connection",
            Self::Tls => "the TLS handshake",
            Self::Request => "the request",
            Self::Response => "the response",
        })
    }
}

/// Why a WebSocket did not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFailure {
    /// Where it failed. Before [`Phase::Request`] the server has seen no token, so the token is kept
    /// ([TOK-1](crate::protocol#tok-1)).
    pub phase: Phase,
    /// The HTTP status, if the server refused the upgrade.
    pub status: Option<u16>,
    /// `Retry-After` of that refusal, by [`retry_after`](crate::classify::retry_after).
    pub retry_after: Option<Duration>,
    /// One line for people, without secrets.
    pub message: Box<str>,
}

impl OpenFailure {
    /// A failure of which no more is known than the HTTP status, if there was one. The server may have seen the token, so
    /// the next attempt takes another ([TOK-1](crate::protocol#tok-1)).
    #[must_use]
    pub fn unknown(status: impl Into<Option<u16>>, message: impl fmt::Display) -> Self {
        let status = status.into();
        Self { phase: Phase::Response, status, retry_after: None, message: message.to_string().into() }
    }
}

impl fmt::Display for OpenFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the WebSocket did not open, it failed at {}", self.phase)?;
        if let Some(status) = self.status {
            write!(f, " (HTTP {status})")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for OpenFailure {}

/// How a connection ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloseInfo {
    /// The close code, if a close frame came.
    pub code: Option<u16>,
    /// The reason of the close frame, or the transport's error, for people.
    pub reason: Box<str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_errors_that_say_what_happened() {
        let message = || Box::from("reset by peer");
        let http = HttpFailure { phase: Phase::Request, not_sent: false, message: message() };
        let open = OpenFailure::unknown(403, message());
        let auth = AuthFailure { code: Some("OAU-213".into()), ..AuthFailure::permanent("the token is not valid") };
        let errors: [(Box<dyn std::error::Error + Send + Sync>, &str); 3] = [
            (http.into(), "the HTTPS call failed at the request: reset by peer; it may have run"),
            (open.into(), "the WebSocket did not open, it failed at the response (HTTP 403): reset by peer"),
            (auth.into(), "the login failed: OAU-213: the token is not valid"),
        ];
        for (error, shown) in errors {
            assert_eq!(error.to_string(), shown);
        }
    }
}
