//! Transcripts: a session's inputs as lines of text, its outputs as indented lines below them.
//!
//! `tests/transcripts/README.md` has the language.

#![allow(unreachable_pub, reason = "a module of tests")]

mod show;
mod words;

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use ringcentral_ws_core::*;

pub use words::Words;

// The type under test, which the including test names.
use super::Checked;

/// A session under test, and the ids that lines refer to: the last login, call, message and so on.
pub struct Rig {
    session: Checked,
    config: Config,
    started: bool,
    seed: u64,
    now: Timestamp,
    text: String,
    quiet: bool,
    /// The snapshot that a session waits for is stored as soon as it can be taken.
    stores: bool,
    login: AuthId,
    call: HttpId,
    token_call: HttpId,
    conn: ConnId,
    /// Heartbeats that were not echoed; the last one stays.
    heartbeats: VecDeque<String>,
    message: String,
    messages: Vec<(RequestId, String)>,
    calls: Vec<(RequestId, HttpId)>,
}

/// Where the wall clock stands when the session is made.
pub const EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

impl Rig {
    pub fn new() -> Self {
        let config = Config { rest_over_websocket: true, ..Config::default() };
        Self {
            session: Checked::new(config.clone(), 1, clock(Timestamp::ZERO)),
            config,
            started: false,
            seed: 1,
            now: Timestamp::ZERO,
            text: String::new(),
            quiet: false,
            stores: true,
            login: AuthId::from(0),
            call: HttpId::from(0),
            token_call: HttpId::from(0),
            conn: ConnId::from(0),
            heartbeats: VecDeque::new(),
            message: String::new(),
            messages: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// Runs a transcript: its outputs are ignored and written anew.
    pub fn run(script: &str) -> String {
        let mut rig = Self::new();
        for line in script.lines() {
            if line.starts_with("  ") {
                continue;
            }
            let _ = writeln!(rig.text, "{line}");
            if !line.is_empty() && !line.starts_with('#') {
                rig.line(line);
            }
        }
        rig.text
    }

    fn line(&mut self, line: &str) {
        let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut words = Words::new(rest);
        if time == "config" {
            assert!(!self.started, "config comes first");
            words.configure(&mut self.config, line);
            self.session = Checked::new(self.config.clone(), self.seed, clock(Timestamp::ZERO));
            return;
        }
        self.started = true;
        self.now = words::time(time, self.now).unwrap_or_else(|| panic!("`{line}` does not begin with a time"));
        let verb = words.next().unwrap_or_else(|| panic!("`{line}` has no verb"));
        self.verb(&verb, words, line);
    }

    fn verb(&mut self, verb: &str, mut w: Words, line: &str) {
        match verb {
            "connect" => self.session.connect(self.now).unwrap(),
            "subscribe" => {
                let filters = Filters::new(w.rest()).unwrap();
                self.session.subscribe(filters, self.now).unwrap();
            }
            "unsubscribe" => self.command(Checked::unsubscribe),
            "recover" => self.command(Checked::recover),
            "stored" => self.session.snapshot_stored(self.now).unwrap(),
            "close" => {
                let mode = if w.flag("revoke") { Close::Revoke } else { Close::Detach };
                self.session.close(mode, self.now).unwrap();
            }
            "cancel" => self.session.cancel(w.number().into(), self.now).unwrap(),
            "request" => self.request(w),
            "ready" => return self.ready(w),
            "up" => self.up(&mut w),
            "run" => return self.run_timers(w.flag("echo")),
            "restart" => return self.restart(w),
            "snapshot" => {
                let json = self.session.snapshot().map(|s| s.to_json());
                let _ = writeln!(self.text, "  {}", json.unwrap_or_default());
                return;
            }
            "state" => {
                let _ = writeln!(self.text, "  {}", show::state(self.session.state()));
                return;
            }
            "stats" => {
                let stats = format!("{:?}", self.session.stats());
                let _ = writeln!(self.text, "  {}", show::counters(&stats));
                return;
            }
            _ => self.input(verb, w, line),
        }
        self.drain();
    }

    fn command(&mut self, command: impl Fn(&mut Checked, Timestamp) -> Result<(), CommandError<()>>) {
        if let Err(why) = command(&mut self.session, self.now) {
            let _ = writeln!(self.text, "  refused: {why}");
        }
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now).unwrap();
    }

    fn frame(&mut self, text: &str) {
        let conn = self.conn;
        self.give(Input::Frame { conn, frame: Frame::Text(text) });
    }

    /// The oldest heartbeat that was not echoed comes back.
    fn echo(&mut self) {
        let id = self.heartbeats.front().cloned().unwrap_or_default();
        if self.heartbeats.len() > 1 {
            self.heartbeats.pop_front();
        }
        self.frame(&words::heartbeat(&id));
    }

    fn input(&mut self, verb: &str, mut w: Words, line: &str) {
        if let Some(n) = w.value("conn") {
            self.conn = ConnId::from(n.parse::<u64>().unwrap());
        }
        match verb {
            "timeout" => self.give(Input::Timeout),
            "resumed" => self.give(Input::Resumed),
            "unread" => self.give(Input::Unread { conn: self.conn }),
            "network" => {
                let online = w.flag("on");
                self.give(Input::NetworkChanged { online });
            }
            "authorized" => {
                let token = AccessToken { secret: "access".into(), expires_in: w.duration("life"), cached: false };
                self.give(Input::Authorized { id: self.login, token });
            }
            "unauthorized" => {
                let failure = w.auth_failure();
                self.give(Input::AuthorizeFailed { id: self.login, failure });
            }
            "token" => {
                let response = w.token();
                self.give(Input::HttpResponse { id: self.call, response: Box::new(response) });
            }
            "http" => {
                let id = w.value("to").map_or(self.call, |n| self.call_of(&n));
                let response = w.response();
                self.give(Input::HttpResponse { id, response: Box::new(response) });
            }
            "http-failed" => {
                let id = w.value("to").map_or(self.call, |n| self.call_of(&n));
                let failure = w.http_failure();
                self.give(Input::HttpFailed { id, failure });
            }
            "frame" => self.frame(&w.raw()),
            "details" => self.frame(&w.details()),
            "notify" => w.notifications().iter().for_each(|text| self.frame(text)),
            "echo" => self.echo(),
            "subscribed" => self.frame(&w.subscribed(&self.message.clone())),
            "reply" => {
                let message = w.value("to").map_or_else(|| self.message.clone(), |n| self.message_of(&n));
                self.frame(&w.reply(&message));
            }
            "error" => {
                let message = w.value("to").map_or_else(|| self.message.clone(), |n| self.message_of(&n));
                self.frame(&w.error(&message));
            }
            _ => self.transport(verb, w, line),
        }
    }

    /// Inputs of the transport.
    fn transport(&mut self, verb: &str, mut w: Words, line: &str) {
        let conn = self.conn;
        match verb {
            "opened" => self.give(Input::Opened { conn }),
            "open-failed" => {
                let failure = w.open_failure();
                self.give(Input::OpenFailed { conn, failure });
            }
            "closed" => {
                let code = w.next().map(|code| code.parse().unwrap());
                self.give(Input::Closed { conn, close: CloseInfo { code, reason: "".into() } });
            }
            "blocked" => self.give(Input::SendBlocked { conn }),
            "unblocked" => self.give(Input::SendReady { conn }),
            "ping" => self.give(Input::Frame { conn, frame: Frame::Control }),
            "binary" => self.give(Input::Frame { conn, frame: Frame::Binary(b"\0") }),
            "unreadable" => {
                let word = w.next().unwrap();
                let what = Unreadable::ALL.iter().find(|kind| kind.as_str() == word).unwrap();
                self.give(Input::Frame { conn, frame: Frame::Unreadable(*what) });
            }
            "toolarge" => self.give(Input::Frame { conn, frame: Frame::TooLarge(1 << 30) }),
            other => panic!("`{line}`: `{other}` is no verb"),
        }
    }

    fn request(&mut self, w: Words) {
        if let Err(why) = self.session.request(w.request(), self.now) {
            let _ = writeln!(self.text, "  refused: {why}");
        }
    }

    fn message_of(&self, request: &str) -> String {
        let id = RequestId::from(request.parse::<u64>().unwrap());
        self.messages.iter().rev().find(|(of, _)| *of == id).unwrap().1.clone()
    }

    fn call_of(&self, request: &str) -> HttpId {
        if request == "token" {
            return self.token_call;
        }
        let id = RequestId::from(request.parse::<u64>().unwrap());
        self.calls.iter().rev().find(|(of, _)| *of == id).unwrap().1
    }

    /// From nothing to a connection, and to a subscription if there are filters. Nothing of it is shown.
    fn ready(&mut self, mut w: Words) {
        self.quiet = true;
        let details = w.details();
        let filters = w.rest();
        self.session.connect(self.now).unwrap();
        self.drain();
        self.give(Input::Authorized { id: self.login, token: words::access() });
        self.drain();
        self.give(Input::HttpResponse { id: self.call, response: Box::new(Words::new("").token()) });
        self.drain();
        let conn = self.conn;
        self.give(Input::Opened { conn });
        self.frame(&details);
        self.drain();
        if !filters.is_empty() {
            self.session.subscribe(Filters::new(filters).unwrap(), self.now).unwrap();
            self.drain();
            let reply = Words::new("").subscribed(&self.message.clone());
            self.frame(&reply);
            self.drain();
        }
        self.quiet = false;
    }

    /// From the call for a WebSocket token to ConnectionDetails. Only what these cause is shown.
    fn up(&mut self, w: &mut Words) {
        self.quiet = true;
        self.give(Input::HttpResponse { id: self.call, response: Box::new(Words::new("").token()) });
        self.drain();
        self.give(Input::Opened { conn: self.conn });
        self.drain();
        self.quiet = false;
        self.frame(&w.details());
    }

    /// Sleeps exactly to each deadline up to the present. `echo`: each heartbeat is answered at once, and not shown.
    fn run_timers(&mut self, echo: bool) {
        let end = self.now;
        let mut answered = self.session.stats().heartbeats;
        let mut ran = None;
        loop {
            match self.session.poll_output() {
                Output::Wait(Wait::Until { at, reason }) if at <= end => {
                    assert!(ran.replace(at) < Some(at), "a timer that was run is due again");
                    self.now = at;
                    self.quiet = echo && reason == TimerKind::Heartbeat;
                    if !self.quiet {
                        let _ = writeln!(self.text, "  {at} {reason:?}");
                    }
                    self.give(Input::Timeout);
                    self.drain_as("    ");
                    if echo && self.session.stats().heartbeats > answered {
                        answered = self.session.stats().heartbeats;
                        self.echo();
                        self.drain_as("    ");
                    }
                    self.quiet = false;
                }
                Output::Wait(_) => break,
                other => panic!("not drained: {other:?}"),
            }
        }
        self.now = end;
    }

    /// Another process takes over from the last snapshot.
    fn restart(&mut self, mut w: Words) {
        self.stores = !w.flag("stores-late");
        let snapshot = self.session.snapshot().unwrap();
        let snapshot = Snapshot::from_json(&snapshot.to_json()).unwrap();
        let later = w.duration("after").unwrap_or_default();
        let clock = ClockReading { now: self.now, unix: clock(self.now.after(later)).unix };
        self.seed += 1;
        self.session = Checked::restore(self.config.clone(), snapshot, self.seed, clock).unwrap();
    }

    fn drain(&mut self) {
        self.drain_as("  ");
    }

    fn drain_as(&mut self, indent: &str) {
        loop {
            let output = self.session.poll_output();
            if self.stores && matches!(output, Output::Wait(_)) && self.session.state() == SessionState::AwaitingStore {
                self.session.snapshot_stored(self.now).unwrap();
                continue;
            }
            self.remember(&output);
            if !self.quiet {
                let _ = writeln!(self.text, "{indent}{}", show::output(&output));
            }
            if let Output::Wait(_) = output {
                let _ = self.session.snapshot();
                return;
            }
        }
    }

    fn remember(&mut self, output: &Output) {
        let Output::Action(action) = output else { return };
        match action {
            Action::Authorize { id, .. } => self.login = *id,
            Action::Http { id, purpose, .. } => {
                self.call = *id;
                match purpose {
                    HttpPurpose::ConnectionToken => self.token_call = *id,
                    HttpPurpose::Request(of) => self.calls.push((*of, *id)),
                    other => panic!("{other:?}"),
                }
            }
            Action::Open { conn, .. } => (self.conn, self.heartbeats) = (*conn, VecDeque::new()),
            Action::Send { text, purpose, .. } => match purpose {
                Purpose::Heartbeat => self.heartbeats.push_back(words::message_id(text)),
                Purpose::Request(id) => self.messages.push((*id, words::message_id(text))),
                _ => self.message = words::message_id(text),
            },
            Action::Resubscribe { text, .. } => self.message = words::message_id(text),
            _ => {}
        }
    }
}

fn clock(now: Timestamp) -> ClockReading {
    ClockReading { now, unix: UnixMillis(EPOCH.0 + now.as_micros() / 1000) }
}

/// All text files in a folder and below it.
pub fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "txt") {
            found.push(path);
        }
    }
}
