//! What the `watch` programs have in common: all but the loop, which waits, and so differs.

pub mod args;
pub mod demo;
#[cfg(test)]
mod hostile_tests;
pub mod human;
pub mod interrupt;
pub mod json;
pub mod reach;
pub mod record;
pub mod state;

use ringcentral_ws_core::Event;

use self::args::Options;
use self::record::Record;
use self::state::StateFile;
use crate::file::FileError;

/// Longest command line on stdin, in bytes.
pub const MAX_LINE: u64 = 32 << 20;

/// Exit status for bad usage.
pub const USAGE: u8 = 2;
/// Exit status after a permanent error.
pub const FAILED: u8 = 1;

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

    /// Sees each event before anything is written for it.
    pub fn on(&self, event: &Event) {
        if let Some(state) = &self.state {
            state.on(event);
        }
    }

    /// What the user should know, a line each.
    pub fn notices(&self) -> impl Iterator<Item = String> {
        self.state.iter().flat_map(StateFile::notices).chain(self.record.notice())
    }
}
