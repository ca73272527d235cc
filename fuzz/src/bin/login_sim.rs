//! Simulates logins for weeks; see `--help`.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use ringcentral_ws_fuzz::cli::{self, ProgressLine};
use ringcentral_ws_fuzz::{LoginReport, Plain, WithContract, series, simulate_logins};

const HELP: &str = "\
Simulates sessions and their logins for weeks against the stand-in server, in virtual time.

usage: login_sim [--weeks N] [--seed S | --seed-range A..B] [--jobs N] [--checked] [--keep-going]

  --weeks N          the length of each run (default 2)
  --seed S           one run
  --seed-range A..B  the runs of these seeds (default 0..100)
  --jobs N           on so many threads (default 1); the result does not depend on it
  --checked          with the contract checker around every session (every eighth run has it anyway)
  --keep-going       do not stop at the first violation

Exit status: 0 when nothing was violated, 1 on a violation, 2 for bad usage.
";

struct Options {
    weeks: u64,
    seeds: std::ops::Range<u64>,
    jobs: usize,
    checked: bool,
    keep_going: bool,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { weeks: 2, seeds: 0..100, jobs: 1, checked: false, keep_going: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("weeks") => options.weeks = parser.value()?.parse::<u64>()?.clamp(1, 1_000),
            Long("seed") => options.seeds = cli::one_seed(parser.value()?.parse()?),
            Long("seed-range") => options.seeds = cli::seeds(&parser.value()?.string()?)?,
            Long("jobs") => options.jobs = parser.value()?.parse()?,
            Long("keep-going") => options.keep_going = true,
            Long("checked") => options.checked = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    let options = match cli::options(HELP, options) {
        Ok(options) => options,
        Err(end) => return end,
    };
    std::panic::set_hook(Box::new(|_| ()));
    let speed = |total: &LoginReport, seconds: f64| {
        format!("{:.0} session-weeks/s", total.milli_weeks as f64 / 1000.0 / seconds)
    };
    let line = ProgressLine::new(std::io::stderr().is_terminal());
    let (total, failures) = series(
        options.seeds.clone(),
        options.jobs,
        options.keep_going,
        |seed| match options.checked || seed % 8 == 7 {
            true => simulate_logins(&WithContract, seed, options.weeks, None),
            false => simulate_logins(&Plain, seed, options.weeks, None),
        },
        |failure| {
            line.clear();
            println!("{failure}");
        },
        |progress| line.show(progress, speed),
    );
    line.clear();
    print!("{total}");
    println!("time            {:.2} s, {}", line.seconds(), speed(&total, line.seconds()));
    println!("violations      {failures}");
    if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
