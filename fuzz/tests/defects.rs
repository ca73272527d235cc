//! Proof of the oracle: every defect is caught, and by what.

use ringcentral_ws_fuzz::{DAY, Defect, Defective, simulate};

/// Six hours each: enough for some faults and a healing.
const RUN: u64 = DAY / 4;
const SEEDS: u64 = 150;

#[test]
fn every_defect_is_caught() {
    let mut missed = Vec::new();
    println!("{:<55} {:<18} after", "defect", "caught by");
    for defect in Defect::ALL {
        let caught = (0..SEEDS).find_map(|seed| Some((seed, simulate(&Defective(*defect), seed, RUN).err()?)));
        match caught {
            Some((seed, failure)) => {
                println!("{:<55} {:<18} {:>3} runs", defect.as_str(), failure.violation.check, seed + 1);
            }
            None => missed.push(defect.as_str()),
        }
    }
    assert!(missed.is_empty(), "not caught in {SEEDS} runs: {missed:?}");
}
