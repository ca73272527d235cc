//! Kills `watch` for half a minute. `cargo run -p ringcentral-ws-conformance --bin crash` does it a thousand times.

use std::time::Duration;

use ringcentral_ws_conformance::crash::{Plan, run};
use ringcentral_ws_conformance::watch::example;

// CLAUSE PST-3
// CLAUSE PST-4
#[test]
fn nothing_is_lost_or_repeated_in_silence_when_it_is_killed() {
    for (program, deaths) in [("watch", 90), ("watch-blocking", 30)] {
        let plan = Plan { program: example(program), deaths, time: Duration::from_secs(60), seed: 1, damage: true };
        let tally = run(&plan);
        println!("{program}\n{tally}");
        assert!(tally.violations.is_empty(), "{tally}");
    }
}
