//! The program people run first. Each adapter's `watch` example calls [`run`]; all of them behave the same.

mod watched;

use std::collections::VecDeque;
use std::ffi::OsString;
use std::io::{self, BufRead, Write};
use std::pin::pin;
use std::sync::Arc;
use std::time::Instant;

use async_channel::Receiver;
use futures_util::future::{BoxFuture, Fuse, FutureExt, pending};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ringcentral_ws_adapter::watch::args::{self, Ask, Options};
pub use ringcentral_ws_adapter::watch::demo::Step;
use ringcentral_ws_adapter::watch::demo::{self, Cue, Director};
pub use ringcentral_ws_adapter::watch::interrupt::interrupted;
use ringcentral_ws_adapter::watch::reach::{LoginCalls, Reach};
use ringcentral_ws_adapter::watch::record::Record;
use ringcentral_ws_adapter::watch::state::{self, StateFile};
use ringcentral_ws_adapter::watch::{FAILED, Files, MAX_LINE, USAGE, human, json};
use ringcentral_ws_adapter::{StartError, terminal};
use ringcentral_ws_core::{Close, CloseReason, Config, Event, Snapshot, recorder};

use self::watched::Watched;
use crate::EnvError;
use crate::client::{Builder, Client};
use crate::credentials::{CredentialSource, Jwt};
use crate::events::Events;
use crate::runtime::Runtime;

/// A server that plays RingCentral.
pub struct DemoServer {
    /// Logs in to it.
    pub credentials: Jwt,
    /// Makes it do something.
    pub perform: Box<dyn FnMut(Step) + Send>,
}

/// Starts a [`DemoServer`]; the error is one line.
pub type StartDemo = Box<dyn FnOnce() -> BoxFuture<'static, Result<DemoServer, String>> + Send>;

/// What an adapter lends to the program.
pub struct Host<R> {
    /// The program's name, such as `watch`.
    pub name: &'static str,
    /// The runtime.
    pub runtime: R,
    /// Ready on Ctrl-C.
    pub interrupt: BoxFuture<'static, ()>,
    /// Starts the demonstration's server.
    pub demo: StartDemo,
}

/// Runs the program to its end. `args` are without the program's name.
///
/// Returns the exit status: 0 after a close, 1 after a permanent error, 2 for bad usage.
pub async fn run<R: Runtime>(host: Host<R>, args: impl IntoIterator<Item = OsString>) -> u8 {
    let name = host.name;
    let options = match args::parse(args) {
        Ok(Ask::Watch(options)) => options,
        Ok(Ask::Help) => return say(&args::help(name)),
        Ok(Ask::Version) => return say(&format!("{name} {}\n", env!("CARGO_PKG_VERSION"))),
        Err(why) => return complain(name, &why, USAGE),
    };
    match Jwt::from_env() {
        Ok(credentials) => watch(host, options, credentials, None).await,
        Err(EnvError::Nothing) => match (host.demo)().await {
            Ok(server) => {
                let host = Host { demo: Box::new(|| Box::pin(async { Err(String::new()) })), ..host };
                watch(host, options, server.credentials, Some(server.perform)).await
            }
            Err(why) => complain(name, &format!("the demonstration's server did not start: {why}"), FAILED),
        },
        Err(error) => complain(name, &error.to_string(), USAGE),
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

fn say(text: &str) -> u8 {
    u8::from(io::stdout().write_all(text.as_bytes()).is_err())
}

fn complain(name: &str, why: &str, status: u8) -> u8 {
    terminal::complain(name, why);
    status
}

async fn watch<R: Runtime>(
    host: Host<R>,
    mut options: Options,
    credentials: Jwt,
    perform: Option<Box<dyn FnMut(Step) + Send>>,
) -> u8 {
    let name = host.name;
    if perform.is_some() {
        terminal::complain(name, "no credentials in the environment, so this is a demonstration; see --help");
        if !options.filters.iter().any(|filter| filter == demo::FILTER) {
            options.filters.push(demo::FILTER.to_owned());
        }
    } else if options.filters.is_empty() && !options.json && options.state.is_none() {
        let why = "no event filter: give at least one, such as /restapi/v1.0/account/~/extension/~/presence";
        return complain(name, why, USAGE);
    }
    let files = match Files::claim(&options) {
        Ok(files) => files,
        Err(why) => return complain(name, &why.to_string(), USAGE),
    };
    files.notices().for_each(|notice| terminal::complain(name, &notice));
    let started = match start(&host, &options, files.state.as_ref(), credentials, perform.is_some()) {
        Ok(started) => started,
        Err(why) => return complain(name, &why.to_string(), USAGE),
    };
    let (client, events, reach) = started;
    let commands = if options.json { read_stdin() } else { async_channel::bounded(1).1 };
    let time_limit: BoxFuture<'static, ()> =
        if perform.is_some() { host.runtime.sleep(demo::TIME_LIMIT) } else { Box::pin(pending()) };
    let program = Program {
        name,
        options,
        client,
        runtime: host.runtime,
        began: Instant::now(),
        reach,
        work: FuturesUnordered::new(),
        status: None,
        ended: false,
        state_failed: false,
        files,
        story: perform.map(|perform| Story { perform, director: Director::new(), cues: VecDeque::new() }),
        cue: Fuse::terminated(),
    };
    program.run(events, commands, host.interrupt, time_limit).await
}

fn start<R: Runtime>(
    host: &Host<R>,
    options: &Options,
    file: Option<&StateFile>,
    credentials: Jwt,
    demo: bool,
) -> Result<(Client<R>, Events, Reach), StartError> {
    let calls = LoginCalls::default();
    let source = keep_login(host.name, file, credentials);
    let app = source.app().clone();
    let server = app.server.origin().ascii_serialization();
    let credentials = Arc::new(Watched { source, calls: calls.clone() });
    let mut config = match credentials.server() {
        Some(server) if demo => demo::config(server),
        _ => Config::default(),
    };
    config.rest_over_websocket = options.rest_over_websocket;
    config.auto_recover = !options.no_auto_recover;
    config.retry.auth_calls_per_minute = options.auth_calls.unwrap_or(config.retry.auth_calls_per_minute);
    let unusable = |why: &str| state::unusable(host.name, options.json, why);
    let lost = || Some(state::lost(&app));
    let snapshot = match file.map(StateFile::load) {
        None => None,
        Some(Ok(snapshot)) => snapshot,
        Some(Err(why)) => {
            unusable(&why);
            lost()
        }
    };
    let begin = |snapshot: Option<Snapshot>| {
        let mut builder = Builder::new(host.runtime.clone(), Arc::clone(&credentials)).config(config.clone());
        builder = builder.filters(&options.filters);
        if let Some(snapshot) = snapshot {
            builder = builder.restore(snapshot);
        }
        if options.debug {
            builder = builder.debug(terminal::note);
        }
        if options.record.is_some() {
            builder = builder.flight_recorder(recorder::Options::default());
        }
        builder.start()
    };
    let (client, events) = match begin(snapshot) {
        Err(StartError::Snapshot(why)) => {
            unusable(&why.to_string());
            file.inspect(|file| file.refused(&why));
            begin(lost())
        }
        started => started,
    }?;
    Ok((client, events, Reach::new(server, calls)))
}

/// With a state file the login is kept too: the server recovers a session only for the login that made it.
fn keep_login(name: &'static str, file: Option<&StateFile>, mut credentials: Jwt) -> Jwt {
    let Some(file) = file.cloned() else { return credentials };
    let (app, user) = (credentials.app().clone(), credentials.identity());
    match file.load_login(&app, user) {
        Ok(Some(token)) => credentials = credentials.with_refresh_token(token),
        Ok(None) => {}
        Err(why) => terminal::complain(name, why),
    }
    credentials.on_tokens(move |tokens| {
        if let Some(token) = &tokens.refresh_token
            && let Err(error) = file.save_login(&app, user, token)
        {
            terminal::complain(name, &format!("the login cannot be kept, so the next start cannot recover: {error}"));
        }
    })
}

/// Lines of stdin, from a thread of its own: reading stdin blocks on every runtime.
fn read_stdin() -> Receiver<Result<String, String>> {
    let (lines, receiver) = async_channel::bounded(16);
    let _ = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
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
            if lines.send_blocking(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The demonstration in progress.
struct Story {
    perform: Box<dyn FnMut(Step) + Send>,
    director: Director,
    cues: VecDeque<Cue>,
}

struct Program<R: Runtime> {
    name: &'static str,
    options: Options,
    client: Client<R>,
    runtime: R,
    began: Instant,
    reach: Reach,
    /// Calls under way; each ends in a line for stdout, or none.
    work: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    /// The exit status, once it is decided.
    status: Option<u8>,
    ended: bool,
    /// The session could not be kept, and it was said.
    state_failed: bool,
    files: Files,
    story: Option<Story>,
    /// The pause before the next cue.
    cue: Fuse<BoxFuture<'static, ()>>,
}

impl<R: Runtime> Program<R> {
    async fn run(
        mut self,
        mut events: Events,
        commands: Receiver<Result<String, String>>,
        interrupt: BoxFuture<'static, ()>,
        time_limit: BoxFuture<'static, ()>,
    ) -> u8 {
        let (mut interrupt, mut time_limit) = (interrupt.fuse(), time_limit.fuse());
        let mut commands = pin!(commands.fuse());
        while !self.ended {
            // Ended calls come first: all of them end before the session does, and are told before it.
            futures_util::select_biased! {
                line = self.work.select_next_some() => self.print(line),
                event = events.next().fuse() => match event {
                    Some(event) => self.event(&event),
                    None => self.ended = true,
                },
                line = commands.select_next_some() => self.line(line),
                () = &mut self.cue => self.play(),
                () = interrupt => {
                    let mode = if self.options.state.is_some() { Close::Detach } else { Close::Revoke };
                    self.close(mode);
                }
                () = time_limit => {
                    self.status = Some(complain(self.name, "the demonstration took too long", FAILED));
                    self.ended = true;
                }
            }
        }
        self.files.record.write(self.name, self.client.flight_record());
        self.status.unwrap_or(FAILED)
    }

    fn event(&mut self, event: &Event) {
        let line = if self.options.json { json::event(event) } else { human::event(event) };
        self.print(line);
        self.files.on(event);
        if self.files.record.is_wanted() && Record::is_trouble(event) {
            self.files.record.write(self.name, self.client.flight_record());
        }
        if let Some(why) = self.reach.on(event) {
            self.status = Some(complain(self.name, &why, FAILED));
            self.ended = true;
            return;
        }
        match event {
            Event::SnapshotChanged => self.save(),
            Event::SubscriptionFailed { error, retry_at: None, .. } if !self.options.json => {
                self.status = Some(complain(self.name, &format!("{error}; {}", error.remedy()), FAILED));
                self.close(Close::Revoke);
            }
            Event::Closed { reason } => {
                if let (CloseReason::Revoked, Some(file)) = (reason, &self.files.state) {
                    file.forget_login();
                }
                if let CloseReason::Permanent(cause) = reason {
                    let why = format!("{cause}{}", human::advice(cause));
                    self.status = Some(complain(self.name, &why, FAILED));
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
        use futures_util::future::FusedFuture;
        while self.cue.is_terminated() {
            let Some(story) = &mut self.story else { return };
            match story.cues.pop_front() {
                None => return,
                Some(Cue::Tell(text)) if self.options.json => terminal::note(text),
                Some(Cue::Tell(text)) => self.print(Some(format!("\n{text}"))),
                Some(Cue::Do(step)) => (story.perform)(step),
                Some(Cue::Wait(pause)) => self.cue = self.runtime.sleep(pause).fuse(),
                Some(Cue::Close) => self.close(Close::Revoke),
            }
        }
    }

    fn line(&mut self, line: Result<String, String>) {
        let command = match line {
            Ok(line) => json::command(&line),
            Err(why) => Err((None, why)),
        };
        let client = self.client.clone();
        let failed = |error: String| Some(json::error(&error));
        match command {
            Ok(json::Command::Subscribe(filters)) => self.work.push(Box::pin(async move {
                client.subscribe(filters).await.err().and_then(|error| failed(error.to_string()))
            })),
            Ok(json::Command::Unsubscribe) => self.work.push(Box::pin(async move {
                client.unsubscribe().await.err().and_then(|error| failed(error.to_string()))
            })),
            Ok(json::Command::Recover) => self.work.push(Box::pin(async move {
                client.recover().await.err().and_then(|error| failed(error.to_string()))
            })),
            Ok(json::Command::Request { id, request }) => self.work.push(Box::pin(async move {
                let result = client.request(*request).await;
                Some(json::response(&id, &result))
            })),
            Ok(json::Command::Close(mode)) => self.close(mode),
            Err((id, why)) => {
                let line = match id {
                    None => json::error(&why),
                    Some(id) => json::Line::new("response")
                        .with("id", id)
                        .with("outcome", "not_sent")
                        .with("message", why)
                        .end(),
                };
                self.print(Some(line));
            }
        }
    }

    fn close(&self, mode: Close) {
        let client = self.client.clone();
        self.work.push(Box::pin(async move {
            client.close(mode).await;
            None
        }));
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
                terminal::unread(self.name, &error);
            }
            self.status = Some(FAILED);
            self.ended = true;
        }
    }

    fn save(&mut self) {
        let (Some(file), Some(snapshot)) = (&self.files.state, self.client.snapshot()) else { return };
        match file.save(&snapshot) {
            Ok(()) => self.state_failed = false,
            Err(error) if !self.state_failed => {
                self.state_failed = true;
                terminal::complain(self.name, &format!("the session cannot be kept: {error}"));
            }
            Err(_) => {}
        }
    }
}
