//! The program people run first. Each adapter's `watch` example calls [`run`]; all of them behave the same.

mod source;
mod watched;

use std::ffi::OsString;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use async_channel::Receiver;
use futures_util::future::{BoxFuture, Either, Fuse, FusedFuture, FutureExt, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringcentral_ws_adapter::watch::args::Options;
use ringcentral_ws_adapter::watch::demo::StartDemo;
use ringcentral_ws_adapter::watch::interrupt::on_interrupt;
use ringcentral_ws_adapter::watch::json::{self, Command};
use ringcentral_ws_adapter::watch::program::Input;
use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::run::Run;
use ringcentral_ws_adapter::watch::screen::{Time, fit_complaints};
use ringcentral_ws_adapter::watch::start::{self, KeptLogin};
use ringcentral_ws_adapter::watch::waits::SILENCE;
use ringcentral_ws_adapter::watch::{FAILED, USAGE, complain, read_stdin};
use ringcentral_ws_adapter::{ConnectionState, IoLimits, terminal};
use ringcentral_ws_core::Event;

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

/// The same with options that were read from another command line, and [checked](Options::checked). `time` is what stands
/// before a line on a terminal, in place of the seconds since the beginning.
pub async fn run_with<R: Runtime>(host: Host<R>, options: Options, time: Option<Time>) -> u8 {
    fit_complaints();
    match begin(host, options, time) {
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
fn begin<R: Runtime>(host: Host<R>, mut options: Options, time: Option<Time>) -> Result<Running<R>, u8> {
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
    let (lines, commands) = async_channel::bounded(16);
    if options.json {
        read_stdin(move |line| lines.send_blocking(line).is_ok());
    }
    let run = Run::new(name, options, files, reach, perform, time);
    let timer = Timer { at: None, sleep: Fuse::terminated() };
    Ok(Running { run, client, events, runtime, commands, interrupts, login, work: FuturesUnordered::new(), timer })
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
    run: Run,
    client: Client<R>,
    events: Events,
    runtime: R,
    /// What comes on stdin.
    commands: Receiver<Input>,
    interrupts: Receiver<()>,
    login: Arc<Watched<Source>>,
    /// Calls under way; each ends in a line for stdout, or none.
    work: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    timer: Timer,
}

/// What waits for the deadline.
struct Timer {
    at: Option<Instant>,
    sleep: Fuse<BoxFuture<'static, ()>>,
}

impl Timer {
    /// Sets it, unless it is set so.
    fn set<R: Runtime>(&mut self, at: Option<Instant>, runtime: &R) {
        if self.at != at || self.sleep.is_terminated() {
            self.at = at;
            let left = |at: Instant| runtime.sleep(at.saturating_duration_since(Instant::now())).fuse();
            self.sleep = at.map_or_else(Fuse::terminated, left);
        }
    }
}

impl<R: Runtime> Running<R> {
    async fn run(mut self) -> u8 {
        let mut interrupts = pin!(self.interrupts.clone().fuse());
        let states = self.client.states();
        self.state(&states.get());
        let mut states = states.fuse();
        let mut commands = pin!(self.commands.clone().fuse());
        while !self.run.has_ended() {
            self.timer.set(self.run.deadline(), &self.runtime);
            // Ended calls come first: all of them end before the session does, and are shown before it.
            let input = futures_util::select_biased! {
                line = self.work.select_next_some() => match line {
                    Some(line) => Input::Answer(line),
                    None => continue,
                },
                () = interrupts.select_next_some() => Input::Interrupt,
                state = states.select_next_some() => {
                    self.state(&state);
                    continue;
                }
                // Many events in a row hide nothing of what is above.
                event = self.events.next().fuse() => self.happened(event),
                line = commands.select_next_some() => line,
                () = &mut self.timer.sleep => Input::Timeout,
            };
            self.run.handle(input, &|| self.client.flight_record());
            self.begin_calls();
        }
        if self.run.options().revoke_login == Some(true) {
            self.revoke_login().await;
        }
        let Self { run, client, .. } = self;
        run.finish(&|| client.flight_record())
    }

    /// Gives the login back. That it is left says stderr, and changes nothing: it expires by itself.
    async fn revoke_login(&self) {
        let name = self.run.name();
        let tls = start::trusted(name, self.run.options().ca_file.as_deref()).unwrap_or_default();
        let why = match https_client(self.runtime.clone(), IoLimits::default(), tls) {
            Ok(https) => {
                let revoked = pin!(self.login.source.revoke(&*https));
                let revoked = match select(revoked, self.runtime.sleep(SILENCE)).await {
                    Either::Left((revoked, _)) => revoked,
                    Either::Right(((), revoked)) => {
                        let what = "giving the login back is not answered yet; Ctrl-C ends this, and leaves it";
                        terminal::complain(name, what);
                        revoked.await
                    }
                };
                revoked.err().map(|failure| failure.message.into_string())
            }
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = why {
            terminal::complain(name, &format!("the login is left, it could not be given back: {why}"));
        }
    }

    fn happened(&self, event: Option<Event>) -> Input {
        let Some(event) = event else { return Input::EventsEnded };
        let snapshot = if matches!(event, Event::SnapshotChanged) { self.client.snapshot() } else { None };
        Input::Event(Box::new(event), snapshot.map(Box::new))
    }

    fn state(&mut self, state: &ConnectionState) {
        self.run.state(state, &|| self.client.flight_record());
        self.begin_calls();
    }

    fn begin_calls(&mut self) {
        while let Some(call) = self.run.next_call() {
            let client = self.client.clone();
            let failed = |error: String| Some(json::error(&error));
            self.work.push(match call {
                Command::Subscribe(filters) => Box::pin(async move {
                    client.subscribe(filters).await.err().and_then(|error| failed(error.to_string()))
                }),
                Command::Unsubscribe => {
                    Box::pin(
                        async move { client.unsubscribe().await.err().and_then(|error| failed(error.to_string())) },
                    )
                }
                Command::Recover => {
                    Box::pin(async move { client.recover().await.err().and_then(|error| failed(error.to_string())) })
                }
                Command::Request { id, request } => Box::pin(async move {
                    let result = client.request(*request).await;
                    Some(json::response(&id, &result))
                }),
                Command::Close(mode) => Box::pin(async move {
                    client.close(mode).await;
                    None
                }),
            });
        }
    }
}
