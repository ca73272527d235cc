//! Whether the program is at work for its client, so that an end in order can wait for it.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::retry_after::Penalties;
use crate::sleep::wait_until;

/// Counts what is under way: calls of the handles, and an event that was taken until the next one is asked for.
#[derive(Debug, Default)]
pub struct Work {
    under_way: AtomicUsize,
    /// Tasks that wait until nothing is.
    waiting: Mutex<Vec<Waker>>,
    /// Threads that do.
    idle: Condvar,
    /// The program has asked for the end of the session. The lock and the wakers above serve it too.
    closing: AtomicBool,
    penalties: Penalties,
}

impl Work {
    /// Something has begun. It lasts until the guard is dropped.
    pub fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(Arc::clone(self))
    }

    fn end(&self) {
        if self.under_way.fetch_sub(1, Ordering::SeqCst) == 1 {
            // A task or thread that saw the count before this holds the lock, and waits by the time it is free.
            let waiting = std::mem::take(&mut *self.lock());
            self.idle.notify_all();
            waiting.into_iter().for_each(Waker::wake);
        }
    }

    /// The program asks for the end of the session: calls that wait for their next try wait no more.
    pub fn close(&self) {
        let waiting = {
            let mut waiting = self.lock();
            self.closing.store(true, Ordering::SeqCst);
            std::mem::take(&mut *waiting)
        };
        self.idle.notify_all();
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What the calls that wait for their next try share.
    #[must_use]
    pub const fn penalties(&self) -> &Penalties {
        &self.penalties
    }

    /// Whether it has asked for it.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Ready when it has.
    pub fn poll_closing(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll(cx, Self::is_closing)
    }

    /// Ready when nothing is under way.
    pub fn poll_idle(&self, cx: &Context<'_>) -> Poll<()> {
        self.poll(cx, Self::is_idle)
    }

    fn poll(&self, cx: &Context<'_>, is_ready: impl FnOnce(&Self) -> bool) -> Poll<()> {
        let mut waiting = self.lock();
        if is_ready(self) {
            return Poll::Ready(());
        }
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Waits until nothing is under way, up to this time; `None` is no limit.
    pub fn wait_idle(&self, until: Option<Instant>) {
        let mut waiting = self.lock();
        while !self.is_idle() {
            let is_late;
            (waiting, is_late) = wait_until(&self.idle, waiting, until);
            if is_late {
                return;
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::SeqCst) == 0
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something under way.
#[must_use = "it is under way until this is dropped"]
pub struct UnderWay(Arc<Work>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl fmt::Debug for UnderWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnderWay")
    }
}

/// The events that the application has in hand: those that it took last, until it asks for the next one and none is there.
#[derive(Debug)]
pub struct InHand {
    work: Arc<Work>,
    taken: Option<UnderWay>,
}

impl InHand {
    /// Nothing yet.
    #[must_use]
    pub const fn new(work: Arc<Work>) -> Self {
        Self { work, taken: None }
    }

    /// Whether there is something in hand.
    #[must_use]
    pub const fn has_some(&self) -> bool {
        self.taken.is_some()
    }

    /// The application has asked for the next one, and got it or not.
    pub fn note(&mut self, got: bool) {
        if got != self.taken.is_some() {
            self.taken = got.then(|| self.work.begin());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_is_idle_when_neither_a_call_is_under_way_nor_an_event_in_hand() {
        let work = Arc::new(Work::default());
        let is_idle = || work.poll_idle(&Context::from_waker(Waker::noop())).is_ready();
        let mut in_hand = InHand::new(Arc::clone(&work));
        assert!(is_idle() && !in_hand.has_some());
        in_hand.note(true);
        in_hand.note(true);
        let call = work.begin();
        assert!(!is_idle());
        in_hand.note(false);
        in_hand.note(false);
        assert!(!is_idle(), "the call goes on");
        drop(call);
        assert!(is_idle());
        in_hand.note(true);
        drop(in_hand);
        assert!(is_idle(), "the events were dropped");
    }

    #[test]
    fn whoever_waits_learns_that_the_program_is_closing() {
        let work = Work::default();
        let is_closing = || work.poll_closing(&Context::from_waker(Waker::noop())).is_ready();
        assert!(!is_closing() && !work.is_closing());
        work.close();
        assert!(is_closing() && work.is_closing());
    }

    #[test]
    fn a_thread_that_waits_goes_on_when_it_is_idle_or_late() {
        let work = Arc::new(Work::default());
        let call = work.begin();
        work.wait_idle(Some(Instant::now()));
        work.wait_idle(Instant::now().checked_add(Duration::from_millis(1)));
        let waits = thread::spawn({
            let work = Arc::clone(&work);
            move || work.wait_idle(None)
        });
        drop(call);
        waits.join().unwrap();
    }
}
