//! What is shown of each state, with the clock in the test's hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringcentral_ws_core::{CloseReason, Config, ConnId, Event, Timestamp, WaitReason};

use super::*;
use crate::clock::{Clock, ClockTimes};

/// The clock in seconds, and what is measured with it.
fn vitals() -> (Arc<AtomicU64>, Vitals) {
    let clock = Arc::new(AtomicU64::new(0));
    let shown = Arc::clone(&clock);
    let look = move || {
        let now = Duration::from_secs(shown.load(Ordering::SeqCst));
        ClockTimes { boot: now, mono: Duration::ZERO, wall: now + Duration::from_secs(1_700_000_000) }
    };
    let slack = Duration::from_secs(2);
    let vitals = Vitals::new(&Clock::new(slack, look), &Config::default(), slack);
    (clock, vitals)
}

fn ready() -> Pulse {
    Pulse {
        session: SessionState::Ready { conn: ConnId::from(1) },
        subscription: SubscriptionState::Active,
        last_received: Some(Timestamp::from_secs(10)),
        due: Some(Timestamp::from_secs(40)),
        ..Pulse::default()
    }
}

#[test]
fn a_driver_that_does_not_run_looks_old() {
    let (clock, vitals) = vitals();
    let look = |at: u64| {
        clock.store(at, Ordering::SeqCst);
        Health::of(&ready(), false, &vitals)
    };
    let health = look(11);
    assert!(health.is_ready() && health.connected && health.subscribed_as_wanted == Some(true));
    assert_eq!(health.last_proof_of_life, Some(Duration::from_secs(1)));
    assert_eq!(health.last_proof_of_life_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_010)));
    assert_eq!(health.to_string(), "ready; the server was last heard 1.0 s ago");
    assert!(look(42).is_ready(), "a heartbeat is due, and within the slack");
    let asleep = look(43);
    assert_eq!((asleep.reason, asleep.driver_late), (Some(NotReady::DriverLate), Some(Duration::from_secs(3))));
    assert_eq!(asleep.last_proof_of_life, Some(Duration::from_secs(33)), "the monotonic clock has not moved");
    assert!(asleep.to_string().contains("; it is 3.0 s late;"), "{asleep}");
    // Never polled at all.
    let unborn = Health::of(&Pulse::default(), false, &vitals);
    assert_eq!((unborn.reason, unborn.last_proof_of_life), (Some(NotReady::DriverLate), None));
    // Gone.
    let gone = Health::of(&ready(), true, &vitals);
    assert!(gone.ended && !gone.connected && gone.driver_late.is_none() && gone.reason == Some(NotReady::Ended));
}

#[test]
fn silence_and_a_pause_of_reading_are_told_apart() {
    let (clock, vitals) = vitals();
    let running = Pulse { due: None, ..ready() };
    clock.store(52, Ordering::SeqCst);
    assert!(Health::of(&running, false, &vitals).is_ready(), "30 s, 10 s and the slack");
    let paused = Pulse { paused_since: Some(Timestamp::from_secs(20)), ..running.clone() };
    let short = Health::of(&paused, false, &vitals);
    assert!(short.is_ready() && short.reading_paused == Some(Duration::from_secs(32)));
    assert_eq!(short.to_string(), "ready; reading has paused for 32.0 s; the server was last heard 42.0 s ago");
    clock.store(53, Ordering::SeqCst);
    assert_eq!(Health::of(&running, false, &vitals).reason, Some(NotReady::Silent));
    assert_eq!(Health::of(&paused, false, &vitals).reason, Some(NotReady::ReadingPaused));
}

#[test]
fn the_reason_is_the_first_thing_in_the_way() {
    let (clock, vitals) = vitals();
    clock.store(11, Ordering::SeqCst);
    let of = |session, subscription, has_disabled| {
        Health::of(&Pulse { session, subscription, has_disabled, ..ready() }, false, &vitals)
    };
    let (on, active) = (ready().session, SubscriptionState::Active);
    let until = Timestamp::from_secs(14);
    let waiting = of(SessionState::Waiting { attempt: 3, until, reason: WaitReason::RetryAfter }, active, false);
    assert_eq!((waiting.next_try, waiting.failed_attempts), (Some(Duration::from_secs(3)), 3));
    assert_eq!(waiting.reason, Some(NotReady::Waiting(WaitReason::RetryAfter)));
    assert_eq!(
        waiting.to_string(),
        "not ready: waiting for the next attempt: the server asked to wait; next try in 3.0 s, 3 failed; \
         the server was last heard 1.0 s ago"
    );
    let nothing = of(on, SubscriptionState::None, false);
    assert!(nothing.is_ready() && nothing.subscribed_as_wanted.is_none());
    assert!(nothing.to_string().starts_with("ready; nothing is subscribed;"), "{nothing}");
    for (session, subscription, has_disabled, reason) in [
        (SessionState::Idle, active, false, NotReady::NotStarted),
        (SessionState::Connecting, active, false, NotReady::Connecting),
        (SessionState::AwaitingStore, active, false, NotReady::AwaitingStore),
        (SessionState::Offline, active, false, NotReady::Offline),
        (SessionState::Closing, active, false, NotReady::Closing),
        (SessionState::Closed, active, false, NotReady::Ended),
        (on, SubscriptionState::Pending, false, NotReady::SubscriptionPending),
        (on, SubscriptionState::Refused, true, NotReady::SubscriptionRefused),
        (on, active, true, NotReady::FiltersDisabled),
    ] {
        let health = of(session, subscription, has_disabled);
        assert_eq!(health.reason, Some(reason), "{health}");
        assert!(!health.to_string().contains('\n') && !health.is_ready());
        assert_eq!(health.connected, session == on);
        assert_eq!(health.ended, session == SessionState::Closed);
    }
}

fn retry(cause: Cause) -> Event {
    let (at, delay) = (Timestamp::ZERO, Duration::ZERO);
    Event::Retry { attempt: 1, cause, at, delay, reason: WaitReason::LoginLimit }
}

// CLAUSE TOK-9
#[test]
fn a_wait_for_a_limit_of_the_program_is_not_the_servers() {
    let (clock, vitals) = vitals();
    clock.store(11, Ordering::SeqCst);
    let waiting = |reason| SessionState::Waiting { attempt: 1, until: Timestamp::from_secs(14), reason };
    let mut pulse = Pulse { session: waiting(WaitReason::LoginLimit), ..ready() };
    pulse.last_cause.note(&retry(Cause::LoginLimit { message: "60 a minute; 2 wait".into() }));
    let limited = Health::of(&pulse, false, &vitals);
    assert_eq!(
        limited.to_string(),
        "not ready: waiting for its turn to log in (`LoginLimits`); next try in 3.0 s, \
         1 failed; last failure: the login waits: 60 a minute; 2 wait; the server was last heard 1.0 s ago"
    );
    let json = serde_json::to_value(&limited).unwrap();
    assert_eq!((&json["reason"], &json["last_cause"]), (&"login_limit".into(), &"login_limit".into()));
    pulse.session = waiting(WaitReason::AuthBudget);
    assert_eq!(Health::of(&pulse, false, &vitals).reason, Some(NotReady::Waiting(WaitReason::AuthBudget)));
}

// CLAUSE SEC-5
#[test]
fn it_says_why_the_last_attempt_failed() {
    let (_, vitals) = vitals();
    let mut pulse = ready();
    let look = |pulse: &Pulse| Health::of(pulse, false, &vitals).to_string();
    let cause = Cause::Credentials { code: None, message: format!("\u{202e}\n{}", "x".repeat(900)).into() };
    pulse.last_cause.note(&retry(cause.clone()));
    pulse.last_cause.note(&Event::SnapshotChanged);
    let shown = look(&pulse);
    assert!(shown.contains("; last failure: the login failed: \\u{202e}") && shown.len() < 400, "{shown}");
    assert!(!shown.contains('\n'));
    let conn = ConnId::from(2);
    pulse.last_cause.note(&Event::Disconnected { conn, cause: Cause::SocketLost, reason: None });
    assert!(look(&pulse).contains("; last failure: the connection was lost"));
    pulse.last_cause.note(&Event::Closed { reason: CloseReason::Permanent(cause.clone()) });
    assert_eq!(pulse.last_cause.get(), Some(&cause));
    pulse.last_cause.note(&Event::Closed { reason: CloseReason::Detached });
    assert_eq!(pulse.last_cause.get(), None, "an orderly end is no failure");
}

#[test]
fn a_slow_application_shows_before_reading_pauses() {
    let (clock, vitals) = vitals();
    let look = |at: u64, oldest: Option<u64>| {
        clock.store(at, Ordering::SeqCst);
        let oldest = oldest.map(Timestamp::from_secs);
        Health::of(&ready(), false, &vitals).with_queue(Waiting { events: 7, capacity: 1024, oldest })
    };
    assert_eq!(look(12, None).oldest_event, None);
    let burst = look(12, Some(12));
    assert_eq!((burst.events_waiting, burst.events_capacity, burst.oldest_event), (7, 1024, Some(Duration::ZERO)));
    assert!(!burst.to_string().contains("wait"), "{burst}");
    let slow = look(15, Some(12));
    assert!(slow.is_ready() && slow.oldest_event == Some(Duration::from_secs(3)));
    assert!(slow.to_string().contains("; 7 of 1024 events wait, the oldest for 3.0 s;"), "{slow}");
}

#[test]
fn as_json_the_units_are_in_the_names() {
    let (clock, vitals) = vitals();
    clock.store(12, Ordering::SeqCst);
    let json = serde_json::to_value(Health::of(&ready(), false, &vitals)).unwrap();
    let expected = serde_json::json!({
        "ready": true, "reason": null, "connected": true, "subscribed_as_wanted": true,
        "last_proof_of_life_seconds": 2.0, "next_try_seconds": null, "failed_attempts": 0,
        "last_cause": null, "reading_paused_seconds": null, "driver_late_seconds": null, "ended": false,
        "events_waiting": 0, "events_capacity": 0, "oldest_event_seconds": null,
    });
    assert_eq!(json, expected);
}
