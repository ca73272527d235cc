//! The application's end of the queue of events.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::EventReceiver;
use ringcentral_ws_core::Event;

use crate::command::Remote;
use crate::timed_out::TimedOut;

/// The events of a client, in order: an iterator that waits for each, and ends after [`Event::Closed`].
///
/// The queue is bounded (`IoLimits::event_queue`, `IoLimits::event_bytes`). When it is full, the socket is not read,
/// and TCP makes the server wait; heartbeats, deadlines and commands go on. While the answer to a request over the
/// socket is awaited, reading goes on until `event_bytes` wait: see [`Client::request`](crate::Client::request).
///
/// When [`Event::SnapshotChanged`] is taken, [`Client::snapshot`](crate::Client::snapshot) shows the new snapshot, so a
/// snapshot never covers an event that was not taken ([PST-4](ringcentral_ws_core::protocol#pst-4)).
pub struct Events {
    queue: EventReceiver,
    /// Keeps the client's thread alive.
    _alive: Arc<Remote>,
}

impl Events {
    pub(crate) const fn new(queue: EventReceiver, alive: Arc<Remote>) -> Self {
        Self { queue, _alive: alive }
    }

    /// The next event, if it comes within `limit`; `Ok(None)` after the last one of a session that has ended.
    ///
    /// # Errors
    ///
    /// [`TimedOut`]: none came. Nothing is lost.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<Event>, TimedOut> {
        // A time beyond the clock's end is no limit.
        self.queue.wait_next(Instant::now().checked_add(limit)).ok_or(TimedOut)
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.queue.wait_next(None).flatten()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.queue.waiting()).finish_non_exhaustive()
    }
}
