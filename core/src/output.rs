//! What a Session wants done, and what it tells the application.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::classify::{ApiErrorInfo, Cause};
use crate::filters::{DisabledFilter, Filters};
use crate::gap::Gap;
use crate::ids::{AuthId, ConnId, HttpId, RequestId, SubscriptionId};
use crate::input::Unreadable;
use crate::notification::Notification;
use crate::secret::{Secret, SecretUrl};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::ConnectionDetails;

/// The only way out of a Session. Exhaustive on purpose: a new kind of output must break the loop's build.
///
/// Outputs and inputs are moved several times a message, so what is large and rare lies in a box.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an output that is not acted on is lost"]
pub enum Output {
    /// Do this.
    Action(Action),
    /// Tell the application this.
    Event(Event),
    /// Nothing more for now. The next `poll_output` says the same until the Session is called.
    Wait(Wait),
}

/// How long to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Call `handle_input(Input::Timeout, ..)` at `at`, unless something comes first.
    Until {
        /// Always later than the `now` of the last call (C3).
        at: Timestamp,
        /// Which timer it is, for logs.
        reason: TimerKind,
    },
    /// No timer runs; wait for an input or a command.
    ForInput,
    /// The session has ended; every call is inert.
    Finished,
}

/// Something for the driver to do.
#[derive(Clone)]
#[non_exhaustive]
pub enum Action {
    /// Ask the credential source for an access token. Completed by `Authorized` or `AuthorizeFailed`.
    Authorize {
        /// To be repeated in the completion.
        id: AuthId,
        /// Why a token is wanted.
        reason: AuthReason,
        /// The last token that the Session took, in use or refused. A source that several clients share can see from it
        /// whether it has a newer one already. A token that came too late was not taken, and is still good.
        last: Option<Secret>,
    },
    /// Make this HTTPS call. Completed by `HttpResponse` or `HttpFailed`. The `Authorization` header is set and
    /// marked sensitive.
    Http {
        /// To be repeated in the completion.
        id: HttpId,
        /// What it is for.
        purpose: HttpPurpose,
        /// The call, with an absolute URI.
        request: Box<http::Request<Bytes>>,
    },
    /// Open a WebSocket. Completed by `Opened` or `OpenFailed`.
    Open {
        /// The new live connection.
        conn: ConnId,
        /// Where to. Its query is secret.
        url: SecretUrl,
    },
    /// Send one text message.
    Send {
        /// Always the live connection.
        conn: ConnId,
        /// The message.
        text: String,
        /// What it is for.
        purpose: Purpose,
    },
    /// Send one text message that creates the subscription anew, because the server lost it (REC-3).
    Resubscribe {
        /// Always the live connection.
        conn: ConnId,
        /// The message.
        text: String,
    },
    /// Start the close handshake and go on reading. Completed by `Closed`.
    Close {
        /// Always the live connection.
        conn: ConnId,
        /// The close code.
        code: u16,
        /// The close reason.
        reason: &'static str,
    },
    /// Forget the socket at once, without a polite close, also one that is still opening. Has no completion.
    Drop {
        /// Which.
        conn: ConnId,
    },
    /// Give up waiting for this HTTPS call. Has no completion, and the call's own no longer counts.
    AbortHttp {
        /// Which.
        id: HttpId,
    },
}

impl PartialEq for Action {
    /// Compares what can be compared: two HTTPS calls are equal by method, URI, headers and body.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Authorize { id: a, reason: r, last: l }, Self::Authorize { id: b, reason: s, last: m }) => {
                a == b && r == s && l == m
            }
            (Self::Http { id: a, purpose: p, request: r }, Self::Http { id: b, purpose: q, request: s }) => {
                a == b
                    && p == q
                    && r.method() == s.method()
                    && r.uri() == s.uri()
                    && r.headers() == s.headers()
                    && r.body() == s.body()
            }
            (Self::Open { conn: a, url: u }, Self::Open { conn: b, url: v }) => a == b && u == v,
            (Self::Send { conn: a, text: t, purpose: p }, Self::Send { conn: b, text: u, purpose: q }) => {
                a == b && t == u && p == q
            }
            (Self::Resubscribe { conn: a, text: t }, Self::Resubscribe { conn: b, text: u }) => a == b && t == u,
            (Self::Close { conn: a, code: c, reason: r }, Self::Close { conn: b, code: d, reason: s }) => {
                a == b && c == d && r == s
            }
            (Self::Drop { conn: a }, Self::Drop { conn: b }) => a == b,
            (Self::AbortHttp { id: a }, Self::AbortHttp { id: b }) => a == b,
            _ => false,
        }
    }
}

/// Why an access token is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthReason {
    /// None is held.
    Missing,
    /// The held one has used 80 % of its life. Refresh it; the connection goes on.
    Expiring,
    /// The server refused the held one. Do not give the same one again.
    Refused,
}

/// What an HTTPS call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpPurpose {
    /// Fetches the WebSocket token that the next connection presents.
    ConnectionToken,
    /// A REST call of the application.
    Request(RequestId),
}

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Liveness (HB-1).
    Heartbeat,
    /// Creates the subscription (POST).
    Subscribe,
    /// Changes its filters (PUT).
    Update,
    /// Removes it (DELETE).
    Unsubscribe,
    /// A REST call of the application.
    Request(RequestId),
}

/// Something for the application to know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A connection is ready: its ConnectionDetails arrived.
    Connected {
        /// Which.
        conn: ConnId,
        /// What became of the session before it.
        resumption: Resumption,
        /// All that the server said.
        details: Box<ConnectionDetails>,
    },
    /// The subscription exists on the server.
    Subscribed(Box<SubscriptionInfo>),
    /// The server refused it.
    SubscriptionFailed {
        /// Which call of `subscribe`.
        id: SubscriptionId,
        /// The refusal.
        error: Box<ApiErrorInfo>,
        /// When it is tried again; `None`: never, unless asked.
        retry_at: Option<Timestamp>,
    },
    /// The subscription is gone from the server, as asked, and nothing of it is delivered any more. One whose making
    /// was never confirmed cannot be removed, because nobody here knows its id: the server lets it expire.
    Unsubscribed {
        /// Which call of `subscribe`.
        id: SubscriptionId,
    },
    /// A notification, for the first and only time, in order.
    Notification(Notification),
    /// The session continued: the server kept it and replays what was missed.
    Recovered {
        /// The connection it continued on.
        conn: ConnId,
    },
    /// The session did not continue; a `Gap` follows when the subscription stands again.
    RecoveryFailed {
        /// The connection that replaces it.
        conn: ConnId,
        /// `recoveryErrorCode` of the server; `None` when the window had passed and recovery was not asked for.
        code: Option<Box<str>>,
    },
    /// An attempt failed and another follows. It does not mean giving up (REC-8).
    Retry {
        /// Failed attempts and short-lived connections since the last connection that was good: one on which a heartbeat
        /// was answered (BCK-6).
        attempt: u32,
        /// Why it failed.
        cause: Cause,
        /// When the next one starts.
        at: Timestamp,
        /// How long that is from now.
        delay: Duration,
        /// What it waits for.
        reason: WaitReason,
    },
    /// The next attempt, or the next step of one, waits for longer than two seconds, and no attempt has failed right
    /// now (REC-8).
    Waiting {
        /// What it waits for.
        reason: WaitReason,
        /// Until when.
        at: Timestamp,
        /// How long that is from now.
        delay: Duration,
    },
    /// Notifications may have been lost (REC-5). Always before the next notification.
    Gap(Gap),
    /// A REST request ended, for the first and only time (REQ-3).
    Response {
        /// Which.
        id: RequestId,
        /// How.
        outcome: RequestOutcome,
    },
    /// The connection is gone.
    Disconnected {
        /// Which.
        conn: ConnId,
        /// Why.
        cause: Cause,
        /// The reason of the close frame, or the transport's error, in the words of others: without the secrets that the
        /// session knows, at most 1024 bytes. `None` when nobody said anything.
        reason: Option<Box<str>>,
    },
    /// The server sent something that cannot be read. Counted, never fatal by itself (FRM-1).
    ProtocolError {
        /// Where.
        conn: ConnId,
        /// What was wrong; holds no part of the message.
        error: ProtocolError,
    },
    /// `Session::snapshot` would give something new. At most once per drain, and its last event but `Closed`.
    ///
    /// Store the first one after a restore and call [`snapshot_stored`](crate::Session::snapshot_stored): a session that
    /// goes on from an orderly end opens no connection before that (PST-2). The later ones may be thinned out; what was
    /// received since the last stored one may come again after a crash, and a `Gap` says so.
    SnapshotChanged,
    /// The end. Nothing follows.
    Closed {
        /// Why.
        reason: CloseReason,
    },
}

/// What a session waits for before it tries again (REC-8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WaitReason {
    /// The pause between two attempts, with its jitter.
    Backoff,
    /// The server asked for it.
    RetryAfter,
    /// The calls of the rate-limit group Auth are used up for this minute:
    /// [`RetryPolicy::auth_calls_per_minute`](crate::RetryPolicy::auth_calls_per_minute).
    AuthBudget,
    /// So are the attempts: [`RetryPolicy::attempts_per_minute`](crate::RetryPolicy::attempts_per_minute).
    AttemptBudget,
    /// The call that is left is kept for a try right before the recovery window ends.
    LastChance,
    /// An access token just issued was refused; it may not be known everywhere yet (TOK-4).
    TokenSpread,
    /// Another client opens this session again and again: it rests, and then begins anew (CON-7).
    Contended,
}

impl WaitReason {
    /// The word of the line protocol.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::RetryAfter => "retry_after",
            Self::AuthBudget => "auth_budget",
            Self::AttemptBudget => "attempt_budget",
            Self::LastChance => "last_chance",
            Self::TokenSpread => "token_spread",
            Self::Contended => "contended",
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "the pause between two attempts",
            Self::RetryAfter => "the server asked to wait",
            Self::AuthBudget => "the server allows a few logins and token calls a minute, and they are used up",
            Self::AttemptBudget => "the attempts allowed in a minute are used up",
            Self::LastChance => "the call that is left is kept for the end of the recovery window",
            Self::TokenSpread => "a new access token may not be known everywhere yet",
            Self::Contended => "another client uses the same session; a session of its own begins after this",
        })
    }
}

/// What became of the session before this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// There was none.
    Fresh,
    /// It continued.
    Recovered,
    /// It was lost.
    Lost,
}

impl Resumption {
    /// The word of the line protocol.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Recovered => "recovered",
            Self::Lost => "lost",
        }
    }
}

/// The subscription as the server confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// Which call of `subscribe`.
    pub id: SubscriptionId,
    /// The server's id.
    pub server_id: Box<str>,
    /// The filters that were asked for.
    pub requested: Filters,
    /// The filters as stored by the server: `~` replaced, some parameters rewritten.
    pub filters: Vec<Box<str>>,
    /// Filters the server refused although the call succeeded (SUB-6).
    pub disabled: Vec<DisabledFilter>,
    /// Seconds until expiry; the server renews by itself (SUB-9).
    pub expires_in: Option<u64>,
}

/// How a REST request ended.
#[derive(Clone)]
#[non_exhaustive]
pub enum RequestOutcome {
    /// The server answered, with any status.
    Response {
        /// Status, headers and body, as they came. From status 400 on its extensions have a [`Masker`](crate::Masker) that
        /// knows the session's secrets, for [`ApiError::from_response`](crate::ApiErrorInfo::from_response).
        response: Box<http::Response<Bytes>>,
        /// Which way it went.
        via: Via,
    },
    /// It never left, or the server refused its access token; repeating it is safe.
    NotSent(Cause),
    /// It left, and no answer will come: it may have run.
    Unknown(Cause),
    /// Its deadline passed.
    TimedOut {
        /// Whether it had left.
        sent: bool,
    },
    /// The application cancelled it.
    Cancelled {
        /// Whether it had left.
        sent: bool,
    },
}

impl PartialEq for RequestOutcome {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Response { response: a, via: v }, Self::Response { response: b, via: w }) => {
                v == w && a.status() == b.status() && a.headers() == b.headers() && a.body() == b.body()
            }
            (Self::NotSent(a), Self::NotSent(b)) | (Self::Unknown(a), Self::Unknown(b)) => a == b,
            (Self::TimedOut { sent: a }, Self::TimedOut { sent: b })
            | (Self::Cancelled { sent: a }, Self::Cancelled { sent: b }) => a == b,
            _ => false,
        }
    }
}

/// Which way a REST call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Over the WebSocket.
    WebSocket,
    /// Over HTTPS.
    Https,
}

impl Via {
    /// The word of the line protocol.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Https => "https",
        }
    }
}

/// What was wrong with a message of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A binary message.
    Binary,
    /// Neither JSON nor the multipart form.
    Malformed,
    /// Larger than the limit, in bytes.
    TooLarge(usize),
    /// Bytes that the WebSocket layer could not read, or a message that the end of the connection cut.
    Transport(Unreadable),
    /// An `Error` message that answers no request.
    ServerError,
    /// A second ConnectionDetails without a recovery, or one where none was due.
    Unexpected,
}

/// Why the session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// `close(Revoke)`: the subscription was deleted if the server could be reached.
    Revoked,
    /// `close(Detach)`: the session can be restored from the last snapshot within the recovery window.
    Detached,
    /// Nothing but a change by the user helps: see the cause.
    Permanent(Cause),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;

    #[test]
    fn what_is_moved_for_every_message_is_small() {
        assert!(size_of::<Output>() <= 80, "{}", size_of::<Output>());
        assert!(size_of::<Input<'_>>() <= 64, "{}", size_of::<Input<'_>>());
    }
}
