//! A recovery whose replay always breaks the reader: in the end the client does without it, and says so.

use crate::harness;

use std::time::{Duration, Instant};

use ringcentral_ws_conformance::peer::{Opening, Peer, RawFrame, Recovery, Step, uuid};
use ringcentral_ws_conformance::{DEADLINE, Harness};
use ringcentral_ws_core::{Close, Event, ProtocolError, Resumption, Unreadable};

/// Attempts with the handle, and the fresh one.
const ATTEMPTS: usize = 4;

/// How long all of it may take.
const LIMIT: Duration = Duration::from_secs(60);

fn script(opening: &Opening) -> Option<Vec<Step>> {
    if !opening.is_upgrade() {
        return None;
    }
    let notify = |subject: &str| Step::Notify(subject.to_owned());
    Some(if opening.has_handle() {
        let broken = Step::Write(RawFrame::text("a replay").rsv(4).bytes());
        vec![Step::Upgrade, Step::Details(Recovery::Successful), broken]
    } else {
        let start = vec![Step::Upgrade, Step::Details(Recovery::Fresh), Step::Subscribed];
        let rest = if opening.number == 0 { vec![notify("one"), Step::End] } else { vec![notify("two")] };
        [start, rest].concat()
    })
}

fn play(name: &str) {
    let harness = harness::all().into_iter().find(|harness| harness.name() == name).expect("an adapter");
    play_on(&*harness);
}

fn play_on(harness: &dyn Harness) {
    let peer = Peer::start(script);
    let mut client = harness.start(peer.setup());
    let (began, mut events) = (Instant::now(), Vec::new());
    let is = |event: &Event, subject: &str| matches!(event, Event::Notification(n) if n.uuid() == uuid(subject));
    let handles = || peer.upgrades().iter().map(Opening::has_handle).collect::<Vec<bool>>();
    while !events.last().is_some_and(|event| is(event, "two")) {
        assert!(handles().len() <= 1 + ATTEMPTS, "too many connections; those with a handle: {:?}", handles());
        let left = LIMIT.saturating_sub(began.elapsed());
        let event = client.next_event(left);
        let event = event.unwrap_or_else(|| panic!("no second notification in time; with a handle: {:?}", handles()));
        events.push(event.expect("it goes on"));
    }
    let with_handle = handles();
    assert!(with_handle.len() <= 1 + ATTEMPTS, "{with_handle:?}");
    let (fresh, tried) = with_handle[1..].split_last().expect("it connects again");
    assert!(!fresh && !tried.is_empty() && tried.iter().all(|handle| *handle), "{with_handle:?}");
    // Behind the first notification, which is the end of what is certain.
    let first = events.iter().position(|event| is(event, "one")).expect("the first notification");
    let later = &events[first + 1..];
    let gaps: Vec<_> =
        later.iter().filter_map(|event| if let Event::Gap(gap) = event { Some(gap) } else { None }).collect();
    assert!(!gaps.is_empty() && gaps.iter().all(|gap| gap.after.as_deref() == Some(&*uuid("one"))), "{gaps:?}");
    let unreadable = |event: &&Event| {
        matches!(event, Event::ProtocolError { error: ProtocolError::Transport(Unreadable::ReservedBits), .. })
    };
    assert_eq!(later.iter().filter(unreadable).count(), tried.len());
    let notifications = events.iter().filter(|event| matches!(event, Event::Notification(_)));
    assert_eq!(notifications.count(), 2, "each once");
    let lost = |event: &Event| matches!(event, Event::Connected { resumption: Resumption::Lost, .. });
    assert!(later.iter().any(lost), "the last connection is known to continue nothing");
    client.close(Close::Revoke);
    while let Some(event) = client.next_event(DEADLINE).expect("the events end") {
        assert!(!matches!(event, Event::Notification(_) | Event::ProtocolError { .. }), "{event:?}");
    }
    assert_eq!(peer.faults(), Vec::<String>::new());
}

// CLAUSE REC-9
#[test]

fn tokio_gives_up_a_recovery_that_always_breaks() {
    play("tokio");
}

// CLAUSE REC-9
#[test]

fn smol_gives_up_a_recovery_that_always_breaks() {
    play("smol");
}

// CLAUSE REC-9
#[test]

fn async_std_gives_up_a_recovery_that_always_breaks() {
    play("async-std");
}

// CLAUSE REC-9
#[test]

fn blocking_gives_up_a_recovery_that_always_breaks() {
    play("blocking");
}
