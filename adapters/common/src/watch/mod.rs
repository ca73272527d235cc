//! What the `watch` programs have in common: all but the loop, which waits, and so differs.

pub mod args;
pub mod demo;
#[cfg(test)]
mod hostile_tests;
pub mod human;
pub mod interrupt;
pub mod json;
pub mod login_file;
pub mod paint;
pub mod program;
pub mod reach;
pub mod record;
pub mod run;
pub mod screen;
pub mod start;
pub mod state;
pub mod waits;

use std::io::{self, BufRead};

use self::args::Options;
use self::program::Input;
use self::record::Record;
use self::state::StateFile;
use crate::file::FileError;
use crate::terminal;

/// Longest command line on stdin, in bytes.
const MAX_LINE: u64 = 32 << 20;

/// Exit status for bad usage.
pub const USAGE: u8 = 2;
/// Exit status after a permanent error.
pub const FAILED: u8 = 1;

/// Says why the program ends, and gives the status it ends with.
pub fn complain(name: &str, why: &str, status: u8) -> u8 {
    terminal::complain(name, why);
    status
}

/// Reads the lines of stdin on a thread of its own, because that blocks on every runtime, until `take` returns `false`.
/// The last input is that they have ended.
pub fn read_stdin(mut take: impl FnMut(Input) -> bool + Send + 'static) {
    let _ = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match io::Read::take(&mut input, MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            let line = String::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned());
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            if !take(Input::Line(line)) {
                return;
            }
        }
        take(Input::LinesEnded);
    });
}

/// The files of a run, which are its alone.
#[derive(Debug)]
pub struct Files {
    /// Where the session is kept.
    pub state: Option<StateFile>,
    /// Where the recording goes.
    pub record: Record,
}

impl Files {
    /// Takes those that the options name, before anything else is begun.
    ///
    /// # Errors
    ///
    /// [`FileError`], which ends the program.
    pub fn claim(options: &Options) -> Result<Self, FileError> {
        let state = options.state.as_deref().map(StateFile::claim).transpose()?;
        Ok(Self { state, record: Record::claim(options.record.as_deref())? })
    }

    /// There is a connection. To be called before the session is saved for it.
    pub fn connected(&self) {
        if let Some(state) = &self.state {
            state.connected();
        }
    }

    /// What the user should know, a line each.
    pub fn notices(&self) -> impl Iterator<Item = String> {
        self.state.iter().flat_map(StateFile::notices).chain(self.record.notice())
    }
}
