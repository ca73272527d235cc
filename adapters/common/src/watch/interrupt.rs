//! Ctrl-C ends the program also when it is stuck.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, Builder};
use std::time::Duration;

use super::FAILED;
use crate::terminal::complain;

/// How long an end in order may take: a second more than the session itself takes at most to close.
const LIMIT: Duration = Duration::from_secs(6);

/// How long it may take to say so. Where nobody reads standard error either, nothing is said.
const TO_SAY: Duration = Duration::from_millis(200);

/// Calls `notify` for each Ctrl-C, on a thread of its own: a stream that nobody reads may stop those of a runtime. `false`
/// when the system does not allow it.
pub fn on_interrupt(name: &'static str, mut notify: impl FnMut() + Send + 'static) -> bool {
    let handler = move || {
        interrupted(name);
        notify();
    };
    ctrlc::set_handler(handler).is_ok()
}

/// Called for each Ctrl-C, before anything that may wait. The first one leaves time for an end in order, because a
/// stream that nobody reads and that is full stops every write to it for ever. The second one ends the process.
fn interrupted(name: &'static str) {
    static SEEN: AtomicBool = AtomicBool::new(false);
    let end = move || {
        thread::sleep(LIMIT);
        let (said, is_said) = channel();
        let say = move || {
            complain(name, "the end takes too long: a stream may be full and unread; what is on the server stays");
            let _ = said.send(());
        };
        if Builder::new().spawn(say).is_ok() {
            let _ = is_said.recv_timeout(TO_SAY);
        }
        exit(FAILED.into())
    };
    if SEEN.swap(true, Ordering::Relaxed) || Builder::new().name("interrupt".to_owned()).spawn(end).is_err() {
        exit(FAILED.into())
    }
}
