//! Recovery: the recovery token, the end of a replay, duplicates, and when to give up (REC).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, TOKEN, actions, carries_handle, clock, count, delivered, details, echo_of, events, gap, good,
    is_gap, is_notification, limited, message_id, next_connection, notification, notification_of, recovered,
};

/// So many heartbeats, each answered at once, and nothing else.
fn heartbeats(s: &mut Direct, count: u32) {
    for _ in 0..count {
        let outputs = s.sleep(Duration::from_secs(30));
        s.frame(&echo_of(&outputs));
    }
}

/// A failed recovery of a session that had no subscription.
fn without_subscription(fields: &str) -> String {
    details(&format!(r#"{fields},"recoveryState":"Failed","recoveryErrorCode":"WSG-1005""#))
}

// CLAUSE REC-5
#[test]
fn only_the_echo_of_the_first_heartbeat_ends_a_replay() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let other = s.message.clone();
    s.reopen();
    let recovered = details(&format!(r#"{DETAILS},"recoveryState":"Successful""#));
    let outputs = s.frame(&recovered);
    let fence = actions(&outputs).find_map(|a| match a {
        Action::Send { text, purpose: Purpose::Heartbeat, .. } => Some(message_id(text)),
        _ => None,
    });
    assert_eq!(count(&s.frame(&notification(1)), is_notification), 0);
    let echo = |id: &str| format!(r#"[{{"type":"Heartbeat","messageId":"{id}"}}]"#);
    assert_eq!(count(&s.frame(&echo(&other)), is_notification), 0);
    assert_eq!(count(&s.frame(&echo("foreign")), is_notification), 0);
    assert_eq!(count(&s.frame(&echo(&fence.unwrap())), is_notification), 1);
}

// CLAUSE REC-5 FRM-4
#[test]
fn a_claimed_buffer_counts_as_4096_at_most() {
    let mut config = Config::default();
    config.limits.recovery_buffer = 1 << 20;
    let mut s = Direct::ready(config);
    s.subscribed();
    s.reopen();
    s.frame(&details(r#""recoveryBufferSize":1000000,"recoveryTimeout":180,"recoveryState":"Successful""#));
    assert!((1..4096).all(|n| s.frame(&notification(n)).is_empty()));
    let outputs = s.frame(&notification(4096));
    assert!(matches!(events(&outputs).next(), Some(Event::Gap(gap)) if gap.cause == GapCause::ReplayOverflow));
    assert_eq!(count(&outputs, is_notification), 4096);
}

// CLAUSE REC-5
#[test]
fn a_recovery_with_a_buffer_of_zero_is_a_gap() {
    let fields = r#""recoveryBufferSize":0,"recoveryTimeout":180"#;
    let mut s = Direct::connecting(Config::default());
    s.frame(&details(fields));
    s.subscribed();
    s.frame(&notification(1));
    s.reopen();
    let outputs = s.frame(&recovered(fields));
    let echo = echo_of(&outputs);
    let mut outputs = s.frame(&echo);
    outputs.extend(s.frame(&notification(3)));
    assert_eq!(delivered(&outputs), ["gap replay_overflow", "3"]);
}

// CLAUSE REC-5 SUB-4
#[test]
fn replayed_notifications_of_other_subscriptions_count_against_the_buffer() {
    let fields = r#""recoveryBufferSize":4,"recoveryTimeout":180"#;
    for (foreign, own, gap) in [(2, 1, false), (2, 2, true), (4, 0, true), (3, 0, false)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(fields));
        s.subscribed();
        s.reopen();
        let mut outputs = s.frame(&recovered(fields));
        let echo = echo_of(&outputs);
        (0..foreign).for_each(|n| outputs.extend(s.frame(&notification_of("other", n))));
        (10..10 + own).for_each(|n| outputs.extend(s.frame(&notification(n))));
        outputs.extend(s.frame(&echo));
        outputs.extend(s.frame(&notification(99)));
        let delivered = delivered(&outputs);
        assert_eq!(delivered[0] == "gap replay_overflow", gap, "{foreign} {own} {delivered:?}");
        assert_eq!(delivered.len(), usize::from(gap) + own + 1);
    }
}

// CLAUSE REC-5 SEC-3
#[test]
fn a_replay_that_fills_the_buffer_is_a_gap() {
    // The smaller of the claimed and the configured number decides.
    for (claimed, sent, gap) in [(9, 3, false), (9, 4, true), (9, 5, true), (3, 2, false), (3, 3, true), (0, 1, true)] {
        let mut s = Direct::ready(limited(|b| b.recovery_buffer = 4));
        s.subscribed();
        s.reopen();
        s.frame(&details(&format!(r#""recoveryState":"Successful","recoveryBufferSize":{claimed}"#)));
        let mut outputs = Vec::new();
        (0..sent).for_each(|n| outputs.extend(s.frame(&notification(n))));
        outputs.extend(s.sleep(Duration::from_secs(1)));
        assert_eq!(count(&outputs, is_gap) == 1, gap, "{claimed} {sent}");
    }
}

// CLAUSE REC-4
#[test]
fn duplicates_are_known_for_twice_the_buffer() {
    // Exactly twice the buffer of 200 is remembered.
    for (between, again) in [(398, 0), (399, 0), (400, 1)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(r#""recoveryBufferSize":200"#));
        s.subscribed();
        (0..=between).for_each(|n| assert_eq!(count(&s.frame(&notification(n)), is_notification), 1));
        // The snapshot shows it, because the checker would fail on a second delivery.
        let snapshot = s.session.snapshot().unwrap();
        let known = snapshot.to_json().contains(r#""recent":["0","#);
        assert_eq!(known, again == 0, "{between}");
    }
}

// CLAUSE REC-9
#[test]
fn three_short_recoveries_in_a_row_give_the_session_up() {
    let mut s = good();
    s.closed(None);
    let lost = s.now;
    for n in 1..=3 {
        let (handle, _) = next_connection(&mut s);
        assert!(handle, "attempt {n}");
        s.frame(&recovered(DETAILS));
        s.closed(None);
    }
    let (handle, _) = next_connection(&mut s);
    assert!(!handle, "the fourth is fresh");
    assert!(s.now.since(lost) < Duration::from_secs(60), "{:?}", s.now.since(lost));
    let mut outputs = s.frame(&details(DETAILS));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(delivered(&outputs), ["gap recovery_abandoned", "2"]);
}

// CLAUSE REC-9
#[test]
fn a_recovery_that_brings_a_notification_or_an_echo_is_not_given_up() {
    let mut s = good();
    s.closed(None);
    for n in 2..8 {
        let (handle, _) = next_connection(&mut s);
        assert!(handle, "attempt {n}");
        let outputs = s.frame(&recovered(DETAILS));
        if n % 2 == 0 {
            s.frame(&notification(n));
        } else {
            s.frame(&echo_of(&outputs));
        }
        s.closed(None);
    }
}

// CLAUSE REC-9
#[test]
fn three_refusals_of_a_handle_give_it_up_in_whatever_form() {
    let refusals: [fn(&mut Direct); 4] = [
        |s| drop(s.closed(Some(4001))),
        |s| drop(s.closed(Some(1011))),
        |s| drop(s.frame(r#"[{"type":"Error"},{"errorCode":"WSG-999"}]"#)),
        |s| drop(s.closed(Some(4400))),
    ];
    for (i, refuse) in refusals.into_iter().enumerate() {
        let mut s = good();
        s.closed(None);
        for n in 1..=3 {
            assert!(next_connection(&mut s).0, "form {i}, attempt {n}");
            refuse(&mut s);
        }
        assert!(!next_connection(&mut s).0, "form {i}: the fourth is fresh");
        let mut outputs = s.frame(&details(DETAILS));
        outputs.extend(s.reply(200, r#"{"id":"s"}"#));
        assert_eq!(delivered(&outputs), ["gap recovery_abandoned"], "form {i}");
    }
}

fn refused_upgrade(s: &mut Direct, status: u16) -> bool {
    loop {
        let outputs = s.sleep(Duration::from_secs(1));
        let mut outputs = outputs;
        if actions(&outputs).any(|action| matches!(action, Action::Http { .. })) {
            outputs = s.http(200, TOKEN);
        }
        if let Some(handle) = carries_handle(&outputs) {
            let failure =
                OpenFailure { phase: Phase::Response, status: Some(status), retry_after: None, message: "no".into() };
            s.input(Input::OpenFailed { conn: s.conn, failure });
            return handle;
        }
    }
}

// CLAUSE REC-9 REC-1
#[test]
fn an_unavailable_service_does_not_give_the_handle_up_inside_the_window() {
    for (status, last) in [(503, 181), (502, 181), (400, 30), (500, 30), (403, 30)] {
        let mut s = good();
        s.closed(None);
        let lost = s.now;
        while refused_upgrade(&mut s, status) {
            let passed = s.now.since(lost).as_secs();
            assert!(passed < last + 60, "HTTP {status}: the handle is still tried after {passed} s");
        }
        let passed = s.now.since(lost).as_secs();
        assert!(status < 502 || passed >= last, "HTTP {status}: given up after {passed} s");
    }
}

// CLAUSE REC-8
#[test]
fn every_wait_of_more_than_three_seconds_is_an_event() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    for n in 0..12 {
        let before = s.now;
        let mut outputs = s.closed(None);
        let (_, more) = next_connection(&mut s);
        outputs.extend(more);
        let spoken = events(&outputs).any(|e| matches!(e, Event::Retry { .. } | Event::Waiting { .. }));
        assert!(
            spoken || s.now.since(before) <= Duration::from_secs(3),
            "loss {n}: silence of {:?}",
            s.now.since(before)
        );
        let outputs = s.frame(&recovered(DETAILS));
        s.frame(&echo_of(&outputs));
    }
}

// CLAUSE REC-9
#[test]
fn short_recoveries_before_one_of_use_do_not_count() {
    for echoed in [true, false] {
        let mut s = good();
        s.closed(None);
        for n in 1..=5 {
            let (handle, _) = next_connection(&mut s);
            assert!(handle, "attempt {n}");
            let outputs = s.frame(&recovered(DETAILS));
            if n == 3 {
                s.frame(&if echoed { echo_of(&outputs) } else { notification(2) });
            }
            s.closed(None);
        }
    }
}

// CLAUSE REC-9
#[test]
fn refusals_of_connections_without_the_recovery_token_do_not_count() {
    let mut s = Direct::ready(limited(|limits| limits.bad_frames = 1));
    s.closed(None);
    for _ in 1..=2 {
        assert!(!next_connection(&mut s).0, "without a subscription there is nothing to recover");
        s.frame("?");
    }
    next_connection(&mut s);
    s.frame(&details(DETAILS));
    s.subscribed();
    s.closed(None);
    for n in 1..=3 {
        let (handle, _) = next_connection(&mut s);
        assert!(handle, "attempt {n}");
        s.frame("?");
    }
    assert!(!next_connection(&mut s).0, "three in a row that carried it");
}

// CLAUSE REC-3 REC-5
#[test]
fn a_subscription_that_was_gone_before_the_loss_is_missed_since_its_last_notification() {
    // Beyond the window the server has forgotten the session, which says nothing of the time before.
    for (code, window, since, change) in [
        ("WSG-1005", 180, 1_000, false),
        ("WSG-1003", 180, 91_000, false),
        ("WSG-1005", 4, 91_000, false),
        // Other filters are desired meanwhile, of which the server knows nothing.
        ("WSG-1005", 180, 1_000, true),
    ] {
        let fields = format!(r#""recoveryBufferSize":100,"recoveryTimeout":{window}"#);
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(&fields));
        s.subscribed();
        s.sleep(Duration::from_secs(1));
        s.frame(&notification(1));
        heartbeats(&mut s, 3);
        s.reopen();
        if change {
            s.subscribe_to("/b");
        }
        s.now = s.now.after(Duration::from_secs(5));
        s.frame(&details(&format!(r#"{fields},"recoveryState":"Failed","recoveryErrorCode":"{code}""#)));
        let outputs = s.reply(200, r#"{"id":"t"}"#);
        let found = gap(&outputs).map(|gap| gap.since.0 - 1_700_000_000_000);
        assert_eq!(found, Some(since), "{code} {window} {outputs:?}");
    }
}

// CLAUSE REC-3 SUB-7
#[test]
fn a_deletion_of_ones_own_that_may_have_run_is_not_missed() {
    for again in [false, true] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.frame(&notification(1));
        heartbeats(&mut s, 3);
        let last_frame = s.now;
        s.unsubscribe();
        if again {
            s.subscribe();
        }
        s.reopen();
        let mut outputs = s.frame(&without_subscription(DETAILS));
        if again {
            outputs.extend(s.reply(200, r#"{"id":"t"}"#));
        }
        let since = gap(&outputs).map(|gap| gap.since.0 - 1_700_000_000_000);
        assert!(since.is_none_or(|since| since >= last_frame.as_micros() / 1_000), "{again} {since:?}");
    }
}

// CLAUSE REC-3 PST-2
#[test]
fn a_process_that_follows_knows_when_the_subscription_was_there_last() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.sleep(Duration::from_secs(1));
    s.frame(&notification(1));
    heartbeats(&mut s, 3);
    let snapshot = s.session.snapshot().unwrap();
    let at = ClockReading { unix: UnixMillis(clock().unix.0 + 100_000), ..clock() };
    let mut s = Direct::restored_at(Config::default(), snapshot, at);
    s.authorize();
    s.open();
    s.frame(&without_subscription(DETAILS));
    let outputs = s.reply(200, r#"{"id":"t"}"#);
    assert_eq!(gap(&outputs).map(|gap| gap.since.0 - 1_700_000_000_000), Some(1_000));
}

// CLAUSE REC-2 REC-3
#[test]
fn a_session_that_continued_had_its_subscription_when_the_connection_was_lost() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    heartbeats(&mut s, 2);
    s.reopen();
    let outputs = s.frame(&recovered(DETAILS));
    s.frame(&echo_of(&outputs));
    heartbeats(&mut s, 1);
    s.reopen();
    s.frame(&without_subscription(DETAILS));
    let outputs = s.reply(200, r#"{"id":"t"}"#);
    assert_eq!(gap(&outputs).map(|gap| gap.since.0 - 1_700_000_000_000), Some(60_000));
}
