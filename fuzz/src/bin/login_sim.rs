//! Simulates logins for weeks; see `--help`.

use std::process::ExitCode;

use ringcentral_ws_fuzz::cli::{self, Series};
use ringcentral_ws_fuzz::{LoginReport, Plain, WithContract, simulate_logins};

const HELP: &str = "\
Simulates sessions and their logins for weeks against the stand-in server, in virtual time.

usage: login_sim [--weeks N] [--seed S | --seed-range A..B] [--jobs N] [--checked] [--keep-going]
                 [--progress]

  --weeks N          the length of each run (default 2)
  --seed S           one run
  --seed-range A..B  the runs of these seeds (default 0..100)
  --jobs N           on so many threads (default 1); the result does not depend on it
  --checked          with the contract checker around every session (every eighth run has it anyway)
  --keep-going       do not stop at the first violation
  --progress         say on stderr how far it is, even if that is no terminal

Exit status: 0 when nothing was violated, 1 on a violation, 2 for bad usage.
";

struct Options {
    series: Series,
    weeks: u64,
    checked: bool,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { series: Series::new(0..100), weeks: 2, checked: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("weeks") => options.weeks = parser.value()?.parse::<u64>()?.clamp(1, 1_000),
            Long("checked") => options.checked = true,
            Long("help") | Short('h') => return Ok(None),
            Long(name) => {
                let name = name.to_owned();
                if !options.series.reads(&name, &mut parser)? {
                    return Err(Long(&name).unexpected());
                }
            }
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
    let run = |seed| match options.checked || seed % 8 == 7 {
        true => simulate_logins(&WithContract, seed, options.weeks, None),
        false => simulate_logins(&Plain, seed, options.weeks, None),
    };
    let speed = |total: &LoginReport, seconds: f64| {
        format!("{:.0} session-weeks/s", total.milli_weeks as f64 / 1000.0 / seconds)
    };
    options.series.clone().run(run, speed)
}
