//! Simulates sessions for days; see `--help`.

use std::io::Write as _;
use std::process::ExitCode;

use ringcentral_ws_fuzz::cli::{self, Series};
use ringcentral_ws_fuzz::{
    DAY, Failure, Plain, Report, Trace, WithContract, calm, simulate, simulate_dense, simulate_dense_traced,
    simulate_filling, simulate_filling_traced, simulate_traced,
};

/// Each message is a few small allocations that are soon freed.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HELP: &str = "\
Simulates sessions against the stand-in server over a faulty network, in virtual time.

usage: simulate [--days N] [--seed S | --seed-range A..B] [--jobs N] [--checked]
                [--fill | --no-fill | --calm | --dense] [--trace N] [--keep-going] [--progress]

  --days N           so many runs of a day each, from seed 0 on (default 1000)
  --seed S           one run, with the trace of its last steps if it fails
  --seed-range A..B  the runs of these seeds
  --jobs N           on so many threads (default 1); the result does not depend on it
  --checked          with the contract checker around every session (every eighth run has it anyway)
  --fill             the application fills its gaps in every run (in every tenth run it does anyway)
  --no-fill          it does in none
  --calm             nothing goes wrong: for measurements
  --dense            dense faults in place of days: a small server, and something goes wrong at nearly every step
  --trace N          print the last N steps of each run, failed or not
  --keep-going       do not stop at the first violation
  --progress         say on stderr how far it is, even if that is no terminal

Exit status: 0 when nothing was violated, 1 on a violation, 2 for bad usage.
";

struct Options {
    series: Series,
    checked: bool,
    calm: bool,
    dense: bool,
    /// `None`: with some seeds.
    fill: Option<bool>,
    trace: Option<usize>,
}

impl Options {
    fn fills(&self, seed: u64) -> bool {
        self.fill.unwrap_or(seed % 10 == 3)
    }
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let series = Series::new(0..1000);
    let mut options = Options { series, checked: false, calm: false, dense: false, fill: None, trace: None };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("days") => {
                let seeds = &mut options.series.seeds;
                seeds.end = seeds.start.saturating_add(parser.value()?.parse()?);
            }
            Long("checked") => options.checked = true,
            Long("trace") => options.trace = Some(parser.value()?.parse()?),
            Long("fill") => options.fill = Some(true),
            Long("no-fill") => options.fill = Some(false),
            Long("calm") => options.calm = true,
            Long("dense") => options.dense = true,
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
    if [options.calm, options.dense, options.fill.is_some()].into_iter().filter(|one| *one).count() > 1 {
        return Err("it is --fill, --no-fill, --calm or --dense".into());
    }
    Ok(Some(options))
}

fn run(seed: u64, options: &Options) -> Result<Report, Box<Failure>> {
    if let Some(steps) = options.trace {
        let (_, trace) = match options.dense {
            false if options.fills(seed) => simulate_filling_traced(&WithContract, seed, DAY, steps),
            false => simulate_traced(&WithContract, seed, DAY, steps),
            true => simulate_dense_traced(&WithContract, seed, steps),
        };
        let mut out = std::io::stdout().lock();
        trace.lines().for_each(|line| drop(writeln!(out, "{line}")));
    }
    if options.calm {
        let failed = |violation| Box::new(Failure { seed, violation, trace: Trace::default() });
        return calm(&Plain, seed, DAY).map_err(failed);
    }
    match (options.dense, options.checked || seed % 8 == 7) {
        (false, false) if options.fills(seed) => simulate_filling(&Plain, seed, DAY, None),
        (false, true) if options.fills(seed) => simulate_filling(&WithContract, seed, DAY, None),
        (false, false) => simulate(&Plain, seed, DAY),
        (false, true) => simulate(&WithContract, seed, DAY),
        (true, false) => simulate_dense(&Plain, seed),
        (true, true) => simulate_dense(&WithContract, seed),
    }
}

fn main() -> ExitCode {
    let options = match cli::options(HELP, options) {
        Ok(options) => options,
        Err(end) => return end,
    };
    let speed = |total: &Report, seconds: f64| match options.dense {
        true => format!("{:.0} runs/s", total.runs as f64 / seconds),
        false => format!("{:.0} session-days/s", total.days() / seconds),
    };
    options.series.clone().run(|seed| run(seed, &options), speed)
}
