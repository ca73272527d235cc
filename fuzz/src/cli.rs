//! What the programs of this package share: options, ranges of seeds, and how far a series is.

use std::cell::RefCell;
use std::io::IsTerminal as _;
use std::ops::Range;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::series::Progress;

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

/// A range of seeds: `A..B`.
///
/// # Errors
///
/// It is none.
pub fn seeds(text: &str) -> Result<Range<u64>, lexopt::Error> {
    let (from, to) = text.split_once("..").ok_or("a range is written A..B")?;
    Ok(from.parse().map_err(|_| "A is not a number")?..to.parse().map_err(|_| "B is not a number")?)
}

/// The range of one seed.
#[must_use]
pub const fn one_seed(seed: u64) -> Range<u64> {
    seed..seed.saturating_add(1)
}

/// Says on stderr how far a series is: over and over on one line of a terminal, else in a line now and then.
#[derive(Debug)]
pub struct ProgressLine {
    shown: bool,
    terminal: bool,
    start: Instant,
    last: RefCell<Instant>,
}

impl ProgressLine {
    /// `shown`: whether it says anything at all.
    #[must_use]
    pub fn new(shown: bool) -> Self {
        let now = Instant::now();
        Self { shown, terminal: std::io::stderr().is_terminal(), start: now, last: RefCell::new(now) }
    }

    /// Seconds since the beginning.
    pub fn seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }

    /// Shows it, if it is time. `speed` says how fast it is.
    pub fn show<R>(&self, progress: &Progress<'_, R>, speed: impl FnOnce(&R, f64) -> String) {
        let pause = Duration::from_secs(if self.terminal { 1 } else { 30 });
        if !self.shown || self.last.borrow().elapsed() < pause || progress.done == 0 {
            return;
        }
        self.last.replace(Instant::now());
        let seconds = self.seconds();
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
    pub fn clear(&self) {
        if self.shown && self.terminal {
            eprint!("\r\x1b[K");
        }
    }
}
