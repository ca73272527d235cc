//! A session with a defect in the place of the one that the transcripts check.

#![allow(unreachable_pub, reason = "a module of tests")]

use std::cell::Cell;

use http::Request;
use ringcentral_ws_core::*;
use ringcentral_ws_fuzz::{Defect, Defective, Maker, Mutant, Subject};

thread_local! {
    static DEFECT: Cell<Option<Defect>> = const { Cell::new(None) };
}

/// The sessions made meanwhile have it.
pub fn with_defect<R>(defect: Option<Defect>, work: impl FnOnce() -> R) -> R {
    DEFECT.set(defect);
    work()
}

/// Named as what it stands in for.
pub struct Checked(Box<Kind>);

enum Kind {
    Whole(Session),
    Defective(Mutant),
}

macro_rules! on {
    ($self:ident, $session:ident => $call:expr) => {
        match &mut *$self.0 {
            Kind::Whole($session) => $call,
            Kind::Defective($session) => $call,
        }
    };
}

impl Checked {
    pub fn new(config: Config, seed: u64, clock: ClockReading) -> Self {
        Self(Box::new(match DEFECT.get() {
            Some(defect) => Kind::Defective(Defective(defect).create(config, seed, clock)),
            None => Kind::Whole(Session::new(config, seed, clock)),
        }))
    }

    pub fn restore(config: Config, snapshot: Snapshot, seed: u64, clock: ClockReading) -> Result<Self, RestoreError> {
        Ok(Self(Box::new(match DEFECT.get() {
            Some(defect) => Kind::Defective(Defective(defect).restore(config, snapshot, seed, clock)?),
            None => Kind::Whole(Session::restore(config, snapshot, seed, clock)?),
        })))
    }

    pub fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        on!(self, session => session.handle_input(input, now))
    }

    pub fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        on!(self, session => session.connect(now))
    }

    pub fn subscribe(&mut self, f: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
        on!(self, session => session.subscribe(f, now))
    }

    pub fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        on!(self, session => session.unsubscribe(now))
    }

    #[expect(clippy::result_large_err, reason = "the request is handed back")]
    pub fn request(&mut self, r: Request<Body>, now: Timestamp) -> Result<RequestId, CommandError<Request<Body>>> {
        on!(self, session => session.request(r, now))
    }

    pub fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
        on!(self, session => session.cancel(id, now))
    }

    pub fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        on!(self, session => session.recover(now))
    }

    pub fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        on!(self, session => session.snapshot_stored(now))
    }

    pub fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
        on!(self, session => session.close(mode, now))
    }

    pub fn poll_output(&mut self) -> Output {
        on!(self, session => session.poll_output())
    }

    pub fn snapshot(&self) -> Option<Snapshot> {
        match &*self.0 {
            Kind::Whole(session) => session.snapshot(),
            Kind::Defective(session) => session.snapshot(),
        }
    }

    pub fn state(&self) -> SessionState {
        match &*self.0 {
            Kind::Whole(session) => session.state(),
            Kind::Defective(session) => session.state(),
        }
    }

    pub fn stats(&self) -> Stats {
        match &*self.0 {
            Kind::Whole(session) => session.stats(),
            Kind::Defective(session) => session.stats(),
        }
    }
}
