//! Ctrl-C, SIGTERM and SIGHUP end the program also when it is stuck.

use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, Builder};
use std::time::Duration;

use super::FAILED;
use crate::terminal::{clear, complain};

/// How long an end in order may take: a second more than the session itself takes at most to close.
const LIMIT: Duration = Duration::from_secs(6);

/// How long it may take to say so, or to take the status line away. Where nobody reads standard error either, nothing is said.
const TO_SAY: Duration = Duration::from_millis(200);

/// Calls `notify` for each Ctrl-C, and on Unix for SIGTERM and SIGHUP too, on a thread of its own: a stream that nobody
/// reads may stop those of a runtime. `false` when the system does not allow it.
pub fn on_interrupt(name: &'static str, mut notify: impl FnMut() + Send + 'static) -> bool {
    on_signal(name, move |_| notify())
}

/// The same; `notify` gets the exit status that shells give a process which the signal ends, such as 130 for Ctrl-C.
pub fn on_signal(name: &'static str, mut notify: impl FnMut(u8) + Send + 'static) -> bool {
    handle(move |by_hand, status| {
        interrupted(name, by_hand);
        notify(status);
    })
}

/// Calls `handler` with whether it was Ctrl-C, and with the status. The first process of a container or namespace gets
/// only signals that it handles, so it has to handle all that ask for an end.
#[cfg(unix)]
fn handle(mut handler: impl FnMut(bool, u8) + Send + 'static) -> bool {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // A file at the limit of its size (`ulimit -f`) would end the process. Handled, the write fails, and that is said.
    let mut wanted = vec![SIGINT, SIGTERM, SIGXFSZ];
    if !is_ignored(SIGHUP) {
        wanted.push(SIGHUP);
    }
    let Ok(mut signals) = signal_hook::iterator::Signals::new(wanted) else { return false };
    let ends = |signal: &i32| *signal != SIGXFSZ;
    let status = |signal| u8::try_from(128 + signal).unwrap_or(FAILED);
    let run = move || signals.forever().filter(ends).for_each(|signal| handler(signal == SIGINT, status(signal)));
    Builder::new().name("signals".to_owned()).spawn(run).is_ok()
}

#[cfg(not(unix))]
fn handle(mut handler: impl FnMut(bool, u8) + Send + 'static) -> bool {
    ctrlc::set_handler(move || handler(true, 130)).is_ok()
}

/// Whether the one who started this process had it ignore the signal, as `nohup` does. Only Linux says so without
/// `unsafe`.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}

/// Called for each, before anything that may wait. The first one leaves time for an end in order, because a stream that
/// nobody reads and that is full stops every write to it for ever. A second one by hand ends the process; systems send
/// several signals at a time when they shut down.
fn interrupted(name: &'static str, by_hand: bool) {
    static SEEN: AtomicBool = AtomicBool::new(false);
    let end = move || {
        thread::sleep(LIMIT);
        end_after(move || {
            clear();
            complain(name, "the end takes too long: a stream may be full and unread; what is on the server stays");
        })
    };
    if SEEN.swap(true, Ordering::Relaxed) {
        if by_hand {
            end_after(clear)
        }
    } else if Builder::new().name("interrupt".to_owned()).spawn(end).is_err() {
        exit(FAILED.into())
    }
}

/// Ends the process after the last words, or without them if nobody takes them.
fn end_after(last: impl FnOnce() + Send + 'static) -> ! {
    let (said, is_said) = channel();
    let say = move || {
        last();
        let _ = said.send(());
    };
    if Builder::new().spawn(say).is_ok() {
        let _ = is_said.recv_timeout(TO_SAY);
    }
    exit(FAILED.into())
}
