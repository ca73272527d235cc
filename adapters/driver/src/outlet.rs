//! The way of events to the application: a bounded queue that never makes the driver wait.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use async_channel::Sender;
use futures_util::Stream;
use futures_util::task::AtomicWaker;
use ringcentral_ws_adapter::{IoLimits, replaced, weight};
use ringcentral_ws_core::{Event, Snapshot, Stats};

use crate::command::Command;

/// What the driver's task and the handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    snapshot: Mutex<Option<Snapshot>>,
    stats: Mutex<Stats>,
    /// What the application has stored, as far as is known, is an orderly end.
    unstored: AtomicBool,
    storing: AtomicWaker,
}

impl Shared {
    pub(crate) fn new(snapshot: Option<Snapshot>) -> Self {
        let unstored = AtomicBool::new(snapshot.as_ref().is_some_and(Snapshot::is_detached));
        Self { snapshot: Mutex::new(snapshot), stats: Mutex::default(), unstored, storing: AtomicWaker::new() }
    }

    /// Whether a session waits for what the application stores.
    pub(crate) fn is_unstored(&self) -> bool {
        self.unstored.load(Ordering::SeqCst)
    }

    /// Ready once the application has had the time to store a snapshot that is not that of an orderly end (PST-2).
    pub(crate) fn poll_stored(&self, cx: &Context<'_>) -> Poll<()> {
        self.storing.register(cx.waker());
        if self.unstored.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) }
    }

    fn stored(&self) {
        if self.unstored.swap(false, Ordering::SeqCst) {
            self.storing.wake();
        }
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn stats(&self) -> Stats {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_stats(&self, stats: Stats) {
        *self.stats.lock().unwrap_or_else(PoisonError::into_inner) = stats;
    }

    fn publish(&self, snapshot: Snapshot) {
        *self.snapshot.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
    }
}

/// An event, and the snapshot that is true once it has been taken.
#[derive(Debug)]
struct Queued {
    event: Event,
    snapshot: Option<Box<Snapshot>>,
    /// In bytes, roughly.
    weight: usize,
}

/// What lies between the two ends of the queue.
#[derive(Debug, Default)]
struct Line {
    queue: Mutex<VecDeque<Queued>>,
    /// Events handed over and not taken yet, those the application's end holds included.
    untaken: AtomicUsize,
    /// Their weight.
    untaken_bytes: AtomicUsize,
    /// The driver waits for room.
    starved: AtomicBool,
    /// The driver's end is gone.
    ended: AtomicBool,
    /// The application's end is gone.
    abandoned: AtomicBool,
    application: AtomicWaker,
    driver: AtomicWaker,
}

impl Line {
    fn queue(&self) -> MutexGuard<'_, VecDeque<Queued>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The events of a client, in order. A stream; it ends after [`Event::Closed`].
///
/// The queue is bounded (`IoLimits::event_queue`, `IoLimits::event_bytes`). When it is full the driver stops reading the socket, so that TCP
/// makes the server wait; heartbeats, deadlines and commands go on. For the answer to a request over the socket reading
/// goes on until `event_bytes` wait: see [`Client::request`](crate::Client::request).
///
/// Taking [`Event::SnapshotChanged`] makes the new snapshot visible in [`Client::snapshot`](crate::Client::snapshot):
/// a snapshot never covers an event that has not been taken (PST-4).
pub struct Events {
    line: Arc<Line>,
    /// Moved here from the line all at once.
    ready: VecDeque<Queued>,
    shared: Arc<Shared>,
    /// The last event taken came with a snapshot. Who comes for the next one has written it down.
    noted: bool,
    /// Keeps the driver's task alive.
    _alive: Sender<Command>,
}

impl Events {
    /// The next event; `None` when the session has ended and all were taken. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if std::mem::take(&mut self.noted) {
            self.shared.stored();
        }
        if self.ready.is_empty() && !self.refill() {
            self.line.application.register(cx.waker());
            // First the look at the end, then the one at the queue: what came before the end is not missed.
            let ended = self.line.ended.load(Ordering::SeqCst);
            if !self.refill() {
                return if ended { Poll::Ready(None) } else { Poll::Pending };
            }
        }
        let Some(Queued { event, snapshot, weight }) = self.ready.pop_front() else { return Poll::Pending };
        self.line.untaken_bytes.fetch_sub(weight, Ordering::SeqCst);
        self.line.untaken.fetch_sub(1, Ordering::SeqCst);
        if self.line.starved.load(Ordering::SeqCst) {
            self.line.driver.wake();
        }
        if let Some(snapshot) = snapshot {
            self.noted = !snapshot.is_detached();
            self.shared.publish(*snapshot);
        }
        Poll::Ready(Some(event))
    }

    fn refill(&mut self) -> bool {
        let mut queue = self.line.queue();
        if queue.is_empty() {
            // Nothing to do: the room that a burst took is given back.
            *queue = VecDeque::new();
            self.ready = VecDeque::new();
            return false;
        }
        std::mem::swap(&mut *queue, &mut self.ready);
        true
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll_event(cx)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.line.abandoned.store(true, Ordering::SeqCst);
        self.line.driver.wake();
        self.shared.stored();
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.line.untaken.load(Ordering::Relaxed);
        f.debug_struct("Events").field("waiting", &waiting).finish_non_exhaustive()
    }
}

/// The driver's end of the queue.
pub(crate) struct Outlet {
    line: Arc<Line>,
    capacity: usize,
    most_bytes: usize,
    /// Fits, and is handed over all at once: one lock and one wake for a burst.
    batch: Vec<Queued>,
    batch_bytes: usize,
    /// What did not fit. Reading stops while there is any, so one input fills it at most, unless an answer is awaited.
    backlog: VecDeque<Queued>,
    backlog_bytes: usize,
}

/// Both ends of a queue with these limits.
pub(crate) fn queue(limits: &IoLimits, shared: Arc<Shared>, alive: Sender<Command>) -> (Outlet, Events) {
    let line = Arc::new(Line::default());
    let outlet = Outlet {
        line: Arc::clone(&line),
        capacity: limits.event_queue.max(1),
        most_bytes: limits.event_bytes,
        batch: Vec::new(),
        batch_bytes: 0,
        backlog: VecDeque::new(),
        backlog_bytes: 0,
    };
    (outlet, Events { line, ready: VecDeque::new(), shared, noted: false, _alive: alive })
}

impl Outlet {
    /// Puts an event into the queue. It is handed over by the next [`poll`](Self::poll).
    pub(crate) fn push(&mut self, event: Event, snapshot: Option<Snapshot>) {
        let weight = weight(&event, snapshot.is_some());
        let queued = Queued { event, snapshot: snapshot.map(Box::new), weight };
        if self.backlog.is_empty() && self.has_room() {
            self.batch_bytes += weight;
            self.batch.push(queued);
            return;
        }
        if let Some(back) = replaced(&queued.event, self.backlog.iter().rev().map(|waiting| &waiting.event))
            && let Some(earlier) = self.backlog.remove(self.backlog.len() - 1 - back)
        {
            self.backlog_bytes -= earlier.weight;
        }
        self.backlog_bytes += weight;
        self.backlog.push_back(queued);
    }

    /// There is room for one event at least, however much it weighs.
    fn has_room(&self) -> bool {
        let waiting = self.line.untaken.load(Ordering::SeqCst) + self.batch.len();
        waiting == 0 || waiting < self.capacity && self.bytes() < self.most_bytes
    }

    /// What waits and is not in the backlog.
    fn bytes(&self) -> usize {
        self.line.untaken_bytes.load(Ordering::SeqCst) + self.batch_bytes
    }

    /// Events wait for the application, and there are as many bytes of them as may be.
    pub(crate) fn is_heavy(&self) -> bool {
        self.is_full() && self.bytes() + self.backlog_bytes >= self.most_bytes
    }

    /// Events wait for the application.
    pub(crate) fn is_full(&self) -> bool {
        !self.backlog.is_empty()
    }

    pub(crate) fn backlog(&self) -> usize {
        self.backlog.len()
    }

    /// Hands over what was pushed, and the backlog as room comes. Ready when there is none left, or nobody to take it.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.hand_over();
        if self.backlog.is_empty() {
            if self.line.starved.load(Ordering::Relaxed) {
                self.line.starved.store(false, Ordering::SeqCst);
            }
            return Poll::Ready(());
        }
        self.line.driver.register(cx.waker());
        self.line.starved.store(true, Ordering::SeqCst);
        self.hand_over();
        if self.backlog.is_empty() {
            self.line.starved.store(false, Ordering::SeqCst);
            return Poll::Ready(());
        }
        Poll::Pending
    }

    fn hand_over(&mut self) {
        while self.has_room()
            && let Some(queued) = self.backlog.pop_front()
        {
            self.backlog_bytes -= queued.weight;
            self.batch_bytes += queued.weight;
            self.batch.push(queued);
        }
        if self.line.abandoned.load(Ordering::SeqCst) {
            self.backlog.clear();
            self.batch.clear();
            (self.backlog_bytes, self.batch_bytes) = (0, 0);
        }
        if !self.batch.is_empty() {
            let mut queue = self.line.queue();
            self.line.untaken_bytes.fetch_add(std::mem::take(&mut self.batch_bytes), Ordering::SeqCst);
            self.line.untaken.fetch_add(self.batch.len(), Ordering::SeqCst);
            queue.extend(self.batch.drain(..));
            drop(queue);
            self.line.application.wake();
        }
    }

    /// Nothing happens for a while: the room that a burst took is given back.
    pub(crate) fn rest(&mut self) {
        if self.batch.is_empty() && self.batch.capacity() > 0 {
            self.batch = Vec::new();
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        self.hand_over();
        self.line.ended.store(true, Ordering::SeqCst);
        self.line.application.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use futures_util::task::noop_waker_ref;
    use ringcentral_ws_core::{Cause, ConnId, Timestamp, WaitReason};

    use super::*;

    fn retry(attempt: u32) -> Event {
        Event::Retry {
            attempt,
            cause: Cause::SocketLost,
            at: Timestamp::ZERO,
            delay: Duration::ZERO,
            reason: WaitReason::Backoff,
        }
    }

    fn limits(event_queue: usize, event_bytes: usize) -> IoLimits {
        IoLimits { event_queue, event_bytes, ..IoLimits::default() }
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
        let (mut outlet, mut events) = queue(&limits(2, 1 << 20), Arc::new(Shared::new(None)), alive);
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

    // CLAUSE FRM-4 SEC-3
    #[test]
    fn the_queue_is_full_by_bytes_too() {
        let (alive, _commands) = async_channel::bounded(1);
        let one = weight(&retry(0), false);
        let (mut outlet, mut events) = queue(&limits(100, 2 * one), Arc::new(Shared::new(None)), alive);
        let mut cx = Context::from_waker(noop_waker_ref());
        for n in 0..5 {
            assert_eq!((outlet.is_full(), outlet.is_heavy()), (n > 2, n > 2));
            outlet.push(Event::Recovered { conn: ConnId::from(n) }, None);
            let _ = outlet.poll(&mut cx);
        }
        let mut seen = Vec::new();
        while outlet.poll(&mut cx).is_pending() {
            assert_eq!(outlet.bytes() + outlet.backlog_bytes, (5 - seen.len()) * one);
            seen.extend(numbers(&mut events));
        }
        seen.extend(numbers(&mut events));
        assert_eq!((seen, outlet.bytes(), outlet.backlog_bytes), (vec![0, 1, 2, 3, 4], 0, 0));
        // One always fits.
        let (alive, _commands) = async_channel::bounded(1);
        let (mut outlet, _events) = queue(&limits(100, 0), Arc::new(Shared::new(None)), alive);
        outlet.push(retry(0), None);
        assert!(!outlet.is_full());
    }
}
