//! What the gateway asks of its sockets, and what it reports of itself.

use std::collections::VecDeque;

use serde::{Serialize, Serializer};

/// An order to the embedding network. Orders come in the sequence in which they must be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GatewayOutput {
    /// Send a text frame.
    Send {
        /// The connection.
        conn: u64,
        /// The whole frame.
        text: String,
        /// What the frame is, so that a network can count what it loses.
        kind: FrameKind,
    },
    /// Send a WebSocket ping; report the pong with [`Gateway::ws_pong`](crate::Gateway::ws_pong).
    Ping {
        /// The connection.
        conn: u64,
    },
    /// Close politely. The gateway has forgotten the connection already.
    Close {
        /// The connection.
        conn: u64,
        /// Close code.
        code: u16,
        /// Close reason.
        reason: String,
    },
    /// Cut the transport without a close frame. The gateway has forgotten the connection already.
    Reset {
        /// The connection.
        conn: u64,
    },
}

/// What a text frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// The first frame of a connection.
    ConnectionDetails,
    /// A `ServerNotification`, new or replayed.
    Notification {
        /// Its uuid, which is its `messageId` in decimal.
        uuid: u64,
    },
    /// The answer to a `ClientRequest`.
    Reply,
    /// The echo of a `Heartbeat`.
    Heartbeat,
    /// An `Error`.
    Error,
    /// Injected by a script.
    Raw,
}

/// The answer to an upgrade request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upgrade {
    /// The socket opens. Outputs may follow at once, a `Close` included.
    Accepted,
    /// The upgrade is refused with this response.
    Refused(crate::HttpResponse),
}

/// How a connection came to its session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "recovery", content = "code")]
pub enum Recovery {
    /// No `wsc` was sent.
    Fresh,
    /// The old session continues.
    Successful,
    /// A new session, with this `recoveryErrorCode`.
    Failed(String),
}

/// Why notifications will never be delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LossCause {
    /// Fell out of the recovery buffer, silently to the client.
    Overflow,
    /// The session ended while they waited in its buffer.
    SessionEnded,
    /// Were on a dead socket, and the configuration does not put them back.
    Undelivered,
}

/// What happened inside, for an oracle, a test or a progress line. As JSON uuids are text, as in notifications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum GatewayEvent {
    /// A user logged in.
    LoggedIn {
        /// OAuth session number.
        oauth: u64,
        /// Index of the user in the configuration.
        user: usize,
    },
    /// An OAuth session ended: revoked, displaced by a newer login, or expired.
    LoggedOut {
        /// OAuth session number.
        oauth: u64,
    },
    /// `ConnectionDetails` was sent.
    Connected {
        /// The connection.
        conn: u64,
        /// Session number; an old one after a successful recovery.
        session: u64,
        /// How it came to the session.
        #[serde(flatten)]
        recovery: Recovery,
        /// Number of notifications replayed.
        replayed: usize,
    },
    /// A connection ended, by whichever side.
    Disconnected {
        /// The connection.
        conn: u64,
        /// Its session, if it had one.
        session: Option<u64>,
        /// Close code, where the server closed.
        code: Option<u16>,
    },
    /// An upgrade was refused, or opened and closed at once.
    Refused {
        /// The connection.
        conn: u64,
        /// HTTP status, or the close code if the socket was opened.
        code: u16,
    },
    /// A notification went into the socket, for the first time or as a replay.
    Sent {
        /// Session number.
        session: u64,
        /// The connection.
        conn: u64,
        /// Its uuid.
        #[serde(serialize_with = "one_as_text")]
        uuid: u64,
        /// Whether it was replayed after a recovery.
        replay: bool,
    },
    /// A notification was put into the recovery buffer of a session without socket.
    Buffered {
        /// Session number.
        session: u64,
        /// Its uuid.
        #[serde(serialize_with = "one_as_text")]
        uuid: u64,
    },
    /// Notifications that a dead socket swallowed were put back into the recovery buffer.
    Requeued {
        /// Session number.
        session: u64,
        /// Their uuids, oldest first.
        #[serde(serialize_with = "all_as_text")]
        uuids: Vec<u64>,
    },
    /// A subscription was created or changed.
    Subscribed {
        /// Session number.
        session: u64,
        /// Subscription id.
        id: String,
        /// The filters as stored.
        filters: Vec<String>,
    },
    /// A subscription was deleted, replaced, or expired.
    Unsubscribed {
        /// Subscription id.
        id: String,
    },
    /// Notifications will never reach the client.
    Lost {
        /// Session number.
        session: u64,
        /// Their uuids, oldest first.
        #[serde(serialize_with = "all_as_text")]
        uuids: Vec<u64>,
        /// Why.
        cause: LossCause,
    },
    /// A session ended: its window passed, or the server forgot it.
    SessionEnded {
        /// Session number.
        session: u64,
    },
    /// A call was refused for exceeding a rate limit.
    RateLimited {
        /// Index of the user.
        user: usize,
        /// Whether it came during the penalty, and so restarted it.
        restarted: bool,
    },
    /// A REST call was answered.
    Answered {
        /// The connection; `None` over HTTP.
        conn: Option<u64>,
        /// Method.
        method: String,
        /// Path without query.
        path: String,
        /// Status.
        status: u16,
    },
}

/// As notifications carry it: as a number it would be too large for programs that read numbers as doubles.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn one_as_text<S: Serializer>(uuid: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(uuid)
}

fn all_as_text<S: Serializer>(uuids: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(uuids.iter().map(u64::to_string))
}

/// What became of one notification at one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Session number.
    pub session: u64,
    /// The connection it went to, if the session has one.
    pub conn: Option<u64>,
    /// The uuid under which it went.
    pub uuid: u64,
    /// Sent or kept.
    pub fate: Fate,
}

/// See [`Receipt`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Put into the socket so many times (more than once only by script).
    Sent {
        /// Number of copies.
        copies: u32,
    },
    /// Put into the recovery buffer.
    Buffered {
        /// The older notification that fell out for it.
        dropped: Option<u64>,
    },
}

/// What [`Gateway::ws_lost`](crate::Gateway::ws_lost) did with the undelivered notifications.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LossReport {
    /// Put back to the front of the recovery buffer, oldest first.
    pub requeued: Vec<u64>,
    /// Lost for good, oldest first.
    pub dropped: Vec<u64>,
}

/// What a session was sent so far. `sent - (undelivered to a dead socket)` is what its client may hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Notifications put into a socket when they happened.
    pub sent: u64,
    /// Notifications put into a socket after a recovery.
    pub replayed: u64,
    /// Notifications put into the recovery buffer, those of dead sockets included.
    pub buffered: u64,
    /// Notifications lost for good.
    pub lost: u64,
}

/// A WebSocket session as it is now; see [`Gateway::sessions`](crate::Gateway::sessions).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionStatus {
    /// Session number.
    pub session: u64,
    /// Index of its user in the configuration.
    pub user: usize,
    /// The connection it has.
    pub conn: Option<u64>,
    /// Until when (µs) it can be recovered, if it has none.
    pub recoverable_until: Option<u64>,
    /// Filters of its subscription, as stored; none without a subscription.
    pub filters: Vec<String>,
    /// Notifications that wait in its recovery buffer.
    pub buffered: usize,
    /// What it was sent so far.
    pub ledger: Ledger,
}

/// Counters of what the server saw. Lists keep the newest 1000 entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Observations {
    /// Times (µs) of the calls of `/restapi/oauth/wstoken`, refused ones included.
    pub ws_token_calls: VecDeque<u64>,
    /// Number of calls of `/restapi/oauth/wstoken`.
    pub ws_tokens_requested: u64,
    /// Presentations of a WebSocket token that had been presented before.
    pub ws_tokens_presented_again: u64,
    /// Presentations of an expired WebSocket token.
    pub ws_tokens_presented_expired: u64,
    /// Calls of `/restapi/oauth/token`.
    pub token_calls: u64,
    /// Calls refused for a rate limit.
    pub rate_limited: u64,
    /// Calls during a penalty.
    pub penalties_restarted: u64,
    /// Upgrade requests.
    pub upgrades: u64,
    /// Upgrade requests refused, or closed without authorization.
    pub upgrades_refused: u64,
    /// `ConnectionDetails` sent with `Successful`.
    pub recoveries: u64,
    /// `ConnectionDetails` sent with `Failed`.
    pub recoveries_failed: u64,
    /// Connections that presented a malformed `wsc`.
    pub malformed_wsc: u64,
    /// Sockets closed because their session moved to a newer one.
    pub takeovers: u64,
    /// Text frames from clients.
    pub frames_in: u64,
    /// Text frames to clients.
    pub frames_out: u64,
    /// Heartbeats answered.
    pub heartbeats: u64,
    /// Frames that could not be understood.
    pub malformed_frames: u64,
    /// Frames that came before `ConnectionDetails` was sent.
    pub frames_before_details: u64,
    /// Requests over sockets.
    pub requests: u64,
    /// The most requests any connection had in flight.
    pub max_active_requests: u32,
    /// Requests beyond the allowed number in flight.
    pub active_requests_exceeded: u64,
    /// Notifications made, once for each receiving session.
    pub notifications: u64,
    /// Notifications replayed after a recovery.
    pub replayed: u64,
    /// Notifications lost for good.
    pub lost: u64,
    /// Pings not answered in time.
    pub pongs_missed: u64,
    /// Events given up because nobody polled them.
    pub events_given_up: u64,
}
