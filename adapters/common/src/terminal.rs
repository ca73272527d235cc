//! Lines for people on a terminal, and the text of the server or of strangers on its way there (SEC-5).

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub use ringcentral_ws_core::terminal::{escape, escape_json};

/// Goes back to the beginning of the line, and empties it.
pub(crate) const ERASE: &str = "\r\u{1b}[2K";

/// The status line that standard output, a terminal, shows at its end now; empty without one. Who writes there holds it.
static STATUS: Mutex<String> = Mutex::new(String::new());

/// Breaks a line of standard error so that it fits.
static FIT: OnceLock<fn(&str) -> String> = OnceLock::new();

fn status_line() -> MutexGuard<'static, String> {
    STATUS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on [`complain`] breaks its lines by `fit`, if standard error is a terminal.
pub fn fit_complaints(fit: fn(&str) -> String) {
    if io::stderr().is_terminal() {
        let _ = FIT.set(fit);
    }
}

/// Writes text to standard output, which is a terminal. `status` is the status line at its end, if there is one: a line
/// to standard error makes room for itself there.
///
/// # Errors
///
/// Those of standard output.
pub fn show(text: &str, status: &str) -> io::Result<()> {
    let mut shown = status_line();
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    status.clone_into(&mut shown);
    written
}

/// Takes the status line away, if there is one.
pub fn clear() {
    let mut shown = status_line();
    if !std::mem::take(&mut *shown).is_empty() {
        let mut out = io::stdout().lock();
        let _ = out.write_all(ERASE.as_bytes()).and_then(|()| out.flush());
    }
}

/// Writes `name: why` to stderr, escaped, as one line. That nobody reads there stops nothing.
pub fn complain(name: &str, why: &str) {
    let line = format!("{name}: {}", escape(why));
    note(&FIT.get().map_or_else(|| line.clone(), |fit| fit(&line)));
}

/// Writes a line to stderr as it is. That nobody reads there stops nothing, which `eprintln!` would do.
pub fn note(line: &str) {
    // A terminal that is stopped, and so the status line, may be held for long: what goes elsewhere does not wait for it.
    let status = io::stderr().is_terminal().then(status_line).filter(|status| !status.is_empty());
    let Some(status) = status else {
        let _ = writeln!(io::stderr(), "{line}");
        return;
    };
    let mut out = io::stdout().lock();
    let _ = out.write_all(ERASE.as_bytes()).and_then(|()| out.flush());
    let _ = writeln!(io::stderr(), "{line}");
    let _ = out.write_all(status.as_bytes()).and_then(|()| out.flush());
}

/// Says that standard output takes nothing any more: its reader is gone, or its disk is full. The program ends then,
/// because what it is for cannot be shown, and what was not shown does not count as handled.
pub fn unread(name: &str, error: &io::Error) {
    complain(name, &format!("standard output cannot be written ({error}), so this ends"));
}
