//! The simulated machine and server work: a client subscribes, is cut, recovers and ends, in no time at all.

use std::time::Duration;

use ringcentral_ws_driver::{Close, Filter};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Held, Received, Watch, World};

#[test]
fn a_day_in_memory() {
    let mut world = World::new(1, GatewayConfig::default());
    let (client, events) = world.builder().filters([Filter::sms()]).start().unwrap();
    let mut watch = Watch::new(events);
    world.settle();
    watch.take();
    assert_eq!(watch.received(), [Received::Connected, Received::Subscribed]);
    for hour in 1..=24 {
        world.pass(Duration::from_secs(1800));
        world.server.reset();
        world.server.notify();
        world.pass(Duration::from_secs(1800));
        watch.take();
        assert_eq!(watch.numbers().len(), hour);
    }
    watch.check(1, 24);
    assert!(!watch.received().iter().any(|event| matches!(event, Received::Gap(_))));
    let mut close = Call::new(client.close(Close::Revoke));
    while !close.poll() {
        world.step();
    }
    watch.take();
    assert!(watch.has_ended() && watch.has_received(&Received::Closed));
    drop(close);
    drop((client, watch));
    world.settle();
    assert_eq!((world.machine.held(), world.server.streams()), (Held::default(), 0));
}
