//! The queue of one listener, for a task or a thread. It never makes the driver wait.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use ringcentral_ws_core::{Certainty, ClockReading, Gap, GapCause, Notification, Timestamp};

use super::{ListenOptions, ListenerEvent, Overflow};
use crate::events::Load;
use crate::sleep::wait_until;

/// Both ends of the queue of a listener.
#[must_use]
pub fn lane(options: &ListenOptions) -> (LaneSender, LaneReceiver) {
    let shared = Arc::new(Shared {
        state: Mutex::new(State::default()),
        arrived: Condvar::new(),
        options: options.clone(),
        dropped: AtomicU64::new(0),
    });
    (LaneSender { shared: Arc::clone(&shared), pressed: false }, LaneReceiver { shared })
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    arrived: Condvar,
    options: ListenOptions,
    /// Notifications that were dropped.
    dropped: AtomicU64,
}

/// What waits. A notification that several listeners receive is there once.
#[derive(Debug)]
enum Content {
    Own(ListenerEvent),
    Shared(Arc<Notification>),
}

#[derive(Debug)]
struct Item {
    content: Content,
    weight: usize,
    /// When it came.
    at: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Item>,
    bytes: usize,
    /// How many notifications and gaps were ever put in, and how many are out, taken or dropped. Of other events nothing is
    /// lost with a process.
    pushed: u64,
    passed: u64,
    /// How many of them the listener was given, or knows to be dropped by a gap.
    given: u64,
    /// How many of these it has dealt with: it has asked for more.
    done: u64,
    /// Woken when so many are done: a snapshot covers them.
    watch: Option<(u64, Waker)>,
    /// What was dropped and not reported yet.
    gap: Option<Gap>,
    /// The uuid of the notification that was taken last, where it may be needed.
    last: Option<Box<str>>,
    /// Nothing more comes.
    ended: bool,
    /// The listener is gone.
    left: bool,
    sleepers: usize,
    receiver: Option<Waker>,
    /// Woken when there is room again.
    driver: Option<Waker>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One event always fits.
    fn is_heavy(&self, state: &State) -> bool {
        state.bytes >= self.options.bytes && state.queue.len() > 1
    }

    fn load(&self, state: &State) -> Load {
        if self.options.overflow == Overflow::DropOldest || state.left {
            return Load::default();
        }
        let backlog = state.queue.len().saturating_sub(self.options.events);
        let is_heavy = self.is_heavy(state);
        let is_full = backlog > 0 || is_heavy;
        Load { is_full, is_heavy, backlog, is_backed_up: is_full }
    }

    /// Takes an event, and those who wait for that. What was taken before counts as dealt with.
    fn take(&self, state: &mut State) -> (Option<ListenerEvent>, Waiting) {
        state.done = state.given;
        let mut waiting = Waiting { watch: state.take_watch(), driver: None };
        let begins =
            matches!(state.queue.front(), Some(Item { content: Content::Own(ListenerEvent::Live { .. }), .. }));
        if let Some(gap) = state.gap.take_if(|_| !begins) {
            state.given = state.passed;
            return (Some(ListenerEvent::Gap(gap)), waiting);
        }
        let Some(item) = state.queue.pop_front() else { return (None, waiting) };
        state.bytes -= item.weight;
        state.passed += u64::from(item.content.is_covered());
        if state.gap.is_none() {
            state.given = state.passed;
        }
        if self.options.overflow == Overflow::DropOldest
            && let Some(n) = item.content.notification()
        {
            state.last = Some(n.uuid().into());
        }
        waiting.driver = if self.load(state).is_full { None } else { state.driver.take() };
        let event = match item.content {
            Content::Own(event) => event,
            Content::Shared(n) => ListenerEvent::Notification(Arc::unwrap_or_clone(n)),
        };
        (Some(event), waiting)
    }

    /// Drops the oldest until there is room for one more. A gap takes their place, and takes gaps among them in.
    fn make_room(&self, state: &mut State, weight: usize, now: Timestamp, clock: impl Fn() -> ClockReading) {
        let fits = |state: &State| {
            state.queue.is_empty()
                || state.queue.len() < self.options.events && state.bytes + weight <= self.options.bytes
        };
        while !fits(state) {
            let may_go = |item: &Item| {
                !matches!(item.content, Content::Own(ListenerEvent::Live { .. } | ListenerEvent::Refused { .. }))
            };
            let Some(place) = state.queue.iter().position(may_go) else { return };
            let Some(item) = state.queue.remove(place) else { return };
            state.bytes -= item.weight;
            state.passed += u64::from(item.content.is_covered());
            let clock = clock();
            let since = match &item.content {
                Content::Own(ListenerEvent::Gap(gap)) => gap.since,
                _ => clock.unix_at(item.at),
            };
            if item.content.notification().is_some() {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
            let after = state.last.clone();
            let cause = GapCause::SlowListener;
            let certainty = Certainty::Certain;
            let gap = state.gap.get_or_insert(Gap { cause, certainty, after, since, until: clock.unix });
            gap.since = gap.since.min(since);
            gap.until = clock.unix_at(now).max(gap.until);
        }
    }
}

/// Who waits for the listener. To be woken once the lock is released.
#[derive(Debug, Default)]
struct Waiting {
    driver: Option<Waker>,
    watch: Option<Waker>,
}

impl Waiting {
    const fn is_empty(&self) -> bool {
        self.driver.is_none() && self.watch.is_none()
    }

    fn wake(self) {
        self.driver.into_iter().chain(self.watch).for_each(Waker::wake);
    }
}

impl State {
    fn take_watch(&mut self) -> Option<Waker> {
        let done = self.done;
        self.watch.take_if(|(pushed, _)| *pushed <= done).map(|(_, waker)| waker)
    }

    /// Another `Live` comes. Of those that wait the first one says from where on nothing is lost, and the new one how things
    /// are: what is between is outdated, and the server decides how often it comes.
    fn forget_live(&mut self) {
        let mut lives =
            self.queue.iter().enumerate().filter(|(_, item)| item.content.is_live()).map(|(place, _)| place);
        if lives.next().is_some()
            && let Some(last) = lives.next_back()
            && let Some(item) = self.queue.remove(last)
        {
            self.bytes -= item.weight;
        }
    }
}

impl Content {
    /// Whether a snapshot that covers it waits until it was taken.
    const fn is_covered(&self) -> bool {
        !matches!(self, Self::Own(ListenerEvent::Live { .. } | ListenerEvent::Refused { .. }))
    }

    const fn is_live(&self) -> bool {
        matches!(self, Self::Own(ListenerEvent::Live { .. }))
    }

    fn notification(&self) -> Option<&Notification> {
        match self {
            Self::Own(ListenerEvent::Notification(n)) => Some(n),
            Self::Shared(n) => Some(n),
            Self::Own(_) => None,
        }
    }
}

/// The listener's end.
#[derive(Debug)]
pub struct LaneReceiver {
    shared: Arc<Shared>,
}

impl LaneReceiver {
    /// The next event; `None` after the last one. Nothing is lost by not asking again.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ListenerEvent>> {
        let mut state = self.shared.lock();
        let (event, waiting) = self.shared.take(&mut state);
        let mut replaced = None;
        let polled = match event {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                if !state.receiver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    replaced = state.receiver.replace(cx.waker().clone());
                }
                Poll::Pending
            }
        };
        drop(state);
        // Not under the lock: it may be the last of its task.
        drop(replaced);
        waiting.wake();
        polled
    }

    /// The same for a thread that waits, up to `until`. The outer `None` means that nothing came by then.
    pub fn wait_next(&mut self, until: Option<Instant>) -> Option<Option<ListenerEvent>> {
        let mut state = self.shared.lock();
        loop {
            let (event, waiting) = self.shared.take(&mut state);
            if event.is_some() || state.ended {
                drop(state);
                waiting.wake();
                return Some(event);
            }
            if !waiting.is_empty() {
                drop(state);
                waiting.wake();
                state = self.shared.lock();
                continue;
            }
            state.sleepers += 1;
            let is_late;
            (state, is_late) = wait_until(&self.shared.arrived, state, until);
            state.sleepers -= 1;
            if is_late {
                return None;
            }
        }
    }

    /// How many events wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// How many notifications were dropped because they were not taken in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.shared.dropped.load(Ordering::Relaxed)
    }
}

impl LaneReceiver {
    /// Nobody takes events any more. The driver has to be woken to notice.
    pub fn leave(&mut self) {
        let mut state = self.shared.lock();
        state.left = true;
        state.bytes = 0;
        let all = state.pushed;
        (state.passed, state.given, state.done) = (all, all, all);
        let rest = (std::mem::take(&mut state.queue), state.receiver.take());
        let waiting = Waiting { driver: state.driver.take(), watch: state.take_watch() };
        drop(state);
        drop(rest);
        waiting.wake();
    }
}

impl Drop for LaneReceiver {
    fn drop(&mut self) {
        self.leave();
    }
}

/// The driver's end.
#[derive(Debug)]
pub struct LaneSender {
    shared: Arc<Shared>,
    /// More waits than may, as of the last look.
    pressed: bool,
}

impl LaneSender {
    /// Puts an event in. The next [`announce`](Self::announce) wakes the listener.
    pub fn push(&mut self, event: ListenerEvent, weight: usize, now: Timestamp, clock: impl Fn() -> ClockReading) {
        self.put(Content::Own(event), weight, now, clock);
    }

    /// The same for a notification that other listeners receive too.
    pub fn push_shared(
        &mut self,
        n: &Arc<Notification>,
        weight: usize,
        now: Timestamp,
        clock: impl Fn() -> ClockReading,
    ) {
        self.put(Content::Shared(Arc::clone(n)), weight, now, clock);
    }

    fn put(&mut self, content: Content, weight: usize, now: Timestamp, clock: impl Fn() -> ClockReading) {
        let mut state = self.shared.lock();
        if state.left {
            drop(state);
            return;
        }
        if self.shared.options.overflow == Overflow::DropOldest {
            self.shared.make_room(&mut state, weight, now, clock);
        }
        if content.is_live() {
            state.forget_live();
        }
        state.bytes += weight;
        state.pushed += u64::from(content.is_covered());
        state.queue.push_back(Item { content, weight, at: now });
        self.pressed |= self.shared.load(&state).is_full;
    }

    /// Wakes the listener.
    pub fn announce(&self) {
        let mut state = self.shared.lock();
        let (receiver, sleeps) = (state.receiver.take(), state.sleepers > 0);
        drop(state);
        if sleeps {
            self.shared.arrived.notify_all();
        }
        receiver.into_iter().for_each(Waker::wake);
    }

    /// What waits, as far as reading has to stop for it.
    pub fn load(&mut self) -> Load {
        if !self.pressed {
            return Load::default();
        }
        let load = self.shared.load(&self.shared.lock());
        self.pressed = load.is_full;
        load
    }

    /// The driver is about to wait: if it waits for this listener it is woken when there is room. `true` when there is
    /// already.
    #[must_use]
    pub fn await_room(&mut self, waker: &Waker) -> bool {
        if !self.pressed {
            return false;
        }
        let mut state = self.shared.lock();
        self.pressed = self.shared.load(&state).is_full;
        if !self.pressed {
            return true;
        }
        let replaced = state.driver.replace(waker.clone());
        drop(state);
        drop(replaced);
        false
    }

    /// Whether the listener is gone.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.shared.lock().left
    }

    /// Where the queue ends now, if the listener has not dealt with all of it.
    fn mark(&self) -> Option<Mark> {
        let state = self.shared.lock();
        (state.done < state.pushed).then(|| Mark { lane: Arc::clone(&self.shared), pushed: state.pushed })
    }
}

impl Drop for LaneSender {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.ended = true;
        let (driver, receiver) = (state.driver.take(), state.receiver.take());
        drop(state);
        drop(driver);
        self.shared.arrived.notify_all();
        receiver.into_iter().for_each(Waker::wake);
    }
}

/// A point in the queue of a listener.
#[derive(Debug)]
struct Mark {
    lane: Arc<Shared>,
    pushed: u64,
}

impl Mark {
    fn is_done(&self) -> bool {
        self.lane.lock().done >= self.pushed
    }

    fn await_done(&self, waker: &Waker) -> bool {
        let mut state = self.lane.lock();
        if state.done >= self.pushed {
            return true;
        }
        let replaced = state.watch.replace((self.pushed, waker.clone()));
        drop(state);
        drop(replaced);
        false
    }
}

/// What listeners have yet to deal with before a snapshot covers nothing that they have not seen (PST-4).
#[derive(Debug, Default)]
pub struct Snapshots(Vec<Mark>);

impl Snapshots {
    /// What these listeners have not dealt with now.
    pub fn behind<'a>(lanes: impl Iterator<Item = &'a LaneSender>) -> Self {
        Self(lanes.filter_map(LaneSender::mark).collect())
    }

    /// Whether all of it is done.
    #[must_use]
    pub fn are_due(&self) -> bool {
        self.0.iter().all(Mark::is_done)
    }

    /// The same. If not, this waker is woken when it is to be asked again. A listener wakes the last one only.
    pub(crate) fn await_all(&self, waker: &Waker) -> bool {
        self.0.iter().all(|mark| mark.await_done(waker))
    }
}

#[cfg(test)]
mod tests;
