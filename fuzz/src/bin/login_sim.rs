//! Simulates logins for weeks; see `--help`.

use std::process::ExitCode;
use std::time::Instant;

use ringcentral_ws_fuzz::{LoginReport, Plain, WithContract, simulate_logins};

const HELP: &str = "\
Simulates sessions and their logins for weeks against the stand-in server, in virtual time.

usage: login_sim [--weeks N] [--seed S | --seed-range A..B] [--checked]

  --weeks N          the length of each run (default 2)
  --seed S           one run
  --seed-range A..B  the runs of these seeds (default 0..100)
  --checked          with the contract checker around every session (every eighth run has it anyway)

Exit status: 0 when nothing was violated, 1 on a violation, 2 for bad usage.
";

struct Options {
    weeks: u64,
    seeds: std::ops::Range<u64>,
    checked: bool,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { weeks: 2, seeds: 0..100, checked: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("weeks") => options.weeks = parser.value()?.parse::<u64>()?.clamp(1, 1_000),
            Long("seed") => {
                let seed: u64 = parser.value()?.parse()?;
                options.seeds = seed..seed.saturating_add(1);
            }
            Long("seed-range") => {
                let text = parser.value()?.string()?;
                let (from, to) = text.split_once("..").ok_or("a range is written A..B")?;
                options.seeds =
                    from.parse().map_err(|_| "A is not a number")?..to.parse().map_err(|_| "B is not a number")?;
            }
            Long("checked") => options.checked = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let (start, mut total, mut runs) = (Instant::now(), LoginReport::default(), 0_u32);
    let mut done = ExitCode::SUCCESS;
    for seed in options.seeds {
        let checked = options.checked || seed % 8 == 7;
        let run = if checked {
            simulate_logins(&WithContract, seed, options.weeks, None)
        } else {
            simulate_logins(&Plain, seed, options.weeks, None)
        };
        match run {
            Ok(report) => {
                total.add(&report);
                runs += 1;
            }
            Err(failure) => {
                println!("{failure}");
                done = ExitCode::FAILURE;
                break;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("runs            {runs}");
    print!("{total}");
    println!("time            {seconds:.2} s, {:.0} session-weeks/s", total.milli_weeks as f64 / 1000.0 / seconds);
    println!("violations      {}", u8::from(done != ExitCode::SUCCESS));
    done
}
