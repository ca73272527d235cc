//! What the programs of this package share: options, a series of runs and what is printed of it.

use std::cell::Cell;
use std::fmt::Display;
use std::io::IsTerminal as _;
use std::ops::{AddAssign, Range};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use lexopt::prelude::*;

use crate::run::Failure;
use crate::series::{Progress, series};

/// The options of a program. `read` gives `None` for `--help`.
///
/// # Errors
///
/// How the program is to end: after its help text, or with status 2 after an error and the text.
pub fn options<T>(help: &str, read: impl FnOnce() -> Result<Option<T>, lexopt::Error>) -> Result<T, ExitCode> {
    match read() {
        Ok(Some(options)) => Ok(options),
        Ok(None) => {
            print!("{help}");
            Err(ExitCode::SUCCESS)
        }
        Err(error) => {
            eprintln!("{error}\n\n{help}");
            Err(ExitCode::from(2))
        }
    }
}

/// A series of runs, as its options say.
#[derive(Clone, Debug)]
pub struct Series {
    /// `--seed S`, `--seed-range A..B`.
    pub seeds: Range<u64>,
    /// `--jobs N`: on so many threads.
    jobs: usize,
    /// `--keep-going`: the first violation does not end it.
    keep_going: bool,
    /// `--progress`: how far it is goes to stderr, even if that is no terminal.
    progress: bool,
}

impl Series {
    /// These seeds on one thread.
    #[must_use]
    pub fn new(seeds: Range<u64>) -> Self {
        Self { seeds, jobs: 1, keep_going: false, progress: std::io::stderr().is_terminal() }
    }

    /// Reads an option that is one of a series. Whether it was one.
    ///
    /// # Errors
    ///
    /// It has a value that cannot be read.
    pub fn reads(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<bool, lexopt::Error> {
        match name {
            "seed" => {
                let seed: u64 = parser.value()?.parse()?;
                self.seeds = seed..seed.saturating_add(1);
            }
            "seed-range" => {
                let text = parser.value()?.string()?;
                let (from, to) = text.split_once("..").ok_or("a range is written A..B")?;
                let number = |text: &str, name| text.parse().map_err(|_| format!("{name} is not a number"));
                self.seeds = number(from, 'A')?..number(to, 'B')?;
            }
            "jobs" => self.jobs = parser.value()?.parse()?,
            "keep-going" => self.keep_going = true,
            "progress" => self.progress = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Runs it, and prints the violations and the sums. `speed` says how fast it was in so many seconds.
    pub fn run<R: Default + Display + Send + for<'a> AddAssign<&'a R>>(
        self,
        run: impl Fn(u64) -> Result<R, Box<Failure>> + Sync,
        speed: impl Fn(&R, f64) -> String,
    ) -> ExitCode {
        // A panic of the contract checker is a violation like any other: it is printed with its seed.
        std::panic::set_hook(Box::new(|_| ()));
        let line = ProgressLine::new(self.progress);
        let (total, failures) = series(
            self.seeds,
            self.jobs,
            self.keep_going,
            run,
            |failure| {
                line.clear();
                println!("{failure}");
            },
            |progress| line.show(progress, &speed),
        );
        line.clear();
        let seconds = line.start.elapsed().as_secs_f64();
        print!("{total}");
        println!("time            {seconds:.2} s, {}", speed(&total, seconds));
        println!("violations      {failures}");
        if failures > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// How far a series is, on stderr: over and over on one line of a terminal, else in a line now and then.
struct ProgressLine {
    shown: bool,
    terminal: bool,
    start: Instant,
    last: Cell<Instant>,
}

impl ProgressLine {
    fn new(shown: bool) -> Self {
        let now = Instant::now();
        Self { shown, terminal: std::io::stderr().is_terminal(), start: now, last: Cell::new(now) }
    }

    fn show<R>(&self, progress: &Progress<'_, R>, speed: impl Fn(&R, f64) -> String) {
        let pause = Duration::from_secs(if self.terminal { 1 } else { 30 });
        if !self.shown || self.last.get().elapsed() < pause || progress.done == 0 {
            return;
        }
        self.last.set(Instant::now());
        let seconds = self.start.elapsed().as_secs_f64();
        let left = seconds / progress.done as f64 * (progress.all - progress.done) as f64;
        let text = format!(
            "{} of {} runs, {}, {} violations, {:.0} min left",
            progress.done,
            progress.all,
            speed(progress.total, seconds),
            progress.failures,
            left / 60.0
        );
        if self.terminal {
            eprint!("\r{text}\x1b[K");
        } else {
            eprintln!("{text}");
        }
    }

    /// Leaves the line to what is printed next.
    fn clear(&self) {
        if self.shown && self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
