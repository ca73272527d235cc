//! Servers and proxies quote what they were sent. Their texts are masked and cut before anyone reads them (SEC-6).

use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::*;

use crate::direct::{Direct, actions, events, first_outcome, get, over_socket};

const ACCESS: &str = "access-token-hunter1";

const WS: &str = "ws-token-hunter2";

const WSC: &str = "handle-hunter3";

const NEW: &str = "access-token-hunter4";

fn all() -> String {
    format!("you sent {ACCESS}, {WS} and {WSC}")
}

fn give(s: &mut Direct, token: &str) -> Vec<Output> {
    let token = AccessToken { secret: token.into(), expires_in: None, cached: false };
    s.input(Input::Authorized { id: s.login, token })
}

fn open(s: &mut Direct, token: &str, wsc: &str, fields: &str) -> Vec<Output> {
    s.http(200, &format!(r#"{{"ws_access_token":"{token}","uri":"wss://h.ringcentral.com/ws","expires_in":600}}"#));
    s.input(Input::Opened { conn: s.conn });
    s.frame(&format!(
        r#"[{{"type":"ConnectionDetails","wsc":{{"token":"{wsc}","sequence":1}},"headers":{{"RCRequestId":"r {}"}}}},{{{fields}}}]"#,
        all()
    ))
}

/// A session on its second connection, so that former tokens are masked too.
fn recovered_session() -> (Direct, Vec<Output>) {
    let mut s = Direct::starting(over_socket());
    give(&mut s, ACCESS);
    open(&mut s, "ws-token-before", WSC, "");
    s.subscribed();
    s.closed(Some(1001));
    s.until_connecting();
    let fields =
        format!(r#""creationTime":"{0}","recoveryErrorCode":"{0}","recoveryState":"Successful","new":["{0}"]"#, all());
    let outputs = open(&mut s, WS, "handle-hunter5", &fields);
    (s, outputs)
}

fn check(shown: &str) {
    assert!(!shown.contains("hunter"), "{shown}");
    assert!(shown.contains("you sent ***, *** and ***"), "{shown}");
}

// CLAUSE SEC-6 CON-6
#[test]
fn connection_details_are_masked() {
    let (_, outputs) = recovered_session();
    let details =
        events(&outputs).find_map(|e| if let Event::Connected { details, .. } = e { Some(details) } else { None });
    let details = details.unwrap();
    for text in [&details.creation_time, &details.recovery_error_code, &details.request_id] {
        check(text.as_deref().unwrap());
    }
    check(&details.other);
    assert!(serde_json::from_str::<serde_json::Value>(&details.other).unwrap()["new"].is_array());
}

// CLAUSE SEC-6
#[test]
fn close_reasons_are_masked_and_cut() {
    for code in [Some(1008), Some(4400), None] {
        let (mut s, _) = recovered_session();
        let close = CloseInfo { code, reason: format!("{} {}", all(), "x".repeat(1 << 20)).into() };
        let outputs = s.input(Input::Closed { conn: s.conn, close });
        let said = events(&outputs)
            .find_map(|e| if let Event::Disconnected { reason, .. } = e { reason.as_deref() } else { None });
        check(said.unwrap());
        assert_eq!(said.unwrap().len(), 1024);
    }
    let (mut s, _) = recovered_session();
    let outputs = s.closed(Some(1001));
    assert!(events(&outputs).any(|e| matches!(e, Event::Disconnected { reason: None, .. })));
}

// CLAUSE SEC-6 SUB-6
#[test]
fn a_confirmed_subscription_is_masked() {
    let (mut s, _) = recovered_session();
    s.subscribe();
    let said = all();
    let outputs = s.reply(
        200,
        &format!(
            r#"{{"id":"s","eventFilters":["{said}"],"disabledFilters":["{said}",{{"filter":"{said}","reason":"{said}","message":"{said}"}}]}}"#
        ),
    );
    let info = events(&outputs).find_map(|e| if let Event::Subscribed(info) = e { Some(info) } else { None }).unwrap();
    check(&info.filters[0]);
    for off in &info.disabled {
        check(&off.filter);
    }
    check(&info.disabled[1].reason);
    check(&info.disabled[1].message);
}

// CLAUSE SEC-6 REQ-9
#[test]
fn an_api_error_is_masked_and_the_body_is_not() {
    let (mut s, _) = recovered_session();
    s.request(get("/r"));
    let body = format!(r#"{{"errorCode":"CMN-1","message":"{}"}}"#, all());
    let outputs = s.reply(400, &body);
    let RequestOutcome::Response { response, .. } = first_outcome(&outputs) else { panic!() };
    check(&ApiError::from_response(response).unwrap().to_string());
    // The body is unchanged, and its type does not matter.
    assert_eq!(response.body(), body.as_bytes());
    let other = (**response).clone().map(Body::from);
    check(&ApiError::from_response(&other).unwrap().to_string());
    assert!(!format!("{response:?}").contains("Masker"));
    // A good answer has no masker.
    s.request(get("/r"));
    let outputs = s.reply(200, "{}");
    let RequestOutcome::Response { response, .. } = first_outcome(&outputs) else { panic!() };
    assert!(response.extensions().get::<Masker>().is_none());
}

// CLAUSE SEC-6 REQ-9
#[test]
fn a_replaced_token_is_masked_in_an_api_error() {
    let (mut s, _) = recovered_session();
    let mut request = get("/r");
    request.extensions_mut().insert(OverHttps);
    s.request(request);
    let body = format!(r#"{{"errorCode":"OAU-213","message":"{} {NEW}"}}"#, all());
    s.http(401, &body);
    let outputs = give(&mut s, NEW);
    let call = actions(&outputs).any(|a| matches!(a, Action::Http { .. }));
    assert!(call, "it is sent again");
    let outputs = s.http(401, &body);
    let RequestOutcome::Response { response, .. } = first_outcome(&outputs) else { panic!("{outputs:?}") };
    check(&ApiError::from_response(response).unwrap().to_string());
}

// CLAUSE SEC-6 REQ-3
#[test]
fn a_failed_https_call_is_masked_and_cut() {
    for not_sent in [true, false] {
        let (mut s, _) = recovered_session();
        let mut request = get("/r");
        request.extensions_mut().insert(OverHttps);
        s.request(request);
        let message = format!("the proxy says: {} {}", all(), "x".repeat(1 << 20)).into();
        let failure = HttpFailure { phase: Phase::Tcp, not_sent, message };
        let outputs = s.input(Input::HttpFailed { id: s.call, failure });
        match first_outcome(&outputs) {
            RequestOutcome::NotSent(cause) | RequestOutcome::Unknown(cause) => {
                check(&format!("{cause} {cause:?}"));
                assert!(cause.to_string().len() < 1200);
            }
            other => panic!("{other:?}"),
        }
    }
}

// CLAUSE SEC-6 REC-8
#[test]
fn a_failed_attempt_is_masked_and_cut() {
    let (mut s, _) = recovered_session();
    s.closed(None);
    s.until_connecting();
    let message = format!("{} {}", all(), "x".repeat(1 << 20));
    let failure = HttpFailure { phase: Phase::Dns, not_sent: true, message: message.as_str().into() };
    let mut failed = vec![s.input(Input::HttpFailed { id: s.call, failure })];
    s.sleep(Duration::from_secs(20));
    s.http(200, r#"{"ws_access_token":"again","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#);
    let failure = OpenFailure { phase: Phase::Tls, status: None, retry_after: None, message: message.into() };
    failed.push(s.input(Input::OpenFailed { conn: s.conn, failure }));
    for outputs in failed {
        let cause = events(&outputs).find_map(|e| if let Event::Retry { cause, .. } = e { Some(cause) } else { None });
        let shown = cause.unwrap().to_string();
        check(&shown);
        assert!(shown.len() < 1200);
    }
}

// CLAUSE SEC-6 TOK-8
#[test]
fn a_refused_host_is_masked() {
    for secret in [ACCESS, "ws-token-hunter6"] {
        let mut s = Direct::starting(Config::default());
        give(&mut s, ACCESS);
        // A host name is shown in small letters, whatever the server wrote.
        let uri = format!("wss://{}.evil.example/ws", secret.to_uppercase());
        let outputs =
            s.http(200, &format!(r#"{{"ws_access_token":"WS-token-Hunter6","uri":"{uri}","expires_in":600}}"#));
        let cause = events(&outputs).find_map(|e| if let Event::Retry { cause, .. } = e { Some(cause) } else { None });
        let shown = format!("{} {cause:?}", cause.unwrap());
        assert!(!shown.contains("hunter") && shown.contains("***.evil.example"), "{shown}");
    }
}

// CLAUSE SEC-6
#[test]
fn a_response_of_no_session_is_read_as_it_is() {
    let response = http::Response::builder().status(400).body(Bytes::from(r#"{"message":"m"}"#)).unwrap();
    assert_eq!(&*ApiError::from_response(&response).unwrap().message, "m");
}
