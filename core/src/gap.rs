//! Where notifications may have been lost, how sure that is, and why (REC-5).

use std::fmt;

use crate::time::UnixMillis;

/// A stretch in which notifications may have been lost. It covers everything the server sent after `after` and
/// before the first notification that follows this event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub cause: GapCause,
    /// How sure it is that something was lost.
    pub certainty: Certainty,
    /// `uuid` of the last notification delivered before it, if there was one; at most its first 1024 bytes.
    pub after: Option<Box<str>>,
    /// When the last frame before the loss was received, by this machine's clock. What the server had sent just before
    /// may still have been on its way: who fetches what is missing begins earlier, by the latency and by what the clocks
    /// may differ, and knows by `after` where to stop.
    pub since: UnixMillis,
    /// The moment from which delivery is continuous again.
    pub until: UnixMillis,
}

/// How sure it is that something is missing in a [`Gap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// It cannot be excluded. On a quiet account most likely nothing is missing.
    Possible,
    /// Whatever the server sent in this time is missing.
    Probable,
    /// Notifications were thrown away.
    Certain,
}

impl Certainty {
    /// The word of the line protocol.
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
    /// The server said `Failed`, with this code.
    RecoveryFailed(Option<Box<str>>),
    /// Twice the recovery window passed before a connection could be made.
    WindowPassed,
    /// The session could not be continued although the server still knew it: connections that tried it were refused, or
    /// ended before anything was delivered, three times in a row (REC-9).
    RecoveryAbandoned,
    /// As many notifications were replayed as the server's buffer holds, those of other subscriptions included, so older
    /// ones may have fallen out.
    ReplayOverflow,
    /// The end of a replay never came: the connection broke in the middle of it, or the heartbeat that marks it was not
    /// answered in time. Or it was not waited for, because there was more to hold than
    /// [`Bounds::held_bytes`](crate::Bounds::held_bytes). So its size is not known.
    ReplayInterrupted,
    /// The process was restored from a snapshot that was not the last word: what arrived between is unknown.
    Restored,
    /// Notifications came in faster than a bounded queue here could hold, or larger.
    QueueOverflow,
    /// A frame that could not be read may have been a notification.
    UnreadableFrame,
    /// The server no longer knew the subscription (404), so it was made anew, or answered an update with another one. Or
    /// it made one whose confirmation was lost.
    SubscriptionLost,
    /// The connection was silent before it broke, so what the server wrote into it last may have been lost on the way.
    InFlight,
    /// Another client opened the same session, and received what came meanwhile (CON-7).
    Contended,
}

impl GapCause {
    /// The word of the line protocol.
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

    /// How sure it is that something was lost, if this is all that is known.
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
