//! One process of the program.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};

use ringcentral_ws_gateway::Server;

use super::oracle::Line;
use crate::DEADLINE;
use crate::watch::with_credentials;

/// What it subscribes to.
pub(super) const FILTER: &str = "/restapi/v1.0/account/~/extension/~/presence";

/// What a process leaves.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) whole: Vec<Line>,
    /// The last line has no end.
    pub(super) torn: bool,
    /// Lines on stderr.
    pub(super) complaints: Vec<String>,
    /// It had ended before it was asked to.
    pub(super) ended: bool,
}

/// A running process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    out: Receiver<Result<Line, Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
    complaints: Option<JoinHandle<String>>,
    lines: Lines,
}

pub(super) fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Process {
    pub(super) fn start(program: &Path, server: &Server, state: &Path) -> Self {
        let mut command = with_credentials(program, server);
        // A process that is killed every second needs more than a minute's documented calls.
        command.args(["--json", "--auth-calls", "1000", FILTER, "--state"]).arg(state).stdin(Stdio::piped());
        let mut child = command.spawn().expect("it runs");
        let (mut stdout, mut stderr) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let (sender, out) = channel();
        let reader = std::thread::spawn(move || {
            let mut stdout = BufReader::new(&mut stdout);
            loop {
                let mut line = Vec::new();
                let read = stdout.read_until(b'\n', &mut line);
                if read.is_err() || line.is_empty() {
                    return;
                }
                let read = match (line.last(), serde_json::from_slice(&line)) {
                    (Some(b'\n'), Ok(json)) => Ok(Line { at: unix_ms(), json }),
                    _ => Err(line),
                };
                if sender.send(read).is_err() {
                    return;
                }
            }
        });
        let complaints = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let lines = Lines::default();
        Self { child, out, reader: Some(reader), complaints: Some(complaints), lines }
    }

    fn take(&mut self, line: Result<Line, Vec<u8>>) {
        match line {
            Ok(line) => self.lines.whole.push(line),
            Err(_) => self.lines.torn = true,
        }
    }

    /// How many lines of this kind there are by now.
    pub(super) fn count(&mut self, event: &str) -> u64 {
        while let Ok(line) = self.out.try_recv() {
            self.take(line);
        }
        self.lines.whole.iter().filter(|line| line.json["event"] == event).count() as u64
    }

    /// The `n` in the body of the newest notification.
    pub(super) fn newest(&mut self) -> Option<u64> {
        self.count("");
        self.lines.whole.iter().rev().find_map(|line| line.json["body"]["n"].as_u64())
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("it is a child").is_some()
    }

    /// `SIGKILL`.
    pub(super) fn kill(mut self) -> Lines {
        self.lines.ended = self.has_ended();
        let _ = self.child.kill();
        self.gather()
    }

    /// An orderly end.
    pub(super) fn detach(mut self) -> Lines {
        self.lines.ended = self.has_ended();
        let stdin = self.child.stdin.as_mut().expect("piped");
        let _ = stdin.write_all(b"{\"cmd\":\"close\",\"mode\":\"detach\"}\n");
        let began = std::time::Instant::now();
        while !self.has_ended() {
            if began.elapsed() > DEADLINE {
                self.lines.ended = true;
                let _ = self.child.kill();
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.gather()
    }

    fn gather(&mut self) -> Lines {
        let _ = self.child.wait();
        let _ = self.reader.take().map(JoinHandle::join);
        self.count("");
        let complaints = self.complaints.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        // What has no end was cut off by the kill.
        let whole = complaints.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        self.lines.complaints = whole.map(|line| line.trim_end().to_owned()).collect();
        std::mem::take(&mut self.lines)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
