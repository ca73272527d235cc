//! The one thread that owns a pump and a socket.

use std::time::Duration;

use ringcentral_ws_adapter::{Pump, Turn};
use ringcentral_ws_core::Timestamp;

use crate::command::Threads;
use crate::io::Io;

/// Runs a session to its end, or until nobody holds a handle any more.
pub(crate) struct Driver {
    pump: Pump<Threads>,
    io: Io,
}

impl Driver {
    pub(crate) const fn new(pump: Pump<Threads>, io: Io) -> Self {
        Self { pump, io }
    }

    pub(crate) fn run(mut self) {
        loop {
            match self.pump.turn(&mut self.io) {
                Turn::Ended => return,
                // While commands are never all taken the thread never waits, and only the poller knows what the socket has.
                Turn::Again | Turn::Flooded => self.io.wait(Duration::ZERO),
                Turn::Wait { now, until } => self.sleep(now, until),
            }
        }
    }

    fn sleep(&mut self, now: Timestamp, until: Option<Timestamp>) {
        let longest = self.io.https.net.limits.longest_sleep;
        self.io.wait(until.map_or(longest, |until| until.since(now).min(longest)));
    }
}
