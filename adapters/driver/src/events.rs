//! The application's end of the queue of events.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::Sender;
use futures_util::Stream;
use ringcentral_ws_adapter::EventReceiver;
use ringcentral_ws_core::Event;

use crate::command::Command;

/// The events of a client, in order. A stream; it ends after [`Event::Closed`].
///
/// The queue is bounded (`IoLimits::event_queue`, `IoLimits::event_bytes`). When it is full, the socket is not read,
/// and TCP makes the server wait; heartbeats, deadlines and commands go on. While the answer to a request over the
/// socket is awaited, reading goes on until `event_bytes` wait: see [`Client::request`](crate::Client::request).
///
/// When [`Event::SnapshotChanged`] is taken, [`Client::snapshot`](crate::Client::snapshot) shows the new snapshot, so a
/// snapshot never covers an event that was not taken ([PST-4](ringcentral_ws_core::protocol#pst-4)).
pub struct Events {
    queue: EventReceiver,
    /// Keeps the driver's task alive.
    _alive: Sender<Command>,
}

impl Events {
    pub(crate) const fn new(queue: EventReceiver, alive: Sender<Command>) -> Self {
        Self { queue, _alive: alive }
    }

    /// The next event; `None` after the last one of a session that has ended. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.queue.poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.queue.poll_next(cx)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("waiting", &self.queue.waiting()).finish_non_exhaustive()
    }
}
