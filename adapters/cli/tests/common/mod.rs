//! The command from outside.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod schema;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::Value;

/// Generous: nothing here depends on how fast the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn server() -> Server {
    Server::start(ServerConfig::default()).expect("the loopback serves")
}

/// The command, with nothing of this process's environment that it would heed.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringcentral-ws"));
    for name in ["SERVER_URL", "APP_CLIENT_ID", "APP_CLIENT_SECRET", "USER_JWT"] {
        command.env_remove(format!("RC_{name}"));
    }
    for name in ["SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT_TOKEN"] {
        command.env_remove(format!("RINGCENTRAL_{name}"));
    }
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env_remove("SSL_CERT_FILE").args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn program_for(server: &Server, args: &[&str]) -> Command {
    let mut command = program(args);
    command.envs(server.env());
    command
}

/// Runs to the end; status, stdout, stderr.
pub(crate) fn finish(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A command that runs, line by line.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    pub(crate) all: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, stdin, lines, all: String::new() }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// The next line of stdout.
    pub(crate) fn line(&mut self) -> Option<String> {
        let line = self.lines.recv_timeout(DEADLINE).ok()?;
        self.all.push_str(&line);
        self.all.push('\n');
        Some(line)
    }

    /// The next line that contains this; those before it are skipped.
    pub(crate) fn line_with(&mut self, part: &str) -> String {
        loop {
            let Some(line) = self.line() else { panic!("no {part} after\n{}", self.all) };
            if line.contains(part) {
                return line;
            }
        }
    }

    /// The next object with this `event`; those before it are skipped.
    pub(crate) fn event(&mut self, event: &str) -> Value {
        loop {
            let Some(line) = self.line() else { panic!("no {event} after\n{}", self.all) };
            let line: Value = serde_json::from_str(&line).expect(&line);
            if line["event"] == event {
                return line;
            }
        }
    }

    /// Waits for the end, and gives the status.
    pub(crate) fn end(mut self) -> Option<i32> {
        let began = Instant::now();
        while began.elapsed() < DEADLINE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it does not end after\n{}", self.all)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The text of the SMS that [`lose_session_and_sms`] has come in.
pub(crate) const MISSED: &str = "while nobody was connected";

/// The server forgets the session, and an SMS comes in before anybody can connect again. Gives its id.
pub(crate) fn lose_session_and_sms(server: &Server) -> String {
    server.refuse_connections(true);
    server.restart();
    let id = server.receive_sms(0, "+16505550100", MISSED).to_string();
    server.refuse_connections(false);
    id
}

/// Sends a signal to a process of ours.
pub(crate) fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), pid.to_string()]).status().unwrap();
    assert!(sent.success());
}

/// The same command, with this signal at its default: under `nohup` these tests would hand on that SIGHUP is ignored.
pub(crate) fn with_default(name: &str, command: &Command) -> Command {
    let mut outer = Command::new("env");
    outer.arg(format!("--default-signal={name}")).arg(command.get_program()).args(command.get_args());
    outer.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    outer
}
