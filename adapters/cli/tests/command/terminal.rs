//! `tail` on a real terminal, from outside. What is shown there and when, `testkit` proves in virtual time.
#![cfg(target_os = "linux")]

use crate::common;

use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};

use common::{DEADLINE, finish, program, program_for, server};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

const ERASE: &str = "\r\u{1b}[2K";

/// A command on a terminal of this width.
struct OnTerminal {
    child: Child,
    pieces: Receiver<String>,
    /// All that was written.
    all: String,
}

impl OnTerminal {
    fn start(command: &mut Command, width: u16) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
        let terminal = File::options().read(true).write(true).open(name).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let set: Vec<_> = command.get_envs().map(|(name, _)| name.to_owned()).collect();
        for (name, value) in [("TERM", Some("xterm")), ("COLUMNS", None), ("NO_COLOR", None)] {
            match value {
                _ if set.iter().any(|set| set == name) => {}
                Some(value) => {
                    command.env(name, value);
                }
                None => {
                    command.env_remove(name);
                }
            }
        }
        let child = command.stdout(terminal.try_clone().unwrap()).stderr(terminal).spawn().unwrap();
        // The command still has the terminal's other end.
        let nothing = || std::process::Stdio::null();
        command.stdout(nothing()).stderr(nothing());
        Self { child, pieces: read(controller), all: String::new() }
    }

    /// Waits until this was written.
    fn wait_for(&mut self, part: &str) {
        while !self.all.contains(part) {
            let Ok(piece) = self.pieces.recv_timeout(DEADLINE) else { panic!("no {part:?} in\n{:?}", self.all) };
            self.all.push_str(&piece);
        }
    }

    fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Reads to the end; the exit status.
    fn end(mut self) -> (Option<i32>, String) {
        while let Ok(piece) = self.pieces.recv_timeout(DEADLINE) {
            self.all.push_str(&piece);
        }
        (self.child.wait().unwrap().code(), std::mem::take(&mut self.all))
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes, until nobody has the other end.
fn read(controller: OwnedFd) -> Receiver<String> {
    let (sender, pieces) = channel();
    std::thread::spawn(move || {
        let mut controller = File::from(controller);
        let (mut buffer, mut rest) = ([0; 4096], Vec::new());
        while let Ok(count @ 1..) = controller.read(&mut buffer) {
            rest.extend_from_slice(&buffer[..count]);
            // A character may have come in part.
            let whole = match std::str::from_utf8(&rest) {
                Ok(text) => text.len(),
                Err(error) => error.valid_up_to(),
            };
            let text = String::from_utf8(rest.drain(..whole).collect()).unwrap();
            if sender.send(text).is_err() {
                return;
            }
        }
    });
    pieces
}

/// The lines that stay, and the states of the status line; both without colours.
fn seen(all: &str) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut states, mut last) = (Vec::new(), Vec::new(), String::new());
    for line in all.split_inclusive("\r\n") {
        for (at, piece) in line.split(ERASE).enumerate() {
            if at > 0 {
                last.clear();
            }
            last.push_str(piece.trim_end_matches("\r\n"));
            if last.starts_with('[') || last.starts_with("\u{1b}[2m") {
                states.push(plain(&last));
            }
        }
        if line.ends_with("\r\n") {
            lines.push(plain(&std::mem::take(&mut last)));
        }
    }
    assert_eq!(last, "", "nothing is left behind the last line");
    (lines, states)
}

fn plain(text: &str) -> String {
    let mut parts = text.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| plain.push_str(part.split_once('m').expect("only colours").1));
    plain
}

fn assert_fits(lines: &[String], states: &[String], width: usize) {
    for line in lines.iter().chain(states) {
        assert!(line.chars().count() <= width, "{line}");
    }
    assert!(lines.iter().all(|line| !line.starts_with('[')), "a status line is left: {lines:#?}");
}

#[test]
fn a_session_is_shown_with_its_status() {
    for width in [80, 60] {
        let server = server();
        let mut tail = OnTerminal::start(&mut program_for(&server, &["tail", "sms"]), width);
        tail.wait_for("listening");
        server.receive_sms(0, "+16505550100", "Hello");
        tail.wait_for("1 event");
        server.drop_connections();
        server.receive_sms(0, "+16505550100", "Are you there?");
        tail.wait_for("2 events, 0 gaps, 1 reconnect");
        tail.interrupt();
        let (status, all) = tail.end();
        assert_eq!(status, Some(0));
        assert!(all.contains("\u{1b}[32m") && all.contains("\u{1b}[2m"), "there are colours: {all:?}");
        let (lines, states) = seen(&all);
        assert_fits(&lines, &states, width.into());
        let text = lines.join("\n");
        for part in ["subscribed     1 filter", "\"Hello\"", "disconnected", "the session goes on", "closed"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for state in ["[listening | 1 event, 0 gaps, 0 reconnects]", "[not connected: next try in ", "[closing | "] {
            assert!(states.iter().any(|seen| seen.starts_with(state)), "{state}: {states:#?}");
        }
    }
}

#[test]
fn what_the_environment_says_of_the_terminal_is_heeded() {
    let server = server();
    let start = |name: &str, value: &str| {
        let mut command = program_for(&server, &["tail", "sms"]);
        let mut tail = OnTerminal::start(command.env(name, value), 100);
        tail.wait_for("subscribed");
        tail.interrupt();
        tail.end().1
    };
    let all = start("NO_COLOR", "1");
    assert!(!all.replace(ERASE, "").contains('\u{1b}') && all.contains("[listening"), "{all:?}");
    let all = start("TERM", "dumb");
    assert!(!all.contains('\u{1b}') && !all.contains("[listening"), "{all:?}");
    let all = start("COLUMNS", "50");
    let (lines, states) = seen(&all);
    assert_fits(&lines, &states, 50);
}

#[test]
fn complaints_and_debugging_leave_no_status_line_behind() {
    let server = server();
    let mut tail = OnTerminal::start(&mut program_for(&server, &["tail", "--debug", "sms"]), 80);
    tail.wait_for("[listening");
    tail.interrupt();
    let (status, all) = tail.end();
    let (lines, _) = seen(&all);
    assert!(status == Some(0) && lines.iter().all(|line| !line.contains("[listening")), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("-> ")), "{lines:#?}");
    // A recording on the terminal is written at the end, and after trouble.
    let mut tail = OnTerminal::start(&mut program_for(&server, &["tail", "--record", "-", "sms"]), 80);
    tail.wait_for("[listening");
    server.restart();
    tail.wait_for("1 gap, 1 reconnect");
    tail.interrupt();
    let (status, all) = tail.end();
    let (lines, states) = seen(&all);
    assert!(status == Some(0) && lines.iter().all(|line| !line.starts_with('[')), "{lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("ringcentral-ws recording")), "{lines:#?}");
    assert!(states.iter().all(|state| !state.contains("ringcentral-ws recording")), "{states:#?}");
    let mut demo = OnTerminal::start(&mut program(&["tail"]), 80);
    demo.wait_for("That was all");
    let (status, all) = demo.end();
    let (lines, states) = seen(&all);
    assert_eq!(status, Some(0));
    assert_fits(&lines, &states, 80);
    assert!(lines[0].starts_with("ringcentral-ws tail: no credentials in the environment"), "{lines:#?}");
}

#[test]
fn what_is_no_terminal_gets_no_status_line() {
    let (status, out, error) = finish(&mut program(&["tail"]));
    assert!(status == 0 && !out.contains('\u{1b}') && !out.contains("[listening"), "{out}{error}");
    let server = server();
    let mut json = OnTerminal::start(&mut program_for(&server, &["tail", "--json", "sms"]), 80);
    json.wait_for("subscribed");
    json.interrupt();
    let (_, all) = json.end();
    assert!(!all.contains('\u{1b}') && all.lines().all(|line| line.starts_with('{')), "{all}");
}

#[test]
fn a_second_interrupt_takes_the_status_line_away() {
    let server = server();
    server.stall_connections(true);
    let mut tail = OnTerminal::start(&mut program_for(&server, &["tail", "sms"]), 80);
    tail.wait_for("logging in");
    tail.interrupt();
    tail.wait_for("closing");
    tail.interrupt();
    let (status, all) = tail.end();
    assert_eq!(status, Some(1));
    seen(&all);
}
