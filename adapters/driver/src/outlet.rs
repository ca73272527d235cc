//! The way of events to the application: a bounded queue that never makes the driver wait.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender};
use futures_util::Stream;
use ringcentral_ws_core::{Event, SessionState, Snapshot, Stats};

use crate::command::Command;

/// What the driver's task and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    snapshot: Mutex<Option<Snapshot>>,
    status: Mutex<(SessionState, Stats)>,
}

impl Shared {
    pub(crate) fn new(snapshot: Option<Snapshot>) -> Self {
        let status = Mutex::new((SessionState::Idle, Stats::default()));
        Self { snapshot: Mutex::new(snapshot), status }
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn status(&self) -> (SessionState, Stats) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_status(&self, state: SessionState, stats: Stats) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = (state, stats);
    }

    fn publish(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

/// An event, and the snapshot that is true once it has been taken.
#[derive(Debug)]
pub(crate) struct Queued {
    event: Event,
    snapshot: Option<Box<Snapshot>>,
}

/// The events of a client, in order. A stream; it ends after [`Event::Closed`].
///
/// The queue is bounded (`IoLimits::event_queue`). When it is full the driver stops reading the socket, so that TCP
/// makes the server wait; heartbeats, deadlines and commands go on. Replies wait behind the unread events, so do not
/// wait for a request while nobody takes events.
///
/// Taking [`Event::SnapshotChanged`] makes the new snapshot visible in [`Client::snapshot`](crate::Client::snapshot):
/// a snapshot never covers an event that has not been taken (PST-4).
pub struct Events {
    queue: Pin<Box<Receiver<Box<Queued>>>>,
    /// Tells the driver that an event was taken.
    room: Sender<()>,
    shared: Arc<Shared>,
    /// Keeps the driver's task alive.
    _alive: Sender<Command>,
}

impl Events {
    /// The next event; `None` when the session has ended and all were taken. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let taken = std::task::ready!(self.queue.as_mut().poll_next(cx));
        Poll::Ready(taken.map(|queued| {
            let _ = self.room.try_send(());
            let Queued { event, snapshot } = *queued;
            if let Some(snapshot) = snapshot {
                self.shared.publish(*snapshot);
            }
            event
        }))
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("waiting", &self.queue.len()).finish_non_exhaustive()
    }
}

/// The driver's end of the queue.
pub(crate) struct Outlet {
    /// Unbounded by itself, because a bounded channel takes all its memory at once; `capacity` is its bound.
    queue: Sender<Box<Queued>>,
    room: Pin<Box<Receiver<()>>>,
    capacity: usize,
    /// What did not fit. Reading stops while there is any, so one input fills it at most.
    backlog: VecDeque<Box<Queued>>,
}

/// Both ends of a queue for `capacity` events.
pub(crate) fn queue(capacity: usize, shared: Arc<Shared>, alive: Sender<Command>) -> (Outlet, Events) {
    let (sender, receiver) = async_channel::unbounded();
    let (room, taken) = async_channel::bounded(1);
    let capacity = capacity.max(1);
    let outlet = Outlet { queue: sender, room: Box::pin(taken), capacity, backlog: VecDeque::new() };
    (outlet, Events { queue: Box::pin(receiver), room, shared, _alive: alive })
}

impl Outlet {
    pub(crate) fn push(&mut self, event: Event, snapshot: Option<Snapshot>) {
        let queued = Box::new(Queued { event, snapshot: snapshot.map(Box::new) });
        if !self.is_full() && self.queue.len() < self.capacity {
            let _ = self.queue.try_send(queued);
            return;
        }
        // While nobody listens attempts may go on for days: of what repeats only the last is worth telling.
        let repeats = |a: &Event, b: &Event| {
            matches!(
                (a, b),
                (Event::Retry { .. }, Event::Retry { .. }) | (Event::SnapshotChanged, Event::SnapshotChanged)
            )
        };
        if self.backlog.back().is_some_and(|last| repeats(&last.event, &queued.event)) {
            self.backlog.pop_back();
        }
        self.backlog.push_back(queued);
    }

    /// Events wait for the application.
    pub(crate) fn is_full(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(crate) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Moves the backlog into the queue as room comes. Ready when there is none left, or nobody to take it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            while self.queue.len() < self.capacity
                && let Some(next) = self.backlog.pop_front()
            {
                let _ = self.queue.try_send(next);
            }
            if self.backlog.is_empty() {
                return Poll::Ready(());
            }
            if std::task::ready!(self.room.as_mut().poll_next(cx)).is_none() {
                self.backlog.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use futures_util::task::noop_waker_ref;
    use ringcentral_ws_core::{Cause, ConnId, Timestamp};

    use super::*;

    fn retry(attempt: u32) -> Event {
        Event::Retry { attempt, cause: Cause::SocketLost, at: Timestamp::ZERO, delay: Duration::ZERO }
    }

    fn numbers(events: &mut Events) -> Vec<u64> {
        let mut seen = Vec::new();
        while let Some(Some(event)) = events.next().now_or_never() {
            seen.push(match event {
                Event::Recovered { conn } => conn.get(),
                Event::Retry { attempt, .. } => u64::from(attempt) + 1000,
                other => panic!("{other:?}"),
            });
        }
        seen
    }

    // CLAUSE HB-3
    #[test]
    fn a_full_queue_keeps_order_and_the_last_retry() {
        let (alive, _commands) = async_channel::bounded(1);
        let (mut outlet, mut events) = queue(2, Arc::new(Shared::new(None)), alive);
        let mut cx = Context::from_waker(noop_waker_ref());
        for n in 0..5 {
            assert_eq!(outlet.is_full(), n > 2);
            outlet.push(Event::Recovered { conn: ConnId::from(n) }, None);
        }
        (0..9).for_each(|n| outlet.push(retry(n), None));
        assert_eq!(outlet.backlog(), 4);
        let mut seen = Vec::new();
        while outlet.poll(&mut cx).is_pending() {
            seen.extend(numbers(&mut events));
        }
        seen.extend(numbers(&mut events));
        assert_eq!(seen, [0, 1, 2, 3, 4, 1008]);
        assert!(!outlet.is_full());
        drop(events);
        outlet.push(retry(1), None);
        assert!(outlet.poll(&mut cx).is_ready());
    }
}
