//! A session that goes on from an orderly end: what is written down says that nothing was received since, so nothing is
//! received before the application has written down something newer.

use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_driver::{Body, Close, Filter, Snapshot};
use ringcentral_ws_driver::{Client, Events, Jwt, http};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Machine, Received, Watch, World};

struct Rest {
    world: World,
    login: Arc<Jwt>,
    snapshot: Snapshot,
}

/// A session was put to rest, and one notification was sent since.
fn at_rest() -> Rest {
    let mut world = World::new(5, GatewayConfig::default());
    let login = Arc::new(world.login());
    let (client, events) = world.builder_with(Arc::clone(&login)).filters([Filter::sms()]).start().unwrap();
    let mut watch = Watch::new(events);
    world.pass(Duration::from_secs(1));
    watch.take();
    assert!(watch.has_received(&Received::Subscribed));
    let mut close = Call::new(client.close(Close::Detach));
    while !close.poll() {
        world.step();
        watch.take();
    }
    watch.take();
    let snapshot = client.snapshot().unwrap();
    assert!(snapshot.is_detached());
    drop(close);
    drop((client, watch));
    world.settle();
    world.server.notify();
    Rest { world, login, snapshot }
}

impl Rest {
    /// Starts a client, whose events nobody takes for longer than a handshake may last.
    fn go_on(self) -> (World, Client<Machine>, Events) {
        let Self { mut world, login, snapshot } = self;
        let (client, events) = world.builder_with(login).restore(snapshot).start().unwrap();
        world.pass(Duration::from_secs(20));
        (world, client, events)
    }
}

fn upgrades(world: &mut World) -> u64 {
    world.server.gateway().0.observations().upgrades
}

// CLAUSE PST-2
#[test]
fn nothing_is_received_before_the_end_of_the_rest_is_written_down() {
    let (mut world, client, events) = at_rest().go_on();
    assert_eq!(upgrades(&mut world), 1, "nobody took an event");
    let mut watch = Watch::new(events);
    while client.snapshot().unwrap().is_detached() {
        assert!(watch.take_one());
    }
    world.pass(Duration::from_secs(60));
    assert_eq!(upgrades(&mut world), 1, "the first snapshot was taken, and may not be written down yet");
    watch.take();
    world.pass(Duration::from_secs(60));
    watch.take();
    assert_eq!((upgrades(&mut world), watch.numbers()), (2, vec![1]), "{:?}", watch.received());
    assert!(!watch.received().iter().any(|event| matches!(event, Received::Gap(_))), "{:?}", watch.received());
}

// CLAUSE TOK-1 PST-2
#[test]
fn nothing_is_spent_on_a_connection_that_may_not_open() {
    let (mut world, client, events) = at_rest().go_on();
    world.pass(Duration::from_secs(600));
    let spent = |world: &mut World| {
        let observations = world.server.gateway().0.observations();
        (observations.ws_tokens_requested, observations.upgrades)
    };
    assert_eq!(spent(&mut world), (1, 1), "nobody took an event");
    // What needs no socket does not wait for it.
    let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    let mut call = Call::new(async move { client.request(request).await.map(|response| response.status()) });
    world.settle();
    call.poll();
    world.settle();
    assert!(call.poll() && call.take().unwrap().unwrap() == 200);
    let mut watch = Watch::new(events);
    for _ in 0..60 {
        watch.take();
        world.pass(Duration::from_secs(1));
    }
    watch.take();
    assert_eq!((spent(&mut world), watch.has_ended()), ((2, 2), false), "{:?}", watch.received());
}

// CLAUSE PST-2
#[test]
fn who_wants_no_events_keeps_no_snapshots() {
    let (mut world, _client, events) = at_rest().go_on();
    drop(events);
    world.pass(Duration::from_secs(60));
    assert_eq!(upgrades(&mut world), 2);
}
