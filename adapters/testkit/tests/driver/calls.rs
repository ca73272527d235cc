//! Calls in flight when the connection is lost end in that very instant, each once.

use std::ops::RangeInclusive;
use std::time::Duration;

use ringcentral_ws_driver::{Body, Config};
use ringcentral_ws_driver::{Client, RequestError, RequestErrorKind, Response, http};
use ringcentral_ws_gateway::{GatewayConfig, RestLimits};
use ringcentral_ws_testkit::{Call, Machine, Received, Watch, World};

const CALLS: usize = 25;

type Ended = Result<Response, RequestError>;

struct Stage {
    world: World,
    client: Client<Machine>,
    watch: Watch,
    calls: Vec<Call<'static, Ended>>,
}

/// A client with many calls that the server has read and not answered, and some that wait for a place in flight.
fn stage() -> Stage {
    let mut gateway = GatewayConfig::default();
    gateway.reply_delay = Duration::from_secs(50);
    let mut world = World::new(9, gateway);
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let (client, events) = world.builder().config(config).start().unwrap();
    let mut watch = Watch::new(events);
    world.settle();
    watch.take();
    assert_eq!(watch.received(), [Received::Connected]);
    let calls = (0..CALLS).map(|n| {
        let client = client.clone();
        let request = http::Request::get(format!("/restapi/v1.0/_echo?n={n}")).body(Body::empty()).unwrap();
        Call::new(async move { client.request(request).await })
    });
    let mut stage = Stage { calls: calls.collect(), world, client, watch };
    // Commands have few places: they are taken and handed over in turns.
    while !stage.calls.iter_mut().any(Call::poll) && stage.world.work().is_some() {}
    assert!(stage.calls.iter_mut().all(|call| !call.poll()) && stage.client.stats().requests == CALLS as u64);
    stage
}

/// Goes on until the client reports the loss. By then every call that had left has ended, and not one waits longer.
fn all_end_with_the_connection(mut stage: Stage, cause: &str, after: RangeInclusive<Duration>) {
    let began = stage.world.machine.now();
    let lost = |watch: &Watch| watch.received().iter().any(|event| matches!(event, Received::Disconnected(_)));
    loop {
        stage.watch.take();
        if lost(&stage.watch) {
            break;
        }
        assert!(stage.calls.iter_mut().all(|call| !call.poll()), "before the loss");
        stage.world.step();
    }
    assert!(stage.watch.has_received(&Received::Disconnected(cause.to_owned())), "{:?}", stage.watch.received());
    let lost_after = stage.world.machine.now() - began;
    assert!(after.contains(&lost_after), "{lost_after:?}");
    // Nothing more happens in the world: what a call needs in order to end is there.
    let ended = stage.calls.iter_mut().filter_map(|call| call.poll().then(|| call.take()).flatten());
    let is_unknown = |error: &RequestError| matches!(error.kind(), RequestErrorKind::Unknown(_));
    let (unknown, others): (Vec<_>, Vec<_>) = ended.partition(|end| end.as_ref().is_err_and(is_unknown));
    assert!(others.is_empty(), "{others:?}");
    let limit = Config::default().limits.active_requests;
    assert!(!unknown.is_empty() && unknown.len() <= limit, "{} of {limit}", unknown.len());
    assert_eq!(unknown.len(), stage.world.server.gateway().0.observations().requests as usize, "all that had left");
}

// CLAUSE REQ-3
#[test]
fn when_the_connection_is_reset() {
    let mut stage = stage();
    stage.world.server.reset();
    all_end_with_the_connection(stage, "socket_lost", Duration::ZERO..=Duration::ZERO);
}

// CLAUSE REQ-3
#[test]
fn when_the_server_closes() {
    let mut stage = stage();
    stage.world.server.inject(&[0x88, 2, 0x03, 0xe9]);
    all_end_with_the_connection(stage, "server_closed", Duration::ZERO..=Duration::ZERO);
}

// CLAUSE REQ-3 HB-2
#[test]
fn when_the_peer_is_found_dead() {
    let mut stage = stage();
    stage.world.server.silence(true);
    // The interval of heartbeats is the client's own, up to an eighth shorter than 30 s.
    let after = Duration::from_millis(36_250)..=Duration::from_secs(40);
    all_end_with_the_connection(stage, "heartbeat_timeout", after);
}

// CLAUSE REQ-3 TOK-3
#[test]
fn calls_that_wait_out_a_429_do_not_keep_each_other_in_the_penalty() {
    let second = Duration::from_secs(1);
    let mut gateway = GatewayConfig::default();
    gateway.rest_limits = Some(RestLimits { light: 5, ..RestLimits::default() });
    let mut world = World::new(11, gateway);
    let (client, _events) = world.builder().start().unwrap();
    world.pass(second);
    let waits = client.retry_after(Duration::from_secs(200));
    let get = || {
        let client = waits.clone();
        Call::new(async move { client.get("/restapi/v1.0/account/~").await })
    };
    let began = world.machine.now();
    let (mut calls, mut ended) = (Vec::new(), Vec::new());
    for at in 0..400 {
        // Five use up the minute, and one in ten seconds is too many, until half a minute has passed.
        calls.extend((0..if at == 0 { 5 } else { u32::from(at % 10 == 0 && at <= 30) }).map(|_| get()));
        calls.retain_mut(|call| {
            !call.poll() || {
                ended.push((at, call.take().unwrap().unwrap().status().as_u16()));
                false
            }
        });
        world.pass(second);
    }
    assert!(calls.is_empty() && world.machine.now() - began >= 400 * second);
    assert!(ended.iter().all(|(_, status)| *status == 200), "{ended:?}");
    assert!(ended.iter().all(|(at, _)| *at < 95), "{ended:?}");
    assert_eq!(world.server.gateway().0.observations().penalties_restarted, 2, "by those that came while one was on");
}
