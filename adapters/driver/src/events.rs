//! The application's end of the queue of events.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use ringcentral_ws_adapter::{Batch, Delivery, EventReceiver, InHand, Work};
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
/// snapshot never covers an event that the application has not seen ([PST-4](ringcentral_ws_core::protocol#pst-4)). With
/// [`Builder::acknowledge`](crate::Builder::acknowledge) it covers what was acknowledged.
pub struct Events {
    queue: EventReceiver,
    in_hand: InHand,
    /// Keeps the driver's task alive.
    _alive: Commands,
}

impl Events {
    pub(crate) const fn new(queue: EventReceiver, work: Arc<Work>, alive: Commands) -> Self {
        Self { queue, in_hand: InHand::new(work), _alive: alive }
    }

    /// The next event; `None` after [`Event::Closed`]. The future is cancel-safe: dropping it loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll(cx, EventReceiver::poll_next)).await
    }

    /// The next event with the handle that acknowledges it, for clients with
    /// [`Builder::acknowledge`](crate::Builder::acknowledge); `None` after [`Event::Closed`]. What is acknowledged after
    /// that still moves the snapshot, so store it once more when all is. The future is cancel-safe.
    ///
    /// ```no_run
    /// # async fn work(_: ringcentral_ws_driver::Event) -> bool { true }
    /// # async fn run(mut events: ringcentral_ws_driver::Events) {
    /// while let Some(delivery) = events.next_delivery().await {
    ///     // In a task of its own, say; its work may end in any order.
    ///     if work(delivery.event).await {
    ///         delivery.ack.acknowledge();
    ///     }
    /// }
    /// # }
    /// ```
    pub async fn next_delivery(&mut self) -> Option<Delivery> {
        std::future::poll_fn(|cx| self.poll(cx, EventReceiver::poll_delivery)).await
    }

    /// Waits for an event, and takes what is there behind it too, up to `max` events, with one handle for all: for programs
    /// that store many at once. `None` after [`Event::Closed`]. It works without
    /// [`Builder::acknowledge`](crate::Builder::acknowledge) too. The future is cancel-safe. A snapshot that is right behind
    /// the last event comes with it, so there may be one `SnapshotChanged` more than `max`.
    ///
    /// ```no_run
    /// # use ringcentral_ws_driver::{Event, Snapshot};
    /// # fn store(_: &[Event], _: Option<Snapshot>) -> std::io::Result<()> { Ok(()) }
    /// # async fn run(mut events: ringcentral_ws_driver::Events) -> std::io::Result<()> {
    /// while let Some(batch) = events.next_batch(500).await {
    ///     // Both in one transaction.
    ///     store(&batch.events, batch.ack.acknowledge_and_take())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_batch(&mut self, max: usize) -> Option<Batch> {
        std::future::poll_fn(|cx| self.poll(cx, |queue, cx| queue.poll_batch(max, cx))).await
    }

    /// Polls the queue, and notes whether the application has something in hand now.
    fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut EventReceiver, &mut Context<'_>) -> Poll<Option<T>>,
    ) -> Poll<Option<T>> {
        let polled = poll(&mut self.queue, cx);
        self.in_hand.note(matches!(polled, Poll::Ready(Some(_))));
        polled
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(cx, EventReceiver::poll_next)
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("waiting", &self.queue.waiting()).finish_non_exhaustive()
    }
}
