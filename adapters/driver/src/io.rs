//! What the task does for its pump: calls, logins and the socket.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::Stream;
use futures_util::future::{AbortHandle, BoxFuture, FutureExt, abortable};
use futures_util::stream::FuturesUnordered;
use ringcentral_ws_adapter::{Abandoned, Incoming, MessageLimits, Pressure, client_panicked, opening_panicked};
use ringcentral_ws_core::{AuthId, AuthReason, ConnId, HttpId, OpenFailure, RequestId, Secret, SecretUrl, Timestamp};

use crate::command::{Cancels, Command, Completion, Inbox, Tasks};
use crate::credentials::{CredentialSource, TokenRequest, ask};
use crate::https::{Https, HttpsSender};
use crate::runtime::Runtime;
use crate::socket::{self, Socket};

/// What a task does its work with.
pub(crate) struct Io<R: Runtime> {
    pub(crate) https: Arc<Https<R>>,
    /// Makes the calls: `https` itself, unless the application has a client of its own.
    sender: Arc<dyn HttpsSender>,
    credentials: Arc<dyn CredentialSource>,
    message: MessageLimits,
    commands: Inbox,
    cancels: Arc<Cancels>,
    link: Link<R::Stream>,
    /// `None` for one that was aborted.
    calls: Work<Option<Completion>>,
    aborts: BTreeMap<HttpId, AbortHandle>,
    logins: Work<Completion>,
}

/// What is under way; nothing takes room while nothing is.
type Work<T> = Option<FuturesUnordered<BoxFuture<'static, T>>>;

fn begin<T>(work: &mut Work<T>, one: BoxFuture<'static, T>) {
    work.get_or_insert_default().push(one);
}

fn poll_ended<T>(work: &mut Work<T>, cx: &mut Context<'_>) -> Option<T> {
    match Pin::new(work.as_mut()?).poll_next(cx) {
        Poll::Ready(Some(ended)) => Some(ended),
        Poll::Ready(None) => {
            *work = None;
            None
        }
        Poll::Pending => None,
    }
}

/// What an [`Io`] is made of.
pub(crate) struct IoParts<R: Runtime> {
    pub(crate) https: Arc<Https<R>>,
    pub(crate) sender: Option<Arc<dyn HttpsSender>>,
    pub(crate) credentials: Arc<dyn CredentialSource>,
    pub(crate) message: MessageLimits,
    pub(crate) commands: Inbox,
    pub(crate) cancels: Arc<Cancels>,
}

enum Link<S> {
    None,
    Opening(ConnId, BoxFuture<'static, Result<Box<Socket<S>>, OpenFailure>>),
    Open(Box<Socket<S>>),
}

impl<R: Runtime> Io<R> {
    pub(crate) fn new(parts: IoParts<R>) -> Self {
        let https = parts.https;
        Self {
            sender: parts.sender.unwrap_or_else(|| Arc::clone(&https) as Arc<dyn HttpsSender>),
            https,
            credentials: parts.credentials,
            message: parts.message,
            commands: parts.commands,
            cancels: parts.cancels,
            link: Link::None,
            calls: None,
            aborts: BTreeMap::new(),
            logins: None,
        }
    }

    fn socket(&mut self) -> Option<&mut Socket<R::Stream>> {
        if let Link::Open(socket) = &mut self.link { Some(socket) } else { None }
    }

    fn poll_opening(&mut self, cx: &mut Context<'_>) -> Option<Completion> {
        let Link::Opening(conn, opening) = &mut self.link else { return None };
        let conn = *conn;
        let Poll::Ready(result) = opening.as_mut().poll(cx) else { return None };
        self.link = Link::None;
        Some(Completion::Opened(conn, result.map(|socket| self.link = Link::Open(socket))))
    }

    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Option<Completion> {
        while let Some(completion) = poll_ended(&mut self.calls, cx) {
            if let Some(Completion::Answered(id, _) | Completion::Streamed { id, .. }) = &completion {
                self.aborts.remove(id);
                if self.aborts.is_empty() {
                    // An empty one keeps its room otherwise.
                    self.aborts = BTreeMap::new();
                }
            }
            if completion.is_some() {
                return completion;
            }
        }
        poll_ended(&mut self.logins, cx)
    }
}

/// However the task ends, what is downloaded ends with it.
impl<R: Runtime> Drop for Io<R> {
    fn drop(&mut self) {
        self.https.client_ended();
    }
}

/// The same while it is polled.
pub(crate) struct Polled<'a, 'b, R: Runtime> {
    pub(crate) io: &'a mut Io<R>,
    pub(crate) cx: &'a mut Context<'b>,
}

impl<R: Runtime> ringcentral_ws_adapter::Io for Polled<'_, '_, R> {
    type Replies = Tasks;

    fn next_command(&mut self) -> Result<Option<Command>, Abandoned> {
        match self.io.commands.poll_next(self.cx) {
            Poll::Ready(command) => command.map(Some).ok_or(Abandoned),
            Poll::Pending => Ok(None),
        }
    }

    fn take_cancelled(&mut self) -> bool {
        self.io.cancels.take(self.cx)
    }

    fn last_command(&mut self) -> Option<Command> {
        self.io.commands.close();
        match self.io.commands.try_next() {
            Poll::Ready(command) => command,
            Poll::Pending => None,
        }
    }

    fn next_completion(&mut self) -> Option<Completion> {
        match self.io.poll_opening(self.cx) {
            None => self.io.poll_calls(self.cx),
            opened => opened,
        }
    }

    fn authorize(&mut self, id: AuthId, reason: AuthReason, last: Option<Secret>) {
        let (source, sender) = (Arc::clone(&self.io.credentials), Arc::clone(&self.io.sender));
        let login = async move {
            let request = TokenRequest { reason, held: last.as_ref(), https: &*sender };
            Completion::Authorized(id, ask(&*source, request).await)
        };
        begin(&mut self.io.logins, Box::pin(login));
    }

    fn call(&mut self, id: HttpId, request: http::Request<Bytes>, streamed: Option<RequestId>) {
        let (https, sender) = (Arc::clone(&self.io.https), Arc::clone(&self.io.sender));
        // A client of the application's may panic; nothing of the driver is touched by the future but the call.
        let call = AssertUnwindSafe(async move {
            let Some(of) = streamed else { return Completion::Answered(id, sender.send(request).await.map(Box::new)) };
            match https.download(sender, request).await {
                Ok((response, body)) => Completion::Streamed { id, request: of, response: Box::new(response), body },
                Err(failure) => Completion::Answered(id, Err(failure)),
            }
        });
        let call = call.catch_unwind();
        let call = call.map(move |done| done.unwrap_or_else(|_| Completion::Answered(id, Err(client_panicked()))));
        let (call, abort) = abortable(call);
        self.io.aborts.insert(id, abort);
        begin(&mut self.io.calls, Box::pin(call.map(Result::ok)));
    }

    fn abort_call(&mut self, id: HttpId) {
        if let Some(abort) = self.io.aborts.remove(&id) {
            abort.abort();
        }
    }

    fn close_kept(&mut self) {
        self.io.https.close_kept();
    }

    fn open(&mut self, conn: ConnId, url: SecretUrl) {
        let (https, message) = (Arc::clone(&self.io.https), self.io.message);
        // A verifier of the application's may panic; nothing of the driver is touched by the future.
        let opening = AssertUnwindSafe(async move { socket::open(&https, &url, message).await }).catch_unwind();
        let opening = opening.map(|done| done.unwrap_or_else(|_| Err(opening_panicked())));
        self.io.link = Link::Opening(conn, Box::pin(opening));
    }

    fn disconnect(&mut self) {
        self.io.link = Link::None;
    }

    fn release(&mut self) {
        self.io.link = Link::None;
        self.io.calls = None;
        self.io.https.client_ended();
    }

    fn send(&mut self, text: String) {
        if let Some(socket) = self.io.socket() {
            socket.state.queue_text(text);
        }
    }

    fn close(&mut self, code: u16, reason: &'static str) {
        if let Some(socket) = self.io.socket() {
            socket.state.queue_close(code, reason);
        }
    }

    fn flush(&mut self) -> Option<Pressure> {
        self.io.socket()?.poll_send(self.cx)
    }

    fn is_broken(&self) -> bool {
        matches!(&self.io.link, Link::Open(socket) if socket.state.queue.is_over())
    }

    fn begin_reading(&mut self, now: Timestamp) {
        if let Some(socket) = self.io.socket() {
            socket.begin_turn(now);
        }
    }

    fn receive(&mut self) -> Option<Incoming> {
        match self.io.socket()?.poll_receive(self.cx) {
            Poll::Ready(incoming) => Some(incoming),
            Poll::Pending => None,
        }
    }

    fn is_spent(&mut self) -> bool {
        self.io.socket().is_some_and(|socket| socket.is_spent())
    }

    fn pause_reading(&mut self) {
        if let Some(socket) = self.io.socket() {
            socket.pause();
        }
    }

    fn gives_up_within_message(&mut self) -> bool {
        self.io.socket().is_some_and(Socket::gives_up_within_message)
    }

    fn waker(&self) -> &Waker {
        self.cx.waker()
    }
}
