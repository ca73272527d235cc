//! What a program stores when it goes on.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringcentral_ws_driver::{Close, Event, Events, Filter, IoLimits, SessionState};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, World};

fn next(events: &mut Events) -> Option<Event> {
    match std::pin::pin!(events.next()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => event,
        Poll::Pending => None,
    }
}

// CLAUSE PST-2
#[test]
fn the_first_snapshot_after_an_orderly_end_is_not_one_of_an_orderly_end() {
    for acknowledge in [false, true] {
        let mut world = World::new(1, GatewayConfig::default());
        let (client, mut events) = world.builder().filters([Filter::sms()]).start().unwrap();
        world.pass(Duration::from_secs(1));
        let closing = client.clone();
        let mut close = Call::new(async move { closing.close(Close::Detach).await });
        while !close.poll() {
            world.step();
        }
        while next(&mut events).is_some() {}
        let stored = client.snapshot().unwrap();
        assert!(stored.is_detached());
        drop((client, events));
        world.settle();

        let limits = IoLimits { snapshot_every: 1, ..IoLimits::default() };
        let builder = world.builder().filters([Filter::sms(), Filter::presence()]).restore(stored);
        let (client, mut events) = builder.limits(limits).acknowledge(acknowledge).start().unwrap();
        world.pass(Duration::from_secs(1));
        assert_eq!(client.state(), SessionState::AwaitingStore);
        while next(&mut events).is_some_and(|event| event != Event::SnapshotChanged) {}
        assert!(client.snapshot().is_some_and(|snapshot| !snapshot.is_detached()), "this one is to be stored");
        assert!(next(&mut events).is_none());
        world.pass(Duration::from_secs(1));
        assert!(matches!(client.state(), SessionState::Ready { .. }), "{:?}", client.state());
    }
}
