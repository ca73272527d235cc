//! A run of the program, without what waits: the loop of each kind of adapter does that.

use std::collections::VecDeque;
use std::time::Instant;

use ringcentral_ws_core::Config;

use super::Files;
use super::args::Options;
use super::demo::Perform;
use super::json::Command;
use super::program::{Act, Input, Program};
use super::reach::Reach;
use super::screen::{Screen, Time};
use super::waits::{Longest, Standing};
use crate::{ConnectionState, terminal};

/// A run: the loop hands in what happens, begins the calls that come out, and waits until the deadline.
pub struct Run {
    name: &'static str,
    program: Program,
    files: Files,
    screen: Screen,
    perform: Option<Perform>,
    calls: VecDeque<Command>,
    began: Instant,
}

impl Run {
    /// A run that begins now; `perform` makes the server of a demonstration do something, and `time` is what stands
    /// before a line on a terminal in place of the seconds since the beginning.
    #[must_use]
    pub fn new(
        name: &'static str,
        options: Options,
        files: Files,
        reach: Reach,
        perform: Option<Perform>,
        time: Option<Time>,
    ) -> Self {
        let began = Instant::now();
        let screen = Screen::new(options.json, began, time);
        let longest = Longest::of(&Config::default());
        let program = Program::new(options, reach, longest, perform.is_some()).with_status(screen.has_status());
        Self { name, program, files, screen, perform, calls: VecDeque::new(), began }
    }

    /// The program's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What was asked for.
    #[must_use]
    pub const fn options(&self) -> &Options {
        self.program.options()
    }

    /// Whether the loop ends.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.program.has_ended()
    }

    /// When a [`Timeout`](Input::Timeout) is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.program.deadline().and_then(|at| self.began.checked_add(at))
    }

    /// Takes what happened. `record` gives what the flight recorder holds.
    pub fn handle(&mut self, input: Input, record: &dyn Fn() -> Option<String>) {
        self.program.handle(input, self.began.elapsed());
        self.act(record);
    }

    /// The same for a state of the client.
    pub fn state(&mut self, state: &ConnectionState, record: &dyn Fn() -> Option<String>) {
        let next_try = state.next_try().map(|at| at.saturating_duration_since(self.began));
        let standing = Standing { session: state.session(), subscription: state.subscription(), next_try };
        self.handle(Input::State(standing), record);
    }

    /// The next call to begin.
    pub fn next_call(&mut self) -> Option<Command> {
        self.calls.pop_front()
    }

    /// Does the last things, and gives the exit status.
    pub fn finish(mut self, record: &dyn Fn() -> Option<String>) -> u8 {
        let status = self.program.finish();
        self.act(record);
        // Standard output may have failed only now.
        if self.screen.has_failed() { super::FAILED } else { status }
    }

    fn act(&mut self, record: &dyn Fn() -> Option<String>) {
        while let Some(act) = self.program.next_act() {
            match act {
                Act::Line(line) => {
                    let written = self.screen.line(&line);
                    self.written(written);
                }
                Act::Paragraph(text) => {
                    let written = self.screen.paragraph(&text);
                    self.written(written);
                }
                Act::Status(status) => {
                    let written = self.screen.status(status);
                    self.written(written);
                }
                Act::Complain(why) => terminal::complain(self.name, &why),
                Act::Note(text) => terminal::note(text),
                Act::Connected => self.files.connected(),
                Act::Save(snapshot) => {
                    if let Some(file) = &self.files.state {
                        let saved = file.save(&snapshot).map_err(|error| error.to_string());
                        self.program.handle(Input::Saved(saved), self.began.elapsed());
                    }
                }
                Act::ForgetLogin => {
                    if let Some(file) = &self.files.state {
                        file.forget_login();
                    }
                }
                Act::Record => {
                    if self.files.record.is_wanted() {
                        let Self { files, screen, name, .. } = self;
                        screen.aside(|| files.record.write(name, record()));
                    }
                }
                Act::Perform(step) => {
                    if let Some(perform) = &mut self.perform {
                        perform(step);
                    }
                }
                Act::Call(command) => self.calls.push_back(command),
            }
        }
    }

    /// The first failure is said, and ends the program.
    fn written(&mut self, written: std::io::Result<()>) {
        if let Err(error) = written {
            if !self.program.has_ended() {
                terminal::unread(self.name, &error);
            }
            self.program.handle(Input::Unwritten, self.began.elapsed());
        }
    }
}
