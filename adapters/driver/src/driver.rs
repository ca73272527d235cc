//! The one task that owns a Session and its socket.

mod finish;
mod turn;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use futures_util::future::{AbortHandle, BoxFuture, FutureExt, abortable};
use futures_util::stream::FuturesUnordered;
use http::Response;
use ringcentral_ws_adapter::{
    Clock, Debug, EventSender, MAX_LOGINS, MessageLimits, Pressure, StateTeller, Streamed, Tracer, client_panicked,
    opening_panicked, source_is_silent,
};
use ringcentral_ws_core::recorder::Recorded;
use ringcentral_ws_core::{
    AccessToken, Action, AuthFailure, AuthId, AuthReason, CloseInfo, ConnId, Event, Filters, Frame, HttpFailure,
    HttpId, HttpPurpose, Input, OpenFailure, Output, Purpose, RequestId, Secret, Timestamp, Wait,
};

use self::turn::{Sleep, Turn};
use crate::command::{Answered, Command, Inbox, Reply};
use crate::credentials::{CredentialSource, TokenRequest, ask};
use crate::download::Download;
use crate::https::{Https, HttpsSender};
use crate::runtime::Runtime;
use crate::socket::{self, Incoming, Socket};

/// What a driver is made of.
pub(crate) struct Parts<R: Runtime> {
    pub(crate) session: Recorded,
    pub(crate) clock: Clock,
    pub(crate) https: Arc<Https<R>>,
    /// Tells downloads when the client ends.
    pub(crate) alive: Sender<Infallible>,
    /// Makes the calls; `https` itself, unless the application has a client of its own.
    pub(crate) sender: Option<Arc<dyn HttpsSender>>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) commands: Inbox,
    pub(crate) cancels: Receiver<u64>,
    pub(crate) events: EventSender,
    pub(crate) message: MessageLimits,
    pub(crate) close_timeout: Duration,
    pub(crate) debug: Debug,
    pub(crate) tracer: Tracer,
    pub(crate) states: StateTeller,
}

/// A call that has come to its end.
enum Done {
    Auth(AuthId, Result<AccessToken, AuthFailure>),
    /// Too many questions wait for the credential source already.
    Unasked(AuthId),
    Http(HttpId, Result<Response<Bytes>, HttpFailure>),
    /// The head of an answer whose body the application reads, and the request it is for.
    Download(HttpId, RequestId, Response<Bytes>, Option<Download>),
    Aborted(HttpId),
}

enum Link<S> {
    None,
    Opening(ConnId, BoxFuture<'static, Result<Box<Socket<S>>, OpenFailure>>),
    Open(ConnId, Box<Socket<S>>),
}

/// A request under way.
struct Waiting {
    ticket: u64,
    reply: Reply<Answered>,
    /// Its answer is streamed.
    streamed: Option<Streamed>,
    /// The body of the answer, once it has begun.
    body: Option<Download>,
}

pub(crate) struct Driver<R: Runtime> {
    session: Recorded,
    clock: Clock,
    https: Arc<Https<R>>,
    alive: Sender<Infallible>,
    sender: Option<Arc<dyn HttpsSender>>,
    credentials: Arc<dyn CredentialSource>,
    commands: Pin<Box<Inbox>>,
    cancels: Pin<Box<Receiver<u64>>>,
    requests: BTreeMap<RequestId, Waiting>,
    /// Those that were sent over the socket, whose answers come there.
    over_socket: BTreeSet<RequestId>,
    closers: Vec<Reply<()>>,
    events: EventSender,
    link: Link<R::Stream>,
    /// A message that was read while the application lets events wait.
    ahead: Option<Incoming>,
    calls: FuturesUnordered<BoxFuture<'static, Done>>,
    aborts: BTreeMap<HttpId, AbortHandle>,
    /// Questions to the credential source.
    logins: FuturesUnordered<BoxFuture<'static, Done>>,
    /// When the application asked for the end.
    closing_since: Option<Timestamp>,
    close_timeout: Duration,
    /// The end, which is told when no login is under way any more.
    last: Option<Event>,
    sleep: Option<Sleep>,
    /// Turns since the task last waited.
    busy: u32,
    /// Whether the socket comes before the commands in the next turn.
    socket_first: bool,
    /// The last turn was the socket's and had no end by itself.
    flooded: bool,
    /// Changes of the snapshot that were not published yet.
    unpublished: usize,
    message: MessageLimits,
    debug: Debug,
    tracer: Tracer,
    states: StateTeller,
}

impl<R: Runtime> Driver<R> {
    pub(crate) fn new(parts: Parts<R>) -> Self {
        Self {
            session: parts.session,
            clock: parts.clock,
            https: parts.https,
            alive: parts.alive,
            sender: parts.sender,
            credentials: parts.credentials,
            commands: Box::pin(parts.commands),
            cancels: Box::pin(parts.cancels),
            requests: BTreeMap::new(),
            over_socket: BTreeSet::new(),
            closers: Vec::new(),
            events: parts.events,
            link: Link::None,
            ahead: None,
            calls: FuturesUnordered::new(),
            aborts: BTreeMap::new(),
            logins: FuturesUnordered::new(),
            closing_since: None,
            close_timeout: parts.close_timeout,
            last: None,
            sleep: None,
            busy: 0,
            socket_first: false,
            flooded: false,
            unpublished: 0,
            message: parts.message,
            debug: parts.debug,
            tracer: parts.tracer,
            states: parts.states,
        }
    }

    /// Runs the session to its end, or until nobody holds a handle any more.
    pub(crate) async fn run(mut self, filters: Option<Filters>) {
        let now = self.clock.read().now;
        if let Some(filters) = filters {
            // A new session refuses nothing.
            let _ = self.session.subscribe(filters, now);
            let _ = self.drain();
        }
        let _ = self.session.connect(now);
        loop {
            let wait = self.drain();
            if wait == Wait::Finished && !self.await_logins().await {
                return;
            }
            self.events.flush(self.session.stats());
            self.states.tell(self.session.state(), self.session.subscription(), || self.clock.reading().now);
            if self.unpublished >= self.https.net.limits.snapshot_every {
                self.publish();
            }
            if wait == Wait::Finished {
                return self.finish();
            }
            match poll_fn(|cx| self.poll_turn(cx, wait)).await {
                Turn::Abandoned => return,
                turn => self.apply(turn, wait),
            }
        }
    }

    /// Carries out everything the Session wants, and says how long to wait.
    fn drain(&mut self) -> Wait {
        loop {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(event) => self.tell(event),
                Output::Wait(wait) => return wait,
            }
        }
    }

    fn tell(&mut self, event: Event) {
        self.tracer.event(&event);
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
                // The last snapshot goes before it; it can be taken, as this is the Session's last output. An orderly
                // end is a change by itself.
                self.unpublished += 1;
                self.publish();
                self.last = Some(event);
            }
            event => self.events.push(event, None),
        }
    }

    /// Puts the newest snapshot behind the events it covers. While an orderly end is under way there is none; the last one
    /// comes before `Closed`.
    fn publish(&mut self) {
        if std::mem::take(&mut self.unpublished) > 0
            && let Some(snapshot) = self.session.snapshot()
        {
            self.events.push(Event::SnapshotChanged, Some(snapshot));
        }
    }

    fn act(&mut self, action: Action) {
        self.tracer.action(&action);
        match action {
            Action::Authorize { id, reason, last } => self.authorize(id, reason, last),
            Action::Http { id, purpose, request } => self.call(id, purpose, *request),
            Action::AbortHttp { id } => {
                if let Some(abort) = self.aborts.remove(&id) {
                    abort.abort();
                }
            }
            Action::Open { conn, url } => {
                self.debug.opening(conn, &url);
                let (https, message) = (Arc::clone(&self.https), self.message);
                self.ahead = None;
                // A verifier of the application's may panic; nothing of the driver is touched by the future.
                let opening = AssertUnwindSafe(async move { socket::open(&https, &url, message).await }).catch_unwind();
                let opening = opening.map(|done| done.unwrap_or_else(|_| Err(opening_panicked())));
                self.link = Link::Opening(conn, Box::pin(opening));
            }
            Action::Send { conn, text, purpose } => {
                if let Purpose::Request(id) = purpose {
                    self.over_socket.insert(id);
                }
                self.send(conn, text);
            }
            Action::Resubscribe { conn, text } => self.send(conn, text),
            Action::Close { conn, code, reason } => {
                self.debug.note(|| format!("close {conn}: {code} {reason}"));
                if let Some(socket) = self.socket(conn) {
                    socket.queue_close(code, reason);
                }
            }
            Action::Drop { conn } => {
                let is = matches!(&self.link, Link::Opening(c, _) | Link::Open(c, _) if *c == conn);
                if is {
                    self.debug.note(|| format!("drop {conn}"));
                    self.link = Link::None;
                    self.ahead = None;
                }
            }
            other => self.debug.note(|| format!("an action this driver does not know: {other:?}")),
        }
    }

    fn call(&mut self, id: HttpId, purpose: HttpPurpose, mut request: http::Request<Bytes>) {
        let (https, sender) = (Arc::clone(&self.https), self.sender());
        let streamed = match purpose {
            HttpPurpose::Request(of) => {
                self.requests.get(&of).and_then(|waiting| Some((of, waiting.streamed.clone()?)))
            }
            _ => None,
        };
        // A client of the application's may panic; nothing of the driver is touched by the future but the call.
        let call = AssertUnwindSafe(async move {
            let Some((of, streamed)) = streamed else { return Done::Http(id, sender.send(request).await) };
            streamed.readdress(&mut request);
            match https.download(sender, request).await {
                Ok((response, body)) => Done::Download(id, of, response, body),
                Err(failure) => Done::Http(id, Err(failure)),
            }
        });
        let call = call.catch_unwind().map(move |done| done.unwrap_or_else(|_| Done::Http(id, Err(client_panicked()))));
        let (call, abort) = abortable(call);
        self.aborts.insert(id, abort);
        self.calls.push(Box::pin(async move { call.await.unwrap_or(Done::Aborted(id)) }));
    }

    fn authorize(&mut self, id: AuthId, reason: AuthReason, last: Option<Secret>) {
        let (source, sender) = (Arc::clone(&self.credentials), self.sender());
        if self.logins.len() >= MAX_LOGINS {
            self.calls.push(Box::pin(std::future::ready(Done::Unasked(id))));
            return;
        }
        self.logins.push(Box::pin(async move {
            let request = TokenRequest { reason, held: last.as_ref(), https: &*sender };
            Done::Auth(id, ask(&*source, request).await)
        }));
    }

    fn sender(&self) -> Arc<dyn HttpsSender> {
        self.sender.clone().unwrap_or_else(|| Arc::clone(&self.https) as Arc<dyn HttpsSender>)
    }

    fn send(&mut self, conn: ConnId, text: String) {
        self.debug.frame("->", &text);
        if let Some(socket) = self.socket(conn) {
            socket.queue_text(text);
        }
    }

    fn socket(&mut self, conn: ConnId) -> Option<&mut Socket<R::Stream>> {
        match &mut self.link {
            Link::Open(c, socket) if *c == conn => Some(&mut **socket),
            _ => None,
        }
    }

    fn apply(&mut self, turn: Turn<R::Stream>, wait: Wait) {
        if let Turn::Received = turn {
            return;
        }
        let now = self.clock.read().now;
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
            Turn::SnapshotStored => drop(self.session.snapshot_stored(now)),
            Turn::Command(command) => self.command(command, now),
            Turn::Cancelled(ticket) => {
                let found = self.requests.iter().find(|(_, waiting)| waiting.ticket == ticket).map(|(id, _)| *id);
                if let Some(id) = found {
                    let _ = self.session.cancel(id, now);
                }
            }
            Turn::Opened(conn, Ok(socket)) => {
                self.link = Link::Open(conn, socket);
                self.feed(Input::Opened { conn }, now);
            }
            Turn::Opened(conn, Err(failure)) => {
                self.link = Link::None;
                let failure = self.debug.not_opened(conn, failure);
                self.feed(Input::OpenFailed { conn, failure }, now);
            }
            Turn::Pressure(conn, Pressure::Blocked) => self.feed(Input::SendBlocked { conn }, now),
            Turn::Pressure(conn, Pressure::Ready) => self.feed(Input::SendReady { conn }, now),
            Turn::Done(done) => self.done(done, now),
            Turn::Idle => self.publish(),
            Turn::Received | Turn::Abandoned => {}
        }
    }

    /// The Session is always drained before it is fed, so it never refuses.
    fn feed(&mut self, input: Input<'_>, now: Timestamp) {
        let _ = self.session.handle_input(input, now);
    }

    fn incoming(&mut self, conn: ConnId, incoming: &Incoming, now: Timestamp) {
        let frame = match incoming {
            Incoming::Text(text) => {
                self.debug.frame("<-", text);
                Frame::Text(text)
            }
            Incoming::Binary(bytes) => Frame::Binary(bytes),
            Incoming::Control => Frame::Control,
            Incoming::TooLarge(size) => Frame::TooLarge(*size),
            Incoming::Unreadable(what) => {
                self.debug.note(|| format!("unreadable {conn}: {}", what.as_str()));
                Frame::Unreadable(*what)
            }
            Incoming::Closed(close) => return self.closed(conn, close.clone(), now),
        };
        self.feed(Input::Frame { conn, frame }, now);
    }

    fn closed(&mut self, conn: ConnId, close: CloseInfo, now: Timestamp) {
        let close = self.debug.closed(conn, close);
        self.link = Link::None;
        self.feed(Input::Closed { conn, close }, now);
    }

    fn done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Unasked(id) => self.feed(Input::AuthorizeFailed { id, failure: source_is_silent() }, now),
            Done::Auth(id, result) => {
                let result = self.debug.authorized(result);
                self.tracer.authorized(result.as_ref().map(|token| token.expires_in));
                match result {
                    Ok(token) => self.feed(Input::Authorized { id, token }, now),
                    Err(failure) => self.feed(Input::AuthorizeFailed { id, failure }, now),
                }
            }
            Done::Http(id, result) => {
                self.aborts.remove(&id);
                match result {
                    Ok(response) => self.feed(Input::HttpResponse { id, response: Box::new(response) }, now),
                    Err(failure) => self.feed(Input::HttpFailed { id, failure: self.debug.unanswered(failure) }, now),
                }
            }
            Done::Download(id, of, response, body) => {
                self.aborts.remove(&id);
                if let Some(waiting) = self.requests.get_mut(&of) {
                    waiting.body = body;
                }
                self.feed(Input::HttpResponse { id, response: Box::new(response) }, now);
            }
            Done::Aborted(id) => drop(self.aborts.remove(&id)),
        }
    }

    fn command(&mut self, command: Command, now: Timestamp) {
        match command {
            Command::Subscribe(filters, reply) => drop(reply.try_send(self.session.subscribe(filters, now))),
            Command::Unsubscribe(reply) => drop(reply.try_send(self.session.unsubscribe(now))),
            Command::Recover(reply) => drop(reply.try_send(self.session.recover(now))),
            Command::Network(online) => self.feed(Input::NetworkChanged { online }, now),
            Command::Close(mode, reply) => {
                self.closers.push(reply);
                self.closing_since.get_or_insert(now);
                let _ = self.session.close(mode, now);
            }
            // Nobody waits for it any more, so it is never sent.
            Command::Request { reply, .. } if reply.is_closed() => {}
            Command::Request { request, streamed, ticket, reply } => {
                let streamed = streamed.map(|streamed| *streamed);
                let about = self.tracer.about(&request);
                match self.session.request(*request, now) {
                    Ok(id) => {
                        self.tracer.requested(id, about);
                        self.requests.insert(id, Waiting { ticket, reply, streamed, body: None });
                    }
                    Err(refused) => drop(reply.try_send(Answered { answer: Err(refused), body: None })),
                }
            }
        }
    }
}
