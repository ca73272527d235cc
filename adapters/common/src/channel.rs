//! A bounded channel to one receiver, for tasks and threads, that takes room only while something is in it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// Both ends of a channel in which so many values may wait.
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let state =
        State { queue: VecDeque::new(), senders: 1, closed: false, receiver: None, waiting: Vec::new(), sleepers: 0 };
    let shared = Arc::new(Shared { state: Mutex::new(state), room: Condvar::new(), capacity });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

struct Shared<T> {
    state: Mutex<State<T>>,
    room: Condvar,
    capacity: usize,
}

struct State<T> {
    queue: VecDeque<T>,
    senders: usize,
    /// Nothing is taken any more.
    closed: bool,
    /// The task that waits for a value.
    receiver: Option<Waker>,
    /// Tasks that wait for room.
    waiting: Vec<Waker>,
    /// Threads that do.
    sleepers: usize,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who waits for room. What wakers drop with them is dropped behind the lock.
    fn wake_senders(&self, mut state: MutexGuard<'_, State<T>>) {
        let waiting = std::mem::take(&mut state.waiting);
        let sleeps = state.sleepers > 0;
        drop(state);
        if sleeps {
            self.room.notify_all();
        }
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Where values go in. Clones lead to the same receiver.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// The same without counting as a sender.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender { shared: Arc::downgrade(&self.shared) }
    }

    /// Sends a value once there is room. It comes back when nobody receives any more. A task that stops polling has sent
    /// nothing.
    ///
    /// # Panics
    ///
    /// Polled after it was ready.
    pub fn poll_send(&self, value: &mut Option<T>, cx: &Context<'_>) -> Poll<Result<(), T>> {
        let mut state = self.shared.lock();
        if state.closed {
            drop(state);
            return Poll::Ready(Err(value.take().expect("it was not sent yet")));
        }
        if state.queue.len() >= self.shared.capacity {
            if !state.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                state.waiting.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        push(state, value.take().expect("it was not sent yet"));
        Poll::Ready(Ok(()))
    }

    /// The same for a thread, which waits for room.
    ///
    /// # Errors
    ///
    /// The value, when nobody receives any more.
    pub fn send(&self, value: T) -> Result<(), T> {
        let mut state = self.shared.lock();
        while !state.closed && state.queue.len() >= self.shared.capacity {
            state.sleepers += 1;
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
        if state.closed {
            return Err(value);
        }
        push(state, value);
        Ok(())
    }
}

/// Where values go in, for who does not keep the channel open.
pub struct WeakSender<T> {
    shared: Weak<Shared<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, if there still is one.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T>> {
        let shared = self.shared.upgrade()?;
        let mut state = shared.lock();
        if state.senders == 0 {
            return None;
        }
        state.senders += 1;
        drop(state);
        Some(Sender { shared })
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakSender").finish_non_exhaustive()
    }
}

fn push<T>(mut state: MutexGuard<'_, State<T>>, value: T) {
    state.queue.push_back(value);
    let receiver = state.receiver.take();
    drop(state);
    receiver.into_iter().for_each(Waker::wake);
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.shared.lock().senders += 1;
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.senders -= 1;
        let receiver = if state.senders == 0 { state.receiver.take() } else { None };
        drop(state);
        receiver.into_iter().for_each(Waker::wake);
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Where values come out.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// The next value; `None` when there are no senders any more. With `cx` its task is woken for what comes later.
    fn take(&mut self, cx: Option<&Context<'_>>) -> Poll<Option<T>> {
        let mut state = self.shared.lock();
        let Some(value) = state.queue.pop_front() else {
            if state.senders == 0 {
                return Poll::Ready(None);
            }
            state.queue = VecDeque::new();
            let replaced = match (cx, &state.receiver) {
                (Some(cx), Some(waker)) if waker.will_wake(cx.waker()) => None,
                (Some(cx), _) => state.receiver.replace(cx.waker().clone()),
                (None, _) => None,
            };
            drop(state);
            // Not under the lock: it may be the last of its task, and an end of the channel goes with it.
            drop(replaced);
            return Poll::Pending;
        };
        if state.sleepers > 0 || !state.waiting.is_empty() {
            self.shared.wake_senders(state);
        }
        Poll::Ready(Some(value))
    }

    /// The next value; `None` when all senders are gone and everything was taken.
    pub fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<T>> {
        self.take(Some(cx))
    }

    /// The same without a wake for what comes later.
    pub fn try_next(&mut self) -> Poll<Option<T>> {
        self.take(None)
    }

    /// Takes nothing more. What waits can still be taken.
    pub fn close(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        self.shared.wake_senders(state);
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.closed = true;
        let left = (std::mem::take(&mut state.queue), state.receiver.take());
        self.shared.wake_senders(state);
        drop(left);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counting() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn values_come_in_order_and_wait_for_room() {
        let (sender, mut receiver) = channel(2);
        let ((woken, near), (asked, far)) = (counting(), counting());
        let (near, far) = (Context::from_waker(&near), Context::from_waker(&far));
        assert!(receiver.poll_next(&near).is_pending());
        for n in [1, 2] {
            assert_eq!(sender.poll_send(&mut Some(n), &far), Poll::Ready(Ok(())));
        }
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        let mut third = Some(3);
        for _ in 0..2 {
            assert!(sender.clone().poll_send(&mut third, &far).is_pending());
        }
        assert_eq!(receiver.poll_next(&near), Poll::Ready(Some(1)));
        assert_eq!(asked.0.load(Ordering::SeqCst), 1, "there is room, which is said once");
        assert_eq!(sender.poll_send(&mut third, &far), Poll::Ready(Ok(())));
        assert_eq!([receiver.try_next(), receiver.try_next()], [Poll::Ready(Some(2)), Poll::Ready(Some(3))]);
        assert!(receiver.poll_next(&near).is_pending());
        assert_eq!(receiver.shared.lock().queue.capacity(), 0, "no room is taken while nothing waits");
        drop(sender);
        assert_eq!(woken.0.load(Ordering::SeqCst), 2);
        assert_eq!(receiver.poll_next(&near), Poll::Ready(None));
    }

    #[test]
    fn a_closed_channel_takes_nothing_and_gives_what_waits() {
        let (sender, mut receiver) = channel(1);
        let (asked, far) = counting();
        let far = Context::from_waker(&far);
        assert_eq!(sender.send(1), Ok(()));
        assert!(sender.poll_send(&mut Some(2), &far).is_pending());
        receiver.close();
        assert_eq!(asked.0.load(Ordering::SeqCst), 1);
        assert_eq!(sender.poll_send(&mut Some(2), &far), Poll::Ready(Err(2)));
        assert_eq!(sender.send(2), Err(2));
        assert_eq!(receiver.try_next(), Poll::Ready(Some(1)));
        assert_eq!(receiver.try_next(), Poll::Pending);
    }

    #[test]
    fn threads_wait_for_room_and_for_the_end() {
        let (sender, mut receiver) = channel(1);
        let threads: Vec<_> = (0..3)
            .map(|n| {
                let sender = sender.clone();
                std::thread::spawn(move || sender.send(n))
            })
            .collect();
        let mut got = Vec::new();
        while got.len() < 2 {
            if let Poll::Ready(Some(value)) = receiver.try_next() {
                got.push(value);
            }
            std::thread::yield_now();
        }
        drop(receiver);
        assert!(sender.send(9).is_err());
        for (n, thread) in threads.into_iter().enumerate() {
            let sent = thread.join().unwrap();
            assert!(sent.is_ok() || sent == Err(n) && !got.contains(&n));
        }
    }

    /// The last waker of a task, which owns a sender and goes with it.
    struct Owner(#[expect(dead_code, reason = "held to be dropped")] Sender<u8>);

    impl Wake for Owner {
        fn wake(self: Arc<Self>) {}
    }

    #[test]
    fn a_waker_may_take_a_sender_along() {
        let (finished, done) = std::sync::mpsc::channel();
        // On a thread of its own, so that a standstill is seen.
        std::thread::spawn(move || {
            let (sender, mut receiver) = channel(1);
            let owner = Waker::from(Arc::new(Owner(sender.clone())));
            assert!(receiver.poll_next(&Context::from_waker(&owner)).is_pending());
            drop(owner);
            assert!(receiver.poll_next(&Context::from_waker(Waker::noop())).is_pending());
            sender.send(1).unwrap();
            let owner = Waker::from(Arc::new(Owner(sender.clone())));
            assert!(sender.poll_send(&mut Some(2), &Context::from_waker(&owner)).is_pending());
            drop(owner);
            receiver.close();
            finished.send(()).unwrap();
        });
        assert_eq!(done.recv_timeout(std::time::Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_weak_sender_keeps_nothing_open() {
        let (sender, mut receiver) = channel(1);
        let weak = sender.downgrade();
        assert_eq!(weak.upgrade().unwrap().send(1), Ok(()));
        assert_eq!(receiver.try_next(), Poll::Ready(Some(1)));
        drop(sender);
        assert!(weak.upgrade().is_none());
        assert_eq!(receiver.try_next(), Poll::Ready(None));
        drop(receiver);
        assert!(weak.upgrade().is_none());
    }
}
