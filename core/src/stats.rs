//! Counters: what a Session saw and did since it was made.

/// Counters of a Session. They only grow, and saturate never in practice (`u64`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages received on live connections.
    pub frames: u64,
    /// Notifications handed to the application.
    pub notifications: u64,
    /// Notifications dropped because they had been delivered before (REC-4).
    pub duplicates: u64,
    /// Notifications dropped because they belong to another subscription (SUB-4).
    pub foreign: u64,
    /// Messages of a type not known here (FRM-3).
    pub unknown: u64,
    /// Answers to nothing that is waiting, late ones included.
    pub unmatched: u64,
    /// Messages that could not be read (FRM-1).
    pub unreadable: u64,
    /// Inputs for a connection, call or login that is no longer awaited (C6).
    pub stale_inputs: u64,
    /// Calls whose `now` lay before an earlier one (C12).
    pub clock_went_back: u64,
    /// Connection attempts (BCK-3).
    pub attempts: u64,
    /// Calls for a WebSocket token (TOK-2).
    pub token_calls: u64,
    /// Questions to the credential source.
    pub authorizations: u64,
    /// Logins that failed while the old access token was still good.
    pub refresh_failures: u64,
    /// Connections that became ready.
    pub connections: u64,
    /// Connections that continued the session before them.
    pub recoveries: u64,
    /// Sessions that were lost.
    pub recovery_failures: u64,
    /// Reported gaps.
    pub gaps: u64,
    /// Heartbeats sent.
    pub heartbeats: u64,
    /// REST requests accepted.
    pub requests: u64,
}
