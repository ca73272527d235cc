//! What is stored is bound to whose it is (TOK-10).

use data_encoding::BASE64URL_NOPAD;
use ringcentral_ws_core::{Close, Snapshot, UnixMillis};

use crate::world::World;

/// How often the server was shown a recovery token.
fn handles_shown(w: &World<'_>) -> u64 {
    let seen = w.server.observations();
    seen.recoveries + seen.recoveries_failed + seen.malformed_wsc
}

/// Subscribes, detaches, and leaves a message waiting.
fn leave(w: &mut World<'_>, waiting: &str) {
    w.subscribe();
    w.sms_arrives("before");
    w.close(Close::Detach);
    (w.setup.snapshot, w.setup.refresh_token) = w.client().keep();
    w.setup.filters.clear();
    w.sms(waiting);
}

/// The session of one user, and the credentials of another, of another app, and for another server.
pub(super) fn other_credentials(w: &mut World<'_>) {
    leave(w, "theirs");
    let own = w.setup.clone();
    w.setup.refresh_token = None;
    w.setup.jwt = w.server.with_gateway(|gateway, _| gateway.config().users[1].jwt.clone());
    let why = w.start_refused();
    assert!(why.contains("another user or app"), "{why}");
    w.setup.jwt.clone_from(&own.jwt);
    "other-client-id".clone_into(&mut w.setup.app.client_id);
    let why = w.start_refused();
    assert!(why.contains("another user or app"), "{why}");
    w.setup.app = own.app.clone();
    w.setup.app.server = "http://127.0.0.1:1".parse().expect("a URL");
    let why = w.start_refused();
    assert!(why.contains("another server"), "{why}");

    // The other user begins afresh, gets a gap, and sees nothing of the first.
    w.setup = own.clone();
    w.setup.refresh_token = None;
    w.setup.jwt = w.server.with_gateway(|gateway, _| gateway.config().users[1].jwt.clone());
    w.setup.snapshot = Some(Snapshot::lost(&w.setup.app.server, UnixMillis(0)));
    w.setup.filters = vec![crate::world::SMS.to_owned()];
    w.start();
    w.until("connected fresh");
    w.until("gap restored");
    w.until("subscribed");
    w.sms("theirs too");
    w.server.receive_sms(1, "+16505550100", "mine");
    w.until_next("notification", "notification mine");
    assert_eq!(handles_shown(w), 0, "the handle of the first user was never shown");
    w.close(Close::Revoke);

    // The first one finds everything as it was left.
    w.setup = own;
    w.start();
    w.until("notification theirs");
    w.until("notification theirs too");
    assert_eq!(handles_shown(w), 1);
    w.close(Close::Revoke);
}

/// A JWT that is issued anew for the same user continues the session.
pub(super) fn jwt_issued_again(w: &mut World<'_>) {
    let jwt = |issued: u64| {
        let part = |text: String| BASE64URL_NOPAD.encode(text.as_bytes());
        let claims = format!(r#"{{"sub":"62264425016","iss":"https://h.example","iat":{issued}}}"#);
        format!("{}.{}.signature{issued}", part(r#"{"alg":"RS256"}"#.to_owned()), part(claims))
    };
    w.setup.jwt = jwt(1);
    w.server.with_gateway(|gateway, _| gateway.config_mut().users[0].jwt = jwt(1));
    leave(w, "while away");
    w.setup.jwt = jwt(2);
    w.server.with_gateway(|gateway, _| gateway.config_mut().users[0].jwt = jwt(2));
    w.start();
    w.until("notification while away");
    w.close(Close::Revoke);
}

/// A snapshot that does not say whose it is, as earlier versions wrote them, is continued and bound from then on.
pub(super) fn older_snapshot(w: &mut World<'_>) {
    leave(w, "while away");
    let snapshot = w.setup.snapshot.take().expect("it detached");
    let identity = snapshot.identity().expect("it is bound");
    let older = snapshot.to_json().replace(&format!("\"identity\":\"{identity}\","), "");
    w.setup.snapshot = Snapshot::from_json(&older).ok();
    assert!(w.setup.snapshot.as_ref().is_some_and(|snapshot| snapshot.identity().is_none()), "{older}");
    w.start();
    w.until("notification while away");
    w.close(Close::Detach);
    assert_eq!(w.client().keep().0.and_then(|snapshot| snapshot.identity()), Some(identity));
}
