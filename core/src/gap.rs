//! Where notifications may have been lost, how sure that is, and why ([REC-5](crate::protocol#rec-5)).

use std::fmt;

use crate::time::UnixMillis;

/// A stretch of time in which notifications may have been lost.
///
/// It covers everything that the server sent after the notification `after` and before the next notification. Its event
/// comes before that notification. The application can fetch what is missing over REST:
///
/// ```
/// use ringcentral_ws_core::{Certainty, Event, Gap};
///
/// # fn list_messages(since: u64, until: u64, stop_at: Option<&str>) {}
/// fn on_event(event: &Event) {
///     if let Event::Gap(Gap { cause, certainty, after, since, until, .. }) = event {
///         eprintln!("notifications may be missing: {cause}");
///         if *certainty >= Certainty::Probable {
///             // Begin a little earlier: notifications may have been on their way at `since`.
///             list_messages(since.0.saturating_sub(60_000), until.0, after.as_deref());
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why notifications may have been lost.
    pub cause: GapCause,
    /// How sure the loss is.
    pub certainty: Certainty,
    /// The `uuid` of the last notification delivered before it, if there was one, up to 1024 bytes of it.
    pub after: Option<Box<str>>,
    /// When the last frame before the loss was received, by this machine's clock. A notification that the server sent
    /// just before may still have been on its way. To fetch what is missing, begin earlier, by the latency and by the
    /// difference of the clocks; `after` says what is known already.
    pub since: UnixMillis,
    /// The moment from which delivery is continuous again.
    pub until: UnixMillis,
}

/// How sure it is that something is missing in a [`Gap`]. Later variants are surer, and compare as greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// A loss cannot be excluded. On a quiet account most likely nothing is missing.
    Possible,
    /// Everything that the server sent in this time is missing, if it sent something.
    Probable,
    /// Notifications were received and dropped.
    Certain,
}

impl Certainty {
    /// A word such as `possible`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Probable => "probable",
            Self::Certain => "certain",
        }
    }
}

/// Why notifications may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapCause {
    /// The server answered the recovery token with `Failed`, with this code if it gave one.
    RecoveryFailed(Option<Box<str>>),
    /// Twice the recovery window passed before a connection could be made.
    WindowPassed,
    /// The session was given up: three connections in a row that presented its recovery token were refused, or ended
    /// before anything was delivered ([REC-9](crate::protocol#rec-9)).
    RecoveryAbandoned,
    /// The server replayed as many notifications as its buffer holds, those of other subscriptions included. Older ones
    /// may have fallen out.
    ReplayOverflow,
    /// The end of a replay is unknown, and so is its size. The connection broke in the middle of it, or the heartbeat
    /// that marks the end was not answered in time, or the replay was larger than
    /// [`SessionLimits::held_bytes`](crate::SessionLimits::held_bytes).
    ReplayInterrupted,
    /// The session was restored from a snapshot that was not that of an orderly end. What arrived after it is unknown.
    Restored,
    /// More notifications than can be held came before the subscription was confirmed, or larger ones.
    QueueOverflow,
    /// An unreadable frame may have been a notification.
    UnreadableFrame,
    /// The server no longer knew the subscription (404), or it answered an update with another subscription, or it made
    /// one whose confirmation was lost.
    SubscriptionLost,
    /// The connection was silent before it broke. What the server wrote into it last may have been lost on the way; see
    /// [`Config::in_flight_gaps`](crate::Config::in_flight_gaps).
    InFlight,
    /// Another client opened the same session and received what came meanwhile ([CON-7](crate::protocol#con-7)).
    Contended,
}

impl GapCause {
    /// A word such as `recovery_failed`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RecoveryFailed(_) => "recovery_failed",
            Self::WindowPassed => "window_passed",
            Self::RecoveryAbandoned => "recovery_abandoned",
            Self::ReplayOverflow => "replay_overflow",
            Self::ReplayInterrupted => "replay_interrupted",
            Self::Restored => "restored",
            Self::QueueOverflow => "queue_overflow",
            Self::UnreadableFrame => "unreadable_frame",
            Self::SubscriptionLost => "subscription_lost",
            Self::InFlight => "in_flight",
            Self::Contended => "contended",
        }
    }

    /// How sure a loss of this cause is.
    #[must_use]
    pub const fn certainty(&self) -> Certainty {
        match self {
            Self::QueueOverflow => Certainty::Certain,
            Self::RecoveryFailed(_)
            | Self::WindowPassed
            | Self::RecoveryAbandoned
            | Self::ReplayOverflow
            | Self::UnreadableFrame
            | Self::SubscriptionLost
            | Self::Contended => Certainty::Probable,
            Self::ReplayInterrupted | Self::Restored | Self::InFlight => Certainty::Possible,
        }
    }
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecoveryFailed(Some(code)) => {
                return write!(f, "the server could not continue the session ({code})");
            }
            Self::RecoveryFailed(None) => "the server could not continue the session",
            Self::WindowPassed => "the server kept the session for less time than the connection was away",
            Self::RecoveryAbandoned => "the session could not be continued three times in a row, so it was given up",
            Self::ReplayOverflow => "the server replayed as much as it can keep, so older notifications may be gone",
            Self::ReplayInterrupted => "the end of a replay never came, or could not be waited for",
            Self::Restored => "what came after the snapshot was written is unknown",
            Self::QueueOverflow => "notifications came faster than they could be held, and some were thrown away",
            Self::UnreadableFrame => "a message could not be read",
            Self::SubscriptionLost => "the server no longer knew the subscription",
            Self::InFlight => "the connection was silent before it broke; what was sent last may not have arrived",
            Self::Contended => "another client uses the same session and received what came meanwhile",
        })
    }
}
