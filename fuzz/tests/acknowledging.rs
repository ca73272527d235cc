//! An application that acknowledges late, in any order or never, and crashes: nothing is lost without a gap, and nothing
//! that was acknowledged and stored comes again.

use ringcentral_ws_fuzz::{AckReport, acknowledging};

/// `ACK_SEEDS` is the number of runs.
fn seeds() -> u64 {
    std::env::var("ACK_SEEDS").map_or(60, |seeds| seeds.parse().expect("a number"))
}

// CLAUSE PST-6 PST-7 C15
#[test]
fn what_is_not_acknowledged_comes_again_or_is_behind_a_gap() {
    let mut total = AckReport::default();
    let failures: Vec<_> =
        (0..seeds()).filter_map(|seed| acknowledging(seed, true).map(|report| total += report).err()).collect();
    println!("{total:?}");
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    // The runs are worth something only if all this happened.
    assert!(total.stored > 1_000 && total.covered > 100 && total.crashes > 200, "{total:?}");
    assert!(total.again > 100 && total.dropped > 10 && total.stopped > 20, "{total:?}");
}

#[test]
fn the_runs_find_a_client_that_takes_events_for_acknowledged() {
    assert!((0..60).any(|seed| acknowledging(seed, false).is_err()));
}
