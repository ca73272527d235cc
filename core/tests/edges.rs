//! Requests, tokens and snapshots at their edges: who was asked before a refusal, who asked for a pause, who is newer.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{Direct, actions, events};
use ringcentral_ws_core::*;

fn get(uri: &str) -> http::Request<Body> {
    http::Request::get(uri).body(Body::empty()).unwrap()
}

fn failure(permanent: bool, retry_after: Option<Duration>) -> AuthFailure {
    let kind = if permanent { AuthFailureKind::Permanent } else { AuthFailureKind::Other };
    AuthFailure { retry_after, ..AuthFailure::new(kind, "m") }
}

fn outcomes(outputs: &[Output]) -> Vec<RequestOutcome> {
    let outcome = |e: &Event| if let Event::Response { outcome, .. } = e { Some(outcome.clone()) } else { None };
    events(outputs).filter_map(outcome).collect()
}

fn asks(outputs: &[Output]) -> Vec<AuthReason> {
    let reason = |a: &Action| if let Action::Authorize { reason, .. } = a { Some(*reason) } else { None };
    actions(outputs).filter_map(reason).collect()
}

const EXPIRED: &str = r#"{"errorCode":"OAU-213","message":"m"}"#;

// CLAUSE PST-3
#[test]
fn a_newer_snapshot_is_refused_however_it_was_read() {
    let s = Direct::ready(Config::default());
    let text = s.session.snapshot().unwrap().to_json().replacen(r#""version":1"#, r#""version":2"#, 1);
    let newer: Snapshot = serde_json::from_str(&text).unwrap();
    let refused = Session::restore(Config::default(), newer, 1, direct::clock()).unwrap_err();
    assert_eq!(refused, RestoreError::Newer { found: 2, known: 1 });
}

// CLAUSE TOK-3
#[test]
fn a_source_that_asked_for_a_pause_is_not_asked_before_its_end() {
    let mut s = Direct::new(Config::default());
    s.session.request(get("/a"), s.now).unwrap();
    assert_eq!(asks(&s.drain()), [AuthReason::Missing]);
    let outputs =
        s.input(Input::AuthorizeFailed { id: s.login, failure: failure(false, Some(Duration::from_secs(90))) });
    assert!(matches!(outcomes(&outputs)[..], [RequestOutcome::NotSent(_)]));
    for (second, asked) in [(1, false), (89, false), (90, true)] {
        s.now = Timestamp::from_secs(second);
        s.session.request(get("/a"), s.now).unwrap();
        let outputs = s.drain();
        assert_eq!(!asks(&outputs).is_empty(), asked, "{second}");
        let wait = Duration::from_secs(90 - second);
        let told = [RequestOutcome::NotSent(Cause::RateLimited { retry_after: wait })];
        assert_eq!(outcomes(&outputs), if asked { &[][..] } else { &told[..] }, "{second}");
    }
}

// CLAUSE TOK-4
#[test]
fn an_answer_to_a_question_from_before_the_refusal_is_not_the_second_token() {
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    let token = |secret: &str| AccessToken { secret: secret.into(), expires_in: Some(Duration::from_secs(100)) };
    s.input(Input::Authorized { id: s.login, token: token("one") });
    s.open();
    s.frame(&direct::details(direct::DETAILS));
    // The token is being renewed. The source does not know that the server refuses the old one by now.
    s.now = Timestamp::from_secs(79);
    s.session.request(get("/a"), s.now).unwrap();
    s.drain();
    s.now = Timestamp::from_secs(80);
    assert_eq!(asks(&s.input(Input::Timeout)), [AuthReason::Expiring]);
    s.http(401, EXPIRED);
    s.input(Input::Authorized { id: s.login, token: token("one") });
    s.http(401, EXPIRED);
    s.closed(None);
    s.sleep(Duration::from_secs(5));
    assert_eq!(asks(&s.http(401, EXPIRED)), [AuthReason::Refused], "it was never asked for another one");
    s.input(Input::Authorized { id: s.login, token: token("two") });
    s.http(401, EXPIRED);
    let until = s.now.after(Duration::from_secs(2));
    assert_eq!(s.session.state(), SessionState::Waiting { attempt: 2, until, reason: WaitReason::TokenSpread });
}

// CLAUSE REQ-5
#[test]
fn what_belongs_to_another_connection_is_left_off_on_both_ways() {
    let mut s = Direct::ready(Config { rest_over_websocket: true, ..Config::default() });
    for over_https in [false, true] {
        // As a proxy has it from its own client.
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
        s.session.request(request, s.now).unwrap();
        let outputs = s.drain();
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

/// A source that several clients share sees from it whether it has a newer one.
// CLAUSE TOK-4 C16
#[test]
fn each_question_for_a_token_names_the_last_one_that_was_taken() {
    let last = |outputs: &[Output]| {
        actions(outputs).find_map(|a| match a {
            Action::Authorize { id, last, .. } => Some((*id, last.as_ref().map(|token| token.expose().to_owned()))),
            _ => None,
        })
    };
    let token = |id, secret: &str| {
        let expires_in = Some(Duration::from_secs(1_000));
        Input::Authorized { id, token: AccessToken { secret: secret.into(), expires_in } }
    };
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    let (first, none) = last(&s.drain()).unwrap();
    assert_eq!(none, None);
    // It comes too late, so it was not taken.
    s.sleep(Duration::from_secs(31));
    s.input(token(first, "late"));
    let mut again = None;
    while again.is_none() {
        again = last(&s.sleep(Duration::from_secs(1)));
    }
    assert_eq!(again, Some((s.login, None)));
    s.input(token(s.login, "one"));
    let outputs = s.http(401, EXPIRED);
    assert_eq!(last(&outputs).unwrap().1.as_deref(), Some("one"), "also the one that was refused");
    s.input(token(s.login, "two"));
    s.open();
    let outputs = s.sleep(Duration::from_secs(850));
    assert_eq!(last(&outputs).unwrap().1.as_deref(), Some("two"), "one that is to be refreshed");
}
