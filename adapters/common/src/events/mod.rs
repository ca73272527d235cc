//! The way of events to the application: one bounded queue that never makes the driver wait, whether the application is
//! a task or a thread.

mod ack;
mod ledger;
mod lent;
mod published;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod weight;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;
use std::thread::ThreadId;

use ringcentral_ws_core::{Event, Snapshot, Stats, Timestamp};

pub use self::ack::{Ack, Batch, Delivery};
use self::ledger::{Ledger, Range};
use self::lent::Lent;
use self::published::Published;
pub use self::receiver::EventReceiver;
pub use self::sender::EventSender;
use self::sender::OfTurn;
pub(crate) use self::weight::weight;
use crate::health::{Health, Pulse, Unacknowledged, Vitals, Waiting};
use crate::limits::IoLimits;
use crate::listen::Snapshots;
use crate::metrics::QueueMeter;

/// Both ends of a queue with these limits (`event_queue`, `event_bytes`, `unacknowledged`). `snapshot` is the one that the
/// session was restored from. With `acknowledge` the snapshot that is shown covers what the application has acknowledged,
/// otherwise what it has taken.
#[must_use]
pub fn event_queue(
    limits: &IoLimits,
    snapshot: Option<Snapshot>,
    meter: QueueMeter,
    acknowledge: bool,
) -> (EventSender, EventReceiver) {
    let unstored = snapshot.as_ref().is_some_and(Snapshot::is_detached);
    let state = |shared: &Weak<Shared>| State {
        queue: VecDeque::new(),
        lent: Lent::default(),
        bytes: 0,
        ended: false,
        abandoned: false,
        snapshot: Published::new(snapshot, Weak::clone(shared)),
        stats: Stats::default(),
        pulse: Pulse::default(),
        unstored,
        ledger: acknowledge.then(|| Box::new(Ledger::new(limits.unacknowledged))),
        sleepers: 0,
        receiver: None,
        waits_on: None,
        driver: None,
    };
    let shared = Arc::new_cyclic(|shared| Shared {
        state: Mutex::new(state(shared)),
        arrived: Condvar::new(),
        left: AtomicUsize::new(0),
        capacity: limits.event_queue.max(1),
        most_bytes: limits.event_bytes,
        meter,
    });
    let sender = EventSender {
        shared: Arc::clone(&shared),
        turn: OfTurn::default(),
        seen: (0, 0),
        load: Load::default(),
        unannounced: false,
        put_off: 0,
        unstored,
        acknowledges: acknowledge,
        now: Timestamp::ZERO,
    };
    (sender, EventReceiver::new(shared))
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
    /// What was not taken yet is more than may be by itself: for want of an acknowledgement alone no gap waits to be filled,
    /// for the application may acknowledge it only then.
    pub is_backed_up: bool,
}

impl Load {
    /// Whether less keeps the driver from its work than at `earlier`.
    const fn is_eased_since(self, earlier: Self) -> bool {
        !self.is_full && earlier.is_full
            || !self.is_backed_up && earlier.is_backed_up
            || !self.is_heavy && earlier.is_heavy
            || self.backlog < HANDSHAKE_BACKLOG && earlier.backlog >= HANDSHAKE_BACKLOG
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    /// How many of `State::lent` the receiver has not given out.
    left: AtomicUsize,
    capacity: usize,
    most_bytes: usize,
    meter: QueueMeter,
}

/// An event, and the snapshot that is true once it has been taken.
#[derive(Debug)]
struct Queued {
    event: Event,
    snapshot: Option<Box<(Snapshot, Snapshots)>>,
    /// In bytes, roughly.
    weight: usize,
    /// When it came.
    since: Timestamp,
}

#[derive(Debug)]
struct State {
    queue: VecDeque<Queued>,
    /// Those before them that the receiver took along. They count as waiting until it has given out all of them.
    lent: Lent,
    /// The weight of all.
    bytes: usize,
    /// No further events will come.
    ended: bool,
    /// Nobody takes events any more.
    abandoned: bool,
    snapshot: Published,
    stats: Stats,
    /// As the driver left it with its last turn.
    pulse: Pulse,
    /// What the application has stored, as far as is known, is an orderly end.
    unstored: bool,
    /// What is to be acknowledged.
    ledger: Option<Box<Ledger>>,
    /// Threads that wait for an event.
    sleepers: usize,
    /// The task that waits for an event.
    receiver: Option<Waker>,
    /// The thread on which either began to wait last.
    waits_on: Option<ThreadId>,
    /// Woken when there may be room to go on reading, and when a snapshot was stored.
    driver: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn load(&self, state: &State) -> Load {
        if state.abandoned {
            return Load::default();
        }
        let (open, bytes, has_all) =
            state.ledger.as_ref().map_or((0, 0, false), |ledger| (ledger.open(), ledger.bytes(), ledger.is_full()));
        let (waits, _) = state.waiting();
        let waiting = self.load_of(waits, state.bytes);
        // One event always fits.
        let is_heavy = state.bytes + bytes >= self.most_bytes && waits + open > 1;
        Load { is_full: waiting.is_full || is_heavy || has_all, is_heavy, ..waiting }
    }

    /// What so many events of so many bytes are.
    fn load_of(&self, events: usize, bytes: usize) -> Load {
        let backlog = events.saturating_sub(self.capacity);
        // One event always fits.
        let is_heavy = bytes >= self.most_bytes && events > 1;
        let is_full = backlog > 0 || is_heavy;
        Load { is_full, is_heavy, backlog, is_backed_up: is_full }
    }

    fn note_waiting(&self, state: &State) {
        let (events, bytes) = state.waiting();
        self.meter.waiting(events, bytes);
    }

    /// Listeners have caught up: wakes the application, if there is a snapshot for it.
    fn announce_snapshot(&self) {
        let mut state = self.lock();
        if state.abandoned || !state.snapshot.is_due() {
            return;
        }
        let (receiver, sleeps) = (state.receiver.take(), state.sleepers > 0);
        drop(state);
        if sleeps {
            self.arrived.notify_all();
        }
        receiver.into_iter().for_each(Waker::wake);
    }

    /// Acknowledges these. The waker is to be woken once the lock is released.
    fn acknowledge(&self, state: &mut State, range: Range) -> Option<Waker> {
        if range.len == 0 {
            return None;
        }
        let earlier = self.load(state);
        let State { ledger, snapshot, .. } = state;
        ledger.as_mut()?.acknowledge(range, snapshot.shown());
        if self.load(state).is_eased_since(earlier) { state.driver.clone() } else { None }
    }

    /// Takes an event, if there is one, with its number if it is to be acknowledged. The waker is to be woken once the lock
    /// is released.
    fn take(&self, state: &mut State) -> (Option<(Event, Option<u64>)>, Option<Waker>) {
        let mut is_waited_for = false;
        // Who comes for the next event has stored what came with the last one.
        if state.unstored && !state.is_snapshot_due() && state.snapshot.is_of_running() {
            state.unstored = false;
            is_waited_for = true;
        }
        let earlier = self.load(state);
        let event = state.next();
        self.note_waiting(state);
        is_waited_for |= self.load(state).is_eased_since(earlier);
        let driver = if is_waited_for { state.driver.clone() } else { None };
        (event, driver)
    }

    /// Takes what is there beside the first event, up to `most`, and the snapshot right behind it.
    fn take_rest(&self, state: &mut State, most: usize, taken: &mut Taken) -> Option<Waker> {
        let earlier = self.load(state);
        while taken.events.len() < most
            && let Some((event, number)) = state.next()
        {
            self.meter.taken(&event);
            taken.push(event, number);
        }
        if state.queue.front().is_some_and(|queued| queued.snapshot.is_some())
            && let Some(queued) = state.queue.pop_front()
        {
            state.bytes -= queued.weight;
            if state.show(queued.snapshot) {
                self.meter.taken(&queued.event);
                taken.push(queued.event, None);
            }
        }
        self.note_waiting(state);
        if self.load(state).is_eased_since(earlier) { state.driver.clone() } else { None }
    }
}

impl State {
    /// Events that wait, and their weight.
    fn waiting(&self) -> (usize, usize) {
        (self.lent.events + self.queue.len(), self.bytes)
    }

    /// The next event, and its number.
    fn next(&mut self) -> Option<(Event, Option<u64>)> {
        if self.ledger.as_mut().is_some_and(|ledger| ledger.is_due && ledger.announce()) || self.snapshot.announce() {
            return Some((Event::SnapshotChanged, None));
        }
        loop {
            let Queued { event, snapshot, weight, .. } = self.queue.pop_front()?;
            self.bytes -= weight;
            let is_snapshot = snapshot.is_some();
            // One that is not shown yet comes when what it covers is acknowledged, and listeners have dealt with it.
            if self.show(snapshot) || !is_snapshot {
                let number = self.ledger.as_mut().and_then(|ledger| ledger.take(&event, weight));
                return Some((event, number));
            }
        }
    }

    /// There is a snapshot that the application is to get to know of, beside those in the queue.
    fn is_snapshot_due(&mut self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.is_due) || self.snapshot.is_due()
    }

    /// Shows the snapshot that covers what was taken, or keeps it until all that is acknowledged, and listeners have dealt
    /// with it. Whether it is shown now.
    fn show(&mut self, snapshot: Option<Box<(Snapshot, Snapshots)>>) -> bool {
        let Some(snapshot) = snapshot else { return false };
        let (snapshot, behind) = *snapshot;
        let Some(ledger) = &mut self.ledger else {
            return self.snapshot.set(snapshot, behind);
        };
        // There are no listeners who could be behind.
        let is_shown = ledger.cover(snapshot, self.snapshot.shown());
        if is_shown {
            // The event that comes with it says so.
            ledger.announce();
        }
        is_shown
    }
}

/// Events on their way into a [`Batch`].
#[derive(Debug, Default)]
struct Taken {
    events: Vec<Event>,
    range: Range,
    has_snapshot: bool,
}

impl Taken {
    fn push(&mut self, event: Event, number: Option<u64>) {
        self.has_snapshot |= event == Event::SnapshotChanged;
        self.events.push(event);
        if let Some(number) = number {
            self.range.push(number);
        }
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
        self.shared.lock().snapshot.get()
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
        // If all that was taken were acknowledged, reading would go on.
        let load = self.shared.load(&state);
        let held_up = load.is_full && !load.is_backed_up;
        let unacknowledged = state.ledger.as_ref().map(|ledger| Unacknowledged {
            events: ledger.open(),
            dropped: ledger.dropped(),
            is_full: !state.abandoned && (ledger.is_full() || ledger.bytes() >= self.shared.most_bytes || held_up),
        });
        let lent = self.shared.left.load(Ordering::Relaxed);
        let oldest = if lent > 0 { Some(state.lent.since) } else { state.queue.front().map(|queued| queued.since) };
        let waiting = Waiting { events: lent + state.queue.len(), capacity: self.shared.capacity, oldest };
        drop(state);
        Health::of(&pulse, driver_is_gone, &self.vitals).with_queue(waiting).with_unacknowledged(unacknowledged)
    }
}
