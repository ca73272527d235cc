//! Sessions with a flight recorder, whose recordings are gathered.

use std::cell::RefCell;
use std::rc::Rc;

use ringcentral_ws_core::recorder::{FlightRecorder, Options, Recorded};
use ringcentral_ws_core::{ClockReading, Config, RestoreError, Session, Snapshot};

use crate::subject::Maker;

/// Makes Sessions that are recorded, and keeps the recorder of each.
#[derive(Clone, Debug, Default)]
pub struct Recordings {
    options: Options,
    recorders: Rc<RefCell<Vec<FlightRecorder>>>,
}

impl Recordings {
    /// With these options.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, recorders: Rc::default() }
    }

    /// What was recorded of each Session made since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        self.recorders.take().iter().map(FlightRecorder::dump).collect()
    }

    fn record(&self, session: Session) -> Recorded {
        let recorded = Recorded::new(session, self.options);
        self.recorders.borrow_mut().extend(recorded.recorder().cloned());
        recorded
    }
}

impl Maker for Recordings {
    type Subject = Recorded;

    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Recorded {
        self.record(Session::new(config, seed, clock))
    }

    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Recorded, RestoreError> {
        Ok(self.record(Session::restore(c, s, seed, clock)?))
    }
}
