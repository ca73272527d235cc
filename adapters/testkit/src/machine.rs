//! A machine whose time moves, and whose tasks run, only when a test says so.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use ringcentral_ws_driver::BoxFuture;

use crate::pipe::{Link, Pipe};
use crate::seen::{Log, Seen};

/// What is alive on a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Tasks that have not ended.
    pub tasks: usize,
    /// Streams that the client has not dropped.
    pub streams: usize,
    /// Sleeps that were not dropped.
    pub sleeps: usize,
}

/// A simulated machine. Clones are the same one.
#[derive(Clone, Default)]
pub struct Machine(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    /// Time since the machine was made, sleep included, in microseconds.
    pub(crate) now: u64,
    /// How much of that it slept.
    asleep: u64,
    /// Sleeps that are waited for, by the time without the machine's own sleep.
    pub(crate) timers: BTreeMap<(u64, u64), Waker>,
    pub(crate) tasks: BTreeMap<u64, Task>,
    last_polled: u64,
    next_id: u64,
    pub(crate) seed: u64,
    pub(crate) sleeps: usize,
    pub(crate) pipes: BTreeMap<u64, Pipe>,
    /// Connections are refused.
    pub(crate) refusing: bool,
    /// Names are not found out, ever.
    pub(crate) unresolved: bool,
    /// Attempts to connect are not answered.
    pub(crate) unreachable: bool,
    /// How new streams behave.
    pub(crate) link: Link,
    /// The addresses of every host, in the resolver's order; none means one that answers.
    pub(crate) addresses: Vec<(IpAddr, Reach)>,
    /// The attempts to connect, with their times.
    pub(crate) attempts: Vec<(Duration, IpAddr)>,
    /// Attempts that have neither ended nor been dropped.
    pub(crate) connecting: usize,
    /// Of the streams, in their order.
    pub(crate) keepalive: Vec<Duration>,
    /// What clients did with streams.
    pub(crate) seen: Log,
}

/// What becomes of attempts to connect to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// It answers after this time.
    After(Duration),
    /// It refuses.
    Refuses,
    /// It never answers.
    Silent,
}

pub(crate) struct Task {
    /// Away while it is polled.
    pub(crate) work: Option<BoxFuture<'static, ()>>,
    pub(crate) woken: Arc<Flag>,
}

/// Remembers that it was woken.
#[derive(Default)]
pub(crate) struct Flag(AtomicBool);

impl Flag {
    /// A flag that is up.
    pub(crate) fn raised() -> Arc<Self> {
        Arc::new(Self(AtomicBool::new(true)))
    }

    /// Takes the flag down; whether it was up.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_up(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Machine {
    /// A machine whose random numbers come of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let machine = Self::default();
        machine.state().seed = seed;
        machine
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the machine was made, its sleep included.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_micros(self.state().now)
    }

    /// What is alive.
    #[must_use]
    pub fn held(&self) -> Held {
        let state = self.state();
        let streams = state.pipes.values().filter(|pipe| pipe.client_holds).count();
        Held { tasks: state.tasks.len(), streams, sleeps: state.sleeps }
    }

    /// Whether a task waits to be polled.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state().tasks.values().any(|task| task.woken.is_up())
    }

    /// Polls one task that was woken, in turns; `false` when there is none.
    pub fn poll_one(&self) -> bool {
        let mut state = self.state();
        let last = state.last_polled;
        let after = state.tasks.range(last + 1..).chain(state.tasks.range(..=last));
        let Some(id) = after.filter(|(_, task)| task.woken.is_up()).map(|(id, _)| *id).next() else { return false };
        state.last_polled = id;
        let Some(task) = state.tasks.get_mut(&id) else { return false };
        task.woken.take();
        state.seen.in_poll = 0;
        let Some(task) = state.tasks.get_mut(&id) else { return false };
        let (waker, work) = (Waker::from(Arc::clone(&task.woken)), task.work.take());
        drop(state);
        let Some(mut work) = work else { return false };
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            if let Some(task) = self.state().tasks.get_mut(&id) {
                task.work = Some(work);
            }
            return true;
        }
        drop(work);
        self.state().tasks.remove(&id);
        true
    }

    /// How long until the next sleep ends.
    #[must_use]
    pub fn next_timer(&self) -> Option<Duration> {
        let state = self.state();
        let ((at, _), _) = state.timers.first_key_value()?;
        Some(Duration::from_micros(at.saturating_sub(state.awake())))
    }

    /// Lets time pass. Sleeps that end wake their tasks.
    pub fn advance(&self, by: Duration) {
        let mut state = self.state();
        state.now += u64::try_from(by.as_micros()).unwrap_or(u64::MAX >> 2);
        let awake = state.awake();
        while let Some(entry) = state.timers.first_entry().filter(|entry| entry.key().0 <= awake) {
            entry.remove().wake();
        }
    }

    /// The machine sleeps: time passes, and no timer takes notice.
    pub fn suspend(&self, by: Duration) {
        let mut state = self.state();
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX >> 2);
        state.now += by;
        state.asleep += by;
    }

    /// Whether connections are refused from now on.
    pub fn refuse(&self, refusing: bool) {
        self.state().refusing = refusing;
    }

    /// Whether names are never found out, and connections never answered, from now on.
    pub fn cut_off(&self, unresolved: bool, unreachable: bool) {
        let mut state = self.state();
        (state.unresolved, state.unreachable) = (unresolved, unreachable);
    }

    /// From now on every host has these addresses.
    pub fn resolve_to(&self, addresses: &[(IpAddr, Reach)]) {
        self.state().addresses = addresses.to_vec();
    }

    /// The attempts to connect so far, with their times, and how many are under way.
    #[must_use]
    pub fn attempts(&self) -> (Vec<(Duration, IpAddr)>, usize) {
        let state = self.state();
        (state.attempts.clone(), state.connecting)
    }

    /// The keepalive times that streams were given, in their order.
    #[must_use]
    pub fn keepalive(&self) -> Vec<Duration> {
        self.state().keepalive.clone()
    }

    /// How new streams behave.
    pub fn set_link(&self, link: Link) {
        self.state().link = link;
    }

    /// From now on what clients do with streams is written down.
    pub fn watch_streams(&self) {
        self.state().seen.wanted = true;
    }

    /// What was written down since the last call.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state().seen.seen)
    }
}

impl State {
    /// Time without the machine's sleep.
    pub(crate) fn awake(&self) -> u64 {
        self.now - self.asleep
    }

    pub(crate) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Machine").field(&self.held()).finish()
    }
}
