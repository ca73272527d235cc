//! The program people run first. Each adapter's `watch` example calls [`run`]; all of them behave the same.

mod source;
mod watched;

use std::ffi::OsString;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use async_channel::Receiver;
use futures_util::future::{BoxFuture, Fuse, FusedFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringcentral_ws_adapter::watch::args::Options;
use ringcentral_ws_adapter::watch::demo::{self, StartDemo};
use ringcentral_ws_adapter::watch::interrupt::on_interrupt;
use ringcentral_ws_adapter::watch::program::{Dress, Play, Program, SILENCE};
use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::start::{self, KeptLogin};
use ringcentral_ws_adapter::watch::{FAILED, USAGE, complain, json, read_stdin};
use ringcentral_ws_adapter::{ConnectionState, IoLimits, terminal};
use ringcentral_ws_core::{Close, Event, SessionState};

pub use self::source::Source;
use self::watched::Watched;
use crate::client::{Builder, Client};
use crate::credentials::{CredentialSource, Jwt};
use crate::events::Events;
use crate::https::https_client;
use crate::runtime::Runtime;

/// What an adapter lends to the program.
pub struct Host<R> {
    /// The program's name, such as `watch`.
    pub name: &'static str,
    /// The runtime.
    pub runtime: R,
    /// Starts the demonstration's server.
    pub demo: StartDemo,
}

/// Runs the program to its end. `args` are without the program's name.
///
/// Returns the exit status: 0 after a close, 1 after a permanent error, 2 for bad usage.
pub async fn run<R: Runtime>(host: Host<R>, args: impl IntoIterator<Item = OsString>) -> u8 {
    match start::ask(host.name, args) {
        Ok(options) => run_with(host, options, None).await,
        Err(status) => status,
    }
}

/// The same with options that were read from another command line, and [checked](Options::checked). `dress` is how lines for
/// people are shown.
pub async fn run_with<R: Runtime>(host: Host<R>, options: Options, dress: Option<Dress>) -> u8 {
    match begin(host, options, dress) {
        Ok(running) => running.run().await,
        Err(status) => status,
    }
}

/// Makes a runtime. A runtime panics in its own code when there is too little room for it, so that is looked at before.
///
/// # Errors
///
/// The exit status, after one line on stderr.
pub fn start_runtime<T>(name: &str, make: impl FnOnce() -> io::Result<T>) -> Result<T, u8> {
    room().and_then(|()| make()).map_err(|error| {
        let why = format!("the runtime cannot be started: {error}; raise the limits of this process (ulimit)");
        complain(name, &why, FAILED)
    })
}

/// Whether there are file descriptors for a runtime and a connection.
#[cfg(unix)]
fn room() -> io::Result<()> {
    const PAIRS: usize = 4;
    (0..PAIRS).map(|_| std::os::unix::net::UnixStream::pair()).collect::<io::Result<Vec<_>>>().map(drop)
}

#[cfg(not(unix))]
fn room() -> io::Result<()> {
    Ok(())
}

/// Starts everything.
fn begin<R: Runtime>(host: Host<R>, mut options: Options, dress: Option<Dress>) -> Result<Running<R>, u8> {
    let Host { name, runtime, demo } = host;
    let interrupts = interrupts(name);
    let (credentials, perform) = match &options.login {
        Some(file) => (Source::of_file(name, file).map_err(|why| complain(name, &why, USAGE))?, None),
        None => {
            let (jwt, perform) = start::credentials(name, Jwt::from_env(), demo, Jwt::new)?;
            (Source::Jwt(jwt), perform)
        }
    };
    let files = start::claim(name, &mut options, perform.is_some())?;
    let kept = KeptLogin::of(name, files.state.as_ref(), credentials.app(), credentials.identity());
    let login = Arc::new(Watched { source: credentials.keeping(kept), calls: LoginCalls::default() });
    let app = login.source.app();
    let (client, events) = start::start(name, &options, files.state.as_ref(), app, perform.is_some(), |settings| {
        Builder::new(runtime.clone(), Arc::clone(&login)).settings(settings).start()
    })?;
    let reach = Reach::new(app.server.origin().ascii_serialization(), login.calls.clone());
    let program = Program::new(name, options, files, reach, perform).dressed(dress);
    let (lines, commands) = async_channel::bounded(16);
    if program.reads_commands() {
        read_stdin(move |line| lines.send_blocking(line).is_ok());
    }
    Ok(Running {
        program,
        client,
        events,
        runtime,
        commands,
        interrupts,
        login,
        quiet: None,
        silence: Fuse::terminated(),
        work: FuturesUnordered::new(),
        cue: Fuse::terminated(),
    })
}

/// A message for each Ctrl-C. Handled from the start: the first process of a container gets no signal before that.
fn interrupts(name: &'static str) -> Receiver<()> {
    let (interrupts, receiver) = async_channel::bounded(1);
    on_interrupt(name, move || {
        let _ = interrupts.try_send(());
    });
    receiver
}

struct Running<R: Runtime> {
    program: Program,
    client: Client<R>,
    events: Events,
    runtime: R,
    /// Lines of stdin.
    commands: Receiver<Result<String, String>>,
    interrupts: Receiver<()>,
    login: Arc<Watched<Source>>,
    /// Since when something is under way and nothing was shown.
    quiet: Option<Instant>,
    /// When that is said.
    silence: Fuse<BoxFuture<'static, ()>>,
    /// Calls under way; each ends in a line for stdout, or none.
    work: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    /// The pause before the next cue.
    cue: Fuse<BoxFuture<'static, ()>>,
}

impl<R: Runtime> Running<R> {
    async fn run(mut self) -> u8 {
        let mut interrupts = pin!(self.interrupts.clone().fuse());
        let states = self.client.states();
        self.state(&states.get());
        let mut states = states.fuse();
        let time_limit = self.program.is_demo().then(|| self.runtime.sleep(demo::TIME_LIMIT));
        let mut time_limit = time_limit.map_or_else(Fuse::terminated, FutureExt::fuse);
        let mut commands = pin!(self.commands.clone().fuse());
        while !self.program.has_ended() {
            // Ended calls come first: all of them end before the session does, and are shown before it.
            futures_util::select_biased! {
                line = self.work.select_next_some() => self.program.print(line),
                event = self.events.next().fuse() => match event {
                    Some(event) => self.event(&event),
                    None => self.program.end(),
                },
                line = commands.next() => match line {
                    Some(line) => self.line(line),
                    None => self.commands_ended(),
                },
                () = &mut self.cue => self.play(),
                () = interrupts.select_next_some() => self.close(self.program.interrupted()),
                state = states.select_next_some() => self.state(&state),
                () = &mut self.silence => self.takes_long(),
                () = time_limit => self.program.took_too_long(),
            }
        }
        if self.program.revokes_login() {
            self.revoke_login().await;
        }
        self.program.finish(|| self.client.flight_record())
    }

    /// Gives the login back. That it is left says stderr, and changes nothing: it expires by itself.
    async fn revoke_login(&self) {
        let tls = start::trusted(self.program.name(), self.program.ca_file()).unwrap_or_default();
        let why = match https_client(self.runtime.clone(), IoLimits::default(), tls) {
            Ok(https) => self.login.source.revoke(&*https).await.err().map(|failure| failure.message.into_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            terminal::complain(self.program.name(), &format!("the login is left, it could not be given back: {why}"));
        }
    }

    fn commands_ended(&mut self) {
        if let Some(mode) = self.program.commands_ended() {
            self.close(mode);
        }
    }

    /// While an attempt is under way its silence is watched.
    fn state(&mut self, state: &ConnectionState) {
        if matches!(state.session(), SessionState::Connecting) {
            self.quiet = Some(Instant::now());
            self.silence = self.runtime.sleep(SILENCE).fuse();
        } else {
            self.quiet = None;
            self.silence = Fuse::terminated();
        }
    }

    fn takes_long(&mut self) {
        let Some(since) = self.quiet else { return };
        self.program.takes_long(since.elapsed());
        self.silence = self.runtime.sleep(5 * SILENCE).fuse();
    }

    fn event(&mut self, event: &Event) {
        let snapshot = if matches!(event, Event::SnapshotChanged) { self.client.snapshot() } else { None };
        let close = self.program.event(event, snapshot.as_ref(), || self.client.flight_record());
        if let Some(mode) = close {
            self.close(mode);
        }
        self.play();
    }

    /// Plays the demonstration up to the next pause.
    fn play(&mut self) {
        while self.cue.is_terminated() {
            match self.program.play() {
                Play::Rest => return,
                Play::Wait(pause) => self.cue = self.runtime.sleep(pause).fuse(),
                Play::Close => self.close(Close::Revoke),
            }
        }
    }

    fn line(&mut self, line: Result<String, String>) {
        let Some(command) = self.program.command(line) else { return };
        let client = self.client.clone();
        let failed = |error: String| Some(json::error(&error));
        match command {
            json::Command::Subscribe(filters) => self.work.push(Box::pin(async move {
                client.subscribe(filters).await.err().and_then(|error| failed(error.to_string()))
            })),
            json::Command::Unsubscribe => self.work.push(Box::pin(async move {
                client.unsubscribe().await.err().and_then(|error| failed(error.to_string()))
            })),
            json::Command::Recover => self.work.push(Box::pin(async move {
                client.recover().await.err().and_then(|error| failed(error.to_string()))
            })),
            json::Command::Request { id, request } => self.work.push(Box::pin(async move {
                let result = client.request(*request).await;
                Some(json::response(&id, &result))
            })),
            json::Command::Close(mode) => self.close(mode),
        }
    }

    fn close(&self, mode: Close) {
        let client = self.client.clone();
        self.work.push(Box::pin(async move {
            client.close(mode).await;
            None
        }));
    }
}
