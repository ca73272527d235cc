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
/// The queue has a limit in number (`IoLimits::event_queue`, 1024) and in bytes (`IoLimits::event_bytes`, 64 MiB). When
/// it is full, the client stops reading the WebSocket, and TCP makes the server wait. Heartbeats, deadlines and
/// commands go on. While the answer to a request over the WebSocket is awaited, only the limit in bytes counts; see
/// [`Client::get`](crate::Client::get).
///
/// [`Client::snapshot`](crate::Client::snapshot) changes when [`Event::SnapshotChanged`] is taken from the queue. So a
/// snapshot never covers an event that the application has not seen ([PST-4](ringcentral_ws_core::protocol#pst-4)).
pub struct Events {
    queue: EventReceiver,
    /// Keeps the client's thread alive.
    _alive: Arc<Remote>,
}

impl Events {
    pub(crate) const fn new(queue: EventReceiver, alive: Arc<Remote>) -> Self {
        Self { queue, _alive: alive }
    }

    /// Waits for the next event, no longer than `limit`; `Ok(None)` after [`Event::Closed`].
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
