//! A `watch` program whose standard streams fail, from outside. Unix only.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ringcentral_ws_gateway::{Server, ServerConfig};

use crate::DEADLINE;
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

/// Fills a stream that somebody holds and nobody reads, and asks it to end.
///
/// # Panics
///
/// When it hangs.
pub fn unread_and_full(program: &Path) {
    for (flags, is_stdout, interrupts) in [(&["--json"][..], true, 1), (&[], true, 2), (&["--debug"], false, 1)] {
        let server = Server::start(ServerConfig::default()).expect("the loopback serves");
        let (reader, writer) = io::pipe().expect("a pipe");
        let mut filler = writer.try_clone().expect("a second end");
        let (out, err) = if is_stdout { (writer.into(), Stdio::null()) } else { (Stdio::null(), writer.into()) };
        let mut command = with_credentials(program, &server);
        let mut child = command.args(flags).arg(FILTER).stdout(out).stderr(err).spawn().expect("it runs");
        until("it has subscribed", || server.with_gateway(|gateway, _| gateway.subscriptions().next().is_some()));
        let filler = std::thread::spawn(move || while filler.write_all(&[b' '; 4096]).is_ok() {});
        (0..20).for_each(|_| {
            server.receive_sms(0, "+16505550100", "more than there is room for");
        });
        for _ in 0..interrupts {
            let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
            assert!(sent.is_ok_and(|sent| sent.success()), "kill is there");
        }
        until("it ends", || child.try_wait().expect("it is a child").is_some());
        drop((reader, command));
        filler.join().expect("it fails when nobody can read any more");
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < DEADLINE, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
