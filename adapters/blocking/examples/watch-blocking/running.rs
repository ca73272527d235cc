//! The program's loop: everything that happens comes through one channel to the main thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use ringcentral_ws_adapter::watch::demo::TIME_LIMIT;
use ringcentral_ws_adapter::watch::interrupt::on_interrupt;
use ringcentral_ws_adapter::watch::program::{Play, Program};
use ringcentral_ws_adapter::watch::{json, read_stdin};
use ringcentral_ws_blocking::{Client, Events};
use ringcentral_ws_blocking::{Close, Event, Snapshot};

use crate::NAME;

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

pub(crate) struct Running {
    program: Program,
    client: Client,
    happenings: Option<SyncSender<Happening>>,
    /// Lines of ended calls, and the threads that wait for the others.
    answers: (Sender<String>, Receiver<String>),
    calls: Vec<JoinHandle<()>>,
    /// The end of the pause before the next cue.
    pause: Option<Instant>,
    /// When a demonstration must be over.
    limit: Option<Instant>,
}

impl Running {
    pub(crate) fn new(program: Program, client: Client) -> Self {
        let limit = program.is_demo().then(|| Instant::now() + TIME_LIMIT);
        Self { program, client, happenings: None, answers: channel(), calls: Vec::new(), pause: None, limit }
    }

    pub(crate) fn run(mut self, events: Events) -> u8 {
        let (sender, happenings) = sync_channel(16);
        self.happenings = Some(sender.clone());
        let (interrupts, lines) = (sender.clone(), sender.clone());
        on_interrupt(NAME, move || {
            let _ = interrupts.send(Happening::Interrupt);
        });
        if self.program.reads_commands() {
            read_stdin(move |line| lines.send(Happening::Line(line)).is_ok());
        }
        pump(events, self.client.clone(), sender);
        while !self.program.has_ended() {
            let happening = match [self.limit, self.pause].into_iter().flatten().min() {
                None => happenings.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => happenings.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.print_answers();
            match happening {
                Ok(Happening::Event(event, snapshot)) => self.event(&event, snapshot.as_deref()),
                Ok(Happening::Line(line)) => self.line(line),
                Ok(Happening::Answer) => {}
                Ok(Happening::Interrupt) => self.close(self.program.interrupted()),
                Ok(Happening::End) | Err(RecvTimeoutError::Disconnected) => self.program.end(),
                Err(RecvTimeoutError::Timeout) => self.time_passed(),
            }
        }
        self.program.finish(|| self.client.flight_record())
    }

    fn time_passed(&mut self) {
        let now = Instant::now();
        if self.limit.is_some_and(|limit| limit <= now) {
            self.program.took_too_long();
        }
        if self.pause.is_some_and(|pause| pause <= now) {
            self.pause = None;
            self.play();
        }
    }

    fn event(&mut self, event: &Event, snapshot: Option<&Snapshot>) {
        if let Event::Closed { .. } = event {
            // All calls have ended before the session does, and are shown before it.
            for call in self.calls.drain(..) {
                let _ = call.join();
            }
            self.print_answers();
        }
        if let Some(mode) = self.program.event(event, snapshot, || self.client.flight_record()) {
            self.close(mode);
        }
        self.play();
    }

    /// Plays the demonstration up to the next pause.
    fn play(&mut self) {
        while self.pause.is_none() {
            match self.program.play() {
                Play::Rest => return,
                Play::Wait(pause) => self.pause = Some(Instant::now() + pause),
                Play::Close => self.close(Close::Revoke),
            }
        }
    }

    fn line(&mut self, line: Result<String, String>) {
        let Some(command) = self.program.command(line) else { return };
        let refused = match command {
            json::Command::Subscribe(filters) => self.client.subscribe(filters).err().map(|e| e.to_string()),
            json::Command::Unsubscribe => self.client.unsubscribe().err().map(|e| e.to_string()),
            json::Command::Recover => self.client.recover().err().map(|e| e.to_string()),
            json::Command::Request { id, request } => {
                let pending = self.client.start_request(*request);
                self.call(move || Some(json::response(&id, &pending.wait())));
                None
            }
            json::Command::Close(mode) => {
                self.close(mode);
                None
            }
        };
        self.program.print(refused.map(|why| json::error(&why)));
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

    fn print_answers(&mut self) {
        while let Ok(line) = self.answers.1.try_recv() {
            self.program.print(Some(line));
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
