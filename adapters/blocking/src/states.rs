//! The state of a client as a value that can be watched.

use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{ConnectionState, Watcher};

use crate::timed_out::TimedOut;

/// Watches the state of a client: read it, wait for a change, or iterate over the changes.
///
/// It does not keep the session running. Changes that come faster than they are read are merged: the newest one is
/// seen. The change to closed is always seen. A clone starts where the original is.
#[derive(Clone, Debug)]
pub struct StateWatch(Watcher);

impl StateWatch {
    pub(crate) const fn new(watcher: Watcher) -> Self {
        Self(watcher)
    }

    /// The state now.
    #[must_use]
    pub fn get(&self) -> ConnectionState {
        self.0.get()
    }

    /// Waits for the next change since the last one that was returned, or since
    /// [`Client::states`](crate::Client::states); `None` when the session has ended and all were seen.
    pub fn changed(&mut self) -> Option<ConnectionState> {
        self.0.wait_changed(None).flatten()
    }

    /// The same, no longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when nothing changed; nothing is lost.
    pub fn changed_timeout(&mut self, limit: Duration) -> Result<Option<ConnectionState>, TimedOut> {
        // A time beyond the clock's end is no limit.
        self.0.wait_changed(Instant::now().checked_add(limit)).ok_or(TimedOut)
    }
}

impl Iterator for StateWatch {
    type Item = ConnectionState;

    fn next(&mut self) -> Option<ConnectionState> {
        self.changed()
    }
}
