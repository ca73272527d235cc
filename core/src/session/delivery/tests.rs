//! What is taken in, held back and handed over.

use super::*;
use crate::output::Output;

fn ledger() -> (Delivery, Outbox) {
    (Delivery::new(ClockReading::default()), Outbox::default())
}

fn notification(uuid: usize) -> Notification {
    let text = format!(r#"[{{"type":"ServerNotification","messageId":"{uuid}"}},{{"uuid":"{uuid}","body":{{}}}}]"#);
    match crate::wire::parse(&text).unwrap().payload {
        crate::wire::Payload::Notification(fields) => Notification::new(None, &fields),
        other => panic!("not a notification: {other:?}"),
    }
}

fn drain(out: &mut Outbox) -> Vec<String> {
    std::iter::from_fn(|| out.pop())
        .filter_map(|o| match o {
            Output::Event(Event::Notification(n)) => Some(n.uuid().to_owned()),
            Output::Event(Event::Gap(g)) => Some(format!("gap {}", g.cause.as_str())),
            Output::Event(_) | Output::Action(_) | Output::Wait(_) => None,
        })
        .collect()
}

// CLAUSE REC-4
#[test]
fn a_duplicate_is_dropped_as_long_as_the_window_holds_it() {
    let (mut l, mut out) = ledger();
    assert!(l.take(notification(0), Timestamp::ZERO, &mut out));
    (1..MIN_WINDOW).for_each(|i| assert!(l.take(notification(i), Timestamp::ZERO, &mut out)));
    assert!(!l.take(notification(0), Timestamp::ZERO, &mut out));
    assert_eq!(drain(&mut out).len(), MIN_WINDOW);
    assert_eq!(l.recent().len(), MIN_WINDOW);
    l.take(notification(MIN_WINDOW), Timestamp::ZERO, &mut out);
    assert_eq!(l.recent().len(), MIN_WINDOW);
}

// CLAUSE REC-4
#[test]
fn keys_that_look_alike_are_distinguished() {
    let alike = |n: u64| u128::from(n) << 64 | u128::from(n ^ 5);
    let mut recent = Keys::default();
    // With places for three, the fifth lies in the other half of the ring.
    (1..=5).for_each(|n| recent.remember(alike(n), 3));
    assert!([3, 4, 5].iter().all(|n| recent.contains(alike(*n))));
    assert!([1, 2, 6].iter().all(|n| !recent.contains(alike(*n))));
    // A window of nothing, as a damaged recording may have it, is no endless search for room.
    recent.remember(alike(6), 0);
    assert!(recent.contains(alike(6)) && recent.len() == 1);
}

// CLAUSE REC-5
#[test]
fn a_replay_as_large_as_the_buffer_is_preceded_by_a_gap() {
    for (count, gap) in [(99, false), (100, true), (101, true)] {
        let (mut l, mut out) = ledger();
        l.replay_started(100, usize::MAX, UnixMillis(0));
        (0..count).for_each(|i| assert!(l.take(notification(i), Timestamp::ZERO, &mut out)));
        l.replay_ended(Timestamp::ZERO, &mut out);
        let seen = drain(&mut out);
        assert_eq!(seen[0] == "gap replay_overflow", gap, "{count}");
        let delivered: Vec<_> = seen.iter().filter(|s| !s.starts_with("gap")).cloned().collect();
        assert_eq!(delivered, (0..count).map(|i| i.to_string()).collect::<Vec<_>>());
    }
}

// CLAUSE SEC-3
#[test]
fn what_is_held_is_counted_and_given_back() {
    let one = notification(1).held_bytes();
    for end in [Delivery::replay_ended, Delivery::replay_interrupted] {
        let (mut l, mut out) = ledger();
        l.replay_started(100, 3 * one, UnixMillis(0));
        for (n, held) in [(1, 1), (2, 2), (2, 2), (3, 3)] {
            l.take(notification(n), Timestamp::ZERO, &mut out);
            assert_eq!((l.held_bytes(), l.counted_bytes()), (held * one, held * one));
        }
        end(&mut l, Timestamp::ZERO, &mut out);
        assert_eq!((l.held_bytes(), l.counted_bytes()), (0, 0));
        l.replay_started(100, 3 * one, UnixMillis(0));
        (4..8).for_each(|n| assert!(l.take(notification(n), Timestamp::ZERO, &mut out)));
        assert_eq!((l.held_bytes(), l.is_replaying()), (0, false));
    }
}

// CLAUSE REC-5
#[test]
fn what_cannot_be_read_takes_a_place_in_the_buffer() {
    for (readable, gap) in [(98, false), (99, true)] {
        let (mut l, mut out) = ledger();
        l.replay_started(100, usize::MAX, UnixMillis(0));
        l.take(notification(0), Timestamp::ZERO, &mut out);
        l.count_replay_slot(Timestamp::ZERO, &mut out);
        for i in 1..readable {
            l.take(notification(i), Timestamp::ZERO, &mut out);
        }
        l.replay_ended(Timestamp::ZERO, &mut out);
        assert_eq!(drain(&mut out)[0] == "gap replay_overflow", gap, "{readable}");
    }
}

// CLAUSE REC-5
#[test]
fn what_had_been_delivered_does_not_hide_an_overflow() {
    for (replay, gap) in [(vec![1, 2, 3], false), (vec![3, 4], true), (vec![1, 2, 3, 4], true)] {
        let (mut l, mut out) = ledger();
        (1..=3).for_each(|i| assert!(l.take(notification(i), Timestamp::ZERO, &mut out)));
        drain(&mut out);
        l.replay_started(2, usize::MAX, UnixMillis(0));
        for i in &replay {
            l.take(notification(*i), Timestamp::ZERO, &mut out);
        }
        l.replay_ended(Timestamp::ZERO, &mut out);
        let seen = drain(&mut out);
        assert_eq!(seen.iter().any(|s| s == "gap replay_overflow"), gap, "{replay:?}");
        assert_eq!(seen.len(), replay.iter().filter(|i| **i > 3).count() + usize::from(gap));
    }
}

// CLAUSE REC-5
#[test]
fn a_replay_cut_short_is_a_gap_only_if_something_of_it_came() {
    let (mut l, mut out) = ledger();
    l.replay_started(100, usize::MAX, UnixMillis(0));
    l.replay_interrupted(Timestamp::ZERO, &mut out);
    assert!(drain(&mut out).is_empty() && !l.is_replaying());
    l.replay_started(100, usize::MAX, UnixMillis(0));
    l.take(notification(1), Timestamp::ZERO, &mut out);
    l.replay_interrupted(Timestamp::ZERO, &mut out);
    assert_eq!(drain(&mut out), ["gap replay_interrupted", "1"]);
}

// CLAUSE REC-5
#[test]
fn a_loss_before_a_replay_began_to_come_is_the_first_cause() {
    let (mut l, mut out) = ledger();
    l.replay_started(3, usize::MAX, UnixMillis(0));
    l.lost(GapCause::InFlight, UnixMillis(0), &mut out);
    l.lost(GapCause::UnreadableFrame, UnixMillis(0), &mut out);
    l.lost(GapCause::SubscriptionLost, UnixMillis(0), &mut out);
    (0..3).for_each(|i| assert!(l.take(notification(i), Timestamp::ZERO, &mut out)));
    assert_eq!(drain(&mut out), ["gap unreadable_frame", "0", "1", "2"]);
}

// CLAUSE REC-5
#[test]
fn a_replay_that_overflowed_is_surer_than_what_may_have_been_on_its_way() {
    let (mut l, mut out) = ledger();
    l.lost(GapCause::InFlight, UnixMillis(0), &mut out);
    l.replay_started(2, usize::MAX, UnixMillis(0));
    (0..2).for_each(|i| assert!(l.take(notification(i), Timestamp::ZERO, &mut out)));
    assert_eq!(drain(&mut out), ["gap replay_overflow", "0", "1"]);
}

// CLAUSE REC-5 CON-7
#[test]
fn the_earliest_beginning_of_a_loss_stands() {
    for (first, second) in [(4_000, 1_000), (1_000, 4_000)] {
        let (mut l, mut out) = ledger();
        l.lost(GapCause::UnreadableFrame, UnixMillis(first), &mut out);
        l.lost(GapCause::Contended, UnixMillis(second), &mut out);
        assert_eq!(l.pending().map(|gap| gap.since), Some(UnixMillis(1_000)));
    }
}

// CLAUSE REC-5
#[test]
fn a_noted_loss_is_emitted_before_the_next_notification() {
    let (mut l, mut out) = ledger();
    l.lost(GapCause::UnreadableFrame, UnixMillis(0), &mut out);
    l.take(notification(1), Timestamp::ZERO, &mut out);
    assert_eq!(drain(&mut out), ["gap unreadable_frame", "1"]);
}

// CLAUSE REC-5
#[test]
fn the_surest_cause_of_a_loss_is_reported_once_with_its_bounds() {
    let (mut l, mut out) = ledger();
    l.take(notification(7), Timestamp::from_secs(1), &mut out);
    let nameless = Notification::new(None, &crate::wire::NotificationFields::default());
    assert!(l.take(nameless, Timestamp::from_secs(1), &mut out));
    l.lost(GapCause::WindowPassed, UnixMillis(2_000), &mut out);
    l.lost(GapCause::QueueOverflow, UnixMillis(3_000), &mut out);
    drain(&mut out);
    l.flush_gap(Timestamp::from_secs(9), &mut out);
    let expected = Gap {
        certainty: crate::gap::Certainty::Certain,
        cause: GapCause::QueueOverflow,
        after: Some("7".into()),
        since: UnixMillis(2_000),
        until: UnixMillis(9_000),
    };
    assert_eq!(out.pop(), Some(Output::Event(Event::Gap(expected))));
    drain(&mut out);
    l.flush_gap(Timestamp::from_secs(10), &mut out);
    assert!(drain(&mut out).is_empty());
}

// CLAUSE REC-5
#[test]
fn only_a_loss_that_changes_what_is_noted_is_stored() {
    use GapCause::{InFlight, UnreadableFrame};
    for (cause, since, changes) in [
        (InFlight, 2_000, false),
        (InFlight, 3_000, false),
        (InFlight, 1_000, true),
        (UnreadableFrame, 3_000, true),
        (UnreadableFrame, 1_000, true),
    ] {
        let (mut l, mut out) = ledger();
        l.lost(InFlight, UnixMillis(2_000), &mut out);
        assert_eq!(out.pop(), Some(Output::Event(Event::SnapshotChanged)));
        l.lost(cause.clone(), UnixMillis(since), &mut out);
        assert_eq!(out.pop().is_some(), changes, "{cause:?} {since}");
    }
}
