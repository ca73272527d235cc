//! Every number and every switch of the stand-in, with the defaults of the real service.

use std::time::Duration;

use crate::rest_limits::RestLimits;

/// Settings of a [`Gateway`](crate::Gateway). The defaults follow what is known of RingCentral's service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct GatewayConfig {
    /// Seeds every identifier and token. Two gateways with one seed and the same calls behave the same.
    pub seed: u64,
    /// Unix time in milliseconds at time 0 of the gateway's clock.
    pub unix_ms_at_start: u64,
    /// Where the REST service is reached; prefix of absolute `uri` members.
    pub base_url: String,
    /// The `uri` handed out with a WebSocket token.
    pub ws_url: String,
    /// The one application the stand-in knows.
    pub app: AppConfig,
    /// The users who can log in.
    pub users: Vec<UserConfig>,
    /// OAuth tokens and sessions.
    pub oauth: OAuthConfig,
    /// WebSocket tokens.
    pub ws_token: WsTokenConfig,
    /// Notifications kept for a session whose socket is gone (100).
    pub recovery_buffer_size: usize,
    /// How long after the loss a session can be recovered (180 s). The last instant still counts.
    pub recovery_timeout: Duration,
    /// How long a connection may be without data messages from the client (1800 s).
    pub idle_timeout: Duration,
    /// Age limit of a connection (86400 s).
    pub absolute_timeout: Duration,
    /// Requests a connection may have in flight (10).
    pub max_active_requests: u32,
    /// Only reported, never enforced (50): nobody outside knows its meaning.
    pub max_connections_per_session: u32,
    /// Subscriptions a user may have (20), abandoned ones included.
    pub max_subscriptions: usize,
    /// How long a subscription outlives its session (24 h).
    pub subscription_ttl: Duration,
    /// Event filters that contain one of these are refused as `SUB-508`, beside the malformed ones.
    pub invalid_filters: Vec<String>,
    /// Event filters that RingCentral does not have are refused as `SUB-508`, as the service does. Off by default, so that
    /// tests may use short ones; the program turns it on.
    pub known_filters_only: bool,
    /// Event filters that contain one of these come back in `disabledFilters` (partial success).
    pub disabled_filters: Vec<String>,
    /// Also count what the server sends as activity for the idle timeout (off).
    pub idle_counts_outbound: bool,
    /// Every n-th ordinary message of a connection carries a new `wsc` (never).
    pub rotate_wsc_every: Option<u32>,
    /// Whether a `wsc` older than the newest one still recovers the session (on).
    pub accept_old_wsc: bool,
    /// How many notifications that had been sent already are sent again at the head of a replay (0). None that is
    /// older than the last `2 × recovery_buffer_size` (or than this number, if it is larger).
    pub replay_sent_tail: usize,
    /// Whether notifications that [`Gateway::ws_lost`](crate::Gateway::ws_lost) declares undelivered are
    /// replayed (on). Off: they are lost, and reported as lost.
    pub half_open_replays: bool,
    /// How many sent notifications are remembered for a session, so that they can be put back (256).
    pub sent_history: usize,
    /// Refuse an upgrade without a valid token with 401, where the real service opens and closes with 4400.
    pub refuse_unauthorized_upgrade: bool,
    /// Print `creationTime` with `Z` in place of `+0000`.
    pub creation_time_z: bool,
    /// Escape `/` as `\/` in the echo of a heartbeat's id, as one recorded server did.
    pub escape_slashes_in_echo: bool,
    /// Add the `X-Rate-Limit-*` headers to replies over the socket, as the service did until about 2022.
    pub rate_limit_headers: bool,
    /// Add `WSG-SubscriptionId` to the subscription reply, as the service did until about 2022.
    pub subscription_id_header: bool,
    /// How long each reply over the socket takes; the request is active meanwhile (0).
    pub reply_delay: Duration,
    /// How long `ConnectionDetails` takes after the upgrade (0).
    pub details_delay: Duration,
    /// Interval of WebSocket pings to the client; `None` sends none.
    pub ping_interval: Option<Duration>,
    /// A ping must be answered within this time or the socket is closed (10 s).
    pub pong_timeout: Duration,
    /// Sending an SMS also makes the notifications it would make (on).
    pub sms_notifies: bool,
    /// How long a fax is `Queued` before it is `Sent` (2 s).
    pub fax_delay: Duration,
    /// Size in bytes of the recording of a voicemail or a call, and of a fax that arrived (65536).
    pub recording_size: u64,
    /// How many messages the message store of a user keeps (1000).
    pub message_store_size: usize,
    /// Messages of one answer of a sync, whatever was asked for (1000); more are older records that exist.
    pub sync_records: usize,
    /// How many posts a chat keeps (1000).
    pub chat_size: usize,
    /// Posts of one answer, whatever was asked for (250); the others are on further pages.
    pub post_records: usize,
    /// How many calls the call log of a user keeps (1000).
    pub call_log_size: usize,
    /// Rate limits of REST calls, by group and user; `None`: there are none, and no headers.
    pub rest_limits: Option<RestLimits>,
    /// How many events are kept for [`Gateway::poll_event`](crate::Gateway::poll_event) (4096); the
    /// oldest are given up and counted.
    pub event_log_size: usize,
    /// Close code after `WSG-400`, `WSG-902`, `WSG-903` (1000).
    pub error_close_code: u16,
    /// Close code when the OAuth session of a socket ends (1008).
    pub auth_close_code: u16,
    /// Close code of a socket whose session moved to a newer connection (1000).
    pub takeover_close_code: u16,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            unix_ms_at_start: 1_755_728_635_169,
            base_url: "https://platform.ringcentral.com".to_owned(),
            ws_url: "wss://platform.ringcentral.com/ws".to_owned(),
            app: AppConfig::default(),
            users: vec![UserConfig::default()],
            oauth: OAuthConfig::default(),
            ws_token: WsTokenConfig::default(),
            recovery_buffer_size: 100,
            recovery_timeout: Duration::from_secs(180),
            idle_timeout: Duration::from_secs(1800),
            absolute_timeout: Duration::from_secs(86_400),
            max_active_requests: 10,
            max_connections_per_session: 50,
            max_subscriptions: 20,
            subscription_ttl: Duration::from_secs(86_400),
            invalid_filters: Vec::new(),
            known_filters_only: false,
            disabled_filters: Vec::new(),
            idle_counts_outbound: false,
            rotate_wsc_every: None,
            accept_old_wsc: true,
            replay_sent_tail: 0,
            half_open_replays: true,
            sent_history: 256,
            refuse_unauthorized_upgrade: false,
            creation_time_z: false,
            escape_slashes_in_echo: false,
            rate_limit_headers: false,
            subscription_id_header: false,
            reply_delay: Duration::ZERO,
            details_delay: Duration::ZERO,
            ping_interval: None,
            pong_timeout: Duration::from_secs(10),
            sms_notifies: true,
            fax_delay: Duration::from_secs(2),
            recording_size: 65_536,
            message_store_size: 1000,
            sync_records: 1000,
            chat_size: 1000,
            post_records: 250,
            call_log_size: 1000,
            rest_limits: None,
            event_log_size: 4096,
            error_close_code: 1000,
            auth_close_code: 1008,
            takeover_close_code: 1000,
        }
    }
}

/// The application: its credentials and what it is permitted.
#[derive(Debug, Clone)]
pub struct AppConfig {
    /// OAuth client id.
    pub client_id: String,
    /// OAuth client secret.
    pub client_secret: String,
    /// Without it `POST /restapi/oauth/wstoken` answers 403.
    pub ws_token_permission: bool,
    /// Without it `POST /restapi/v1.0/subscription` answers 403 `SUB-528`.
    pub subscription_permission: bool,
}

impl Default for AppConfig {
    fn default() -> Self {
        Self {
            client_id: "gateway-client-id".to_owned(),
            client_secret: "gateway-client-secret".to_owned(),
            ws_token_permission: true,
            subscription_permission: true,
        }
    }
}

/// A user of the stand-in.
#[derive(Debug, Clone)]
pub struct UserConfig {
    /// The JWT that logs this user in. Compared as text, never decoded.
    pub jwt: String,
    /// Numeric account id.
    pub account_id: u64,
    /// Numeric extension id; also the owner id of notifications.
    pub extension_id: u64,
    /// Display name.
    pub name: String,
    /// Extension number.
    pub extension_number: String,
    /// Direct phone number.
    pub phone_number: String,
}

impl Default for UserConfig {
    fn default() -> Self {
        Self::numbered(0)
    }
}

impl UserConfig {
    /// The `n`-th of a family of users, each with its own JWT, extension and number in one account.
    #[must_use]
    pub fn numbered(n: u32) -> Self {
        Self {
            jwt: format!("gateway.user-{n}.jwt"),
            account_id: 809_646_016,
            extension_id: 62_264_425_016 + u64::from(n),
            name: format!("Test User {n}"),
            extension_number: format!("{}", 101 + n),
            phone_number: format!("+1650{:07}", 2_240_000 + n),
        }
    }
}

/// OAuth lifetimes and limits.
#[derive(Debug, Clone)]
pub struct OAuthConfig {
    /// Life of an access token (3600 s).
    pub access_token_lifetime: Duration,
    /// Life of a refresh token (604800 s).
    pub refresh_token_lifetime: Duration,
    /// Whether logins come with a refresh token (on).
    pub issue_refresh_tokens: bool,
    /// OAuth sessions a user may have (5); a further login ends the oldest, with its sockets.
    pub max_sessions_per_user: usize,
    /// How long a used refresh token works after the access token that came of it was first used (10 s).
    pub refresh_grace_after_use: Duration,
    /// How long a used refresh token works while the access token that came of it is unused (3600 s).
    pub refresh_grace_unused: Duration,
    /// Close the sockets of an OAuth session whose access token expires unrefreshed (on).
    pub close_sockets_at_expiry: bool,
    /// Calls of `/restapi/oauth/token` a minute for the application; `None` (the default, where the real
    /// service has 5) does not limit, so that a whole fleet can log in.
    pub token_rate_limit: Option<u32>,
}

impl Default for OAuthConfig {
    fn default() -> Self {
        Self {
            access_token_lifetime: Duration::from_secs(3600),
            refresh_token_lifetime: Duration::from_secs(604_800),
            issue_refresh_tokens: true,
            max_sessions_per_user: 5,
            refresh_grace_after_use: Duration::from_secs(10),
            refresh_grace_unused: Duration::from_secs(3600),
            close_sockets_at_expiry: true,
            token_rate_limit: None,
        }
    }
}

/// WebSocket tokens and their rate limit.
#[derive(Debug, Clone)]
pub struct WsTokenConfig {
    /// `expires_in` (600 s; 30 and 60 have been seen too).
    pub lifetime: Duration,
    /// A token opens one connection (on). Off: using it again cuts the connection that used it before.
    pub single_use: bool,
    /// Calls of `/restapi/oauth/wstoken` per user in a window (5); `None` does not limit.
    pub rate_limit: Option<u32>,
    /// The window of the limit (60 s).
    pub rate_window: Duration,
    /// The penalty after the limit was exceeded (60 s). Every call during it restarts it.
    pub penalty: Duration,
    /// Whether 429 replies carry `Retry-After` and the rate limit headers (on).
    pub retry_after: bool,
}

impl Default for WsTokenConfig {
    fn default() -> Self {
        Self {
            lifetime: Duration::from_secs(600),
            single_use: true,
            rate_limit: Some(5),
            rate_window: Duration::from_secs(60),
            penalty: Duration::from_secs(60),
            retry_after: true,
        }
    }
}

/// Microseconds of a duration, saturating.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
