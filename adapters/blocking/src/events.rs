//! The way of events to the application: a bounded queue that never makes the I/O thread wait.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::replaces;
use ringcentral_ws_core::{Event, Snapshot, Stats};

use crate::command::Remote;

/// What the I/O thread and the handles share.
pub(crate) struct Hub {
    state: Mutex<State>,
    arrived: Condvar,
    capacity: usize,
}

struct State {
    queue: VecDeque<(Event, Option<Box<Snapshot>>)>,
    /// No further events will come.
    ended: bool,
    /// Nobody takes events any more.
    unread: bool,
    snapshot: Option<Snapshot>,
    stats: Stats,
    /// What the application has written down, as far as is known, is an orderly end.
    at_rest: bool,
}

impl Hub {
    pub(crate) fn new(capacity: usize, snapshot: Option<Snapshot>) -> Self {
        let at_rest = snapshot.as_ref().is_some_and(Snapshot::is_detached);
        let state =
            State { queue: VecDeque::new(), ended: false, unread: false, snapshot, stats: Stats::default(), at_rest };
        Self { state: Mutex::new(state), arrived: Condvar::new(), capacity: capacity.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, event: Event, snapshot: Option<Snapshot>) {
        let mut state = self.lock();
        if state.unread {
            return;
        }
        if state.queue.len() > self.capacity && state.queue.back().is_some_and(|(last, _)| replaces(&event, last)) {
            state.queue.pop_back();
        }
        state.queue.push_back((event, snapshot.map(Box::new)));
        drop(state);
        self.arrived.notify_one();
    }

    /// Events beyond the queue's capacity. Reading stops while there are any, so one input adds to them at most.
    pub(crate) fn backlog(&self) -> usize {
        self.lock().queue.len().saturating_sub(self.capacity)
    }

    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.arrived.notify_all();
    }

    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        self.lock().snapshot.clone()
    }

    /// Whether the application has had the time to write down that the orderly end is over: before that a crash would
    /// lose in silence what a socket received (PST-2).
    pub(crate) fn has_left_rest(&self) -> bool {
        !self.lock().at_rest
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats
    }

    pub(crate) fn set_stats(&self, stats: Stats) {
        self.lock().stats = stats;
    }
}

/// No event, or no change, came in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing came in time")
    }
}

impl std::error::Error for TimedOut {}

/// The events of a client, in order: an iterator that waits for each, and ends after [`Event::Closed`].
///
/// The queue is bounded (`IoLimits::event_queue`). When it is full the client stops reading the socket, so that TCP
/// makes the server wait; heartbeats, deadlines and commands go on. Replies wait behind the unread events, so do not
/// wait for a request while nobody takes events.
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
        // Who comes for the next event has written down what came with the last one.
        if state.at_rest && state.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_detached()) {
            state.at_rest = false;
            self.remote.wake();
        }
        loop {
            if let Some((event, snapshot)) = state.queue.pop_front() {
                if let Some(snapshot) = snapshot {
                    state.snapshot = Some(*snapshot);
                }
                let room = state.queue.len() == hub.capacity;
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
        state.at_rest = false;
        state.queue.clear();
        drop(state);
        self.remote.wake();
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &self.remote.hub.lock().queue.len()).finish_non_exhaustive()
    }
}
