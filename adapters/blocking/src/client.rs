//! The handle of a client, and how to make one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use mio::{Poll, Waker};
use ringcentral_ws_adapter::{
    CONTENT_HOST, Clock, ClockTimes, ContentHosts, Debug, DebugSink, InsecureServer, IoLimits, MAX_LEFT_CALLS,
    MessageLimits, Proxy, ProxyChoice, ProxyError, Pump, PumpParts, RequestError, StateTeller, TlsError, Tracer,
    event_queue, make_session, response, settle_server, tls_for,
};
use ringcentral_ws_core::recorder::{self, FlightRecorder, Recorded};
use ringcentral_ws_core::{
    Body, Close, CommandError, Config, FilterError, Filters, RestoreError, SessionState, Snapshot, Stats,
    SubscriptionId,
};
use rustls::ClientConfig;

use crate::command::{Answered, Command, Pending, Remote, Signals};
use crate::credentials::CredentialSource;
use crate::dial::Net;
use crate::download::Download;
use crate::driver::Driver;
use crate::events::Events;
use crate::https::{Https, HttpsSender};
use crate::io::{Io, IoParts, WAKE};
use crate::states::StateWatch;

/// A running session. Clones are handles of the same one and may go to other threads.
///
/// A thread of its own owns the session and the socket. It ends after [`Client::close`], after a permanent failure, and
/// at once when the last `Client`, the [`Events`] and every [`Pending`] are dropped.
#[derive(Clone)]
pub struct Client {
    recorder: Option<FlightRecorder>,
    remote: Arc<Remote>,
    content: Arc<ContentHosts>,
}

impl Client {
    /// Begins a client.
    pub fn builder(credentials: impl CredentialSource) -> Builder {
        Builder::new(credentials)
    }

    /// Wants these filters from now on, in place of the ones before (SUB-1).
    ///
    /// # Errors
    ///
    /// [`CommandError`] hands the filters back; nothing has changed.
    pub fn subscribe(&self, filters: Filters) -> Result<SubscriptionId, CommandError<Filters>> {
        let kept = filters.clone();
        let answer = self.remote.ask(|reply| Command::Subscribe(filters, reply));
        answer.unwrap_or(Err(CommandError::Closed(kept)))
    }

    /// Wants no notifications any more (SUB-7).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub fn unsubscribe(&self) -> Result<(), CommandError<()>> {
        self.remote.ask(Command::Unsubscribe).unwrap_or(Err(CommandError::Closed(())))
    }

    /// Tries to connect now, inside the budgets; does nothing on a live connection (REC-7).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub fn recover(&self) -> Result<(), CommandError<()>> {
        self.remote.ask(Command::Recover).unwrap_or(Err(CommandError::Closed(())))
    }

    /// Makes a REST call, over the socket or over HTTPS (REQ-5), and waits for its end. The response has the extension
    /// [`Via`](ringcentral_ws_core::Via), which tells the way; every status is a response.
    ///
    /// It may be made in the loop that takes events: with REST over the socket, notifications that come before the
    /// answer are read and wait in the queue, until `IoLimits::event_bytes` wait. Do not make calls there one after the
    /// other without taking events between them: at that limit reading stops, the answer is not read, and the call ends
    /// with its deadline and may have run. Make such calls in a thread of their own, or over HTTPS.
    ///
    /// The URI is a path such as `/restapi/v1.0/account/~`. Deadline and repetition are set by the request's
    /// extension [`RequestOptions`](ringcentral_ws_core::RequestOptions).
    ///
    /// # Errors
    ///
    /// [`RequestError`], which tells whether the request may have run.
    pub fn request(&self, request: http::Request<Body>) -> Result<http::Response<Body>, RequestError> {
        self.start_request(request).wait()
    }

    /// As [`request`](Self::request), without waiting. Several may be under way.
    pub fn start_request(&self, request: http::Request<Body>) -> Pending {
        Pending::start(&self.remote, request, None)
    }

    /// Makes a REST call over HTTPS, waits for the head of the response, and leaves the body to be read as it comes: for
    /// recordings, faxes and whatever else may be large. The deadline of the request covers its head; each read has
    /// `IoLimits::download_read`.
    ///
    /// The URI is a path, or an absolute address as the server names them (`contentUri`). Such an address, and a
    /// redirect, must belong to the server or to a content host ([`Builder::content_hosts`]), because the access
    /// token goes there. The body of a status that is no success is read at once.
    ///
    /// ```no_run
    /// # use ringcentral_ws_blocking::{Body, Client, http};
    /// # fn save(client: &Client, content_uri: &str) -> Result<(), Box<dyn std::error::Error>> {
    /// let response = client.download(http::Request::get(content_uri).body(Body::empty())?)?;
    /// std::io::copy(&mut response.into_body(), &mut std::fs::File::create("voicemail.mp3")?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`RequestError`], which tells whether the request may have run. Of the body:
    /// [`DownloadError`](crate::DownloadError).
    pub fn download(&self, request: http::Request<Body>) -> Result<http::Response<Download>, RequestError> {
        let (request, streamed) = self.content.streamed(request)?;
        let Answered { answer, body } = Pending::start(&self.remote, request, Some(streamed)).answered()?;
        // What has no body to stream was read at once.
        Ok(response(answer)?.map(|whole| body.unwrap_or_else(|| Download::whole(whole.as_bytes().clone()))))
    }

    /// Ends the session and returns when it has ended, within `Config::close_timeout` (CLS-1). It does not wait for
    /// events to be taken, but for a login under way: the refresh token it brings is still handed over (`on_tokens`).
    /// The first mode given counts.
    pub fn close(&self, mode: Close) {
        let _ = self.remote.ask(|reply| Command::Close(mode, reply));
    }

    /// Tells that the host gained or lost its network, if the application knows: the next try is pulled forward.
    pub fn network_changed(&self, online: bool) {
        let _ = self.remote.send(Command::Network(online));
    }

    /// The session as another process could continue it. It changes when the application takes
    /// `Event::SnapshotChanged`, so it is never ahead of the events taken (PST-4). `None` before the first.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.remote.view.snapshot()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.remote.states.get().session()
    }

    /// The same as a value that can be watched, with the time of the next try.
    #[must_use]
    pub fn states(&self) -> StateWatch {
        StateWatch::new(self.remote.states.clone())
    }

    /// Its counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.remote.view.stats()
    }

    /// What the flight recorder holds, at any time, also after the end; `None` without
    /// [`Builder::flight_recorder`]. `cargo run -p ringcentral-ws-fuzz --bin replay -- FILE` replays and draws it.
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

/// Settings of a client that is to be started.
#[must_use = "nothing happens before start"]
pub struct Builder {
    credentials: Arc<dyn CredentialSource>,
    filters: Vec<String>,
    config: Config,
    limits: IoLimits,
    snapshot: Option<Snapshot>,
    tls: Option<Arc<ClientConfig>>,
    content_hosts: Vec<String>,
    proxy: ProxyChoice,
    http_client: Option<Arc<dyn HttpsSender>>,
    debug: Option<DebugSink>,
    recorder: Option<recorder::Options>,
}

impl Builder {
    /// Begins a client.
    pub fn new(credentials: impl CredentialSource) -> Self {
        Self {
            credentials: Arc::new(credentials),
            filters: Vec::new(),
            config: Config::default(),
            limits: IoLimits::default(),
            snapshot: None,
            tls: None,
            content_hosts: vec![CONTENT_HOST.to_owned()],
            proxy: ProxyChoice::Environment,
            http_client: None,
            debug: None,
            recorder: None,
        }
    }

    /// Subscribes to these event filters as soon as there is a connection. Without any, nothing is subscribed until
    /// [`Client::subscribe`]; a restored session keeps its own.
    pub fn filters<I>(mut self, filters: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.filters.extend(filters.into_iter().map(|filter| filter.as_ref().to_owned()));
        self
    }

    /// Settings of the session. Unless they name another server than production, that of the credentials is used.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Limits of input and output.
    pub fn limits(mut self, limits: IoLimits) -> Self {
        self.limits = limits.usable();
        self
    }

    /// Continues the session of this snapshot (PST-2). It is bound to the server, the app and the user (TOK-10): with the
    /// credentials of another one [`start`](Self::start) refuses it. To go on then, start with
    /// [`Snapshot::lost`] in its place, which makes a gap known.
    ///
    /// The snapshot of an orderly end says that nothing was received since, and a crash would make that a lie. So its
    /// session opens no socket before the application has taken the first
    /// [`SnapshotChanged`](ringcentral_ws_core::Event::SnapshotChanged) and come back for another event: by then it has
    /// written the new snapshot down.
    pub fn restore(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// TLS settings of yours, in place of [`default_tls`](crate::default_tls): made with
    /// [`TlsSettings`](crate::TlsSettings), or by hand. Of the protocols they offer (ALPN) only HTTP/1.1 counts.
    pub fn tls(mut self, tls: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Hosts, each with its subdomains, that downloads may go to beside the server itself, in place of
    /// `ringcentral.com`. The access token is sent to them.
    pub fn content_hosts<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.content_hosts = hosts.into_iter().map(Into::into).collect();
        self
    }

    /// A proxy for HTTPS and the WebSocket, or none, in place of what the environment says
    /// ([`Proxy::from_env`](crate::Proxy::from_env)).
    pub fn proxy(mut self, proxy: Option<Proxy>) -> Self {
        self.proxy = ProxyChoice::Given(proxy);
        self
    }

    /// An HTTP client of yours for all HTTPS calls, logins included; the WebSocket stays the driver's. Limits, proxy and
    /// TLS settings are its own, and so is ending its calls when the client ends. Downloads through it are streamed if
    /// it implements [`HttpsSender::stream`].
    pub fn http_client(mut self, client: impl HttpsSender + 'static) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Hands each message to `sink`, as one line with secrets masked. It is called on the I/O thread and must not
    /// block; if it panics it is not called again. The same lines go to `tracing`, target `ringcentral_ws::frames`,
    /// level trace.
    pub fn debug(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.debug = Some(Arc::new(sink));
        self
    }

    /// Records the session's last inputs and outputs in `bytes` of memory, secrets masked, for
    /// [`Client::flight_record`]: see [`recorder`](ringcentral_ws_core::recorder). 32 kB hold about an hour of a quiet
    /// connection.
    pub fn flight_recorder(mut self, bytes: impl Into<recorder::Options>) -> Self {
        self.recorder = Some(bytes.into());
        self
    }

    /// Starts the session's thread and its first connection. It does not wait for either.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change. Nothing runs then.
    pub fn start(self) -> Result<(Client, Events), StartError> {
        let mut config = self.config;
        let secure = settle_server(&mut config, self.credentials.server()).map_err(|_| StartError::InsecureServer)?;
        config.identity = config.identity.or_else(|| self.credentials.identity());
        let filters = if self.filters.is_empty() { None } else { Some(Filters::new(&self.filters)?) };
        let seed = getrandom::u64().map_err(|error| StartError::System(io::Error::other(error)))?;
        let clock = Clock::new(self.limits.clock_slack, ClockTimes::system);
        let (message, close_timeout) = (MessageLimits::of(&config), config.close_timeout);
        let max_calls = config.limits.active_requests.saturating_add(MAX_LEFT_CALLS);
        let content = ContentHosts {
            server: config.server.clone(),
            hosts: self.content_hosts,
            allow_insecure: config.allow_insecure,
        };
        let proxy = self.proxy.resolve()?;
        let (sender, receiver) = event_queue(&self.limits, self.snapshot.clone());
        let view = sender.view();
        let tracer = Tracer::new(&config.server, self.snapshot.is_some());
        let teller = StateTeller::new();
        let states = teller.watch();
        let span = tracer.session();
        let session = make_session(config, self.snapshot, seed, clock.reading())?;
        let session = Recorded::maybe(session, self.recorder);
        let recorder = session.recorder().cloned();
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(StartError::System)?);
        let (commands, inbox) = sync_channel(self.limits.command_queue);
        let signals = Arc::new(Signals::default());
        let tls = tls_for(self.tls, secure)?;
        let limits = Arc::new(self.limits);
        let https = Arc::new(Https::new(Net { limits: Arc::clone(&limits), tls, proxy }, content.clone()));
        let debug = Debug::new(self.debug);
        let parts = PumpParts { session, clock, events: sender, states: teller, debug, tracer, close_timeout };
        let pump = Pump::new(parts, filters, &limits);
        let parts = IoParts {
            sender: self.http_client.unwrap_or_else(|| Arc::clone(&https) as Arc<dyn HttpsSender>),
            https,
            credentials: self.credentials,
            inbox,
            signals: Arc::clone(&signals),
            waker: Arc::clone(&waker),
            poll,
            message,
            max_calls,
            span: span.clone(),
        };
        let run = move || span.within(|| Driver::new(pump, Io::new(parts)).run());
        let thread = std::thread::Builder::new().name("ringcentral".to_owned()).spawn(run);
        thread.map_err(StartError::System)?;
        let remote = Arc::new(Remote { commands, signals, waker, view, states });
        let client = Client { recorder, remote: Arc::clone(&remote), content: Arc::new(content) };
        Ok((client, Events::new(receiver, remote)))
    }
}

/// Why a client was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// A filter cannot be one.
    Filter(FilterError),
    /// The snapshot cannot be used; start without it.
    Snapshot(RestoreError),
    /// The proxy that the environment names cannot be used.
    Proxy(ProxyError),
    /// There are no TLS settings.
    Tls(TlsError),
    /// The server has no TLS and is not this machine.
    InsecureServer,
    /// The system gave no random seed, no poller or no thread.
    System(io::Error),
}

impl From<FilterError> for StartError {
    fn from(error: FilterError) -> Self {
        Self::Filter(error)
    }
}

impl From<ProxyError> for StartError {
    fn from(error: ProxyError) -> Self {
        Self::Proxy(error)
    }
}

impl From<TlsError> for StartError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

impl From<RestoreError> for StartError {
    fn from(error: RestoreError) -> Self {
        Self::Snapshot(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(error) => error.fmt(f),
            Self::Snapshot(error) => error.fmt(f),
            Self::Proxy(error) => write!(f, "{error}; see HTTPS_PROXY and ALL_PROXY"),
            Self::Tls(error) => error.fmt(f),
            Self::InsecureServer => InsecureServer.fmt(f),
            Self::System(error) => write!(f, "the system refused what a client needs: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
