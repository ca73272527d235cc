//! The health of a client, as a readiness probe sees it, on the async driver and on threads.

use std::future::Future;
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{Health, IoLimits, NotReady, Settings};
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_core::{Close, Config, Filters, RetryPolicy};
use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};
use ringcentral_ws_tokio::Tokio;

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const REFUSED: &str = "/restapi/v1.0/refused";
const DISABLED: &str = "/restapi/v1.0/account/~/extension/~/presence";

fn server() -> Server {
    let mut gateway = GatewayConfig::default();
    gateway.invalid_filters = vec![REFUSED.to_owned()];
    gateway.disabled_filters = vec![DISABLED.to_owned()];
    Server::start(ServerConfig { gateway, ..ServerConfig::default() }).unwrap()
}

fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

/// A lost connection is tried again soon; a failed attempt is followed by a wait that can be seen.
fn settings() -> Settings {
    let (soon, later) = (Duration::from_millis(10), Duration::from_secs(60));
    let retry = RetryPolicy { base: later, socket_lost: soon, server_closed: soon, ..RetryPolicy::default() };
    let config = Config { retry, ..Config::default() };
    Settings { config, filters: vec![SMS.to_owned()], ..Settings::default() }
}

/// Heartbeats come often, and a queue is full soon.
fn busy() -> Settings {
    let (heartbeat_interval, heartbeat_timeout) = (Duration::from_millis(50), Duration::from_millis(500));
    let limits = IoLimits { event_queue: 4, clock_slack: Duration::from_millis(500), ..IoLimits::default() };
    let config = Config { heartbeat_interval, heartbeat_timeout, ..ringcentral_ws_conformance::settings::quick() };
    Settings { config, limits, ..settings() }
}

/// A client of either half.
trait Half {
    fn health(&self) -> Health;
    fn subscribe(&self, filters: &[&str]);
    fn recover(&self);
    /// Takes an event, if there is one or comes soon.
    fn take(&mut self);
    fn close(&self);

    fn until(&self, what: &str, is_so: impl Fn(&Health) -> bool) -> Health {
        let end = Instant::now() + DEADLINE;
        loop {
            let health = self.health();
            if is_so(&health) {
                return health;
            }
            assert!(Instant::now() < end, "never {what}: {health}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

struct Async {
    runtime: tokio::runtime::Runtime,
    client: ringcentral_ws_driver::Client<Tokio>,
    events: ringcentral_ws_driver::Events,
}

impl Async {
    fn new(server: &Server, settings: Settings, mut runtime: tokio::runtime::Builder) -> Self {
        let runtime = runtime.enable_all().build().unwrap();
        let (app, jwt) = app(server);
        let builder = ringcentral_ws_driver::Builder::new(Tokio, ringcentral_ws_driver::Jwt::new(app, jwt));
        let (client, events) = runtime.block_on(async { builder.settings(settings).start() }).unwrap();
        Self { runtime, client, events }
    }

    fn on_a_worker(server: &Server, settings: Settings) -> Self {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1);
        Self::new(server, settings, runtime)
    }

    fn within<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(DEADLINE, work).await }).expect("it goes on")
    }
}

impl Half for Async {
    fn health(&self) -> Health {
        self.client.health()
    }

    fn subscribe(&self, filters: &[&str]) {
        self.within(self.client.subscribe(Filters::new(filters).unwrap())).unwrap();
    }

    fn recover(&self) {
        self.within(self.client.recover()).unwrap();
    }

    fn take(&mut self) {
        let Self { runtime, events, .. } = self;
        let _ = runtime.block_on(async { tokio::time::timeout(Duration::from_millis(10), events.next()).await });
    }

    fn close(&self) {
        self.within(self.client.close(Close::Detach));
    }
}

struct Threads {
    client: ringcentral_ws_blocking::Client,
    events: ringcentral_ws_blocking::Events,
}

impl Threads {
    fn new(server: &Server, settings: Settings) -> Self {
        let (app, jwt) = app(server);
        let builder = ringcentral_ws_blocking::Client::builder(ringcentral_ws_blocking::Jwt::new(app, jwt));
        let (client, events) = builder.settings(settings).start().unwrap();
        Self { client, events }
    }
}

impl Half for Threads {
    fn health(&self) -> Health {
        self.client.health()
    }

    fn subscribe(&self, filters: &[&str]) {
        self.client.subscribe(Filters::new(filters).unwrap()).unwrap();
    }

    fn recover(&self) {
        self.client.recover().unwrap();
    }

    fn take(&mut self) {
        let _ = self.events.next_timeout(Duration::from_millis(10));
    }

    fn close(&self) {
        self.client.close(Close::Detach);
    }
}

/// From the start, through an outage, to the end. The server stalls at the beginning.
fn a_life(half: &impl Half, server: &Server) {
    let starting = half.until("connecting", |health| health.reason == Some(NotReady::Connecting));
    assert_eq!((starting.connected, starting.subscribed_as_wanted), (false, Some(false)));
    assert_eq!((starting.last_proof_of_life, starting.ended), (None, false));
    server.stall_connections(false);
    let ready = half.until("ready", Health::is_ready);
    assert!(ready.connected && ready.subscribed_as_wanted == Some(true) && ready.next_try.is_none());
    assert!(ready.last_proof_of_life.is_some() && ready.to_string().starts_with("ready; "), "{ready}");

    server.refuse_connections(true);
    server.drop_connections();
    let out = half.until("waiting", |health| health.failed_attempts > 0);
    assert!(!out.connected && !out.is_ready() && matches!(out.reason, Some(NotReady::Waiting(_))), "{out}");
    assert!(out.next_try.is_some_and(|wait| wait <= Duration::from_secs(120)));
    assert!(out.last_cause.is_some() && out.to_string().contains("; last failure: "), "{out}");
    assert_eq!(out.subscribed_as_wanted, Some(true), "the last word of the server");
    let later = half.until("later", |health| health.last_proof_of_life > out.last_proof_of_life);
    assert!(!later.is_ready());
    server.refuse_connections(false);
    half.recover();
    let back = half.until("back", Health::is_ready);
    assert_eq!(back.last_cause, None);
    assert!(back.last_proof_of_life_at() > out.last_proof_of_life_at());

    half.subscribe(&[REFUSED]);
    assert_eq!(half.health().subscribed_as_wanted, Some(false), "the answer of the server is not there, or no");
    let refused = half.until("refused", |health| health.reason == Some(NotReady::SubscriptionRefused));
    assert!(refused.connected && !refused.is_ready());
    half.subscribe(&[SMS, DISABLED]);
    let in_part = half.until("disabled", |health| health.reason == Some(NotReady::FiltersDisabled));
    assert_eq!(in_part.subscribed_as_wanted, Some(false));
    half.subscribe(&[SMS]);
    half.until("subscribed again", Health::is_ready);

    half.close();
    let closed = half.health();
    assert!(closed.ended && !closed.connected && closed.reason == Some(NotReady::Ended), "{closed}");
}

/// The application takes nothing, for long, and then everything.
fn a_pause(half: &mut impl Half, server: &Server) {
    half.until("ready", Health::is_ready);
    for n in 0..40 {
        server.receive_sms(0, "+1", &n.to_string());
    }
    let paused = half.until("paused", |health| health.reading_paused.is_some());
    assert!(paused.to_string().contains("; reading has paused for "), "{paused}");
    assert!(paused.events_waiting > 0 && paused.events_waiting >= paused.events_capacity, "{paused:?}");
    assert!(paused.oldest_event.is_some(), "{paused:?}");
    let long = half.until("unknown", |health| health.reason == Some(NotReady::ReadingPaused));
    assert!(long.connected && long.reading_paused > paused.reading_paused, "{long}");
    assert!(long.oldest_event > paused.oldest_event, "{long}");
    let end = Instant::now() + DEADLINE;
    loop {
        let health = half.health();
        if health.is_ready() && health.reading_paused.is_none() {
            break;
        }
        assert!(Instant::now() < end, "never ready again: {health}");
        half.take();
    }
}

#[test]
fn a_life_on_the_async_driver() {
    let server = server();
    server.stall_connections(true);
    a_life(&Async::on_a_worker(&server, settings()), &server);
}

#[test]
fn a_life_on_threads() {
    let server = server();
    server.stall_connections(true);
    a_life(&Threads::new(&server, settings()), &server);
}

#[test]
fn a_pause_on_the_async_driver() {
    let server = server();
    a_pause(&mut Async::on_a_worker(&server, busy()), &server);
}

#[test]
fn a_pause_on_threads() {
    let server = server();
    a_pause(&mut Threads::new(&server, busy()), &server);
}

#[test]
fn nothing_asked_is_a_case_of_its_own() {
    let server = server();
    let half = Threads::new(&server, Settings { filters: Vec::new(), ..settings() });
    let ready = half.until("ready", Health::is_ready);
    assert_eq!(ready.subscribed_as_wanted, None);
}

#[test]
fn a_runtime_that_stands_still_is_seen_and_so_is_its_end() {
    let server = server();
    let half = Async::new(&server, busy(), tokio::runtime::Builder::new_current_thread());
    let unborn = half.until("late", |health| health.reason == Some(NotReady::DriverLate));
    assert_eq!(unborn.last_proof_of_life, None, "nobody has run it yet");
    let mut states = half.client.states();
    half.within(states.wait_for(|state| state.is_ready() && state.is_subscribed()));
    // Nothing polls it now.
    let stuck = half.until("late", |health| health.reason == Some(NotReady::DriverLate));
    assert!(stuck.driver_late.is_some() && stuck.connected, "{stuck}");
    let older = half.until("older", |health| health.last_proof_of_life > stuck.last_proof_of_life);
    assert!(!older.is_ready());
    let client = half.client.clone();
    drop(half);
    let gone = client.health();
    assert!(gone.ended && gone.reason == Some(NotReady::Ended), "{gone}");
}
