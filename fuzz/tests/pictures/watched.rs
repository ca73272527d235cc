//! A session that notes each change of its state, in the place of the one that transcripts and simulations use.

use std::cell::RefCell;
use std::collections::BTreeSet;

use ringcentral_ws_core::*;
use ringcentral_ws_fuzz::{Maker, commands, implement};

/// From one state to another, by their names.
pub type Change = (&'static str, &'static str);

thread_local! {
    static CHANGES: RefCell<BTreeSet<Change>> = const { RefCell::new(BTreeSet::new()) };
}

/// The changes of all sessions that were made meanwhile.
pub fn changes_during(work: impl FnOnce()) -> BTreeSet<Change> {
    CHANGES.take();
    work();
    CHANGES.take()
}

fn name(state: SessionState) -> &'static str {
    match state {
        SessionState::Idle => "Idle",
        SessionState::Waiting { .. } => "Waiting",
        SessionState::Connecting => "Connecting",
        SessionState::AwaitingStore => "AwaitingStore",
        SessionState::Ready { .. } => "Ready",
        SessionState::Offline => "Offline",
        SessionState::Closing => "Closing",
        SessionState::Closed => "Closed",
        other => panic!("a state without a name here: {other:?}"),
    }
}

/// Named as what it stands in for, and with its calls.
pub struct Checked(Session);

impl Checked {
    fn noting<T>(&mut self, call: impl FnOnce(&mut Session) -> T) -> T {
        let before = name(self.0.state());
        let result = call(&mut self.0);
        let after = name(self.0.state());
        if before != after {
            CHANGES.with_borrow_mut(|changes| changes.insert((before, after)));
        }
        result
    }
}

macro_rules! noting {
    ([] $($name:ident($($arg:ident: $type:ty)?) -> $result:ty;)*) => {
        impl Checked {
            $(
                #[allow(clippy::result_large_err, reason = "the argument is handed back")]
                pub fn $name(&mut self, $($arg: $type,)? now: Timestamp) -> $result {
                    self.noting(|session| session.$name($($arg,)? now))
                }
            )*
        }
    };
}
commands!(noting!());
commands!(implement!(Checked));

impl Checked {
    pub fn new(config: Config, seed: u64, clock: ClockReading) -> Self {
        Self(Session::new(config, seed, clock))
    }

    pub fn restore(config: Config, snapshot: Snapshot, seed: u64, clock: ClockReading) -> Result<Self, RestoreError> {
        Ok(Self(Session::restore(config, snapshot, seed, clock)?))
    }

    pub fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        self.noting(|session| session.handle_input(input, now))
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
}

/// Makes them.
#[derive(Clone, Copy)]
pub struct Watching;

impl Maker for Watching {
    type Subject = Checked;

    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Checked {
        Checked::new(config, seed, clock)
    }

    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Checked, RestoreError> {
        Checked::restore(c, s, seed, clock)
    }
}
