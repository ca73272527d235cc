//! The handle of a client, and how to make one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use mio::{Poll, Waker};
use ringcentral_ws_adapter::{Clock, ClockTimes, Debug, DebugSink, IoLimits, RequestError, default_tls, is_loopback};
use ringcentral_ws_core::{
    Body, Close, CommandError, Config, FilterError, Filters, RestoreError, Session, SessionState, Snapshot, Stats,
    SubscriptionId,
};
use rustls::ClientConfig;

use crate::command::{Command, Pending, Remote, Signals};
use crate::credentials::CredentialSource;
use crate::dial::Net;
use crate::driver::{Driver, Parts, WAKE};
use crate::events::{Events, Hub};
use crate::https::{Https, HttpsSender};

/// A running session. Clones are handles of the same one and may go to other threads.
///
/// A thread of its own owns the session and the socket. It ends after [`Client::close`], after a permanent failure, and
/// at once when the last `Client`, the [`Events`] and every [`Pending`] are dropped.
#[derive(Clone)]
pub struct Client {
    remote: Arc<Remote>,
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
        Pending::start(&self.remote, request)
    }

    /// Ends the session and returns when it has ended, within `Config::close_timeout` (CLS-1). It does not wait for
    /// events to be taken. The first mode given counts.
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
        self.remote.hub.snapshot()
    }

    /// Where the session stands.
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.remote.hub.status().0
    }

    /// Its counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.remote.hub.status().1
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
    http_client: Option<Arc<dyn HttpsSender>>,
    debug: Option<DebugSink>,
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
            http_client: None,
            debug: None,
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
        self.limits = limits;
        self
    }

    /// Continues the session of this snapshot (PST-2).
    pub fn restore(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// TLS settings of yours, in place of [`default_tls`].
    pub fn tls(mut self, tls: Arc<ClientConfig>) -> Self {
        self.tls = Some(tls);
        self
    }

    /// An HTTP client of yours for all HTTPS calls, logins included; the WebSocket stays the driver's. Limits, proxy and
    /// TLS settings are its own, and so is ending its calls when the client ends.
    pub fn http_client(mut self, client: impl HttpsSender + 'static) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Hands each message to `sink`, as one line with secrets masked. It is called on the I/O thread and must not
    /// block.
    pub fn debug(mut self, sink: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.debug = Some(Arc::new(sink));
        self
    }

    /// Starts the session's thread and its first connection. It does not wait for either.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change. Nothing runs then.
    pub fn start(self) -> Result<(Client, Events), StartError> {
        let mut config = self.config;
        if let Some(server) = self.credentials.server().filter(|_| config.server == Config::default().server) {
            config.server = server.clone();
        }
        if config.server.scheme() != "https" && !config.allow_insecure && !is_loopback(&config.server) {
            return Err(StartError::InsecureServer);
        }
        let filters = if self.filters.is_empty() { None } else { Some(Filters::new(&self.filters)?) };
        let seed = getrandom::u64().map_err(|error| StartError::System(io::Error::other(error)))?;
        let clock = Clock::new(self.limits.clock_slack, ClockTimes::system);
        let (allow_insecure, max_message) = (config.allow_insecure, config.limits.frame_bytes);
        let hub = Arc::new(Hub::new(self.limits.event_queue, self.snapshot.clone()));
        let session = match self.snapshot {
            Some(snapshot) => Session::restore(config, snapshot, seed, clock.reading())?,
            None => Session::new(config, seed, clock.reading()),
        };
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(StartError::System)?);
        let (commands, inbox) = sync_channel(self.limits.command_queue.max(1));
        let signals = Arc::new(Signals::default());
        let tls = self.tls.unwrap_or_else(default_tls);
        let net = Net { limits: Arc::new(self.limits), tls, allow_insecure };
        let https = Arc::new(Https::new(net));
        let parts = Parts {
            session,
            clock,
            sender: self.http_client.unwrap_or_else(|| Arc::clone(&https) as Arc<dyn HttpsSender>),
            https,
            credentials: self.credentials,
            hub: Arc::clone(&hub),
            inbox,
            signals: Arc::clone(&signals),
            waker: Arc::clone(&waker),
            poll,
            max_message,
            debug: Debug::new(self.debug),
        };
        let run = move || Driver::new(parts).run(filters);
        let thread = std::thread::Builder::new().name("ringcentral".to_owned()).spawn(run);
        thread.map_err(StartError::System)?;
        let remote = Arc::new(Remote { commands, signals, waker, hub });
        Ok((Client { remote: Arc::clone(&remote) }, Events::new(remote)))
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
            Self::InsecureServer => f.write_str(
                "the server's address is not https, so credentials would travel in the clear: use https, a loopback \
                 address, or set `allow_insecure`",
            ),
            Self::System(error) => write!(f, "the system refused what a client needs: {error}"),
        }
    }
}

impl std::error::Error for StartError {}
