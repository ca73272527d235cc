//! The connection and its recovery token: ConnectionDetails, one socket at a time, one owner (CON, WSC).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, HOSTILE, TOKEN, actions, clock, delivered, details, echo_of, events, gap, get, good,
    next_connection, notification, notification_of, over_socket, purposes, recovered,
};

#[test]
fn connecting_twice_is_connecting_once() {
    let mut s = Direct::starting(Config::default());
    s.session.connect(s.now).unwrap();
    assert_eq!(s.drain(), []);
    assert_eq!(s.session.stats().attempts, 1);
    let session = Session::new(over_socket(), 1, clock());
    assert!(session.config().rest_over_websocket);
}

// CLAUSE WSC-2
#[test]
fn only_a_greater_sequence_replaces_the_recovery_token() {
    let mut s = Direct::ready(Config::default());
    for (sequence, kept) in [(0, true), (1, true), (2, false)] {
        s.frame(&format!(r#"[{{"type":"Other","wsc":{{"token":"next","sequence":{sequence}}}}}]"#));
        assert_eq!(s.session.snapshot().unwrap().to_json().contains("wsc-secret"), kept, "{sequence}");
    }
}

const FIELDS: &[&str] = &[
    "recoveryBufferSize",
    "recoveryTimeout",
    "idleTimeout",
    "absoluteTimeout",
    "maxActiveRequests",
    "maxConnectionsPerSession",
    "creationTime",
    "recoveryState",
    "recoveryErrorCode",
];

/// A whole session with these ConnectionDetails: requests, loss, recovery, renewal, sleep, a restart, and the end.
fn live(fields: &str) {
    let mut s = Direct::connecting(over_socket());
    s.frame(&details(fields));
    s.subscribed();
    for n in 0..3 {
        s.frame(&notification(n));
        s.request(get("/r"));
    }
    s.reopen();
    s.frame(&details(&format!(r#""recoveryState":"Successful",{fields}"#)));
    (0..3).for_each(|n| drop(s.frame(&notification(n + 2))));
    s.sleep(Duration::from_secs(100));
    s.now = s.now.after(Duration::from_secs(90_000));
    s.input(Input::Resumed);
    s.sleep(Duration::from_secs(10));
    let snapshot = s.session.snapshot().unwrap();
    let config = over_socket();
    let mut s = Direct::restored(config, snapshot);
    s.authorize();
    s.open();
    s.frame(&details(fields));
    s.sleep(Duration::from_secs(100));
    s.session.close(Close::Revoke, s.now).unwrap();
    s.drain();
    s.sleep(Duration::from_secs(5));
    assert_eq!(s.session.state(), SessionState::Closed, "{fields}");
}

// CLAUSE CON-6 FRM-1 SEC-3
#[test]
fn nonsense_in_connection_details_does_no_harm() {
    for field in FIELDS {
        for value in HOSTILE {
            live(&format!(r#""{field}":{value}"#));
        }
    }
    for value in HOSTILE {
        let all: Vec<_> = FIELDS.iter().map(|field| format!(r#""{field}":{value}"#)).collect();
        live(&all.join(","));
    }
}

// CLAUSE WSC-2 FRM-1
#[test]
fn nonsense_in_a_handle_does_no_harm() {
    for value in HOSTILE {
        let mut s = Direct::connecting(Config::default());
        s.frame(&format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":{value},"sequence":{value}}}}},{{}}]"#));
        s.frame(&format!(r#"[{{"type":"Heartbeat","status":{value},"wsc":{value},"headers":{value}}},{value}]"#));
        s.subscribed();
        s.reopen();
        s.frame(&format!(r#"[{{"type":"ConnectionDetails","messageId":{value}}},{value}]"#));
    }
}

// CLAUSE WSC-1 REC-5
#[test]
fn the_handle_of_an_older_session_is_not_presented() {
    let mut s = Direct::ready(Config::default());
    // There is nothing to recover, so this is a new session, which has no recovery token.
    s.reopen();
    s.frame(&format!(r#"[{{"type":"ConnectionDetails"}},{{{DETAILS}}}]"#));
    s.subscribed();
    s.frame(&notification(1));
    s.closed(None);
    let mut outputs = s.sleep(Duration::from_secs(20));
    outputs.extend(s.http(200, TOKEN));
    let presents = |a: &Action| matches!(a, Action::Open { url, .. } if url.expose().as_str().contains("wsc="));
    assert!(!actions(&outputs).any(presents), "the older session could be recovered, and has another subscription");
    s.input(Input::Opened { conn: s.conn });
    let mut outputs = s.frame(&details(DETAILS));
    outputs.extend(s.reply(200, r#"{"id":"t"}"#));
    outputs.extend(s.frame(&notification_of("t", 2)));
    assert_eq!(delivered(&outputs), ["gap recovery_failed", "2"]);
}

/// The server closes a good connection, and the recovery succeeds.
fn taken(s: &mut Direct) -> Vec<Output> {
    s.closed(Some(1000));
    let (handle, _) = next_connection(s);
    assert!(handle);
    let mut outputs = s.frame(&recovered(DETAILS));
    let echo = echo_of(&outputs);
    outputs.extend(s.frame(&echo));
    outputs
}

// CLAUSE CON-7 REC-5
#[test]
fn a_session_with_two_owners_has_a_gap_and_then_waits() {
    let mut s = good();
    assert!(delivered(&taken(&mut s)).is_empty(), "once may be an accident");
    let outputs = taken(&mut s);
    assert_eq!(delivered(&outputs), ["gap contended"]);
    let gap = gap(&outputs).cloned().unwrap();
    assert_eq!(gap.since, UnixMillis(clock().unix.0 + 31_000), "from the first time on");
    let outputs = s.closed(Some(1000));
    let rests = |e: &Event| matches!(e, Event::Waiting { reason: WaitReason::Contended, .. });
    assert!(events(&outputs).any(rests), "{outputs:?}");
    // Neither a returning network nor a sleep shortens the wait.
    s.input(Input::NetworkChanged { online: true });
    let SessionState::Waiting { until, reason, .. } = s.session.state() else { panic!("{:?}", s.session.state()) };
    let rest = until.since(s.now).as_secs();
    assert!(reason == WaitReason::Contended && (45..=75).contains(&rest), "{reason:?} {rest}");
    let (handle, _) = next_connection(&mut s);
    assert!(!handle && s.now >= until, "a session of its own");
    let mut outputs = s.frame(&details(DETAILS));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    assert_eq!(delivered(&outputs), ["gap contended"]);
}

/// The other client may open the session again while it is down for any reason.
// CLAUSE CON-7 REC-5
#[test]
fn any_loss_soon_after_a_contention_is_a_gap() {
    let contended = || {
        let mut s = good();
        assert!(delivered(&taken(&mut s)).is_empty() && delivered(&taken(&mut s)) == ["gap contended"]);
        s
    };
    let recover = |s: &mut Direct| {
        assert!(next_connection(s).0);
        let outputs = s.frame(&recovered(DETAILS));
        s.frame(&echo_of(&outputs))
    };
    let mut s = contended();
    s.closed(None);
    let lost = UnixMillis(clock().unix.0 + s.now.as_micros() / 1000);
    let outputs = recover(&mut s);
    assert_eq!(delivered(&outputs), ["gap contended"]);
    let gap = gap(&outputs).cloned().unwrap();
    assert!(gap.since <= lost && lost.0 - gap.since.0 < 1_000, "since the loss, not since the first: {gap:?} {lost:?}");
    // An `Error` of the server about the session is such a reason.
    let mut s = contended();
    s.frame(r#"[{"type":"Error","messageId":"e"},[{"errorCode":"WSG-902","message":"Idle timeout"}]]"#);
    assert_eq!(delivered(&recover(&mut s)), ["gap contended"]);
    // It ends a minute after the session came back.
    let mut s = contended();
    s.sleep(Duration::from_secs(29));
    s.frame(&notification(9));
    s.sleep(Duration::from_secs(29));
    s.frame(&notification(9));
    s.sleep(Duration::from_secs(3));
    s.closed(None);
    assert!(delivered(&recover(&mut s)).is_empty());
}

// CLAUSE CON-7
#[test]
fn closes_far_apart_or_without_a_close_frame_are_no_contention() {
    let mut s = good();
    for _ in 0..5 {
        taken(&mut s);
        s.sleep(Duration::from_secs(29));
        s.frame(&notification(9));
        s.sleep(Duration::from_secs(29));
        s.frame(&notification(9));
        s.sleep(Duration::from_secs(5));
    }
    let mut s = good();
    for _ in 0..5 {
        s.closed(None);
        assert!(next_connection(&mut s).0);
        let outputs = s.frame(&recovered(DETAILS));
        let outputs = s.frame(&echo_of(&outputs));
        assert!(delivered(&outputs).is_empty());
    }
}

/// A server that restarts closes every connection and forgets the session. Closes before that do not count after it.
// CLAUSE CON-7
#[test]
fn closes_before_the_session_was_lost_are_no_contention() {
    let mut s = good();
    s.closed(Some(1000));
    assert!(next_connection(&mut s).0);
    let mut outputs = s.frame(&details(&format!(r#"{DETAILS},"recoveryState":"Failed""#)));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    assert_eq!(delivered(&outputs), ["gap recovery_failed"]);
    let outputs = s.sleep(Duration::from_secs(30));
    s.frame(&echo_of(&outputs));
    assert!(delivered(&taken(&mut s)).is_empty(), "once in this session");
    assert_eq!(delivered(&taken(&mut s)), ["gap contended"], "twice in this session");
}

// CLAUSE CON-7
#[test]
fn closes_of_connections_without_use_are_no_contention() {
    let mut s = good();
    s.closed(Some(1000));
    assert!(next_connection(&mut s).0);
    // Neither an answer, nor a notification, nor an echo.
    s.frame(&recovered(DETAILS));
    assert!(delivered(&taken(&mut s)).is_empty());
    assert_eq!(delivered(&taken(&mut s)), ["gap contended"], "the second that counts");
}

/// Another client that has the session may have put its subscription in place of this one.
// CLAUSE CON-7 SUB-4
#[test]
fn notifications_of_another_subscription_after_a_recovery_make_it_ask_once() {
    let mut s = good();
    assert!(purposes(&s.frame(&notification_of("other", 2))).is_empty(), "this session was not away");
    s.reopen();
    let outputs = s.frame(&recovered(DETAILS));
    s.frame(&echo_of(&outputs));
    assert_eq!(purposes(&s.frame(&notification_of("other", 3))), [Purpose::Update]);
    assert!(purposes(&s.frame(&notification_of("other", 4))).is_empty(), "it is asked already");
    s.reply(200, r#"{"id":"s"}"#);
    assert!(purposes(&s.frame(&notification_of("other", 5))).is_empty(), "it was asked");
    assert_eq!(delivered(&s.frame(&notification(6))), ["6"]);
}
