//! The handle of a client, and how to make one.

mod health;
mod requests;
mod subscriptions;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Poll, Waker};
use ringcentral_ws_adapter::FlightRecorder;
use ringcentral_ws_adapter::{ClockTimes, ContentHosts, Given, Pump, RetryAfter, Settings, StartError, Work, channel};
use ringcentral_ws_api::EnvError;
use ringcentral_ws_core::{Close, CommandError, Filters, SessionState, Snapshot, Stats, SubscriptionId};

use crate::command::{Command, Remote, Signals};
use crate::credentials::{CredentialSource, Jwt};
use crate::driver::Driver;
use crate::events::Events;
use crate::https::{Https, HttpsSender};
use crate::io::{Io, IoParts, WAKE};
use crate::states::StateWatch;

/// A handle of a running session. Clones are handles of the same session, and may go to other threads.
///
/// A thread owns the session and the socket. It ends after [`Client::close`] and after a permanent failure. When the
/// last `Client`, the [`Events`] and every [`Pending`](crate::Pending) are dropped it ends at once.
#[derive(Clone)]
pub struct Client {
    recorder: Option<FlightRecorder>,
    pub(crate) remote: Arc<Remote>,
    content: Arc<ContentHosts>,
    close_timeout: Duration,
    fills_gaps: bool,
    given: Arc<Given>,
    retry: Option<RetryAfter>,
}

impl Client {
    /// Begins a client.
    pub fn builder(credentials: impl CredentialSource) -> Builder {
        Builder::new(credentials)
    }

    /// Begins a client with the login by JWT that the environment holds: [`Jwt::from_env`] names the variables.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the variables that are missing or wrong.
    pub fn from_env() -> Result<Builder, EnvError> {
        Ok(Self::builder(Jwt::from_env()?))
    }

    /// The same with the login that these pairs of name and value hold: `Client::from_vars(server.env())` makes a client
    /// of a stand-in server.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the variables that are missing or wrong.
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Builder, EnvError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        Ok(Self::builder(Jwt::from_pairs(vars)?))
    }

    /// Subscribes to these event filters, in place of those before ([SUB-1](ringcentral_ws_core::protocol#sub-1)). The
    /// server's answer comes as an event, [`Subscribed`](ringcentral_ws_core::Event::Subscribed) or
    /// [`SubscriptionFailed`](ringcentral_ws_core::Event::SubscriptionFailed), with the id that this call returns.
    ///
    /// # Errors
    ///
    /// [`CommandError`] hands the filters back; nothing has changed.
    pub fn subscribe(&self, filters: Filters) -> Result<SubscriptionId, CommandError<Filters>> {
        let kept = filters.clone();
        let answer = self.remote.ask(|reply| Command::Subscribe(filters, reply));
        answer.unwrap_or(Err(CommandError::Closed(kept)))
    }

    /// Removes the subscription ([SUB-7](ringcentral_ws_core::protocol#sub-7)).
    /// [`Event::Unsubscribed`](ringcentral_ws_core::Event::Unsubscribed) follows. If there are
    /// [listeners](Self::listen), it is narrowed to their filters instead.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub fn unsubscribe(&self) -> Result<(), CommandError<()>> {
        self.remote.ask(Command::Unsubscribe).unwrap_or(Err(CommandError::Closed(())))
    }

    /// Connects now instead of after the wait, as far as the budgets of attempts and calls allow. Does nothing while
    /// there is a connection ([REC-7](ringcentral_ws_core::protocol#rec-7)).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub fn recover(&self) -> Result<(), CommandError<()>> {
        self.remote.ask(Command::Recover).unwrap_or(Err(CommandError::Closed(())))
    }

    /// Ends the session at once, and returns when it has ended, at most after `Config::close_timeout`
    /// ([CLS-1](ringcentral_ws_core::protocol#cls-1)). Events need not be taken meanwhile. If a login is under way it
    /// waits for its end, so that `on_tokens` gets the new refresh token. If it is called twice, the first mode counts.
    ///
    /// Calls under way are broken off. [`close_when_idle`](Self::close_when_idle) lets them end before.
    pub fn close(&self, mode: Close) {
        self.remote.work.close();
        let _ = self.remote.ask(|reply| Command::Close(mode, reply));
    }

    /// Ends the session as [`close`](Self::close) does, but lets the program finish first what it is at: it has taken the
    /// events that are there and waits for the next one, and no call of a handle is under way. Waits of
    /// [`retry_after`](Self::retry_after) end with [`RequestErrorKind::Closing`](crate::RequestErrorKind::Closing).
    ///
    /// It waits for that at most as long as `Config::close_timeout` (5 s), and then closes, which takes as long again at
    /// most; what is still under way then is broken off, and its error says whether it may have run. What a program does
    /// with the events of [listeners](Self::listen), and with events that it has handed to other threads, counts only
    /// while it makes calls.
    ///
    /// Call it on another thread than the one that takes events, or it waits for itself: for Ctrl-C with the crate
    /// `ctrlc`, whose handler has a thread of its own.
    ///
    /// ```no_run
    /// # use ringcentral_ws_blocking::{Client, Close};
    /// # fn set_handler(_: impl FnMut() + Send + 'static) {} // `ctrlc::set_handler`
    /// # fn run(client: &Client) {
    /// let handle = client.clone();
    /// set_handler(move || handle.close_when_idle(Close::Detach));
    /// # }
    /// ```
    pub fn close_when_idle(&self, mode: Close) {
        self.remote.work.close();
        self.remote.work.wait_idle(Instant::now().checked_add(self.close_timeout));
        self.close(mode);
    }

    /// Reports that the machine gained or lost its network, for applications that know. With a network the next attempt
    /// begins sooner ([BCK-4](ringcentral_ws_core::protocol#bck-4)).
    pub fn network_changed(&self, online: bool) {
        let _ = self.remote.send(Command::Network(online));
    }

    /// The snapshot with which another process, or the next run, can continue the session; `None` before the first one.
    /// It changes when the application takes `Event::SnapshotChanged`, so it never covers an event that the application
    /// has not seen ([PST-4](ringcentral_ws_core::protocol#pst-4)). With listeners that event comes when they have dealt
    /// with what the snapshot covers. With [`Builder::acknowledge`] it covers what was acknowledged, and changes with that
    /// ([PST-6](ringcentral_ws_core::protocol#pst-6)).
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.remote.view.snapshot()
    }

    /// The state of the session. Its times are those of the client's own clock: for the time of the next attempt read
    /// [`ConnectionState::next_try`](crate::ConnectionState::next_try) of [`states`](Self::states).
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.remote.states.get().session()
    }

    /// Watches the state of the session and its subscription, and the time of the next attempt.
    #[must_use]
    pub fn states(&self) -> StateWatch {
        StateWatch::new(self.remote.states.clone())
    }

    /// The counters of the session.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.remote.view.stats()
    }

    /// The recording of the last inputs and outputs, with secrets masked, also after the end of the session. `None`
    /// without [`Builder::flight_recorder`]. `cargo run -p ringcentral-ws-fuzz --bin replay -- FILE` replays and draws
    /// it.
    #[must_use]
    pub fn flight_record(&self) -> Option<String> {
        self.recorder.as_ref().map(FlightRecorder::dump)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// The settings of a client before it starts.
#[must_use = "nothing happens before start"]
pub struct Builder {
    credentials: Arc<dyn CredentialSource>,
    settings: Settings,
    http_client: Option<Arc<dyn HttpsSender>>,
}

impl Builder {
    /// Begins a client.
    pub fn new(credentials: impl CredentialSource) -> Self {
        Self { credentials: Arc::new(credentials), settings: Settings::default(), http_client: None }
    }

    ringcentral_ws_adapter::settings_methods!(debug: "It is called on the I/O thread and must not block.");

    /// Uses another HTTP client for all HTTPS calls, logins included. The WebSocket is not affected. Limits, proxy
    /// and TLS settings are its own, and it has to end its calls itself when the client ends. Downloads through it are
    /// streamed if it implements [`HttpsSender::stream`].
    pub fn http_client(mut self, client: impl HttpsSender + 'static) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Starts the thread of the session, and its first connection. It waits for neither.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change. Nothing runs then.
    pub fn start(self) -> Result<(Client, Events), StartError> {
        let seed = getrandom::u64().map_err(|error| StartError::System(io::Error::other(error)))?;
        let (server, identity) = (self.credentials.server(), self.credentials.identity());
        let made = self.settings.prepare(server, identity, seed, ClockTimes::system)?;
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(StartError::System)?);
        let (commands, inbox) = channel(made.net.limits.command_queue);
        let signals = Arc::new(Signals::default());
        let content = Arc::clone(&made.net.content);
        let https = Arc::new(Https::new(made.net));
        let (work, close_timeout) = (Arc::<Work>::default(), made.pump.close_timeout);
        let fills_gaps = made.pump.filler.is_some();
        let parts = IoParts {
            sender: self.http_client.unwrap_or_else(|| Arc::clone(&https) as Arc<dyn HttpsSender>),
            https,
            credentials: self.credentials,
            inbox,
            signals: Arc::clone(&signals),
            waker: Arc::clone(&waker),
            poll,
            message: made.message,
            max_calls: made.max_calls,
            span: made.span.clone(),
        };
        let run = move || made.span.within(|| Driver::new(Pump::new(made.pump), Io::new(parts)).run());
        let thread = std::thread::Builder::new().name("ringcentral".to_owned()).spawn(run);
        thread.map_err(StartError::System)?;
        let remote = Arc::new(Remote { commands, signals, waker, view: made.view, states: made.states, work });
        let client = Client {
            recorder: made.recorder,
            remote: Arc::clone(&remote),
            content,
            close_timeout,
            fills_gaps,
            given: Arc::default(),
            retry: None,
        };
        Ok((client, Events::new(made.events, remote)))
    }
}
