//! Counters of a Session.

/// Counters of a [`Session`](crate::Session) since it was made or restored.
///
/// Each grows by one for each occurrence and never goes back. Take the difference of two readings for a rate:
///
/// ```
/// # use ringcentral_ws_core::{ClockReading, Config, Session};
/// # let session = Session::new(Config::default(), 1, ClockReading::default());
/// let before = session.stats();
/// // … a minute later
/// let notifications_per_minute = session.stats().notifications - before.notifications;
/// # assert_eq!(notifications_per_minute, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages received on live connections.
    pub frames: u64,
    /// Notifications handed to the application.
    pub notifications: u64,
    /// Notifications that were dropped because they had been delivered before ([REC-4](crate::protocol#rec-4)).
    pub duplicates: u64,
    /// Notifications that were dropped because they belong to another subscription ([SUB-4](crate::protocol#sub-4)).
    pub foreign: u64,
    /// Messages of an unknown type ([FRM-3](crate::protocol#frm-3)).
    pub unknown: u64,
    /// Answers that no open call waits for, late ones included.
    pub unmatched: u64,
    /// Messages that could not be read ([FRM-1](crate::protocol#frm-1)).
    pub unreadable: u64,
    /// Inputs for a connection, call or login that has ended (C6). They change nothing else.
    pub stale_inputs: u64,
    /// Calls whose `now` was earlier than the one before (C12).
    pub clock_went_back: u64,
    /// Connection attempts ([BCK-3](crate::protocol#bck-3)).
    pub attempts: u64,
    /// Calls for a connection token ([TOK-2](crate::protocol#tok-2)).
    pub token_calls: u64,
    /// Questions to the credential source.
    pub authorizations: u64,
    /// Questions that failed while the old access token was still valid.
    pub refresh_failures: u64,
    /// Connections that became ready.
    pub connections: u64,
    /// Connections that continued the session.
    pub recoveries: u64,
    /// Connections that could not continue the session.
    pub recovery_failures: u64,
    /// Gaps that were reported.
    pub gaps: u64,
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// REST requests that were accepted.
    pub requests: u64,
}
