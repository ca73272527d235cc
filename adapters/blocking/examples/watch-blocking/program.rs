//! The program's loop: everything that happens comes through one channel to the main thread.

use std::collections::VecDeque;
use std::io::{self, BufRead, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use ringcentral_ws_adapter::terminal;
use ringcentral_ws_adapter::watch::args::Options;
use ringcentral_ws_adapter::watch::demo::{Cue, Director, TIME_LIMIT};
use ringcentral_ws_adapter::watch::interrupt::interrupted;
use ringcentral_ws_adapter::watch::reach::Reach;
use ringcentral_ws_adapter::watch::record::Record;
use ringcentral_ws_adapter::watch::{FAILED, Files, MAX_LINE, human, json};
use ringcentral_ws_blocking::{Client, Events};
use ringcentral_ws_blocking::{Close, CloseReason, Event, Snapshot};

use crate::{NAME, Perform, complain};

/// One thing that happened.
enum Happening {
    /// With the snapshot that is true once it has been taken.
    Event(Box<Event>, Option<Box<Snapshot>>),
    Line(Result<String, String>),
    /// A call has ended; its line waits.
    Answer,
    Interrupt,
    End,
}

/// The demonstration in progress.
struct Story {
    perform: Perform,
    director: Director,
    cues: VecDeque<Cue>,
    /// The end of the pause before the next cue.
    pause: Option<Instant>,
}

pub(crate) struct Program {
    options: Options,
    client: Client,
    began: Instant,
    happenings: Option<SyncSender<Happening>>,
    /// Lines of ended calls, and the threads that wait for the others.
    answers: (Sender<String>, Receiver<String>),
    calls: Vec<JoinHandle<()>>,
    /// The exit status, once it is decided.
    status: Option<u8>,
    ended: bool,
    /// The session could not be kept, and it was said.
    state_failed: bool,
    files: Files,
    reach: Reach,
    story: Option<Story>,
}

impl Program {
    pub(crate) fn new(options: Options, files: Files, client: Client, reach: Reach, perform: Option<Perform>) -> Self {
        let story =
            perform.map(|perform| Story { perform, director: Director::new(), cues: VecDeque::new(), pause: None });
        Self {
            files,
            options,
            client,
            began: Instant::now(),
            happenings: None,
            answers: channel(),
            calls: Vec::new(),
            status: None,
            ended: false,
            state_failed: false,
            reach,
            story,
        }
    }

    pub(crate) fn run(mut self, events: Events) -> u8 {
        let (sender, happenings) = sync_channel(16);
        self.happenings = Some(sender.clone());
        let interrupts = sender.clone();
        let _ = ctrlc::set_handler(move || {
            interrupted(NAME);
            let _ = interrupts.send(Happening::Interrupt);
        });
        if self.options.json {
            read_stdin(sender.clone());
        }
        pump(events, self.client.clone(), sender);
        while !self.ended {
            let happening = match self.wake_at() {
                None => happenings.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => happenings.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.tell_answers();
            match happening {
                Ok(Happening::Event(event, snapshot)) => self.event(&event, snapshot.as_deref()),
                Ok(Happening::Line(line)) => self.line(line),
                Ok(Happening::Answer) => {}
                Ok(Happening::Interrupt) => {
                    let mode = if self.options.state.is_some() { Close::Detach } else { Close::Revoke };
                    self.close(mode);
                }
                Ok(Happening::End) | Err(RecvTimeoutError::Disconnected) => self.ended = true,
                Err(RecvTimeoutError::Timeout) => self.time_passed(),
            }
        }
        self.files.record.write(NAME, self.client.flight_record());
        self.status.unwrap_or(FAILED)
    }

    /// The next moment at which the demonstration has something to do.
    fn wake_at(&self) -> Option<Instant> {
        let limit = self.began + TIME_LIMIT;
        self.story.as_ref().map(|story| story.pause.map_or(limit, |pause| pause.min(limit)))
    }

    fn time_passed(&mut self) {
        if self.began.elapsed() >= TIME_LIMIT {
            self.status = Some(complain("the demonstration took too long", FAILED));
            self.ended = true;
        }
        if let Some(story) = self.story.as_mut().filter(|s| s.pause.is_some_and(|at| at <= Instant::now())) {
            story.pause = None;
            self.play();
        }
    }

    fn event(&mut self, event: &Event, snapshot: Option<&Snapshot>) {
        if let Event::Closed { .. } = event {
            // All calls have ended before the session does, and are told before it.
            for call in self.calls.drain(..) {
                let _ = call.join();
            }
            self.tell_answers();
        }
        let line = if self.options.json { json::event(event) } else { human::event(event) };
        self.print(line);
        self.files.on(event);
        if self.files.record.is_wanted() && Record::is_trouble(event) {
            self.files.record.write(NAME, self.client.flight_record());
        }
        if let Some(why) = self.reach.on(event) {
            self.status = Some(complain(&why, FAILED));
            self.ended = true;
            return;
        }
        if let Some(snapshot) = snapshot {
            self.save(snapshot);
        }
        match event {
            Event::SubscriptionFailed { error, retry_at: None, .. } if !self.options.json => {
                self.status = Some(complain(&format!("{error}; {}", error.remedy()), FAILED));
                self.close(Close::Revoke);
            }
            Event::Closed { reason } => {
                if let (CloseReason::Revoked, Some(file)) = (reason, &self.files.state) {
                    file.forget_login();
                }
                if let CloseReason::Permanent(cause) = reason {
                    self.status = Some(complain(&format!("{cause}{}", human::advice(cause)), FAILED));
                }
                self.status.get_or_insert(0);
            }
            _ => {}
        }
        if let Some(story) = &mut self.story {
            story.cues.extend(story.director.on(event));
            self.play();
        }
    }

    /// Plays the story up to the next pause.
    fn play(&mut self) {
        while let Some(story) = self.story.as_mut().filter(|story| story.pause.is_none()) {
            match story.cues.pop_front() {
                None => return,
                Some(Cue::Tell(text)) if self.options.json => terminal::note(text),
                Some(Cue::Tell(text)) => self.print(Some(format!("\n{text}"))),
                Some(Cue::Do(step)) => (story.perform)(step),
                Some(Cue::Wait(pause)) => story.pause = Some(Instant::now() + pause),
                Some(Cue::Close) => self.close(Close::Revoke),
            }
        }
    }

    fn line(&mut self, line: Result<String, String>) {
        let command = match line {
            Ok(line) => json::command(&line),
            Err(why) => Err((None, why)),
        };
        let refused = match command {
            Ok(json::Command::Subscribe(filters)) => self.client.subscribe(filters).err().map(|e| e.to_string()),
            Ok(json::Command::Unsubscribe) => self.client.unsubscribe().err().map(|e| e.to_string()),
            Ok(json::Command::Recover) => self.client.recover().err().map(|e| e.to_string()),
            Ok(json::Command::Request { id, request }) => {
                let pending = self.client.start_request(*request);
                self.call(move || Some(json::response(&id, &pending.wait())));
                None
            }
            Ok(json::Command::Close(mode)) => {
                self.close(mode);
                None
            }
            Err((None, why)) => Some(why),
            Err((Some(id), why)) => {
                let line = json::Line::new("response").with("id", id).with("outcome", "not_sent");
                self.print(Some(line.with("message", why).end()));
                None
            }
        };
        self.print(refused.map(|why| json::error(&why)));
    }

    fn close(&mut self, mode: Close) {
        let client = self.client.clone();
        self.call(move || {
            client.close(mode);
            None
        });
    }

    /// Waits for something on a thread of its own.
    fn call(&mut self, work: impl FnOnce() -> Option<String> + Send + 'static) {
        let (answers, happenings) = (self.answers.0.clone(), self.happenings.clone());
        self.calls.retain(|call| !call.is_finished());
        self.calls.push(std::thread::spawn(move || {
            let Some(line) = work() else { return };
            let _ = answers.send(line);
            if let Some(happenings) = happenings {
                // Full means that the main thread is about to look anyway.
                let _ = happenings.try_send(Happening::Answer);
            }
        }));
    }

    fn tell_answers(&mut self) {
        while let Ok(line) = self.answers.1.try_recv() {
            self.print(Some(line));
        }
    }

    fn print(&mut self, line: Option<String>) {
        let Some(line) = line else { return };
        let mut out = io::stdout().lock();
        let written = if self.options.json {
            writeln!(out, "{line}")
        } else if let Some(told) = line.strip_prefix('\n') {
            writeln!(out, "\n{told}")
        } else {
            writeln!(out, "{:>6.1} s  {line}", self.began.elapsed().as_secs_f64())
        };
        if let Err(error) = written.and_then(|()| out.flush()) {
            if !self.ended {
                terminal::unread(NAME, &error);
            }
            self.status = Some(FAILED);
            self.ended = true;
        }
    }

    fn save(&mut self, snapshot: &Snapshot) {
        let Some(file) = &self.files.state else { return };
        match file.save(snapshot) {
            Ok(()) => self.state_failed = false,
            Err(error) if !self.state_failed => {
                self.state_failed = true;
                terminal::complain(NAME, &format!("the session cannot be kept: {error}"));
            }
            Err(_) => {}
        }
    }
}

/// Brings the events, each change of the snapshot with the snapshot.
fn pump(events: Events, client: Client, happenings: SyncSender<Happening>) {
    std::thread::spawn(move || {
        for event in events {
            let snapshot = if matches!(event, Event::SnapshotChanged) { client.snapshot().map(Box::new) } else { None };
            if happenings.send(Happening::Event(Box::new(event), snapshot)).is_err() {
                return;
            }
        }
        let _ = happenings.send(Happening::End);
    });
}

fn read_stdin(happenings: SyncSender<Happening>) {
    std::thread::spawn(move || {
        let mut input = io::stdin().lock();
        loop {
            let mut line = Vec::new();
            match io::Read::take(&mut input, MAX_LINE).read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let line = String::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned());
            if line.as_ref().is_ok_and(|line| line.trim().is_empty()) {
                continue;
            }
            if happenings.send(Happening::Line(line)).is_err() {
                return;
            }
        }
    });
}
