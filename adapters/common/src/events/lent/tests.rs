//! Tests of what is given out without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use ringcentral_ws_core::{Config, ConnId, Event, Notification, Snapshot, Stats, Timestamp, UnixMillis};

use super::super::weight::weight;
use super::super::{EventReceiver, EventSender, Load, SessionView, event_queue};
use crate::clock::{Clock, ClockTimes};
use crate::health::{Pulse, Vitals};
use crate::limits::IoLimits;
use crate::metrics::QueueMeter;

fn notification(n: u64) -> Event {
    Event::Notification(Notification::from_json(&format!(r#"{{"uuid":"{n:05}","event":"/e"}}"#)).unwrap())
}

fn uuid(event: Option<Event>) -> u64 {
    let Some(Event::Notification(n)) = event else { panic!("{event:?}") };
    n.uuid().parse().unwrap()
}

struct Queue {
    sender: EventSender,
    events: EventReceiver,
    view: SessionView,
    /// In seconds.
    now: Arc<AtomicU64>,
}

impl Queue {
    fn new(limits: &IoLimits) -> Self {
        let (sender, events) = event_queue(limits, None, QueueMeter::default(), false);
        let now = Arc::new(AtomicU64::new(10));
        let shown = Arc::clone(&now);
        let look = move || {
            let boot = Duration::from_secs(shown.load(Ordering::SeqCst));
            ClockTimes { boot, mono: boot, wall: boot }
        };
        let clock = Clock::new(limits.clock_slack, look);
        let view = sender.view(Vitals::new(&clock, &Config::default(), limits.clock_slack));
        Self { sender, events, view, now }
    }

    /// A turn of the driver.
    fn turn(&mut self, numbers: std::ops::Range<u64>) {
        self.sender.begin_turn(Timestamp::from_secs(self.now.load(Ordering::SeqCst) - 10));
        numbers.for_each(|n| self.sender.push(notification(n), None));
        self.sender.flush(Stats::default(), Pulse::default());
    }

    fn next(&mut self) -> Option<Event> {
        self.events.wait_next(Some(Instant::now())).flatten()
    }

    /// Events that wait, and the age of the oldest.
    fn health(&self) -> (usize, Option<u64>) {
        let health = self.view.health();
        (health.events_waiting, health.oldest_event.map(|age| age.as_secs()))
    }
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_was_taken_along_waits_until_it_is_given_out() {
    let mut queue = Queue::new(&IoLimits::default());
    queue.turn(0..3);
    queue.now.store(12, Ordering::SeqCst);
    queue.turn(3..100);
    assert_eq!(queue.health(), (100, Some(2)));
    for n in 0..100 {
        assert_eq!(uuid(queue.next()), n);
        let age = if n < 2 { Some(2) } else { (n < 99).then_some(0) };
        assert_eq!((queue.health(), queue.events.waiting()), ((99 - n as usize, age), 99 - n as usize));
    }
    assert_eq!((queue.next(), queue.sender.shared.lock().bytes), (None, 0));
    assert_eq!((queue.events.lent.capacity(), queue.sender.shared.lock().queue.capacity()), (0, 0));
}

// CLAUSE PST-4
#[test]
fn a_snapshot_is_not_shown_before_all_that_it_covers_was_given_out() {
    let snapshot = Snapshot::lost(&Config::default().server, UnixMillis(7));
    let mut queue = Queue::new(&IoLimits::default());
    for _ in 0..2 {
        queue.turn(0..5);
        queue.sender.push(Event::SnapshotChanged, Some(snapshot.clone()));
        queue.turn(5..8);
    }
    for n in 0..5 {
        assert_eq!(uuid(queue.next()), n);
        assert!(queue.view.snapshot().is_none(), "it would cover what is still to come, after {n}");
    }
    assert_eq!(queue.next(), Some(Event::SnapshotChanged));
    assert!(queue.view.snapshot().is_some());
    (5..8).chain(0..5).for_each(|n| assert_eq!(uuid(queue.next()), n));
}

// CLAUSE HB-3
#[test]
fn the_driver_that_waits_is_woken_when_all_was_given_out() {
    let one = weight(&notification(0), None);
    for limits in [
        IoLimits { event_queue: 64, ..IoLimits::default() },
        IoLimits { event_queue: 1 << 20, event_bytes: 64 * one, ..IoLimits::default() },
    ] {
        let mut queue = Queue::new(&limits);
        let woken = Arc::new(Count::default());
        let driver = Waker::from(Arc::clone(&woken));
        queue.turn(0..60);
        assert_eq!(uuid(queue.next()), 0);
        assert_eq!(queue.events.lent.len(), 3, "a part of the limits");
        queue.turn(60..65);
        assert!(queue.sender.load().is_full && !queue.sender.await_application(&driver));
        (1..4).for_each(|n| assert_eq!(uuid(queue.next()), n));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        assert!(!queue.sender.load().is_full);
        (4..65).for_each(|n| assert_eq!(uuid(queue.next()), n));
    }
}

#[test]
fn each_event_counts_at_once_where_few_may_wait_or_too_many_do() {
    for (event_queue, count) in [(16, 5), (64, 66)] {
        let mut queue = Queue::new(&IoLimits { event_queue, ..IoLimits::default() });
        queue.turn(0..count);
        assert_eq!(uuid(queue.next()), 0);
        assert!(queue.events.lent.is_empty());
    }
}

#[test]
fn a_batch_goes_on_with_what_was_taken_along() {
    let mut queue = Queue::new(&IoLimits::default());
    queue.turn(0..10);
    queue.sender.push(Event::SnapshotChanged, Some(Snapshot::lost(&Config::default().server, UnixMillis(7))));
    queue.turn(10..12);
    assert_eq!(uuid(queue.next()), 0);
    let uuids = |events: Vec<Event>| events.into_iter().map(|event| uuid(Some(event))).collect::<Vec<_>>();
    let mut batch = |most| queue.events.wait_batch(most, None).flatten().unwrap().events;
    assert_eq!(uuids(batch(4)), [1, 2, 3, 4]);
    let mut rest = batch(5);
    assert_eq!(rest.pop(), Some(Event::SnapshotChanged), "it is right behind them");
    assert_eq!(uuids(rest), [5, 6, 7, 8, 9]);
    assert_eq!(uuids(batch(5)), [10, 11]);
}

#[test]
fn nothing_waits_for_an_application_that_is_gone() {
    let mut queue = Queue::new(&IoLimits::default());
    queue.turn(0..10);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(matches!(queue.events.poll_next(&mut cx), Poll::Ready(Some(Event::Notification(_)))));
    drop(queue.events);
    assert_eq!((queue.sender.load(), queue.view.health().events_waiting), (Load::default(), 0));
    queue.sender.push(Event::Recovered { conn: ConnId::from(1) }, None);
    queue.sender.flush(Stats::default(), Pulse::default());
}
