//! Hosts with several addresses: what a dead one costs, and what is left of the attempts.

use std::net::IpAddr;
use std::time::Duration;

use ringcentral_ws_driver::HttpFailure;
use ringcentral_ws_driver::{IoLimits, bytes::Bytes, http, https_client};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Reach, World};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

struct Seen {
    answer: Result<u16, HttpFailure>,
    took: Duration,
    attempts: Vec<(Duration, IpAddr)>,
}

/// Makes a call to a host with these addresses.
fn call(addresses: &[(IpAddr, Reach)], limits: IoLimits) -> Seen {
    let mut world = World::new(1, GatewayConfig::default());
    let https = https_client(world.machine.clone(), limits, None).unwrap();
    world.machine.resolve_to(addresses);
    let request = http::Request::get("http://localhost:8080/nothing").body(Bytes::new()).unwrap();
    let mut call = Call::new(https.send(request));
    loop {
        let polls = call.polls();
        if call.poll() {
            break;
        }
        // Time passes only once the call has nothing left to do.
        if call.polls() == polls {
            world.step();
        }
    }
    let answer = call.take().unwrap().map(|response| response.status().as_u16());
    drop(call);
    drop(https);
    let (attempts, under_way) = world.machine.attempts();
    let held = world.machine.held();
    assert_eq!((under_way, held.streams, held.sleeps), (0, 0, 0), "nothing is left behind");
    Seen { answer, took: world.machine.now(), attempts }
}

#[test]
fn a_black_hole_costs_the_delay_and_no_more() {
    let (dead, alive) = (ip("2001:db8::1"), ip("192.0.2.1"));
    let addresses = [(dead, Reach::Silent), (alive, Reach::After(MS(30)))];
    let seen = call(&addresses, IoLimits::default());
    assert!(seen.answer.is_ok(), "{:?}", seen.answer);
    assert_eq!(seen.attempts, [(MS(0), dead), (MS(250), alive)]);
    assert_eq!(seen.took, MS(280));
    let seen = call(&addresses, IoLimits { attempt_delay: MS(100), ..IoLimits::default() });
    assert_eq!((seen.answer.is_ok(), seen.took), (true, MS(130)));
}

#[test]
fn one_dead_family_of_many_addresses_costs_the_same() {
    let mut addresses: Vec<_> = (1..=8).map(|n| (ip(&format!("2001:db8::{n}")), Reach::Silent)).collect();
    addresses.push((ip("192.0.2.1"), Reach::After(MS(30))));
    assert_eq!(call(&addresses, IoLimits::default()).took, MS(280));
}

#[test]
fn a_refusal_costs_nothing() {
    let addresses = [(ip("2001:db8::1"), Reach::Refuses), (ip("192.0.2.1"), Reach::After(MS(0)))];
    let seen = call(&addresses, IoLimits::default());
    assert_eq!((seen.answer.is_ok(), seen.took), (true, MS(0)));
}

#[test]
fn the_first_to_answer_wins_though_it_started_later() {
    let addresses = [(ip("192.0.2.1"), Reach::After(MS(900))), (ip("192.0.2.2"), Reach::After(MS(100)))];
    let seen = call(&addresses, IoLimits::default());
    assert_eq!((seen.answer.is_ok(), seen.took), (true, MS(350)));
    let slow = [(ip("192.0.2.1"), Reach::After(MS(400))), (ip("192.0.2.2"), Reach::Silent)];
    let seen = call(&slow, IoLimits::default());
    assert_eq!((seen.answer.is_ok(), seen.took, seen.attempts.len()), (true, MS(400), 2));
}

#[test]
fn all_addresses_dead_is_one_failure_at_the_deadline_that_names_them() {
    let addresses = [(ip("2001:db8::1"), Reach::Silent), (ip("192.0.2.1"), Reach::Refuses)];
    let seen = call(&addresses, IoLimits::default());
    let failure = seen.answer.unwrap_err();
    assert!(failure.not_sent && seen.took == IoLimits::default().tcp, "{:?}", seen.took);
    for part in ["2 addresses of localhost", "[2001:db8::1]:8080 did not answer", "192.0.2.1:8080: connection refused"]
    {
        assert!(failure.message.contains(part), "{}", failure.message);
    }
    let refused = [(ip("2001:db8::1"), Reach::Refuses), (ip("192.0.2.1"), Reach::Refuses)];
    let seen = call(&refused, IoLimits::default());
    assert_eq!((seen.answer.is_err(), seen.took), (true, MS(0)), "nothing is waited for");
}

#[test]
fn a_call_that_is_given_up_gives_up_all_attempts() {
    let world = World::new(1, GatewayConfig::default());
    let https = https_client(world.machine.clone(), IoLimits::default(), None).unwrap();
    let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|text| (ip(text), Reach::Silent));
    world.machine.resolve_to(&addresses);
    let request = http::Request::get("http://localhost:8080/nothing").body(Bytes::new()).unwrap();
    let mut call = Call::new(https.send(request));
    for _ in 0..100 {
        call.poll();
        world.machine.advance(MS(10));
    }
    assert_eq!(world.machine.attempts().1, 3);
    drop(call);
    assert_eq!(world.machine.attempts().1, 0);
}

#[test]
fn every_stream_is_kept_alive_unless_that_is_off() {
    for keepalive in [Some(MS(15_000)), Some(MS(7_000)), None] {
        let mut world = World::new(1, GatewayConfig::default());
        let limits = IoLimits { keepalive, ..IoLimits::default() };
        let (_client, _events) = world.builder().limits(limits).start().unwrap();
        world.pass(MS(2_000));
        let opened = world.server.gateway().0.observations().upgrades;
        let expected = keepalive.map_or(0, |_| world.machine.attempts().0.len());
        assert_eq!((opened, world.machine.keepalive()), (1, vec![keepalive.unwrap_or_default(); expected]));
    }
}
