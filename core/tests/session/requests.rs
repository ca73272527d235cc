//! REST requests: the way they go, the queue, and how they end (REQ).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, actions, details, error_body, events, get, limited, outcomes, over_socket, purposes,
};

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
        let outputs = s.request(request);
        let Some(Action::Send { text, .. }) = actions(&outputs).next() else { panic!("{outputs:?}") };
        assert_eq!(text.matches(&agent).count(), 1, "{text}");
        assert_eq!(text.to_lowercase().matches("x-user-agent").count(), 1, "{text}");
    }
}

// CLAUSE REQ-5
#[test]
fn an_address_without_a_port_has_the_port_of_its_scheme() {
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
fn an_error_that_answers_no_open_call_is_a_protocol_error() {
    let mut s = Direct::ready(over_socket());
    s.request(get("/r"));
    s.reply(200, "{}");
    let id = s.message.clone();
    let outputs = s.frame(&format!(r#"[{{"type":"Error","messageId":"{id}","status":500}},{}]"#, error_body("X")));
    assert!(events(&outputs).any(|e| matches!(e, Event::ProtocolError { error: ProtocolError::ServerError, .. })));
}

// CLAUSE REQ-2
#[test]
fn cancelling_a_queued_request_leaves_the_others() {
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

fn repeatable(uri: &str) -> http::Request<Body> {
    let mut request = get(uri);
    request.extensions_mut().insert(RequestOptions::new().repeatable());
    request
}

/// A request that left over the socket, whose connection broke, and that waits for an access token to go again.
fn waiting_to_be_repeated() -> (Direct, RequestId) {
    let mut s = Direct::starting(over_socket());
    let token = AccessToken { secret: "access".into(), expires_in: Some(Duration::from_secs(20)), cached: false };
    s.input(Input::Authorized { id: s.login, token });
    s.open();
    s.frame(&details(DETAILS));
    s.sleep(Duration::from_secs(16));
    let failure = AuthFailure::transient("m");
    s.input(Input::AuthorizeFailed { id: s.login, failure });
    s.sleep(Duration::from_secs(5));
    let id = s.session.request(repeatable("/a"), s.now).unwrap();
    assert_eq!(purposes(&s.drain()), [Purpose::Request(id)]);
    assert_eq!(outcomes(&s.closed(None)), []);
    (s, id)
}

// CLAUSE REQ-3 REQ-8
#[test]
fn a_request_that_waits_to_be_repeated_counts_as_sent() {
    let (mut s, id) = waiting_to_be_repeated();
    s.session.cancel(id, s.now).unwrap();
    assert_eq!(outcomes(&s.drain()), [RequestOutcome::Cancelled { sent: true }]);

    let (mut s, _) = waiting_to_be_repeated();
    let outputs = s.session.close(Close::Detach, s.now).map(|()| s.drain()).unwrap();
    assert_eq!(outcomes(&outputs), [RequestOutcome::Unknown(Cause::Closed)]);

    let (mut s, _) = waiting_to_be_repeated();
    let failure = AuthFailure::transient("m");
    let outputs = s.input(Input::AuthorizeFailed { id: s.login, failure });
    assert!(matches!(outcomes(&outputs)[..], [RequestOutcome::Unknown(_)]), "{outputs:?}");

    let (mut s, _) = waiting_to_be_repeated();
    s.authorize();
    let failure = HttpFailure { not_sent: true, phase: Phase::Dns, message: "m".into() };
    // The last call is that of the request; the call for a token follows later.
    let outputs = s.input(Input::HttpFailed { id: s.call, failure });
    assert!(matches!(outcomes(&outputs)[..], [RequestOutcome::Unknown(_)]), "{outputs:?}");
}

// CLAUSE REQ-5 FRM-4
#[test]
fn an_address_that_would_be_too_long_is_refused() {
    let longest = 65_534 - "https://platform.ringcentral.com/".len();
    for (len, good) in [(longest - 1, true), (longest, true), (longest + 1, false)] {
        let mut s = Direct::ready(Config::default());
        let taken = s.session.request(get(&format!("/{}", "a".repeat(len - 1))), s.now);
        assert_eq!(taken.is_ok(), good, "{len}");
        assert!(good || matches!(taken, Err(CommandError::Invalid(_, InvalidReason::TooLong))));
        let outputs = s.drain();
        let absolute = |a: &Action| matches!(a, Action::Http { request, .. } if request.uri().host().is_some());
        assert_eq!(actions(&outputs).any(absolute), good, "{len}");
    }
}

// CLAUSE REQ-5
#[test]
fn headers_of_the_callers_own_connection_are_left_off() {
    let mut s = Direct::ready(over_socket());
    for over_https in [false, true] {
        // A request as a proxy received it.
        let mut request = http::Request::post("/restapi/v1.0/sms").body(Body::from("{}")).unwrap();
        for (name, value) in [
            ("authorization", "foreign"),
            ("host", "foreign.test"),
            ("content-length", "9"),
            ("transfer-encoding", "chunked"),
            ("x-mine", "kept"),
        ] {
            request.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        if over_https {
            request.extensions_mut().insert(OverHttps);
        }
        let outputs = s.request(request);
        let sent = actions(&outputs).find_map(|action| match action {
            Action::Send { text, .. } => Some(text.to_lowercase()),
            Action::Http { request, .. } => Some(format!("{:?}", request.headers())),
            _ => None,
        });
        let sent = sent.unwrap();
        assert!(sent.contains("x-mine"), "{sent}");
        for foreign in ["foreign", "content-length", "transfer-encoding"] {
            assert!(!sent.contains(foreign), "{over_https} {foreign}: {sent}");
        }
    }
}

// CLAUSE REQ-2 FRM-4
#[test]
fn requests_beyond_the_queue_are_handed_back() {
    let mut s = Direct::ready(limited(|b| (b.active_requests, b.queued_requests) = (2, 3)));
    for n in 1..=6 {
        let result = s.session.request(get("/r"), s.now);
        let sent = actions(&s.drain()).count();
        assert_eq!((result.is_ok(), sent), (n <= 5, usize::from(n <= 2)), "{n}");
        if let Err(why) = result {
            assert!(matches!(why, CommandError::Full(request) if request.uri() == "/r"));
        }
    }
}
