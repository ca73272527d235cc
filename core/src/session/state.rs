//! All that a session knows, in one place; where it stands, and how it is ended.

use super::connection::attempts::Attempts;
use super::connection::{ConnectionRecord, ConnectionState};
use super::delivery::Delivery;
use super::delivery::unconfirmed::Unconfirmed;
use super::liveness::Liveness;
use super::recovery::Recovery;
use super::recovery::failures::FailureSeries;
use super::requests::Requests;
use super::subscription::Subscription;
use super::tokens::Tokens;
use crate::config::Config;
use crate::ids::ConnId;
use crate::message_id::MessageTag;
use crate::output::WaitReason;
use crate::rng::Rng;
use crate::time::{ClockReading, Timestamp};
use crate::timers::{TimerKind, Timers};

/// All that a [`Session`](super::Session) knows, but its settings, its counters and the outputs that wait: what decides
/// about the next output. This is what a recording keeps as a checkpoint, so a new field goes here and nowhere else.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct State {
    pub(crate) clock: ClockReading,
    pub(crate) now: Timestamp,
    pub(crate) rng: Rng,
    pub(crate) timers: Timers,
    pub(crate) connection: ConnectionState,
    /// `close` was called, in this way.
    pub(crate) closing: Option<Close>,
    pub(crate) attempts: Attempts,
    /// Unreadable messages in a row.
    pub(crate) bad_frames: usize,
    /// The heartbeat whose echo marks the end of a replay.
    pub(crate) fence: Option<u64>,
    pub(crate) liveness: Liveness,
    pub(crate) tokens: Tokens,
    pub(crate) recovery: Recovery,
    pub(crate) record: ConnectionRecord,
    pub(crate) failures: FailureSeries,
    pub(crate) delivery: Delivery,
    /// Notifications whose subscription is not known yet.
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub(crate) unconfirmed: Unconfirmed,
    pub(crate) subscription: Subscription,
    pub(crate) requests: Requests,
    pub(crate) next_id: u64,
    pub(crate) next_conn: u64,
    /// Prefix of message ids, so that two processes that share a session do not share ids.
    pub(crate) tag: MessageTag,
}

impl State {
    /// Whether nothing follows from it: what most frames leave behind, and cheap to see.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled_but_for_requests() && self.requests.is_empty() && !self.timers.is_running(TimerKind::Request)
    }

    /// The same, whatever requests wait for.
    #[inline]
    pub(crate) fn is_settled_but_for_requests(&self) -> bool {
        matches!(self.connection, ConnectionState::Ready { .. }) && self.subscription.is_settled()
    }

    /// Of a session that has never been connected.
    pub(crate) fn new(config: &Config, seed: u64, clock: ClockReading) -> Self {
        let mut rng = Rng::new(seed);
        Self {
            clock,
            now: clock.now,
            tag: MessageTag::new((rng.next() >> 32) as u32),
            rng,
            timers: Timers::default(),
            connection: ConnectionState::Idle,
            closing: None,
            attempts: Attempts::new(config.retry.attempts_per_minute),
            bad_frames: 0,
            fence: None,
            liveness: Liveness::new(clock.now, None),
            tokens: Tokens::new(config),
            recovery: Recovery::new(clock.now),
            record: ConnectionRecord::default(),
            failures: FailureSeries::default(),
            delivery: Delivery::new(clock),
            unconfirmed: Unconfirmed::default(),
            subscription: Subscription::default(),
            requests: Requests::default(),
            next_id: 1,
            next_conn: 1,
        }
    }
}

/// How to end a session ([CLS-1](crate::protocol#cls-1)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub enum Close {
    /// Deletes the subscription, then closes. If the connection breaks before, or the subscription was never confirmed,
    /// the server lets it expire.
    Revoke,
    /// Closes, and leaves the session to be continued from the last snapshot.
    Detach,
}

/// The state of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// `connect` has not been called.
    Idle,
    /// The session waits for the next attempt.
    Waiting {
        /// Failed attempts and short-lived connections since the last good connection.
        attempt: u32,
        /// When the next attempt begins, on the driver's clock. With a client read `next_try` of its `states` instead.
        until: Timestamp,
        /// Why it waits.
        reason: WaitReason,
    },
    /// An attempt is under way.
    Connecting,
    /// The session continues from an orderly end, and waits for [`snapshot_stored`](crate::Session::snapshot_stored)
    /// ([PST-2](crate::protocol#pst-2)).
    AwaitingStore,
    /// A connection is ready.
    Ready {
        /// The live connection.
        conn: ConnId,
    },
    /// The connection was lost, and the session waits for `recover`, because `auto_recover` is off
    /// ([REC-6](crate::protocol#rec-6)).
    Offline,
    /// `close` was called, or the connection is being replaced.
    Closing,
    /// The session has ended.
    Closed,
}

/// The state of a session's subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionState {
    /// There is no subscription.
    None,
    /// Filters are set, and the server has not confirmed the subscription yet, or has lost it.
    Pending,
    /// The server has confirmed the subscription. Notifications come while there is a connection.
    Active,
    /// The server refused the subscription for good. No notifications come until `subscribe` is called again.
    Refused,
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::State;
    use crate::input::Input;
    use crate::output::{Action, Event};

    /// Events and actions are moved with each output, and a state is held for each session: what makes one larger goes
    /// into a box if it is rare.
    #[test]
    fn what_is_moved_or_held_stays_small() {
        let sizes = [size_of::<Event>(), size_of::<Action>(), size_of::<Input<'_>>(), size_of::<State>()];
        let reached = [72, 48, 64, 1_648];
        assert!(sizes.iter().zip(reached).all(|(size, reached)| *size <= reached), "{sizes:?} bytes, not {reached:?}");
    }
}
