//! Tests of a listener's queue.

use ringcentral_ws_core::{DisabledFilter, UnixMillis};

use super::*;

fn notification(n: u64) -> ListenerEvent {
    ListenerEvent::Notification(Notification::from_json(&format!(r#"{{"uuid":"{n}"}}"#)).unwrap())
}

fn push(sender: &mut LaneSender, n: u64) {
    let unix = UnixMillis(1_000_000 + n);
    let now = Timestamp::from_micros(n * 1000);
    sender.push(notification(n), 100, now, || ClockReading { now, unix });
}

fn take(receiver: &mut LaneReceiver) -> Option<Result<u64, Gap>> {
    match receiver.wait_next(Some(Instant::now()))?? {
        ListenerEvent::Notification(n) => Some(Ok(n.uuid().parse().unwrap())),
        ListenerEvent::Gap(gap) => Some(Err(gap)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_slow_one_that_blocks_stops_reading_and_loses_nothing() {
    let (mut sender, mut receiver) = lane(&ListenOptions::new().events(2));
    (1..=3).for_each(|n| push(&mut sender, n));
    assert_eq!(sender.load(), Load { is_full: true, is_heavy: false, backlog: 1, is_backed_up: true });
    assert!(!sender.await_room(Waker::noop()));
    assert_eq!(take(&mut receiver), Some(Ok(1)));
    assert!(!sender.load().is_full && receiver.shared.lock().driver.is_none(), "it was woken");
    assert_eq!((take(&mut receiver), take(&mut receiver), take(&mut receiver)), (Some(Ok(2)), Some(Ok(3)), None));
    let (mut sender, _receiver) = lane(&ListenOptions::new().bytes(150));
    (1..=2).for_each(|n| push(&mut sender, n));
    assert!(sender.load().is_heavy);
}

// CLAUSE REC-5
#[test]
fn a_slow_one_that_drops_has_a_gap_before_what_is_left() {
    let (mut sender, mut receiver) = lane(&ListenOptions::new().events(2).overflow(Overflow::DropOldest));
    push(&mut sender, 1);
    assert_eq!(take(&mut receiver), Some(Ok(1)));
    (2..=5).for_each(|n| push(&mut sender, n));
    assert_eq!((sender.load().is_full, receiver.waiting(), receiver.dropped()), (false, 2, 2));
    let Some(Err(gap)) = take(&mut receiver) else { panic!() };
    assert_eq!((gap.cause, gap.after.as_deref()), (GapCause::SlowListener, Some("1")));
    assert_eq!((gap.since.0, gap.until.0), (1_000_002, 1_000_005));
    assert_eq!((take(&mut receiver), take(&mut receiver), take(&mut receiver)), (Some(Ok(4)), Some(Ok(5)), None));
    // By bytes: one always fits.
    let options = ListenOptions::new().bytes(50).overflow(Overflow::DropOldest);
    let (mut sender, mut receiver) = lane(&options);
    (1..=2).for_each(|n| push(&mut sender, n));
    assert!(matches!(take(&mut receiver), Some(Err(_))));
    assert_eq!(take(&mut receiver), Some(Ok(2)));
}

#[test]
fn a_gap_of_the_session_is_not_dropped_but_taken_in() {
    let (mut sender, mut receiver) = lane(&ListenOptions::new().events(1).overflow(Overflow::DropOldest));
    let (now, unix) = (Timestamp::from_micros(9000), UnixMillis(1_000_009));
    let clock = || ClockReading { now, unix };
    let live = ListenerEvent::Live { disabled: Box::default() };
    sender.push(live.clone(), 1, now, clock);
    let (cause, certainty, since) = (GapCause::InFlight, Certainty::Possible, UnixMillis(7));
    let gap = Gap { cause, certainty, after: None, since, until: unix };
    sender.push(ListenerEvent::Gap(gap), 1, now, clock);
    push(&mut sender, 10);
    assert_eq!(receiver.wait_next(None), Some(Some(live)), "that it is live is never dropped");
    let Some(Err(gap)) = take(&mut receiver) else { panic!() };
    assert_eq!((gap.cause, gap.since.0, gap.until.0), (GapCause::SlowListener, 7, 1_000_010));
    assert_eq!((take(&mut receiver), receiver.dropped()), (Some(Ok(10)), 0));
}

#[test]
fn what_several_receive_is_the_same_for_all() {
    let [(mut a, mut from_a), (mut b, mut from_b)] = [lane(&ListenOptions::new()), lane(&ListenOptions::new())];
    let n = Arc::new(Notification::from_json(r#"{"uuid":"1"}"#).unwrap());
    let clock = || ClockReading { now: Timestamp::ZERO, unix: UnixMillis(0) };
    a.push_shared(&n, 1, Timestamp::ZERO, clock);
    b.push_shared(&n, 1, Timestamp::ZERO, clock);
    assert_eq!((take(&mut from_a), take(&mut from_b)), (Some(Ok(1)), Some(Ok(1))));
}

#[test]
fn a_server_that_changes_its_mind_again_and_again_fills_no_queue() {
    let disabled = DisabledFilter { filter: "/a".into(), reason: "".into(), message: "".into() };
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let (mut sender, mut receiver) = lane(&ListenOptions::new().events(4).overflow(overflow));
        let clock = || ClockReading { now: Timestamp::ZERO, unix: UnixMillis(0) };
        let live = |n: usize| ListenerEvent::Live { disabled: vec![disabled.clone(); n].into() };
        push(&mut sender, 1);
        (1..=100).for_each(|n| sender.push(live(n), 10, Timestamp::ZERO, clock));
        assert_eq!((receiver.waiting(), receiver.shared.lock().bytes), (3, 120), "{overflow:?}");
        assert_eq!(take(&mut receiver), Some(Ok(1)));
        let taken: Vec<_> = (0..2).map(|_| receiver.wait_next(None).flatten()).collect();
        assert_eq!(taken, [Some(live(1)), Some(live(100))]);
    }
}

// CLAUSE PST-4
#[test]
fn a_snapshot_is_due_when_all_before_it_is_dealt_with() {
    let (mut sender, mut receiver) = lane(&ListenOptions::new());
    assert!(Snapshots::behind([&sender].into_iter()).are_due());
    let live = ListenerEvent::Live { disabled: Box::default() };
    sender.push(live.clone(), 1, Timestamp::ZERO, || ClockReading { now: Timestamp::ZERO, unix: UnixMillis(0) });
    assert!(Snapshots::behind([&sender].into_iter()).are_due(), "the next process sees its own");
    assert_eq!(receiver.wait_next(None), Some(Some(live)));
    push(&mut sender, 1);
    let snapshot = Snapshots::behind([&sender].into_iter());
    push(&mut sender, 2);
    assert!(!snapshot.are_due());
    take(&mut receiver);
    assert!(!snapshot.are_due(), "it is being dealt with");
    take(&mut receiver);
    assert!(snapshot.are_due());
    let second = Snapshots::behind([&sender].into_iter());
    drop(receiver);
    assert!(second.are_due(), "nobody is there to see it");
    assert!(sender.has_left());
    push(&mut sender, 3);
    assert!(Snapshots::behind([&sender].into_iter()).are_due());
}

// CLAUSE PST-4
#[test]
fn a_snapshot_is_due_behind_the_gap_of_what_was_dropped() {
    let (mut sender, mut receiver) = lane(&ListenOptions::new().events(1).overflow(Overflow::DropOldest));
    (1..=2).for_each(|n| push(&mut sender, n));
    let snapshot = Snapshots::behind([&sender].into_iter());
    assert!(matches!(take(&mut receiver), Some(Err(_))));
    // What is dropped later belongs to another gap.
    push(&mut sender, 3);
    assert!(!snapshot.are_due());
    assert!(matches!(take(&mut receiver), Some(Err(_))));
    push(&mut sender, 4);
    assert!(!snapshot.are_due(), "the listener has the second gap in hand");
    assert!(matches!(take(&mut receiver), Some(Err(_))));
    assert!(snapshot.are_due());
}
