//! What the benchmarks share: a session that is connected and subscribed, and frames for it.

pub mod outage;

use ringcentral_ws_core::{
    AccessToken, Action, ClockReading, Config, ConnId, Filters, Frame, Input, Output, Purpose, Session, Timestamp, Wait,
};

/// The first message of a connection.
pub const DETAILS: &str = r#"[{"type":"ConnectionDetails","messageId":"m","wsc":{"token":"w","sequence":1}},{"recoveryTimeout":180,"recoveryBufferSize":100,"idleTimeout":1800,"absoluteTimeout":86400,"maxActiveRequests":10}]"#;
const TOKEN: &str = r#"{"ws_access_token":"t","uri":"wss://ws.ringcentral.com/ws","expires_in":600}"#;

/// A session that is connected and subscribed as `sub-1`, and drained.
///
/// # Panics
///
/// If the session does not connect, which would be a defect of it.
#[must_use]
pub fn subscribed(config: Config) -> (Session, ConnId) {
    let now = Timestamp::ZERO;
    let mut session = Session::new(config, 1, ClockReading::default());
    let filters = Filters::new(["/restapi/v1.0/account/~/extension/~/message-store"]).expect("a constant filter");
    session.subscribe(filters, now).expect("drained");
    session.connect(now).expect("drained");
    let mut live = None;
    loop {
        match session.poll_output() {
            Output::Action(Action::Authorize { id, .. }) => {
                let token = AccessToken { secret: "a".into(), expires_in: None };
                session.handle_input(Input::Authorized { id, token }, now).expect("drained");
            }
            Output::Action(Action::Http { id, .. }) => {
                let response = http::Response::new(TOKEN.into());
                session.handle_input(Input::HttpResponse { id, response: Box::new(response) }, now).expect("drained");
            }
            Output::Action(Action::Open { conn, .. }) => {
                live = Some(conn);
                session.handle_input(Input::Opened { conn }, now).expect("drained");
                let frame = Frame::Text(DETAILS);
                session.handle_input(Input::Frame { conn, frame }, now).expect("drained");
            }
            Output::Action(Action::Send { conn, text, .. }) => {
                let id = text.split('"').skip_while(|part| *part != "messageId").nth(2).unwrap_or_default();
                let reply = format!(
                    r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"sub-1","eventFilters":["/e"]}}]"#
                );
                let frame = Frame::Text(&reply);
                session.handle_input(Input::Frame { conn, frame }, now).expect("drained");
            }
            Output::Wait(_) => return (session, live.expect("connected")),
            Output::Action(_) | Output::Event(_) => {}
        }
    }
}

/// A message-store notification as the service sends it, with this uuid.
#[must_use]
pub fn message_store(uuid: u64) -> String {
    format!(
        r#"[{{"type":"ServerNotification","messageId":"{uuid:019}","status":200,"headers":{{"RCRequestId":"265348d0-1111-2222-3333-005056a62c0c"}}}},{{"uuid":"{uuid:019}","event":"/restapi/v1.0/account/233676004/extension/233676004/message-store","timestamp":"2023-04-18T20:25:24.611Z","subscriptionId":"sub-1","ownerId":"233676004","body":{{"accountId":233676004,"extensionId":233676004,"lastUpdated":"2023-04-18T20:25:15.775Z","changes":[{{"type":"Pager","newCount":2,"updatedCount":0,"newMessageIds":[12756735005,12756737005]}}]}}}}]"#
    )
}

/// The heartbeat that a connected session sends after silence, which most servers send back as it is.
///
/// # Panics
///
/// If it sends none, which would be a defect of it.
pub fn heartbeat_of(session: &mut Session) -> String {
    let Output::Wait(Wait::Until { at, .. }) = session.poll_output() else { panic!("not drained") };
    session.handle_input(Input::Timeout, at).expect("drained");
    let Output::Action(Action::Send { text, purpose: Purpose::Heartbeat, .. }) = session.poll_output() else {
        panic!("no heartbeat")
    };
    text
}

/// Polls until there is nothing left; says how many outputs there were.
pub fn drain(session: &mut Session) -> usize {
    let mut outputs = 0;
    while !matches!(std::hint::black_box(session.poll_output()), Output::Wait(_)) {
        outputs += 1;
    }
    outputs
}
