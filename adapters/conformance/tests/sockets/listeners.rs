//! Listeners over real sockets, on all runtimes: they share one connection and one subscription.

use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ringcentral_ws_adapter::{ListenOptions, ListenerEvent, Overflow};
use ringcentral_ws_api::{ClientApp, ListedSubscription, SubscriptionsError};
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_conformance::settings::quick;
use ringcentral_ws_core::{Event, Filters, GapCause};
use ringcentral_ws_driver::Runtime;
use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};
use serde_json::json;

const OWN: &str = "/restapi/v1.0/account/~/extension/~";
const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const PRESENCE: &str = "/restapi/v1.0/account/~/extension/~/presence";
const VOICEMAIL: &str = "/restapi/v1.0/account/~/extension/~/voicemail";
const REFUSED: &str = "/restapi/v1.0/refused";

fn server() -> Server {
    let mut gateway = GatewayConfig::default();
    gateway.invalid_filters = vec![REFUSED.to_owned()];
    Server::start(ServerConfig { gateway, ..ServerConfig::default() }).unwrap()
}

fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

/// A client of any kind.
trait Half {
    type Listener: Listening;

    fn listen(&self, filters: &[&str], options: ListenOptions) -> Self::Listener;
    /// Takes an event of the plain stream, if one is there.
    fn take(&mut self) -> Option<Event>;
    fn subscribe(&self, filters: &[&str]);
    fn unsubscribe(&self);
    fn subscriptions(&self) -> Vec<ListedSubscription>;
    /// Whether it was deleted; it is not if it is its own.
    fn delete(&self, id: &str) -> bool;
}

trait Listening {
    /// The next event, if it is there.
    fn take(&mut self) -> Option<ListenerEvent>;

    /// The next event, which must come.
    fn next(&mut self) -> ListenerEvent {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(event) = self.take() {
                return event;
            }
            assert!(Instant::now() < end, "nothing comes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn live(&mut self) {
        assert_eq!(self.next(), ListenerEvent::Live { disabled: Box::default() });
    }

    /// The number in the body of the next notification.
    fn number(&mut self) -> u64 {
        match self.next() {
            ListenerEvent::Notification(n) => n.parse::<serde_json::Value>().unwrap()["n"].as_u64().unwrap(),
            other => panic!("{other:?}"),
        }
    }
}

struct Async<R> {
    client: ringcentral_ws_driver::Client<R>,
    events: ringcentral_ws_driver::Events,
}

impl<R: Runtime> Async<R> {
    fn new(server: &Server, runtime: R) -> Self {
        let (app, jwt) = app(server);
        let login = ringcentral_ws_driver::Jwt::new(app, jwt);
        let (client, events) =
            ringcentral_ws_driver::Builder::new(runtime, login).config(quick()).proxy(None).start().unwrap();
        Self { client, events }
    }
}

impl<R: Runtime> Half for Async<R> {
    type Listener = ringcentral_ws_driver::Listener;

    fn listen(&self, filters: &[&str], options: ListenOptions) -> Self::Listener {
        smol::block_on(self.client.listen_with(filters, options)).unwrap()
    }

    fn take(&mut self) -> Option<Event> {
        self.events.next().now_or_never().flatten()
    }

    fn subscribe(&self, filters: &[&str]) {
        smol::block_on(self.client.subscribe(Filters::new(filters).unwrap())).unwrap();
    }

    fn unsubscribe(&self) {
        smol::block_on(self.client.unsubscribe()).unwrap();
    }

    fn subscriptions(&self) -> Vec<ListedSubscription> {
        smol::block_on(self.client.subscriptions()).unwrap()
    }

    fn delete(&self, id: &str) -> bool {
        match smol::block_on(self.client.delete_subscription(id)) {
            Ok(()) => true,
            Err(SubscriptionsError::Current) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Listening for ringcentral_ws_driver::Listener {
    fn take(&mut self) -> Option<ListenerEvent> {
        self.next().now_or_never().flatten()
    }
}

struct Threads {
    client: ringcentral_ws_blocking::Client,
    events: ringcentral_ws_blocking::Events,
}

impl Threads {
    fn new(server: &Server) -> Self {
        let (app, jwt) = app(server);
        let builder = ringcentral_ws_blocking::Client::builder(ringcentral_ws_blocking::Jwt::new(app, jwt));
        let (client, events) = builder.config(quick()).proxy(None).start().unwrap();
        Self { client, events }
    }
}

impl Half for Threads {
    type Listener = ringcentral_ws_blocking::Listener;

    fn listen(&self, filters: &[&str], options: ListenOptions) -> Self::Listener {
        self.client.listen_with(filters, options).unwrap()
    }

    fn take(&mut self) -> Option<Event> {
        self.events.next_timeout(Duration::ZERO).ok().flatten()
    }

    fn subscribe(&self, filters: &[&str]) {
        self.client.subscribe(Filters::new(filters).unwrap()).unwrap();
    }

    fn unsubscribe(&self) {
        self.client.unsubscribe().unwrap();
    }

    fn subscriptions(&self) -> Vec<ListedSubscription> {
        self.client.subscriptions().unwrap()
    }

    fn delete(&self, id: &str) -> bool {
        match self.client.delete_subscription(id) {
            Ok(()) => true,
            Err(SubscriptionsError::Current) => false,
            Err(error) => panic!("{error}"),
        }
    }
}

impl Listening for ringcentral_ws_blocking::Listener {
    fn take(&mut self) -> Option<ListenerEvent> {
        self.next_timeout(Duration::ZERO).ok().flatten()
    }
}

/// The filters of the newest subscription on the server's books, without the paths before; `None` without one. Of a
/// session that was lost one stays behind.
fn books(server: &Server) -> Option<Vec<String>> {
    server.with_gateway(|g, _| {
        let end = |filter: &&str| filter.split('/').next_back().unwrap_or_default().to_owned();
        let mut ends: Vec<String> = g.subscriptions().last()?.1.iter().map(end).collect();
        ends.sort();
        Some(ends)
    })
}

/// Waits until the server's books say this, while the plain stream is taken.
fn settles(server: &Server, half: &mut impl Half, wanted: Option<&[&str]>) {
    let end = Instant::now() + DEADLINE;
    loop {
        while half.take().is_some() {}
        let has = books(server);
        if has.as_ref().map(|has| has.iter().map(String::as_str).collect::<Vec<_>>()).as_deref() == wanted {
            return;
        }
        assert!(Instant::now() < end, "{has:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn notify(server: &Server, filter: &str, n: u64) {
    server.notify(filter, &json!({ "n": n }));
}

/// Two with different filters share the subscription; one leaves; the last one leaves.
fn share(server: &Server, half: &mut impl Half) {
    let mut messages = half.listen(&[SMS], ListenOptions::new());
    let mut both = half.listen(&[PRESENCE, SMS], ListenOptions::new());
    messages.live();
    both.live();
    settles(server, half, Some(&["instant?type=SMS", "presence"]));
    notify(server, PRESENCE, 1);
    notify(server, SMS, 2);
    assert_eq!((both.number(), both.number(), messages.number()), (1, 2, 2));
    drop(both);
    settles(server, half, Some(&["instant?type=SMS"]));
    notify(server, SMS, 3);
    assert_eq!(messages.number(), 3);
    drop(messages);
    settles(server, half, None);
}

/// What the server loses reaches each of them as a gap, and they go on.
fn lose(server: &Server, half: &mut impl Half) {
    let mut one = half.listen(&[SMS], ListenOptions::new());
    let mut other = half.listen(&[PRESENCE], ListenOptions::new());
    one.live();
    other.live();
    server.restart();
    for listener in [&mut one, &mut other] {
        let ListenerEvent::Gap(gap) = listener.next() else { panic!() };
        assert!(matches!(gap.cause, GapCause::RecoveryFailed(_)), "{gap}");
    }
    settles(server, half, Some(&["instant?type=SMS", "presence"]));
    // Both are subscribed again at once: no other event comes between.
    notify(server, SMS, 4);
    notify(server, PRESENCE, 5);
    assert_eq!((one.number(), other.number()), (4, 5));
}

/// A slow one with `DropOldest` has a gap of its own, and the other one has everything.
fn be_slow(server: &Server, half: &mut impl Half) {
    let options = ListenOptions::new().overflow(Overflow::DropOldest).events(10);
    let mut slow = half.listen(&[PRESENCE], options);
    let mut quick = half.listen(&[PRESENCE], ListenOptions::new());
    slow.live();
    quick.live();
    (0..100).for_each(|n| notify(server, PRESENCE, n));
    assert!((0..100).all(|n| quick.number() == n));
    let ListenerEvent::Gap(gap) = slow.next() else { panic!() };
    assert_eq!(gap.cause, GapCause::SlowListener, "{gap}");
    assert!((90..100).all(|n| slow.number() == n));
    assert!(slow.take().is_none());
}

/// A slow one that blocks makes all wait, and nothing is lost.
fn block(server: &Server, half: &mut impl Half) {
    let mut slow = half.listen(&[PRESENCE], ListenOptions::new().events(4));
    let mut quick = half.listen(&[PRESENCE], ListenOptions::new());
    slow.live();
    quick.live();
    (0..300).for_each(|n| notify(server, PRESENCE, n));
    for n in 0..300 {
        assert_eq!(slow.number(), n);
    }
    assert!((0..300).all(|n| quick.number() == n));
}

/// The plain stream is one more that asks.
fn beside_the_plain_stream(server: &Server, half: &mut impl Half) {
    half.subscribe(&[VOICEMAIL, PRESENCE]);
    let mut listener = half.listen(&[PRESENCE, SMS], ListenOptions::new());
    listener.live();
    settles(server, half, Some(&["instant?type=SMS", "presence", "voicemail"]));
    for (n, filter) in [VOICEMAIL, SMS, PRESENCE].into_iter().enumerate() {
        notify(server, filter, n as u64);
    }
    let end = Instant::now() + DEADLINE;
    let mut plain = Vec::new();
    while plain.len() < 2 {
        assert!(Instant::now() < end, "{plain:?}");
        match half.take() {
            Some(Event::Notification(n)) => plain.push(n.body().to_owned()),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    }
    assert_eq!(plain, [r#"{"n":0}"#, r#"{"n":2}"#]);
    assert_eq!((listener.number(), listener.number()), (1, 2));
    half.unsubscribe();
    settles(server, half, Some(&["instant?type=SMS", "presence"]));
    let mut other = half.listen(&[REFUSED, VOICEMAIL], ListenOptions::new());
    let ListenerEvent::Refused { filters, error } = other.next() else { panic!() };
    assert_eq!((&*filters[0], filters.len(), error.status), (REFUSED, 1, 400));
    notify(server, &format!("{OWN}/presence"), 6);
    assert_eq!(listener.number(), 6, "the others go on");
    drop(listener);
    settles(server, half, None);
}

/// What a lost session left behind is listed and can be deleted; its own one cannot.
fn clear_up(server: &Server, half: &mut impl Half) {
    let mut listener = half.listen(&[SMS], ListenOptions::new());
    listener.live();
    server.restart();
    assert!(matches!(listener.next(), ListenerEvent::Gap(_)));
    settles(server, half, Some(&["instant?type=SMS"]));
    let end = Instant::now() + DEADLINE;
    while half.subscriptions().iter().filter(|one| one.is_current).count() != 1 {
        assert!(Instant::now() < end, "{:?}", half.subscriptions());
        std::thread::sleep(Duration::from_millis(2));
    }
    let (others, own): (Vec<_>, Vec<_>) =
        half.subscriptions().into_iter().partition(ListedSubscription::is_other_websocket);
    assert_eq!((others.len(), own.len(), own[0].event_filters.len()), (1, 1, 1));
    assert!(half.delete(&others[0].id) && half.delete(&others[0].id), "what is gone counts as deleted");
    assert!(!half.delete(&own[0].id));
    assert_eq!(half.subscriptions().len(), 1);
    notify(server, SMS, 7);
    assert_eq!(listener.number(), 7);
}

// CLAUSE SUB-1 SUB-5 SUB-7 REC-5
fn play<H: Half>(start: impl Fn(&Server) -> H) {
    let scenes: [fn(&Server, &mut H); 6] = [share, lose, be_slow, block, beside_the_plain_stream, clear_up];
    for scene in scenes {
        let server = server();
        scene(&server, &mut start(&server));
    }
}

#[test]
fn on_tokio() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let _inside = runtime.enter();
    play(|server| Async::new(server, ringcentral_ws_tokio::Tokio));
}

#[test]
fn on_smol() {
    play(|server| Async::new(server, ringcentral_ws_smol::Smol::default()));
}

#[test]
fn on_async_std() {
    play(|server| Async::new(server, ringcentral_ws_async_std::AsyncStd));
}

#[test]
fn on_threads() {
    play(Threads::new);
}
