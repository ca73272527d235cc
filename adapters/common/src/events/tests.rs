//! Tests of the queue of events, with both kinds of applications.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};
use std::time::{Duration, Instant};

use ringcentral_ws_core::{Cause, ClockReading, ConnId, Notification, Timestamp, UnixMillis, WaitReason};

use super::*;
use crate::listen::{LaneReceiver, LaneSender, ListenOptions, ListenerEvent, lane};

fn retry(attempt: u32) -> Event {
    Event::Retry {
        attempt,
        cause: Cause::SocketLost,
        at: Timestamp::ZERO,
        delay: Duration::ZERO,
        reason: WaitReason::Backoff,
    }
}

fn recovered(conn: u64) -> Event {
    Event::Recovered { conn: ConnId::from(conn) }
}

fn queue(event_queue: usize, event_bytes: usize) -> (EventSender, EventReceiver) {
    event_queue_of(event_queue, event_bytes, None)
}

fn event_queue_of(event_queue: usize, event_bytes: usize, snapshot: Option<Snapshot>) -> (EventSender, EventReceiver) {
    let limits = IoLimits { event_queue, event_bytes, ..IoLimits::default() };
    super::event_queue(&limits, snapshot, QueueMeter::default(), false)
}

fn vitals() -> Vitals {
    let clock = crate::clock::Clock::new(Duration::from_secs(2), crate::clock::ClockTimes::system);
    Vitals::new(&clock, &ringcentral_ws_core::Config::default(), Duration::from_secs(2))
}

fn number(event: Event) -> u64 {
    match event {
        Event::Recovered { conn } => conn.get(),
        Event::Retry { attempt, .. } => u64::from(attempt) + 1000,
        other => panic!("{other:?}"),
    }
}

fn numbers(sender: &mut EventSender, events: &mut EventReceiver) -> Vec<u64> {
    sender.flush(Stats::default(), Pulse::default());
    let mut cx = Context::from_waker(Waker::noop());
    std::iter::from_fn(|| match events.poll_next(&mut cx) {
        Poll::Ready(event) => event.map(number),
        Poll::Pending => None,
    })
    .collect()
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn take(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// CLAUSE HB-3
#[test]
fn a_full_queue_keeps_order_and_the_last_retry() {
    let (mut sender, mut events) = queue(2, 1 << 20);
    for n in 0..5 {
        assert_eq!(sender.load().is_full, n > 2);
        sender.push(recovered(n), None);
    }
    (0..9).for_each(|n| sender.push(retry(n), None));
    assert_eq!(sender.load().backlog, 4);
    assert_eq!(numbers(&mut sender, &mut events), [0, 1, 2, 3, 4, 1008]);
    assert_eq!(sender.load(), Load::default());
    // While there is room all is kept.
    (0..2).for_each(|n| sender.push(retry(n), None));
    assert_eq!(numbers(&mut sender, &mut events), [1000, 1001]);
}

// CLAUSE FRM-4 SEC-3
#[test]
fn the_queue_is_full_by_bytes_too() {
    let one = weight(&retry(0), None);
    let (mut sender, mut events) = queue(100, 2 * one);
    for n in 0..5 {
        assert_eq!((sender.load().is_full, sender.load().is_heavy), (n > 1, n > 1));
        sender.push(recovered(n), None);
    }
    assert_eq!(numbers(&mut sender, &mut events), [0, 1, 2, 3, 4]);
    assert_eq!(events.shared.lock().bytes, 0);
    // One always fits.
    let (mut sender, _events) = queue(100, 0);
    sender.push(retry(0), None);
    assert!(!sender.load().is_full);
}

#[test]
fn each_end_is_woken_when_something_has_changed_for_it() {
    let (mut sender, mut events) = queue(1, 1 << 20);
    let (driver, application) = (Arc::new(Count::default()), Arc::new(Count::default()));
    let driving = Waker::from(Arc::clone(&driver));
    let waker = Waker::from(Arc::clone(&application));
    let mut cx = Context::from_waker(&waker);
    assert!(events.poll_next(&mut cx).is_pending() && !sender.await_application(&driving));
    (0..3).for_each(|n| sender.push(recovered(n), None));
    assert!(!sender.await_application(&driving));
    assert_eq!(application.take(), 0, "one wake for a burst");
    sender.flush(Stats::default(), Pulse::default());
    assert_eq!((application.take(), driver.take()), (1, 0));
    sender.flush(Stats::default(), Pulse::default());
    assert_eq!(application.take(), 0, "nothing is new");
    assert!(events.poll_next(&mut cx).is_ready());
    assert_eq!(driver.take(), 0, "it is still full");
    assert!(events.poll_next(&mut cx).is_ready());
    assert_eq!(driver.take(), 1, "there is room");
    assert!(sender.await_application(&driving), "it comes too late to be woken");
    assert!(!sender.await_application(&driving), "once");
    assert!(events.poll_next(&mut cx).is_ready() && events.poll_next(&mut cx).is_pending());
    assert_eq!(driver.take(), 0);
    drop(sender);
    assert_eq!(application.take(), 1);
    assert_eq!(events.poll_next(&mut cx), Poll::Ready(None));
}

#[test]
fn a_wake_on_another_thread_may_be_put_off_while_more_is_read() {
    let (mut sender, mut events) = queue(1024, 1 << 20);
    let application = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&application));
    let mut turn = |goes_on| {
        sender.push(recovered(1), None);
        sender.flush_turn(Stats::default(), Pulse::default(), goes_on);
        application.take()
    };
    assert!(events.poll_next(&mut Context::from_waker(&waker)).is_pending());
    assert_eq!(turn(true), 1, "it waits on this thread");
    let mut wait_elsewhere = || {
        let mut wait = || while events.poll_next(&mut Context::from_waker(&waker)).is_ready() {};
        std::thread::scope(|scope| scope.spawn(&mut wait).join().unwrap());
    };
    wait_elsewhere();
    assert_eq!([turn(true), turn(true), turn(true), turn(true)], [0, 0, 0, 1], "for a few turns");
    wait_elsewhere();
    assert_eq!([turn(true), turn(false)], [0, 1], "it comes with the last one");
}

// CLAUSE REQ-10
#[test]
fn the_driver_is_woken_when_less_keeps_it_from_reading() {
    let driver = Arc::new(Count::default());
    let driving = Waker::from(Arc::clone(&driver));
    let mut cx = Context::from_waker(Waker::noop());
    // Too many bytes, and then only too many events.
    let (mut sender, mut events) = queue(1, 3 * weight(&recovered(0), None));
    (0..4).for_each(|n| sender.push(recovered(n), None));
    assert!(sender.load().is_heavy && !sender.await_application(&driving));
    assert!(events.poll_next(&mut cx).is_ready() && sender.shared.load(&sender.shared.lock()).is_heavy);
    assert_eq!(driver.take(), 0);
    assert!(events.poll_next(&mut cx).is_ready());
    assert_eq!(driver.take(), 1, "an answer may be read");
    assert!(sender.await_application(&driving) && !sender.await_application(&driving));
    // More than may wait while a connection is being made, and then only more than while there is one.
    let (mut sender, mut events) = queue(1, 1 << 20);
    (0..=HANDSHAKE_BACKLOG as u64).for_each(|n| sender.push(recovered(n), None));
    assert!(!sender.await_application(&driving));
    assert!(events.poll_next(&mut cx).is_ready());
    assert_eq!(driver.take(), 1, "a connection may be made");
}

#[test]
fn the_room_of_a_burst_is_given_back_when_nothing_waits() {
    let (mut sender, mut events) = queue(1024, 1 << 20);
    let capacity = |sender: &EventSender| sender.shared.lock().queue.capacity();
    for asks_again in [false, true] {
        (0..100).for_each(|n| sender.push(recovered(n), None));
        sender.flush(Stats::default(), Pulse::default());
        sender.flush(Stats::default(), Pulse::default());
        for _ in 0..100 {
            assert!(events.wait_next(None).is_some());
        }
        assert!(capacity(&sender) >= 100);
        if asks_again {
            assert!(events.wait_next(Some(Instant::now())).is_none());
        } else {
            sender.flush(Stats::default(), Pulse::default());
        }
        assert_eq!(capacity(&sender), 0);
    }
    sender.push(recovered(1), None);
    assert_eq!(numbers(&mut sender, &mut events), [1]);
    assert_eq!(capacity(&sender), 0);
}

#[test]
fn nothing_is_kept_for_an_application_that_is_gone() {
    let (mut sender, events) = queue(1, 1 << 20);
    let driver = Arc::new(Count::default());
    (0..3).for_each(|n| sender.push(recovered(n), None));
    assert!(!sender.await_application(&Waker::from(Arc::clone(&driver))));
    drop(events);
    assert_eq!((driver.take(), sender.load()), (1, Load::default()));
    sender.push(recovered(3), None);
    assert!(sender.shared.lock().queue.is_empty());
}

#[test]
fn a_thread_waits_for_events_and_for_the_end() {
    let (mut sender, mut events) = queue(1, 1 << 20);
    assert_eq!(events.wait_next(Some(Instant::now())), None);
    let waiting = std::thread::spawn(move || {
        let first = events.wait_next(None);
        (first, events.wait_next(None))
    });
    sender.push(recovered(7), None);
    sender.flush(Stats::default(), Pulse::default());
    drop(sender);
    assert_eq!(waiting.join().unwrap(), (Some(Some(recovered(7))), Some(None)));
}

// CLAUSE PST-2 PST-4
#[test]
fn a_snapshot_shows_once_taken_and_is_stored_once_the_next_is_asked_for() {
    let server = "https://example.com".parse().unwrap();
    let restored = Snapshot::lost(&server, UnixMillis(1));
    let (mut sender, mut events) = event_queue_of(8, 1 << 20, Some(restored.clone()));
    let newer = Snapshot::lost(&server, UnixMillis(2));
    let view = sender.view(vitals());
    sender.push(Event::SnapshotChanged, Some(newer.clone()));
    sender.flush(Stats::default(), Pulse::default());
    assert_eq!(view.snapshot().map(|s| s.to_json()), Some(restored.to_json()));
    assert_eq!(events.wait_next(None), Some(Some(Event::SnapshotChanged)));
    assert_eq!(view.snapshot().map(|s| s.to_json()), Some(newer.to_json()));
    // As if the first one had been that of an orderly end.
    (sender.unstored, sender.shared.lock().unstored) = (true, true);
    assert!(!sender.take_stored());
    assert_eq!(events.wait_next(Some(Instant::now())), None);
    assert!(sender.take_stored() && !sender.take_stored());
}

fn feed(lane: &mut LaneSender) {
    let n = Notification::from_json(r#"{"uuid":"1"}"#).unwrap();
    let clock = || ClockReading { now: Timestamp::ZERO, unix: UnixMillis(0) };
    lane.push(ListenerEvent::Notification(n), 1, Timestamp::ZERO, clock);
}

fn takes(listener: &mut LaneReceiver) -> bool {
    listener.wait_next(Some(Instant::now())).is_some()
}

// CLAUSE PST-4
#[test]
fn a_snapshot_comes_when_the_slowest_listener_has_dealt_with_what_it_covers() {
    let (mut sender, mut events) = queue(8, 1 << 20);
    let [(mut a, mut quick), (mut b, mut slow)] = [lane(&ListenOptions::new()), lane(&ListenOptions::new())];
    let view = sender.view(vitals());
    let shown = || view.snapshot().map(|snapshot| snapshot.to_json());
    let snapshot = |n| Snapshot::lost(&"https://example.com".parse().unwrap(), UnixMillis(n));
    let count = Arc::<Count>::default();
    let waker = Waker::from(Arc::clone(&count));
    let mut cx = Context::from_waker(&waker);
    feed(&mut a);
    for n in 1..=3 {
        feed(&mut b);
        sender.push_with(Event::SnapshotChanged, Some((snapshot(n), Snapshots::behind([&a, &b].into_iter()))));
        sender.flush(Stats::default(), Pulse::default());
        assert_eq!((events.poll_next(&mut cx), shown()), (Poll::Pending, None), "there is none to store");
    }
    count.take();
    assert!(takes(&mut quick) && !takes(&mut quick) && takes(&mut slow));
    assert_eq!((count.take(), shown()), (0, None), "the slow one has its first notification in hand");
    assert!(takes(&mut slow));
    assert_eq!(count.take(), 1);
    assert_eq!(events.poll_next(&mut cx), Poll::Ready(Some(Event::SnapshotChanged)));
    assert_eq!((events.poll_next(&mut cx), shown()), (Poll::Pending, Some(snapshot(1).to_json())));
    // It is said once, also if somebody has looked at it meanwhile.
    assert!(takes(&mut slow) && !takes(&mut slow));
    assert_eq!((count.take(), shown()), (1, Some(snapshot(3).to_json())));
    assert_eq!(events.poll_next(&mut cx), Poll::Ready(Some(Event::SnapshotChanged)));
    assert!(events.poll_next(&mut cx).is_pending());
    // A thread that waits learns of it too, here from a listener that goes.
    feed(&mut b);
    sender.push_with(Event::SnapshotChanged, Some((snapshot(4), Snapshots::behind([&a, &b].into_iter()))));
    sender.flush(Stats::default(), Pulse::default());
    let shared = Arc::clone(&sender.shared);
    let waiting = std::thread::spawn(move || events.wait_next(Some(Instant::now() + Duration::from_secs(60))));
    while shared.lock().sleepers == 0 || !shared.lock().queue.is_empty() {
        std::thread::yield_now();
    }
    drop(slow);
    assert_eq!(waiting.join().unwrap(), Some(Some(Event::SnapshotChanged)));
    assert_eq!(shown(), Some(snapshot(4).to_json()));
}

// CLAUSE PST-2
#[test]
fn a_first_snapshot_that_waits_for_listeners_is_stored_behind_its_event() {
    let (mut sender, mut events) = queue(8, 1 << 20);
    let (mut fed, mut listener) = lane(&ListenOptions::new());
    // As if the session had been restored from an orderly end.
    (sender.unstored, sender.shared.lock().unstored) = (true, true);
    feed(&mut fed);
    let snapshot = Snapshot::lost(&"https://example.com".parse().unwrap(), UnixMillis(1));
    sender.push_with(Event::SnapshotChanged, Some((snapshot, Snapshots::behind([&fed].into_iter()))));
    sender.flush(Stats::default(), Pulse::default());
    let mut take = || events.wait_next(Some(Instant::now()));
    assert!(take().is_none() && take().is_none() && !sender.take_stored());
    assert!(takes(&mut listener) && !takes(&mut listener));
    assert_eq!(take(), Some(Some(Event::SnapshotChanged)));
    assert!(!sender.take_stored(), "it is being stored");
    assert!(take().is_none() && sender.take_stored());
}

#[test]
fn the_age_of_the_oldest_event_that_waits_is_seen() {
    let (mut sender, mut events) = event_queue_of(4, 1 << 20, None);
    let now = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(10));
    let shown = std::sync::Arc::clone(&now);
    let look = move || {
        let boot = Duration::from_secs(shown.load(std::sync::atomic::Ordering::SeqCst));
        crate::clock::ClockTimes { boot, mono: boot, wall: boot }
    };
    let clock = crate::clock::Clock::new(Duration::from_secs(2), look);
    let slack = Duration::from_secs(2);
    let view = sender.view(Vitals::new(&clock, &ringcentral_ws_core::Config::default(), slack));
    let seen = |at: u64| {
        now.store(at, std::sync::atomic::Ordering::SeqCst);
        let health = view.health();
        (health.events_waiting, health.events_capacity, health.oldest_event.map(|age| age.as_secs()))
    };
    let at = |sender: &mut EventSender, seconds| sender.begin_turn(Timestamp::from_secs(seconds));
    assert_eq!(seen(10), (0, 4, None));
    at(&mut sender, 0);
    sender.push(recovered(1), None);
    sender.flush(Stats::default(), Pulse::default());
    assert_eq!(seen(13), (1, 4, Some(3)));
    at(&mut sender, 3);
    sender.push(recovered(2), None);
    sender.flush(Stats::default(), Pulse::default());
    assert_eq!(seen(15), (2, 4, Some(5)));
    assert_eq!(numbers(&mut sender, &mut events).len(), 2);
    assert_eq!(seen(16), (0, 4, None));
}
