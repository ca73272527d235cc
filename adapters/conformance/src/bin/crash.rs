//! Kills `watch` a thousand times, and checks what it printed. `--help` says more.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use ringcentral_ws_conformance::crash::{Plan, run};

const HELP: &str = "Usage: crash [KILLS [SEED [PROGRAM]]]

Starts PROGRAM (watch, from the folder `examples` beside this program) with --json --state against a gateway in this
process, kills it at random moments, KILLS times (1000), damages its files now and then, and checks what it printed
against what the gateway sent. Exit status 1 when something was delivered twice, or lost without a gap.
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let first = args.next();
    if first.as_deref().is_some_and(|arg| arg.starts_with('-')) {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let beside = std::env::current_exe().ok().and_then(|me| Some(me.parent()?.join("examples/watch")));
    let number = |arg: Option<String>, default| arg.map_or(Some(default), |arg| arg.parse().ok());
    let (deaths, seed) = (number(first, 1000), number(args.next(), 1));
    let program = args.next().map(PathBuf::from).or(beside).filter(|program| program.exists());
    let (Some(deaths), Some(seed), Some(program)) = (deaths, seed, program) else {
        eprintln!("crash: no such number or program; run `cargo build --examples`; --help says more");
        return ExitCode::from(2);
    };
    let tally = run(&Plan { program, deaths, time: Duration::from_secs(3600), seed, damage: true });
    println!("{tally}");
    ExitCode::from(u8::from(!tally.violations.is_empty()))
}
