//! The way of events to the application: a bounded queue that never makes the I/O thread wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{IoLimits, replaced, weight};
use ringcentral_ws_core::{Event, Snapshot, Stats};

use crate::command::Remote;
use crate::timed_out::TimedOut;

/// What the I/O thread and the handles share.
pub(crate) struct Hub {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
    most_bytes: usize,
}

/// What waits for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// There is more than may be. Reading stops while this is so, so one input adds to it at most.
    pub(crate) is_full: bool,
    /// There are as many bytes as may be.
    pub(crate) is_heavy: bool,
    /// Events beyond the queue's capacity.
    pub(crate) backlog: usize,
}

struct State {
    /// With the weight of each.
    queue: VecDeque<(Event, Option<Box<Snapshot>>, usize)>,
    /// The weight of all.
    bytes: usize,
    /// No further events will come.
    ended: bool,
    /// Nobody takes events any more.
    unread: bool,
    snapshot: Option<Snapshot>,
    stats: Stats,
    /// What the application has stored, as far as is known, is an orderly end.
    unstored: bool,
}

impl Hub {
    pub(crate) fn new(limits: &IoLimits, snapshot: Option<Snapshot>) -> Self {
        let unstored = snapshot.as_ref().is_some_and(Snapshot::is_detached);
        let state = State {
            queue: VecDeque::new(),
            bytes: 0,
            ended: false,
            unread: false,
            snapshot,
            stats: Stats::default(),
            unstored,
        };
        let (capacity, most_bytes) = (limits.event_queue.max(1), limits.event_bytes);
        Self { state: Mutex::new(state), arrived: Condvar::new(), capacity, most_bytes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event, snapshot: Option<Snapshot>) {
        let mut state = self.lock();
        if state.unread {
            return;
        }
        if self.load(&state).is_full
            && let Some(back) = replaced(&event, state.queue.iter().rev().map(|(waiting, ..)| waiting))
            && let place = state.queue.len() - 1 - back
            && let Some((.., weight)) = state.queue.remove(place)
        {
            state.bytes -= weight;
        }
        let weight = weight(&event, snapshot.is_some());
        state.bytes += weight;
        state.queue.push_back((event, snapshot.map(Box::new), weight));
        drop(state);
        self.arrived.notify_one();
    }

    fn load(&self, state: &State) -> Load {
        let backlog = state.queue.len().saturating_sub(self.capacity);
        // One event always fits.
        let is_heavy = state.bytes >= self.most_bytes && state.queue.len() > 1;
        Load { is_full: backlog > 0 || is_heavy, is_heavy, backlog }
    }

    pub(crate) fn waiting(&self) -> Load {
        self.load(&self.lock())
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_all();
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.lock().snapshot.clone()
    }

    /// Whether what the application has stored, as far as is known, is an orderly end (PST-2).
    pub(crate) fn is_unstored(&self) -> bool {
        self.lock().unstored
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats
    }

    pub(crate) fn set_stats(&self, stats: Stats) {
        self.lock().stats = stats;
    }
}

/// The events of a client, in order: an iterator that waits for each, and ends after [`Event::Closed`].
///
/// The queue is bounded (`IoLimits::event_queue`, `IoLimits::event_bytes`). When it is full the client stops reading the socket, so that TCP
/// makes the server wait; heartbeats, deadlines and commands go on. For the answer to a request over the socket reading
/// goes on until `event_bytes` wait: see [`Client::request`](crate::Client::request).
///
/// Taking [`Event::SnapshotChanged`] makes the new snapshot visible in [`Client::snapshot`](crate::Client::snapshot):
/// a snapshot never covers an event that has not been taken (PST-4).
pub struct Events {
    remote: Arc<Remote>,
}

impl Events {
    pub(crate) const fn new(remote: Arc<Remote>) -> Self {
        Self { remote }
    }

    /// The next event, if it comes in time; `Ok(None)` when the session has ended and all were taken.
    ///
    /// # Errors
    ///
    /// [`TimedOut`] when none came; nothing is lost.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<Event>, TimedOut> {
        // A time beyond the clock's end is no limit.
        self.await_event(Instant::now().checked_add(limit))
    }

    fn await_event(&self, until: Option<Instant>) -> Result<Option<Event>, TimedOut> {
        let hub = &self.remote.hub;
        let mut state = hub.lock();
        // Who comes for the next event has stored what came with the last one.
        if state.unstored && state.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_detached()) {
            state.unstored = false;
            self.remote.wake();
        }
        loop {
            let was_full = hub.load(&state).is_full;
            if let Some((event, snapshot, weight)) = state.queue.pop_front() {
                state.bytes -= weight;
                if let Some(snapshot) = snapshot {
                    state.snapshot = Some(*snapshot);
                }
                let room = was_full && !hub.load(&state).is_full;
                drop(state);
                if room {
                    self.remote.wake();
                }
                return Ok(Some(event));
            }
            if state.ended {
                return Ok(None);
            }
            state = match until {
                None => hub.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(TimedOut);
                    }
                    hub.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        self.await_event(None).unwrap_or(None)
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.remote.hub.lock();
        state.unread = true;
        state.unstored = false;
        state.queue.clear();
        state.bytes = 0;
        drop(state);
        self.remote.wake();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.remote.hub.lock().queue.len()).finish_non_exhaustive()
    }
}
