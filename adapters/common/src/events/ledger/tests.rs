//! Tests of what is acknowledged, with both kinds of applications.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use ringcentral_ws_core::{CloseReason, Config, ConnId, Event, Notification, Snapshot, Stats, UnixMillis};

use super::super::{Ack, Batch, Delivery, EventReceiver, EventSender, event_queue};
use crate::health::{NotReady, Pulse, Vitals};
use crate::limits::IoLimits;
use crate::metrics::QueueMeter;

fn notification(n: u64) -> Event {
    Event::Notification(Notification::from_json(&format!(r#"{{"uuid":"{n}","event":"/e"}}"#)).unwrap())
}

fn snapshot(n: u64) -> Snapshot {
    Snapshot::lost(&Config::default().server, UnixMillis(n))
}

/// Events in front of snapshots, and what the application sees.
struct Queue {
    sender: EventSender,
    events: EventReceiver,
    view: super::super::SessionView,
}

impl Queue {
    fn new(limits: &IoLimits) -> Self {
        Self::restored(limits, None)
    }

    fn restored(limits: &IoLimits, from: Option<Snapshot>) -> Self {
        let (sender, events) = event_queue(limits, from, QueueMeter::default(), true);
        let clock = crate::clock::Clock::new(limits.clock_slack, crate::clock::ClockTimes::system);
        let view = sender.view(Vitals::new(&clock, &Config::default(), limits.clock_slack));
        Self { sender, events, view }
    }

    /// One with a snapshot that the application has.
    fn running() -> Self {
        let mut queue = Self::new(&IoLimits::default());
        queue.snapshot(0);
        assert_eq!(queue.take().event, Event::SnapshotChanged);
        queue
    }

    fn push(&mut self, numbers: impl IntoIterator<Item = u64>) {
        numbers.into_iter().for_each(|n| self.sender.push(notification(n), None));
    }

    fn snapshot(&mut self, n: u64) {
        self.sender.push(Event::SnapshotChanged, Some(snapshot(n)));
    }

    fn take(&mut self) -> Delivery {
        self.try_take().expect("an event")
    }

    fn try_take(&mut self) -> Option<Delivery> {
        self.events.wait_delivery(Some(Instant::now())).flatten()
    }

    /// The handle of the next, which is this notification.
    fn handle(&mut self, n: u64) -> Ack {
        let Delivery { event, ack } = self.take();
        assert_eq!(event, notification(n));
        assert!(ack.is_awaited());
        ack
    }

    fn batch(&mut self, most: usize) -> Batch {
        self.events.wait_batch(most, Some(Instant::now())).flatten().expect("a batch")
    }

    /// Which snapshot is shown, and with which notification as the last one.
    fn shown(&self) -> (u64, Option<String>) {
        shown(&self.view.snapshot().expect("a snapshot"))
    }
}

fn shown(snapshot: &Snapshot) -> (u64, Option<String>) {
    let json: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap();
    (json["last_seen"].as_u64().unwrap(), json["last"].as_str().map(str::to_owned))
}

fn at(n: u64, last: u64) -> (u64, Option<String>) {
    (n, Some(last.to_string()))
}

// CLAUSE PST-6
#[test]
fn the_snapshot_covers_what_was_acknowledged_in_order() {
    let mut queue = Queue::running();
    queue.push(1..=3);
    queue.snapshot(3);
    let handles = [queue.handle(1), queue.handle(2), queue.handle(3)];
    assert!(queue.try_take().is_none(), "the snapshot waits for the acknowledgements");
    let [one, two, three] = handles;
    three.acknowledge();
    assert_eq!(queue.shown(), (0, None), "a later one alone moves nothing");
    one.acknowledge();
    assert_eq!(queue.shown(), at(0, 1));
    assert!(queue.try_take().is_none(), "there is no newer one to store");
    two.acknowledge();
    assert_eq!(queue.shown(), (3, None), "the session's own, which covers all three");
    assert_eq!(queue.take().event, Event::SnapshotChanged);
    assert!(queue.try_take().is_none(), "once");
}

// CLAUSE PST-6
#[test]
fn what_lies_between_two_snapshots_is_marked_on_the_older_one() {
    let mut queue = Queue::running();
    queue.push([1]);
    queue.snapshot(1);
    queue.push([2, 3]);
    queue.snapshot(3);
    let (one, two, three) = (queue.handle(1), queue.handle(2), queue.handle(3));
    assert!(queue.try_take().is_none());
    two.acknowledge();
    one.acknowledge();
    assert_eq!(queue.shown(), at(1, 2));
    drop(three);
    assert_eq!(queue.shown(), at(1, 2));
    // What comes later does not move it any more.
    queue.push([4]);
    queue.snapshot(4);
    assert_eq!(queue.take().event, Event::SnapshotChanged);
    queue.handle(4).acknowledge();
    assert!(queue.try_take().is_none());
    assert_eq!(queue.shown(), at(1, 2));
    let health = queue.view.health();
    assert_eq!((health.unacknowledged, health.dropped_unacknowledged), (Some(2), 1));
    assert!(health.to_string().contains("; events that are not acknowledged: 2, 1 of them never will be"), "{health}");
}

// CLAUSE PST-6
#[test]
fn only_notifications_and_gaps_are_acknowledged() {
    let mut queue = Queue::running();
    queue.sender.push(Event::Recovered { conn: ConnId::from(1) }, None);
    queue.snapshot(1);
    let Delivery { event, ack } = queue.take();
    assert!(matches!(event, Event::Recovered { .. }) && !ack.is_awaited());
    drop(ack);
    assert_eq!(queue.take().event, Event::SnapshotChanged);
    assert_eq!((queue.shown().0, queue.view.health().unacknowledged), (1, Some(0)));
    let gap = ringcentral_ws_core::Gap {
        cause: ringcentral_ws_core::GapCause::Restored,
        certainty: ringcentral_ws_core::GapCause::Restored.certainty(),
        after: None,
        since: UnixMillis(0),
        until: UnixMillis(0),
    };
    queue.sender.push(Event::Gap(gap), None);
    queue.snapshot(2);
    let ack = queue.take().ack;
    assert!(ack.is_awaited() && queue.try_take().is_none());
    ack.acknowledge();
    assert_eq!((queue.take().event, queue.shown().0), (Event::SnapshotChanged, 2));
}

// CLAUSE PST-6
#[test]
fn a_batch_is_acknowledged_at_once_and_brings_its_snapshot() {
    let mut queue = Queue::running();
    queue.push(1..=5);
    queue.snapshot(5);
    queue.push([6]);
    let batch = queue.batch(2);
    assert_eq!(batch.events, [notification(1), notification(2)]);
    let stored = batch.ack.acknowledge_and_take().expect("it is newer");
    assert_eq!(shown(&stored), at(0, 2));
    let batch = queue.batch(3);
    assert_eq!(batch.events.len(), 3, "the snapshot behind it is no event before it is shown");
    let later = queue.batch(9);
    assert_eq!(later.events, [notification(6)]);
    assert_eq!(later.ack.acknowledge_and_take(), None, "what is before it is not acknowledged");
    let stored = batch.ack.acknowledge_and_take().expect("it is newer");
    assert_eq!((shown(&stored), queue.shown()), (at(5, 6), at(5, 6)));
    assert!(queue.try_take().is_none(), "the program has it");
    // A snapshot alone.
    queue.snapshot(7);
    let batch = queue.batch(9);
    assert_eq!(batch.events, [Event::SnapshotChanged]);
    assert_eq!(batch.ack.acknowledge_and_take().map(|stored| shown(&stored).0), Some(7));
    // Asked for nothing, it takes one.
    queue.push([8, 9]);
    assert_eq!(queue.batch(0).events.len(), 1);
}

#[test]
fn batches_and_handles_work_without_acknowledgement_too() {
    let (mut sender, mut events) = event_queue(&IoLimits::default(), None, QueueMeter::default(), false);
    (1..=3).for_each(|n| sender.push(notification(n), None));
    sender.push(Event::SnapshotChanged, Some(snapshot(3)));
    sender.flush(Stats::default(), Pulse::default());
    let now = Some(Instant::now());
    let one = events.wait_delivery(now).flatten().unwrap();
    assert!(!one.ack.is_awaited());
    assert_eq!(one.ack.acknowledge_and_take(), None);
    let batch = events.wait_batch(2, now).flatten().unwrap();
    assert_eq!(
        batch.events,
        [notification(2), notification(3), Event::SnapshotChanged],
        "what covers them comes along"
    );
    assert_eq!(batch.ack.acknowledge_and_take().map(|stored| shown(&stored).0), Some(3));
}

// CLAUSE PST-6
#[test]
fn what_comes_without_a_handle_is_acknowledged_when_the_next_is_asked_for() {
    let mut queue = Queue::running();
    queue.push([1, 2]);
    queue.snapshot(2);
    let now = Some(Instant::now());
    assert_eq!(queue.events.wait_next(now), Some(Some(notification(1))));
    assert_eq!(queue.shown(), (0, None));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(queue.events.poll_next(&mut cx), Poll::Ready(Some(notification(2))));
    assert_eq!(queue.shown(), at(0, 1));
    assert_eq!(queue.events.wait_next(now), Some(Some(Event::SnapshotChanged)));
    assert_eq!(queue.shown().0, 2);
    // The last one of a program that ends is not.
    queue.push([3]);
    queue.snapshot(3);
    assert_eq!(queue.events.wait_next(now), Some(Some(notification(3))));
    drop(queue.events);
    assert_eq!((shown(&queue.view.snapshot().unwrap()).0, queue.view.health().dropped_unacknowledged), (2, 1));
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

// CLAUSE PST-7 HB-3
#[test]
fn at_the_limit_reading_stops_until_something_is_acknowledged() {
    let limits = IoLimits { unacknowledged: 2, ..IoLimits::default() };
    let mut queue = Queue::new(&limits);
    let driver = Arc::new(Count::default());
    let driving = Waker::from(Arc::clone(&driver));
    queue.push(1..=3);
    let (one, two) = (queue.handle(1), queue.handle(2));
    let load = queue.sender.load();
    assert!(load.is_full && !load.is_heavy && load.backlog == 0);
    assert!(!queue.sender.await_application(&driving));
    let three = queue.handle(3);
    two.acknowledge();
    assert_eq!((driver.0.load(Ordering::SeqCst), queue.sender.load().is_full), (0, true), "the first still holds it");
    queue.sender.flush(Stats::default(), paused());
    let health = queue.view.health();
    assert_eq!(health.reason, Some(NotReady::Unacknowledged), "{health}");
    assert!(health.to_string().contains(" s until events are acknowledged; events that are not acknowledged: 3;"));
    one.acknowledge();
    assert_eq!((driver.0.load(Ordering::SeqCst), queue.sender.load().is_full), (1, false));
    assert!(queue.view.health().reason != Some(NotReady::Unacknowledged));
    three.acknowledge();
    assert_eq!(queue.view.health().unacknowledged, Some(0));
}

// Filling a gap does not wait for what was taken to be acknowledged, so the driver has to know when all was taken.
#[test]
fn at_the_limit_the_driver_is_woken_when_what_waits_was_taken() {
    let a_kilobyte = IoLimits { unacknowledged: 2, event_bytes: 1 << 10, ..IoLimits::default() };
    for limits in [IoLimits { unacknowledged: 2, event_queue: 1, ..IoLimits::default() }, a_kilobyte] {
        let mut queue = Queue::new(&limits);
        let driver = Arc::new(Count::default());
        let driving = Waker::from(Arc::clone(&driver));
        queue.push(1..=20);
        let _held: Vec<Ack> = (1..=2).map(|n| queue.handle(n)).collect();
        let load = queue.sender.load();
        assert!(load.is_full && load.is_backed_up && !queue.sender.await_application(&driving));
        let _rest: Vec<Ack> = (3..=20).map(|n| queue.handle(n)).collect();
        assert_eq!(driver.0.load(Ordering::SeqCst), 1);
        let load = queue.sender.load();
        assert!(load.is_full && !load.is_backed_up);
    }
}

/// Reading has paused on a connection for so long that nobody knows whether the server is there.
fn paused() -> Pulse {
    Pulse {
        session: ringcentral_ws_core::SessionState::Ready { conn: ConnId::from(1) },
        paused_since: Some(ringcentral_ws_core::Timestamp::ZERO),
        ..Pulse::default()
    }
}

// CLAUSE PST-7
#[test]
fn the_health_names_what_holds_reading_up() {
    let one = super::super::weight(&notification(1), None);
    let limits = IoLimits { event_bytes: 4 * one, event_queue: 2, ..IoLimits::default() };
    let reason = |queue: &mut Queue| {
        assert!(queue.sender.load().is_full);
        queue.sender.flush(Stats::default(), paused());
        queue.view.health().reason
    };
    // What was taken and what waits are too much together, and what waits alone is not.
    let mut queue = Queue::new(&limits);
    queue.push(1..=4);
    let (one, two) = (queue.handle(1), queue.handle(2));
    assert_eq!(reason(&mut queue), Some(NotReady::Unacknowledged), "{}", queue.view.health());
    // If all were acknowledged, there would still be too much.
    queue.push([5]);
    assert_eq!(reason(&mut queue), Some(NotReady::ReadingPaused), "{}", queue.view.health());
    one.acknowledge();
    two.acknowledge();
    assert_eq!(reason(&mut queue), Some(NotReady::ReadingPaused), "{}", queue.view.health());
    assert!(!queue.view.health().to_string().contains("acknowledged"), "{}", queue.view.health());
}

// CLAUSE PST-7 SEC-3
#[test]
fn the_limit_in_bytes_counts_what_waits_and_what_is_not_acknowledged() {
    let one = super::super::weight(&notification(1), None);
    let mut queue = Queue::new(&IoLimits { event_bytes: 3 * one, ..IoLimits::default() });
    queue.push(1..=2);
    let ack = queue.handle(1);
    assert!(!queue.sender.load().is_full);
    queue.push([3]);
    assert!(queue.sender.load().is_heavy);
    ack.acknowledge();
    assert!(!queue.sender.load().is_full);
    // One always fits, and an application that is gone holds nothing.
    let mut queue = Queue::new(&IoLimits { event_bytes: 0, unacknowledged: 1, ..IoLimits::default() });
    queue.push([1]);
    assert!(!queue.sender.load().is_full);
    let ack = queue.handle(1);
    assert!(queue.sender.load().is_full && !queue.sender.load().is_heavy);
    drop(queue.events);
    assert!(!queue.sender.load().is_full);
    ack.acknowledge();
}

// CLAUSE PST-7
#[test]
fn snapshots_that_wait_are_few_and_the_newest_stays() {
    let mut queue = Queue::running();
    for n in 1..=1_000 {
        queue.push([n]);
        queue.snapshot(n);
        queue.snapshot(n + 10_000);
    }
    let handles: Vec<Ack> = (1..=1_000).map(|n| queue.handle(n)).collect();
    assert!(queue.try_take().is_none());
    let waiting = queue.events.shared.lock().ledger.as_ref().unwrap().later.len();
    assert!((16..=super::MAX_SNAPSHOTS).contains(&waiting), "{waiting}");
    for (ack, n) in handles.into_iter().zip(1_u64..) {
        ack.acknowledge();
        let (at, last) = queue.shown();
        assert!(at - 10_000.min(at) <= n && (last == Some(n.to_string()) || at == n + 10_000), "{n}: {at} {last:?}");
    }
    assert_eq!(queue.shown(), (11_000, None));
}

// CLAUSE PST-6 PST-5
#[test]
fn what_is_acknowledged_after_the_end_counts() {
    let mut queue = Queue::running();
    queue.push([1]);
    queue.snapshot(9);
    queue.sender.push(Event::Closed { reason: CloseReason::Detached }, None);
    queue.sender.flush(Stats::default(), Pulse::default());
    let ack = queue.handle(1);
    assert!(matches!(queue.take().event, Event::Closed { .. }));
    let Queue { sender, mut events, view } = queue;
    drop(sender);
    assert_eq!(events.wait_next(None), Some(None));
    assert_eq!(shown(&view.snapshot().unwrap()), (0, None), "the final one says that all was dealt with");
    ack.acknowledge();
    assert_eq!(shown(&view.snapshot().unwrap()), (9, None));
    assert_eq!(events.wait_next(None), Some(None), "the end is the end");
}

// CLAUSE PST-2 PST-6
#[test]
fn the_first_snapshot_counts_as_stored_when_the_event_behind_it_is_asked_for() {
    let mut queue = Queue::restored(&IoLimits::default(), Some(snapshot(1)));
    // As if the first one had been that of an orderly end.
    (queue.sender.unstored, queue.events.shared.lock().unstored) = (true, true);
    *queue.events.shared.lock().snapshot.shown() = None;
    queue.snapshot(2);
    let batch = queue.batch(9);
    assert!(!queue.sender.take_stored());
    assert!(batch.ack.acknowledge_and_take().is_some() && !queue.sender.take_stored());
    assert!(queue.try_take().is_none() && queue.sender.take_stored());
}

// CLAUSE PST-6
#[test]
fn who_waits_is_woken_when_the_snapshot_moves() {
    let mut queue = Queue::running();
    queue.push([1]);
    queue.snapshot(1);
    let ack = queue.handle(1);
    let woken = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&woken));
    assert!(queue.events.poll_delivery(&mut Context::from_waker(&waker)).is_pending());
    ack.acknowledge();
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    queue.push([2]);
    assert_eq!(queue.take().event, Event::SnapshotChanged);
    let ack = queue.handle(2);
    queue.snapshot(2);
    let Queue { sender, mut events, .. } = queue;
    let waiting = std::thread::spawn(move || events.wait_delivery(None).flatten().map(|delivery| delivery.event));
    std::thread::spawn(move || ack.acknowledge()).join().unwrap();
    assert_eq!(waiting.join().unwrap(), Some(Event::SnapshotChanged));
    drop(sender);
}

// CLAUSE PST-6
#[test]
fn the_snapshot_behind_what_is_no_notification_is_kept_among_many() {
    for turn in [20, 21] {
        let mut queue = Queue::running();
        let mut handles = Vec::new();
        for n in 1..=60 {
            queue.push([n]);
            handles.push(queue.handle(n));
            if n == turn {
                // A new session, say.
                queue.sender.push(Event::Recovered { conn: ConnId::from(2) }, None);
                let _ = queue.take();
            }
            queue.snapshot(n);
            assert!(queue.try_take().is_none());
        }
        for ack in handles.into_iter().take(turn as usize) {
            ack.acknowledge();
        }
        assert_eq!(queue.shown(), (turn, None), "not one of the session before");
    }
}
