//! The handle of a client, and how to make one.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use mio::{Poll, Waker};
use ringcentral_ws_adapter::{ClockTimes, ContentHosts, RequestError, Settings, StartError, event_queue, response};
use ringcentral_ws_core::recorder::FlightRecorder;
use ringcentral_ws_core::{Body, Close, CommandError, Filters, SessionState, Snapshot, Stats, SubscriptionId};

use crate::command::{Answered, Command, Pending, Remote, Signals};
use crate::credentials::CredentialSource;
use crate::download::Download;
use crate::driver::{Driver, Parts, WAKE};
use crate::events::Events;
use crate::https::{Https, HttpsSender};
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
    settings: Settings,
    http_client: Option<Arc<dyn HttpsSender>>,
}

impl Builder {
    /// Begins a client.
    pub fn new(credentials: impl CredentialSource) -> Self {
        Self { credentials: Arc::new(credentials), settings: Settings::default(), http_client: None }
    }

    ringcentral_ws_adapter::settings_methods!(debug: "It is called on the I/O thread and must not block.");

    /// An HTTP client of yours for all HTTPS calls, logins included; the WebSocket stays the driver's. Limits, proxy and
    /// TLS settings are its own, and so is ending its calls when the client ends. Downloads through it are streamed if
    /// it implements [`HttpsSender::stream`].
    pub fn http_client(mut self, client: impl HttpsSender + 'static) -> Self {
        self.http_client = Some(Arc::new(client));
        self
    }

    /// Starts the session's thread and its first connection. It does not wait for either.
    ///
    /// # Errors
    ///
    /// [`StartError`], which says what to change. Nothing runs then.
    pub fn start(self) -> Result<(Client, Events), StartError> {
        let seed = getrandom::u64().map_err(|error| StartError::System(io::Error::other(error)))?;
        let (server, identity) = (self.credentials.server(), self.credentials.identity());
        let made = self.settings.prepare(server, identity, seed, ClockTimes::system)?;
        let (sender, receiver) = event_queue(&made.net.limits, made.snapshot);
        let view = sender.view();
        let (span, states) = (made.tracer.session(), made.states.watch());
        let poll = Poll::new().map_err(StartError::System)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(StartError::System)?);
        let (commands, inbox) = sync_channel(made.net.limits.command_queue);
        let signals = Arc::new(Signals::default());
        let content = Arc::new(made.net.content.clone());
        let https = Arc::new(Https::new(made.net));
        let parts = Parts {
            session: made.session,
            clock: made.clock,
            sender: self.http_client.unwrap_or_else(|| Arc::clone(&https) as Arc<dyn HttpsSender>),
            https,
            credentials: self.credentials,
            events: sender,
            inbox,
            signals: Arc::clone(&signals),
            waker: Arc::clone(&waker),
            poll,
            message: made.message,
            max_calls: made.max_calls,
            close_timeout: made.close_timeout,
            debug: made.debug,
            tracer: made.tracer,
            states: made.states,
        };
        let run = move || span.within(|| Driver::new(parts).run(made.filters));
        let thread = std::thread::Builder::new().name("ringcentral".to_owned()).spawn(run);
        thread.map_err(StartError::System)?;
        let remote = Arc::new(Remote { commands, signals, waker, view, states });
        let client = Client { recorder: made.recorder, remote: Arc::clone(&remote), content };
        Ok((client, Events::new(receiver, remote)))
    }
}
