//! Sessions with a flight recorder, whose dumps are gathered when their processes end.

use std::cell::RefCell;
use std::rc::Rc;

use http::Request;
use ringcentral_ws_core::recorder::{Options, Recorded};
use ringcentral_ws_core::{
    Body, ClockReading, Close, CommandError, Config, Filters, Input, NotDrained, Output, RequestId, RestoreError,
    Session, SessionState, Snapshot, SubscriptionId, Timestamp,
};

use crate::subject::{Maker, Subject};

/// Makes Sessions that are recorded, and keeps the dump of each.
#[derive(Clone, Debug, Default)]
pub struct Recordings {
    options: Options,
    dumps: Rc<RefCell<Vec<String>>>,
}

/// A recorded Session. Its dump is kept when it is dropped.
#[derive(Debug)]
pub struct Tape {
    recorded: Recorded,
    dumps: Rc<RefCell<Vec<String>>>,
}

impl Recordings {
    /// With these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, dumps: Rc::default() }
    }

    /// The dumps so far.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        self.dumps.take()
    }

    fn tape(&self, session: Session) -> Tape {
        Tape { recorded: Recorded::new(session, self.options), dumps: Rc::clone(&self.dumps) }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        self.dumps.borrow_mut().extend(self.recorded.recorder().map(|recorder| recorder.dump()));
    }
}

impl Maker for Recordings {
    type Subject = Tape;

    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Tape {
        self.tape(Session::new(config, seed, clock))
    }

    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Tape, RestoreError> {
        Ok(self.tape(Session::restore(c, s, seed, clock)?))
    }
}

impl Subject for Tape {
    fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        self.recorded.handle_input(input, now)
    }

    fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        self.recorded.connect(now)
    }

    fn subscribe(&mut self, filters: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
        self.recorded.subscribe(filters, now)
    }

    fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        self.recorded.unsubscribe(now)
    }

    fn request(&mut self, request: Request<Body>, now: Timestamp) -> Result<RequestId, CommandError<Request<Body>>> {
        self.recorded.request(request, now)
    }

    fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
        self.recorded.cancel(id, now)
    }

    fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        self.recorded.recover(now)
    }

    fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        self.recorded.snapshot_stored(now)
    }

    fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
        self.recorded.close(mode, now)
    }

    fn poll_output(&mut self) -> Output {
        self.recorded.poll_output()
    }

    fn snapshot(&self) -> Option<Snapshot> {
        self.recorded.snapshot()
    }

    fn state(&self) -> SessionState {
        self.recorded.state()
    }
}
