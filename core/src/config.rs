//! The settings of a Session. Every number that it uses has a name here.

use std::time::Duration;

use url::Url;

use crate::identity::Identity;

/// The shortest [`Config::heartbeat_interval`]; shorter ones count as this.
pub const MIN_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(10);

/// Settings of a [`Session`](crate::Session): the server, time-outs, retries and limits.
///
/// `Default` suits RingCentral's production service. No value makes a session panic; a time-out of zero fails at once.
///
/// ```
/// use std::time::Duration;
///
/// use ringcentral_ws_core::Config;
///
/// let config = Config { rest_over_websocket: true, request_timeout: Duration::from_secs(20), ..Config::default() };
/// assert_eq!(config.server.as_str(), "https://platform.ringcentral.com/");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(default))]
pub struct Config {
    /// The REST server: scheme, host and port. A path counts for the logins of `ringcentral-ws-api` only. Default
    /// `https://platform.ringcentral.com`.
    #[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::url"))]
    pub server: Url,
    /// The owner of the session: a hash of server, app and user ([TOK-10](crate::protocol#tok-10)). Snapshots contain
    /// it from the first `connect` on. A snapshot of another owner is refused
    /// ([`RestoreError::OtherIdentity`](crate::RestoreError::OtherIdentity)). A snapshot without an owner is accepted.
    /// Default `None`: owners are not compared, and a restored session keeps its owner. The adapters set it if the
    /// credential source knows it.
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub identity: Option<Identity>,
    /// The header `X-User-Agent` of every REST call, unless the request has one. Default `ringcentral-ws-rs/` and the
    /// version.
    pub user_agent: String,
    /// Whether REST requests go over the WebSocket when they can ([REQ-5](crate::protocol#req-5)), and over HTTPS only
    /// when they must. Default off.
    pub rest_over_websocket: bool,
    /// Whether the session reconnects by itself after a loss ([REC-6](crate::protocol#rec-6)). If not, it waits for
    /// [`recover`](crate::Session::recover). Default on.
    pub auto_recover: bool,
    /// Whether connections without TLS are allowed ([TOK-8](crate::protocol#tok-8)). Plain `http` to this machine is
    /// always allowed, and so is plain `ws` on this machine if the server itself is plain and on this machine. Default
    /// off.
    pub allow_insecure: bool,
    /// More hosts that the WebSocket may be on, beside the server's and those below `ringcentral.com`
    /// ([TOK-8](crate::protocol#tok-8)). Entries are names or IP addresses without a port; `.example.com` means all
    /// hosts below `example.com`, and not itself. The token service names the host, and the host sees a token and the
    /// recovery token, so any other host is refused ([`Cause::ForeignUri`](crate::Cause::ForeignUri)). A recovery token
    /// goes only to hosts of the same entry that gave it. Default none.
    pub websocket_hosts: Vec<String>,
    /// The longest time from `Action::Open` to the server's ConnectionDetails ([CON-2](crate::protocol#con-2)). Default
    /// 15 s.
    pub handshake_timeout: Duration,
    /// The silence after which a heartbeat is sent ([HB-1](crate::protocol#hb-1)). Default 30 s, at least
    /// [`MIN_HEARTBEAT_INTERVAL`]. Heartbeats cannot be turned off.
    pub heartbeat_interval: Duration,
    /// The silence after a heartbeat after which the connection is given up ([HB-2](crate::protocol#hb-2)). Default 10
    /// s.
    pub heartbeat_timeout: Duration,
    /// The same after the machine woke up ([HB-4](crate::protocol#hb-4)). Default 3 s.
    pub wake_timeout: Duration,
    /// The deadline of a REST request that names none ([REQ-4](crate::protocol#req-4)). Default 60 s.
    pub request_timeout: Duration,
    /// The longest time of a call for a connection token, and the longest wait for the credential source. Default 30 s.
    pub token_timeout: Duration,
    /// How long before its expiry a connection token is not used any more ([TOK-7](crate::protocol#tok-7)); at most a
    /// fifth of its life, which is at most a minute. Default 5 s.
    pub token_margin: Duration,
    /// The longest time of [`close`](crate::Session::close) ([CLS-1](crate::protocol#cls-1)). Default 5 s.
    pub close_timeout: Duration,
    /// How long the server keeps a lost session, if it does not say ([REC-1](crate::protocol#rec-1)). Default 180 s.
    pub recovery_timeout: Duration,
    /// How many notifications the server keeps for a lost session, if it does not say ([REC-5](crate::protocol#rec-5)).
    /// Default 100.
    pub recovery_buffer_size: usize,
    /// Which losses of a connection are a gap even if the session is recovered ([REC-5](crate::protocol#rec-5)).
    /// Default: those after a silence.
    pub in_flight_gaps: InFlightGaps,
    /// Delays and budgets of attempts.
    pub retry: RetryPolicy,
    /// Limits of memory.
    pub limits: SessionLimits,
}

/// Which losses of a connection are a gap even if the session is recovered ([REC-5](crate::protocol#rec-5)).
///
/// A server replays only what it could not send. What it wrote into a dead connection may count as sent, and is lost.
/// The client cannot detect that. It only knows how long the connection was silent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum InFlightGaps {
    /// No loss. Use it only if losing a few notifications without a `Gap` is acceptable.
    Off,
    /// Losses after a silence. There are three kinds: nothing had arrived for longer than the heartbeat interval when
    /// the connection ended without a close frame; a heartbeat was not answered; or a connection that presented the
    /// recovery token stayed silent until its handshake timed out.
    #[default]
    AfterSilence,
    /// Every connection that ends without a close frame.
    EveryLoss,
}

/// Delays and budgets of attempts to connect ([BCK-1](crate::protocol#bck-1), [BCK-2](crate::protocol#bck-2),
/// [BCK-3](crate::protocol#bck-3)).
///
/// Whatever the delays are, attempts stay within `auth_calls_per_minute` and `attempts_per_minute`. A refused
/// subscription waits at least 10 ms.
///
/// An attempt that fails before anything leaves the machine (name lookup, TCP, TLS) costs no call of the server's
/// limit, so it is repeated every few seconds. An attempt that the server may have seen costs a call, so these are
/// spread over the minute. One more attempt is made right before the recovery window ends. Only the server knows
/// whether the window began with the last frame or with the loss, so there are two such moments.
///
/// ```
/// use ringcentral_ws_core::{Config, RetryPolicy};
///
/// // Two sessions of one app and user share the five calls a minute.
/// let retry = RetryPolicy { auth_calls_per_minute: 2, ..RetryPolicy::default() };
/// let config = Config { retry, ..Config::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(default))]
pub struct RetryPolicy {
    /// The longest delay of the first retry after a lost socket; the delay is random between zero and this. Sessions
    /// that wait for the same moment, such as the end of a `Retry-After`, are spread over three quarters of it. Default
    /// 2 s.
    pub socket_lost: Duration,
    /// The longest delay of the first retry after the server closed the connection. Default 5 s.
    pub server_closed: Duration,
    /// The longest delay after an attempt that failed before anything left the machine, within the recovery window after
    /// the loss or the start. The shortest is two fifths of it. Default 4.5 s.
    pub unsent: Duration,
    /// The longest delay after such an attempt later. The shortest is half of it. Default 16
    /// s.
    pub unsent_later: Duration,
    /// After the `n`-th failed attempt in a row that the server may have seen, the delay is this times 2^n, plus or
    /// minus an eighth. Default 2 s.
    pub base: Duration,
    /// The longest such delay. A budget or `Retry-After` can make it longer. Default 12 s.
    pub max: Duration,
    /// Most calls of the rate-limit group Auth in any 60 s ([TOK-2](crate::protocol#tok-2)): calls for connection
    /// tokens, and requests to the credential source. A call that was not sent does not count. Near the end of a
    /// recovery window the last call is kept for the attempt right before that end. Default 5, the documented limit for
    /// each user and app.
    pub auth_calls_per_minute: usize,
    /// Most attempts to connect in any 60 s, whatever becomes of them ([BCK-3](crate::protocol#bck-3)). Default 30.
    pub attempts_per_minute: usize,
    /// The wait after a 429 without `Retry-After`. From the second in a row on more is added, at random: at first up to this
    /// much, in the end up to four times as much ([TOK-3](crate::protocol#tok-3)). Default 60 s.
    pub penalty: Duration,
    /// How long before each end of the recovery window the last attempt begins, at the earliest
    /// ([BCK-2](crate::protocol#bck-2)). It begins before the last eighth of this time. Default 4.9 s.
    pub last_chance: Duration,
    /// The wait of a session that another client opens repeatedly ([CON-7](crate::protocol#con-7)), plus or minus a
    /// quarter. A new session begins after it. Default 60 s.
    pub contended: Duration,
    /// The wait after a subscription was refused because there are too many ([SUB-5](crate::protocol#sub-5)). Default
    /// 300 s.
    pub subscription_limit: Duration,
}

/// Limits of a Session's memory ([SEC-3](crate::protocol#sec-3)). Everything whose size the server chooses has a limit
/// in bytes, either here or a constant.
///
/// Beside `held_bytes` a session keeps these texts of the server:
///
/// - a key of 20 bytes for each delivered notification, for twice the recovery buffer and at most 8192, and the first
///   1024 bytes of the last one's id;
/// - the recovery token, the access token and the connection token, of at most 64 KiB each (longer ones are refused),
///   and the 16 that were used last, so that they are masked where they are quoted;
/// - the id of the subscription, of at most 1024 bytes;
/// - in events 100 to 300 characters of codes, ids and dates, and 300 characters or 1024 bytes of other texts; 16
///   entries of an error; 5000 filters of a confirmed subscription, and as many disabled ones, of 4096 bytes each and
///   within one frame;
/// - the places of losses among held notifications, no more than there are notifications.
///
/// A session does not keep the answer to a request (at most one frame over the WebSocket, and over HTTPS what the
/// driver accepts), nor the text of ConnectionDetails. Both count for `held_bytes` while they wait as outputs.
///
/// ```
/// use ringcentral_ws_core::{SessionLimits, Config};
///
/// // A small device: 4 MiB at most wait in the session, and no message may be larger than 1 MiB.
/// let limits = SessionLimits { held_bytes: 4 << 20, frame_bytes: 1 << 20, ..SessionLimits::default() };
/// let config = Config { limits, ..Config::default() };
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(default))]
pub struct SessionLimits {
    /// Most REST requests that wait in the queue ([REQ-2](crate::protocol#req-2)). The size of their bodies is not
    /// limited. Default 256.
    pub queued_requests: usize,
    /// Most requests in flight over the WebSocket, and most over HTTPS. The server may name a lower limit for the
    /// WebSocket ([REQ-2](crate::protocol#req-2)). Default 10.
    pub active_requests: usize,
    /// Most notifications that are held until the answer to `subscribe` ([SUB-3](crate::protocol#sub-3)). Default 256.
    pub held_notifications: usize,
    /// Most bytes that are held ([SEC-3](crate::protocol#sec-3)): notifications that wait for the answer to
    /// `subscribe`, notifications that wait for the end of a replay, and outputs that are not drained, together. A
    /// notification counts its texts and 128 bytes. Default 64 MiB. Above the limit:
    ///
    /// - the oldest notifications that wait for an answer are dropped, with a certain [`Gap`](crate::Gap)
    ///   (`queue_overflow`);
    /// - a replay is delivered before its end is known, with a possible one (`replay_interrupted`);
    /// - inputs are refused with [`NotDrained`](crate::NotDrained).
    pub held_bytes: usize,
    /// Largest message that is read, in bytes ([FRM-4](crate::protocol#frm-4)). Default 16 MiB.
    pub frame_bytes: usize,
    /// Most headers that are kept of an answer over the socket ([FRM-4](crate::protocol#frm-4)). Default 64.
    pub headers: usize,
    /// Unreadable messages in a row after which the connection is dropped ([FRM-1](crate::protocol#frm-1)). Default 16.
    pub bad_frames: usize,
    /// When this many outputs wait, inputs are refused with [`NotDrained`](crate::NotDrained). See also `held_bytes`.
    /// Default 1024.
    pub undrained: usize,
    /// If the server names a larger recovery buffer, this one is assumed, in notifications; at most 4096. Default 1000.
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
            limits: SessionLimits::default(),
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

impl Default for SessionLimits {
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
