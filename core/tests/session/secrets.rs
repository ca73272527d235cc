//! Secrets show in no output, no state and no error (SEC-1).

use std::fmt::Write as _;

use ringcentral_ws_core::*;

use crate::direct::{Direct, actions, error_body};

// CLAUSE SEC-1
#[test]
fn a_masked_value_still_shows_its_type() {
    assert_eq!(format!("{:?}", Secret::from("s")), "Secret(***)");
    let url = SecretUrl::new("wss://h/ws?q=s".parse().unwrap());
    assert_eq!(format!("{url:?}"), "SecretUrl(wss://h/ws?***)");
    let s = Direct::ready(Config::default());
    assert!(format!("{:?}", s.session.snapshot().unwrap()).starts_with("Snapshot {"));
}

const ACCESS: &str = "access-hunter1";

const WS: &str = "ws-hunter2";

const WSC: &str = "wsc-hunter3";

fn authorized(s: &mut Direct) -> Vec<Output> {
    let token = AccessToken { secret: ACCESS.into(), expires_in: None, cached: false };
    s.input(Input::Authorized { id: s.login, token })
}

fn address(outputs: &[Output]) -> SecretUrl {
    actions(outputs).find_map(|a| if let Action::Open { url, .. } = a { Some(url.clone()) } else { None }).unwrap()
}

// CLAUSE SEC-1
#[test]
fn no_secret_shows_in_a_life_of_a_session() {
    let mut shown = String::new();
    let mut s = Direct::new(Config::default());
    let mut show = |s: &Direct, outputs: Vec<Output>| {
        for output in &outputs {
            let _ = write!(shown, "{output:?}");
            if let Output::Action(Action::Open { url, .. }) = output {
                let _ = write!(shown, "{url}");
            }
            if let Output::Event(Event::Retry { cause, .. }) = output {
                let _ = write!(shown, "{cause}");
            }
        }
        let _ = write!(shown, "{:?}{:?}", s.session, s.session.snapshot());
    };
    s.session.connect(s.now).unwrap();
    s.drain();
    let outputs = authorized(&mut s);
    show(&s, outputs);
    for body in [
        format!(r#"{{"ws_access_token":"{WS}","uri":"wss://h.ringcentral.com/ws?key=1","expires_in":600"#),
        format!(r#"{{"ws_access_token":"{WS}","uri":"wss://h.ringcentral.com/ws?key=1","expires_in":600}}"#),
    ] {
        let outputs = s.http(200, &body);
        show(&s, outputs);
        let outputs = s.sleep(std::time::Duration::from_secs(5));
        show(&s, outputs);
    }
    s.input(Input::Opened { conn: s.conn });
    let wsc = format!(r#""wsc":{{"token":"{WSC}","sequence":1}}"#);
    let outputs = s.frame(&format!(r#"[{{"type":"ConnectionDetails",{wsc}}},{{"recoveryTimeout":180}}]"#));
    show(&s, outputs);
    s.subscribed();
    let outputs = s.frame(&format!(r#"[{{"type":"ServerNotification",{wsc}}},{{"uuid":"1","subscriptionId":"s"}}]"#));
    show(&s, outputs);
    let outputs = s.frame(&format!(r#"[{{"type":"ServerNotification",{wsc}"#));
    show(&s, outputs);
    let outputs = s.closed(None);
    show(&s, outputs);
    loop {
        let outputs = s.sleep(std::time::Duration::from_secs(1));
        let calls = outputs.iter().any(|output| matches!(output, Output::Action(Action::Http { .. })));
        show(&s, outputs);
        if calls {
            break;
        }
    }
    let outputs = s.http(200, &format!(r#"{{"ws_access_token":"{WS}","uri":"wss://h.ringcentral.com/ws"}}"#));
    assert!(address(&outputs).expose().as_str().contains(WSC));
    show(&s, outputs);
    let snapshot = s.session.snapshot().unwrap();
    assert!(snapshot.to_json().contains(WSC) && !snapshot.to_json().contains(WS));
    let cut = snapshot.to_json().replace(r#""sequence":1"#, r#""sequence":"x""#);
    let _ = write!(shown, "{:?}", Snapshot::from_json(&cut).unwrap_err());
    for secret in [ACCESS, WS, WSC] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

// CLAUSE SEC-1
#[test]
fn no_secret_shows_in_inputs_and_outputs() {
    const SECRET: &str = "hunter4";
    let mut s = Direct::ready(Config::default());
    let body = format!("token={SECRET}");
    let request =
        http::Request::post("/restapi/oauth/revoke").header("x-secret", SECRET).body(Body::from(body)).unwrap();
    s.session.request(request, s.now).unwrap();
    let mut shown = format!("{:?}{:?}", s.drain(), s.session);
    let body = format!(r#"{{"ws_access_token":"{SECRET}","access_token":"{SECRET}"}}"#);
    let response = http::Response::builder().header("set-cookie", SECRET).body(bytes::Bytes::from(body)).unwrap();
    let input = Input::HttpResponse { id: s.call, response: Box::new(response) };
    let _ = write!(shown, "{input:?}{:?}", s.input(input.clone()));
    let text = format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":"{SECRET}","sequence":1}}}}]"#);
    for frame in [Frame::Text(&text), Frame::Text(&text[1..]), Frame::Binary(SECRET.as_bytes())] {
        let _ = write!(shown, "{:?}", Input::Frame { conn: s.conn, frame });
    }
    let token = AccessToken { secret: SECRET.into(), expires_in: None, cached: false };
    let _ = write!(shown, "{:?}", Input::Authorized { id: s.login, token });
    assert!(!shown.contains(SECRET) && !shown.contains(&format!("{:?}", SECRET.as_bytes())), "{shown}");
    assert!(shown.contains("POST https://platform.ringcentral.com/restapi/oauth/revoke (13 bytes)"), "{shown}");
    assert!(shown.contains("Entry { deadline: ") && shown.contains("left: false, .. }"), "{shown}");
    assert!(shown.contains("HTTP 200 (") && shown.contains("ConnectionDetails"), "{shown}");
}

// CLAUSE SEC-1
#[test]
fn the_authorization_header_is_sensitive() {
    let mut s = Direct::starting(Config::default());
    let outputs = authorized(&mut s);
    let request =
        actions(&outputs).find_map(|a| if let Action::Http { request, .. } = a { Some(request) } else { None });
    let header = &request.unwrap().headers()[http::header::AUTHORIZATION];
    assert!(header.is_sensitive());
    assert_eq!(header, &format!("Bearer {ACCESS}"));
}

// CLAUSE TOK-8
#[test]
fn values_in_the_connection_url_are_encoded_and_its_query_is_kept() {
    let mut s = Direct::starting(Config::default());
    s.authorize();
    let body =
        r#"{"ws_access_token":"a+b/c=&d e%","uri":"wss://h.ringcentral.com:8443/ws?x=1&y=a%20b","expires_in":60}"#;
    let outputs = s.http(200, body);
    let url = address(&outputs);
    let query = url.expose().query().unwrap();
    assert!(query.starts_with("x=1&y=a%20b&access_token=a%2Bb%2Fc%3D%26d"), "{query}");
    let pairs: Vec<_> = url.expose().query_pairs().into_owned().collect();
    assert_eq!(pairs[2], ("access_token".into(), "a+b/c=&d e%".into()));
    assert_eq!(url.expose().port(), Some(8443));
    assert_eq!(url.to_string(), "wss://h.ringcentral.com:8443/ws?***");
}

// CLAUSE TOK-5 SEC-1
#[test]
fn a_missing_permission_is_named() {
    for (code, message) in [
        (
            "CMN-401",
            "In order to call this API endpoint, application needs to have [WebSocketsSubscription] permission",
        ),
        ("SUB-528", "[SubscriptionWebSocket] application permission is required for [WebSocket] transport"),
        ("InsufficientPermissions", "Insufficient permissions"),
    ] {
        let mut s = Direct::starting(Config::default());
        authorized(&mut s);
        let outputs = s.http(403, &error_body(code).replace(r#""m""#, &format!("{message:?}")));
        let reason = outputs.iter().find_map(|o| match o {
            Output::Event(Event::Closed { reason: CloseReason::Permanent(cause) }) => Some(cause.to_string()),
            _ => None,
        });
        let reason = reason.unwrap();
        assert!(reason.contains(message) && reason.contains("WebSocket Subscriptions"), "{reason}");
        assert!(!reason.contains(ACCESS));
    }
}

// CLAUSE SEC-1
#[test]
fn inputs_and_actions_print_their_names_without_their_texts() {
    const SECRET: &str = "hunter5";
    let (conn, id) = (ConnId::from(7), HttpId::from(8));
    let text = || SECRET.to_owned();
    let failed = HttpFailure { phase: Phase::Dns, not_sent: true, message: "m".into() };
    let unopened = OpenFailure { phase: Phase::Tls, status: Some(403), retry_after: None, message: "m".into() };
    let unauthorized = AuthFailure::permanent("m");
    let close = CloseInfo { code: Some(1001), reason: "r".into() };
    let named = [
        (format!("{:?}", Input::AuthorizeFailed { id: AuthId::from(9), failure: unauthorized }), "kind: Permanent"),
        (format!("{:?}", Input::HttpFailed { id, failure: failed }), "phase: Dns"),
        (format!("{:?}", Input::OpenFailed { conn, failure: unopened }), "status: Some(403)"),
        (format!("{:?}", Input::Closed { conn, close }), "code: Some(1001)"),
        (format!("{:?}", Input::Frame { conn, frame: Frame::Control }), "frame: Control"),
        (format!("{:?}", Input::Frame { conn, frame: Frame::TooLarge(9) }), "frame: TooLarge(9)"),
        (format!("{:?}", Input::Frame { conn, frame: Frame::Unreadable(Unreadable::Cut) }), "frame: Unreadable(Cut)"),
        (format!("{:?}", Input::SendBlocked { conn }), "SendBlocked { conn"),
        (format!("{:?}", Input::SendReady { conn }), "SendReady { conn"),
        (format!("{:?}", Input::NetworkChanged { online: true }), "online: true"),
        (format!("{:?}", Input::Resumed), "Resumed"),
        (
            format!("{:?}", Action::Send { conn, text: text(), purpose: Purpose::Heartbeat }),
            "(7 bytes), purpose: Heartbeat",
        ),
        (format!("{:?}", Action::Resubscribe { conn, text: text() }), "(7 bytes)"),
        (format!("{:?}", Action::Close { conn, code: 1000, reason: "bye" }), "code: 1000, reason: \"bye\""),
        (format!("{:?}", Action::AbortHttp { id }), "AbortHttp { id"),
    ];
    for (shown, part) in named {
        assert!(shown.contains(part) && !shown.contains(SECRET), "{shown}");
    }
}
