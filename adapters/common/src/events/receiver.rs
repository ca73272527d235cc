//! The application's end of the queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use ringcentral_ws_core::Event;

use super::ledger::Range;
use super::lent::Lent;
use super::{Ack, Batch, Delivery, Queued, Shared, Taken};
use crate::sleep::wait_until;
use crate::state_file::Running;

/// The application's end of the queue.
#[derive(Debug)]
pub struct EventReceiver {
    pub(super) shared: Arc<Shared>,
    /// Events that were taken along, before those in the queue.
    pub(super) lent: VecDeque<Queued>,
    /// What was given without a handle: it is acknowledged when the next event is asked for.
    handled: Range,
    /// All events were taken.
    is_finished: bool,
    /// The hold on the files of the session. Who takes events stores the session; so it ends when all were taken, even if
    /// the driver has not ended yet, and when none will be.
    running: Option<Running>,
}

/// An event, and its number if it is to be acknowledged.
type Numbered = (Event, Option<u64>);

impl EventReceiver {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, lent: VecDeque::new(), handled: Range::default(), is_finished: false, running: None }
    }

    /// Holds the files of the session up to the end of the events.
    pub(crate) fn holding(mut self, running: Option<Running>) -> Self {
        self.running = running;
        self
    }

    fn note_taken(&mut self, event: &Event) {
        self.shared.meter.taken(event);
        self.let_go_at(event);
    }

    fn let_go_at(&mut self, event: &Event) {
        if matches!(event, Event::Closed { .. }) {
            self.running = None;
        }
    }

    /// The next event; `None` when the session has ended and all were taken. Nothing is lost by not asking again. It counts
    /// as acknowledged when the one after it is asked for.
    #[inline(never)]
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.next_lent() {
            return Poll::Ready(Some(event));
        }
        self.poll_numbered(cx).map(|taken| self.without_handle(taken?))
    }

    /// The same with its handle.
    pub fn poll_delivery(&mut self, cx: &mut Context<'_>) -> Poll<Option<Delivery>> {
        self.poll_numbered(cx).map(|taken| Some(self.delivery(taken?)))
    }

    /// The next event and those that are there behind it, up to `most`.
    pub fn poll_batch(&mut self, most: usize, cx: &mut Context<'_>) -> Poll<Option<Batch>> {
        self.poll_numbered(cx).map(|taken| Some(self.batch(taken?, most)))
    }

    /// As [`poll_next`](Self::poll_next) for a thread that waits, up to `until`. The outer `None` means that nothing came by
    /// then.
    pub fn wait_next(&mut self, until: Option<Instant>) -> Option<Option<Event>> {
        if let Some(event) = self.next_lent() {
            return Some(Some(event));
        }
        self.wait_numbered(until).map(|taken| self.without_handle(taken?))
    }

    /// The same with its handle.
    pub fn wait_delivery(&mut self, until: Option<Instant>) -> Option<Option<Delivery>> {
        self.wait_numbered(until).map(|taken| Some(self.delivery(taken?)))
    }

    /// The next event and those that are there behind it, up to `most`.
    pub fn wait_batch(&mut self, most: usize, until: Option<Instant>) -> Option<Option<Batch>> {
        self.wait_numbered(until).map(|taken| Some(self.batch(taken?, most)))
    }

    #[expect(clippy::unnecessary_wraps, reason = "it ends a chain")]
    fn without_handle(&mut self, (event, number): Numbered) -> Option<Event> {
        if let Some(number) = number {
            self.handled.push(number);
        }
        Some(event)
    }

    fn delivery(&self, (event, number): Numbered) -> Delivery {
        let mut taken = Taken::default();
        let has_snapshot = matches!(event, Event::SnapshotChanged);
        if let Some(number) = number {
            taken.range.push(number);
        }
        Delivery { event, ack: Ack::new(Arc::clone(&self.shared), taken.range, has_snapshot) }
    }

    fn batch(&mut self, (event, number): Numbered, most: usize) -> Batch {
        let mut taken = Taken::default();
        taken.push(event, number);
        while taken.events.len() < most
            && let Some(event) = self.next_lent()
        {
            taken.push(event, None);
        }
        if self.lent.is_empty() {
            let mut state = self.shared.lock();
            let driver = self.shared.take_rest(&mut state, most, &mut taken);
            drop(state);
            driver.into_iter().for_each(Waker::wake);
            taken.events.iter().for_each(|event| self.let_go_at(event));
        }
        let ack = Ack::new(Arc::clone(&self.shared), taken.range, taken.has_snapshot);
        Batch { events: taken.events, ack }
    }

    /// The next of the events that were taken along. None of them is to be acknowledged.
    fn next_lent(&mut self) -> Option<Event> {
        let Queued { event, .. } = self.lent.pop_front()?;
        self.shared.left.store(self.lent.len(), Ordering::Relaxed);
        if self.lent.is_empty() {
            let mut state = self.shared.lock();
            let driver = self.shared.settle(&mut state);
            drop(state);
            driver.into_iter().for_each(Waker::wake);
        }
        self.note_taken(&event);
        Some(event)
    }

    fn poll_numbered(&mut self, cx: &mut Context<'_>) -> Poll<Option<Numbered>> {
        if let Some(event) = self.next_lent() {
            return Poll::Ready(Some((event, None)));
        }
        if self.is_finished {
            return Poll::Ready(None);
        }
        let mut state = self.shared.lock();
        self.shared.lend(&mut state, &mut self.lent);
        if !self.lent.is_empty() {
            drop(state);
            return Poll::Ready(self.next_lent().map(|event| (event, None)));
        }
        let room = self.shared.acknowledge(&mut state, std::mem::take(&mut self.handled));
        let (taken, driver) = self.shared.take(&mut state);
        let mut replaced = None;
        let polled = match taken {
            Some(taken) => Poll::Ready(Some(taken)),
            None if state.ended => {
                self.is_finished = true;
                Poll::Ready(None)
            }
            None => {
                // Nothing comes for a while, perhaps for hours: no room is kept.
                (state.queue, self.lent) = (VecDeque::new(), VecDeque::new());
                state.waits_on = Some(std::thread::current().id());
                if !state.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    replaced = state.receiver.replace(cx.waker().clone());
                }
                Poll::Pending
            }
        };
        drop(state);
        // Not under the lock: it may be the last of its task, and an end of the queue goes with it.
        drop(replaced);
        driver.or(room).into_iter().for_each(Waker::wake);
        if let Poll::Ready(Some((event, _))) = &polled {
            self.note_taken(event);
        }
        polled
    }

    fn wait_numbered(&mut self, until: Option<Instant>) -> Option<Option<Numbered>> {
        if let Some(event) = self.next_lent() {
            return Some(Some((event, None)));
        }
        if self.is_finished {
            return Some(None);
        }
        let mut state = self.shared.lock();
        let mut room = self.shared.acknowledge(&mut state, std::mem::take(&mut self.handled));
        loop {
            self.shared.lend(&mut state, &mut self.lent);
            if !self.lent.is_empty() {
                drop(state);
                return Some(self.next_lent().map(|event| (event, None)));
            }
            let (taken, driver) = self.shared.take(&mut state);
            if let Some(driver) = driver.or(room.take()) {
                // It is woken before a wait, too: what it brings may be what is waited for.
                drop(state);
                driver.wake();
                state = self.shared.lock();
            }
            if let Some(taken) = taken {
                drop(state);
                self.note_taken(&taken.0);
                return Some(Some(taken));
            }
            if !state.queue.is_empty() || state.is_snapshot_due() {
                continue;
            }
            if state.ended {
                self.is_finished = true;
                return Some(None);
            }
            // Nothing comes for a while, perhaps for hours: no room is kept.
            (state.queue, self.lent) = (VecDeque::new(), VecDeque::new());
            state.sleepers += 1;
            let before = state.waits_on.replace(std::thread::current().id());
            let is_late;
            (state, is_late) = wait_until(&self.shared.arrived, state, until);
            state.sleepers -= 1;
            if is_late {
                state.waits_on = before;
                return None;
            }
        }
    }

    /// How many events wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lent.len() + self.shared.lock().queue.len()
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.abandoned = true;
        state.unstored = false;
        if let Some(ledger) = &mut state.ledger {
            ledger.abandon(self.handled);
        }
        (state.lent, state.bytes) = (Lent::default(), 0);
        self.shared.left.store(0, Ordering::Relaxed);
        let left = (std::mem::take(&mut state.queue), state.receiver.take());
        self.shared.meter.waiting(0, 0);
        let driver = state.driver.clone();
        drop(state);
        drop(left);
        driver.into_iter().for_each(Waker::wake);
    }
}
