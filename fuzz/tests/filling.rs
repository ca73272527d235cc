//! Days of applications that fill their gaps: what lies in a gap comes as a record, once, or is named; and the checks find
//! what is done wrong.

use ringcentral_ws_fuzz::{DAY, FillDefect, Fills, Plain, Report, WithContract, simulate_filling};

/// Half a day each: enough for some faults and a healing.
const RUN: u64 = DAY / 2;
const SEEDS: u64 = 150;

fn run(seeds: std::ops::Range<u64>, length: u64) -> Report {
    let mut total = Report::default();
    for seed in seeds {
        match simulate_filling(&Plain, seed, length, None) {
            Ok(report) => total += &report,
            Err(failure) => panic!("{failure}"),
        }
    }
    println!("{total}");
    total
}

// CLAUSE REC-5
#[test]
fn what_lies_in_gaps_is_fetched_or_named() {
    let Fills { done: [done, complete], topics, records, calls, .. } = run(0..40, DAY).fills;
    // The runs are worth something only if all this happened.
    assert!(done > 150 && complete * 2 > done, "{complete} of {done} are complete");
    assert!(records > 500 && calls.values().all(|count| *count > 20), "{records} records by {calls:?}");
    for name in ["SMS", "voicemail", "fax", "pager", "calls", "posts"] {
        assert!(topics.get(name).is_some_and(|counts| counts.filled > 5), "{name}: {topics:?}");
    }
}

#[test]
fn the_contract_holds_meanwhile() {
    for seed in 100_000..100_010 {
        if let Err(failure) = simulate_filling(&WithContract, seed, DAY / 4, None) {
            panic!("{failure}");
        }
    }
}

// A machine whose clock was an hour ahead asked for a token that knew of nothing that came before that hour was over.
#[test]
fn a_token_of_a_wrong_clock_is_not_kept() {
    run(304..305, DAY);
}

// The subscription got other filters: what had been delivered was known by other keys, and came again.
#[test]
fn what_was_delivered_does_not_come_again_after_other_filters() {
    run(338..339, DAY);
}

// Of long runs, each an error of the checks or of the simulation: a token whose answer showed a clock that is wrong by
// minutes, a token and gaps of about the time when a clock went back, a filter that the server spells with ids, more
// notifications before a subscription's answer than are held, pages that were still being read when the day was judged, and
// a subscription that was made after the last snapshot that was written before a crash.
#[test]
fn seeds_of_long_runs_are_clean() {
    let seeds =
        [901_012_489, 902_003_372, 902_020_947, 902_027_699, 905_008_418, 905_021_357, 907_007_783, 1_110_005_159];
    for seed in seeds {
        run(seed..seed + 1, DAY);
    }
}

// A post and a subscription were asked for in turns, each within the penalty that the other's call had prolonged.
#[test]
fn a_rate_limit_that_posts_and_the_subscription_share_ends() {
    run(904_005_152..904_005_153, DAY);
}

/// The check that finds this defect.
fn found(defect: FillDefect) -> Option<&'static str> {
    (0..SEEDS).find_map(|seed| Some(simulate_filling(&Plain, seed, RUN, Some(defect)).err()?.violation.check))
}

#[test]
fn every_defect_is_caught() {
    let mut table = String::new();
    for defect in FillDefect::ALL {
        let check = found(*defect).map_or("–".into(), |check| format!("`{check}`"));
        table += &format!("| {} | {check} |\n", defect.as_str());
    }
    println!("{table}");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once("<!-- fill defects -->\n").unwrap();
    let (old, after) = rest.split_once("<!-- end of fill defects -->").unwrap();
    let new = format!("| Defect | Caught by |\n|---|---|\n{table}");
    if std::env::var_os("UPDATE_README").is_some() {
        let text = format!("{before}<!-- fill defects -->\n{new}<!-- end of fill defects -->{after}");
        std::fs::write(path, text).unwrap();
    } else {
        assert_eq!(old, new, "UPDATE_README=1 writes the table of README.md anew");
    }
    assert!(!table.contains('–'), "not caught in {SEEDS} runs:\n{table}");
}
