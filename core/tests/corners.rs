//! Where two rules meet: refusals that leave the server's side unknown, replays that are not all ours, requests that
//! left twice, settings and snapshots at their extremes.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{DETAILS, Direct, actions, details, echo_of, error_body, events, notification, purposes, recovered, told};
use ringcentral_ws_core::*;

fn over_socket() -> Config {
    Config { rest_over_websocket: true, ..Config::default() }
}

fn get(uri: &str) -> http::Request<Body> {
    http::Request::get(uri).body(Body::empty()).unwrap()
}

fn repeatable(uri: &str) -> http::Request<Body> {
    let mut request = get(uri);
    request.extensions_mut().insert(RequestOptions { repeat_if_safe: true, timeout: None });
    request
}

fn of(subscription: &str, uuid: usize) -> String {
    notification(uuid).replace(r#""s""#, &format!("{subscription:?}"))
}

fn outcomes(outputs: &[Output]) -> Vec<RequestOutcome> {
    let outcome = |e: &Event| if let Event::Response { outcome, .. } = e { Some(outcome.clone()) } else { None };
    events(outputs).filter_map(outcome).collect()
}

// CLAUSE REC-5
#[test]
fn a_buffer_of_nothing_keeps_nothing() {
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
    assert_eq!(told(&outputs), ["gap replay_overflow", "3"]);
}

// CLAUSE REC-5 SUB-4
#[test]
fn what_belongs_to_another_subscription_takes_a_place_in_the_buffer() {
    let fields = r#""recoveryBufferSize":4,"recoveryTimeout":180"#;
    for (foreign, own, gap) in [(2, 1, false), (2, 2, true), (4, 0, true), (3, 0, false)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(fields));
        s.subscribed();
        s.reopen();
        let mut outputs = s.frame(&recovered(fields));
        let echo = echo_of(&outputs);
        (0..foreign).for_each(|n| outputs.extend(s.frame(&of("other", n))));
        (10..10 + own).for_each(|n| outputs.extend(s.frame(&notification(n))));
        outputs.extend(s.frame(&echo));
        outputs.extend(s.frame(&notification(99)));
        let told = told(&outputs);
        assert_eq!(told[0] == "gap replay_overflow", gap, "{foreign} {own} {told:?}");
        assert_eq!(told.len(), usize::from(gap) + own + 1);
    }
}

/// Restored after a crash, recovered, and the subscription about to be verified.
fn verifying() -> Direct {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.frame(&notification(1));
    let snapshot = s.session.snapshot().unwrap();
    let mut s = Direct::around(contract::Checked::restore(Config::default(), snapshot, 2, direct::clock()).unwrap());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.authorize();
    s.open();
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
    s
}

// CLAUSE PST-2 SUB-5
#[test]
fn a_verification_that_was_refused_for_now_is_made_again() {
    let mut s = verifying();
    let outputs = s.reply(503, &error_body("CMN-211"));
    let again = |e: &Event| matches!(e, Event::SubscriptionFailed { retry_at: Some(_), .. });
    assert!(events(&outputs).any(again), "{outputs:?}");
    let outputs = s.sleep(Duration::from_secs(9));
    assert!(purposes(&outputs).contains(&Purpose::Update), "{outputs:?}");
    // And no more once it is answered, also when the answer is a refusal for good.
    let outputs = s.reply(403, &error_body("SUB-405"));
    assert_eq!(purposes(&outputs), []);
}

// CLAUSE SUB-8
#[test]
fn what_the_server_may_have_is_told_once_the_next_wish_is_refused() {
    let filters = |filter: &str| Filters::new([filter]).unwrap();
    for dropped in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.session.subscribe(filters("/b"), s.now).unwrap();
        s.drain();
        // The server took it, but nobody here knows.
        if dropped {
            s.reopen();
            s.session.subscribe(filters("/c"), s.now).unwrap();
            s.frame(&recovered(DETAILS));
        } else {
            s.reply(503, &error_body("CMN-211"));
            s.session.subscribe(filters("/c"), s.now).unwrap();
            s.drain();
        }
        let outputs = s.reply(400, &error_body("SUB-508"));
        let put = |a: &Action| matches!(a, Action::Send { text, .. } if text.contains(r#"["/a"]"#));
        assert!(actions(&outputs).any(put), "{dropped} {outputs:?}");
        let outputs = s.reply(200, r#"{"id":"s"}"#);
        assert_eq!(purposes(&outputs), []);
    }
}

// CLAUSE REC-5 SUB-5
#[test]
fn a_creation_that_may_have_run_counts_as_one() {
    for (status, body) in [(200, r#"{"eventFilters":[]}"#.to_owned()), (504, error_body("CMN-211"))] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        s.reply(status, &body);
        // The first one runs on the server.
        s.frame(&of("first", 1));
        let mut outputs = s.sleep(Duration::from_secs(9));
        assert!(purposes(&outputs).contains(&Purpose::Subscribe));
        outputs.extend(s.reply(200, r#"{"id":"second"}"#));
        outputs.extend(s.frame(&of("second", 2)));
        assert_eq!(told(&outputs), ["gap subscription_lost", "2"], "{status}");
    }
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.reply(429, &error_body("CMN-301"));
    s.frame(&of("first", 1));
    s.subscribe();
    s.reply(200, r#"{"id":"second"}"#);
    assert_eq!(told(&s.frame(&of("second", 2))), ["2"], "a refusal that says that nothing ran leaves nothing unknown");
    assert_eq!(s.session.stats().foreign, 1);
}

// CLAUSE REC-5 SUB-3
#[test]
fn a_creation_confirmed_late_may_have_overflowed() {
    let fields = r#""recoveryBufferSize":3,"recoveryTimeout":180"#;
    for (count, gap) in [(2, false), (3, true)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(fields));
        s.subscribe();
        s.reopen();
        s.frame(&recovered(fields));
        (0..count).for_each(|n| drop(s.frame(&notification(n))));
        let told = told(&s.reply(200, r#"{"id":"s"}"#));
        assert_eq!(told[0] == "gap replay_overflow", gap, "{told:?}");
        assert_eq!(told.len(), count + usize::from(gap));
    }
}

// CLAUSE REC-5 SUB-1
#[test]
fn an_update_that_makes_another_subscription_is_a_gap() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.frame(&notification(1));
    s.subscribe();
    let mut outputs = s.frame(&of("t", 2));
    outputs.extend(s.reply(200, r#"{"id":"t"}"#));
    outputs.extend(s.frame(&of("t", 3)));
    assert_eq!(told(&outputs), ["gap subscription_lost", "3"]);
}

// CLAUSE SUB-2 SUB-5
#[test]
fn an_update_of_what_is_gone_is_a_creation_whatever_the_status() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe();
    let outputs = s.reply(400, &error_body("SUB-507"));
    assert!(actions(&outputs).any(|a| matches!(a, Action::Resubscribe { .. })), "{outputs:?}");
}

// CLAUSE SUB-5 SUB-7
#[test]
fn a_refused_removal_names_what_was_to_be_removed() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.unsubscribe(s.now).unwrap();
    s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
    s.drain();
    let outputs = s.reply(403, &error_body("CMN-408"));
    let id = |e: &Event| if let Event::SubscriptionFailed { id, .. } = e { Some(id.get()) } else { None };
    assert_eq!(events(&outputs).find_map(id), Some(1));
    assert_eq!(purposes(&outputs), [Purpose::Update]);
}

/// A request that left over the socket, whose connection broke, and that waits for an access token to go again.
fn waiting_to_be_repeated() -> (Direct, RequestId) {
    let mut s = Direct::new(over_socket());
    s.session.connect(s.now).unwrap();
    s.drain();
    let token = AccessToken { secret: "access".into(), expires_in: Some(Duration::from_secs(20)) };
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
fn what_left_once_has_left() {
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
    // The token call follows later: the last call is the request's.
    let outputs = s.input(Input::HttpFailed { id: s.call, failure });
    assert!(matches!(outcomes(&outputs)[..], [RequestOutcome::Unknown(_)]), "{outputs:?}");
}

// CLAUSE TOK-8 SEC-1
#[test]
fn no_request_carries_a_token_in_the_clear() {
    let config =
        |server: &str, allow_insecure| Config { server: server.parse().unwrap(), allow_insecure, ..Config::default() };
    for (server, allow, good) in [
        ("http://remote.test", false, false),
        ("http://remote.test", true, true),
        ("http://127.0.0.1:80", false, true),
        ("https://remote.test", false, true),
    ] {
        let mut s = Direct::new(config(server, allow));
        let taken = s.session.request(get("/a"), s.now);
        assert_eq!(taken.is_ok(), good, "{server}");
        assert!(good || matches!(taken, Err(CommandError::Invalid(_, InvalidReason::Insecure))));
    }
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

// CLAUSE BCK-1
#[test]
fn without_a_last_stretch_retries_are_spread_all_the_same() {
    let mut config = Config::default();
    config.retry.last_chance = Duration::ZERO;
    config.retry.auth_calls_per_minute = 1000;
    config.retry.attempts_per_minute = 1000;
    let mut s = Direct::ready(config);
    s.subscribed();
    s.closed(None);
    while s.now < Timestamp::from_secs(240) && s.session.stats().attempts < 100 {
        if s.session.state() == SessionState::Connecting {
            s.http(503, "");
        } else {
            let Wait::Until { at, .. } = s.wait else { panic!("nothing is planned") };
            s.now = at;
            s.input(Input::Timeout);
        }
    }
    let attempts = s.session.stats().attempts;
    assert!((10..60).contains(&attempts), "{attempts}");
}

// CLAUSE SEC-3 PST-1
#[test]
fn what_the_server_makes_too_long_is_not_kept() {
    let handle = |len: usize| format!(r#"[{{"type":"Other","wsc":{{"token":"{}","sequence":9}}}}]"#, "h".repeat(len));
    for (len, kept) in [(65_536, true), (65_537, false)] {
        let mut s = Direct::ready(Config::default());
        s.frame(&handle(len));
        assert_eq!(s.session.snapshot().unwrap().to_json().len() > len, kept, "{len}");
    }
    for (len, taken) in [(1024, true), (1025, false)] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        let outputs = s.reply(200, &format!(r#"{{"id":"{}"}}"#, "i".repeat(len)));
        assert_eq!(events(&outputs).any(|e| matches!(e, Event::Subscribed(_))), taken, "{len}");
    }
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.reopen();
    let code = "é".repeat(1000);
    s.frame(&details(&format!(r#""recoveryState":"Failed","recoveryErrorCode":"{code}""#)));
    assert!(s.session.snapshot().unwrap().to_json().len() < 1024);
}

// CLAUSE PST-3 SUB-1
#[test]
fn a_snapshot_nobody_wrote_is_corrupt() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let text = s.session.snapshot().unwrap().to_json();
    let last = r#""next_subscription":1"#;
    let with = |more: &str| text.replacen(last, more, 1);
    assert!(Snapshot::from_json(&with(r#""next_subscription":9007199254740990"#)).is_ok());
    for more in [
        r#""next_subscription":9007199254740991"#,
        r#""next_subscription":1,"gap":{"cause":"restored","code":"x","since":0}"#,
    ] {
        assert!(Snapshot::from_json(&with(more)).is_err(), "{more}");
    }
    let wanted = text.replacen(r#""wanted":{"#, r#""wanted":{"server_id":"x","#, 1);
    assert!(wanted != text && Snapshot::from_json(&wanted).is_err());
}
