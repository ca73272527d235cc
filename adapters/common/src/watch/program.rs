//! The program without input and output: what it shows, keeps and decides, and when.
//!
//! A loop hands in what happens ([`Input`]) and does what comes out ([`Act`]), then waits until
//! [`deadline`](Program::deadline). [`Run`](super::run::Run) does all that needs no waiting, so a loop only waits.

use std::collections::VecDeque;
use std::time::Duration;

use ringcentral_ws_core::{Close, CloseReason, Event, Snapshot};

use super::args::Options;
use super::demo::{self, Cue, Director, Step};
use super::json::Command;
use super::paint::Status;
use super::reach::Reach;
use super::record::Record;
use super::waits::{Doing, Longest, Slow, Standing, Waits};
use super::{FAILED, human, json};

/// Said at the end if the login is not given back.
const LEFT: &str = "the login stays valid until it expires (see --revoke-login)";

/// Said of a gap that is filled.
const FOLLOWS: &str = "what can be fetched of it follows soon";

/// One thing that happened.
#[derive(Debug)]
pub enum Input {
    /// An event of the session; with a [`SnapshotChanged`](Event::SnapshotChanged) the snapshot as it is with it.
    Event(Box<Event>, Option<Box<Snapshot>>),
    /// No more events come.
    EventsEnded,
    /// The session stands otherwise.
    State(Standing),
    /// A line of stdin, or why it is none.
    Line(Result<String, String>),
    /// No more commands come on stdin.
    LinesEnded,
    /// The line of a call that has ended.
    Answer(String),
    /// Ctrl-C, or a signal that asks for the end.
    Interrupt,
    /// The session could be kept, or could not, and why.
    Saved(Result<(), String>),
    /// Standard output takes nothing any more.
    Unwritten,
    /// The [deadline](Program::deadline) has passed.
    Timeout,
}

/// One thing to do. All but [`Call`](Self::Call) are done at once and in this order.
#[derive(Debug)]
pub enum Act {
    /// Write this to standard output: an object, or the lines of an event, escaped.
    Line(String),
    /// The same for a paragraph of its own.
    Paragraph(String),
    /// Show another status line, or none.
    Status(Option<Status>),
    /// Say this on standard error, behind the program's name.
    Complain(String),
    /// Write this to standard error as it is.
    Note(&'static str),
    /// There is a connection: what the files hold of others may be replaced.
    Connected,
    /// Keep the session.
    Save(Box<Snapshot>),
    /// The login that is kept is of no use any more.
    ForgetLogin,
    /// Write the recording.
    Record,
    /// Have the server of the demonstration do this.
    Perform(Step),
    /// Begin a call. Its end is an [`Answer`](Input::Answer) if there is something to say.
    Call(Command),
}

/// A run of the program.
#[derive(Debug)]
pub struct Program {
    options: Options,
    reach: Reach,
    acts: VecDeque<Act>,
    waits: Waits,
    /// Whether a status line is shown, and when it changes by itself.
    has_status: bool,
    shown: Option<Status>,
    redraw_at: Option<Duration>,
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
#[derive(Debug, Default)]
struct Demonstration {
    director: Director,
    cues: VecDeque<Cue>,
    /// The end of the pause before the next cue.
    pause: Option<Duration>,
}

impl Program {
    /// A run that begins now.
    #[must_use]
    pub fn new(options: Options, reach: Reach, longest: Longest, is_demo: bool) -> Self {
        Self {
            options,
            reach,
            acts: VecDeque::new(),
            waits: Waits::new(longest),
            has_status: false,
            shown: None,
            redraw_at: None,
            status: None,
            ended: false,
            failure: None,
            closed: false,
            commands_ended: false,
            refused: None,
            state_failed: false,
            demo: is_demo.then(Demonstration::default),
        }
    }

    /// The same with a status line. What takes long is shown there, and gets no lines of its own.
    #[must_use]
    pub fn with_status(mut self, has_status: bool) -> Self {
        self.has_status = has_status && !self.options.json;
        self
    }

    /// What was asked for.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// Whether the loop ends.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// The next thing to do; `None` when all is done.
    pub fn next_act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When a [`Timeout`](Input::Timeout) is due, as time since the program began.
    #[must_use]
    pub fn deadline(&self) -> Option<Duration> {
        let demo = self.demo.as_ref();
        let limit = demo.map(|_| demo::TIME_LIMIT);
        let pause = demo.and_then(|demo| demo.pause);
        [limit, pause, self.waits.says_next(), self.redraw_at].into_iter().flatten().min()
    }

    /// Takes what happened, at this time since the program began.
    pub fn handle(&mut self, input: Input, now: Duration) {
        match input {
            Input::Event(event, snapshot) => self.event(event, snapshot, now),
            Input::EventsEnded => self.ended = true,
            Input::State(standing) => self.waits.state(standing, now),
            Input::Line(line) => self.command(line, now),
            Input::LinesEnded => {
                self.commands_ended = true;
                self.give_up(now);
            }
            Input::Answer(line) => self.print(line),
            Input::Interrupt => {
                self.close(if self.options.state.is_some() { Close::Detach } else { Close::Revoke }, now);
            }
            Input::Saved(result) => self.saved(result),
            Input::Unwritten => {
                self.status = Some(FAILED);
                self.ended = true;
            }
            Input::Timeout => {}
        }
        self.time_passed(now);
        self.redraw(now);
    }

    /// The last things to do, and the exit status.
    pub fn finish(&mut self) -> u8 {
        self.show(None);
        self.acts.push_back(Act::Record);
        if self.options.json && !self.closed {
            let lost = || ("ended", "the session ended without a word".to_owned());
            let (reason, why) = self.failure.take().unwrap_or_else(lost);
            self.print(json::ended(reason, &why));
        }
        self.status.unwrap_or(FAILED)
    }

    fn time_passed(&mut self, now: Duration) {
        match self.waits.due(now) {
            Some(Slow::Unanswered(doing, elapsed)) => self.takes_long(doing, elapsed),
            Some(Slow::Pause(left)) if !self.has_status && !self.options.json => {
                self.print(format!("waiting        next in {:.1} s", left.as_secs_f64()));
            }
            Some(Slow::Pause(_)) | None => {}
        }
        if self.demo.is_some() && now >= demo::TIME_LIMIT && !self.ended {
            self.fail("time_limit", "the demonstration took too long");
            self.ended = true;
        }
        self.play(now);
    }

    /// Says that something takes long, and for how long it has: see [`SILENCE`](super::waits::SILENCE). The line
    /// protocol says so of connections alone.
    fn takes_long(&mut self, doing: Doing, elapsed: Duration) {
        if self.has_status || self.options.json && doing != Doing::Connecting {
            return;
        }
        let is_login = self.reach.is_login_under_way();
        let longest = self.waits.longest(doing, is_login).as_secs();
        let what = self.reach.waits_for(match doing {
            Doing::Connecting if is_login => "the login to",
            Doing::Connecting => "the connection to",
            Doing::Subscribing => "the subscription at",
            Doing::Closing => "the end of the session at",
        });
        self.print(if self.options.json {
            json::progress(&format!("{what}; this may take {longest} s at most"), elapsed)
        } else {
            format!("waiting        {what}, for {:.0} s of at most {longest} s", elapsed.as_secs_f64())
        });
    }

    /// Shows an event and does what follows from it.
    fn event(&mut self, event: Box<Event>, snapshot: Option<Box<Snapshot>>, now: Duration) {
        self.waits.event(&event, now);
        let line = match &*event {
            Event::Closed { reason } if self.options.json => {
                let why = self.failure.as_ref().map(|(_, why)| &**why);
                Some(json::closed(reason, why).end())
            }
            event if self.options.json => json::event(event),
            event => human::event(event).map(|lines| match event {
                Event::Gap(_) if self.options.backfill => human::more(&lines, FOLLOWS),
                event if self.leaves_login(event) => human::more(&lines, LEFT),
                _ => lines,
            }),
        };
        self.closed |= matches!(*event, Event::Closed { .. });
        if let Some(line) = line {
            self.print(line);
        }
        if let Event::Connected { .. } = &*event {
            self.acts.push_back(Act::Connected);
        }
        if Record::is_trouble(&event) {
            self.acts.push_back(Act::Record);
        }
        if let Some(why) = self.reach.on(&event) {
            self.fail("unreachable", &why);
            self.ended = true;
            return;
        }
        self.follow(&event, snapshot, now);
        if let Some(demo) = &mut self.demo {
            demo.cues.extend(demo.director.on(&event));
        }
    }

    /// Whether the login is still good after this event, and an option would have given it back.
    fn leaves_login(&self, event: &Event) -> bool {
        let is_end = matches!(event, Event::Closed { reason: CloseReason::Revoked });
        is_end && self.options.revoke_login == Some(false) && self.options.login.is_none() && self.demo.is_none()
    }

    /// Does what follows from an event.
    fn follow(&mut self, event: &Event, snapshot: Option<Box<Snapshot>>, now: Duration) {
        match event {
            Event::SnapshotChanged => self.acts.extend(snapshot.map(Act::Save)),
            // What fails after the end was asked for, or because nobody wants it any more, is nobody's fault.
            Event::SubscriptionFailed { error, retry_at: None, .. }
                if error.is_final_refusal() && !self.waits.is_closing() =>
            {
                self.refused = Some(format!("{error}; {}", error.remedy()));
                self.commands_ended |= !self.options.json;
                self.give_up(now);
            }
            Event::Subscribed(_) | Event::Unsubscribed { .. } => self.refused = None,
            Event::Closed { reason } => {
                if let CloseReason::Revoked = reason {
                    self.acts.push_back(Act::ForgetLogin);
                }
                if let CloseReason::Permanent(cause) = reason {
                    self.fail(cause.as_str(), &format!("{cause}{}", human::advice(cause)));
                }
                self.status.get_or_insert(0);
            }
            _ => {}
        }
    }

    /// A refusal for good is the end when no command can come that asks for something else.
    fn give_up(&mut self, now: Duration) {
        if self.commands_ended
            && let Some(why) = self.refused.take()
        {
            // A terminal shows why just before.
            let shown = if self.has_status { "the subscription was refused, so this ends" } else { &*why };
            self.fail("subscription_failed", shown);
            self.close(Close::Revoke, now);
        }
    }

    /// Plays the demonstration up to the next pause.
    fn play(&mut self, now: Duration) {
        loop {
            let Some(demo) = &mut self.demo else { return };
            if demo.pause.is_some_and(|pause| now < pause) {
                return;
            }
            demo.pause = None;
            match demo.cues.pop_front() {
                None => return,
                Some(Cue::Say(text)) if self.options.json => self.acts.push_back(Act::Note(text)),
                Some(Cue::Say(text)) => self.acts.push_back(Act::Paragraph(text.to_owned())),
                Some(Cue::Do(step)) => self.acts.push_back(Act::Perform(step)),
                Some(Cue::Wait(pause)) => demo.pause = Some(now + pause),
                Some(Cue::Close) => self.close(Close::Revoke, now),
            }
        }
    }

    /// Reads a line of stdin. What is no command is answered.
    fn command(&mut self, line: Result<String, String>, now: Duration) {
        match line.map_err(|why| (None, why)).and_then(|line| json::command(&line)) {
            Ok(Command::Close(mode)) => self.close(mode, now),
            Ok(command) => self.acts.push_back(Act::Call(command)),
            Err((None, why)) => self.print(json::error(&why)),
            Err((Some(id), why)) => {
                let line = json::Line::new("response").with("id", id).with("outcome", "not_sent");
                self.print(line.with("message", why).end());
            }
        }
    }

    fn close(&mut self, mode: Close, now: Duration) {
        self.waits.close(now);
        self.acts.push_back(Act::Call(Command::Close(mode)));
    }

    fn print(&mut self, line: String) {
        self.acts.push_back(Act::Line(line));
    }

    fn fail(&mut self, reason: &'static str, why: &str) {
        self.acts.push_back(Act::Complain(why.to_owned()));
        self.status = Some(FAILED);
        self.failure.get_or_insert_with(|| (reason, why.to_owned()));
    }

    /// The first failure is said; later ones say nothing new.
    fn saved(&mut self, result: Result<(), String>) {
        let before = std::mem::replace(&mut self.state_failed, result.is_err());
        if let (Err(why), false) = (result, before) {
            self.acts.push_back(Act::Complain(format!("the session cannot be kept: {why}")));
        }
    }

    fn redraw(&mut self, now: Duration) {
        if !self.has_status {
            return;
        }
        let (status, next) = self.waits.status(self.reach.is_login_under_way(), now);
        self.redraw_at = next;
        self.show(if self.closed || self.ended { None } else { status });
    }

    fn show(&mut self, status: Option<Status>) {
        if self.shown != status {
            self.shown.clone_from(&status);
            self.acts.push_back(Act::Status(status));
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use ringcentral_ws_core::classify::ApiError;
    use ringcentral_ws_core::{Config, SubscriptionId};

    use super::super::reach::LoginCalls;
    use super::*;

    fn program(json: bool) -> Program {
        let options = Options { json, ..Options::default() };
        let reach = Reach::new("https://example.com".to_owned(), LoginCalls::default());
        Program::new(options, reach, Longest::of(&Config::default()), false)
    }

    /// The subscription fails with this status and is not tried again.
    fn failed(status: u16) -> Input {
        let error = Box::new(ApiError::from_reply(status, &HeaderMap::new(), b""));
        let id = SubscriptionId::from(1);
        Input::Event(Box::new(Event::SubscriptionFailed { id, error, retry_at: None, delay: None }), None)
    }

    /// The exit status of a run in which this happened, and what it wrote to standard error and standard output.
    fn end_of(mut program: Program, inputs: impl IntoIterator<Item = Input>) -> (u8, Vec<String>) {
        let closed = Input::Event(Box::new(Event::Closed { reason: CloseReason::Revoked }), None);
        for input in inputs.into_iter().chain([closed, Input::EventsEnded]) {
            program.handle(input, Duration::ZERO);
        }
        let status = program.finish();
        let mut said = Vec::new();
        while let Some(act) = program.next_act() {
            said.extend(match act {
                Act::Complain(line) => Some(format!("complains: {line}")),
                Act::Line(line) => Some(line),
                _ => None,
            });
        }
        (status, said)
    }

    #[test]
    fn a_subscription_that_fails_after_the_end_was_asked_for_is_no_failure() {
        for (json, status) in [false, true].into_iter().flat_map(|json| [403, 503].map(|status| (json, status))) {
            let (end, said) = end_of(program(json), [Input::Interrupt, failed(status), Input::LinesEnded]);
            let said = said.join("\n");
            assert_eq!(end, 0, "{said}");
            assert!(!said.contains("complains: ") && !said.contains(r#""reason":"subscription_failed""#), "{said}");
        }
    }

    #[test]
    fn a_refusal_is_a_failure_and_an_attempt_that_nobody_waits_for_is_none() {
        let (end, said) = end_of(program(false), [failed(403)]);
        assert!(end == FAILED && said.iter().any(|line| line.starts_with("complains: HTTP 403")), "{said:?}");
        let (end, said) = end_of(program(true), [failed(403), Input::LinesEnded]);
        assert!(end == FAILED && said.iter().any(|line| line.starts_with("complains: HTTP 403")), "{said:?}");
        let (end, said) = end_of(program(true), [failed(503), Input::LinesEnded]);
        assert!(end == 0 && said.iter().any(|line| line.contains("it is not tried again")), "{said:?}");
    }
}
