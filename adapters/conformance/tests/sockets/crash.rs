//! Kills `watch` for half a minute. `cargo run -p ringcentral-ws-conformance --bin crash` does it a thousand times.

use std::time::Duration;

use ringcentral_ws_conformance::crash::{Plan, run};
use ringcentral_ws_conformance::watch::example;

// CLAUSE PST-3
// CLAUSE PST-4
#[test]
fn nothing_is_lost_or_repeated_in_silence_when_it_is_killed() {
    let time = Duration::from_secs(40);
    let tally = run(&Plan { program: example("watch"), deaths: 100, time, seed: 1, damage: true });
    println!("{tally}");
    assert!(tally.violations.is_empty(), "{tally}");
}
