//! Many runs, on several threads: the result does not depend on how many.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Range};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::run::Failure;

/// Runs that a thread takes at a time.
const BATCH: u64 = 16;
/// How often `progress` is called at least.
const TICK: Duration = Duration::from_millis(500);

/// How far a series has come.
#[derive(Debug)]
pub struct Progress<'a, R> {
    /// Runs of the series.
    pub all: u64,
    /// Runs that are over.
    pub done: u64,
    /// Sums so far, over runs in the order of their seeds.
    pub total: &'a R,
    /// Runs that failed so far.
    pub failures: u64,
}

/// The runs of one batch.
struct Done<R> {
    number: u64,
    runs: u64,
    report: R,
    failures: Vec<Failure>,
}

/// Runs these seeds on `jobs` threads. `fail` gets the failures in the order of their seeds, `progress` how far it is,
/// from time to time. Without `keep_going` the first failing seed is the last one that counts.
pub fn series<R: Default + Send + for<'a> AddAssign<&'a R>>(
    seeds: Range<u64>,
    jobs: usize,
    keep_going: bool,
    run: impl Fn(u64) -> Result<R, Box<Failure>> + Sync,
    mut fail: impl FnMut(&Failure),
    mut progress: impl FnMut(&Progress<'_, R>),
) -> (R, u64) {
    let (next, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::channel();
    let all = seeds.end.saturating_sub(seeds.start);
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let (sender, next, stop, run, seeds) = (sender.clone(), &next, &stop, &run, seeds.clone());
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let start = seeds.start.saturating_add(number.saturating_mul(BATCH));
                    if start >= seeds.end {
                        break;
                    }
                    let batch = batch(number, start..start.saturating_add(BATCH).min(seeds.end), keep_going, run);
                    if sender.send(batch).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let result = collect(&receiver, all, keep_going, &mut fail, &mut progress);
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn batch<R: Default + for<'a> AddAssign<&'a R>>(
    number: u64,
    seeds: Range<u64>,
    keep_going: bool,
    run: &impl Fn(u64) -> Result<R, Box<Failure>>,
) -> Done<R> {
    let mut done = Done { number, runs: 0, report: R::default(), failures: Vec::new() };
    for seed in seeds {
        done.runs += 1;
        match run(seed) {
            Ok(report) => done.report += &report,
            Err(failure) => {
                done.failures.push(*failure);
                if !keep_going {
                    break;
                }
            }
        }
    }
    done
}

/// Adds the batches up in their order.
fn collect<R: Default + for<'a> AddAssign<&'a R>>(
    receiver: &Receiver<Done<R>>,
    all: u64,
    keep_going: bool,
    fail: &mut impl FnMut(&Failure),
    progress: &mut impl FnMut(&Progress<'_, R>),
) -> (R, u64) {
    let (mut total, mut failures, mut done, mut due) = (R::default(), 0, 0, 0);
    let mut waiting = BTreeMap::new();
    loop {
        match receiver.recv_timeout(TICK) {
            Ok(batch) => drop(waiting.insert(batch.number, batch)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return (total, failures),
        }
        while let Some(batch) = waiting.remove(&due) {
            due += 1;
            done += batch.runs;
            total += &batch.report;
            failures += batch.failures.len() as u64;
            batch.failures.iter().for_each(&mut *fail);
            if failures > 0 && !keep_going {
                return (total, failures);
            }
        }
        progress(&Progress { all, done, total: &total, failures });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Plain, Violation, simulate};

    const SHORT: u64 = 2 * 3_600_000_000;

    fn result(jobs: usize, keep_going: bool, bad: &[u64]) -> (String, u64, Vec<u64>) {
        let mut failed = Vec::new();
        let run = |seed: u64| {
            let violation = Violation { check: "test", what: String::new() };
            let failure = Failure { seed, violation, trace: crate::Trace::default() };
            if bad.contains(&seed) { Err(Box::new(failure)) } else { simulate(&Plain, seed, SHORT) }
        };
        let (report, failures) = series(5..75, jobs, keep_going, run, |failure| failed.push(failure.seed), |_| {});
        (report.to_string(), failures, failed)
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let one = result(1, true, &[]);
        assert_eq!((one.1, &one.2), (0, &Vec::new()));
        assert!(one.0.contains("runs            70\n"), "{}", one.0);
        assert_eq!(one, result(3, true, &[]));
    }

    #[test]
    fn failures_come_in_order_and_the_first_ends_it() {
        let bad = [9, 40, 41, 70];
        assert_eq!(result(3, true, &bad).2, bad);
        let (one, three) = (result(1, false, &[40, 41]), result(3, false, &[40, 41]));
        assert_eq!((one.1, &one.2), (1, &vec![40]));
        assert_eq!(one, three);
    }
}
