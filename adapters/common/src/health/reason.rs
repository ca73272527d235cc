//! Why a client is not ready.

use std::fmt;

use ringcentral_ws_core::WaitReason;

/// Why a client is not ready: the first of these that is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NotReady {
    /// The session has ended for good, or its driver is gone. Start a new client.
    Ended,
    /// The driver has not run when it was to run.
    DriverLate,
    /// The driver has not begun yet.
    NotStarted,
    /// The session waits before its next attempt.
    Waiting(WaitReason),
    /// The next login waits for a limit of this program's own: `LoginLimits`, or those of the `LoginLimiter`
    /// ([TOK-9](ringcentral_ws_core::protocol#tok-9)). The server was not asked.
    LoginLimit,
    /// An attempt to connect is under way.
    Connecting,
    /// The session waits until the application has stored its snapshot
    /// ([PST-2](ringcentral_ws_core::protocol#pst-2)).
    AwaitingStore,
    /// The connection was lost, and the session waits for `recover`.
    Offline,
    /// The application has closed the client, or the connection is being replaced.
    Closing,
    /// The application does not take its events, and reading has paused for so long that nobody knows whether the
    /// server is there.
    ReadingPaused,
    /// The same, because the application does not acknowledge the events that it took: as many as may be
    /// (`IoLimits::unacknowledged`), or as many bytes. `Health::unacknowledged` says how many. Acknowledge them, or if some
    /// were dropped (`Health::dropped_unacknowledged`), end, and start again from the stored snapshot.
    Unacknowledged,
    /// The server was not heard for longer than a heartbeat and its answer take.
    Silent,
    /// The server has not confirmed yet what the application asked for last.
    SubscriptionPending,
    /// The server refused for good what the application asked for last. What it asked for before may still stand.
    SubscriptionRefused,
    /// The server disabled some of the filters: see [`SubscriptionInfo`](ringcentral_ws_core::SubscriptionInfo).
    FiltersDisabled,
}

impl NotReady {
    /// A word such as `connecting`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::DriverLate => "driver_late",
            Self::NotStarted => "not_started",
            Self::Waiting(_) => "waiting",
            Self::LoginLimit => "login_limit",
            Self::Connecting => "connecting",
            Self::AwaitingStore => "awaiting_store",
            Self::Offline => "offline",
            Self::Closing => "closing",
            Self::ReadingPaused => "reading_paused",
            Self::Unacknowledged => "unacknowledged",
            Self::Silent => "silent",
            Self::SubscriptionPending => "subscription_pending",
            Self::SubscriptionRefused => "subscription_refused",
            Self::FiltersDisabled => "filters_disabled",
        }
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "the session has ended; start a new client",
            Self::DriverLate => "the driver does not run: its runtime is blocked or stopped, or the machine slept",
            Self::NotStarted => "the driver has not begun yet",
            Self::Waiting(reason) => return write!(f, "waiting for the next attempt: {reason}"),
            Self::LoginLimit => "waiting for its turn to log in (`LoginLimits`)",
            Self::Connecting => "connecting",
            Self::AwaitingStore => "waiting for the application to store the new session",
            Self::Offline => "offline; call `recover`",
            Self::Closing => "the connection is being closed",
            Self::ReadingPaused => "the application does not take its events, so nothing is read",
            Self::Unacknowledged => "nothing is read until the application acknowledges the events that it took",
            Self::Silent => "the server is silent",
            Self::SubscriptionPending => "the server has not confirmed the subscription yet",
            Self::SubscriptionRefused => "the server refused the subscription; its answer came as an event",
            Self::FiltersDisabled => "the server disabled some of the event filters; `Event::Subscribed` says which",
        })
    }
}
