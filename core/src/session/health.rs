//! What a session knows about its own health, for those who look at it from outside.

use super::subscription::{Goal, Known};
use super::{Session, SessionState, SubscriptionState};
use crate::filters::Filters;
use crate::time::Timestamp;

impl Session {
    /// When the last frame of a ready connection came; `None` before the first. What is read after a sleep, or after
    /// reading had paused, may have waited in the socket: on the same connection it counts once a heartbeat that was
    /// sent later is answered ([HB-4](crate::protocol#hb-4)).
    #[must_use]
    pub fn last_received(&self) -> Option<Timestamp> {
        (self.stats.connections > 0).then(|| self.state.liveness.last_proof(self.state.record.since))
    }

    /// The first moment at which the server may have ended the recovery window; `None` on a ready connection, and when
    /// there is nothing to recover.
    #[must_use]
    pub fn recovery_window_end(&self) -> Option<Timestamp> {
        match self.state() {
            SessionState::Ready { .. } | SessionState::Closed => None,
            _ => self.window().map(|window| window.first),
        }
    }

    /// The event filters that the application asked for last, or those that stand after a refusal; `None` if nothing is to
    /// be subscribed.
    #[must_use]
    pub fn desired_filters(&self) -> Option<&Filters> {
        self.state.subscription.desired().map(|desired| &desired.filters)
    }

    /// The server's id of the subscription that it is believed to have.
    #[must_use]
    pub fn server_subscription(&self) -> Option<&str> {
        self.state.subscription.active().map(|active| &*active.server_id)
    }

    /// The state of what the application asked for last. Unlike [`subscription`](Self::subscription) it is
    /// [`Active`](SubscriptionState::Active) only once the server has confirmed the newest filters,
    /// [`Refused`](SubscriptionState::Refused) also while the filters before them stand, and
    /// [`Pending`](SubscriptionState::Pending) while a subscription is being removed.
    #[must_use]
    pub const fn subscription_as_asked(&self) -> SubscriptionState {
        let subscription = &self.state.subscription;
        match (subscription.goal(), subscription.known()) {
            (Goal::None, _) | (Goal::Removed(_), Known::Nothing | Known::Unsure | Known::Leftover) => {
                SubscriptionState::None
            }
            (Goal::Refused, _) => SubscriptionState::Refused,
            (Goal::Desired(desired), _) if desired.id.get() < subscription.next => SubscriptionState::Refused,
            (Goal::Desired(desired), Known::Active(active)) if desired.id.get() == active.id.get() => {
                SubscriptionState::Active
            }
            (Goal::Removed(_) | Goal::Desired(_), _) => SubscriptionState::Pending,
        }
    }
}
