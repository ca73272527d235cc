//! What the page says: one JSON object a call.

use serde::Deserialize;

/// A call. `now` is the page's clock in milliseconds, from any moment, never going back.
#[derive(Deserialize)]
pub(crate) struct Call {
    pub(crate) now: f64,
    #[serde(flatten)]
    pub(crate) what: What,
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(crate) enum What {
    Start(Start),
    /// The snapshot as it is now. The page asks when it has handled all earlier events (PST-4).
    Snapshot,

    // Commands.
    Subscribe {
        filters: Vec<String>,
    },
    Unsubscribe,
    Request(Request),
    Cancel {
        id: u64,
    },
    Recover,
    /// The page has stored a snapshot, or keeps none (PST-2).
    SnapshotStored,
    Close {
        mode: Mode,
    },

    // Inputs.
    Authorized {
        id: u64,
        token: String,
        /// Seconds.
        expires_in: Option<u64>,
    },
    AuthorizeFailed {
        id: u64,
        permanent: bool,
        message: String,
    },
    HttpResponse {
        id: u64,
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
    },
    HttpFailed {
        id: u64,
        /// Whether it is certain that nothing left.
        not_sent: bool,
        message: String,
    },
    Opened {
        conn: u64,
    },
    OpenFailed {
        conn: u64,
        not_sent: bool,
        message: String,
    },
    Text {
        conn: u64,
        text: String,
    },
    Binary {
        conn: u64,
    },
    /// What came on this connection may have been discarded before the page saw it.
    Deaf {
        conn: u64,
    },
    Closed {
        conn: u64,
        code: Option<u16>,
        reason: String,
    },
    SendBlocked {
        conn: u64,
    },
    SendReady {
        conn: u64,
    },
    Network {
        online: bool,
    },
    Resumed,
    Timeout,
}

#[derive(Deserialize)]
pub(crate) struct Start {
    pub(crate) server: String,
    /// For jitter: any random number below 2⁵³.
    pub(crate) seed: u64,
    /// `Date.now()`.
    pub(crate) unix: u64,
    /// What a call of `snapshot` gave, in this page or one before it.
    pub(crate) snapshot: Option<String>,
    /// Whose session it is, by a name that stays the same; with another one the snapshot is not used.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// As in the settings of the core.
    #[serde(default)]
    pub(crate) websocket_hosts: Vec<String>,
    #[serde(default)]
    pub(crate) rest_over_websocket: bool,
    #[serde(default)]
    pub(crate) allow_insecure: bool,
    /// Not given: the default.
    #[serde(default)]
    pub(crate) auth_calls_per_minute: Option<usize>,
}

/// Bodies are text: what is binary the page fetches by itself.
#[derive(Deserialize)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    #[serde(default)]
    pub(crate) headers: Vec<(String, String)>,
    #[serde(default)]
    pub(crate) body: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mode {
    Revoke,
    Detach,
}
