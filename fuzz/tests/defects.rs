//! Proof of the tests: every defect is caught, and by what.
//!
//! `UPDATE_README=1 cargo test -p ringcentral-ws-fuzz --test defects` writes the table in README.md anew.

#[path = "../../core/tests/support/mod.rs"]
mod support;
mod under_test;

use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ringcentral_ws_fuzz::{DAY, Defect, Defective, simulate, simulate_dense, targets};
use under_test::{Checked, with_defect};

/// Six hours each: enough for some faults and a healing.
const RUN: u64 = DAY / 4;
const SEEDS: u64 = 150;
const DENSE_RUNS: u64 = 150;

fn files(dir: &str) -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

fn panics(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

fn simulator(defect: Defect) -> Option<&'static str> {
    (0..SEEDS).find_map(|seed| Some(simulate(&Defective(defect), seed, RUN).err()?.violation.check))
}

fn dense(defect: Defect) -> Option<&'static str> {
    (0..DENSE_RUNS).find_map(|seed| Some(simulate_dense(&Defective(defect), seed).err()?.violation.check))
}

fn model(defect: Defect) -> bool {
    let mut bytes = files("corpus/differential").into_iter().map(|file| fs::read(file).unwrap());
    bytes.any(|bytes| targets::differ(&Defective(defect), &bytes).is_err())
}

/// What core's own tests hold.
fn transcript_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    support::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/transcripts"), &mut found);
    found
}

fn transcripts(defect: Defect) -> bool {
    with_defect(Some(defect), || {
        transcript_files().into_iter().any(|path| {
            let expected = fs::read_to_string(path).unwrap();
            catch_unwind(|| support::Rig::run(&expected)).ok().as_ref() != Some(&expected)
        })
    })
}

fn corpora(defect: Defect) -> bool {
    ["frame", "session", "heal", "metamorphic"].iter().any(|target| {
        files(&format!("corpus/{target}"))
            .into_iter()
            .any(|file| panics(|| targets::replay(&Defective(defect), target, &fs::read(file).unwrap())))
    })
}

fn exhaustion(defect: Defect) -> bool {
    panics(|| {
        let _ = targets::exhaust_of(&Defective(defect), 3);
    })
}

/// The model knows no budgets, no restarts, no other clients, and nothing of what is only reported.
const fn is_modelled(defect: Defect) -> bool {
    use Defect as D;
    let beyond = matches!(defect, D::FreshBudget | D::HandleForever | D::NoInFlight | D::NoContended);
    !beyond && !matches!(defect, D::EagerReset | D::DetachSnapshot | D::SilentWait | D::SureGap)
}

#[test]
fn every_defect_is_caught() {
    // Without a defect the transcripts hold here too.
    with_defect(None, || {
        let path = transcript_files().into_iter().find(|path| path.ends_with("main_job.txt")).unwrap();
        let expected = fs::read_to_string(path).unwrap();
        assert_eq!(support::Rig::run(&expected), expected);
    });
    std::panic::set_hook(Box::new(|_| {}));
    let mut table = String::new();
    let mut missed = Vec::new();
    for defect in Defect::ALL {
        let by = [simulator(*defect), dense(*defect)];
        let others = [model(*defect), transcripts(*defect), corpora(*defect), exhaustion(*defect)];
        let _ = write!(table, "| {} |", defect.as_str());
        for check in by {
            let _ = write!(table, " {} |", check.map_or("–".into(), |check| format!("`{check}`")));
        }
        for caught in others {
            table.push_str(if caught { " yes |" } else { " – |" });
        }
        table.push('\n');
        let caught = if is_modelled(*defect) { by[0].is_some() && others[0] } else { by.iter().any(Option::is_some) };
        if !caught {
            missed.push(defect.as_str());
        }
    }
    let _ = std::panic::take_hook();
    println!("{table}");
    check_readme(&table);
    assert!(
        missed.is_empty(),
        "not caught in {SEEDS} runs or {DENSE_RUNS} runs of dense faults, or not by the model: {missed:?}"
    );
}

/// The table is between these lines.
fn check_readme(table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- defects -->\n").unwrap();
    let (old, after) = rest.split_once("<!-- end -->").unwrap();
    let head = "| Defect | Simulator, by its check | Dense faults, by theirs | Model | Transcripts | Corpora | Exhaustion |\n|---|---|---|---|---|---|---|\n";
    let new = format!("{head}{table}");
    if std::env::var_os("UPDATE_README").is_some() {
        fs::write(&path, format!("{before}<!-- defects -->\n{new}<!-- end -->{after}")).unwrap();
    } else {
        assert_eq!(old, new, "UPDATE_README=1 writes the table of README.md anew");
    }
}
