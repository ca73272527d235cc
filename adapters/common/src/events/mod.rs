//! The way of events to the application: one bounded queue that never makes the driver wait, whether the application is
//! a task or a thread.

#[cfg(test)]
mod tests;
mod weight;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use ringcentral_ws_core::{Event, Snapshot, Stats};

use self::weight::{replaced, weight};
use crate::health::{Health, Pulse, Vitals};
use crate::limits::IoLimits;
use crate::metrics::QueueMeter;

/// Both ends of a queue with these limits (`event_queue`, `event_bytes`). `snapshot` is the one that the session was
/// restored from.
#[must_use]
pub fn event_queue(limits: &IoLimits, snapshot: Option<Snapshot>, meter: QueueMeter) -> (EventSender, EventReceiver) {
    let unstored = snapshot.as_ref().is_some_and(Snapshot::is_detached);
    let state = State {
        queue: VecDeque::new(),
        bytes: 0,
        ended: false,
        abandoned: false,
        snapshot,
        stats: Stats::default(),
        pulse: Pulse::default(),
        unstored,
        sleepers: 0,
        receiver: None,
        driver: None,
    };
    let shared = Arc::new(Shared {
        state: Mutex::new(state),
        arrived: Condvar::new(),
        capacity: limits.event_queue.max(1),
        most_bytes: limits.event_bytes,
        meter,
    });
    let sender = EventSender {
        shared: Arc::clone(&shared),
        batch: Batch::default(),
        seen: (0, 0),
        load: Load::default(),
        unannounced: false,
        unstored,
    };
    (sender, EventReceiver { shared })
}

/// Events beyond the queue's capacity that may wait while a connection is still being made.
pub(crate) const HANDSHAKE_BACKLOG: usize = 256;

/// What waits for the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// There is more than may be. Reading stops while this is so, so one input adds to it at most.
    pub is_full: bool,
    /// There are as many bytes as may be.
    pub is_heavy: bool,
    /// Events beyond the queue's capacity.
    pub backlog: usize,
}

impl Load {
    /// Whether less keeps the driver from reading than at `earlier`.
    const fn is_eased_since(self, earlier: Self) -> bool {
        !self.is_full && earlier.is_full
            || !self.is_heavy && earlier.is_heavy
            || self.backlog < HANDSHAKE_BACKLOG && earlier.backlog >= HANDSHAKE_BACKLOG
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
    most_bytes: usize,
    meter: QueueMeter,
}

/// An event, and the snapshot that is true once it has been taken.
#[derive(Debug)]
struct Queued {
    event: Event,
    snapshot: Option<Box<Snapshot>>,
    /// In bytes, roughly.
    weight: usize,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Queued>,
    /// The weight of all.
    bytes: usize,
    /// No further events will come.
    ended: bool,
    /// Nobody takes events any more.
    abandoned: bool,
    snapshot: Option<Snapshot>,
    stats: Stats,
    /// As the driver left it with its last turn.
    pulse: Pulse,
    /// What the application has stored, as far as is known, is an orderly end.
    unstored: bool,
    /// Threads that wait for an event.
    sleepers: usize,
    /// The task that waits for an event.
    receiver: Option<Waker>,
    /// Woken when there may be room to go on reading, and when a snapshot was stored.
    driver: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, state: &State) -> Load {
        self.load_of(state.queue.len(), state.bytes)
    }

    /// What so many events of so many bytes are.
    fn load_of(&self, events: usize, bytes: usize) -> Load {
        let backlog = events.saturating_sub(self.capacity);
        // One event always fits.
        let is_heavy = bytes >= self.most_bytes && events > 1;
        Load { is_full: backlog > 0 || is_heavy, is_heavy, backlog }
    }

    /// Takes an event, if there is one. The waker is to be woken once the lock is released.
    fn take(&self, state: &mut State) -> (Option<Event>, Option<Waker>) {
        let mut is_waited_for = false;
        // Who comes for the next event has stored what came with the last one.
        if state.unstored && state.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_detached()) {
            state.unstored = false;
            is_waited_for = true;
        }
        let earlier = self.load(state);
        let event = state.queue.pop_front().map(|queued| {
            state.bytes -= queued.weight;
            if let Some(snapshot) = queued.snapshot {
                state.snapshot = Some(*snapshot);
            }
            queued.event
        });
        self.meter.waiting(state.queue.len(), state.bytes);
        is_waited_for |= self.load(state).is_eased_since(earlier);
        let driver = if is_waited_for { state.driver.clone() } else { None };
        (event, driver)
    }
}

/// What the handles of a client see of its session.
#[derive(Clone, Debug)]
pub struct SessionView {
    shared: Arc<Shared>,
    vitals: Arc<Vitals>,
}

impl SessionView {
    /// The snapshot that came with the events taken so far (PST-4).
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.shared.lock().snapshot.clone()
    }

    /// The session's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.lock().stats
    }

    /// The health of the client now.
    #[must_use]
    pub fn health(&self) -> Health {
        let state = self.shared.lock();
        let (pulse, driver_is_gone) = (state.pulse.clone(), state.ended);
        drop(state);
        Health::of(&pulse, driver_is_gone, &self.vitals)
    }
}

/// The application's end of the queue.
#[derive(Debug)]
pub struct EventReceiver {
    shared: Arc<Shared>,
}

impl EventReceiver {
    /// The next event; `None` when the session has ended and all were taken. Nothing is lost by not asking again.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.shared.lock();
        let (event, driver) = self.shared.take(&mut state);
        let mut replaced = None;
        let polled = match event {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                // Nothing comes for a while, perhaps for hours: no room is kept.
                state.queue = VecDeque::new();
                if !state.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    replaced = state.receiver.replace(cx.waker().clone());
                }
                Poll::Pending
            }
        };
        drop(state);
        // Not under the lock: it may be the last of its task, and an end of the queue goes with it.
        drop(replaced);
        driver.into_iter().for_each(Waker::wake);
        if let Poll::Ready(Some(event)) = &polled {
            self.shared.meter.taken(event);
        }
        polled
    }

    /// The same for a thread that waits, up to `until`. The outer `None` means that nothing came by then.
    pub fn wait_next(&mut self, until: Option<Instant>) -> Option<Option<Event>> {
        let mut state = self.shared.lock();
        loop {
            let (event, driver) = self.shared.take(&mut state);
            if let Some(driver) = driver {
                // It is woken before a wait, too: what it brings may be what is waited for.
                drop(state);
                driver.wake();
                state = self.shared.lock();
            }
            if let Some(event) = event {
                drop(state);
                self.shared.meter.taken(&event);
                return Some(Some(event));
            }
            if !state.queue.is_empty() {
                continue;
            }
            if state.ended {
                return Some(None);
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // Nothing comes for a while, perhaps for hours: no room is kept.
            state.queue = VecDeque::new();
            if left.is_some_and(|left| left.is_zero()) {
                return None;
            }
            state.sleepers += 1;
            state = match left {
                None => self.shared.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.shared.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
            state.sleepers -= 1;
        }
    }

    /// How many events wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }
}

impl Drop for EventReceiver {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.abandoned = true;
        state.unstored = false;
        state.bytes = 0;
        let left = (std::mem::take(&mut state.queue), state.receiver.take());
        self.shared.meter.waiting(0, 0);
        let driver = state.driver.clone();
        drop(state);
        drop(left);
        driver.into_iter().for_each(Waker::wake);
    }
}

/// Events of one turn of the driver.
#[derive(Debug, Default)]
struct Batch {
    events: VecDeque<Queued>,
    bytes: usize,
}

impl Batch {
    /// Moves all into the queue. What is left, such as all of it when nobody takes events any more, is to be dropped
    /// behind the lock.
    fn commit(&mut self, state: &mut State) -> VecDeque<Queued> {
        let (mut events, bytes) = (std::mem::take(&mut self.events), std::mem::take(&mut self.bytes));
        if state.abandoned {
            return events;
        }
        state.bytes += bytes;
        if state.queue.is_empty() {
            // The room goes along.
            std::mem::swap(&mut state.queue, &mut events);
        } else {
            state.queue.append(&mut events);
        }
        events
    }
}

/// The driver's end of the queue.
#[derive(Debug)]
pub struct EventSender {
    shared: Arc<Shared>,
    /// Events of this turn, which go into the queue together.
    batch: Batch,
    /// Events and bytes in the queue at the last look. Only this end adds to them.
    seen: (usize, usize),
    /// As it was at the last look.
    load: Load,
    /// The application was not woken for all that was pushed.
    unannounced: bool,
    /// As it was at the last look.
    unstored: bool,
}

impl EventSender {
    /// Puts an event into the queue, with the snapshot that is true once it has been taken. The application sees it, and
    /// is woken, with the next [`flush`](Self::flush) at the latest.
    pub fn push(&mut self, event: Event, snapshot: Option<Snapshot>) {
        let weight = weight(&event, snapshot.is_some());
        let queued = Queued { event, snapshot: snapshot.map(Box::new), weight };
        self.unannounced = true;
        if self.load.is_full {
            return self.push_full(queued);
        }
        self.batch.events.push_back(queued);
        self.batch.bytes += weight;
        let (events, bytes) = self.seen;
        if self.shared.load_of(events + self.batch.events.len(), bytes + self.batch.bytes).is_full {
            // The application may have taken some meanwhile: a look at the queue tells.
            let mut state = self.shared.lock();
            let left = self.batch.commit(&mut state);
            self.seen = (state.queue.len(), state.bytes);
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
        // There is no batch while this is so.
        if self.shared.load(&state).is_full
            && let Some(back) = replaced(&queued.event, state.queue.iter().rev().map(|waiting| &waiting.event))
            && let place = state.queue.len() - 1 - back
            && let Some(earlier) = state.queue.remove(place)
        {
            state.bytes -= earlier.weight;
        }
        state.bytes += queued.weight;
        state.queue.push_back(queued);
        self.seen = (state.queue.len(), state.bytes);
        self.load = self.shared.load(&state);
    }

    /// Shows the handles what the driver knows now, before the end of its turn.
    pub fn show(&self, pulse: Pulse) {
        self.shared.lock().pulse = pulse;
    }

    /// Wakes the application if there is something new for it, and shows it these counters and this pulse.
    pub fn flush(&mut self, stats: Stats, pulse: Pulse) {
        let announced = std::mem::take(&mut self.unannounced);
        let mut state = self.shared.lock();
        (state.stats, state.pulse) = (stats, pulse);
        let left = self.batch.commit(&mut state);
        self.seen = (state.queue.len(), state.bytes);
        if !self.load.is_full {
            self.load = self.shared.load(&state);
        }
        self.shared.meter.waiting(state.queue.len(), state.bytes);
        if announced {
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

    /// What waits for the application.
    pub fn load(&mut self) -> Load {
        if self.load.is_full {
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
        let left = self.batch.commit(&mut state);
        state.ended = true;
        let (driver, receiver) = (state.driver.take(), state.receiver.take());
        drop(state);
        drop((driver, left));
        self.shared.arrived.notify_all();
        receiver.into_iter().for_each(Waker::wake);
    }
}
