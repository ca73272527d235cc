//! The one thread that owns a Session and its socket.

mod finish;
mod help;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Wake;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use mio::{Poll, Token, Waker};
use ringcentral_ws_adapter::Recorded;
use ringcentral_ws_adapter::{
    Clock, Debug, EventSender, MAX_LOGINS, MessageLimits, Pressure, StateTeller, Streamed, Tracer, not_opened,
    source_is_silent,
};
use ringcentral_ws_core::{
    AccessToken, Action, AuthFailure, AuthId, CloseInfo, ConnId, Event, Filters, Frame, HttpFailure, HttpId, Input,
    OpenFailure, Output, Phase, Purpose, RequestId, Timestamp, Wait,
};

use self::help::no_thread_for_login;
use self::turn::Turn;
use crate::abort::{Abort, WeakAbort};
use crate::command::{Answered, Command, Reply, Signals};
use crate::credentials::{CredentialSource, TokenRequest, ask};
use crate::download::Download;
use crate::https::{Https, HttpsSender, abortable};
use crate::socket::{Incoming, Socket, WebSocket};

/// The poller's name for a wake-up.
pub(crate) const WAKE: Token = Token(0);
/// The poller's name for the socket.
const SOCKET: Token = Token(1);

/// What a driver is made of.
pub(crate) struct Parts {
    pub(crate) session: Recorded,
    pub(crate) clock: Clock,
    pub(crate) https: Arc<Https>,
    /// Makes the HTTPS calls: the one above, or the user's.
    pub(crate) sender: Arc<dyn HttpsSender>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) events: EventSender,
    pub(crate) inbox: Receiver<Command>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) poll: Poll,
    pub(crate) message: MessageLimits,
    /// HTTPS calls that may run at once, those that were given up included.
    pub(crate) max_calls: usize,
    pub(crate) close_timeout: Duration,
    pub(crate) debug: Debug,
    pub(crate) tracer: Tracer,
    pub(crate) states: StateTeller,
}

/// Wakes the thread from its poller.
struct Alarm(Arc<Waker>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let _ = self.0.wake();
    }
}

/// What a helping thread brings back.
enum Done {
    Auth(AuthId, Result<AccessToken, AuthFailure>),
    Http(HttpId, Result<Response<Bytes>, HttpFailure>),
    /// The head of an answer whose body the application reads, and the request it is for.
    Download(HttpId, RequestId, Box<(Response<Bytes>, Option<Download>)>),
    Opened(ConnId, Result<Box<WebSocket>, OpenFailure>),
}

enum Link {
    None,
    Opening(ConnId, Abort),
    Open(ConnId, Box<Socket>),
}

/// A request under way.
struct Waiting {
    cancelled: Arc<AtomicBool>,
    reply: Reply<Answered>,
    /// Its answer is streamed.
    streamed: Option<Streamed>,
    /// The body of the answer, once it has begun.
    body: Option<Download>,
}

pub(crate) struct Driver {
    parts: Parts,
    poll_events: mio::Events,
    /// Wakes the thread.
    woken: std::task::Waker,
    requests: BTreeMap<RequestId, Waiting>,
    /// Those that were sent over the socket, whose answers come there.
    over_socket: BTreeSet<RequestId>,
    closers: Vec<Reply<()>>,
    link: Link,
    /// A message that was read while the application lets events wait.
    ahead: Option<Incoming>,
    calls: BTreeMap<HttpId, Abort>,
    /// Shared by all that run.
    running: Arc<()>,
    /// Bodies that the application still reads.
    downloads: Vec<WeakAbort>,
    logins: BTreeMap<AuthId, Abort>,
    done: Receiver<Done>,
    completions: Sender<Done>,
    /// Whether the socket comes before the commands in the next turn.
    socket_first: bool,
    /// The last turn was the socket's and had no end by itself.
    flooded: bool,
    /// Changes of the snapshot that were not published yet.
    unpublished: usize,
    /// When the application asked for the end.
    closing_since: Option<Timestamp>,
    /// The end, which is told when no command can come any more.
    last: Option<Event>,
}

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let (completions, done) = channel();
        let woken = std::task::Waker::from(Arc::new(Alarm(Arc::clone(&parts.waker))));
        Self {
            parts,
            poll_events: mio::Events::with_capacity(8),
            requests: BTreeMap::new(),
            over_socket: BTreeSet::new(),
            closers: Vec::new(),
            link: Link::None,
            ahead: None,
            calls: BTreeMap::new(),
            running: Arc::default(),
            woken,
            downloads: Vec::new(),
            logins: BTreeMap::new(),
            done,
            completions,
            socket_first: false,
            flooded: false,
            unpublished: 0,
            closing_since: None,
            last: None,
        }
    }

    /// Runs the session to its end, or until nobody holds a handle any more.
    pub(crate) fn run(mut self, filters: Option<Filters>) {
        let now = self.parts.clock.read().now;
        if let Some(filters) = filters {
            // A new session refuses nothing.
            let _ = self.parts.session.subscribe(filters, now);
            let _ = self.drain();
        }
        let _ = self.parts.session.connect(now);
        loop {
            let wait = self.drain();
            if wait == Wait::Finished && !self.await_logins() {
                return;
            }
            self.parts.events.flush(self.parts.session.stats());
            let (state, subscription) = (self.parts.session.state(), self.parts.session.subscription());
            self.parts.states.tell(state, subscription, || self.parts.clock.reading().now);
            if self.unpublished >= self.parts.https.net.limits.snapshot_every {
                self.publish();
            }
            if wait == Wait::Finished {
                return self.finish();
            }
            match self.next_turn(wait) {
                Turn::Abandoned => return,
                turn => self.apply(turn, wait),
            }
        }
    }

    /// Carries out everything the Session wants, and says how long to wait.
    fn drain(&mut self) -> Wait {
        loop {
            match self.parts.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(event) => self.tell(event),
                Output::Wait(wait) => return wait,
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.parts.tracer.event(&event);
        match event {
            Event::Response { id, outcome } => {
                self.over_socket.remove(&id);
                if let Some(waiting) = self.requests.remove(&id) {
                    let _ = waiting.reply.try_send(Answered { answer: Ok(outcome), body: waiting.body });
                }
            }
            // Told with the snapshot itself, when the burst is over.
            Event::SnapshotChanged => self.unpublished += 1,
            Event::Closed { .. } => {
                // The last snapshot goes before it; it can be taken, as this is the Session's last output.
                self.unpublished += 1;
                self.publish();
                self.last = Some(event);
            }
            event => self.parts.events.push(event, None),
        }
    }

    /// Puts the newest snapshot behind the events it covers. While an orderly end is under way there is none; the last one
    /// comes before `Closed`.
    fn publish(&mut self) {
        if std::mem::take(&mut self.unpublished) > 0
            && let Some(snapshot) = self.parts.session.snapshot()
        {
            self.parts.events.push(Event::SnapshotChanged, Some(snapshot));
        }
    }

    fn act(&mut self, action: Action) {
        self.parts.tracer.action(&action);
        match action {
            Action::Authorize { id, reason, last } => {
                let (source, https) = (Arc::clone(&self.parts.credentials), Arc::clone(&self.parts.sender));
                if self.logins.len() >= MAX_LOGINS {
                    let _ = self.completions.send(Done::Auth(id, Err(source_is_silent())));
                    let _ = self.parts.waker.wake();
                    return;
                }
                let abort = self.help(Done::Auth(id, Err(no_thread_for_login())), move |abort| {
                    let request = TokenRequest { reason, held: last.as_ref(), https: &*https };
                    Done::Auth(id, abortable(abort, || ask(&*source, request)))
                });
                self.logins.insert(id, abort);
            }
            Action::Http { id, purpose, request } => self.call(id, purpose, *request),
            Action::AbortHttp { id } => {
                if let Some(abort) = self.calls.remove(&id) {
                    abort.fire();
                }
            }
            Action::Open { conn, url } => {
                self.parts.debug.opening(conn, &url);
                self.unlink();
                self.open(conn, url);
            }
            Action::Send { conn, text, purpose } => {
                if let Purpose::Request(id) = purpose {
                    self.over_socket.insert(id);
                }
                self.send(conn, text);
            }
            Action::Resubscribe { conn, text } => self.send(conn, text),
            Action::Close { conn, code, reason } => {
                self.parts.debug.note(|| format!("close {conn}: {code} {reason}"));
                if let Some(socket) = self.socket(conn) {
                    socket.queue_close(code, reason);
                }
            }
            Action::Drop { conn } => {
                if matches!(&self.link, Link::Opening(c, _) | Link::Open(c, _) if *c == conn) {
                    self.parts.debug.note(|| format!("drop {conn}"));
                    self.unlink();
                }
            }
            other => self.parts.debug.note(|| format!("an action this driver does not know: {other:?}")),
        }
    }

    /// Forgets the socket, or the one in the making.
    fn unlink(&mut self) {
        self.ahead = None;
        match std::mem::replace(&mut self.link, Link::None) {
            Link::None => {}
            Link::Opening(_, abort) => abort.fire(),
            Link::Open(_, socket) => socket.forget(self.parts.poll.registry()),
        }
    }

    fn send(&mut self, conn: ConnId, text: String) {
        self.parts.debug.frame("->", &text);
        if let Some(socket) = self.socket(conn) {
            socket.queue_text(text);
        }
    }

    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket> {
        match &mut self.link {
            Link::Open(c, socket) if *c == conn => Some(&mut **socket),
            _ => None,
        }
    }

    fn apply(&mut self, turn: Turn, wait: Wait) {
        let now = self.parts.clock.read().now;
        if !matches!(turn, Turn::Resumed) {
            self.excuse_unread(wait, now);
        }
        match turn {
            Turn::Resumed => {
                if let Link::Open(_, socket) = &mut self.link {
                    socket.pause();
                }
                self.feed(Input::Resumed, now);
            }
            Turn::Timeout => self.feed(Input::Timeout, now),
            Turn::Alive(conn) => self.feed(Input::Frame { conn, frame: Frame::Control }, now),
            Turn::SnapshotStored => drop(self.parts.session.snapshot_stored(now)),
            Turn::Command(command) => self.command(command, now),
            Turn::Cancelled(id) => drop(self.parts.session.cancel(id, now)),
            Turn::Pressure(conn, Pressure::Blocked) => self.feed(Input::SendBlocked { conn }, now),
            Turn::Pressure(conn, Pressure::Ready) => self.feed(Input::SendReady { conn }, now),
            Turn::Incoming(conn, incoming) => self.incoming(conn, &incoming, now),
            Turn::Waited(conn, incoming) => {
                self.feed(Input::Unread { conn }, now);
                self.drain();
                self.incoming(conn, &incoming, now);
            }
            Turn::Done(done) => self.done(done, now),
            Turn::Idle => self.publish(),
            Turn::Received | Turn::Abandoned => {}
        }
    }

    /// The Session is always drained before it is fed, so it never refuses.
    fn feed(&mut self, input: Input<'_>, now: Timestamp) {
        let _ = self.parts.session.handle_input(input, now);
    }

    fn incoming(&mut self, conn: ConnId, incoming: &Incoming, now: Timestamp) {
        let frame = match incoming {
            Incoming::Text(text) => {
                self.parts.debug.frame("<-", text);
                Frame::Text(text)
            }
            Incoming::Binary(bytes) => Frame::Binary(bytes),
            Incoming::Control => Frame::Control,
            Incoming::TooLarge(size) => Frame::TooLarge(*size),
            Incoming::Unreadable(what) => {
                self.parts.debug.note(|| format!("unreadable {conn}: {}", what.as_str()));
                Frame::Unreadable(*what)
            }
            Incoming::Closed(close) => return self.closed(conn, close.clone(), now),
        };
        self.feed(Input::Frame { conn, frame }, now);
    }

    fn closed(&mut self, conn: ConnId, close: CloseInfo, now: Timestamp) {
        let close = self.parts.debug.closed(conn, close);
        self.unlink();
        self.feed(Input::Closed { conn, close }, now);
    }

    fn done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Auth(id, result) => {
                self.logins.remove(&id);
                let result = self.parts.debug.authorized(result);
                self.parts.tracer.authorized(result.as_ref().map(|token| token.expires_in));
                match result {
                    Ok(token) => self.feed(Input::Authorized { id, token }, now),
                    Err(failure) => self.feed(Input::AuthorizeFailed { id, failure }, now),
                }
            }
            // One that was aborted is no longer in the list, and its end does not count (C16).
            Done::Http(id, result) => {
                if self.calls.remove(&id).is_none() {
                    return;
                }
                match result {
                    Ok(response) => self.feed(Input::HttpResponse { id, response: Box::new(response) }, now),
                    Err(failure) => {
                        self.feed(Input::HttpFailed { id, failure: self.parts.debug.unanswered(failure) }, now)
                    }
                }
            }
            Done::Download(id, of, answer) => {
                let (response, body) = *answer;
                let Some(abort) = self.calls.remove(&id) else { return };
                if body.is_some() {
                    self.downloads.retain(WeakAbort::is_held);
                    self.downloads.push(abort.downgrade());
                }
                if let Some(waiting) = self.requests.get_mut(&of) {
                    waiting.body = body;
                }
                self.feed(Input::HttpResponse { id, response: Box::new(response) }, now);
            }
            Done::Opened(conn, result) if matches!(&self.link, Link::Opening(c, _) if *c == conn) => {
                self.opened(conn, result, now);
            }
            Done::Opened(..) => {}
        }
    }

    fn opened(&mut self, conn: ConnId, result: Result<Box<WebSocket>, OpenFailure>, now: Timestamp) {
        let registered = result.and_then(|socket| {
            let limits = &self.parts.https.net.limits;
            let registry = self.parts.poll.registry();
            let socket = Socket::new(*socket, limits, self.parts.message, registry, SOCKET);
            socket.map_err(|error| not_opened(Phase::Request, &error.to_string()))
        });
        match registered {
            Ok(socket) => {
                self.link = Link::Open(conn, Box::new(socket));
                self.feed(Input::Opened { conn }, now);
            }
            Err(failure) => {
                self.link = Link::None;
                let failure = self.parts.debug.not_opened(conn, failure);
                self.feed(Input::OpenFailed { conn, failure }, now);
            }
        }
    }

    fn command(&mut self, command: Command, now: Timestamp) {
        let session = &mut self.parts.session;
        match command {
            Command::Subscribe(filters, reply) => drop(reply.try_send(session.subscribe(filters, now))),
            Command::Unsubscribe(reply) => drop(reply.try_send(session.unsubscribe(now))),
            Command::Recover(reply) => drop(reply.try_send(session.recover(now))),
            Command::Network(online) => self.feed(Input::NetworkChanged { online }, now),
            Command::Close(mode, reply) => {
                self.closers.push(reply);
                self.closing_since.get_or_insert(now);
                let _ = session.close(mode, now);
            }
            Command::Request { request, streamed, cancelled, reply } => {
                let streamed = streamed.map(|streamed| *streamed);
                let about = self.parts.tracer.about(&request);
                match session.request(*request, now) {
                    Ok(id) => {
                        self.parts.tracer.requested(id, about);
                        self.requests.insert(id, Waiting { cancelled, reply, streamed, body: None });
                    }
                    Err(refused) => drop(reply.try_send(Answered { answer: Err(refused), body: None })),
                }
            }
        }
    }
}
