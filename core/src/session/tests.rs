//! What follows from a state, and what does not.

use super::*;
use crate::body::Body;
use crate::ids::{AuthId, HttpId};
use crate::input::AccessToken;
use crate::notification::Notification;
use crate::output::{Action, Event};

const NOW: Timestamp = Timestamp::from_secs(1);
const TOKEN: &str = r#"{"ws_access_token":"t","uri":"wss://ws.ringcentral.com/ws","expires_in":600}"#;
const DETAILS: &str = r#"[{"type":"ConnectionDetails","wsc":{"token":"w","sequence":1}},{}]"#;

/// Everything that waits, and the id of the last message sent.
fn drain(session: &mut Session) -> String {
    let mut id = String::new();
    loop {
        match session.poll_output() {
            Output::Action(Action::Send { text, .. }) => {
                id = text.split("messageId\":\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            }
            Output::Wait(_) => return id,
            Output::Action(_) | Output::Event(_) => {}
        }
    }
}

fn put_in(session: &mut Session, input: Input<'_>) -> String {
    session.handle_input(input, NOW).unwrap();
    drain(session)
}

fn frame(session: &mut Session, text: &str) -> String {
    put_in(session, Input::Frame { conn: ConnId(1), frame: Frame::Text(text) })
}

/// Connected, with nothing desired.
fn ready() -> Session {
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let mut session = Session::new(config, 1, ClockReading::default());
    session.connect(NOW).unwrap();
    drain(&mut session);
    let token = AccessToken { secret: "a".into(), expires_in: None, cached: false };
    put_in(&mut session, Input::Authorized { id: AuthId(1), token });
    let response = Box::new(http::Response::new(TOKEN.into()));
    put_in(&mut session, Input::HttpResponse { id: HttpId(2), response });
    put_in(&mut session, Input::Opened { conn: ConnId(1) });
    frame(&mut session, DETAILS);
    session
}

/// Whether settling puts out anything.
fn follows(session: &Session) -> bool {
    let mut session = session.clone();
    session.settle_all(NOW);
    let outputs = session.out.len();
    assert!(outputs == 0 || !session.state.is_settled());
    outputs > 0
}

#[test]
fn after_each_call_nothing_follows_any_more() {
    let mut session = ready();
    assert!(!follows(&session) && !session.state.is_settled(), "a session without a subscription is looked at");
    session.subscribe(Filters::new(["/a"]).unwrap(), NOW).unwrap();
    let id = drain(&mut session);
    assert!(!follows(&session) && !session.state.is_settled(), "a call is under way");
    frame(&mut session, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"s"}}]"#));
    assert!(!follows(&session) && session.state.is_settled());
    let request = http::Request::get("/r").body(Body::empty()).unwrap();
    session.request(request, NOW).unwrap();
    let id = drain(&mut session);
    assert!(!follows(&session) && !session.state.is_settled(), "a request is under way");
    frame(&mut session, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":204}}]"#));
    assert!(!follows(&session) && session.state.is_settled());
    assert!(session.state.timers.get(TimerKind::Request).is_none());
    session.unsubscribe(NOW).unwrap();
    drain(&mut session);
    assert!(!follows(&session) && !session.state.is_settled());
}

#[test]
fn what_a_call_changes_is_followed_up_at_once() {
    let mut session = ready();
    session.state.requests.blocked = true;
    let request = http::Request::get("/r").body(Body::empty()).unwrap();
    session.request(request, NOW).unwrap();
    assert_eq!(drain(&mut session), "", "nothing can be sent");
    let id = put_in(&mut session, Input::SendReady { conn: ConnId(1) });
    assert_ne!(id, "");
    assert!(!follows(&session));
}

#[test]
fn what_was_asked_last_counts() {
    use SubscriptionState::{Active, None, Pending, Refused};
    let filters = |path: &str| Filters::new([path]).unwrap();
    let answer = |session: &mut Session, status: u16, body: &str| {
        let id = drain(session);
        frame(session, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":{status}}},{body}]"#));
    };
    let mut session = ready();
    assert_eq!((session.subscription_as_asked(), session.last_received()), (None, Some(NOW)));
    session.subscribe(filters("/a"), NOW).unwrap();
    assert_eq!(session.subscription_as_asked(), Pending);
    answer(&mut session, 200, r#"{"id":"s"}"#);
    assert_eq!(session.subscription_as_asked(), Active);
    session.subscribe(filters("/b"), NOW).unwrap();
    assert_eq!((session.subscription(), session.subscription_as_asked()), (Active, Pending));
    answer(&mut session, 400, r#"{"errorCode":"SUB-508"}"#);
    assert_eq!((session.subscription(), session.subscription_as_asked()), (Active, Refused));
    session.subscribe(filters("/c"), NOW).unwrap();
    answer(&mut session, 200, r#"{"id":"s"}"#);
    assert_eq!(session.subscription_as_asked(), Active);
    session.unsubscribe(NOW).unwrap();
    assert_eq!(session.subscription_as_asked(), Pending);
    answer(&mut session, 204, "{}");
    assert_eq!(session.subscription_as_asked(), None);
}

#[test]
fn a_session_says_what_is_asked_for_and_what_the_server_has() {
    fn said(session: &Session) -> (Option<Vec<&str>>, Option<&str>) {
        (session.desired_filters().map(|filters| filters.iter().collect()), session.server_subscription())
    }
    let session = Session::new(Config::default(), 1, ClockReading::default());
    assert_eq!((said(&session), session.last_received()), ((None, None), None));
    let mut session = ready();
    assert_eq!((said(&session), session.last_received()), ((None, None), Some(NOW)));
    session.subscribe(Filters::new(["/a"]).unwrap(), NOW).unwrap();
    assert_eq!(said(&session), (Some(vec!["/a"]), None));
    let id = drain(&mut session);
    frame(&mut session, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"s"}}]"#));
    session.subscribe(Filters::new(["/b"]).unwrap(), NOW).unwrap();
    assert_eq!(said(&session), (Some(vec!["/b"]), Some("s")));
}

#[test]
fn the_window_counts_from_the_last_sign_of_life_while_there_is_no_connection() {
    let mut session = ready();
    session.subscribe(Filters::new(["/a"]).unwrap(), NOW).unwrap();
    let id = drain(&mut session);
    frame(&mut session, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"s"}}]"#));
    assert_eq!(session.recovery_window_end(), None, "it is connected");
    let close = crate::input::CloseInfo::default();
    session.handle_input(Input::Closed { conn: ConnId(1), close }, Timestamp::from_secs(9)).unwrap();
    drain(&mut session);
    let end = NOW.after(session.config().recovery_timeout);
    assert_eq!(session.recovery_window_end(), Some(end));
    assert_eq!(session.last_received(), Some(NOW));
}

// CLAUSE SEC-3 C2
#[test]
fn what_is_held_counts_with_what_waits_to_be_drained() {
    let long = |uuid: &str| {
        let body = "b".repeat(100);
        format!(r#"[{{"type":"ServerNotification"}},{{"uuid":"{uuid}","subscriptionId":"s","body":"{body}"}}]"#)
    };
    for waiting in [1, 3] {
        let mut session = ready();
        session.subscribe(Filters::new(["/a"]).unwrap(), NOW).unwrap();
        drain(&mut session);
        frame(&mut session, &long("1"));
        frame(&mut session, &long("2"));
        let held = session.held_bytes();
        assert!(held > 0);
        assert_eq!(session.held(), (held, held, session.config.limits.held_bytes));
        for n in 0..waiting {
            let text = long(&n.to_string());
            let notification = crate::wire::parse(&text).unwrap();
            let crate::wire::Payload::Notification(fields) = notification.payload else { panic!("no notification") };
            session.out.emit(Event::Notification(Notification::new(None, &fields)));
        }
        let all = held + session.out.bytes();
        session.config.limits.held_bytes = all;
        assert!(session.clone().handle_input(Input::Timeout, NOW).is_ok());
        session.config.limits.held_bytes = all - 1;
        assert!(session.handle_input(Input::Timeout, NOW).is_err(), "{waiting}");
    }
}
