//! A `watch` program whose standard streams fail, from outside. Unix only.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::process::Stdio;

use ringcentral_ws_gateway::{Server, ServerConfig};

use crate::files::finish;
use crate::watch::{FILTER, command, with_credentials};

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

/// A device that is always full, where there is one.
fn full() -> Option<File> {
    OpenOptions::new().write(true).open("/dev/full").ok()
}

/// Lets it write to streams that nobody reads, or that are full.
///
/// # Panics
///
/// When it does not end with one line and status 1 for standard output, or cares about standard error.
pub fn failing(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    for flags in [&["--json"][..], &[]] {
        for out in [Some(unread()), full().map(Stdio::from)].into_iter().flatten() {
            let output = finish(with_credentials(program, &server).args(flags).arg(FILTER).stdout(out));
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!((output.status.code(), error.lines().count()), (Some(1), 1), "{flags:?}: {error}");
            assert!(error.contains("standard output cannot be written") && !error.contains("panicked"), "{error}");
        }
    }
    // The demonstration says much there.
    let err = full().map_or_else(unread, Stdio::from);
    let output = finish(command(program).args(["--json", "--debug"]).stderr(err));
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    assert!(out.contains(r#"{"event":"closed","reason":"revoked"}"#), "{out}");
}
