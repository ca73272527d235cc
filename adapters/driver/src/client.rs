//! The handle of a client, and how to make one.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_channel::Sender;
use ringcentral_ws_adapter::{
    ContentHosts, RequestError, SessionView, Settings, StartError, Streamed, Watcher, event_queue, response,
};
use ringcentral_ws_core::recorder::FlightRecorder;
use ringcentral_ws_core::{Body, Cause, Close, CommandError, Filters, SessionState, Snapshot, Stats, SubscriptionId};

use crate::command::{Answered, Command};
use crate::credentials::CredentialSource;
use crate::download::Download;
use crate::driver::{Driver, Parts};
use crate::events::Events;
use crate::https::{Https, HttpsSender};
use crate::runtime::Runtime;
use crate::states::StateWatch;

/// A running session. Clones are handles of the same one.
///
/// A task of its own owns the session and the socket. It ends after [`Client::close`], after a permanent failure, and
/// at once when the last `Client` and the [`Events`] are dropped. All futures may be dropped at any time; a dropped
/// request is cancelled.
pub struct Client<R> {
    recorder: Option<FlightRecorder>,
    view: SessionView,
    states: Watcher,
    commands: Sender<Command>,
    cancels: Sender<u64>,
    tickets: Arc<AtomicU64>,
    content: Arc<ContentHosts>,
    runtime: PhantomData<fn() -> R>,
}

impl<R: Runtime + Default> Client<R> {
    /// Begins a client on the runtime that is running here.
    pub fn builder(credentials: impl CredentialSource) -> Builder<R> {
        Builder::new(R::default(), credentials)
    }
}

impl<R> Client<R> {
    /// Wants these filters from now on, in place of the ones before (SUB-1).
    ///
    /// # Errors
    ///
    /// [`CommandError`] hands the filters back; nothing has changed.
    pub async fn subscribe(&self, filters: Filters) -> Result<SubscriptionId, CommandError<Filters>> {
        let kept = filters.clone();
        let answer = self.ask(|reply| Command::Subscribe(filters, reply)).await;
        answer.unwrap_or(Err(CommandError::Closed(kept)))
    }

    /// Wants no notifications any more (SUB-7).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub async fn unsubscribe(&self) -> Result<(), CommandError<()>> {
        self.ask(Command::Unsubscribe).await.unwrap_or(Err(CommandError::Closed(())))
    }

    /// Tries to connect now, inside the budgets; does nothing on a live connection (REC-7).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub async fn recover(&self) -> Result<(), CommandError<()>> {
        self.ask(Command::Recover).await.unwrap_or(Err(CommandError::Closed(())))
    }

    /// Makes a REST call, over the socket or over HTTPS (REQ-5). The response has the extension
    /// [`Via`](ringcentral_ws_core::Via), which tells the way; every status is a response. Dropping the future
    /// cancels the call.
    ///
    /// It may be awaited in the loop that takes events: with REST over the socket, notifications that come before the
    /// answer are read and wait in the queue, until `IoLimits::event_bytes` wait. Do not await calls there one after the
    /// other without taking events between them: at that limit reading stops, the answer is not read, and the call ends
    /// with its deadline and may have run. Make such calls in a task of their own, or over HTTPS.
    ///
    /// The URI is a path such as `/restapi/v1.0/account/~`. Deadline and repetition are set by the request's
    /// extension [`RequestOptions`](ringcentral_ws_core::RequestOptions).
    ///
    /// # Errors
    ///
    /// [`RequestError`], which tells whether the request may have run.
    pub async fn request(&self, request: http::Request<Body>) -> Result<http::Response<Body>, RequestError> {
        response(self.call(request, None).await?.answer)
    }

    async fn call(&self, request: http::Request<Body>, streamed: Option<Streamed>) -> Result<Answered, RequestError> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        // Made first, so dropped last: by then the reply's end is gone, and a request not yet taken is never sent.
        let mut guard = CancelOnDrop { ticket, cancels: Some(&self.cancels) };
        let (reply, answer) = async_channel::bounded(1);
        let command = Command::Request { request: Box::new(request), streamed: streamed.map(Box::new), ticket, reply };
        if let Err(refused) = self.commands.send(command).await {
            guard.cancels = None;
            let Command::Request { request, .. } = refused.into_inner() else {
                return Err(RequestError::NotSent(Cause::Closed));
            };
            return Err(RequestError::Refused(Box::new(CommandError::Closed(*request))));
        }
        let answer = answer.recv().await;
        guard.cancels = None;
        answer.map_err(|_| RequestError::Unknown(Cause::Closed))
    }

    /// Makes a REST call over HTTPS and leaves the body to be read as it comes: for recordings, faxes and whatever
    /// else may be large. The deadline of the request covers its head; each read has `IoLimits::download_read`.
    ///
    /// The URI is a path, or an absolute address as the server names them (`contentUri`). Such an address, and a
    /// redirect, must belong to the server or to a content host ([`Builder::content_hosts`]), because the access
    /// token goes there. The body of a status that is no success is read at once.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which tells whether the request may have run. Of the body:
    /// [`DownloadError`](crate::DownloadError).
    pub async fn download(&self, request: http::Request<Body>) -> Result<http::Response<Download>, RequestError> {
        let (request, streamed) = self.content.streamed(request)?;
        let Answered { answer, body } = self.call(request, Some(streamed)).await?;
        // What has no body to stream was read at once.
        Ok(response(answer)?.map(|whole| body.unwrap_or_else(|| Download::whole(whole.as_bytes().clone()))))
    }

    /// Ends the session and returns when it has ended, within `Config::close_timeout` (CLS-1). It does not wait for
    /// events to be taken, but for a login under way: the refresh token it brings is still handed over (`on_tokens`).
    /// The first mode given counts.
    pub async fn close(&self, mode: Close) {
        let _ = self.ask(|reply| Command::Close(mode, reply)).await;
    }

    /// Tells that the host gained or lost its network, if the application knows: the next try is pulled forward.
    pub async fn network_changed(&self, online: bool) {
        let _ = self.commands.send(Command::Network(online)).await;
    }

    /// The session as another process could continue it. It changes when the application takes
    /// `Event::SnapshotChanged`, so it is never ahead of the events taken (PST-4). `None` before the first.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.view.snapshot()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.states.get().session()
    }

    /// The same as a value that can be watched, with the time of the next try.
    #[must_use]
    pub fn states(&self) -> StateWatch {
        StateWatch(self.states.clone())
    }

    /// Its counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.view.stats()
    }

    /// What the flight recorder holds, at any time, also after the end; `None` without
    /// [`Builder::flight_recorder`]. `cargo run -p ringcentral-ws-fuzz --bin replay -- FILE` replays and draws it.
    #[must_use]
    pub fn flight_record(&self) -> Option<String> {
        self.recorder.as_ref().map(FlightRecorder::dump)
    }

    async fn ask<T>(&self, command: impl FnOnce(Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = async_channel::bounded(1);
        self.commands.send(command(reply)).await.ok()?;
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
            cancels: self.cancels.clone(),
            tickets: Arc::clone(&self.tickets),
            content: Arc::clone(&self.content),
            runtime: PhantomData,
        }
    }
}

impl<R> fmt::Debug for Client<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// Tells the driver when the caller stops waiting.
struct CancelOnDrop<'a> {
    ticket: u64,
    cancels: Option<&'a Sender<u64>>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(cancels) = self.cancels {
            let _ = cancels.try_send(self.ticket);
        }
    }
}

/// Settings of a client that is to be started.
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

    /// An HTTP client of yours for all HTTPS calls, logins included; the WebSocket stays the driver's. Limits, proxy and
    /// TLS settings are its own. Downloads through it are streamed if it implements [`HttpsSender::stream`].
    pub fn http_client(mut self, client: impl HttpsSender + 'static) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Starts the session's task and its first connection. It does not wait for either.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change. Nothing runs then.
    pub fn start(self) -> Result<(Client<R>, Events), StartError> {
        let seed = self.runtime.seed().map_err(StartError::System)?;
        let runtime = self.runtime.clone();
        let (server, identity) = (self.credentials.server(), self.credentials.identity());
        let made = self.settings.prepare(server, identity, seed, move || runtime.clocks())?;
        let (sender, receiver) = event_queue(&made.net.limits, made.snapshot);
        let view = sender.view();
        let (commands, inbox) = async_channel::bounded(made.net.limits.command_queue);
        let (cancels, cancelled) = async_channel::unbounded();
        let events = Events::new(receiver, commands.clone());
        let content = Arc::new(made.net.content.clone());
        let mut https = Https::new(self.runtime.clone(), made.net);
        let (alive, client) = async_channel::bounded(1);
        https.client = Some(client);
        let parts = Parts {
            session: made.session,
            clock: made.clock,
            https: Arc::new(https),
            alive,
            sender: self.http_client,
            credentials: self.credentials,
            commands: inbox,
            cancels: cancelled,
            events: sender,
            message: made.message,
            close_timeout: made.close_timeout,
            debug: made.debug,
            tracer: made.tracer,
            states: made.states,
        };
        let (span, states) = (parts.tracer.session(), parts.states.watch());
        let task = span.around(Driver::new(parts).run(made.filters));
        self.runtime.spawn(Box::pin(task)).map_err(StartError::NoRuntime)?;
        let client = Client {
            recorder: made.recorder,
            view,
            states,
            commands,
            cancels,
            tickets: Arc::default(),
            content,
            runtime: PhantomData,
        };
        Ok((client, events))
    }
}
