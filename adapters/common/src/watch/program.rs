//! The program without what waits: what it shows, keeps and decides.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use ringcentral_ws_core::{Close, CloseReason, Event, Snapshot};

use super::args::Options;
use super::demo::{Cue, Director, Perform};
use super::reach::Reach;
use super::record::Record;
use super::{FAILED, Files, complain, human, json};
use crate::terminal;

/// When nothing could be shown for so long while something is under way, that is said. Then again after each five times
/// of it.
pub const SILENCE: Duration = Duration::from_millis(1500);

/// How a line for people is shown, in place of the seconds since the beginning before it. It is escaped already, and may
/// have line breaks in it.
pub type Dress = fn(&str) -> String;

/// A run of the program.
pub struct Program {
    name: &'static str,
    options: Options,
    files: Files,
    reach: Reach,
    began: Instant,
    dress: Option<Dress>,
    /// The exit status, once it is decided.
    status: Option<u8>,
    ended: bool,
    /// What ended it, if nobody asked for that: a word, and a line.
    failure: Option<(&'static str, String)>,
    /// The end of the session was shown.
    closed: bool,
    /// No more commands come.
    commands_ended: bool,
    /// Why the subscription was refused for good, while it is.
    refused: Option<String>,
    /// The session could not be kept, and it was said.
    state_failed: bool,
    demo: Option<Demonstration>,
}

/// The demonstration in progress.
struct Demonstration {
    perform: Perform,
    director: Director,
    cues: VecDeque<Cue>,
}

/// What the demonstration needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Nothing before the next event.
    Rest,
    /// A pause.
    Wait(Duration),
    /// The end of the session.
    Close,
}

impl Program {
    /// A run that begins now; `perform` makes the server of a demonstration do something.
    #[must_use]
    pub fn new(name: &'static str, options: Options, files: Files, reach: Reach, perform: Option<Perform>) -> Self {
        let demo = perform.map(|perform| Demonstration { perform, director: Director::new(), cues: VecDeque::new() });
        let began = Instant::now();
        Self {
            name,
            options,
            files,
            reach,
            began,
            dress: None,
            status: None,
            ended: false,
            failure: None,
            closed: false,
            commands_ended: false,
            refused: None,
            state_failed: false,
            demo,
        }
    }

    /// Shows lines for people like this.
    #[must_use]
    pub const fn dressed(mut self, dress: Option<Dress>) -> Self {
        self.dress = dress;
        self
    }

    /// The program's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The certificates that are trusted too.
    #[must_use]
    pub fn ca_file(&self) -> Option<&Path> {
        self.options.ca_file.as_deref()
    }

    /// Whether the login is to be given back at the end.
    #[must_use]
    pub fn revokes_login(&self) -> bool {
        self.options.revoke_login == Some(true)
    }

    /// Whether commands come on stdin.
    #[must_use]
    pub const fn reads_commands(&self) -> bool {
        self.options.json
    }

    /// Whether it plays a demonstration.
    #[must_use]
    pub const fn is_demo(&self) -> bool {
        self.demo.is_some()
    }

    /// Time since it began.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// How Ctrl-C ends the session.
    #[must_use]
    pub const fn interrupted(&self) -> Close {
        if self.options.state.is_some() { Close::Detach } else { Close::Revoke }
    }

    /// Whether the loop ends.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// No more events come.
    pub const fn end(&mut self) {
        self.ended = true;
    }

    /// The demonstration has had its time.
    pub fn took_too_long(&mut self) {
        self.fail("time_limit", "the demonstration took too long");
        self.ended = true;
    }

    /// The exit status. `record` gives what the flight recorder holds.
    pub fn finish(mut self, record: impl FnOnce() -> Option<String>) -> u8 {
        self.files.record.write(self.name, record());
        if self.options.json && !self.closed {
            let lost = || ("ended", "the session ended without a word".to_owned());
            let (reason, why) = self.failure.take().unwrap_or_else(lost);
            self.print(Some(json::ended(reason, &why)));
        }
        self.status.unwrap_or(FAILED)
    }

    /// No more commands come on stdin. Gives the way to close the session if nothing can be waited for any more.
    pub fn commands_ended(&mut self) -> Option<Close> {
        self.commands_ended = true;
        self.given_up()
    }

    /// A refusal for good is the end when no command can come that asks for something else.
    fn given_up(&mut self) -> Option<Close> {
        if !self.commands_ended {
            return None;
        }
        let why = self.refused.take()?;
        self.fail("subscription_failed", &why);
        Some(Close::Revoke)
    }

    /// Says that something takes long, and for how long it has: see [`SILENCE`].
    pub fn takes_long(&mut self, elapsed: Duration) {
        let what = self.reach.waits_for();
        self.print(Some(if self.options.json {
            json::progress(&what, elapsed)
        } else {
            format!("waiting        {what}, for {:.0} s", elapsed.as_secs_f64())
        }));
    }

    /// Shows an event and does what follows from it; `snapshot` is the session as it stands with it. Gives the way to
    /// close the session if it is to be closed.
    pub fn event(
        &mut self,
        event: &Event,
        snapshot: Option<&Snapshot>,
        record: impl FnOnce() -> Option<String>,
    ) -> Option<Close> {
        let line = match event {
            Event::Closed { reason } if self.options.json => {
                let why = self.failure.as_ref().map(|(_, why)| &**why);
                Some(json::closed(reason, why).end())
            }
            event if self.options.json => json::event(event),
            event => human::event(event),
        };
        self.closed |= matches!(event, Event::Closed { .. });
        self.print(line);
        self.files.on(event);
        if self.files.record.is_wanted() && Record::is_trouble(event) {
            self.files.record.write(self.name, record());
        }
        if let Some(why) = self.reach.on(event) {
            self.fail("unreachable", &why);
            self.ended = true;
            return None;
        }
        let mut close = None;
        match event {
            Event::SnapshotChanged => self.save(snapshot),
            Event::SubscriptionFailed { error, retry_at: None, .. } => {
                self.refused = Some(format!("{error}; {}", error.remedy()));
                self.commands_ended |= !self.options.json;
                close = self.given_up();
            }
            Event::Subscribed(_) | Event::Unsubscribed { .. } => self.refused = None,
            Event::Closed { reason } => {
                if let (CloseReason::Revoked, Some(file)) = (reason, &self.files.state) {
                    file.forget_login();
                }
                if let CloseReason::Permanent(cause) = reason {
                    self.fail(cause.as_str(), &format!("{cause}{}", human::advice(cause)));
                }
                self.status.get_or_insert(0);
                let is_left = self.options.revoke_login == Some(false) && self.options.login.is_none();
                if is_left && matches!(reason, CloseReason::Revoked) && !self.options.json && self.demo.is_none() {
                    let left = "the login is left and expires by itself; --revoke-login gives it back";
                    self.print(Some(format!("               {left}")));
                }
            }
            _ => {}
        }
        if let Some(demo) = &mut self.demo {
            demo.cues.extend(demo.director.on(event));
        }
        close
    }

    /// Plays the demonstration up to the next pause. To be called after each event and each pause.
    pub fn play(&mut self) -> Play {
        loop {
            let Some(demo) = &mut self.demo else { return Play::Rest };
            match demo.cues.pop_front() {
                None => return Play::Rest,
                Some(Cue::Say(text)) if self.options.json => terminal::note(text),
                Some(Cue::Say(text)) => self.print(Some(format!("\n{text}"))),
                Some(Cue::Do(step)) => (demo.perform)(step),
                Some(Cue::Wait(pause)) => return Play::Wait(pause),
                Some(Cue::Close) => return Play::Close,
            }
        }
    }

    /// Reads a line of stdin. What is no command is answered.
    pub fn command(&mut self, line: Result<String, String>) -> Option<json::Command> {
        match line.map_err(|why| (None, why)).and_then(|line| json::command(&line)) {
            Ok(command) => return Some(command),
            Err((None, why)) => self.print(Some(json::error(&why))),
            Err((Some(id), why)) => {
                let line = json::Line::new("response").with("id", id).with("outcome", "not_sent");
                self.print(Some(line.with("message", why).end()));
            }
        }
        None
    }

    /// Writes a line to stdout.
    pub fn print(&mut self, line: Option<String>) {
        let Some(line) = line else { return };
        let mut out = io::stdout().lock();
        let written = if self.options.json {
            writeln!(out, "{line}")
        } else if let Some(apart) = line.strip_prefix('\n') {
            writeln!(out, "\n{apart}")
        } else if let Some(dress) = self.dress {
            writeln!(out, "{}", dress(&line))
        } else {
            writeln!(out, "{:>6.1} s  {line}", self.began.elapsed().as_secs_f64())
        };
        if let Err(error) = written.and_then(|()| out.flush()) {
            if !self.ended {
                terminal::unread(self.name, &error);
            }
            self.status = Some(FAILED);
            self.ended = true;
        }
    }

    fn fail(&mut self, reason: &'static str, why: &str) {
        self.status = Some(complain(self.name, why, FAILED));
        self.failure.get_or_insert_with(|| (reason, why.to_owned()));
    }

    fn save(&mut self, snapshot: Option<&Snapshot>) {
        let (Some(file), Some(snapshot)) = (&self.files.state, snapshot) else { return };
        match file.save(snapshot) {
            Ok(()) => self.state_failed = false,
            Err(error) if !self.state_failed => {
                self.state_failed = true;
                terminal::complain(self.name, &format!("the session cannot be kept: {error}"));
            }
            Err(_) => {}
        }
    }
}
