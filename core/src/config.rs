//! Every number a Session obeys, by name.

use std::time::Duration;

use url::Url;

use crate::identity::Identity;

/// The shortest [`Config::heartbeat_interval`] that is obeyed.
pub const MIN_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(10);

/// Settings of a Session. `Default` suits RingCentral's production service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(default))]
pub struct Config {
    /// The REST server: scheme, host and port; a path is not used, other than for the logins of `ringcentral-ws-api`. Default
    /// `https://platform.ringcentral.com`.
    #[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::url"))]
    pub server: Url,
    /// Whose the session is (TOK-10). A snapshot of another identity is refused
    /// ([`RestoreError::OtherIdentity`](crate::RestoreError::OtherIdentity)), and this one is written into those taken
    /// from the first `connect` on. One that has none yet, such as those of earlier versions, is accepted. Default
    /// `None`: nothing is compared, and a restored session keeps the identity that it has. The adapters set it where
    /// the credential source knows it.
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub identity: Option<Identity>,
    /// Sent as `X-User-Agent` with every REST call.
    pub user_agent: String,
    /// Whether REST calls travel over the socket when they can (REQ-5). Default off.
    pub rest_over_websocket: bool,
    /// Whether a lost connection is replaced without being asked (REC-6). Default on.
    pub auto_recover: bool,
    /// Whether plain `http` is allowed to a server other than on this machine, and plain `ws` where the server is not a
    /// plain one on this machine (TOK-8). Default off.
    pub allow_insecure: bool,
    /// Hosts that the WebSocket may be on, beside that of the server and those below `ringcentral.com` (TOK-8): names or
    /// IP addresses, without a port; `.example.com` is all hosts below `example.com`, and not itself. The token service
    /// names the host, and it is shown a token and the recovery handle: any other is refused
    /// ([`Cause::ForeignUri`](crate::Cause::ForeignUri)). A handle goes to no host of another kind than the one that gave
    /// it, and each entry is a kind of its own. Default none.
    pub websocket_hosts: Vec<String>,
    /// Opening plus ConnectionDetails must be done within this (CON-2). Default 15 s.
    pub handshake_timeout: Duration,
    /// Silence before a heartbeat (HB-1). Default 30 s. Less than [`MIN_HEARTBEAT_INTERVAL`] counts as that: each answer
    /// would bring the next one, as fast as the network is. It cannot be turned off.
    pub heartbeat_interval: Duration,
    /// Silence after a heartbeat before the peer is dead (HB-2). Default 10 s.
    pub heartbeat_timeout: Duration,
    /// The same after a wake-up (HB-4). Default 3 s.
    pub wake_timeout: Duration,
    /// Default deadline of a REST request (REQ-4). Default 60 s.
    pub request_timeout: Duration,
    /// Limit of the wstoken call, and of asking the credential source. Default 30 s.
    pub token_timeout: Duration,
    /// A ws token is not used in the last part of its life, or of a minute if that is shorter (TOK-7): this, or a fifth of
    /// it if shorter. Default 5 s.
    pub token_margin: Duration,
    /// `close` ends within this (CLS-1). Default 5 s.
    pub close_timeout: Duration,
    /// How long a lost session can be recovered, if the server does not say (REC-1). Default 180 s.
    pub recovery_timeout: Duration,
    /// How many notifications the server keeps meanwhile, if it does not say (REC-5). Default 100.
    pub recovery_buffer_size: usize,
    /// Whether what the network may have swallowed at a loss is a gap (REC-5). Default: after a silence.
    pub in_flight_gaps: InFlightGaps,
    /// When to try again.
    pub retry: RetryPolicy,
    /// How much may be held.
    pub limits: Bounds,
}

/// When a loss of the connection is a gap even if the recovery succeeds (REC-5).
///
/// What the server wrote into a connection that was dead already is lost, if the server takes it as sent: it replays
/// only what it could not send. Nobody can see that from here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum InFlightGaps {
    /// Never.
    Off,
    /// When nothing had come for longer than the heartbeat interval before a connection ended without a close frame, when a
    /// heartbeat was not answered, and when a connection that presented the recovery handle stayed silent for as long as
    /// its handshake may take.
    #[default]
    AfterSilence,
    /// Whenever a connection ended without a close frame.
    EveryLoss,
}

/// When to try again (BCK). Whatever these say, connections stay within the two budgets, and a refused subscription
/// waits at least 10 ms.
///
/// An attempt that fails before anything leaves the machine (name lookup, TCP, TLS) costs no call of the server's limit,
/// so it is repeated every few seconds. One that the server may have seen costs a call, so these are spread over the
/// minute. An attempt is placed right before each end of the recovery window: there are two, because only the server
/// knows when it began to count, the last frame that came or the loss as it was noticed here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(default))]
pub struct RetryPolicy {
    /// The first retry after a lost socket comes within this, uniformly. Three quarters of it are also the spread of those
    /// who wait for the same moment, such as the end of a `Retry-After`. Default 2 s.
    pub socket_lost: Duration,
    /// The first retry after the server closed everyone comes within this. Default 5 s.
    pub server_closed: Duration,
    /// The retry after an attempt that failed before anything left the machine comes within this, and not before two
    /// fifths of it. It holds for as long after the loss as a session can be recovered. Default 4.5 s.
    pub unsent: Duration,
    /// The same after that time: within this, and not before half of it. Default 16 s.
    pub unsent_later: Duration,
    /// The retry after the `n`-th attempt that the server may have seen comes after this times 2^n, give or take an
    /// eighth … Default 2 s.
    pub base: Duration,
    /// … but after no more than this, unless the budget or `Retry-After` ask for it. Default 12 s.
    pub max: Duration,
    /// Calls of the rate-limit group Auth in any rolling 60 s (TOK-2): those for WebSocket tokens, and the questions to
    /// the credential source. What never left the machine is not counted. Near the end of a recovery window the last one
    /// is kept for a try right before it. Default 5, the documented limit for each user and app.
    pub auth_calls_per_minute: usize,
    /// Connection attempts in any rolling 60 s, whatever becomes of them (BCK-3). Default 30.
    pub attempts_per_minute: usize,
    /// The floor after a 429 without `Retry-After` (TOK-3). Default 60 s.
    pub penalty: Duration,
    /// A last try is made in this final stretch before each end of the recovery window, less its last eighth (BCK-2).
    /// Default 4.9 s.
    pub last_chance: Duration,
    /// The rest of a session that another client opens again and again; after it comes a session of its own (CON-7).
    /// Default 60 s.
    pub contended: Duration,
    /// Retry of a subscription refused for the subscription limit (SUB-5). Default 300 s.
    pub subscription_limit: Duration,
}

/// How much a Session may hold. Together they bound its memory (SEC-3): what the server chooses the size of is bounded in
/// bytes, here or by a constant.
///
/// What is kept of the server's words beside the bytes of `held_bytes`:
///
/// - of each notification delivered a key of 20 bytes, for twice the recovery buffer, at most 8192; of the last one the
///   first 1024 bytes of its id;
/// - the recovery handle, the access token and the WebSocket token: 64 KiB each, a longer one is none; and the 32 of them
///   that were used last, so that they can be masked where they are quoted;
/// - the id of the subscription: 1024 bytes, a longer one is none;
/// - of codes, ids and dates in events 100 to 300 characters, of other texts 300 characters or 1024 bytes; of an error 16
///   entries; of a confirmed subscription 5000 filters, and as many that are disabled, with 4096 bytes each and within one
///   frame;
/// - places of losses among notifications that are held, no more than of these.
///
/// The answer to a request is its caller's: one frame over the socket, over HTTPS what the driver takes. So is the text of
/// ConnectionDetails in the event. A Session keeps neither, but as an output that waits both count for `held_bytes`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(default))]
pub struct Bounds {
    /// REST requests waiting for their turn (REQ-2). Their bodies are the caller's, and so is the memory they take: no
    /// other limit holds for it. Default 256.
    pub queued_requests: usize,
    /// Requests in flight, if the server names no lower limit. Default 10.
    pub active_requests: usize,
    /// Notifications held for the subscribe reply (SUB-3). Default 256.
    pub held_notifications: usize,
    /// Bytes that are held back because of the server (SEC-3): the notifications that wait for the subscribe reply, those
    /// that wait for the end of a replay, and outputs that nobody has drained, together. Each notification counts its
    /// texts and 128 bytes. Beyond it the oldest that wait for a reply are thrown away, behind a certain
    /// [`Gap`](crate::Gap) (`queue_overflow`); the replay is delivered without waiting for its end, behind a possible one
    /// (`replay_interrupted`); and inputs are refused with `NotDrained`. Default 64 MiB.
    pub held_bytes: usize,
    /// Largest message taken, in bytes (FRM-4). Default 16 MiB.
    pub frame_bytes: usize,
    /// Most headers kept of a reply. Default 64.
    pub headers: usize,
    /// Unreadable messages in a row before the connection is dropped (FRM-1). Default 16.
    pub bad_frames: usize,
    /// Outputs queued before inputs are refused with `NotDrained`; see `held_bytes` too. Default 1024.
    pub undrained: usize,
    /// Largest recovery buffer believed, whatever the server says; never more than 4096. Default 1000.
    pub recovery_buffer: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server: default_server(),
            identity: None,
            user_agent: concat!("ringcentral-ws-rs/", env!("CARGO_PKG_VERSION")).to_owned(),
            rest_over_websocket: false,
            auto_recover: true,
            allow_insecure: false,
            websocket_hosts: Vec::new(),
            handshake_timeout: Duration::from_secs(15),
            heartbeat_interval: Duration::from_secs(30),
            heartbeat_timeout: Duration::from_secs(10),
            wake_timeout: Duration::from_secs(3),
            request_timeout: Duration::from_secs(60),
            token_timeout: Duration::from_secs(30),
            token_margin: Duration::from_secs(5),
            close_timeout: Duration::from_secs(5),
            recovery_timeout: Duration::from_secs(180),
            recovery_buffer_size: 100,
            in_flight_gaps: InFlightGaps::default(),
            retry: RetryPolicy::default(),
            limits: Bounds::default(),
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            socket_lost: Duration::from_secs(2),
            server_closed: Duration::from_secs(5),
            base: Duration::from_secs(2),
            unsent: Duration::from_millis(4_500),
            unsent_later: Duration::from_secs(16),
            max: Duration::from_secs(12),
            auth_calls_per_minute: 5,
            attempts_per_minute: 30,
            penalty: Duration::from_secs(60),
            last_chance: Duration::from_millis(4_900),
            contended: Duration::from_secs(60),
            subscription_limit: Duration::from_secs(300),
        }
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            queued_requests: 256,
            active_requests: 10,
            held_notifications: 256,
            held_bytes: 64 << 20,
            frame_bytes: 16 << 20,
            headers: 64,
            bad_frames: 16,
            undrained: 1024,
            recovery_buffer: 1000,
        }
    }
}

fn default_server() -> Url {
    Url::parse("https://platform.ringcentral.com").expect("a constant URL")
}
