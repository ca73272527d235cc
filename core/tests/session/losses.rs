//! Losses: which gap follows which end of a connection, and since when (REC-5).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, TOKEN, actions, clock, delivered, details, echo_of, events, gap, good, next_connection,
    notification, recovered,
};

// CLAUSE REC-5
#[test]
fn silence_before_a_loss_is_a_gap_by_the_setting() {
    for (setting, silent, expected) in [
        (InFlightGaps::AfterSilence, true, true),
        (InFlightGaps::AfterSilence, false, false),
        (InFlightGaps::EveryLoss, false, true),
        (InFlightGaps::Off, true, false),
    ] {
        let mut s = Direct::ready(Config { in_flight_gaps: setting, ..Config::default() });
        s.subscribed();
        s.frame(&notification(1));
        if silent {
            s.sleep(Duration::from_secs(40));
            assert!(!matches!(s.session.state(), SessionState::Ready { .. }), "no heartbeat was answered");
        } else {
            s.closed(None);
        }
        next_connection(&mut s);
        let outputs = s.frame(&recovered(DETAILS));
        let outputs = s.frame(&echo_of(&outputs));
        let gap = gap(&outputs);
        let found = gap.map(|gap| (gap.cause.clone(), gap.certainty, gap.since.0 - clock().unix.0));
        let expected_gap = expected.then_some((GapCause::InFlight, Certainty::Possible, 0));
        assert_eq!(found, expected_gap, "{setting:?} {silent}");
    }
}

/// Not only a heartbeat shows that a connection is dead.
// CLAUSE REC-5 HB-6 SUB-8
#[test]
fn a_call_or_a_renewal_that_ends_a_dead_connection_is_a_gap() {
    let dead_call = || {
        let mut s = good();
        s.subscribe_to("/b");
        s.sleep(Duration::from_secs(25));
        s.frame(&notification(2));
        s.sleep(Duration::from_secs(36));
        s
    };
    let renewing = |silence: usize| {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(r#""absoluteTimeout":100"#));
        s.subscribed();
        for n in 0..(90 - silence) / 2 {
            s.sleep(Duration::from_secs(2));
            s.frame(&notification(100 + n));
        }
        while !matches!(s.session.state(), SessionState::Closing) {
            let outputs = s.sleep(Duration::from_millis(100));
            if actions(&outputs).any(|action| matches!(action, Action::Http { .. })) {
                s.http(200, TOKEN);
            }
        }
        s
    };
    let late = |silence| {
        let mut s = renewing(silence);
        s.sleep(Duration::from_secs(6));
        s
    };
    let reset = |silence, code| {
        let mut s = renewing(silence);
        s.closed(code);
        s
    };
    let cases = [dead_call(), late(32), reset(32, None), reset(32, Some(1000)), late(2), reset(2, None)];
    for (i, mut s) in cases.into_iter().enumerate() {
        assert!(!matches!(s.session.state(), SessionState::Ready { .. }), "{i}");
        if !matches!(s.session.state(), SessionState::Connecting) {
            assert!(next_connection(&mut s).0, "{i}");
        }
        s.input(Input::Opened { conn: s.conn });
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        outputs.extend(s.frame(&notification(4)));
        let expected: &[&str] = if i < 3 { &["gap in_flight", "4"] } else { &["4"] };
        assert_eq!(delivered(&outputs), expected, "{i}");
    }
}

// CLAUSE REC-5
#[test]
fn silence_counts_once_it_is_longer_than_the_interval_of_heartbeats() {
    for (silent, expected) in [(30_000_000, "3"), (30_000_001, "gap in_flight")] {
        let mut s = good();
        s.frame(&notification(2));
        s.now = s.now.after(Duration::from_micros(silent));
        s.closed(None);
        assert!(next_connection(&mut s).0);
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        outputs.extend(s.frame(&notification(3)));
        assert_eq!(delivered(&outputs).first().map(String::as_str), Some(expected), "{silent}");
    }
}

/// A slow application reads the last frame of a connection that has been dead for a while.
// CLAUSE REC-5 HB-3
#[test]
fn silence_behind_unread_messages_is_a_gap() {
    for (waited, silent, answered, expected) in [
        (35, 0, false, "gap in_flight"),
        (20, 25, false, "gap in_flight"),
        (20, 25, true, "4"),
        (35, 0, true, "4"),
        (2, 25, false, "4"),
    ] {
        let mut s = good();
        let end = s.now.after(Duration::from_secs(waited));
        while let Wait::Until { at, .. } = s.wait
            && at <= end
        {
            s.now = at;
            s.input(Input::Unread { conn: s.conn });
        }
        s.now = end;
        let outputs = s.input(Input::Unread { conn: s.conn });
        s.frame(&notification(3));
        if answered {
            s.frame(&echo_of(&outputs));
        }
        s.sleep(Duration::from_secs(silent));
        s.closed(None);
        assert!(next_connection(&mut s).0);
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        outputs.extend(s.frame(&notification(4)));
        assert_eq!(delivered(&outputs).first().map(String::as_str), Some(expected), "{waited} {silent} {answered}");
    }
}

/// What is read while the connection closes may have waited for as long as reading had paused, and what was sent behind it
/// meanwhile may come to another process: a gap of that one begins before the pause.
// CLAUSE REC-5 HB-3 PST-5
#[test]
fn what_is_read_late_at_an_orderly_end_dates_nothing() {
    let mut s = good();
    s.frame(&notification(3));
    let last_seen = |s: &Direct| {
        let json = s.session.snapshot().unwrap().to_json();
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["last_seen"].as_u64().unwrap()
    };
    let before = last_seen(&s);
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    s.now = s.now.after(Duration::from_secs(4));
    s.input(Input::Unread { conn: s.conn });
    s.frame(&notification(4));
    let outputs = s.closed(Some(1000));
    assert!(events(&outputs).any(|e| matches!(e, Event::Closed { .. })), "{outputs:?}");
    assert_eq!(last_seen(&s), before);
}

/// The server may have accepted the recovery token and replayed into a socket on which nothing arrived in time.
// CLAUSE REC-5 CON-2
#[test]
fn a_recovery_attempt_that_showed_nothing_is_a_gap() {
    let mut s = good();
    s.closed(None);
    assert!(next_connection(&mut s).0);
    let outputs = s.sleep(Duration::from_secs(16));
    assert!(events(&outputs).any(|e| matches!(e, Event::Retry { cause: Cause::HandshakeTimeout, .. })), "{outputs:?}");
    assert!(next_connection(&mut s).0);
    let outputs = s.frame(&recovered(DETAILS));
    let mut outputs = s.frame(&echo_of(&outputs));
    outputs.extend(s.frame(&notification(3)));
    assert_eq!(delivered(&outputs), ["gap in_flight", "3"]);
    // The network returned, and the heartbeat that it caused was not answered.
    let mut s = good();
    s.frame(&notification(1));
    s.input(Input::NetworkChanged { online: true });
    s.sleep(Duration::from_secs(12));
    assert!(next_connection(&mut s).0);
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(delivered(&s.frame(&echo_of(&outputs))), ["gap in_flight"]);
}

fn bounds(outputs: &[Output]) -> Vec<(u64, u64)> {
    let bounds = |e: &Event| if let Event::Gap(gap) = e { Some((gap.since.0, gap.until.0)) } else { None };
    events(outputs).filter_map(bounds).collect()
}

// CLAUSE REC-5 PST-2
#[test]
fn a_gap_ends_no_earlier_than_it_begins() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.now = Timestamp::from_secs(1000);
    s.frame(&notification(1));
    let seen = clock().unix.0 + 1_000_000;
    let snapshot = s.session.snapshot().unwrap();
    // The wall clock was changed between the two processes.
    for unix in [0, seen - 1, seen, seen + 5_000] {
        let clock = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(unix) };
        let mut s = Direct::restored_at(Config::default(), snapshot.clone(), clock);
        s.authorize();
        s.open();
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        assert_eq!(delivered(&outputs), ["gap restored"]);
        assert_eq!(bounds(&outputs), [(seen, unix.max(seen))]);
    }
}
