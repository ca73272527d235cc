//! Dense faults: something goes wrong at nearly every step, and nothing may be violated.

use ringcentral_ws_fuzz::{Maker, Plain, Report, WithContract, simulate_dense};

fn run<M: Maker + Clone>(maker: &M, seeds: std::ops::Range<u64>) -> Report {
    let mut total = Report::default();
    for seed in seeds {
        match simulate_dense(maker, seed) {
            Ok(report) => total += &report,
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{total}");
    total
}

/// The runs are worth something only if all this happened, and often.
fn assert_all_happened(total: &Report) {
    let runs = total.runs;
    assert!(total.steps > 600 * runs && total.heartbeats > runs, "{total}");
    assert!(total.recoveries > 5 * runs && total.recoveries_failed > runs, "{total}");
    let of = &total.notifications;
    assert!(of.delivered > 20 * runs && of.covered > 20 * runs && of.excused > 0, "{total}");
    let kinds = [
        "HTTPS: 401",
        "HTTPS: never left",
        "HTTPS: no answer",
        "WSG-902",
        "call answered 503",
        "call refused",
        "crash",
        "cut",
        "detached",
        "done, but answered 503",
        "frame at a deadline",
        "garbled",
        "long sleep",
        "no handle",
        "sleep",
        "subscription forgotten",
        "subscription replaced",
        "twice",
        "unsubscribed",
    ];
    for kind in kinds {
        assert!(total.faults.get(kind).is_some_and(|count| *count > runs / 10), "{kind}: {total}");
    }
    assert_eq!(total.faults.len(), kinds.len(), "a kind that the test does not know: {total}");
    for cause in ["queue_overflow", "recovery_failed", "replay_interrupted", "replay_overflow", "restored"]
        .iter()
        .chain(&["subscription_lost", "unreadable_frame", "window_passed"])
    {
        assert!(total.gaps.contains_key(cause), "{cause}: {total}");
    }
    for outcome in ["answered", "answered with an error", "not sent", "unknown", "timed out", "cancelled"] {
        assert!(total.outcomes.contains_key(outcome), "{outcome}: {total}");
    }
}

// CLAUSE REC-5 SUB-3 PST-2
#[test]
fn dense_faults_break_no_promise() {
    assert_all_happened(&run(&Plain, 0..1_500));
}

#[test]
fn the_contract_holds_meanwhile() {
    run(&WithContract, 100_000..100_200);
}

// The only subscription was refused for good, and that was written down. The next one was not, and the process crashed.
#[test]
fn what_a_process_did_not_write_down_is_not_owed() {
    run(&Plain, 94_181_354..94_181_355);
}

// A call for the subscription was lost with its connection; while the session was being continued it was taken back and
// asked for again. What is replayed may lack something, as if it had been desired all the time.
#[test]
fn what_was_taken_back_for_a_moment_may_have_been_lost() {
    run(&Plain, 526_691..526_692);
}
