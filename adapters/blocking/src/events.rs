//! The application's end of the queue of events.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{Batch, Delivery, EventReceiver, InHand};
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
/// snapshot never covers an event that the application has not seen ([PST-4](ringcentral_ws_core::protocol#pst-4)). With
/// [`Builder::acknowledge`](crate::Builder::acknowledge) it covers what was acknowledged.
pub struct Events {
    queue: EventReceiver,
    in_hand: InHand,
    /// A time that has passed.
    past: Instant,
    /// Keeps the client's thread alive.
    _alive: Arc<Remote>,
}

impl Events {
    pub(crate) fn new(queue: EventReceiver, alive: Arc<Remote>) -> Self {
        let in_hand = InHand::new(Arc::clone(&alive.work));
        Self { queue, in_hand, past: Instant::now(), _alive: alive }
    }

    /// Waits for the next event, no longer than `limit`; `Ok(None)` after [`Event::Closed`].
    ///
    /// # Errors
    ///
    /// [`TimedOut`]: none came. Nothing is lost.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<Event>, TimedOut> {
        // A time beyond the clock's end is no limit.
        self.wait(Instant::now().checked_add(limit), EventReceiver::wait_next).ok_or(TimedOut)
    }

    /// Waits for the next event, and gives it with the handle that acknowledges it, for clients with
    /// [`Builder::acknowledge`](crate::Builder::acknowledge); `None` after [`Event::Closed`]. What is acknowledged after
    /// that still moves the snapshot, so store it once more when all is.
    pub fn next_delivery(&mut self) -> Option<Delivery> {
        self.wait(None, EventReceiver::wait_delivery).flatten()
    }

    /// The same, no longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`]: none came. Nothing is lost.
    pub fn next_delivery_timeout(&mut self, limit: Duration) -> Result<Option<Delivery>, TimedOut> {
        self.wait(Instant::now().checked_add(limit), EventReceiver::wait_delivery).ok_or(TimedOut)
    }

    /// Waits for an event, and takes what is there behind it too, up to `max` events, with one handle for all: for programs
    /// that store many at once. `None` after [`Event::Closed`]. It works without
    /// [`Builder::acknowledge`](crate::Builder::acknowledge) too. A snapshot that is right behind the last event comes with
    /// it, so there may be one `SnapshotChanged` more than `max`.
    ///
    /// ```no_run
    /// # use ringcentral_ws_blocking::{Event, Snapshot};
    /// # fn store(_: &[Event], _: Option<Snapshot>) -> std::io::Result<()> { Ok(()) }
    /// # fn run(mut events: ringcentral_ws_blocking::Events) -> std::io::Result<()> {
    /// while let Some(batch) = events.next_batch(500) {
    ///     // Both in one transaction.
    ///     store(&batch.events, batch.ack.acknowledge_and_take())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn next_batch(&mut self, max: usize) -> Option<Batch> {
        self.wait(None, |queue, until| queue.wait_batch(max, until)).flatten()
    }

    /// The same, no longer than `limit`.
    ///
    /// # Errors
    ///
    /// [`TimedOut`]: none came. Nothing is lost.
    pub fn next_batch_timeout(&mut self, max: usize, limit: Duration) -> Result<Option<Batch>, TimedOut> {
        let until = Instant::now().checked_add(limit);
        self.wait(until, |queue, until| queue.wait_batch(max, until)).ok_or(TimedOut)
    }

    /// Waits for the queue, and notes whether the application has something in hand now.
    fn wait<T>(
        &mut self,
        until: Option<Instant>,
        wait: impl Fn(&mut EventReceiver, Option<Instant>) -> Option<Option<T>>,
    ) -> Option<Option<T>> {
        // What is there is taken at once. While it waits, it is done with the last one.
        let there = if self.in_hand.has_some() { wait(&mut self.queue, Some(self.past)) } else { None };
        let taken = there.or_else(|| {
            self.in_hand.note(false);
            wait(&mut self.queue, until)
        });
        self.in_hand.note(matches!(taken, Some(Some(_))));
        taken
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.wait(None, EventReceiver::wait_next).flatten()
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.queue.waiting()).finish_non_exhaustive()
    }
}
