//! A session with a defect in the place of the one that the transcripts check.

#![allow(unreachable_pub, reason = "a module of tests")]

use std::cell::Cell;

use ringcentral_ws_core::*;
use ringcentral_ws_fuzz::{Defect, Defective, Maker, Mutant, Subject, commands};

thread_local! {
    static DEFECT: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// The sessions made meanwhile have it.
pub fn with_defect<R>(defect: Option<Defect>, work: impl FnOnce() -> R) -> R {
    DEFECT.set(defect);
    work()
}

/// Named as what it stands in for, and with its calls.
pub struct Checked(Mutant);

macro_rules! inherent {
    ([] $($name:ident($($arg:ident: $type:ty)?) -> $result:ty;)*) => {
        $(
            #[allow(clippy::result_large_err, reason = "the argument is handed back")]
            pub fn $name(&mut self, $($arg: $type,)? now: Timestamp) -> $result {
                self.0.$name($($arg,)? now)
            }
        )*
    };
}

impl Checked {
    pub fn new(config: Config, seed: u64, clock: ClockReading) -> Self {
        Self(match DEFECT.get() {
            Some(defect) => Defective(defect).create(config, seed, clock),
            None => Mutant::new(None, Session::new(config, seed, clock)),
        })
    }

    pub fn restore(config: Config, snapshot: Snapshot, seed: u64, clock: ClockReading) -> Result<Self, RestoreError> {
        Ok(Self(match DEFECT.get() {
            Some(defect) => Defective(defect).restore(config, snapshot, seed, clock)?,
            None => Mutant::new(None, Session::restore(config, snapshot, seed, clock)?),
        }))
    }

    pub fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        self.0.handle_input(input, now)
    }

    pub fn poll_output(&mut self) -> Output {
        self.0.poll_output()
    }

    pub fn snapshot(&self) -> Option<Snapshot> {
        self.0.snapshot()
    }

    pub fn state(&self) -> SessionState {
        self.0.state()
    }

    pub const fn stats(&self) -> Stats {
        self.0.stats()
    }

    commands!(inherent!());
}
