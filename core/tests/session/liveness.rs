//! Liveness: heartbeats, silence, sleep, and frames that arrived before a deadline (HB).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, TOKEN, actions, delivered, details, echo_of, events, notification, recovered};

// CLAUSE C6 PST-1
#[test]
fn frames_of_another_connection_are_no_sign_of_life() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.reopen();
    s.frame(&details(&format!(r#"{DETAILS},"recoveryState":"Successful""#)));
    s.sleep(Duration::from_secs(1));
    s.input(Input::Frame { conn: s.conn, frame: Frame::Control });
    let seen = |s: &Direct| -> u64 {
        let json = s.session.snapshot().unwrap().to_json();
        serde_json::from_str::<serde_json::Value>(&json).unwrap()["last_seen"].as_u64().unwrap()
    };
    let before = seen(&s);
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    // CLAUSE PST-5
    assert!(s.session.snapshot().is_none(), "what comes until the end belongs to it");
    s.sleep(Duration::from_secs(1));
    s.input(Input::Frame { conn: s.conn, frame: Frame::Control });
    s.sleep(Duration::from_secs(1));
    s.input(Input::Frame { conn: ConnId::from(1), frame: Frame::Control });
    s.closed(None);
    assert_eq!(seen(&s), before + 1000);
    assert!(s.session.snapshot().unwrap().is_detached());
    assert!(!Direct::ready(Config::default()).session.snapshot().unwrap().is_detached());
}

// CLAUSE HB-1
#[test]
fn an_idle_timeout_of_zero_is_ignored() {
    let mut s = Direct::connecting(Config::default());
    let outputs = s.frame(&details(r#""idleTimeout":0"#));
    assert_eq!(actions(&outputs).count(), 0);
    assert_eq!(actions(&s.sleep(Duration::from_secs(29))).count(), 0);
    assert_eq!(actions(&s.sleep(Duration::from_secs(1))).count(), 1);
}

// CLAUSE REC-5 HB-6
#[test]
fn a_frame_that_arrived_before_a_deadline_is_read_first() {
    // The deadline of a close that the server does not answer.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let old = s.conn;
    while !matches!(s.wait, Wait::Until { reason: TimerKind::Close, .. }) {
        let Wait::Until { at, reason } = s.wait else { panic!("nothing is planned") };
        s.now = at;
        match reason {
            TimerKind::Heartbeat => drop(s.input(Input::Frame { conn: old, frame: Frame::Control })),
            _ => drop(s.input(Input::Timeout)),
        }
        if reason == TimerKind::Renewal {
            s.http(200, TOKEN);
        }
    }
    let Wait::Until { at, .. } = s.wait else { panic!() };
    s.now = at.after(Duration::from_millis(3));
    let outputs = s.frame(&notification(1));
    assert_eq!(delivered(&outputs), ["1"]);
    assert!(actions(&outputs).any(|a| matches!(a, Action::Drop { .. })), "{outputs:?}");

    // The deadline of a call.
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.now = Timestamp::from_secs(60);
    s.input(Input::Resumed);
    s.now = Timestamp::from_secs(63);
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert!(events(&outputs).any(|e| matches!(e, Event::Subscribed(_))), "{outputs:?}");

    // The deadline of a handshake; a notification follows ConnectionDetails in the same read.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.reopen();
    s.now = s.now.after(Duration::from_secs(15));
    let mut outputs = s.frame(&recovered(DETAILS));
    outputs.extend(s.frame(&notification(1)));
    let beat = |a: &Action| matches!(a, Action::Send { purpose: Purpose::Heartbeat, .. });
    assert!(actions(&outputs).any(beat), "{outputs:?}");
}

// CLAUSE HB-1
#[test]
fn heartbeats_are_at_least_10_ms_apart() {
    for (micros, beats) in [(0, 100), (9_999, 100), (20_000, 50)] {
        let heartbeat_interval = Duration::from_micros(micros);
        let mut s = Direct::ready(Config { heartbeat_interval, ..Config::default() });
        let sent = s.session.stats().heartbeats;
        while let Wait::Until { at, .. } = s.wait
            && at <= Timestamp::from_secs(1)
        {
            s.now = at;
            let outputs = s.input(Input::Timeout);
            s.frame(&echo_of(&outputs));
        }
        assert_eq!(s.session.stats().heartbeats - sent, beats, "{micros}");
    }
}
