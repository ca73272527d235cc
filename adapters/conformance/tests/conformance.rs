//! Every scenario on every adapter: enough at once for a process of their own.

mod harness;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ringcentral_ws_conformance::{Trace, run, scenarios};

/// Scenarios in play at once. They wait more than they work.
const AT_ONCE: usize = 12;

type Played = (Result<Trace, String>, Duration);

// CLAUSE TOK-8 TOK-10
#[test]
fn all_adapters_report_the_same() {
    let (scenarios, harnesses) = (scenarios::all(), harness::all());
    let jobs: Vec<_> = (0..scenarios.len()).flat_map(|s| (0..harnesses.len()).map(move |h| (s, h))).collect();
    let (next, played) = (AtomicUsize::new(0), Mutex::new(BTreeMap::<(usize, usize), Played>::new()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(&(s, h)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let began = Instant::now();
                    let result = catch_unwind(AssertUnwindSafe(|| run(&scenarios[s], &*harnesses[h])));
                    let result = result.map_err(|panic| match panic.downcast::<String>() {
                        Ok(why) => *why,
                        Err(other) => (*other.downcast::<&str>().unwrap_or(Box::new("a panic"))).to_owned(),
                    });
                    played.lock().unwrap().insert((s, h), (result, began.elapsed()));
                }
            });
        }
    });
    let played = played.into_inner().unwrap();
    let mut faults = String::new();
    print!("{:<42}", "");
    harnesses.iter().for_each(|harness| print!("{:>12}", harness.name()));
    println!();
    for (s, scenario) in scenarios.iter().enumerate() {
        print!("{:<42}", scenario.name);
        let (first, _) = &played[&(s, 0)];
        for (h, harness) in harnesses.iter().enumerate() {
            let (result, took) = &played[&(s, h)];
            let same = result.is_ok() && result == first;
            print!("{:>10} s", format!("{}{:.1}", if same { "" } else { "! " }, took.as_secs_f64()));
            match result {
                Err(why) => faults.push_str(&format!("{} on {}: {why}\n", scenario.name, harness.name())),
                Ok(trace) if !same => {
                    let expected = first.as_ref().map_or_else(Clone::clone, Trace::to_string);
                    let (one, other) = (harnesses[0].name(), harness.name());
                    faults.push_str(&format!("{}: {one}\n{expected}but {other}\n{trace}", scenario.name));
                }
                Ok(_) => {}
            }
        }
        println!();
    }
    // Past the capture of the test harness: the number is printed whether the test fails or not.
    let took = began.elapsed();
    let _ = writeln!(std::io::stdout(), "{} scenarios × {} adapters in {took:.1?}", scenarios.len(), harnesses.len());
    if std::env::var_os("SHOW_TRACES").is_some() {
        for (s, scenario) in scenarios.iter().enumerate() {
            let expected = played[&(s, 0)].0.as_ref().map_or_else(Clone::clone, Trace::to_string);
            println!("{}\n{expected}", scenario.name);
        }
    }
    assert!(faults.is_empty(), "\n{faults}");
}
