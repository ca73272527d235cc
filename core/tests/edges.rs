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
    AuthFailure { permanent, code: None, message: "m".into(), retry_after }
}

fn outcomes(outputs: &[Output]) -> Vec<RequestOutcome> {
    let outcome = |e: &Event| if let Event::Response { outcome, .. } = e { Some(outcome.clone()) } else { None };
    events(outputs).filter_map(outcome).collect()
}

fn asks(outputs: &[Output]) -> Vec<AuthReason> {
    let reason = |a: &Action| if let Action::Authorize { reason, .. } = a { Some(*reason) } else { None };
    actions(outputs).filter_map(reason).collect()
}

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
