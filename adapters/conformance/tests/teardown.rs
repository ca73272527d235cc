//! Clients dropped at many random moments leave nothing behind. One test, alone in its process, because it counts.
#![cfg(target_os = "linux")]

mod harness;

use std::time::{Duration, Instant};

use ringcentral_ws_conformance::{DEADLINE, Fault, Harness, World, until};
use ringcentral_ws_core::Close;

/// Teardowns of each adapter. `ROUNDS=n` sets another number.
const ROUNDS: u64 = 200;
/// Counts that do not change for this long change no more: pools let their threads go sooner.
const QUIET: Duration = Duration::from_millis(1_500);

fn count(folder: &str) -> usize {
    std::fs::read_dir(folder).expect("Linux has it").count()
}

/// Open descriptors and threads of this process.
fn held() -> (usize, usize) {
    (count("/proc/self/fd"), count("/proc/self/task"))
}

/// Waits for an event, but not long.
fn linger(world: &mut World<'_>, time: Duration) {
    let _ = world.client().next_event(time);
}

/// What is held once it has stopped changing.
fn held_at_rest() -> (usize, usize) {
    let (mut last, mut since) = (held(), Instant::now());
    until(2 * DEADLINE, "it comes to rest", || {
        let now = held();
        if now != last {
            (last, since) = (now, Instant::now());
        }
        since.elapsed() > QUIET
    });
    last
}

/// Lives and is dropped after so long; some lose their connection, some are closed first.
fn live(world: &mut World<'_>, round: u64, random: u64) {
    world.start();
    linger(world, Duration::from_micros(random % 25_000));
    match round % 5 {
        1 => world.proxy.reset(),
        2 => world.proxy.fault(Fault::Frozen),
        3 => world.sms("unread"),
        4 => world.client().close(Close::Detach),
        _ => {}
    }
    linger(world, Duration::from_micros(random / 25_000 % 5_000));
    world.stop();
    world.proxy.fault(Fault::None);
}

fn leaves_nothing(harness: &dyn Harness) {
    let mut world = World::new(harness, false);
    // Runtimes and their pools start threads on first use, and keep some for good.
    for round in 0..5 {
        live(&mut world, round, 20_000);
    }
    world.proxy.end();
    world.until_server(|server| server.with_gateway(|g, _| g.connections().count()) == 0);
    let before = held_at_rest();
    let rounds = std::env::var("ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    let mut random = fastrand::Rng::with_seed(11);
    for round in 0..rounds {
        live(&mut world, round, random.u64(..1 << 31));
    }
    world.proxy.end();
    world.until_server(|server| server.with_gateway(|g, _| g.connections().count()) == 0);
    let mut after = held();
    until(DEADLINE, &format!("{} lets go of all but {before:?}", harness.name()), || {
        after = held();
        after.0 <= before.0 && after.1 <= before.1
    });
    println!("{}: {rounds} teardowns; descriptors and threads {before:?}, then {after:?}", harness.name());
}

#[test]
fn dropped_clients_leave_nothing_behind() {
    for harness in harness::all() {
        leaves_nothing(&*harness);
    }
    assert_eq!(harness::TOKIO.metrics().num_alive_tasks(), 0, "no task of tokio is left");
}
