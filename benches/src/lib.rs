//! What the benchmarks share: frames for a session, and one Session with a model of the service in virtual time.

pub mod fleet_real;
pub mod in_memory;
pub mod loopback;
pub mod outage;
pub mod raw;
pub mod table;

use ringcentral_ws_core::{AccessToken, Action, Input, Output, Purpose, Session, Timestamp, Wait};

/// The first message of a connection.
pub const DETAILS: &str = r#"[{"type":"ConnectionDetails","messageId":"m","wsc":{"token":"w","sequence":1}},{"recoveryTimeout":180,"recoveryBufferSize":100,"idleTimeout":1800,"absoluteTimeout":86400,"maxActiveRequests":10}]"#;

/// A message-store notification as the service sends it, with this uuid.
#[must_use]
pub fn message_store(uuid: u64) -> String {
    format!(
        r#"[{{"type":"ServerNotification","messageId":"{uuid:019}","status":200,"headers":{{"RCRequestId":"265348d0-1111-2222-3333-005056a62c0c"}}}},{{"uuid":"{uuid:019}","event":"/restapi/v1.0/account/233676004/extension/233676004/message-store","timestamp":"2023-04-18T20:25:24.611Z","subscriptionId":"sub-1","ownerId":"233676004","body":{{"accountId":233676004,"extensionId":233676004,"lastUpdated":"2023-04-18T20:25:15.775Z","changes":[{{"type":"Pager","newCount":2,"updatedCount":0,"newMessageIds":[12756735005,12756737005]}}]}}}}]"#
    )
}

/// The heartbeat that a connected session sends after silence, which most servers send back as it is; and when it does. If
/// its access token is about to expire before, it gets one that does not.
///
/// # Panics
///
/// If it sends none, which would be a defect of it.
pub fn heartbeat_of(session: &mut Session) -> (String, Timestamp) {
    loop {
        let Output::Wait(Wait::Until { at, .. }) = session.poll_output() else { panic!("not drained") };
        session.handle_input(Input::Timeout, at).expect("drained");
        match session.poll_output() {
            Output::Action(Action::Send { text, purpose: Purpose::Heartbeat, .. }) => return (text, at),
            Output::Action(Action::Authorize { id, .. }) => {
                let token = AccessToken { secret: "access".into(), expires_in: None, cached: false };
                session.handle_input(Input::Authorized { id, token }, at).expect("drained");
                drain(session);
            }
            other => panic!("no heartbeat at {at:?} but {other:?}"),
        }
    }
}

/// Polls until there is nothing left; says how many outputs there were.
pub fn drain(session: &mut Session) -> usize {
    let mut outputs = 0;
    while !matches!(std::hint::black_box(session.poll_output()), Output::Wait(_)) {
        outputs += 1;
    }
    outputs
}
