//! A recorded session in a few words.

#![allow(unreachable_pub, reason = "a module of tests")]

use ringcentral_ws_core::recorder::Recorded;
use ringcentral_ws_core::*;

pub fn drain(s: &mut Recorded) {
    while !matches!(s.poll_output(), Output::Wait(_)) {}
}

pub fn frame(s: &mut Recorded, text: &str, now: Timestamp) {
    s.handle_input(Input::Frame { conn: 1.into(), frame: Frame::Text(text) }, now).unwrap();
    drain(s);
}

/// Enough lines that the next checkpoint falls here.
pub fn idle(s: &mut Recorded, now: Timestamp) {
    for _ in 0..60 {
        s.handle_input(Input::NetworkChanged { online: false }, now).unwrap();
        drain(s);
    }
}
