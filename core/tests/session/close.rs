//! Closing: `Revoke` and `Detach` (CLS).

use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, delivered, echo_of, error_body, notification, purposes, recovered};

// CLAUSE CLS-1
#[test]
fn a_session_that_revokes_is_closing() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.close(Close::Revoke, s.now).unwrap();
    assert_eq!(s.session.state(), SessionState::Closing);
    s.drain();
    assert_eq!(s.session.state(), SessionState::Closing);
    assert!(s.session.live().is_some());
}

// CLAUSE SUB-8 CLS-1
#[test]
fn a_delete_refused_while_detaching_keeps_the_subscription() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.unsubscribe();
    // The filters are set again before the answer, and the next process continues with them.
    s.subscribe();
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    s.reply(400, &error_body("SUB-508"));
    assert_eq!(delivered(&s.frame(&notification(1))), ["1"]);
    s.closed(Some(1000));
    let mut s = Direct::restored(Config::default(), s.session.snapshot().unwrap());
    s.authorize();
    s.open();
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
    s.frame(&notification(2));
    assert_eq!(delivered(&s.frame(&echo_of(&outputs))), ["2"]);
}
