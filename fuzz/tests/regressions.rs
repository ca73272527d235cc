//! Each is what the simulator found once, as short as it can be.

#[path = "../../core/tests/support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{DETAILS, Direct, count, details, echo_of, gap, is_gap, notification};
use ringcentral_ws_core::*;

/// A client that is connected and subscribed; `limits`: what the server says of its limits.
fn connected(limits: &str) -> Direct {
    let mut s = Direct::connecting(Config::default());
    s.frame(&details(limits));
    s.subscribed();
    s
}

fn sends_a_heartbeat(outputs: &[Output]) -> bool {
    let heartbeat = |action: &Action| matches!(action, Action::Send { purpose: Purpose::Heartbeat, .. });
    direct::actions(outputs).any(heartbeat)
}

/// HB-1: the server's idle timer looks at messages of the client only. A client that hears something every few
/// seconds (pings, or a busy account) sent no heartbeat, and was thrown out every half hour.
#[test]
fn an_account_that_is_never_quiet_still_sends_heartbeats() {
    let mut s = connected(r#""idleTimeout":1800"#);
    let mut last = s.now;
    for _ in 0..3 * 360 {
        s.now = s.now.after(Duration::from_secs(10));
        if sends_a_heartbeat(&s.input(Input::Frame { conn: s.conn, frame: Frame::Control })) {
            last = s.now;
        }
        assert!(s.now.since(last) < Duration::from_secs(1800), "idle for {:?}", s.now.since(last));
    }
}

/// REC-5: what is read after a sleep may have waited in the socket since its beginning. A loss after it was reported
/// as beginning at the wake-up, although notifications of the time asleep were lost.
#[test]
fn a_gap_after_a_sleep_begins_before_the_sleep() {
    let mut s = connected(DETAILS);
    s.frame(&notification(1));
    let asleep = s.now;
    s.now = s.now.after(Duration::from_secs(170));
    s.input(Input::Resumed);
    s.input(Input::Frame { conn: s.conn, frame: Frame::Control });
    s.reopen();
    let mut outputs = s.frame(&details(r#""recoveryState":"Failed","recoveryErrorCode":"WSG-1005""#));
    outputs.extend(s.reply(200, r#"{"id":"s2"}"#));
    assert_eq!(count(&outputs, is_gap), 1);
    assert_eq!(gap(&outputs).unwrap().since, unix(asleep));
}

/// The same without a loss: the answer to a heartbeat sent after the sleep proves that all has been read.
#[test]
fn an_answered_heartbeat_shows_that_all_of_a_sleep_was_read() {
    let mut s = connected(DETAILS);
    s.now = s.now.after(Duration::from_secs(100));
    let outputs = s.input(Input::Resumed);
    s.frame(&echo_of(&outputs));
    let awake = s.now;
    s.now = s.now.after(Duration::from_secs(1));
    assert_eq!(gap(&s.frame("not JSON")).unwrap().since, unix(awake));
}

/// The wall clock at this time.
fn unix(at: Timestamp) -> UnixMillis {
    UnixMillis(direct::clock().unix.0 + at.as_micros() / 1000)
}
