//! What the thread does for its pump: calls, logins and the socket.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{self, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use mio::{Events, Poll, Token};
use ringcentral_ws_adapter::{
    Abandoned, Incoming, MessageLimits, Pressure, Receiver, SessionSpan, channel, client_is_silent, not_dialled,
    not_opened, opening_panicked,
};
use ringcentral_ws_core::{
    AuthId, AuthReason, ConnId, HttpId, OpenFailure, Phase, RequestId, Secret, SecretUrl, Timestamp,
};

use crate::abort::{Abort, WeakAbort};
use crate::calls::{Done, Helper, no_thread_for_call, no_thread_for_login, unpanicked};
use crate::command::{Command, Completion, Signals, Threads};
use crate::credentials::{CredentialSource, TokenRequest, ask};
use crate::https::{Https, HttpsSender, abortable};
use crate::socket::{self, Socket, WebSocket};

/// The poller's name for a wake-up.
pub(crate) const WAKE: Token = Token(0);
/// The poller's name for the socket.
const SOCKET: Token = Token(1);

/// What an [`Io`] is made of.
pub(crate) struct IoParts {
    pub(crate) https: Arc<Https>,
    /// Makes the HTTPS calls: the one above, or the application's.
    pub(crate) sender: Arc<dyn HttpsSender>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) inbox: Receiver<Command>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) waker: Arc<mio::Waker>,
    pub(crate) poll: Poll,
    pub(crate) message: MessageLimits,
    /// HTTPS calls that may run at once, those that were given up included.
    pub(crate) max_calls: usize,
    /// Of the session, for the threads that help.
    pub(crate) span: SessionSpan,
}

/// What a thread does its work with.
pub(crate) struct Io {
    pub(crate) https: Arc<Https>,
    sender: Arc<dyn HttpsSender>,
    credentials: Arc<dyn CredentialSource>,
    inbox: Receiver<Command>,
    signals: Arc<Signals>,
    poll: Poll,
    happened: Events,
    message: MessageLimits,
    max_calls: usize,
    link: Link,
    calls: BTreeMap<HttpId, Abort>,
    /// Shared by all that run.
    running: Arc<()>,
    /// Bodies that the application still reads.
    downloads: Vec<WeakAbort>,
    logins: BTreeMap<AuthId, Abort>,
    done: Receiver<Done>,
    helper: Helper,
    /// Wakes the thread.
    waker: Waker,
}

enum Link {
    None,
    Opening(ConnId, Abort),
    Open(Box<Socket>),
}

/// Wakes the thread from its poller.
struct Alarm(Arc<mio::Waker>);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let _ = self.0.wake();
    }
}

impl Io {
    pub(crate) fn new(parts: IoParts) -> Self {
        // Each is of a call that is under way, and their number has a limit.
        let (completions, done) = channel(usize::MAX);
        Self {
            https: parts.https,
            sender: parts.sender,
            credentials: parts.credentials,
            inbox: parts.inbox,
            signals: parts.signals,
            poll: parts.poll,
            happened: Events::with_capacity(8),
            message: parts.message,
            max_calls: parts.max_calls,
            link: Link::None,
            calls: BTreeMap::new(),
            running: Arc::default(),
            downloads: Vec::new(),
            logins: BTreeMap::new(),
            done,
            waker: Waker::from(Arc::new(Alarm(Arc::clone(&parts.waker)))),
            helper: Helper { completions, waker: parts.waker, span: parts.span },
        }
    }

    /// Waits until something happens, and no longer than so long.
    pub(crate) fn wait(&mut self, span: Duration) {
        // An interrupted wait is only an early look.
        if self.poll.poll(&mut self.happened, Some(span)).is_ok()
            && let Link::Open(socket) = &mut self.link
        {
            for event in self.happened.iter().filter(|event| event.token() == SOCKET) {
                let ended = event.is_error();
                socket.ready(event.is_readable() || event.is_read_closed() || ended, event.is_writable() || ended);
            }
        }
    }

    fn socket(&mut self) -> Option<&mut Socket> {
        if let Link::Open(socket) = &mut self.link { Some(socket) } else { None }
    }

    /// What a helping thread brings counts only for what is still wanted: an aborted call is no longer in the list, and
    /// its end does not count (C16).
    fn completion(&mut self, done: Done) -> Option<Completion> {
        match done {
            Done::Auth(id, result) => {
                self.logins.remove(&id);
                if self.logins.is_empty() {
                    // An empty one keeps its room otherwise.
                    self.logins = BTreeMap::new();
                }
                Some(Completion::Authorized(id, result))
            }
            Done::Http(id, result) => {
                self.calls.remove(&id)?;
                if self.calls.is_empty() {
                    self.calls = BTreeMap::new();
                }
                Some(Completion::Answered(id, result))
            }
            Done::Download(id, request, response, body) => {
                let abort = self.calls.remove(&id)?;
                if body.is_some() {
                    self.downloads.retain(WeakAbort::is_held);
                    self.downloads.push(abort.downgrade());
                }
                Some(Completion::Streamed { id, request, response, body })
            }
            Done::Opened(conn, result) if matches!(&self.link, Link::Opening(c, _) if *c == conn) => {
                self.link = Link::None;
                Some(Completion::Opened(conn, result.and_then(|socket| self.opened(*socket))))
            }
            Done::Opened(..) => None,
        }
    }

    fn opened(&mut self, socket: WebSocket) -> Result<(), OpenFailure> {
        let registry = self.poll.registry();
        let socket = Socket::new(socket, &self.https.net.limits, self.message, registry, SOCKET)
            .map_err(|error| not_opened(Phase::Request, &error.to_string()))?;
        self.link = Link::Open(Box::new(socket));
        Ok(())
    }
}

impl ringcentral_ws_adapter::Io for Io {
    type Replies = Threads;

    fn next_command(&mut self) -> Result<Option<Command>, Abandoned> {
        if self.signals.abandoned.load(Ordering::SeqCst) {
            return Err(Abandoned);
        }
        match self.inbox.try_next() {
            task::Poll::Ready(command) => command.map(Some).ok_or(Abandoned),
            task::Poll::Pending => Ok(None),
        }
    }

    fn take_cancelled(&mut self) -> bool {
        // Cleared first: a cancellation that comes meanwhile sets it again.
        self.signals.cancels.load(Ordering::SeqCst) && self.signals.cancels.swap(false, Ordering::SeqCst)
    }

    fn last_command(&mut self) -> Option<Command> {
        self.signals.finished.store(true, Ordering::SeqCst);
        // Who asks after this learns from the closed channel that nothing was sent.
        self.inbox.close();
        match self.inbox.try_next() {
            task::Poll::Ready(command) => command,
            task::Poll::Pending => None,
        }
    }

    fn next_completion(&mut self) -> Option<Completion> {
        loop {
            let task::Poll::Ready(Some(done)) = self.done.try_next() else { return None };
            if let Some(completion) = self.completion(done) {
                return Some(completion);
            }
        }
    }

    fn authorize(&mut self, id: AuthId, reason: AuthReason, last: Option<Secret>) {
        let (source, https) = (Arc::clone(&self.credentials), Arc::clone(&self.sender));
        let abort = self.helper.help(Done::Auth(id, Err(no_thread_for_login())), move |abort| {
            let request = TokenRequest { reason, held: last.as_ref(), https: &*https };
            Done::Auth(id, abortable(abort, || ask(&*source, request)))
        });
        self.logins.insert(id, abort);
    }

    fn call(&mut self, id: HttpId, request: http::Request<Bytes>, streamed: Option<RequestId>) {
        let (https, sender) = (Arc::clone(&self.https), Arc::clone(&self.sender));
        let running = Arc::clone(&self.running);
        if Arc::strong_count(&running) > self.max_calls.saturating_add(1) {
            let _ = self.helper.completions.send(Done::Http(id, Err(client_is_silent())));
            self.calls.insert(id, Abort::default());
            return;
        }
        let abort = self.helper.help(Done::Http(id, Err(no_thread_for_call())), move |abort| {
            let done = match streamed {
                None => Done::Http(id, abortable(abort, || unpanicked(|| sender.send(request))).map(Box::new)),
                Some(of) => {
                    let call = || https.download(&*sender, &request, abort);
                    match abortable(abort, || unpanicked(call)) {
                        Ok((response, body)) => Done::Download(id, of, Box::new(response), body),
                        Err(failure) => Done::Http(id, Err(failure)),
                    }
                }
            };
            drop(running);
            done
        });
        self.calls.insert(id, abort);
    }

    fn abort_call(&mut self, id: HttpId) {
        if let Some(abort) = self.calls.remove(&id) {
            abort.fire();
        }
    }

    fn close_kept(&mut self) {
        self.https.close_kept();
    }

    fn open(&mut self, conn: ConnId, url: SecretUrl) {
        self.disconnect();
        let (https, message) = (Arc::clone(&self.https), self.message);
        let abort = self.helper.help(Done::Opened(conn, Err(not_dialled(no_thread_for_call()))), move |abort| {
            // A verifier of the application's may panic; nothing of the driver is touched by it.
            let opening = AssertUnwindSafe(|| socket::open(&https.net, &url, message, abort).map(Box::new));
            Done::Opened(conn, catch_unwind(opening).unwrap_or_else(|_| Err(opening_panicked())))
        });
        self.link = Link::Opening(conn, abort);
    }

    fn disconnect(&mut self) {
        match std::mem::replace(&mut self.link, Link::None) {
            Link::None => {}
            Link::Opening(_, abort) => abort.fire(),
            Link::Open(socket) => socket.forget(self.poll.registry()),
        }
    }

    fn release(&mut self) {
        self.disconnect();
        self.calls.values().for_each(Abort::fire);
        self.downloads.iter().for_each(WeakAbort::fire);
    }

    fn send(&mut self, text: String) {
        if let Some(socket) = self.socket() {
            socket.state.queue_text(text);
        }
    }

    fn close(&mut self, code: u16, reason: &'static str) {
        if let Some(socket) = self.socket() {
            socket.state.queue_close(code, reason);
        }
    }

    fn flush(&mut self) -> Option<Pressure> {
        self.socket()?.send()
    }

    fn is_broken(&self) -> bool {
        matches!(&self.link, Link::Open(socket) if socket.state.queue.is_over())
    }

    fn begin_reading(&mut self, now: Timestamp) {
        if let Some(socket) = self.socket() {
            socket.begin_turn(now);
        }
    }

    fn receive(&mut self) -> Option<Incoming> {
        self.socket()?.receive()
    }

    fn is_spent(&mut self) -> bool {
        self.socket().is_some_and(Socket::is_spent)
    }

    fn pause_reading(&mut self) {
        if let Some(socket) = self.socket() {
            socket.pause();
        }
    }

    fn gives_up_within_message(&mut self) -> bool {
        self.socket().is_some_and(Socket::gives_up_within_message)
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }
}

/// However the thread ends, nobody waits for it in vain.
impl Drop for Io {
    fn drop(&mut self) {
        ringcentral_ws_adapter::Io::release(self);
        self.logins.values().for_each(Abort::fire);
    }
}
