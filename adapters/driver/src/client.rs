//! The handle of a client, and how to make one.

mod closing;
mod health;
mod requests;
mod subscriptions;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_adapter::FlightRecorder;
use ringcentral_ws_adapter::{
    ContentHosts, Given, Pump, RetryAfter, SessionView, Settings, StartError, Watcher, Work, channel,
};
use ringcentral_ws_api::EnvError;
use ringcentral_ws_core::{Close, CommandError, Filters, SessionState, Snapshot, Stats, SubscriptionId};

use crate::command::{Cancels, Command, Commands, send};
use crate::credentials::{CredentialSource, Jwt};
use crate::driver::Driver;
use crate::events::Events;
use crate::https::{Https, HttpsSender, Lifetime};
use crate::io::{Io, IoParts};
use crate::runtime::{Runtime, Tasks};
use crate::states::StateWatch;

/// A handle of a running session. Clones are handles of the same session.
///
/// A task owns the session and the socket. It ends after [`Client::close`] and after a permanent failure. When the last
/// `Client` and the [`Events`] are dropped it ends at once. All futures are cancel-safe. Dropping the future of a
/// request cancels the request.
pub struct Client<R> {
    recorder: Option<FlightRecorder>,
    view: SessionView,
    states: Watcher,
    pub(crate) commands: Commands,
    pub(crate) cancels: Arc<Cancels>,
    content: Arc<ContentHosts>,
    tasks: Arc<dyn Tasks>,
    work: Arc<Work>,
    close_timeout: Duration,
    fills_gaps: bool,
    given: Arc<Given>,
    retry: Option<RetryAfter>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime + Default> Client<R> {
    /// Begins a client on the runtime that is running here.
    pub fn builder(credentials: impl CredentialSource) -> Builder<R> {
        Builder::new(R::default(), credentials)
    }

    /// Begins a client on the runtime that is running here, with the login by JWT that the environment holds:
    /// [`Jwt::from_env`] names the variables.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the variables that are missing or wrong.
    pub fn from_env() -> Result<Builder<R>, EnvError> {
        Ok(Self::builder(Jwt::from_env()?))
    }

    /// The same with the login that these pairs of name and value hold: `Client::from_vars(server.env())` makes a client
    /// of a stand-in server.
    ///
    /// # Errors
    ///
    /// [`EnvError`] names the variables that are missing or wrong.
    pub fn from_vars<K, V>(vars: impl IntoIterator<Item = (K, V)>) -> Result<Builder<R>, EnvError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        Ok(Self::builder(Jwt::from_pairs(vars)?))
    }
}

impl<R> Client<R> {
    /// Subscribes to these event filters, in place of those before ([SUB-1](ringcentral_ws_core::protocol#sub-1)). The
    /// server's answer comes as an event, [`Subscribed`](ringcentral_ws_core::Event::Subscribed) or
    /// [`SubscriptionFailed`](ringcentral_ws_core::Event::SubscriptionFailed), with the id that this call returns.
    ///
    /// # Errors
    ///
    /// [`CommandError`] hands the filters back; nothing has changed.
    pub async fn subscribe(&self, filters: Filters) -> Result<SubscriptionId, CommandError<Filters>> {
        let kept = filters.clone();
        let answer = self.ask(|reply| Command::Subscribe(filters, reply)).await;
        answer.unwrap_or(Err(CommandError::Closed(kept)))
    }

    /// Removes the subscription ([SUB-7](ringcentral_ws_core::protocol#sub-7)).
    /// [`Event::Unsubscribed`](ringcentral_ws_core::Event::Unsubscribed) follows. If there are
    /// [listeners](Self::listen), it is narrowed to their filters instead.
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub async fn unsubscribe(&self) -> Result<(), CommandError<()>> {
        self.ask(Command::Unsubscribe).await.unwrap_or(Err(CommandError::Closed(())))
    }

    /// Connects now instead of after the wait, as far as the budgets of attempts and calls allow. Does nothing while
    /// there is a connection ([REC-7](ringcentral_ws_core::protocol#rec-7)).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub async fn recover(&self) -> Result<(), CommandError<()>> {
        self.ask(Command::Recover).await.unwrap_or(Err(CommandError::Closed(())))
    }

    /// Ends the session at once, and returns when it has ended, at most after `Config::close_timeout`
    /// ([CLS-1](ringcentral_ws_core::protocol#cls-1)). Events need not be taken meanwhile. If a login is under way it
    /// waits for its end, so that `on_tokens` gets the new refresh token. If it is called twice, the first mode counts.
    ///
    /// Calls under way are broken off. [`close_when_idle`](Self::close_when_idle) lets them end before.
    pub async fn close(&self, mode: Close) {
        self.work.close();
        let _ = self.ask(|reply| Command::Close(mode, reply)).await;
    }

    /// Reports that the machine gained or lost its network, for applications that know. With a network the next attempt
    /// begins sooner ([BCK-4](ringcentral_ws_core::protocol#bck-4)).
    pub async fn network_changed(&self, online: bool) {
        let _ = send(&self.commands, Command::Network(online)).await;
    }

    /// The snapshot with which another process, or the next run, can continue the session; `None` before the first one.
    /// It changes when the application takes `Event::SnapshotChanged`, so it never covers an event that the application
    /// has not seen ([PST-4](ringcentral_ws_core::protocol#pst-4)). With listeners that event comes when they have dealt
    /// with what the snapshot covers. With [`Builder::acknowledge`] it covers what was acknowledged, and changes with that
    /// ([PST-6](ringcentral_ws_core::protocol#pst-6)).
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.view.snapshot()
    }

    /// The state of the session. Its times are those of the client's own clock: for the time of the next attempt read
    /// [`ConnectionState::next_try`](crate::ConnectionState::next_try) of [`states`](Self::states).
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.states.get().session()
    }

    /// Watches the state of the session and its subscription, and the time of the next attempt.
    #[must_use]
    pub fn states(&self) -> StateWatch {
        StateWatch(self.states.clone())
    }

    /// The counters of the session.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.view.stats()
    }

    /// The recording of the last inputs and outputs, with secrets masked, also after the end of the session. `None`
    /// without [`Builder::flight_recorder`]. `cargo run -p ringcentral-ws-fuzz --bin replay -- FILE` replays and draws
    /// it.
    #[must_use]
    pub fn flight_record(&self) -> Option<String> {
        self.recorder.as_ref().map(FlightRecorder::dump)
    }

    pub(crate) async fn ask<T>(&self, command: impl FnOnce(async_channel::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = async_channel::bounded(1);
        send(&self.commands, command(reply)).await.ok()?;
        answer.recv().await.ok()
    }
}

impl<R> Clone for Client<R> {
    fn clone(&self) -> Self {
        Self {
            recorder: self.recorder.clone(),
            view: self.view.clone(),
            states: self.states.clone(),
            commands: self.commands.clone(),
            cancels: Arc::clone(&self.cancels),
            content: Arc::clone(&self.content),
            tasks: Arc::clone(&self.tasks),
            work: Arc::clone(&self.work),
            close_timeout: self.close_timeout,
            fills_gaps: self.fills_gaps,
            given: Arc::clone(&self.given),
            retry: self.retry,
            runtime: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Wakes the driver when the caller stops waiting.
struct CancelOnDrop<'a>(Option<&'a Cancels>);

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(cancels) = self.0 {
            cancels.set();
        }
    }
}

/// The settings of a client before it starts.
#[must_use = "nothing happens before start"]
pub struct Builder<R> {
    runtime: R,
    credentials: Arc<dyn CredentialSource>,
    settings: Settings,
    http_client: Option<Arc<dyn HttpsSender>>,
}

impl<R: Runtime> Builder<R> {
    /// Begins a client on `runtime`.
    pub fn new(runtime: R, credentials: impl CredentialSource) -> Self {
        Self { runtime, credentials: Arc::new(credentials), settings: Settings::default(), http_client: None }
    }

    ringcentral_ws_adapter::settings_methods!(debug: "It is called from the driver's task and must not block.");

    /// Uses another HTTP client for all HTTPS calls, logins included. The WebSocket is not affected. Limits, proxy
    /// and TLS settings are its own. Downloads through it are streamed if it implements [`HttpsSender::stream`].
    pub fn http_client(mut self, client: impl HttpsSender + 'static) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Starts the task of the session, and its first connection. It waits for neither.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change. Nothing runs then.
    pub fn start(self) -> Result<(Client<R>, Events), StartError> {
        let seed = self.runtime.seed().map_err(StartError::System)?;
        let runtime = self.runtime.clone();
        let (server, identity) = (self.credentials.server(), self.credentials.identity());
        let made = self.settings.prepare(server, identity, seed, move || runtime.clocks())?;
        let (commands, inbox) = channel(made.net.limits.command_queue);
        let cancels = Arc::<Cancels>::default();
        let content = Arc::clone(&made.net.content);
        let (work, close_timeout) = (Arc::<Work>::default(), made.pump.close_timeout);
        let fills_gaps = made.pump.filler.is_some();
        let mut https = Https::new(self.runtime.clone(), made.net);
        https.client = Some(Lifetime::default());
        let io = Io::new(IoParts {
            https: Arc::new(https),
            sender: self.http_client,
            credentials: self.credentials,
            message: made.message,
            commands: inbox,
            cancels: Arc::clone(&cancels),
        });
        let task = made.span.around(Driver::new(Pump::new(made.pump), io));
        self.runtime.spawn(Box::pin(task)).map_err(StartError::NoRuntime)?;
        let events = Events::new(made.events, Arc::clone(&work), commands.clone());
        let client = Client {
            recorder: made.recorder,
            view: made.view,
            states: made.states,
            commands,
            cancels,
            content,
            tasks: Arc::new(self.runtime),
            work,
            close_timeout,
            fills_gaps,
            given: Arc::default(),
            retry: None,
            runtime: PhantomData,
        };
        Ok((client, events))
    }
}
