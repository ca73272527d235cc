//! Thousands of sessions of the tokio client in one process: memory, idle cost, notifications per second, start, and what
//! becomes of them when connections are cut and servers start again.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin fleet-real -- --help`

use std::alloc::System;
use std::process::ExitCode;

use ringcentral_ws_benches::fleet_real::{HELP, Options, run, serve_if_asked};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Bytes on the heap.
fn heap() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    let options = match Options::parse(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("fleet-real: {error} (try --help)");
            return ExitCode::from(2);
        }
    };
    let report = match run(&options, heap) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("fleet-real: {error}");
            return ExitCode::FAILURE;
        }
    };
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    ExitCode::from(u8::from(!report.is_right() || options.check && !report.missed().is_empty()))
}
