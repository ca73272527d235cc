//! The state of a connection as a value that can be watched.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use ringcentral_ws_core::{SessionState, SubscriptionState, Timestamp, WaitReason};

use crate::sleep::wait_until;

/// The state of a client: of its session, of its subscription, and when the next attempt begins.
///
/// It is a copy of one moment. `Display` is a line for people, such as `waiting: next try in 2.5 s, 3 failed`.
///
/// ```
/// use ringcentral_ws_adapter::ConnectionState;
/// use ringcentral_ws_core::{SessionState, Timestamp};
///
/// let state = ConnectionState::new(SessionState::Connecting, Timestamp::ZERO);
/// assert!(!state.is_ready() && state.next_try().is_none());
/// assert_eq!(state.to_string(), "connecting");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionState {
    session: SessionState,
    subscription: SubscriptionState,
    next_try: Option<Instant>,
}

impl ConnectionState {
    /// The state of this session at `now`, without a subscription.
    #[must_use]
    pub fn new(session: SessionState, now: Timestamp) -> Self {
        let next_try = match session {
            SessionState::Waiting { until, .. } => Instant::now().checked_add(until.since(now)),
            _ => None,
        };
        Self { session, subscription: SubscriptionState::None, next_try }
    }

    /// The same with the state of the subscription.
    #[must_use]
    pub const fn with_subscription(self, subscription: SubscriptionState) -> Self {
        Self { subscription, ..self }
    }

    /// The state of the subscription.
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionState {
        self.subscription
    }

    /// Whether the server has confirmed the subscription. Then notifications come while there is a connection.
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        matches!(self.subscription, SubscriptionState::Active)
    }

    /// The state of the session.
    #[must_use]
    pub const fn session(&self) -> SessionState {
        self.session
    }

    /// Whether a connection is ready.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self.session, SessionState::Ready { .. })
    }

    /// Whether the session has ended for good.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.session, SessionState::Closed)
    }

    /// Failed attempts since the last good connection, while the session waits for the next one; otherwise 0.
    #[must_use]
    pub const fn failed_attempts(&self) -> u32 {
        if let SessionState::Waiting { attempt, .. } = self.session { attempt } else { 0 }
    }

    /// When the next attempt begins, while the session waits for it. After a sleep of the machine it begins at once.
    #[must_use]
    pub const fn next_try(&self) -> Option<Instant> {
        self.next_try
    }

    /// The time from now until [`next_try`](Self::next_try); zero if it is due.
    #[must_use]
    pub fn wait(&self) -> Option<Duration> {
        self.next_try.map(|at| at.saturating_duration_since(Instant::now()))
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.session {
            SessionState::Idle => f.write_str("not connected yet"),
            SessionState::Waiting { attempt, reason, .. } => {
                let wait = self.wait().unwrap_or_default().as_secs_f64();
                write!(f, "waiting: next try in {wait:.1} s, {attempt} failed")?;
                if reason == WaitReason::Backoff { Ok(()) } else { write!(f, "; {reason}") }
            }
            SessionState::Connecting => f.write_str("connecting"),
            SessionState::AwaitingStore => f.write_str("waiting for the application to store the new session"),
            SessionState::Ready { .. } => match self.subscription {
                SubscriptionState::Refused => {
                    f.write_str("connected; the subscription was refused, no notifications come")
                }
                SubscriptionState::Pending => f.write_str("connected, not subscribed yet"),
                _ => f.write_str("connected"),
            },
            SessionState::Offline => f.write_str("offline: waiting for `recover`"),
            SessionState::Closing => f.write_str("closing"),
            SessionState::Closed => f.write_str("closed"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// The one place where the state is kept, with those who wait for it to change.
#[derive(Debug)]
struct Cell {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    state: ConnectionState,
    /// Grows with each change.
    version: u64,
    /// It will not change any more.
    ended: bool,
    /// One for each [`Watcher`] that is polled and waits.
    wakers: BTreeMap<u64, Waker>,
    next_watcher: u64,
}

impl Cell {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        let wakers = std::mem::take(&mut inner.wakers);
        drop(inner);
        self.changed.notify_all();
        wakers.into_values().for_each(Waker::wake);
    }
}

/// The end that changes the state. When it is dropped, the session counts as closed.
#[derive(Debug)]
pub struct StateSender {
    cell: Arc<Cell>,
    last: (SessionState, SubscriptionState),
}

impl StateSender {
    /// Begins with [`SessionState::Idle`].
    #[must_use]
    pub fn new() -> Self {
        let nothing = SubscriptionState::None;
        let state = ConnectionState { session: SessionState::Idle, subscription: nothing, next_try: None };
        let inner = Inner { state, version: 0, ended: false, wakers: BTreeMap::new(), next_watcher: 0 };
        let cell = Arc::new(Cell { inner: Mutex::new(inner), changed: Condvar::new() });
        Self { cell, last: (SessionState::Idle, nothing) }
    }

    /// Changes the state, if it is another one. Only then `now` is called.
    pub fn set(&mut self, session: SessionState, subscription: SubscriptionState, now: impl FnOnce() -> Timestamp) {
        if (session, subscription) != self.last {
            self.last = (session, subscription);
            let state = ConnectionState::new(session, now()).with_subscription(subscription);
            self.cell.change(|inner| {
                inner.state = state;
                inner.version += 1;
            });
        }
    }

    /// A watcher, which sees changes from now on.
    #[must_use]
    pub fn watch(&self) -> Watcher {
        Watcher::new(Arc::clone(&self.cell))
    }
}

impl Default for StateSender {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for StateSender {
    fn drop(&mut self) {
        self.cell.change(|inner| {
            if !inner.state.is_closed() {
                inner.state.session = SessionState::Closed;
                inner.state.next_try = None;
                inner.version += 1;
            }
            inner.ended = true;
        });
    }
}

/// A watcher of a state, for a task or a thread.
///
/// Of several changes since the last look it sees the newest. The last one, to [`SessionState::Closed`], is never
/// missed. A watcher does not keep the client alive.
#[derive(Debug)]
pub struct Watcher {
    cell: Arc<Cell>,
    number: u64,
    seen: u64,
}

impl Watcher {
    fn new(cell: Arc<Cell>) -> Self {
        let mut inner = cell.lock();
        inner.next_watcher += 1;
        let (number, seen) = (inner.next_watcher, inner.version);
        drop(inner);
        Self { cell, number, seen }
    }

    /// The state now, whether it was seen or not.
    #[must_use]
    pub fn get(&self) -> ConnectionState {
        self.cell.lock().state
    }

    /// The state now, which counts as seen.
    pub fn see(&mut self) -> ConnectionState {
        let inner = self.cell.lock();
        self.seen = inner.version;
        inner.state
    }

    /// Takes a change if there is one; `Err` says whether one can still come.
    fn take(seen: &mut u64, inner: &Inner) -> Result<ConnectionState, bool> {
        if inner.version == *seen {
            return Err(!inner.ended);
        }
        *seen = inner.version;
        Ok(inner.state)
    }

    /// The next change; `None` when there will be none. It is safe to stop polling.
    pub fn poll_changed(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionState>> {
        let mut inner = self.cell.lock();
        match Self::take(&mut self.seen, &inner) {
            Ok(state) => Poll::Ready(Some(state)),
            Err(false) => Poll::Ready(None),
            Err(true) => {
                let replaced = inner.wakers.insert(self.number, cx.waker().clone());
                drop(inner);
                // Not under the lock: it may be the last of its task, and a watcher goes with it.
                drop(replaced);
                Poll::Pending
            }
        }
    }

    /// The same for a thread, which waits until `until` at the latest. The outer `None` means that nothing changed by
    /// then.
    pub fn wait_changed(&mut self, until: Option<Instant>) -> Option<Option<ConnectionState>> {
        let mut inner = self.cell.lock();
        loop {
            match Self::take(&mut self.seen, &inner) {
                Ok(state) => return Some(Some(state)),
                Err(false) => return Some(None),
                Err(true) => {}
            }
            let is_late;
            (inner, is_late) = wait_until(&self.cell.changed, inner, until);
            if is_late {
                return None;
            }
        }
    }
}

impl Clone for Watcher {
    /// The clone has seen what this one has.
    fn clone(&self) -> Self {
        let mut clone = Self::new(Arc::clone(&self.cell));
        clone.seen = self.seen;
        clone
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let waker = self.cell.lock().wakers.remove(&self.number);
        // Not under the lock, as above.
        drop(waker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use ringcentral_ws_core::ConnId;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn ready() -> SessionState {
        SessionState::Ready { conn: ConnId::from(1) }
    }

    fn never() -> Timestamp {
        panic!("the time is asked only when the state changes")
    }

    #[test]
    fn changes_are_seen_once_and_the_newest_counts() {
        let mut sender = StateSender::new();
        let (mut watcher, count) = (sender.watch(), Arc::new(Count::default()));
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        assert!(watcher.poll_changed(&mut cx).is_pending());
        sender.set(SessionState::Idle, SubscriptionState::None, never);
        assert_eq!(count.0.load(Ordering::SeqCst), 0, "nothing has changed");
        sender.set(SessionState::Connecting, SubscriptionState::None, || Timestamp::ZERO);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        sender.set(ready(), SubscriptionState::Active, || Timestamp::ZERO);
        let mut late = watcher.clone();
        for watcher in [&mut watcher, &mut late] {
            assert!(watcher.poll_changed(&mut cx).map(|s| s.unwrap().is_ready()) == Poll::Ready(true));
            assert!(watcher.poll_changed(&mut cx).is_pending());
        }
        assert_eq!(sender.cell.lock().wakers.len(), 2);
        drop(late);
        assert_eq!(sender.cell.lock().wakers.len(), 1, "who is gone is not woken");
        drop(sender);
        assert!(watcher.poll_changed(&mut cx).map(|s| s.unwrap().is_closed()) == Poll::Ready(true));
        assert_eq!(watcher.poll_changed(&mut cx), Poll::Ready(None));
        assert_eq!(watcher.wait_changed(None), Some(None));
    }

    #[test]
    fn a_wait_can_be_printed() {
        let (now, until) = (Timestamp::from_secs(5), Timestamp::from_secs(65));
        let state = ConnectionState::new(SessionState::Waiting { attempt: 3, until, reason: WaitReason::Backoff }, now);
        let wait = state.wait().unwrap();
        assert!(wait <= Duration::from_secs(60) && wait > Duration::from_secs(1), "{wait:?}");
        assert!(state.next_try().is_some_and(|at| at > Instant::now()) && state.failed_attempts() == 3);
        let text = state.to_string();
        assert!(text.starts_with("waiting: next try in ") && text.ends_with(" s, 3 failed"), "{text}");
        assert_eq!(ConnectionState::new(ready(), now).wait(), None);
        let limit = SessionState::Waiting { attempt: 1, until, reason: WaitReason::RetryAfter };
        let text = ConnectionState::new(limit, now).to_string();
        assert!(text.ends_with("1 failed; the server asked to wait"), "{text}");
        let past =
            ConnectionState::new(SessionState::Waiting { attempt: 1, until: now, reason: WaitReason::Backoff }, until);
        assert_eq!(past.wait(), Some(Duration::ZERO));
    }

    /// The last waker of a task, which owns a watcher and goes with it.
    struct Owner(#[expect(dead_code, reason = "held to be dropped")] Watcher);

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_waker_may_take_a_watcher_along() {
        let (finished, done) = std::sync::mpsc::channel();
        // On a thread of its own, so that a standstill is seen.
        std::thread::spawn(move || {
            let sender = StateSender::new();
            let mut watcher = sender.watch();
            for replaced in [true, false] {
                let waker = Waker::from(Arc::new(Owner(sender.watch())));
                assert!(watcher.poll_changed(&mut Context::from_waker(&waker)).is_pending());
                drop(waker);
                if replaced {
                    assert!(watcher.poll_changed(&mut Context::from_waker(Waker::noop())).is_pending());
                }
            }
            drop(watcher);
            finished.send(()).unwrap();
        });
        assert_eq!(done.recv_timeout(Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn threads_wait_too() {
        let mut sender = StateSender::new();
        let mut watcher = sender.watch();
        assert_eq!(watcher.wait_changed(Some(Instant::now())), None);
        let waiting = std::thread::spawn(move || watcher.wait_changed(None));
        sender.set(ready(), SubscriptionState::Active, || Timestamp::ZERO);
        assert!(waiting.join().unwrap().unwrap().unwrap().is_ready());
    }
}
