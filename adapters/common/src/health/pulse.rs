//! What a driver leaves behind with each turn, so that its health can be seen while it does not run.

use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_core::{Cause, CloseReason, Config, Event, SessionState, SubscriptionState, Timestamp};

use crate::clock::{Clock, ClockView};

/// What a driver knew at the end of its last turn. It holds no durations, so it does not age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// The state of the session.
    pub session: SessionState,
    /// The state of what the application asked for last.
    pub subscription: SubscriptionState,
    /// The server confirmed it, but disabled some of the filters.
    pub has_disabled: bool,
    /// When the last frame came that proves life.
    pub last_received: Option<Timestamp>,
    /// Since when a message waits for the application.
    pub paused_since: Option<Timestamp>,
    /// When the driver looks again at the latest.
    pub due: Option<Timestamp>,
    /// Why the last attempt failed, or the last connection or the session ended.
    pub last_cause: LastCause,
}

/// What the application has taken and not acknowledged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unacknowledged {
    pub(crate) events: usize,
    /// Those of them whose handles were dropped.
    pub(crate) dropped: usize,
    /// They keep the driver from reading.
    pub(crate) is_full: bool,
}

/// Why the last attempt failed, or the last connection or the session ended; nothing while a connection is ready and
/// after an orderly end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastCause(Option<Arc<Cause>>);

impl LastCause {
    /// Notes what this event says about it.
    pub fn note(&mut self, event: &Event) {
        self.0 = match event {
            Event::Retry { cause, .. } | Event::Disconnected { cause, .. } => Some(Arc::new(cause.clone())),
            Event::Closed { reason: CloseReason::Permanent(cause) } => Some(Arc::new(cause.clone())),
            Event::Connected { .. } | Event::Closed { .. } => None,
            _ => return,
        }
    }

    /// The cause.
    #[must_use]
    pub fn get(&self) -> Option<&Cause> {
        self.0.as_deref()
    }
}

impl Default for Pulse {
    /// Before the first turn, which is due at once.
    fn default() -> Self {
        Self {
            session: SessionState::Idle,
            subscription: SubscriptionState::None,
            has_disabled: false,
            last_received: None,
            paused_since: None,
            due: Some(Timestamp::ZERO),
            last_cause: LastCause::default(),
        }
    }
}

/// What a [`Pulse`] is measured against.
#[derive(Clone, Debug)]
pub struct Vitals {
    /// The clock of the driver. It also counts the time in which nothing runs.
    pub clock: ClockView,
    /// A driver that is later than this does not run.
    pub slack: Duration,
    /// A server that is silent for longer may be gone.
    pub silence: Duration,
}

impl Vitals {
    /// For a session with these settings.
    #[must_use]
    pub fn new(clock: &Clock, config: &Config, slack: Duration) -> Self {
        let answered = config.heartbeat_interval.saturating_add(config.heartbeat_timeout);
        Self { clock: clock.view(), slack, silence: answered.saturating_add(slack) }
    }
}
