//! Lines for people on a terminal, and the text of the server or of strangers on its way there (SEC-5).

use std::io::{self, Write as _};

pub use ringcentral_ws_core::terminal::{escape, escape_json};

/// Writes `name: why` to stderr, escaped, as one line. That nobody reads there stops nothing.
pub fn complain(name: &str, why: &str) {
    let _ = writeln!(io::stderr(), "{name}: {}", escape(why));
}

/// Writes a line to stderr as it is. That nobody reads there stops nothing, which `eprintln!` would do.
pub fn note(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says that standard output takes nothing any more: its reader is gone, or its disk is full. The program ends then,
/// because what it is for cannot be shown, and what was not shown does not count as handled.
pub fn unread(name: &str, error: &io::Error) {
    complain(name, &format!("standard output cannot be written ({error}), so this ends"));
}
