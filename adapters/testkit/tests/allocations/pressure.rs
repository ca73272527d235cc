//! An application that takes no events for an hour: memory is bounded, heartbeats go on, and it learns what happened.

use std::time::Duration;

use ringcentral_ws_driver::{Body, Close, Filter, SessionState};
use ringcentral_ws_driver::{Client, IoLimits, http};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Link, Machine, Received, Step, Watch, World};

const SECOND: Duration = Duration::from_secs(1);
/// Events that may wait.
const QUEUE: usize = 64;

struct Hour {
    world: World,
    client: Client<Machine>,
    watch: Watch,
    sent: u64,
    /// What the client's polls have allocated and not freed.
    grown: i64,
}

fn subscribed() -> Hour {
    let mut world = World::new(3, GatewayConfig::default());
    world.machine.set_link(Link { capacity: 16 << 10, ..Link::default() });
    let limits = IoLimits { event_queue: QUEUE, ..IoLimits::default() };
    let (client, events) = world.builder().filters([Filter::sms()]).limits(limits).start().unwrap();
    let mut watch = Watch::new(events);
    world.settle();
    watch.take();
    assert_eq!(watch.received(), [Received::Connected, Received::Subscribed]);
    Hour { world, client, watch, sent: 0, grown: 0 }
}

impl Hour {
    /// As `World::pass`, and counts what the client keeps.
    fn pass(&mut self, time: Duration) {
        let end = self.world.machine.now() + time;
        loop {
            let mut worked = true;
            while worked {
                let counted = allocation_counter::measure(|| worked = self.world.machine.poll_one());
                self.grown += counted.bytes_current;
                worked = worked || self.world.serve();
            }
            let left = end.saturating_sub(self.world.machine.now());
            if left.is_zero() || self.world.wait(left) == Step::Stuck {
                return;
            }
        }
    }

    /// An hour, a notification every second. What the client keeps must not grow after the first ten minutes.
    fn nobody_listens(&mut self, mut each_second: impl FnMut(&mut World, u64)) {
        let mut early = 0;
        for second in 0..3600 {
            self.world.server.notify();
            self.sent += 1;
            each_second(&mut self.world, second);
            self.pass(SECOND);
            if second == 600 {
                early = self.grown;
            }
        }
        println!("kept after ten minutes: {early} bytes, after an hour: {} bytes", self.grown);
        assert!(early < 400_000, "{early} bytes");
        assert!(self.grown < early + 20_000, "{early}, then {}", self.grown);
    }

    /// The application wakes up.
    fn listens(&mut self) {
        for _ in 0..600 {
            self.watch.take();
            self.pass(SECOND / 2);
        }
        self.watch.take();
        self.watch.check(1, self.sent);
    }
}

// CLAUSE HB-3
#[test]
fn an_hour_unread_on_a_good_connection_loses_nothing() {
    let mut hour = subscribed();
    hour.nobody_listens(|_, _| {});
    let stats = hour.client.stats();
    assert!(stats.notifications <= QUEUE as u64 + 2, "reading has stopped: {stats:?}");
    assert!(stats.heartbeats >= 60, "{stats:?}");
    assert!(matches!(hour.client.state(), SessionState::Ready { .. }));
    hour.listens();
    assert_eq!(hour.watch.numbers().len(), 3600);
    assert!(!hour.watch.received().iter().any(|event| matches!(event, Received::Gap(_) | Received::Disconnected(_))));
    assert_eq!(hour.client.stats().connections, 1);
}

// CLAUSE HB-3 REC-5
#[test]
fn an_hour_unread_on_a_connection_that_ends_is_reported() {
    for silent in [false, true] {
        let mut hour = subscribed();
        hour.nobody_listens(|world, second| {
            if second == 1200 {
                if silent { world.server.silence(true) } else { world.server.reset() }
            }
        });
        hour.listens();
        assert!(
            hour.watch.received().iter().any(|event| matches!(event, Received::Gap(_))),
            "{:?}",
            hour.watch.received()
        );
        // Changes of the snapshot are events too.
        assert!(hour.watch.numbers().len() >= QUEUE / 2 - 2, "what was read before is delivered");
        assert!(hour.client.stats().connections >= 2);
        // And all goes on.
        hour.world.server.notify();
        hour.pass(SECOND);
        hour.watch.take();
        assert_eq!(hour.watch.numbers().last(), Some(&3601));
    }
}

// CLAUSE HB-3 REC-5
#[test]
fn an_hour_of_lost_connections_unread_is_bounded_and_reported() {
    for refused in [false, true] {
        let mut hour = subscribed();
        hour.nobody_listens(|world, second| {
            if second % 45 == 0 {
                world.server.reset();
                world.machine.refuse(refused);
            }
        });
        hour.world.machine.refuse(false);
        hour.listens();
        assert!(matches!(hour.client.state(), SessionState::Ready { .. }), "{:?}", hour.client.state());
        hour.world.server.notify();
        hour.pass(SECOND);
        hour.watch.take();
        assert_eq!(hour.watch.numbers().last(), Some(&3601));
    }
}

/// Calls and the end need no listener.
#[test]
fn calls_and_close_do_not_wait_for_a_listener() {
    let mut hour = subscribed();
    hour.nobody_listens(|_, _| {});
    let client = hour.client.clone();
    let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    let mut call = Call::new(async move { client.request(request).await.unwrap().status() });
    let client = hour.client.clone();
    let mut close = Call::new(async move { client.close(Close::Detach).await });
    for _ in 0..100 {
        if call.poll() {
            close.poll();
        }
        hour.pass(Duration::from_millis(100));
    }
    assert_eq!(call.take(), Some(http::StatusCode::OK));
    assert!(close.poll(), "it ended in 10 s");
    while !hour.watch.has_ended() {
        hour.watch.take();
        assert!(hour.watch.has_ended() || hour.world.work().is_some(), "the events have no end");
    }
    assert!(hour.watch.has_received(&Received::Closed));
}

// CLAUSE HB-3 REC-5
#[test]
fn a_renewal_unread_loses_nothing() {
    let mut hour = subscribed();
    for _ in 0..200 {
        hour.world.server.notify();
        hour.sent += 1;
    }
    // Beyond the age limit of a connection.
    hour.pass(Duration::from_secs(25 * 3600));
    hour.listens();
    assert_eq!((hour.watch.numbers().len(), hour.client.stats().connections), (200, 2));
}
