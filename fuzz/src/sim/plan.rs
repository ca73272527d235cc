//! What one run looks like: everything is drawn from the seed. Swarm testing: each run has a random subset of the
//! faults, so that rare combinations come up undiluted.

use std::time::Duration;

use ringcentral_ws_core::Config;
use ringcentral_ws_gateway::{GatewayConfig, UserConfig};

use super::fill_plan::FillPlan;
use crate::rng::Rng;
use crate::time::{HOUR, MINUTE, S};

/// What happens on the server, and what can be subscribed to.
pub(crate) const EVENTS: [&str; 3] = [
    "/restapi/v1.0/account/~/extension/~/message-store",
    "/restapi/v1.0/account/~/extension/~/presence",
    "/restapi/v1.0/account/~/extension/~/voicemail",
];

macro_rules! faults {
    ($($name:ident $text:literal,)*) => {
        /// The kinds of faults.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Fault { $($name,)* }

        impl Fault {
            pub(crate) const ALL: &[Self] = &[$(Self::$name,)*];

            pub(crate) const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

faults! {
    Reset "connection reset",
    HalfOpen "half-open link",
    Stall "link stalled",
    Offline "network offline",
    ConnectRefused "connect refused",
    UpgradeRefused "upgrade refused",
    UpgradeLost "upgrade answer lost",
    HttpFailed "http failed",
    HttpRefused "http refused",
    HttpHangs "http hangs",
    ServerClose "server closes everyone",
    ServerRestart "server restart",
    Overload "server overload",
    IdleTimeout "idle time-out",
    AbsoluteTimeout "absolute time-out",
    ClockBack "clock goes back",
    Suspend "process suspended",
    Crash "process crash",
    Detach "detach and restore",
    Revoke "revoke and start anew",
    SlowConsumer "slow consumer",
    SendBlocked "send buffer full",
    Garbage "garbage frame",
    Corrupt "frame corrupted",
    Duplicate "frame duplicated",
    TokenExpiry "access tokens expired",
    Credentials "credential source fails",
    LoggedOut "logged out",
    NetworkHint "network hint",
    SubscriptionRefused "subscription refused",
    Burst "burst of notifications",
    CrashLoop "crash in a loop",
    PoisonedHandle "handle poisoned",
    Taken "session taken by another client",
    SyncTokens "sync tokens expired",
    FillRefused "calls of filling refused",
    FillGarbled "answers of filling garbled",
    FillCut "connection reset while filling",
    FillCrash "process crash while filling",
    Flood "messages flood in",
}

impl Fault {
    /// Whether it strikes only days on which the application fills gaps: those of other days, and what their seeds mean,
    /// stay as they were.
    pub(crate) const fn is_for_filling(self) -> bool {
        matches!(
            self,
            Self::SyncTokens | Self::FillRefused | Self::FillGarbled | Self::FillCut | Self::FillCrash | Self::Flood
        )
    }

    /// Whether it is something that a process that runs does or is given.
    pub(crate) const fn needs_process(self) -> bool {
        matches!(
            self,
            Self::SubscriptionRefused
                | Self::ClockBack
                | Self::Suspend
                | Self::Detach
                | Self::Revoke
                | Self::SlowConsumer
                | Self::SendBlocked
                | Self::Garbage
                | Self::NetworkHint
        )
    }
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) clients: usize,
    pub(crate) faults: Vec<Fault>,
    /// Mean time between faults.
    pub(crate) fault_every: u64,
    /// Mean time between notifications.
    pub(crate) traffic_every: u64,
    /// Mean time between things the application does; 0: nothing after the first subscription.
    pub(crate) app_every: u64,
    /// When the faults stop.
    pub(crate) calm_at: u64,
    pub(crate) end_at: u64,
    pub(crate) delay: u64,
    pub(crate) jitter: u64,
    /// Per mille of the calls after which the driver drains only in part.
    pub(crate) lazy: u64,
    /// The shortest time between two publications of the snapshot; `None`: never published.
    pub(crate) publish_every: Option<u64>,
    pub(crate) config: Config,
    pub(crate) gateway: GatewayConfig,
    /// The application fills gaps.
    pub(crate) fill: Option<FillPlan>,
}

impl Plan {
    /// A day like any other: nothing goes wrong. It shows what a heartbeat costs.
    pub(crate) fn calm(seed: u64, length: u64) -> Self {
        Self {
            clients: 1,
            faults: Vec::new(),
            traffic_every: 10 * MINUTE,
            app_every: 0,
            delay: 20 * S / 1000,
            jitter: 1,
            lazy: 0,
            publish_every: None,
            config: Config::default(),
            gateway: GatewayConfig::default(),
            ..Self::new(seed, length)
        }
    }

    /// The run of this seed, which lasts this long.
    pub(crate) fn new(seed: u64, length: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x706c_616e);
        let r = &mut rng;
        let calm = r.chance(150);
        let share = *r.pick(&[100, 250, 500]);
        let faults: Vec<Fault> = Fault::ALL
            .iter()
            .copied()
            .filter(|fault| !fault.is_for_filling())
            .filter(|_| !calm && r.chance(share))
            .collect();
        let crashes = faults.iter().any(|f| matches!(f, Fault::Crash | Fault::Detach | Fault::Revoke));
        let clients = if r.chance(100) { 1 + r.below(4) as usize } else { 1 };
        let heal = HOUR.min(length / 3);
        Self {
            clients,
            fault_every: *r.pick(&[2 * MINUTE, 10 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR]),
            traffic_every: *r.pick(&[10 * MINUTE, 10 * MINUTE, 10 * MINUTE, 2 * MINUTE, HOUR]),
            app_every: *r.pick(&[0, 0, HOUR, 10 * MINUTE]),
            calm_at: length - heal,
            end_at: length,
            delay: *r.pick(&[S / 1000, 20 * S / 1000, 200 * S / 1000]),
            jitter: *r.pick(&[1, 1, 10 * S / 1000, 500 * S / 1000]),
            lazy: *r.pick(&[0, 0, 0, 50, 500]),
            publish_every: crashes.then(|| *r.pick(&[0, MINUTE, 10 * MINUTE])),
            faults,
            config: client_config(r),
            gateway: gateway_config(r, clients),
            fill: None,
        }
    }
}

fn client_config(r: &mut Rng) -> Config {
    let mut config = Config { rest_over_websocket: r.chance(500), auto_recover: !r.chance(100), ..Config::default() };
    if r.chance(200) {
        config.limits.queued_requests = *r.pick(&[1, 3, 10]);
        config.limits.held_notifications = *r.pick(&[1, 2, 8]);
        config.limits.undrained = *r.pick(&[1, 4, 16]);
        config.limits.active_requests = *r.pick(&[1, 2, 10]);
    }
    config
}

fn gateway_config(r: &mut Rng, clients: usize) -> GatewayConfig {
    let mut g = GatewayConfig::default();
    g.seed = r.next();
    // Abandoned subscriptions live for a day: a day of many faults would fill the real limit of 20.
    g.max_subscriptions = 100_000;
    g.users = (0..clients as u32).map(UserConfig::numbered).collect();
    if r.chance(500) {
        g.recovery_buffer_size = *r.pick(&[1, 3, 10, 100]);
        g.recovery_timeout = Duration::from_secs(*r.pick(&[60, 120, 180]));
        g.absolute_timeout = Duration::from_secs(*r.pick(&[3_600, 7_200, 86_400]));
        g.ws_token.lifetime = Duration::from_secs(*r.pick(&[30, 60, 600]));
        g.rotate_wsc_every = *r.pick(&[None, Some(1), Some(3)]);
        g.accept_old_wsc = r.chance(700);
        g.replay_sent_tail = *r.pick(&[0, 0, 2, 20]);
        g.max_active_requests = *r.pick(&[1, 2, 10]);
    }
    if r.chance(300) {
        g.refuse_unauthorized_upgrade = r.chance(500);
        g.creation_time_z = r.chance(500);
        g.escape_slashes_in_echo = r.chance(500);
        g.subscription_id_header = r.chance(500);
        g.reply_delay = Duration::from_millis(*r.pick(&[0, 50, 3_000]));
        g.details_delay = Duration::from_millis(*r.pick(&[0, 50, 3_000]));
        g.ping_interval = *r.pick(&[None, Some(Duration::from_secs(25))]);
        g.ws_token.retry_after = r.chance(500);
        g.oauth.access_token_lifetime = Duration::from_secs(*r.pick(&[300, 1_800, 3_600]));
    }
    g
}
