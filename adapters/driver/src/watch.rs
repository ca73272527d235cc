//! The program people run first. Each adapter's `watch` example calls [`run`]; all of them behave the same.

mod watched;

use std::ffi::OsString;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use async_channel::Receiver;
use futures_util::future::{BoxFuture, Fuse, FusedFuture, FutureExt, pending};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringcentral_ws_adapter::watch::args::Options;
use ringcentral_ws_adapter::watch::demo::{self, StartDemo};
use ringcentral_ws_adapter::watch::interrupt::on_interrupt;
use ringcentral_ws_adapter::watch::program::{Play, Program};
use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::start::{self, KeptLogin};
use ringcentral_ws_adapter::watch::state::StateFile;
use ringcentral_ws_adapter::watch::{FAILED, complain, json, read_stdin};
use ringcentral_ws_core::{Close, Event};

use self::watched::Watched;
use crate::client::{Builder, Client};
use crate::credentials::{CredentialSource, Jwt};
use crate::events::Events;
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
        Ok(options) => run_with(host, options).await,
        Err(status) => status,
    }
}

/// The same with options that were read from another command line, and [checked](Options::checked).
pub async fn run_with<R: Runtime>(host: Host<R>, options: Options) -> u8 {
    match begin(host, options) {
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
fn begin<R: Runtime>(host: Host<R>, mut options: Options) -> Result<Running<R>, u8> {
    let Host { name, runtime, demo } = host;
    let (credentials, perform) = start::credentials(name, Jwt::from_env(), demo, Jwt::new)?;
    let files = start::claim(name, &mut options, perform.is_some())?;
    let (client, events, reach) =
        start_client(name, &runtime, &options, files.state.as_ref(), credentials, perform.is_some())?;
    let program = Program::new(name, options, files, reach, perform);
    let (lines, commands) = async_channel::bounded(16);
    if program.reads_commands() {
        read_stdin(move |line| lines.send_blocking(line).is_ok());
    }
    Ok(Running {
        name,
        program,
        client,
        events,
        runtime,
        commands,
        work: FuturesUnordered::new(),
        cue: Fuse::terminated(),
    })
}

fn start_client<R: Runtime>(
    name: &'static str,
    runtime: &R,
    options: &Options,
    file: Option<&StateFile>,
    credentials: Jwt,
    is_demo: bool,
) -> Result<(Client<R>, Events, Reach), u8> {
    let app = credentials.app().clone();
    let kept = KeptLogin::of(name, file, &app, credentials.identity());
    let (calls, server) = (LoginCalls::default(), app.server.origin().ascii_serialization());
    let credentials = Arc::new(Watched { source: keep_login(kept, credentials), calls: calls.clone() });
    let (client, events) = start::start(name, options, file, &app, is_demo, |settings| {
        Builder::new(runtime.clone(), Arc::clone(&credentials)).settings(settings).start()
    })?;
    Ok((client, events, Reach::new(server, calls)))
}

/// With a state file the login is kept too.
fn keep_login(kept: Option<KeptLogin>, mut credentials: Jwt) -> Jwt {
    let Some(kept) = kept else { return credentials };
    if let Some(token) = kept.token() {
        credentials = credentials.with_refresh_token(token);
    }
    credentials.on_tokens(move |tokens| kept.keep(tokens))
}

/// Ready on Ctrl-C.
async fn interrupt(name: &'static str) {
    let (interrupts, receiver) = async_channel::bounded(1);
    let notify = move || {
        let _ = interrupts.try_send(());
    };
    if !on_interrupt(name, notify) || receiver.recv().await.is_err() {
        pending::<()>().await;
    }
}

struct Running<R: Runtime> {
    name: &'static str,
    program: Program,
    client: Client<R>,
    events: Events,
    runtime: R,
    /// Lines of stdin.
    commands: Receiver<Result<String, String>>,
    /// Calls under way; each ends in a line for stdout, or none.
    work: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    /// The pause before the next cue.
    cue: Fuse<BoxFuture<'static, ()>>,
}

impl<R: Runtime> Running<R> {
    async fn run(mut self) -> u8 {
        let mut interrupt = pin!(interrupt(self.name).fuse());
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
                line = commands.select_next_some() => self.line(line),
                () = &mut self.cue => self.play(),
                () = interrupt => self.close(self.program.interrupted()),
                () = time_limit => self.program.took_too_long(),
            }
        }
        self.program.finish(|| self.client.flight_record())
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
