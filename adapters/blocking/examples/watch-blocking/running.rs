//! The program's loop: everything that happens comes through one channel to the main thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;

use ringcentral_ws_adapter::ConnectionState;
use ringcentral_ws_adapter::watch::interrupt::on_interrupt;
use ringcentral_ws_adapter::watch::json::{self, Command};
use ringcentral_ws_adapter::watch::program::Input;
use ringcentral_ws_adapter::watch::read_stdin;
use ringcentral_ws_adapter::watch::run::Run;
use ringcentral_ws_blocking::{Client, Event, Events};

use crate::NAME;

/// One thing that happened.
enum Happening {
    Input(Input),
    State(ConnectionState),
    /// A call has ended, and its line waits, or Ctrl-C was pressed.
    Look,
}

/// Where all of it comes together. It holds little, so that events wait where the session counts them.
pub(crate) struct Happenings {
    sender: SyncSender<Happening>,
    receiver: Receiver<Happening>,
    /// Ctrl-C was pressed, and nothing was done about it yet.
    interrupted: Arc<AtomicBool>,
}

impl Happenings {
    /// Interrupts count from here on: the first process of a container gets no signal before they are handled.
    pub(crate) fn begin() -> Self {
        let (sender, receiver) = sync_channel(16);
        let interrupted = Arc::new(AtomicBool::new(false));
        let (sets, wakes) = (Arc::clone(&interrupted), sender.clone());
        on_interrupt(NAME, move || {
            sets.store(true, Ordering::Relaxed);
            // Full means that the main thread is about to look anyway.
            let _ = wakes.try_send(Happening::Look);
        });
        Self { sender, receiver, interrupted }
    }
}

pub(crate) struct Running {
    run: Run,
    client: Client,
    happenings: SyncSender<Happening>,
    interrupted: Arc<AtomicBool>,
    /// Lines of ended calls, and the threads that wait for the others.
    answers: (Sender<String>, Receiver<String>),
    calls: Vec<JoinHandle<()>>,
}

impl Running {
    /// Runs it to its end, and gives the exit status.
    pub(crate) fn run(run: Run, client: Client, events: Events, happenings: Happenings) -> u8 {
        let Happenings { sender, receiver, interrupted } = happenings;
        let running = Self { run, client, happenings: sender, interrupted, answers: channel(), calls: Vec::new() };
        running.drive(events, &receiver)
    }

    fn drive(mut self, events: Events, happenings: &Receiver<Happening>) -> u8 {
        if self.run.options().json {
            let lines = self.happenings.clone();
            read_stdin(move |line| lines.send(Happening::Input(line)).is_ok());
        }
        self.pump_states();
        self.pump_events(events);
        while !self.run.has_ended() {
            let happening = match self.run.deadline() {
                None => happenings.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(at) => happenings.recv_timeout(at.saturating_duration_since(Instant::now())),
            };
            self.print_answers();
            if self.interrupted.swap(false, Ordering::Relaxed) {
                self.happened(Input::Interrupt);
            }
            match happening {
                Ok(Happening::Input(input)) => self.happened(input),
                Ok(Happening::State(state)) => {
                    self.run.state(&state, &|| self.client.flight_record());
                    self.begin_calls();
                }
                Ok(Happening::Look) => {}
                Err(RecvTimeoutError::Disconnected) => self.happened(Input::EventsEnded),
                Err(RecvTimeoutError::Timeout) => self.happened(Input::Timeout),
            }
        }
        let Self { run, client, .. } = self;
        run.finish(&|| client.flight_record())
    }

    fn happened(&mut self, input: Input) {
        if let Input::Event(event, _) = &input
            && let Event::Closed { .. } = **event
        {
            // All calls have ended before the session does, and are shown before it.
            for call in self.calls.drain(..) {
                let _ = call.join();
            }
            self.print_answers();
        }
        self.run.handle(input, &|| self.client.flight_record());
        self.begin_calls();
    }

    fn begin_calls(&mut self) {
        while let Some(call) = self.run.next_call() {
            let refused = match call {
                Command::Subscribe(filters) => self.client.subscribe(filters).err().map(|e| e.to_string()),
                Command::Unsubscribe => self.client.unsubscribe().err().map(|e| e.to_string()),
                Command::Recover => self.client.recover().err().map(|e| e.to_string()),
                Command::Request { id, request } => {
                    let pending = self.client.start_request(*request);
                    self.call(move || Some(json::response(&id, &pending.wait())));
                    None
                }
                Command::Close(mode) => {
                    let client = self.client.clone();
                    self.call(move || {
                        client.close(mode);
                        None
                    });
                    None
                }
            };
            if let Some(why) = refused {
                self.run.handle(Input::Answer(json::error(&why)), &|| self.client.flight_record());
            }
        }
    }

    /// Waits for something on a thread of its own.
    fn call(&mut self, work: impl FnOnce() -> Option<String> + Send + 'static) {
        let (answers, happenings) = (self.answers.0.clone(), self.happenings.clone());
        self.calls.retain(|call| !call.is_finished());
        self.calls.push(std::thread::spawn(move || {
            let Some(line) = work() else { return };
            let _ = answers.send(line);
            // Full means that the main thread is about to look anyway.
            let _ = happenings.try_send(Happening::Look);
        }));
    }

    fn print_answers(&mut self) {
        while let Ok(line) = self.answers.1.try_recv() {
            self.run.handle(Input::Answer(line), &|| self.client.flight_record());
        }
    }

    /// Brings the changes of the state.
    fn pump_states(&self) {
        let (states, happenings) = (self.client.states(), self.happenings.clone());
        std::thread::spawn(move || {
            let first = states.get();
            let all = std::iter::once(first).chain(states);
            all.map(Happening::State).try_for_each(|state| happenings.send(state))
        });
    }

    /// Brings the events, each change of the snapshot with the snapshot.
    fn pump_events(&self, events: Events) {
        let (client, happenings) = (self.client.clone(), self.happenings.clone());
        std::thread::spawn(move || {
            for event in events {
                let is_change = matches!(event, Event::SnapshotChanged);
                let snapshot = if is_change { client.snapshot().map(Box::new) } else { None };
                let input = Input::Event(Box::new(event), snapshot);
                if happenings.send(Happening::Input(input)).is_err() {
                    return;
                }
            }
            let _ = happenings.send(Happening::Input(Input::EventsEnded));
        });
    }
}
