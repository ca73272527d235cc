//! The presence of all extensions of an account, as lines and as a board.

use crate::common;

use common::{Program, subscribed};
use ringcentral_ws_gateway::{CallPlan, HttpRequest, Server, ServerConfig};
use serde_json::{Value, json};

const EVENT: &str = "/restapi/v1.0/account/809646016/presence";

fn office() -> Server {
    Server::start(ServerConfig::default().users(3)).expect("a port of the loopback")
}

/// The presence of an extension, as the server writes it.
fn presence(server: &Server, user: usize, sequence: u64, status: &str) -> Value {
    let id = server.with_gateway(|gateway, _| gateway.config().users[user].extension_id);
    json!({ "extensionId": id, "sequence": sequence, "presenceStatus": status, "telephonyStatus": "NoCall" })
}

#[test]
fn each_change_is_a_line() {
    let server = office();
    let mut program = Program::start(env!("CARGO_BIN_EXE_presence-board"), &server, |_| {});
    for number in ["101", "102", "103"] {
        let line = program.line(number);
        assert!(line.contains("Available") && line.contains("NoCall"), "{line}");
    }
    server.call(1, &CallPlan::inbound("+16505550100"));
    for status in ["Ringing", "CallConnected", "NoCall"] {
        let line = program.line(status);
        assert!(line.starts_with("102"), "{line}");
    }
    // One that was overtaken changes nothing.
    for (sequence, status) in [(50, "Busy"), (49, "Offline"), (51, "Busy\u{1b}[2J"), (52, "Available")] {
        server.notify(EVENT, &presence(&server, 2, sequence, status));
    }
    assert!(program.line("103").contains("Busy"));
    assert!(program.line("103").contains(r"Busy\u{1b}[2J"), "the terminal acts on nothing");
    assert!(program.line("103").contains("Available"));
}

#[test]
fn what_a_gap_hid_is_read() {
    let server = office();
    let mut program = Program::start(env!("CARGO_BIN_EXE_presence-board"), &server, |_| {});
    program.line("103");
    subscribed(&server);
    server.restart();
    let status = json!({ "userStatus": "Offline" });
    let login = server.with_gateway(|gateway, now| gateway.login(0, now)).expect("a user");
    let request = HttpRequest::new("PUT", "/restapi/v1.0/account/~/extension/~/presence").with_body(status.to_string());
    let request = request.header("Content-Type", "application/json").bearer(&login.access_token);
    assert_eq!(server.with_gateway(|gateway, now| gateway.http(&request, now)).status, 200);
    let line = program.line("Offline");
    assert!(line.starts_with("101"), "{line}");
}

#[cfg(unix)]
#[test]
fn a_terminal_shows_one_board() {
    use std::fs::File;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::sync::mpsc::channel;
    use std::thread;

    use common::DEADLINE;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let server = office();
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
    let name = ptsname(&master, Vec::new()).expect("a name");
    let terminal = File::options().write(true).open(std::ffi::OsStr::from_bytes(name.to_bytes())).expect("a terminal");
    let _program = Program::start(env!("CARGO_BIN_EXE_presence-board"), &server, |command| {
        command.stdout(terminal);
    });
    let (mut master, mut shown, (sender, pieces)) = (File::from(master), String::new(), channel());
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count) = master.read(&mut piece) {
            let _ = sender.send(String::from_utf8_lossy(&piece[..count]).into_owned());
        }
    });
    let mut wait_for = |what: &str| {
        while !shown.rsplit("\u{1b}[H").any(|board| board.contains(what) && board.ends_with("\u{1b}[J")) {
            shown.push_str(&pieces.recv_timeout(DEADLINE).expect("a board in time"));
        }
        shown.rsplit("\u{1b}[H").find(|board| board.contains(what)).unwrap_or_default().to_owned()
    };
    wait_for("101");
    server.notify(EVENT, &presence(&server, 2, 50, "Busy"));
    let board = wait_for("Busy");
    let lines: Vec<&str> = board.split("\u{1b}[K\r").map(str::trim).collect();
    assert!(lines[0].starts_with("101") && lines[1].starts_with("102") && lines[2].starts_with("103"), "{lines:?}");
    assert!(lines[2].contains("Busy") && !lines[0].contains("Busy"), "{lines:?}");
}
