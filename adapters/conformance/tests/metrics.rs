//! What a recorder of the `metrics` crate sees of a client, on the async driver and on threads. Alone in its process, because
//! the recorder is for all of it.

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant, SystemTime};

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use ringcentral_ws_adapter::Settings;
use ringcentral_ws_adapter::metrics::{Kind, METRICS};
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_core::{Body, Close, Config, Event, RetryPolicy};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_tokio::Tokio;

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const TIME: &str = "_timestamp_seconds";

/// What was recorded so far: by name, and by labels such as `client=threads,cause=socket_lost`.
#[derive(Default)]
struct Seen {
    numbers: BTreeMap<(String, String), f64>,
    spans: BTreeMap<(String, String), Vec<f64>>,
}

static RECORDER: LazyLock<(Snapshotter, Mutex<Seen>)> = LazyLock::new(|| {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    recorder.install().expect("the only one");
    (snapshotter, Mutex::default())
});

/// Looks at everything. A snapshot takes away what it shows, so it is added up.
fn look<T>(at: impl FnOnce(&Seen) -> T) -> T {
    let (snapshotter, seen) = &*RECORDER;
    let mut seen = seen.lock().unwrap();
    for (key, _, help, value) in snapshotter.snapshot().into_vec() {
        let name = key.key().name().to_owned();
        let known = METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!(help.as_deref(), Some(known.help), "{name}");
        let labels: Vec<_> = key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let mut keys = key.key().labels().map(|label| label.key());
        assert_eq!(keys.next(), Some("client"));
        assert_eq!(keys.collect::<Vec<_>>(), known.labels, "{name}");
        let place = (name, labels.join(","));
        match value {
            DebugValue::Counter(more) => {
                assert_eq!(known.kind, Kind::Counter);
                *seen.numbers.entry(place).or_default() += more as f64;
            }
            DebugValue::Gauge(value) if place.0.ends_with(TIME) => {
                let shown = seen.numbers.entry(place).or_default();
                *shown = if *value == 0.0 { *shown } else { *value };
            }
            DebugValue::Gauge(more) => *seen.numbers.entry(place).or_default() += *more,
            DebugValue::Histogram(values) => {
                seen.spans.entry(place).or_default().extend(values.into_iter().map(|value| *value));
            }
        }
    }
    at(&seen)
}

/// A client of either half.
trait Half {
    fn next(&mut self) -> Event;
    fn request(&self);
    fn recover(&self);
    fn close(&self);

    /// Its name, which is its label.
    const NAME: &'static str;

    /// The sum of a metric over all of its labels that begin with this.
    fn number(name: &str, labels: &str) -> f64 {
        let (name, labels) = (format!("ringcentral_ws_{name}"), format!("client={}{labels}", Self::NAME));
        look(|seen| {
            let of = seen.numbers.iter().filter(|((of, on), _)| *of == name && on.starts_with(&labels));
            of.map(|(_, number)| number).sum()
        })
    }

    fn spans(name: &str, labels: &str) -> Vec<f64> {
        let place = (format!("ringcentral_ws_{name}"), format!("client={}{labels}", Self::NAME));
        look(|seen| seen.spans.get(&place).cloned().unwrap_or_default())
    }

    fn until(what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so() {
            assert!(Instant::now() < end, "never: {what}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn take_until(&mut self, is_so: impl Fn(&Event) -> bool) {
        while !is_so(&self.next()) {}
    }
}

fn settings() -> Settings {
    let (soon, later) = (Duration::from_millis(10), Duration::from_secs(60));
    let retry = RetryPolicy { base: later, socket_lost: soon, server_closed: soon, ..RetryPolicy::default() };
    let config = Config { retry, ..Config::default() };
    Settings { config, filters: vec![SMS.to_owned()], ..Settings::default() }
}

fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

fn get() -> http::Request<Body> {
    http::Request::get("/restapi/v1.0/account/~/extension/~").body(Body::empty()).unwrap()
}

struct Async {
    runtime: tokio::runtime::Runtime,
    client: ringcentral_ws_driver::Client<Tokio>,
    events: ringcentral_ws_driver::Events,
}

impl Async {
    fn new(server: &Server) -> Self {
        LazyLock::force(&RECORDER);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (app, jwt) = app(server);
        let builder = ringcentral_ws_driver::Builder::new(Tokio, ringcentral_ws_driver::Jwt::new(app, jwt));
        let builder = builder.settings(settings()).metrics_label(Self::NAME);
        let (client, events) = runtime.block_on(async { builder.start() }).unwrap();
        Self { runtime, client, events }
    }
}

impl Half for Async {
    const NAME: &'static str = "async";

    fn next(&mut self) -> Event {
        let Self { runtime, events, .. } = self;
        let next = async { tokio::time::timeout(DEADLINE, events.next()).await };
        runtime.block_on(next).expect("it comes").expect("it goes on")
    }

    fn request(&self) {
        self.runtime.block_on(self.client.request(get())).unwrap();
    }

    fn recover(&self) {
        self.runtime.block_on(self.client.recover()).unwrap();
    }

    fn close(&self) {
        self.runtime.block_on(self.client.close(Close::Detach));
    }
}

struct Threads {
    client: ringcentral_ws_blocking::Client,
    events: ringcentral_ws_blocking::Events,
}

impl Threads {
    fn new(server: &Server) -> Self {
        LazyLock::force(&RECORDER);
        let (app, jwt) = app(server);
        let builder = ringcentral_ws_blocking::Client::builder(ringcentral_ws_blocking::Jwt::new(app, jwt));
        let (client, events) = builder.settings(settings()).metrics_label(Self::NAME).start().unwrap();
        Self { client, events }
    }
}

impl Half for Threads {
    const NAME: &'static str = "threads";

    fn next(&mut self) -> Event {
        self.events.next_timeout(DEADLINE).unwrap().expect("it goes on")
    }

    fn request(&self) {
        self.client.request(get()).unwrap();
    }

    fn recover(&self) {
        self.client.recover().unwrap();
    }

    fn close(&self) {
        self.client.close(Close::Detach);
    }
}

fn a_life<H: Half>(mut half: H, server: &Server) {
    let is = |name: &'static str, number: f64| move || H::number(name, "") == number;
    half.take_until(|event| matches!(event, Event::Subscribed(_)));
    H::until("subscribed", is("subscribed", 1.0));
    assert_eq!((H::number("sessions", ""), H::number("connected", "")), (1.0, 1.0));
    assert_eq!((H::number("connections_total", ""), H::number("token_calls_total", "")), (1.0, 1.0));

    for n in 0..3 {
        server.receive_sms(0, "+1", &n.to_string());
    }
    H::until("they wait", || H::number("event_queue_events", "") >= 3.0);
    assert!(H::number("event_queue_bytes", "") > 3.0 * 256.0);
    for _ in 0..3 {
        half.take_until(|event| matches!(event, Event::Notification(_)));
    }
    H::until("counted", is("notifications_total", 3.0));
    let delays = H::spans("delivery_delay_seconds", "");
    assert!(
        delays.len() == 3 && delays.iter().all(|delay| (0.0..DEADLINE.as_secs_f64()).contains(delay)),
        "{delays:?}"
    );
    half.request();
    H::until("the answer", || H::spans("request_seconds", ",outcome=response,via=https").len() == 1);
    assert_eq!(H::number("requests_total", ""), 1.0);

    server.drop_connections();
    half.take_until(|event| matches!(event, Event::Recovered { .. }));
    H::until("recovered", is("recoveries_total", 1.0));
    assert_eq!((H::spans("recovery_seconds", ",resumption=recovered").len(), H::number("gaps_total", "")), (1, 0.0));
    assert_eq!(H::number("disconnects_total", ",cause="), 1.0);

    server.refuse_connections(true);
    server.drop_connections();
    half.take_until(|event| matches!(event, Event::Retry { .. }));
    H::until("out", is("connected", 0.0));
    assert!(H::number("retries_total", ",cause=") >= 1.0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let (heard, end) =
        (H::number("last_received_timestamp_seconds", ""), H::number("recovery_window_end_timestamp_seconds", ""));
    assert!(now - 120.0 < heard && heard < now + 1.0, "{heard} {now}");
    assert!((end - heard - 180.0).abs() < 5.0, "the window is 180 s: {heard} {end}");
    server.refuse_connections(false);
    half.recover();
    half.take_until(|event| matches!(event, Event::Recovered { .. }));
    H::until("back", is("connected", 1.0));

    half.close();
    H::until("the end", || H::number("ends_total", ",reason=detached") == 1.0);
    drop(half);
    for gauge in ["sessions", "connected", "subscribed", "reading_paused", "event_queue_events", "event_queue_bytes"] {
        H::until(gauge, is(gauge, 0.0));
    }
    assert_eq!(H::number("ends_total", ""), 1.0, "it ended once");
}

#[test]
fn on_the_async_driver() {
    let server = Server::start(ServerConfig::default()).unwrap();
    a_life(Async::new(&server), &server);
}

#[test]
fn on_threads() {
    let server = Server::start(ServerConfig::default()).unwrap();
    a_life(Threads::new(&server), &server);
}
