//! Simulates sessions for days; see `--help`.

use std::process::ExitCode;
use std::time::Instant;

use ringcentral_ws_fuzz::{DAY, Failure, Plain, Report, Story, WithContract, calm, simulate, tell};

const HELP: &str = "\
Simulates sessions against the stand-in server over a faulty network, in virtual time.

usage: simulate [--days N] [--seed S | --seed-range A..B] [--checked] [--calm] [--story N] [--keep-going]

  --days N           so many runs of a day each, from seed 0 on (default 1000)
  --seed S           one run, with the story of its steps if it fails
  --seed-range A..B  the runs of these seeds
  --checked          with the contract checker around every session (every eighth run has it anyway)
  --calm             nothing goes wrong: for measurements
  --story N          tell the last N steps of each run, failed or not
  --keep-going       do not stop at the first violation

Exit status: 0 when nothing was violated, 1 on a violation, 2 for bad usage.
";

struct Options {
    seeds: std::ops::Range<u64>,
    checked: bool,
    calm: bool,
    story: Option<usize>,
    keep_going: bool,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { seeds: 0..1000, checked: false, calm: false, story: None, keep_going: false };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("days") => options.seeds.end = options.seeds.start.saturating_add(parser.value()?.parse()?),
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
            Long("story") => options.story = Some(parser.value()?.parse()?),
            Long("calm") => options.calm = true,
            Long("keep-going") => options.keep_going = true,
            Long("help") | Short('h') => return Ok(None),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Some(options))
}

fn run(seed: u64, options: &Options) -> Result<Report, Box<Failure>> {
    if options.calm {
        let failed = |violation| Box::new(Failure { seed, violation, story: Story::default() });
        return calm(&Plain, seed, DAY).map_err(failed);
    }
    if options.checked || seed % 8 == 7 { simulate(&WithContract, seed, DAY) } else { simulate(&Plain, seed, DAY) }
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
    // A panic of the contract checker is a violation like any other: it is told with its seed.
    std::panic::set_hook(Box::new(|_| ()));
    let (start, mut total, mut failures) = (Instant::now(), Report::default(), 0);
    for seed in options.seeds.clone() {
        if let Some(steps) = options.story {
            let (_, story) = tell(&WithContract, seed, DAY, steps);
            story.lines().for_each(|line| println!("{line}"));
        }
        match run(seed, &options) {
            Ok(report) => total.add(&report),
            Err(failure) => {
                println!("{failure}");
                failures += 1;
                if !options.keep_going {
                    break;
                }
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    print!("{total}");
    println!("time            {seconds:.2} s, {:.0} session-days/s", total.days() / seconds);
    println!("violations      {failures}");
    if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
