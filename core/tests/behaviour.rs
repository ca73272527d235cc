//! What a session does in corners that no transcript reaches: calls for nobody, counters, and what it says of itself.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{DETAILS, Direct, actions, details, error_body, events, notification};
use ringcentral_ws_core::*;

fn over_socket() -> Config {
    Config { rest_over_websocket: true, ..Config::default() }
}

fn get(uri: &str) -> http::Request<Body> {
    http::Request::get(uri).body(Body::empty()).unwrap()
}

fn notifications(outputs: &[Output]) -> usize {
    events(outputs).filter(|e| matches!(e, Event::Notification(_))).count()
}

fn lost() -> HttpFailure {
    HttpFailure { not_sent: false, phase: Phase::Response, message: "m".into() }
}

#[test]
fn connecting_twice_is_connecting_once() {
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.session.connect(s.now).unwrap();
    assert_eq!(s.drain(), []);
    assert_eq!(s.session.stats().attempts, 1);
    let session = Session::new(over_socket(), 1, direct::clock());
    assert!(session.config().rest_over_websocket);
}

// CLAUSE CLS-1
#[test]
fn a_session_that_revokes_is_closing() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.close(Close::Revoke, s.now).unwrap();
    assert_eq!(s.session.state(), SessionState::Closing);
    s.drain();
    assert_eq!(s.session.state(), SessionState::Closing);
    assert!(s.session.live().is_some());
}

// CLAUSE C6
#[test]
fn what_fails_for_nobody_is_only_counted() {
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
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

#[test]
fn refreshes_that_fail_are_counted() {
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    let token = AccessToken { secret: "access".into(), expires_in: Some(Duration::from_secs(3600)) };
    s.input(Input::Authorized { id: s.login, token });
    for n in 1..=2 {
        s.sleep(Duration::from_secs(if n == 1 { 2900 } else { 100 }));
        let failure = AuthFailure::transient("m");
        s.input(Input::AuthorizeFailed { id: s.login, failure });
        assert_eq!(s.session.stats().refresh_failures, n);
    }
}

// CLAUSE C6 PST-1
#[test]
fn another_connection_is_no_sign_of_life() {
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

// CLAUSE WSC-2
#[test]
fn a_handle_of_the_same_sequence_changes_nothing() {
    let mut s = Direct::ready(Config::default());
    for (sequence, kept) in [(0, true), (1, true), (2, false)] {
        s.frame(&format!(r#"[{{"type":"Other","wsc":{{"token":"next","sequence":{sequence}}}}}]"#));
        assert_eq!(s.session.snapshot().unwrap().to_json().contains("wsc-secret"), kept, "{sequence}");
    }
}

// CLAUSE REC-5
#[test]
fn only_the_fence_ends_a_replay() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let other = s.message.clone();
    s.reopen();
    let recovered = details(&format!(r#"{DETAILS},"recoveryState":"Successful""#));
    let outputs = s.frame(&recovered);
    let fence = actions(&outputs).find_map(|a| match a {
        Action::Send { text, purpose: Purpose::Heartbeat, .. } => Some(direct::message_id(text)),
        _ => None,
    });
    assert_eq!(notifications(&s.frame(&notification(1))), 0);
    let echo = |id: &str| format!(r#"[{{"type":"Heartbeat","messageId":"{id}"}}]"#);
    assert_eq!(notifications(&s.frame(&echo(&other))), 0);
    assert_eq!(notifications(&s.frame(&echo("foreign"))), 0);
    assert_eq!(notifications(&s.frame(&echo(&fence.unwrap()))), 1);
}

// CLAUSE REC-5 FRM-4
#[test]
fn a_buffer_beyond_belief_is_not_believed() {
    let mut config = Config::default();
    config.limits.recovery_buffer = 1 << 20;
    let mut s = Direct::ready(config);
    s.subscribed();
    s.reopen();
    s.frame(&details(r#""recoveryBufferSize":1000000,"recoveryTimeout":180,"recoveryState":"Successful""#));
    assert!((1..4096).all(|n| s.frame(&notification(n)).is_empty()));
    let outputs = s.frame(&notification(4096));
    assert!(matches!(events(&outputs).next(), Some(Event::Gap(gap)) if gap.cause == GapCause::ReplayOverflow));
    assert_eq!(notifications(&outputs), 4096);
}

// CLAUSE HB-1
#[test]
fn an_idle_timeout_of_nothing_is_none() {
    let mut s = Direct::connecting(Config::default());
    let outputs = s.frame(&details(r#""idleTimeout":0"#));
    assert_eq!(actions(&outputs).count(), 0);
    assert_eq!(actions(&s.sleep(Duration::from_secs(29))).count(), 0);
    assert_eq!(actions(&s.sleep(Duration::from_secs(1))).count(), 1);
}

// CLAUSE SUB-3 SUB-8
#[test]
fn what_is_held_when_the_connection_breaks_is_counted() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    (0..2).for_each(|n| drop(s.frame(&notification(n))));
    s.closed(None);
    assert_eq!(s.session.stats().foreign, 2);
}

// CLAUSE REQ-1
#[test]
fn the_user_agent_is_ours_unless_the_caller_names_one() {
    let mut request = get("/r");
    request.headers_mut().insert("x-user-agent", http::HeaderValue::from_static("theirs"));
    for (request, agent) in [(get("/r"), Config::default().user_agent), (request, "theirs".to_owned())] {
        let mut s = Direct::ready(Config::default());
        s.session.request(request.clone(), s.now).unwrap();
        let outputs = s.drain();
        let Some(Action::Http { request: call, .. }) = actions(&outputs).next() else { panic!("{outputs:?}") };
        assert_eq!(call.headers()["x-user-agent"], agent);
        let mut s = Direct::ready(over_socket());
        s.session.request(request, s.now).unwrap();
        let outputs = s.drain();
        let Some(Action::Send { text, .. }) = actions(&outputs).next() else { panic!("{outputs:?}") };
        assert_eq!(text.matches(&agent).count(), 1, "{text}");
        assert_eq!(text.to_lowercase().matches("x-user-agent").count(), 1, "{text}");
    }
}

// CLAUSE REQ-5
#[test]
fn an_address_without_a_port_has_the_schemes_own() {
    for (server, uri, own) in [
        ("http://localhost/", "http://localhost/r", true),
        ("http://localhost:80/", "http://LOCALHOST/r", true),
        ("http://localhost:81/", "http://localhost/r", false),
        ("https://localhost/", "https://localhost:443/r", true),
        ("https://localhost/", "http://localhost:443/r", false),
        ("https://localhost/", "ftp://localhost/r", false),
    ] {
        let mut s = Direct::ready(Config { server: server.parse().unwrap(), ..Config::default() });
        assert_eq!(s.session.request(get(uri), s.now).is_ok(), own, "{server} {uri}");
        s.drain();
    }
}

// CLAUSE REQ-9 HB-5
#[test]
fn an_error_that_answers_nothing_open_is_about_the_connection() {
    let mut s = Direct::ready(over_socket());
    s.session.request(get("/r"), s.now).unwrap();
    s.drain();
    s.reply(200, "{}");
    let id = s.message.clone();
    let outputs = s.frame(&format!(r#"[{{"type":"Error","messageId":"{id}","status":500}},{}]"#, error_body("X")));
    assert!(events(&outputs).any(|e| matches!(e, Event::ProtocolError { error: ProtocolError::ServerError, .. })));
}

// CLAUSE REQ-2
#[test]
fn one_that_is_cancelled_in_the_queue_takes_no_other_with_it() {
    let mut config = over_socket();
    config.limits.active_requests = 1;
    let mut s = Direct::ready(config);
    let ids = [(); 4].map(|()| s.session.request(get("/r"), s.now).unwrap());
    s.drain();
    s.session.cancel(ids[1], s.now).unwrap();
    s.drain();
    for id in [ids[2], ids[3]] {
        let outputs = s.reply(200, "{}");
        let sent = |a: &Action| matches!(a, Action::Send { purpose: Purpose::Request(of), .. } if *of == id);
        assert!(actions(&outputs).any(sent), "{id}");
    }
}

#[test]
fn the_parser_can_be_asked_alone() {
    assert!(contract::is_readable(r#"[{"type":"Heartbeat"}]"#) && !contract::is_readable("[{"));
}

// CLAUSE SEC-1
#[test]
fn what_is_secret_says_at_least_what_it_is() {
    assert_eq!(format!("{:?}", Secret::from("s")), "Secret(***)");
    let url = SecretUrl::new("wss://h/ws?q=s".parse().unwrap());
    assert_eq!(format!("{url:?}"), "SecretUrl(wss://h/ws?***)");
    let s = Direct::ready(Config::default());
    assert!(format!("{:?}", s.session.snapshot().unwrap()).starts_with("Snapshot {"));
}

// CLAUSE TOK-8
#[test]
fn plain_addresses_are_for_this_machine_only() {
    for (server, good) in [
        ("http://[::1]:8080/", true),
        ("http://127.0.0.1/", true),
        ("http://[::2]/", false),
        ("http://h.test/", false),
        ("https://h.test/", true),
    ] {
        let mut s = Direct::new(Config { server: server.parse().unwrap(), ..Config::default() });
        s.session.connect(s.now).unwrap();
        s.drain();
        assert_eq!(s.session.state() == SessionState::Connecting, good, "{server}");
    }
}

#[test]
fn the_checker_knows_what_is_open() {
    let mut s = Direct::ready(over_socket());
    let id = s.session.request(get("/r"), s.now).unwrap();
    assert!(s.session.open_requests().eq([id]));
    s.drain();
    s.reply(200, "{}");
    assert_eq!(s.session.open_requests().count(), 0);
}

// CLAUSE C14
#[test]
fn a_wait_without_end_is_none() {
    let forever = Some(Duration::MAX);
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    let failure = AuthFailure { retry_after: forever, ..AuthFailure::transient("m") };
    s.input(Input::AuthorizeFailed { id: s.login, failure });
    assert!(matches!(s.wait, Wait::Until { reason: TimerKind::Retry, .. }), "{:?}", s.wait);
    for status in [None, Some(429), Some(503)] {
        let mut s = Direct::connecting(Config::default());
        s.closed(None);
        s.sleep(Duration::from_secs(10));
        let body = r#"{"ws_access_token":"ws-token","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#;
        s.http(200, body);
        let failure = OpenFailure { phase: Phase::Response, status, retry_after: forever, message: "m".into() };
        s.input(Input::OpenFailed { conn: s.conn, failure });
        assert!(matches!(s.wait, Wait::Until { reason: TimerKind::Retry, .. }), "{status:?} {:?}", s.wait);
    }
}
