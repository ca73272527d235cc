//! What the handles ask of the I/O thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use mio::Waker;
use ringcentral_ws_adapter::{
    Replies, Request, RequestError, RequestErrorKind, Response, Sender, SessionView, Streamed, UnderWay, Watcher, Work,
    named, response,
};
use ringcentral_ws_core::{Body, Cause, CommandError, RequestLine};

use crate::download::Download;

/// Callers are threads.
pub(crate) enum Threads {}

impl Replies for Threads {
    type Reply<T> = SyncSender<T>;
    /// Set when the caller has gone.
    type Ticket = Arc<AtomicBool>;
    type Body = Download;

    fn reply<T>(to: SyncSender<T>, answer: T) {
        let _ = to.try_send(answer);
    }

    fn is_cancelled(ticket: &Arc<AtomicBool>, _: &SyncSender<Answered>) -> bool {
        ticket.load(Ordering::SeqCst)
    }
}

pub(crate) type Command = ringcentral_ws_adapter::Command<Threads>;
pub(crate) type Completion = ringcentral_ws_adapter::Completion<Download>;
pub(crate) type Answered = ringcentral_ws_adapter::Answered<Download>;

/// What needs no place in the queue of commands.
#[derive(Debug, Default)]
pub(crate) struct Signals {
    /// The last handle is gone.
    pub(crate) abandoned: AtomicBool,
    /// Requests were cancelled.
    pub(crate) cancels: AtomicBool,
    /// The session has ended: what has no answer was never sent.
    pub(crate) finished: AtomicBool,
}

/// The handles' end, shared by all of them. When the last is gone everything ends at once.
pub(crate) struct Remote {
    pub(crate) commands: Sender<Command>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) view: SessionView,
    pub(crate) states: Watcher,
    pub(crate) work: Arc<Work>,
}

impl Remote {
    pub(crate) fn wake(&self) {
        let _ = self.waker.wake();
    }

    /// The refused command comes back when the session has ended.
    pub(crate) fn send(&self, command: Command) -> Result<(), Command> {
        self.commands.send(command)?;
        self.wake();
        Ok(())
    }

    pub(crate) fn ask<T>(&self, command: impl FnOnce(SyncSender<T>) -> Command) -> Option<T> {
        let (reply, answer) = sync_channel(1);
        self.send(command(reply)).ok()?;
        answer.recv().ok()
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.signals.abandoned.store(true, Ordering::SeqCst);
        self.wake();
    }
}

/// A request under way. Dropping it cancels the request.
#[must_use = "dropping it cancels the request"]
pub struct Pending {
    remote: Arc<Remote>,
    line: RequestLine,
    cancelled: Arc<AtomicBool>,
    answer: Receiver<Answered>,
    /// Known already, because the session had ended.
    refused: Option<RequestErrorKind>,
    /// Until its end is known to the caller.
    under_way: Option<UnderWay>,
}

impl Pending {
    pub(crate) fn start(remote: &Arc<Remote>, request: http::Request<Body>, streamed: Option<Streamed>) -> Self {
        let under_way = remote.work.begin();
        let line = RequestLine::of(&request);
        let (reply, answer) = sync_channel(1);
        let cancelled = Arc::new(AtomicBool::new(false));
        let (request, streamed, ticket) = (Box::new(request), streamed.map(Box::new), Arc::clone(&cancelled));
        let command = Command::Request(Request { request, streamed, ticket, reply });
        let refused = match remote.send(command) {
            Err(Command::Request(Request { request, .. })) => {
                Some(RequestErrorKind::Refused(Box::new(CommandError::Closed(*request))))
            }
            Err(_) => Some(RequestErrorKind::NotSent(Cause::Closed)),
            Ok(()) => None,
        };
        Self { remote: Arc::clone(remote), line, cancelled, answer, refused, under_way: Some(under_way) }
    }

    /// Waits for the end of the request.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which says whether the request may have run.
    pub fn wait(self) -> Result<Response, RequestError> {
        let line = self.line.clone();
        named(response(self.answered()?.answer), &line)
    }

    pub(crate) fn answered(mut self) -> Result<Answered, RequestError> {
        match self.refused.take() {
            Some(refused) => Err(RequestError::from(refused).of(&self.line)),
            None => self.finish(self.answer.recv().ok()),
        }
    }

    /// Waits no longer than `limit`; `None` when it has not ended by then. Once it has given the end, further calls
    /// report that the session has ended.
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<Response, RequestError>> {
        let ended = match self.refused.take() {
            Some(refused) => Err(refused.into()),
            None => match self.answer.recv_timeout(limit) {
                Ok(answered) => response(answered.answer),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => self.finish(None).and_then(|end| response(end.answer)),
            },
        };
        self.under_way = None;
        Some(named(ended, &self.line))
    }

    fn finish(&self, answered: Option<Answered>) -> Result<Answered, RequestError> {
        let is_over = self.remote.signals.finished.load(Ordering::SeqCst);
        let lost = || {
            if is_over { RequestErrorKind::NotSent(Cause::Closed) } else { RequestErrorKind::Unknown(Cause::Closed) }
        };
        answered.ok_or_else(|| RequestError::from(lost()).of(&self.line))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.remote.signals.cancels.store(true, Ordering::SeqCst);
        self.remote.wake();
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}
