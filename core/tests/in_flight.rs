//! What the server sent into a connection that was dead already, and what is said about it (REC-5).

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{
    DETAILS, Direct, TOKEN, actions, details, echo_of, events, good, next_connection, notification, recovered, told,
};
use ringcentral_ws_core::*;

// CLAUSE REC-5
#[test]
fn what_came_into_a_dead_connection_may_be_lost() {
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
        let gap = events(&outputs).find_map(|e| if let Event::Gap(gap) = e { Some(gap) } else { None });
        let found = gap.map(|gap| (gap.cause.clone(), gap.certainty, gap.since.0 - direct::clock().unix.0));
        let wanted = expected.then_some((GapCause::InFlight, Certainty::Possible, 0));
        assert_eq!(found, wanted, "{setting:?} {silent}");
    }
}

/// A heartbeat is not always the first to find out.
// CLAUSE REC-5 HB-6 SUB-8
#[test]
fn a_call_or_a_renewal_that_ends_a_dead_connection_is_a_gap_too() {
    let dead_call = || {
        let mut s = good();
        s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
        s.drain();
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
        assert_eq!(told(&outputs), expected, "{i}");
    }
}

/// A slow application reads the last frame of a connection that has been dead for a while.
// CLAUSE REC-5 HB-3
#[test]
fn silence_behind_messages_that_waited_counts() {
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
        assert_eq!(told(&outputs).first().map(String::as_str), Some(expected), "{waited} {silent} {answered}");
    }
}

/// The server takes the session, replays into a socket on which nothing arrives in time, and counts that as sent.
// CLAUSE REC-5 CON-2
#[test]
fn what_was_sent_into_a_connection_that_showed_nothing_is_a_gap() {
    let mut s = good();
    s.closed(None);
    assert!(next_connection(&mut s).0);
    let outputs = s.sleep(Duration::from_secs(16));
    assert!(events(&outputs).any(|e| matches!(e, Event::Retry { cause: Cause::HandshakeTimeout, .. })), "{outputs:?}");
    assert!(next_connection(&mut s).0);
    let outputs = s.frame(&recovered(DETAILS));
    let mut outputs = s.frame(&echo_of(&outputs));
    outputs.extend(s.frame(&notification(3)));
    assert_eq!(told(&outputs), ["gap in_flight", "3"]);
    // A dead connection, though it fell silent a moment ago.
    let mut s = good();
    s.frame(&notification(1));
    s.input(Input::NetworkChanged { online: true });
    s.sleep(Duration::from_secs(12));
    assert!(next_connection(&mut s).0);
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(told(&s.frame(&echo_of(&outputs))), ["gap in_flight"]);
}
