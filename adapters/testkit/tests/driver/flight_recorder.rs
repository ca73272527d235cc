//! The flight recorder as a program has it: on a client, at any moment, in bounded memory.

use std::time::Duration;

use ringcentral_ws_driver::recorder::{MIN_LIMIT, Recording};
use ringcentral_ws_driver::{Body, Close, Filter};
use ringcentral_ws_driver::{Client, http};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Machine, Received, Watch, World};

/// Replays what the recorder holds: how many outputs were compared.
fn replay(client: &Client<Machine>) -> usize {
    let dump = client.flight_record().expect("it records");
    let recording = Recording::parse(&dump).unwrap_or_else(|error| panic!("{error}\n{dump}"));
    recording.replay().unwrap_or_else(|error| panic!("{error}\n{dump}")).outputs
}

#[test]
fn a_client_that_records_can_be_replayed_at_any_time_and_after_its_end() {
    let mut world = World::new(11, GatewayConfig::default());
    let (client, events) = world.builder().filters([Filter::sms()]).flight_recorder(256 << 10).start().unwrap();
    let mut watch = Watch::new(events);
    world.settle();
    for second in 0..30 {
        if second == 15 {
            world.server.reset();
        }
        world.server.notify();
        world.pass(Duration::from_secs(1));
        watch.take();
    }
    watch.check(1, 30);
    let before = replay(&client);
    assert!(before > 60, "{before}");
    let get = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    let mut call = Call::new(client.request(get));
    while !call.poll() {
        world.step();
    }
    assert!(call.take().unwrap().is_ok());
    let mut close = Call::new(client.close(Close::Revoke));
    while !close.poll() {
        world.step();
    }
    watch.take();
    assert!(watch.has_received(&Received::Closed) && replay(&client) > before);
    let dump = client.flight_record().unwrap();
    for secret in [world.server.gateway().0.config().users[0].jwt.clone(), "gateway-client-secret".to_owned()] {
        assert!(!dump.contains(&secret), "a secret was recorded");
    }
}

#[test]
fn a_day_of_recording_holds_its_limit_and_its_last_hour() {
    let mut world = World::new(12, GatewayConfig::default());
    let (client, events) = world.builder().filters([Filter::sms()]).flight_recorder(MIN_LIMIT).start().unwrap();
    let mut watch = Watch::new(events);
    for _ in 0..24 {
        world.server.notify();
        world.pass(Duration::from_secs(3_600));
        watch.take();
        let len = client.flight_record().unwrap().len();
        assert!(len <= MIN_LIMIT, "{len} bytes");
        replay(&client);
    }
    assert!(replay(&client) > 100);
    let without = World::new(13, GatewayConfig::default()).builder().start().unwrap().0;
    assert_eq!(without.flight_record(), None);
}
