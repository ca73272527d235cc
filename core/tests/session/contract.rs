//! The contract of a session, where the other chapters do not show it (C1 to C16).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{Direct, TOKEN, details, get, limited, over_socket};

fn lost() -> HttpFailure {
    HttpFailure { not_sent: false, phase: Phase::Response, message: "m".into() }
}

// CLAUSE C6
#[test]
fn answers_to_unknown_calls_are_only_counted() {
    let mut s = Direct::starting(Config::default());
    let failure = || AuthFailure::permanent("m");
    for n in 1..=2 {
        let outputs = s.input(Input::AuthorizeFailed { id: AuthId::from(99), failure: failure() });
        assert_eq!((outputs.len(), s.session.stats().stale_inputs), (0, n));
    }
    s.authorize();
    for n in 3..=4 {
        let outputs = s.input(Input::HttpFailed { id: HttpId::from(99), failure: lost() });
        assert_eq!((outputs.len(), s.session.stats().stale_inputs), (0, n));
    }
    assert_eq!(s.session.state(), SessionState::Connecting);
}

// CLAUSE C6
#[test]
fn messages_that_wait_on_another_connection_are_only_counted() {
    let mut s = Direct::ready(Config::default());
    let other = ConnId::from(99);
    for n in 1..=2 {
        let outputs = s.input(Input::Unread { conn: other });
        assert_eq!((outputs.len(), s.session.stats().stale_inputs), (0, n));
    }
    assert_eq!(s.session.state(), SessionState::Ready { conn: s.conn });
}

#[test]
fn the_checker_lists_open_requests() {
    let mut s = Direct::ready(over_socket());
    let id = s.session.request(get("/r"), s.now).unwrap();
    assert!(s.session.open_requests().eq([id]));
    s.drain();
    s.reply(200, "{}");
    assert_eq!(s.session.open_requests().count(), 0);
}

// CLAUSE C14
#[test]
fn an_endless_retry_after_is_still_retried() {
    let forever = Some(Duration::MAX);
    let mut s = Direct::starting(Config::default());
    let failure = AuthFailure { retry_after: forever, ..AuthFailure::transient("m") };
    s.input(Input::AuthorizeFailed { id: s.login, failure });
    assert!(matches!(s.wait, Wait::Until { reason: TimerKind::Retry, .. }), "{:?}", s.wait);
    for status in [None, Some(429), Some(503)] {
        let mut s = Direct::connecting(Config::default());
        s.closed(None);
        s.sleep(Duration::from_secs(10));
        let body = TOKEN;
        s.http(200, body);
        let failure = OpenFailure { phase: Phase::Response, status, retry_after: forever, message: "m".into() };
        s.input(Input::OpenFailed { conn: s.conn, failure });
        assert!(matches!(s.wait, Wait::Until { reason: TimerKind::Retry, .. }), "{status:?} {:?}", s.wait);
    }
}

// CLAUSE SEC-3
#[test]
fn settings_of_zero_do_no_harm() {
    let zero = SessionLimits {
        queued_requests: 0,
        active_requests: 0,
        held_notifications: 0,
        held_bytes: 0,
        frame_bytes: 0,
        headers: 0,
        bad_frames: 0,
        undrained: 0,
        recovery_buffer: 0,
    };
    let mut s = Direct::connecting(Config { limits: zero, ..Config::default() });
    s.frame(&details(""));
    assert!(matches!(s.session.state(), SessionState::Waiting { .. }), "nothing can be read");

    let zero = Duration::ZERO;
    let retry = RetryPolicy {
        socket_lost: zero,
        server_closed: zero,
        base: zero,
        max: zero,
        auth_calls_per_minute: 0,
        attempts_per_minute: 0,
        penalty: zero,
        last_chance: zero,
        unsent: zero,
        unsent_later: zero,
        contended: zero,
        subscription_limit: zero,
    };
    let mut s = Direct::starting(Config {
        handshake_timeout: zero,
        heartbeat_interval: zero,
        heartbeat_timeout: zero,
        wake_timeout: zero,
        request_timeout: zero,
        token_timeout: zero,
        close_timeout: zero,
        recovery_timeout: zero,
        retry,
        ..Config::default()
    });
    s.sleep(Duration::from_secs(600));
    s.authorize();
    s.sleep(Duration::from_secs(600));
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    assert_eq!(s.session.state(), SessionState::Closed);
}

/// A call that is refused changes nothing, its time included; the checker must know that too.
#[test]
fn a_refused_call_does_not_move_the_clock() {
    let config = limited(|b| b.undrained = 1);
    let mut session = contract::Checked::new(config, 1, ClockReading::default());
    session.connect(Timestamp::from_secs(1)).unwrap();
    let late = session.request(get("/r"), Timestamp::from_secs(10));
    assert!(matches!(late, Err(CommandError::NotDrained(_))));
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    let mut request = get("/r");
    request.extensions_mut().insert(RequestOptions::new().deadline(Duration::from_secs(2)));
    session.request(request, Timestamp::from_secs(5)).unwrap();
    let at = Timestamp::from_secs(7);
    assert_eq!(session.poll_output(), Output::Wait(Wait::Until { at, reason: TimerKind::Request }));
}
