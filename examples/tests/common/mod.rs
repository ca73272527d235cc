//! A stand-in server, and programs that run against it.
#![allow(dead_code, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use ringcentral_ws_gateway::{Server, ServerConfig};

/// Nothing here takes this long; it only turns a hang into a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A stand-in server with its default user.
pub(crate) fn server() -> Server {
    Server::start(ServerConfig::default()).expect("a port of the loopback")
}

/// Waits until a program has subscribed.
pub(crate) fn subscribed(server: &Server) {
    assert!(server.wait_until(DEADLINE, |gateway| gateway.subscriptions().next().is_some()), "never subscribed");
}

/// Waits until it is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A program under test. It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts it with the credentials of the first user.
    pub(crate) fn start(path: &str, server: &Server, change: impl FnOnce(&mut Command)) -> Self {
        let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
        let mut command = Command::new(path);
        command.env("RC_SERVER_URL", server.http_url()).env("RC_APP_CLIENT_ID", app.client_id);
        command.env("RC_APP_CLIENT_SECRET", app.client_secret).env("RC_USER_JWT", jwt);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        change(&mut command);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{path}: {error}"));
        let (sender, lines) = channel();
        // `change` may have put something else in the place of a pipe.
        let out = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let err = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        for stream in [out, err].into_iter().flatten() {
            let sender = sender.clone();
            thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send(line);
                }
            });
        }
        Self { child, lines, seen: Vec::new() }
    }

    /// Reads lines of stdout and stderr up to one that contains this, and returns it.
    pub(crate) fn line(&mut self, part: &str) -> String {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no line with {part:?} in time; it said {:#?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended without {part:?}; it said {:#?}", self.seen),
            }
        }
    }

    /// The lines after the last one read, up to its end.
    pub(crate) fn rest(&mut self) -> Vec<String> {
        self.lines.iter().collect()
    }

    /// As Ctrl-C does. Unix only.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().expect("kill").success());
    }

    /// Kills it at once.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the program ends", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        status.expect("it ended")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An answer to [`get`].
pub(crate) struct Answer {
    /// Status line and headers.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let of = |line: &'_ str| line.split_once(": ").is_some_and(|(found, _)| found.eq_ignore_ascii_case(name));
        self.head.lines().find(|line| of(line)).and_then(|line| Some(line.split_once(": ")?.1))
    }
}

/// Begins a GET of an address `http://host:port/path`; the answer is to be read.
pub(crate) fn begin_get(url: &str, header: &str) -> TcpStream {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("an address");
    let mut stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket");
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{header}\r\n").expect("sent");
    stream
}

/// A GET; `header` is empty or a line with its end.
pub(crate) fn get(url: &str, header: &str) -> Answer {
    let mut answer = String::new();
    begin_get(url, header).read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    Answer { head: head.to_owned(), body: body.to_owned() }
}

/// A folder for a test, which is removed when this is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// An empty one.
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringcentral-ws-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder for the test");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
