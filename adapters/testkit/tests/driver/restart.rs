//! What a program stores when it goes on.

use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use ringcentral_ws_driver::{
    Client, Close, Event, Events, Filter, GapCause, IoLimits, Listener, ListenerEvent, SessionState, Snapshot,
    UnixMillis,
};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Machine, World};

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

fn listen(world: &mut World, client: &Client<Machine>, filter: &str) -> Listener {
    let mut call = Call::new(client.listen([filter]));
    while !call.poll() {
        assert!(world.work().is_some(), "the driver answers at once");
    }
    call.take().unwrap().unwrap()
}

fn heard(listener: &mut Listener) -> Option<ListenerEvent> {
    listener.next().now_or_never().flatten()
}

/// A run with a listener, which ends without a word. What it has stored, and the id of what the listener was given.
fn killed_run(world: &mut World, filter: &str) -> (Snapshot, String) {
    let (client, mut events) = world.builder().start().unwrap();
    let mut listener = listen(world, &client, filter);
    world.pass(Duration::from_secs(1));
    assert!(matches!(heard(&mut listener), Some(ListenerEvent::Live { .. })));
    world.server.notify_of(filter);
    world.settle();
    while next(&mut events).is_some() {}
    let Some(ListenerEvent::Notification(n)) = heard(&mut listener) else { panic!("no notification") };
    world.settle();
    assert!(next(&mut events).is_none(), "the listener has it in hand");
    assert!(heard(&mut listener).is_none());
    assert_eq!(next(&mut events), Some(Event::SnapshotChanged));
    let stored = client.snapshot().unwrap();
    drop((client, events, listener));
    world.settle();
    (stored, n.uuid().to_owned())
}

// CLAUSE PST-4 REC-5
#[test]
fn what_a_listener_has_dealt_with_is_stored_though_nothing_else_happens() {
    let mut world = World::new(1, GatewayConfig::default());
    let filter = Filter::sms().to_string();
    let (stored, uuid) = killed_run(&mut world, &filter);
    let (_client, mut events) = world.builder().restore(stored).start().unwrap();
    world.pass(Duration::from_secs(1));
    let gap = std::iter::from_fn(|| next(&mut events)).find_map(|event| match event {
        Event::Gap(gap) => Some(gap),
        _ => None,
    });
    assert_eq!(gap.and_then(|gap| gap.after).as_deref(), Some(&*uuid));
}

// CLAUSE REC-5
#[test]
fn who_listens_within_a_minute_of_a_restart_has_the_gap_of_it() {
    let mut world = World::new(1, GatewayConfig::default());
    let (filter, other) = (Filter::sms().to_string(), Filter::presence().to_string());
    for late in [0, 1, 50, 62].map(Duration::from_secs) {
        let (stored, uuid) = killed_run(&mut world, &filter);
        let (client, mut events) = world.builder().restore(stored).start().unwrap();
        world.pass(late);
        let mut listener = listen(&mut world, &client, &filter);
        let mut stranger = listen(&mut world, &client, &other);
        world.pass(Duration::from_secs(2));
        while next(&mut events).is_some() {}
        assert!(matches!(heard(&mut listener), Some(ListenerEvent::Live { .. })), "{late:?}");
        if late < Duration::from_secs(60) {
            let Some(ListenerEvent::Gap(gap)) = heard(&mut listener) else { panic!("{late:?}: no gap") };
            assert_eq!(gap.after.as_deref(), Some(&*uuid));
        }
        assert_eq!(heard(&mut listener), None, "{late:?}");
        // The run before did not have its filter.
        assert!(matches!(heard(&mut stranger), Some(ListenerEvent::Live { .. })), "{late:?}");
        assert_eq!(heard(&mut stranger), None, "{late:?}");
        drop((client, events, listener, stranger));
        // Nothing is left of it on the server.
        world.pass(Duration::from_secs(600));
    }
}

// CLAUSE PST-3 REC-5
#[test]
fn who_listens_after_a_state_that_cannot_be_read_has_the_gap_of_it() {
    let mut world = World::new(1, GatewayConfig::default());
    let lost = Snapshot::lost(&"http://127.0.0.1:8080".parse().unwrap(), UnixMillis(7));
    let (client, _events) = world.builder().restore(lost).start().unwrap();
    let mut listener = listen(&mut world, &client, Filter::sms().as_ref());
    world.pass(Duration::from_secs(2));
    assert!(matches!(heard(&mut listener), Some(ListenerEvent::Live { .. })));
    let Some(ListenerEvent::Gap(gap)) = heard(&mut listener) else { panic!("no gap") };
    assert_eq!((gap.cause, gap.since), (GapCause::Restored, UnixMillis(7)));
    assert_eq!(heard(&mut listener), None);
}
