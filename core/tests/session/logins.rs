//! Logins: when the credential source is asked, and what its refusals mean (TOK-2, TOK-3, TOK-9).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, details, echo_of, events, first_outcome, get, outcomes, purposes};
use crate::tokens::{EXPIRED, asks, failure, token};

// CLAUSE TOK-3
#[test]
fn a_credential_source_is_not_asked_before_its_pause_ends() {
    let mut s = Direct::new(Config::default());
    s.session.request(get("/a"), s.now).unwrap();
    assert_eq!(asks(&s.drain()), [AuthReason::Missing]);
    let outputs =
        s.input(Input::AuthorizeFailed { id: s.login, failure: failure(false, Some(Duration::from_secs(90))) });
    assert!(matches!(outcomes(&outputs)[..], [RequestOutcome::NotSent(_)]));
    for (second, asked) in [(1, false), (89, false), (90, true)] {
        s.now = Timestamp::from_secs(second);
        let outputs = s.request(get("/a"));
        assert_eq!(!asks(&outputs).is_empty(), asked, "{second}");
        let wait = Duration::from_secs(90 - second);
        let refused = [RequestOutcome::NotSent(Cause::RateLimited { retry_after: wait })];
        assert_eq!(outcomes(&outputs), if asked { &[][..] } else { &refused[..] }, "{second}");
    }
}

// CLAUSE TOK-3
#[test]
fn a_credential_source_that_is_limited_is_not_asked_for_a_minute_whatever_it_says() {
    let limited = |retry_after| AuthFailure { retry_after, ..AuthFailure::new(AuthFailureKind::RateLimited, "m") };
    for retry_after in [None, Some(Duration::ZERO), Some(Duration::from_millis(999))] {
        let mut s = Direct::starting(Config::default());
        s.input(Input::AuthorizeFailed { id: s.login, failure: limited(retry_after) });
        let SessionState::Waiting { until, reason, .. } = s.session.state() else { panic!("{:?}", s.session.state()) };
        assert!(until >= Timestamp::from_secs(60) && reason == WaitReason::RetryAfter, "{retry_after:?}: {until:?}");
        // Nor for a call.
        s.now = Timestamp::from_secs(59);
        s.session.request(get("/a"), s.now).unwrap();
        assert!(asks(&s.drain()).is_empty(), "{retry_after:?}");
    }
}

// CLAUSE TOK-2 TOK-3
#[test]
fn the_later_of_pause_and_budget_decides_when_the_source_is_asked() {
    for (pause, asked) in [(90, 90_000_000), (30, 60_000_001)] {
        let mut config = Config::default();
        config.retry.auth_calls_per_minute = 1;
        let mut s = Direct::new(config);
        s.session.request(get("/a"), s.now).unwrap();
        s.drain();
        s.input(Input::AuthorizeFailed { id: s.login, failure: failure(false, Some(Duration::from_secs(pause))) });
        s.now = Timestamp::from_secs(1);
        let outputs = s.request(get("/a"));
        let retry_after = Timestamp::from_micros(asked).since(s.now);
        assert_eq!(outcomes(&outputs), [RequestOutcome::NotSent(Cause::RateLimited { retry_after })], "{pause}");
    }
}

// CLAUSE TOK-3 PST-1
#[test]
fn a_restart_keeps_the_pause_of_the_credential_source() {
    let mut s = Direct::starting(Config::default());
    s.input(Input::AuthorizeFailed { id: s.login, failure: failure(false, Some(Duration::from_secs(90))) });
    let snapshot = s.session.snapshot().unwrap();
    let mut s = Direct::restored(Config::default(), snapshot);
    s.sleep(Duration::from_secs(89));
    assert_eq!(s.session.stats().authorizations, 0);
    s.sleep(Duration::from_secs(2));
    assert_eq!(s.session.stats().authorizations, 1);
}

// CLAUSE TOK-2
#[test]
fn a_token_that_the_source_had_already_costs_no_call() {
    let (short, long) = (Duration::from_millis(59_999), Duration::from_secs(60));
    for (cached, expires_in, reason) in [
        (false, None, WaitReason::AuthBudget),
        (true, Some(short), WaitReason::AuthBudget),
        (true, Some(long), WaitReason::Backoff),
        (true, None, WaitReason::Backoff),
    ] {
        let mut config = Config::default();
        config.retry.auth_calls_per_minute = 2;
        let mut s = Direct::starting(config);
        s.input(Input::Authorized { id: s.login, token: AccessToken { cached, ..token("one", expires_in) } });
        let outputs = s.http(503, "");
        let reasons: Vec<_> = events(&outputs)
            .filter_map(|event| if let Event::Retry { reason, .. } = event { Some(reason) } else { None })
            .collect();
        assert_eq!(reasons, [&reason], "{cached} {expires_in:?}");
    }
}

/// The reason of the last wait, as an event says it and as the state does.
fn wait_reason(s: &Direct, outputs: &[Output]) -> Option<WaitReason> {
    let SessionState::Waiting { reason, .. } = s.session.state() else { return None };
    let last = events(outputs).filter_map(|event| match event {
        Event::Retry { reason, .. } | Event::Waiting { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(last.last(), Some(reason), "{outputs:?}");
    Some(reason)
}

// CLAUSE TOK-9 REC-8
#[test]
fn a_wait_for_a_limit_of_the_program_on_logins_is_not_the_servers() {
    let wait = Duration::from_secs(61);
    for (kind, reason) in
        [(AuthFailureKind::Limited, WaitReason::LoginLimit), (AuthFailureKind::RateLimited, WaitReason::RetryAfter)]
    {
        let mut s = Direct::starting(Config::default());
        let failure = AuthFailure { retry_after: Some(wait), ..AuthFailure::new(kind, "m") };
        let outputs = s.input(Input::AuthorizeFailed { id: s.login, failure });
        assert_eq!(wait_reason(&s, &outputs), Some(reason), "{kind:?}");
        // Asked for the connection again, it waits for the same.
        s.session.recover(s.now).unwrap();
        let outputs = s.drain();
        assert_eq!(wait_reason(&s, &outputs), Some(reason), "{kind:?}");
    }
}

// CLAUSE TOK-3
#[test]
fn while_logins_are_limited_no_token_call_is_made_either() {
    let mut s = Direct::starting(Config::default());
    let life = Duration::from_secs(30);
    s.input(Input::Authorized { id: s.login, token: token("one", Some(life)) });
    s.open();
    s.frame(&details(DETAILS));
    // The token is renewed in time; it is still good when that is refused.
    let asked = s.sleep(life / 5 * 4);
    assert_eq!(asks(&asked), [AuthReason::Expiring]);
    let refused = s.now;
    let failure = AuthFailure::new(AuthFailureKind::RateLimited, "m");
    s.input(Input::AuthorizeFailed { id: s.login, failure });
    s.closed(None);
    s.until_connecting();
    assert!(s.now >= refused.after(Duration::from_secs(60)), "{:?} after {refused:?}", s.now);
}

// CLAUSE TOK-4
#[test]
fn a_login_refused_for_good_ends_a_session_whose_subscription_needs_it() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe_to("/b");
    assert_eq!(asks(&s.reply(401, EXPIRED)), [AuthReason::Refused]);
    let outputs = s.input(Input::AuthorizeFailed { id: s.login, failure: failure(true, None) });
    let ended =
        |event: &Event| matches!(event, Event::Closed { reason: CloseReason::Permanent(Cause::Credentials { .. }) });
    assert!(events(&outputs).any(ended), "{outputs:?}");
}

// CLAUSE TOK-9
#[test]
fn a_call_that_meets_the_programs_own_limit_says_so() {
    let mut s = Direct::new(Config::default());
    s.request(get("/a"));
    let wait = Some(Duration::from_millis(49_500));
    let failure = AuthFailure { retry_after: wait, ..AuthFailure::new(AuthFailureKind::Limited, "m") };
    s.input(Input::AuthorizeFailed { id: s.login, failure });
    let outputs = s.request(get("/b"));
    let RequestOutcome::NotSent(cause) = first_outcome(&outputs) else { panic!("{outputs:?}") };
    assert_eq!(cause.to_string(), "the login waits: the next one is allowed in 50 s");
    // Another process has limits of its own.
    let stored = s.session.snapshot().unwrap();
    let mut other = Direct::restored(Config::default(), stored);
    assert_eq!(other.session.state(), SessionState::Connecting, "{:?}", other.drain());
}

// CLAUSE TOK-3
#[test]
fn a_login_that_succeeds_ends_the_row_of_refusals() {
    let mut s = Direct::starting(Config::default());
    let failure = AuthFailure::new(AuthFailureKind::RateLimited, "m");
    s.input(Input::AuthorizeFailed { id: s.login, failure });
    assert_eq!(asks(&s.sleep(Duration::from_secs(70))), [AuthReason::Missing]);
    s.authorize();
    s.http(429, "");
    let SessionState::Waiting { until, .. } = s.session.state() else { panic!("{:?}", s.session.state()) };
    assert!(until <= s.now.after(Duration::from_secs(62)), "{until:?} at {:?}", s.now);
}

// CLAUSE REQ-5 TOK-2
#[test]
fn a_path_that_is_always_refused_costs_one_login_a_minute() {
    let mut s = Direct::ready(Config::default());
    let mut logins = Vec::new();
    for second in 0..130 {
        s.request(get("/p"));
        let mut outputs = s.http(401, EXPIRED);
        if !asks(&outputs).is_empty() {
            logins.push(second);
            s.authorize();
            outputs = s.http(401, EXPIRED);
        }
        assert!(matches!(first_outcome(&outputs), RequestOutcome::Response { .. }), "second {second}: {outputs:?}");
        let outputs = s.sleep(Duration::from_secs(1));
        if purposes(&outputs).contains(&Purpose::Heartbeat) {
            s.frame(&echo_of(&outputs));
        }
    }
    assert_eq!(logins, [0, 60, 120]);
}

// CLAUSE REQ-8 TOK-4
#[test]
fn requests_that_are_refused_at_once_share_one_login() {
    let mut s = Direct::ready(Config::default());
    let call = |s: &mut Direct| {
        s.request(get("/p"));
        s.call
    };
    let (one, two) = (call(&mut s), call(&mut s));
    let answer = |s: &mut Direct, call| {
        s.call = call;
        s.http(401, EXPIRED)
    };
    assert_eq!(asks(&answer(&mut s, one)), [AuthReason::Refused]);
    assert_eq!((asks(&answer(&mut s, two)), s.session.stats().requests), (vec![], 2), "it waits for the same one");
    let outputs = s.authorize();
    let sent: Vec<_> = crate::direct::actions(&outputs)
        .filter_map(|action| if let Action::Http { id, .. } = action { Some(*id) } else { None })
        .collect();
    assert_eq!(sent.len(), 2, "both are sent again");
    // A third one came meanwhile, and carries the new token too.
    let three = call(&mut s);
    for call in [three, sent[1], sent[0]] {
        let outputs = answer(&mut s, call);
        assert_eq!(asks(&outputs), []);
        assert!(
            matches!(first_outcome(&outputs), RequestOutcome::Response { response, .. } if response.status() == 401)
        );
    }
}
