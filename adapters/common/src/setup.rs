//! The settings of a client, and the first steps of every client.

mod methods;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use ringcentral_ws_api::{Backfill, BackfillState, GapFiller};
use ringcentral_ws_core::{ClockReading, Config, Filters, Identity, RetryPolicy, Session, Snapshot, is_loopback};
use rustls::ClientConfig;
use url::Url;

#[doc(hidden)]
pub use self::methods::names;
use crate::clock::{Clock, ClockTimes};
use crate::content::{CONTENT_HOST, ContentHosts};
use crate::debug::{Debug, DebugSink};
use crate::events::{EventReceiver, SessionView, event_queue};
use crate::health::Vitals;
use crate::limits::{IoLimits, MAX_LEFT_CALLS, MessageLimits};
use crate::listen::Restart;
use crate::metrics::Meter;
use crate::net::Net;
use crate::proxy::ProxyChoice;
use crate::pump::PumpParts;
use crate::recording::{FlightRecorder, Recorded, RecorderOptions};
use crate::start_error::StartError;
use crate::state::{StateSender, Watcher};
use crate::state_file::{Running, StateFile};
use crate::tls::tls_for;
use crate::trace::{SessionSpan, Tracer};

/// What a client is started with, as far as both halves have the same. The methods that set it are those of
/// [`settings_methods`](crate::settings_methods).
pub struct Settings {
    /// Event filters to subscribe to; none means that nothing is subscribed at the start.
    pub filters: Vec<String>,
    /// Settings of the session.
    pub config: Config,
    /// Limits of input and output.
    pub limits: IoLimits,
    /// The session to continue.
    pub snapshot: Option<Snapshot>,
    /// The files that it is read from, in place of `snapshot`.
    pub state: Option<StateFile>,
    /// The application acknowledges events.
    pub acknowledge: bool,
    /// No connection is made.
    pub calls_only: bool,
    /// TLS settings in place of the default ones.
    pub tls: Option<Arc<ClientConfig>>,
    /// Hosts that downloads may go to beside the server.
    pub content_hosts: Vec<String>,
    /// The proxy.
    pub proxy: ProxyChoice,
    /// Where debug lines go.
    pub debug: Option<DebugSink>,
    /// What the flight recorder keeps.
    pub recorder: Option<RecorderOptions>,
    /// How gaps are filled; `None`: they are not.
    pub backfill: Option<Backfill>,
    /// Waits are short if the server is on this machine.
    pub for_tests: bool,
    /// The value of the label `client` of all metrics. Feature `metrics`.
    pub metrics_label: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            filters: Vec::new(),
            config: Config::default(),
            limits: IoLimits::default(),
            snapshot: None,
            state: None,
            acknowledge: false,
            calls_only: false,
            tls: None,
            content_hosts: vec![CONTENT_HOST.to_owned()],
            proxy: ProxyChoice::Environment,
            debug: None,
            recorder: None,
            backfill: None,
            for_tests: false,
            metrics_label: None,
        }
    }
}

/// What a half needs to run a client: its settings, checked and resolved, the pump's parts with the session, and what the
/// handles see of it.
pub struct Prepared {
    /// What the pump is made of.
    pub pump: PumpParts,
    /// The application's end of the queue of events.
    pub events: EventReceiver,
    /// What the handles see of the session.
    pub view: SessionView,
    /// Sees the session's state.
    pub states: Watcher,
    /// The session's recorder, if there is one.
    pub recorder: Option<FlightRecorder>,
    /// The span of the session.
    pub span: SessionSpan,
    /// What connections and calls are made with.
    pub net: Net,
    /// Limits of messages.
    pub message: MessageLimits,
    /// HTTPS calls that may run at once, those that were given up included.
    pub max_calls: usize,
}

impl Settings {
    /// The server, for credentials of this one: that of the configuration if it names another than production.
    #[must_use]
    pub fn server<'a>(&'a self, of_credentials: Option<&'a Url>) -> &'a Url {
        of_credentials.filter(|_| self.config.server == Config::default().server).unwrap_or(&self.config.server)
    }

    /// Checks the settings and makes the session, for credentials of `server` and `identity`, if those are known.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change.
    pub fn prepare(
        self,
        server: Option<&Url>,
        identity: Option<Identity>,
        seed: u64,
        look: impl Fn() -> ClockTimes + Send + Sync + 'static,
    ) -> Result<Prepared, StartError> {
        let (mut config, mut backfill) = (self.config, self.backfill);
        let needs_tls = settle_server(&mut config, server)?;
        let (snapshot, running) = stored(self.snapshot, self.state.as_ref(), &config.server)?;
        if self.for_tests && is_loopback(&config.server) {
            shorten(&mut config.retry);
            backfill = backfill.map(|settings| settings.settle(SHORT).spread(Duration::ZERO));
        }
        config.identity = config.identity.or(identity);
        config.heartbeat_interval = own_interval(config.heartbeat_interval, seed);
        let filters = if self.filters.is_empty() { None } else { Some(Filters::new(&self.filters)?) };
        let clock = Clock::new(self.limits.clock_slack, look);
        let vitals = Vitals::new(&clock, &config, self.limits.clock_slack);
        let (message, close_timeout) = (MessageLimits::of(&config), config.close_timeout);
        let max_calls = config.limits.active_requests.saturating_add(MAX_LEFT_CALLS);
        let (server, allow_insecure) = (config.server.clone(), config.allow_insecure);
        let tracer = Tracer::new(&server, snapshot.is_some());
        let proxy = self.proxy.resolve()?.map(Arc::new);
        let filler = backfill.map(|settings| gap_filler(settings, snapshot.as_ref(), seed, clock.reading()));
        let session = match snapshot.clone() {
            Some(snapshot) => Session::restore(config, snapshot.with_extra(None), seed, clock.reading())
                .map_err(|why| StartError::restoring(why, self.state.map(|state| state.names())))?,
            None => Session::new(config, seed, clock.reading()),
        };
        let session = Recorded::maybe(session, self.recorder);
        let recorder = session.recorder().cloned();
        let restart = snapshot.as_ref().map(|snapshot| Box::new(Restart::new(snapshot, clock.reading().unix)));
        let meter = Meter::new(self.metrics_label.as_deref());
        let (sender, events) = event_queue(&self.limits, snapshot, meter.queue(), self.acknowledge);
        let (states, limits) = (StateSender::new(), shared(&LIMITS, self.limits));
        let content = ContentHosts { server, hosts: self.content_hosts, allow_insecure };
        Ok(Prepared {
            events: events.holding(running),
            view: sender.view(vitals),
            states: states.watch(),
            recorder,
            span: tracer.session(),
            net: Net {
                limits: Arc::clone(&limits),
                tls: tls_for(self.tls, needs_tls)?,
                proxy,
                content: shared(&CONTENT, content),
            },
            message,
            max_calls,
            pump: PumpParts {
                session,
                clock,
                filters,
                events: sender,
                states,
                debug: Debug::new(self.debug),
                tracer,
                meter,
                limits,
                close_timeout,
                calls_only: self.calls_only,
                filler,
                restart,
            },
        })
    }
}

/// The session to continue, and the hold on its files if it is from files.
fn stored(
    given: Option<Snapshot>,
    state: Option<&StateFile>,
    server: &Url,
) -> Result<(Option<Snapshot>, Option<Running>), StartError> {
    let Some(state) = state else { return Ok((given, None)) };
    let running = state.run().ok_or_else(|| StartError::InUse(state.names().session.into()))?;
    Ok((state.stored_session(server), Some(running)))
}

/// What fills gaps, with what it knew in the run before.
fn gap_filler(settings: Backfill, snapshot: Option<&Snapshot>, seed: u64, now: ClockReading) -> Box<GapFiller> {
    let kept = snapshot.and_then(|snapshot| BackfillState::from_json(snapshot.extra()?));
    let mut filler = GapFiller::restore(settings, kept.unwrap_or_default(), seed, now);
    // A snapshot of a run that did not fill gaps knows what the subscription is for.
    if let Some(filters) = snapshot.and_then(Snapshot::filters).filter(|_| !filler.knows_filters()) {
        filler.set_filters(filters.iter());
    }
    Box::new(filler)
}

/// What takes the place of delays of seconds in tests.
const SHORT: Duration = Duration::from_millis(50);

/// Delays and budgets for tests.
fn shorten(retry: &mut RetryPolicy) {
    for delay in [&mut retry.socket_lost, &mut retry.server_closed, &mut retry.unsent, &mut retry.unsent_later] {
        *delay = SHORT.min(*delay);
    }
    (retry.base, retry.max) = (SHORT.min(retry.base), (10 * SHORT).min(retry.max));
    for budget in [&mut retry.auth_calls_per_minute, &mut retry.attempts_per_minute] {
        *budget = 1000.max(*budget);
    }
}

/// What the last client was made with.
type Last<T> = Mutex<Weak<T>>;

static LIMITS: Last<IoLimits> = Mutex::new(Weak::new());
static CONTENT: Last<ContentHosts> = Mutex::new(Weak::new());

/// A setting. Most clients of a program have the same ones: those are held once.
fn shared<T: PartialEq>(last: &Last<T>, setting: T) -> Arc<T> {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = last.upgrade().filter(|known| **known == setting) {
        return known;
    }
    let new = Arc::new(setting);
    *last = Arc::downgrade(&new);
    new
}

/// The session's own interval of heartbeats: up to an eighth shorter than the one that is set. Sessions that connect
/// together, as thousands in one process do, would send their heartbeats together for ever.
fn own_interval(set: Duration, seed: u64) -> Duration {
    const STEPS: u32 = 1 << 16;
    // Fibonacci hashing: seeds that are close together differ too.
    let step = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    set - set / (8 * STEPS) * u32::try_from(step).unwrap_or_default()
}

/// Takes the server of the credentials unless the configuration names another than production. Returns whether TLS is
/// needed to reach it. Credentials do not travel in the clear.
fn settle_server(config: &mut Config, of_credentials: Option<&Url>) -> Result<bool, StartError> {
    if let Some(server) = of_credentials.filter(|_| config.server == Config::default().server) {
        config.server = server.clone();
    }
    let secure = config.server.scheme() == "https";
    if secure || config.allow_insecure || is_loopback(&config.server) {
        Ok(secure)
    } else {
        let url = &config.server;
        // Neither a password nor a path is shown.
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let address = format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default());
        Err(StartError::InsecureServer(address.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_with_the_same_limits_share_them() {
        static LAST: Last<IoLimits> = Mutex::new(Weak::new());
        let limits = IoLimits { event_queue: 77, ..IoLimits::default() };
        let one = shared(&LAST, limits.clone());
        assert_eq!(*one, limits);
        assert!(Arc::ptr_eq(&one, &shared(&LAST, limits)));
        let other = shared(&LAST, IoLimits::default());
        assert_eq!((&*other, one.event_queue), (&IoLimits::default(), 77));
    }

    #[test]
    fn tests_wait_for_less_and_never_longer() {
        let mut retry = RetryPolicy { base: Duration::from_millis(1), ..RetryPolicy::default() };
        shorten(&mut retry);
        assert_eq!((retry.socket_lost, retry.unsent_later, retry.base), (SHORT, SHORT, Duration::from_millis(1)));
        assert_eq!((retry.max, retry.auth_calls_per_minute), (10 * SHORT, 1000));
        assert_eq!(retry.penalty, RetryPolicy::default().penalty, "what the server asks for is waited out");
    }

    // CLAUSE HB-1
    #[test]
    fn sessions_that_connect_together_do_not_send_their_heartbeats_together() {
        let set = Duration::from_secs(30);
        let (mut steps, count) = (vec![0_u32; 300], 10_000);
        for seed in 0..count {
            let own = own_interval(set, seed);
            assert!(own <= set && own >= set / 8 * 7, "{own:?}");
            // The tenth heartbeat.
            steps[usize::try_from((own * 10).as_millis() / 100 % 300).unwrap()] += 1;
        }
        let worst = steps.iter().max().unwrap();
        assert!(u64::from(*worst) * 100 <= count, "{worst} of {count} in the same 100 ms");
        assert_eq!(own_interval(Duration::ZERO, 7), Duration::ZERO);
        assert!(own_interval(Duration::MAX, u64::MAX) >= Duration::MAX / 8 * 7);
    }

    // CLAUSE TOK-8
    #[test]
    fn credentials_never_travel_in_the_clear_unasked() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let settle = |mut config: Config, server: &str| settle_server(&mut config, Some(&url(server))).ok();
        assert_eq!(settle(Config::default(), "https://h.example"), Some(true));
        assert_eq!(settle(Config::default(), "http://127.0.0.1:1"), Some(false));
        let far = url("http://u:hunter2@h.example:8/hunter2");
        let Err(StartError::InsecureServer(address)) = settle_server(&mut Config::default(), Some(&far)) else {
            panic!()
        };
        assert_eq!(&*address, "http://h.example:8");
        let allowed = Config { allow_insecure: true, ..Config::default() };
        assert_eq!(settle(allowed, "http://h.example"), Some(false));
        let mut named = Config { server: url("https://named.example"), ..Config::default() };
        assert_eq!(settle_server(&mut named, Some(&far)).ok(), Some(true));
        assert_eq!(named.server.host_str(), Some("named.example"), "the configuration comes first");
    }
}
