//! The connection token: when one is asked for, where it may go, and what a refusal means (TOK).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, HOSTILE, TOKEN, actions, clock, count, details, echo_of, error_body, events, get, recovered,
};

#[test]
fn failed_refreshes_are_counted() {
    let mut s = Direct::starting(Config::default());
    let token = AccessToken { secret: "access".into(), expires_in: Some(Duration::from_secs(3600)), cached: false };
    s.input(Input::Authorized { id: s.login, token });
    for n in 1..=2 {
        s.sleep(Duration::from_secs(if n == 1 { 2900 } else { 100 }));
        let failure = AuthFailure::transient("m");
        s.input(Input::AuthorizeFailed { id: s.login, failure });
        assert_eq!(s.session.stats().refresh_failures, n);
    }
}

// CLAUSE TOK-8
#[test]
fn a_plain_server_is_accepted_on_loopback_only() {
    for (server, good) in [
        ("http://[::1]:8080/", true),
        ("http://127.0.0.1/", true),
        ("http://[::2]/", false),
        ("http://h.test/", false),
        ("https://h.test/", true),
    ] {
        let s = Direct::starting(Config { server: server.parse().unwrap(), ..Config::default() });
        assert_eq!(s.session.state() == SessionState::Connecting, good, "{server}");
    }
}

// CLAUSE TOK-8 SEC-1
#[test]
fn a_request_to_a_plain_remote_server_is_refused() {
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

pub(crate) fn failure(permanent: bool, retry_after: Option<Duration>) -> AuthFailure {
    let kind = if permanent { AuthFailureKind::Permanent } else { AuthFailureKind::Other };
    AuthFailure { retry_after, ..AuthFailure::new(kind, "m") }
}

pub(crate) fn asks(outputs: &[Output]) -> Vec<AuthReason> {
    let reason = |a: &Action| if let Action::Authorize { reason, .. } = a { Some(*reason) } else { None };
    actions(outputs).filter_map(reason).collect()
}

pub(crate) const EXPIRED: &str = r#"{"errorCode":"OAU-213","message":"m"}"#;

// CLAUSE TOK-4
#[test]
fn a_token_asked_for_before_the_refusal_is_not_the_second_token() {
    let mut s = Direct::starting(Config::default());
    let token =
        |secret: &str| AccessToken { secret: secret.into(), expires_in: Some(Duration::from_secs(100)), cached: false };
    s.input(Input::Authorized { id: s.login, token: token("one") });
    s.open();
    s.frame(&details(DETAILS));
    // The token is being refreshed. The source does not know yet that the server refuses the old one.
    s.now = Timestamp::from_secs(79);
    s.request(get("/a"));
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

/// A credential source of several clients sees from it whether it has a newer token.
// CLAUSE TOK-4 C16
#[test]
fn authorize_names_the_last_accepted_token() {
    let last = |outputs: &[Output]| {
        actions(outputs).find_map(|a| match a {
            Action::Authorize { id, last, .. } => Some((*id, last.as_ref().map(|token| token.expose().to_owned()))),
            _ => None,
        })
    };
    let token = |id, secret: &str| {
        let expires_in = Some(Duration::from_secs(1_000));
        Input::Authorized { id, token: AccessToken { secret: secret.into(), expires_in, cached: false } }
    };
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    let (first, none) = last(&s.drain()).unwrap();
    assert_eq!(none, None);
    // It comes too late and is not accepted.
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

// CLAUSE TOK-2 BCK-3
#[test]
fn auth_calls_stay_within_the_limit_of_a_minute() {
    for limit in 1..=5 {
        let mut config = Config::default();
        config.retry.auth_calls_per_minute = limit;
        config.retry.attempts_per_minute = 50;
        let mut s = Direct::starting(config);
        let mut calls = actions(&s.authorize()).count();
        for _ in 0..20 {
            s.http(500, "");
            s.session.recover(s.now).unwrap();
            calls += actions(&s.drain()).count();
        }
        // The question to the credential source counts too.
        assert_eq!(calls + 1, limit);
        assert_eq!(actions(&s.sleep(Duration::from_secs(60))).count(), 0);
        assert_eq!(actions(&s.sleep(Duration::from_micros(1))).count(), 1);
    }
}

// CLAUSE TOK-6 TOK-7 FRM-1
#[test]
fn nonsense_in_a_token_reply_never_ends_the_session() {
    for value in HOSTILE {
        let bodies = [
            format!(r#"{{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":{value}}}"#),
            format!(r#"{{"ws_access_token":{value},"uri":"wss://h.ringcentral.com/ws","expires_in":60}}"#),
            format!(r#"{{"ws_access_token":"t","uri":{value},"expires_in":60}}"#),
            (*value).to_owned(),
        ];
        for body in bodies {
            let mut s = Direct::starting(Config::default());
            s.authorize();
            s.http(200, &body);
            s.sleep(Duration::from_secs(200));
            assert_ne!(s.session.state(), SessionState::Closed, "{body}");
        }
    }
}

// CLAUSE TOK-6 REC-8
#[test]
fn an_access_token_that_fits_no_header_is_a_failed_attempt() {
    let mut s = Direct::starting(Config::default());
    let token = AccessToken { secret: "read from a file\n".into(), expires_in: None, cached: false };
    let outputs = s.input(Input::Authorized { id: s.login, token });
    let failed = |e: &Event| matches!(e, Event::Retry { cause: Cause::Credentials { .. }, .. });
    assert_eq!((count(&outputs, failed), actions(&outputs).count()), (1, 0), "{outputs:?}");
}

// CLAUSE C16
#[test]
fn a_login_that_arrives_at_its_deadline_is_used() {
    for (millis, refused) in [(30_000, false), (31_000, false), (30_000, true)] {
        let mut s = Direct::starting(Config::default());
        s.now = Timestamp::ZERO.after(Duration::from_millis(millis));
        if refused {
            let failure = AuthFailure::permanent("no");
            s.input(Input::AuthorizeFailed { id: s.login, failure });
            assert_eq!(s.session.state(), SessionState::Closed);
        } else {
            let outputs = s.authorize();
            assert!(actions(&outputs).any(|a| matches!(a, Action::Http { .. })), "{outputs:?}");
        }
        assert_eq!((s.session.stats().stale_inputs, s.session.stats().authorizations), (0, 1));
    }
}

// CLAUSE TOK-4
#[test]
fn the_third_revoked_token_ends_the_session_as_evicted() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let mut ended = None;
    for round in 1..=3 {
        s.sleep(Duration::from_secs(90));
        // The connection dies, and the next attempt calls for a token.
        loop {
            let outputs = s.sleep(Duration::from_secs(1));
            if actions(&outputs).any(|action| matches!(action, Action::Http { .. })) {
                break;
            }
        }
        let outputs = s.http(401, &error_body("OAU-213"));
        ended =
            events(&outputs).find_map(|e| if let Event::Closed { reason } = e { Some(reason.clone()) } else { None });
        assert_eq!(ended.is_some(), round == 3, "round {round}");
        if round < 3 {
            s.authorize();
            s.http(200, TOKEN);
            s.input(Input::Opened { conn: s.conn });
            s.frame(&recovered(DETAILS));
        }
    }
    let Some(CloseReason::Permanent(cause)) = ended else { panic!("{ended:?}") };
    assert_eq!(cause, Cause::Evicted);
    assert!(cause.to_string().contains("at most five logins"), "{cause}");
}

// CLAUSE TOK-2 PST-1
#[test]
fn a_restart_keeps_the_used_budget() {
    // Each process is killed after 8 s, right after its connection. The fifth has no call left, and waits until the
    // first call does not count any more, not for a whole minute.
    let mut snapshot: Option<String> = None;
    let mut calls = 0;
    for process in 0..12_u64 {
        let unix = UnixMillis(clock().unix.0 + process * 8_000);
        let clock = ClockReading { now: Timestamp::ZERO, unix };
        let session = match snapshot.take() {
            None => contract::Checked::new(Config::default(), process, clock),
            Some(text) => {
                let snapshot = Snapshot::from_json(&text).unwrap();
                contract::Checked::restore(Config::default(), snapshot, process, clock).unwrap()
            }
        };
        let mut s = Direct::around(session);
        s.session.connect(s.now).unwrap();
        let mut outputs = s.drain();
        for second in 0..8 {
            if actions(&outputs).any(|a| matches!(a, Action::Authorize { .. })) {
                calls += 1;
                outputs = s.authorize();
            }
            if actions(&outputs).any(|a| matches!(a, Action::Http { .. })) {
                calls += 1;
                assert!(calls <= 5 * (1 + (process * 8 + second) / 60), "process {process}");
                s.open();
                s.frame(&details(DETAILS));
            }
            outputs = s.sleep(Duration::from_secs(1));
        }
        snapshot = Some(s.session.snapshot().unwrap().to_json());
    }
    assert!(calls > 5, "{calls}: it never came back");
}

// CLAUSE TOK-6 SEC-3
#[test]
fn an_access_token_has_64_kib_at_most() {
    for (length, good) in [(64 << 10, true), ((64 << 10) + 1, false)] {
        let mut s = Direct::starting(Config::default());
        let outputs = s.input(Input::Authorized { id: s.login, token: token(&"e".repeat(length), None) });
        assert_eq!(actions(&outputs).any(|action| matches!(action, Action::Http { .. })), good, "{length}");
    }
}

/// Refuses a token of this age, which was issued at `since`. Calls before that fail.
fn refused_at(s: &mut Direct, since: Timestamp, age: Duration) -> Vec<Output> {
    let at = since.after(age);
    loop {
        let outputs = s.sleep(Duration::from_secs(1));
        if actions(&outputs).any(|action| matches!(action, Action::Http { .. })) {
            if at.since(s.now) < Duration::from_secs(29) {
                break;
            }
            s.http(503, "");
        }
    }
    assert!(s.now < at);
    s.now = at;
    s.http(401, EXPIRED)
}

pub(crate) fn token(secret: &str, expires_in: Option<Duration>) -> AccessToken {
    AccessToken { secret: secret.into(), expires_in, cached: false }
}

// CLAUSE TOK-4
#[test]
fn a_token_that_is_refused_after_a_minute_is_replaced_at_once() {
    for repeated in [false, true] {
        for (age, young) in [(Duration::from_micros(59_999_999), true), (Duration::from_secs(60), false)] {
            let mut config = Config::default();
            (config.retry.auth_calls_per_minute, config.retry.attempts_per_minute) = (100, 100);
            let mut s = Direct::starting(config);
            s.input(Input::Authorized { id: s.login, token: token("one", None) });
            assert_eq!(asks(&s.http(401, EXPIRED)), [AuthReason::Refused]);
            s.input(Input::Authorized { id: s.login, token: token("two", None) });
            let issued = s.now;
            if repeated {
                s.http(401, EXPIRED);
                s.sleep(Duration::from_secs(2));
            }
            s.http(503, "");
            let outputs = refused_at(&mut s, issued, age);
            let expected: &[_] = if young { &[] } else { &[AuthReason::Refused] };
            assert_eq!(asks(&outputs), expected, "{repeated} {age:?}");
        }
    }
}

// CLAUSE TOK-4
#[test]
fn a_token_in_good_use_counts_as_revoked_up_to_five_minutes_after_its_issue() {
    let minutes = Duration::from_secs(300);
    let later = minutes + Duration::from_micros(1);
    let hour = Some(Duration::from_secs(3_600));
    let short = Some(Duration::from_secs(120));
    for (expires_in, age, evicted) in [
        (None, minutes, true),
        (None, later, false),
        (hour, minutes, true),
        (short, Duration::from_secs(120), false),
        (short, Duration::from_micros(119_999_999), true),
    ] {
        let mut s = Direct::starting(Config::default());
        for round in 1..=3 {
            s.input(Input::Authorized { id: s.login, token: token(&format!("access-{round}"), expires_in) });
            let issued = s.now;
            s.open();
            s.frame(&details(DETAILS));
            let lost = age.saturating_sub(Duration::from_secs(28));
            while s.now < issued.after(lost) {
                let outputs = s.sleep(Duration::from_secs(1));
                if outputs.iter().any(|output| matches!(output, Output::Action(Action::Send { .. }))) {
                    s.frame(&echo_of(&outputs));
                }
            }
            s.closed(None);
            refused_at(&mut s, issued, age);
            assert_eq!(
                s.session.state() == SessionState::Closed,
                evicted && round == 3,
                "{expires_in:?} {age:?} {round}"
            );
        }
    }
}
