//! Every row of the table of codes, in each place where the service can give it, does what its class says.

use std::time::Duration;

use ringcentral_ws_core::classify::{CODES, Class, CodeRow};
use ringcentral_ws_core::*;

use crate::direct::{Direct, actions, details, error_body, events, get, over_socket, unsubscribed};

/// Codes that come in answers; the others are close codes.
fn answers() -> impl Iterator<Item = &'static CodeRow> {
    CODES.iter().filter(|row| row.code.parse::<u16>().is_err())
}

fn close_codes() -> impl Iterator<Item = u16> {
    CODES.iter().filter_map(|row| row.code.parse().ok())
}

fn status(row: &CodeRow) -> u16 {
    row.http.unwrap_or(400)
}

fn asks_anew(outputs: &[Output]) -> bool {
    actions(outputs).any(|a| matches!(a, Action::Authorize { reason: AuthReason::Refused, .. }))
}

fn end(outputs: &[Output]) -> Option<&'static str> {
    events(outputs).find_map(|e| match e {
        Event::Closed { reason: CloseReason::Permanent(cause) } => Some(cause.as_str()),
        _ => None,
    })
}

fn retry(outputs: &[Output]) -> Option<(&Cause, Duration)> {
    events(outputs).find_map(|e| if let Event::Retry { cause, delay, .. } = e { Some((cause, *delay)) } else { None })
}

// CLAUSE TOK-3 TOK-4 TOK-5 TOK-6 BCK-5
#[test]
fn each_code_in_the_reply_to_the_token_call() {
    for row in answers() {
        let mut s = Direct::starting(Config::default());
        s.authorize();
        let outputs = s.http(status(row), &error_body(row.code));
        match row.class {
            Class::Permanent | Class::CallerBug => {
                let cause = match status(row) {
                    401 => "unauthorized",
                    403 => "forbidden",
                    _ => "token_call",
                };
                assert_eq!(end(&outputs), Some(cause), "{row:?}");
                assert_eq!(s.session.state(), SessionState::Closed);
            }
            Class::RefreshToken => {
                assert!(asks_anew(&outputs) && retry(&outputs).is_none(), "{row:?}");
                // The new token may not be known everywhere yet. It is tried again, then another one, then the session ends.
                s.authorize();
                // The wait is longer than ten seconds, because the five calls of the minute are used up.
                for seconds in [2, 58] {
                    let outputs = s.http(status(row), &error_body(row.code));
                    let (cause, delay) = retry(&outputs).unwrap();
                    assert_eq!((cause.as_str(), delay.as_secs()), ("token_refused", seconds), "{row:?}");
                    let outputs = s.sleep(delay);
                    assert_eq!(asks_anew(&outputs), seconds == 58, "{row:?}");
                }
                s.authorize();
                let outputs = s.http(status(row), &error_body(row.code));
                assert_eq!(end(&outputs), Some("unauthorized"), "{row:?}");
            }
            Class::RateLimited => {
                let (cause, delay) = retry(&outputs).unwrap();
                assert_eq!(cause.as_str(), "rate_limited", "{row:?}");
                assert!(delay >= Duration::from_secs(60), "{row:?} {delay:?}");
            }
            Class::Transient
            | Class::Resubscribe
            | Class::FreeSubscriptions
            | Class::RecoverSession
            | Class::ForgetWsc => {
                assert!(retry(&outputs).is_some_and(|(_, delay)| delay <= Duration::from_secs(20)), "{row:?}");
            }
        }
    }
}

// CLAUSE SUB-5
#[test]
fn each_code_in_the_reply_to_a_post() {
    for row in answers() {
        for in_words in [false, true] {
            let mut s = Direct::ready(Config::default());
            s.subscribe();
            let (id, body, status) = (s.message.clone(), error_body(row.code), status(row));
            let kind = if in_words { "Error" } else { "ClientRequest" };
            let outputs = s.frame(&format!(r#"[{{"type":"{kind}","messageId":"{id}","status":{status}}},{body}]"#));
            let failed: Vec<_> = events(&outputs)
                .filter_map(|e| match e {
                    Event::SubscriptionFailed { error, retry_at, delay, .. } => {
                        assert_eq!(*delay, retry_at.map(|at| at.since(s.now)), "readable without the driver's clock");
                        Some((error, *delay))
                    }
                    _ => None,
                })
                .collect();
            let [(error, again)] = failed[..] else { panic!("{row:?}: {outputs:?}") };
            assert_eq!(error.code.as_deref(), Some(row.code));
            assert_eq!(asks_anew(&outputs), row.class == Class::RefreshToken, "{row:?}");
            let least = match row.class {
                Class::Permanent | Class::CallerBug | Class::Resubscribe => None,
                Class::FreeSubscriptions => Some(300),
                Class::RateLimited => Some(60),
                Class::RefreshToken | Class::Transient | Class::RecoverSession | Class::ForgetWsc => Some(0),
            };
            assert_eq!(again.is_some(), least.is_some(), "{row:?}");
            assert!(again >= least.map(Duration::from_secs), "{row:?} {again:?}");
            assert!(matches!(s.session.state(), SessionState::Ready { .. }), "{row:?}");
            // It is tried again at the announced time, or never.
            let outputs = s.sleep(Duration::ZERO);
            assert!(outputs.is_empty());
            if let Some(again) = again {
                s.now = s.now.after(again);
                let conn = s.conn;
                let outputs = s.input(Input::Frame { conn, frame: Frame::Control });
                let sent = |a: &Action| matches!(a, Action::Send { purpose: Purpose::Subscribe, .. });
                assert!(actions(&outputs).any(sent), "{row:?} {outputs:?}");
            }
        }
    }
}

// CLAUSE SUB-2 SUB-7
#[test]
fn each_code_in_the_reply_to_a_put_and_a_delete() {
    for row in answers() {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.subscribe();
        let outputs = s.reply(status(row), &error_body(row.code));
        let anew = actions(&outputs).any(|a| matches!(a, Action::Resubscribe { .. }));
        let refused = events(&outputs).any(|e| matches!(e, Event::SubscriptionFailed { .. }));
        let lost = status(row) == 404 || row.class == Class::Resubscribe;
        assert_eq!((anew, refused), (lost, !lost), "{row:?}");

        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.unsubscribe();
        let outputs = s.reply(status(row), &error_body(row.code));
        let gone = unsubscribed(&outputs);
        assert_eq!(gone, lost || status(row) == 401, "{row:?}");
    }
}

// CLAUSE HB-5 FRM-1
#[test]
fn each_code_in_an_error_message() {
    for row in answers() {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        let error = format!(r#"[{{"type":"Error","messageId":"x","status":400}},{}]"#, error_body(row.code));
        let outputs = s.frame(&error);
        assert!(events(&outputs).any(|e| matches!(e, Event::ProtocolError { .. })), "{row:?}");
        let lost = matches!(s.session.state(), SessionState::Waiting { .. });
        assert_eq!(lost, row.class == Class::RecoverSession, "{row:?}");
    }
}

// CLAUSE CON-3
#[test]
fn each_code_in_place_of_connection_details() {
    for row in answers() {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.reopen();
        let error = format!(r#"[{{"type":"Error","messageId":"x","status":400}},{}]"#, error_body(row.code));
        let outputs = s.frame(&error);
        let (_, delay) = retry(&outputs).unwrap();
        let at_once = row.class == Class::ForgetWsc;
        assert_eq!(delay.is_zero(), at_once, "{row:?}");
        let forgotten = s.session.snapshot().unwrap().to_json().contains("wsc-secret");
        assert_eq!(forgotten, !at_once, "{row:?}");
    }
}

// CLAUSE REC-3
#[test]
fn each_code_as_the_reason_of_a_failed_recovery() {
    for row in answers() {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.reopen();
        let code = row.code;
        let outputs = s.frame(&details(&format!(r#""recoveryState":"Failed","recoveryErrorCode":"{code}""#)));
        assert!(actions(&outputs).any(|a| matches!(a, Action::Resubscribe { .. })), "{row:?}");
        let failed = |e: &Event| matches!(e, Event::RecoveryFailed { code, .. } if code.as_deref() == Some(row.code));
        assert!(events(&outputs).any(failed), "{row:?}");
    }
}

// CLAUSE REQ-9 TOK-4
#[test]
fn each_code_in_the_reply_to_a_request() {
    for row in answers() {
        let config = over_socket();
        let mut s = Direct::ready(config.clone());
        s.request(get("/r"));
        let outputs = s.reply(status(row), &error_body(row.code));
        assert!(events(&outputs).any(is_response), "{row:?}");

        let mut s = Direct::ready(Config { rest_over_websocket: false, ..config });
        s.request(get("/r"));
        let outputs = s.http(status(row), &error_body(row.code));
        let again = row.class == Class::RefreshToken;
        assert_eq!((asks_anew(&outputs), events(&outputs).any(is_response)), (again, !again), "{row:?}");
    }
}

fn is_response(event: &Event) -> bool {
    matches!(event, Event::Response { outcome: RequestOutcome::Response { .. }, .. })
}

// CLAUSE BCK-1 CON-3
#[test]
fn each_close_code_leads_to_another_attempt_with_a_new_token() {
    for code in close_codes() {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        let outputs = s.closed(Some(code));
        assert!(events(&outputs).any(|e| matches!(e, Event::Disconnected { .. })), "{code}");
        assert!(s.session.snapshot().unwrap().to_json().contains("wsc-secret"), "{code}");
        let outputs = s.sleep(Duration::from_secs(5));
        assert!(actions(&outputs).any(|a| matches!(a, Action::Http { .. })), "{code}");

        let mut s = Direct::connecting(Config::default());
        let outputs = s.closed(Some(code));
        assert!(retry(&outputs).is_some(), "{code}");
        let outputs = s.sleep(Duration::from_secs(5));
        assert!(actions(&outputs).any(|a| matches!(a, Action::Http { .. })), "{code}");
    }
}
