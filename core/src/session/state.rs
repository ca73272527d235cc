//! Where a session stands, and how it is ended.

use crate::ids::ConnId;
use crate::output::WaitReason;
use crate::time::Timestamp;

/// How to end a session (CLS-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub enum Close {
    /// Delete the subscription, then close. Nothing is left on the server, if the connection lives to the end and the
    /// making of the subscription was confirmed; otherwise the server lets it expire.
    Revoke,
    /// Close and leave the session recoverable from the last snapshot.
    Detach,
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState {
    /// `connect` has not been called.
    Idle,
    /// The next attempt comes at `until`.
    Waiting {
        /// Failed attempts and short-lived connections since the last good connection.
        attempt: u32,
        /// When.
        until: Timestamp,
        /// What it waits for.
        reason: WaitReason,
    },
    /// An attempt is under way.
    Connecting,
    /// The session goes on from an orderly end, and waits for
    /// [`snapshot_stored`](crate::Session::snapshot_stored).
    AwaitingStore,
    /// Connected.
    Ready {
        /// The live connection.
        conn: ConnId,
    },
    /// The connection was lost, and `recover` is awaited because `auto_recover` is off (REC-6).
    Offline,
    /// `close` was called, or the connection is being replaced.
    Closing,
    /// Over.
    Closed,
}

/// Where the subscription of a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionState {
    /// Nothing is subscribed.
    None,
    /// It was asked for, and the server has not confirmed it yet, or lost it with the session.
    Pending,
    /// The server has confirmed it, and the session may continue: notifications come, if there is a connection.
    Active,
    /// The server refused it for good: no notifications come until `subscribe` is called again.
    Refused,
}
