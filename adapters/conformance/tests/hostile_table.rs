//! Every way to be hostile on every adapter: what it costs, how soon the application hears of it, and how.
//!
//! Each adapter has a process of its own, which measures its memory and its time of the processor.

mod harness;
#[path = "hostile/memory.rs"]
mod memory;
mod table;

use table::report;

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

// CLAUSE SEC-3 FRM-1 FRM-4 CLS-1 HB-3
#[test]
fn no_hostile_server_costs_much_or_stays_unnoticed() {
    let table = report::measure(&report::ADAPTERS);
    println!("{}", table.text());
    let faults = table.faults();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(table.behaviours() >= 60, "{}", table.behaviours());
}

/// Writes the table into a file: `cargo test … --test hostile_table -- --ignored --exact write_the_table`.
#[test]
#[ignore = "it writes a file of the repository"]
fn write_the_table() {
    let table = report::measure(&report::ADAPTERS);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/HOSTILE.md");
    std::fs::write(file, table.markdown()).expect("the file can be written");
}

/// A process of `measure`.
#[test]
#[ignore = "it is started by the others"]
fn one_adapter() {
    if let Ok(name) = std::env::var(report::ADAPTER) {
        report::play_on(&name);
    }
}
