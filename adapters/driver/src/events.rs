//! The application's end of the queue of events.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use ringcentral_ws_adapter::EventReceiver;
use ringcentral_ws_core::Event;

use crate::command::Commands;

/// The events of a client, in order: a stream that ends after [`Event::Closed`].
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
    /// Keeps the driver's task alive.
    _alive: Commands,
}

impl Events {
    pub(crate) const fn new(queue: EventReceiver, alive: Commands) -> Self {
        Self { queue, _alive: alive }
    }

    /// The next event; `None` after [`Event::Closed`]. The future is cancel-safe: dropping it loses no event.
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
