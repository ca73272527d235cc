//! Events: what the application should know.

use std::fmt;
use std::time::Duration;

use super::outcome::RequestOutcome;
use super::subscription::SubscriptionInfo;
use crate::backfilled::Backfilled;
use crate::classify::{ApiError, Cause};
use crate::gap::Gap;
use crate::ids::{ConnId, RequestId, SubscriptionId};
use crate::input::Unreadable;
use crate::notification::Notification;
use crate::terminal::escape;
use crate::time::Timestamp;
use crate::wire::ConnectionDetails;

/// Something that the application should know.
///
/// ```
/// use ringcentral_ws_core::Event;
///
/// fn on(event: Event) {
///     match event {
///         Event::Notification(n) => println!("{} {}", n.event(), n.body()),
///         Event::Gap(gap) => println!("{gap}"),
///         Event::SnapshotChanged => {}
///         other => eprintln!("{other}"),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A connection is ready: its ConnectionDetails arrived.
    Connected {
        /// The connection.
        conn: ConnId,
        /// What became of the session before it.
        resumption: Resumption,
        /// ConnectionDetails, whole ([CON-6](crate::protocol#con-6)).
        details: Box<ConnectionDetails>,
    },
    /// The server confirmed the subscription. [`SubscriptionInfo::problems`] says what is wrong with it nevertheless.
    Subscribed(Box<SubscriptionInfo>),
    /// The server refused a call for the subscription ([SUB-5](crate::protocol#sub-5)).
    SubscriptionFailed {
        /// The call of `subscribe`.
        id: SubscriptionId,
        /// The refusal.
        error: Box<ApiError>,
        /// When it is tried again, on the driver's clock; `None`: not before the next call of `subscribe`.
        retry_at: Option<Timestamp>,
        /// How long that is from when this event was made.
        delay: Option<Duration>,
    },
    /// The server removed the subscription, and nothing of it is delivered any more ([SUB-7](crate::protocol#sub-7)). A
    /// subscription that was never confirmed cannot be removed, because its id is unknown: the server lets it expire.
    Unsubscribed {
        /// The call of `subscribe`.
        id: SubscriptionId,
    },
    /// A notification, delivered once and in order.
    Notification(Notification),
    /// The session continues: the server kept it, and replays what was missed ([REC-2](crate::protocol#rec-2)).
    Recovered {
        /// The connection on which it continues.
        conn: ConnId,
    },
    /// The session could not be continued ([REC-3](crate::protocol#rec-3)). A `Gap` follows once the subscription is
    /// made anew.
    RecoveryFailed {
        /// The connection of the new session.
        conn: ConnId,
        /// The server's `recoveryErrorCode`; `None` if the window had passed and no recovery token was presented.
        code: Option<Box<str>>,
    },
    /// An attempt failed, and another one follows ([REC-8](crate::protocol#rec-8)). The session does not give up.
    Retry {
        /// Failed attempts and short-lived connections since the last good connection, which is one on which a
        /// heartbeat was answered ([BCK-6](crate::protocol#bck-6)).
        attempt: u32,
        /// Why the attempt failed.
        cause: Cause,
        /// When the next one begins, on the driver's clock. Only a driver can read it: everybody else uses `delay`.
        at: Timestamp,
        /// How long that is from when this event was made.
        delay: Duration,
        /// The reason of the wait.
        reason: WaitReason,
    },
    /// The next attempt, or its next step, waits for more than two seconds, though no attempt has failed right now; or the
    /// call for the subscription does, on a connection, though none was refused right now ([`WaitReason::SubscriptionLimit`])
    /// ([REC-8](crate::protocol#rec-8)).
    Waiting {
        /// The reason of the wait.
        reason: WaitReason,
        /// When it ends, on the driver's clock. Only a driver can read it: everybody else uses `delay`.
        at: Timestamp,
        /// How long that is from when this event was made.
        delay: Duration,
    },
    /// Notifications may have been lost ([REC-5](crate::protocol#rec-5)). It always comes before the next notification.
    Gap(Gap),
    /// What was fetched of a gap. A session makes no such event; the clients that fetch do, if they are asked to
    /// (`Builder::backfill`). There is one for each gap.
    Backfill(Box<Backfilled>),
    /// A REST request ended. This event comes once for each request ([REQ-3](crate::protocol#req-3)).
    Response {
        /// The id that `request` returned.
        id: RequestId,
        /// How it ended.
        outcome: RequestOutcome,
    },
    /// A ready connection ended.
    Disconnected {
        /// The connection.
        conn: ConnId,
        /// Why it ended.
        cause: Cause,
        /// The reason of the close frame, or the transport's error: at most 1024 bytes, with known secrets masked.
        reason: Option<Box<str>>,
    },
    /// The server sent something that cannot be read, or that makes no sense. It is counted and ends nothing by itself
    /// ([FRM-1](crate::protocol#frm-1)).
    ProtocolError {
        /// The connection.
        conn: ConnId,
        /// What was wrong, without any part of the message.
        error: ProtocolError,
    },
    /// [`Session::snapshot`](crate::Session::snapshot) returns something new ([WSC-3](crate::protocol#wsc-3)). It comes
    /// at most once a drain, as the last event but `Closed`.
    ///
    /// Store the first one after a restore, and call [`snapshot_stored`](crate::Session::snapshot_stored): a session
    /// that continues from an orderly end opens no connection before that ([PST-2](crate::protocol#pst-2)). With a
    /// client there is no such call: asking for the next event is what says that the snapshot was stored, so store it
    /// before that. Later ones may be skipped. After a crash everything since the stored one may come again, and a `Gap` says that something
    /// may be missing.
    SnapshotChanged,
    /// The session has ended. Nothing follows.
    Closed {
        /// Why it ended.
        reason: CloseReason,
    },
}

/// Why a session waits before it tries again ([REC-8](crate::protocol#rec-8)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum WaitReason {
    /// It is the usual pause between two attempts ([BCK-1](crate::protocol#bck-1)).
    Backoff,
    /// The server asked for the wait ([TOK-3](crate::protocol#tok-3)).
    RetryAfter,
    /// A limit of the program on its own logins is reached, or another login of the app was asked to wait and this one
    /// waits with it ([TOK-9](crate::protocol#tok-9)). The server was not asked.
    LoginLimit,
    /// The calls of the rate-limit group Auth are used up for this minute:
    /// [`RetryPolicy::auth_calls_per_minute`](crate::RetryPolicy::auth_calls_per_minute).
    AuthBudget,
    /// The attempts are used up for this minute:
    /// [`RetryPolicy::attempts_per_minute`](crate::RetryPolicy::attempts_per_minute).
    AttemptBudget,
    /// The last call of this minute is kept for a try right before the recovery window ends
    /// ([TOK-2](crate::protocol#tok-2)).
    LastChance,
    /// A new access token was refused; it may not be known everywhere yet ([TOK-4](crate::protocol#tok-4)).
    TokenSpread,
    /// Another client opens this session again and again. A new session begins after the wait
    /// ([CON-7](crate::protocol#con-7)).
    Contended,
    /// The connection is there, and before the next call for the subscription the server's penalty is waited out, be it
    /// that of another process before this one ([SUB-5](crate::protocol#sub-5)).
    SubscriptionLimit,
}

impl WaitReason {
    /// A word such as `retry_after`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::RetryAfter => "retry_after",
            Self::LoginLimit => "login_limit",
            Self::AuthBudget => "auth_budget",
            Self::AttemptBudget => "attempt_budget",
            Self::LastChance => "last_chance",
            Self::TokenSpread => "token_spread",
            Self::Contended => "contended",
            Self::SubscriptionLimit => "subscription_limit",
        }
    }
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Backoff => "the pause between two attempts",
            Self::RetryAfter => "the server asked to wait",
            Self::LoginLimit => "this program lets no login through now",
            Self::AuthBudget => "the server allows a few logins and token calls a minute, and they are used up",
            Self::AttemptBudget => "the attempts allowed in a minute are used up",
            Self::LastChance => "the call that is left is kept for the end of the recovery window",
            Self::TokenSpread => "a new access token may not be known everywhere yet",
            Self::Contended => "another client uses the same session; a session of its own begins after this",
            Self::SubscriptionLimit => "the server asked to wait before the next call for the subscription",
        })
    }
}

/// What became of the session before this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resumption {
    /// There was no session to continue.
    Fresh,
    /// It continues: [`Event::Recovered`] follows.
    Recovered,
    /// It could not be continued: [`Event::RecoveryFailed`] follows.
    Lost,
}

impl Resumption {
    /// A word such as `recovered`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Recovered => "recovered",
            Self::Lost => "lost",
        }
    }
}

/// What was wrong with a message of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A binary message.
    Binary,
    /// A text that is neither JSON nor the multipart form ([FRM-2](crate::protocol#frm-2)).
    Malformed,
    /// A message above the limit; its size in bytes.
    TooLarge(usize),
    /// Bytes that the WebSocket layer could not read, or a message that was cut by the end of the connection.
    Transport(Unreadable),
    /// An `Error` message that answers no open call.
    ServerError,
    /// ConnectionDetails at a moment when none was due.
    Unexpected,
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// `close(Revoke)`: the subscription was deleted, if the server could be reached.
    Revoked,
    /// `close(Detach)`: the last snapshot can be restored within the recovery window.
    Detached,
    /// An error that retries cannot solve. The cause says what to change.
    Permanent(Cause),
}

impl CloseReason {
    /// An error if a person must act first, `Ok` if the application ended the session itself. In the arm of
    /// [`Event::Closed`] of a `main` it makes the difference between status 1 and status 0:
    ///
    /// ```
    /// # use ringcentral_ws_core::{Event, SessionError};
    /// # fn take(event: Event) -> Result<(), SessionError> {
    /// match event {
    ///     Event::Closed { reason } => return reason.into_result(),
    ///     other => println!("{other}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`SessionError`] for [`Permanent`](Self::Permanent).
    pub fn into_result(self) -> Result<(), SessionError> {
        match self {
            Self::Revoked | Self::Detached => Ok(()),
            Self::Permanent(cause) => Err(SessionError { cause }),
        }
    }
}

/// A session ended by an error that retries cannot solve.
///
/// `Display` says what happened and what to do, and `Debug` prints the same sentence, because that is what a `main`
/// shows which returns the error.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionError {
    /// Why it ended.
    pub cause: Cause,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = CloseReason::Permanent(self.cause.clone()).to_string();
        f.write_str(&escape(&format!("the session has ended; {line}")))
    }
}

impl fmt::Debug for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for SessionError {}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-5
    #[test]
    fn an_end_is_an_error_if_a_person_must_act() {
        assert_eq!(CloseReason::Revoked.into_result(), Ok(()));
        assert_eq!(CloseReason::Detached.into_result(), Ok(()));
        let cause = Cause::Credentials { code: Some("OAU-146".into()), message: "HTTP 401\u{1b}[31m".into() };
        let error = CloseReason::Permanent(cause.clone()).into_result().unwrap_err();
        let shown = error.to_string();
        assert!(error.cause == cause && shown == format!("{error:?}"), "{shown}");
        assert!(shown.contains("check the client id and secret") && !shown.contains('\u{1b}'), "{shown}");
    }
}
