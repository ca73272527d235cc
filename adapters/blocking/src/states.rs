//! The state of a client as a value that can be watched.

use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{ConnectionState, Watcher};

use crate::timed_out::TimedOut;

/// Watches where a session stands: a value that can be looked at and waited for, and an iterator of its changes.
///
/// It does not keep the session running. Of several changes since the last look only the newest is seen, but the last
/// one, to closed, never escapes. A clone has seen what the original has.
#[derive(Clone, Debug)]
pub struct StateWatch(Watcher);

impl StateWatch {
    pub(crate) const fn new(watcher: Watcher) -> Self {
        Self(watcher)
    }

    /// The state now, whether it was seen or not.
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
