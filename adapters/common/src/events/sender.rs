//! The driver's end of the queue.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use ringcentral_ws_core::{Event, Snapshot, Stats, Timestamp};

use super::weight::{replaced, weight};
use super::{Load, Queued, SessionView, Shared, State};
use crate::health::{Pulse, Vitals};
use crate::listen::Snapshots;

/// Turns that may pass before the application is woken on another thread while the driver has more to read: to wake a
/// thread costs more than to read what a turn brings.
const PUT_OFF: u8 = 3;
/// The bytes of events at which it is woken all the same.
const PUT_OFF_BYTES: usize = 256 << 10;

/// Events of one turn of the driver.
#[derive(Debug, Default)]
pub(super) struct OfTurn {
    events: VecDeque<Queued>,
    bytes: usize,
}

impl OfTurn {
    /// Moves all into the queue. What is left, such as all of it when nobody takes events any more, is to be dropped
    /// behind the lock.
    fn commit(&mut self, state: &mut State) -> VecDeque<Queued> {
        let bytes = std::mem::take(&mut self.bytes);
        if state.abandoned {
            return std::mem::take(&mut self.events);
        }
        state.bytes += bytes;
        if state.queue.is_empty() {
            // The room is exchanged too, so that a burst makes it once.
            std::mem::swap(&mut state.queue, &mut self.events);
        } else {
            state.queue.append(&mut self.events);
        }
        VecDeque::new()
    }
}

/// The driver's end of the queue.
#[derive(Debug)]
pub struct EventSender {
    pub(super) shared: Arc<Shared>,
    /// Events of this turn, which go into the queue together.
    pub(super) turn: OfTurn,
    /// Events and bytes in the queue at the last look. Only this end adds to them.
    pub(super) seen: (usize, usize),
    /// As it was at the last look.
    pub(super) load: Load,
    /// The application was not woken for all that was pushed.
    pub(super) unannounced: bool,
    /// For so many turns.
    pub(super) put_off: u8,
    /// As it was at the last look.
    pub(super) unstored: bool,
    /// The application acknowledges events, so there may be more to wait for whenever it takes some.
    pub(super) acknowledges: bool,
    /// The time of this turn.
    pub(super) now: Timestamp,
}

impl EventSender {
    /// Whether the application acknowledges events.
    #[must_use]
    pub const fn acknowledges(&self) -> bool {
        self.acknowledges
    }

    /// A turn begins: from now on what is pushed waits.
    pub const fn begin_turn(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Puts an event into the queue, with the snapshot that is true once it has been taken. The application sees it, and
    /// is woken, with the next [`flush`](Self::flush) at the latest.
    pub fn push(&mut self, event: Event, snapshot: Option<Snapshot>) {
        self.push_with(event, snapshot.map(|snapshot| (snapshot, Snapshots::default())));
    }

    /// The same with a snapshot that is true once listeners have taken what is behind it, too.
    pub(crate) fn push_with(&mut self, event: Event, snapshot: Option<(Snapshot, Snapshots)>) {
        let weight = weight(&event, snapshot.as_ref().map(|(snapshot, _)| snapshot));
        let (snapshot, since) = (snapshot.map(Box::new), self.now);
        self.unannounced = true;
        if self.load.is_full || self.acknowledges {
            return self.push_full(Queued { event, snapshot, weight, since });
        }
        self.turn.events.push_back(Queued { event, snapshot, weight, since });
        self.turn.bytes += weight;
        let (events, bytes) = self.seen;
        if self.shared.load_of(events + self.turn.events.len(), bytes + self.turn.bytes).is_full {
            // The application may have taken some meanwhile: a look at the queue tells.
            let mut state = self.shared.lock();
            let left = self.turn.commit(&mut state);
            self.seen = state.waiting();
            self.load = self.shared.load(&state);
            drop(state);
            drop(left);
        }
    }

    /// The same where more waits than may be: an event that says less than this one goes.
    fn push_full(&mut self, queued: Queued) {
        let mut state = self.shared.lock();
        if state.abandoned {
            // What is dropped is dropped behind the lock.
            drop(state);
            return;
        }
        // There is none of this turn while this is so.
        if self.shared.load(&state).is_full
            && let Some(back) = replaced(&queued.event, state.queue.iter().rev().map(|waiting| &waiting.event))
            && let place = state.queue.len() - 1 - back
            && let Some(earlier) = state.queue.remove(place)
        {
            state.bytes -= earlier.weight;
        }
        state.bytes += queued.weight;
        state.queue.push_back(queued);
        self.seen = state.waiting();
        self.load = self.shared.load(&state);
    }

    /// Shows the handles what the driver knows now, before the end of its turn.
    pub fn show(&self, pulse: Pulse) {
        self.shared.lock().pulse = pulse;
    }

    /// Wakes the application if there is something new for it, and shows it these counters and this pulse.
    pub fn flush(&mut self, stats: Stats, pulse: Pulse) {
        self.flush_turn(stats, pulse, false);
    }

    /// The same. If the driver goes on reading at once, the wake may be put off for a few turns.
    pub(crate) fn flush_turn(&mut self, stats: Stats, pulse: Pulse, goes_on: bool) {
        let mut state = self.shared.lock();
        (state.stats, state.pulse) = (stats, pulse);
        let left = self.turn.commit(&mut state);
        self.seen = state.waiting();
        if !self.load.is_full {
            self.load = self.shared.load(&state);
        }
        self.shared.note_waiting(&state);
        let is_put_off = goes_on && self.unannounced && self.may_put_off(&state);
        self.put_off = if is_put_off { self.put_off + 1 } else { 0 };
        if !is_put_off && std::mem::take(&mut self.unannounced) {
            let (receiver, sleeps) = (state.receiver.take(), state.sleepers > 0);
            drop(state);
            if sleeps {
                self.shared.arrived.notify_all();
            }
            receiver.into_iter().for_each(Waker::wake);
        } else if state.queue.is_empty() && state.queue.capacity() > 0 {
            // Nothing is new, and the application is busy: the room that a burst took is given back.
            state.queue = VecDeque::new();
        }
        // Not under the lock, wherever it ended.
        drop(left);
    }

    fn may_put_off(&self, state: &State) -> bool {
        let is_little = self.put_off < PUT_OFF && state.bytes < PUT_OFF_BYTES && !self.load.is_full;
        is_little && state.waits_on.is_some_and(|thread| thread != std::thread::current().id())
    }

    /// Whether nobody takes events any more.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.shared.lock().abandoned
    }

    /// What waits for the application.
    pub fn load(&mut self) -> Load {
        if self.load.is_full || self.acknowledges {
            self.load = self.shared.load(&self.shared.lock());
        }
        self.load
    }

    /// Whether the application has had the time to store the snapshot that the session waits for, one that is not that of
    /// an orderly end (PST-2). `true` once.
    pub fn take_stored(&mut self) -> bool {
        let stored = self.unstored && !self.shared.lock().unstored;
        self.unstored &= !stored;
        stored
    }

    /// The driver is about to wait. If it waits for the application too, because the queue is full or a snapshot is not
    /// stored, this waker is woken when that is over or less waits. `true` when it has come already.
    #[must_use]
    pub fn await_application(&mut self, waker: &Waker) -> bool {
        // Nothing comes for a while, perhaps for hours: no room is kept.
        self.turn.events.shrink_to_fit();
        if !self.load.is_full && !self.unstored {
            return false;
        }
        let mut state = self.shared.lock();
        let earlier = std::mem::replace(&mut self.load, self.shared.load(&state));
        let is_over = self.load.is_eased_since(earlier) || self.unstored && !state.unstored;
        let replaced = match &state.driver {
            Some(driver) if driver.will_wake(waker) => None,
            _ => state.driver.replace(waker.clone()),
        };
        drop(state);
        // Not under the lock, as above.
        drop(replaced);
        is_over
    }

    /// What the handles of the client see.
    #[must_use]
    pub fn view(&self, vitals: Vitals) -> SessionView {
        SessionView { shared: Arc::clone(&self.shared), vitals: Arc::new(vitals) }
    }
}

impl Drop for EventSender {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        let left = self.turn.commit(&mut state);
        state.ended = true;
        let (driver, receiver) = (state.driver.take(), state.receiver.take());
        drop(state);
        drop((driver, left));
        self.shared.arrived.notify_all();
        receiver.into_iter().for_each(Waker::wake);
    }
}
