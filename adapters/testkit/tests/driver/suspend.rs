//! The machine sleeps, for seconds and for hours, and wakes to a live session and an honest report.

use std::time::Duration;

use ringcentral_ws_driver::SessionState;
use ringcentral_ws_driver::{Client, Filter};
use ringcentral_ws_gateway::{Fate, GatewayConfig};
use ringcentral_ws_testkit::{Machine, Received, Watch, World};

/// What the network does while the machine sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    /// The stream is still good.
    Holds,
    /// The server's end is cut at once; the client hears of it when it wakes.
    Cut,
    /// A router has forgotten the stream; neither end hears of it.
    Forgotten,
    /// As before, and for half a minute after the sleep there is no network at all.
    Away,
}

struct Nap {
    world: World,
    client: Client<Machine>,
    watch: Watch,
    sent: u64,
}

fn nap(time: Duration, network: Network) -> Nap {
    let mut world = World::new(5, GatewayConfig::default());
    let (client, events) = world.builder().filters([Filter::sms()]).start().unwrap();
    let mut watch = Watch::new(events);
    // Not at a moment when a timer is due.
    world.pass(Duration::from_millis(3_700));
    watch.take();
    let mut sent = 0;
    for part in 0..4 {
        if part == 1 {
            match network {
                Network::Holds => {}
                Network::Cut => {
                    world.server.reset();
                    // The server's end; the client's does not run.
                    while world.serve() {}
                }
                Network::Forgotten | Network::Away => world.server.silence(true),
            }
        }
        world.server.notify();
        sent += 1;
        world.suspend(time / 4);
    }
    if network == Network::Away {
        world.machine.refuse(true);
        world.pass(Duration::from_secs(30));
        world.machine.refuse(false);
    }
    // The longest sleep of the task, the probe, the retries.
    world.pass(Duration::from_secs(60));
    watch.take();
    Nap { world, client, watch, sent }
}

fn gaps(watch: &Watch) -> usize {
    watch.received().iter().filter(|event| matches!(event, Received::Gap(_))).count()
}

// CLAUSE HB-4 REC-2
#[test]
fn short_sleeps_lose_nothing() {
    for seconds in [1, 5, 60, 100] {
        for network in [Network::Holds, Network::Cut, Network::Forgotten, Network::Away] {
            let nap = nap(Duration::from_secs(seconds), network);
            let context = format!("{seconds} s, {network:?}: {:?}", nap.watch.received());
            assert!(matches!(nap.client.state(), SessionState::Ready { .. }), "{context}");
            nap.watch.check(1, nap.sent);
            assert_eq!(nap.watch.numbers().len(), 4, "{context}");
            // What was sent into a connection that was found dead may have been lost on the way; nothing else.
            let all = nap
                .watch
                .received()
                .iter()
                .all(|event| !matches!(event, Received::Gap(cause) if *cause != "in_flight"));
            assert!(all && gaps(&nap.watch) <= usize::from(network != Network::Holds), "{context}");
            let connections = if network == Network::Holds { 1 } else { 2 };
            assert_eq!(nap.client.stats().connections, connections, "{context}");
        }
    }
}

// CLAUSE HB-4 REC-5
#[test]
fn sleeps_beyond_the_recovery_window_are_reported() {
    for seconds in [200, 3_600, 86_400 * 3] {
        for network in [Network::Cut, Network::Forgotten, Network::Away] {
            let mut nap = nap(Duration::from_secs(seconds), network);
            let context = format!("{seconds} s, {network:?}: {:?}", nap.watch.received());
            assert!(matches!(nap.client.state(), SessionState::Ready { .. }), "{context}");
            nap.watch.check(1, nap.sent);
            let whole = nap.watch.numbers().len() == 4;
            assert!(whole || gaps(&nap.watch) > 0, "{context}");
            if network == Network::Cut {
                // The server cut it after a quarter of the sleep, and decides whether it is too late.
                let late = seconds > 240;
                let recoveries = nap.client.stats().recoveries;
                assert!(gaps(&nap.watch) == 1 && recoveries == u64::from(!late) && whole != late, "{context}");
            }
            nap.world.server.notify();
            nap.world.settle();
            nap.watch.take();
            assert_eq!(nap.watch.numbers().last(), Some(&5), "it goes on after {context}");
        }
    }
}

/// Sleep at every stage of a life, not only when all is well.
#[test]
fn asleep_at_any_moment() {
    for moment in 0..120 {
        let mut world = World::new(moment, GatewayConfig::default());
        let (client, events) = world.builder().filters([Filter::sms()]).start().unwrap();
        let mut watch = Watch::new(events);
        for step in 0..moment {
            world.step();
            if step == 40 {
                world.server.reset();
            }
        }
        world.suspend(Duration::from_secs(if moment % 2 == 0 { 60 } else { 600 }));
        world.pass(Duration::from_secs(90));
        watch.take();
        assert!(matches!(client.state(), SessionState::Ready { .. }), "{moment}: {:?}", client.state());
        let (number, receipts) = world.server.notify();
        // A session that was lost before its handle came may still be waited for.
        let sent = receipts.iter().filter(|receipt| matches!(receipt.fate, Fate::Sent { .. })).count();
        assert_eq!(sent, 1, "{moment}");
        world.settle();
        watch.take();
        assert_eq!(watch.numbers(), [number], "{moment}: {:?}", watch.received());
    }
}
