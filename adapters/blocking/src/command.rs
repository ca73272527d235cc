//! What the handles ask of the I/O thread.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use mio::Waker;
use ringcentral_ws_core::{Body, Cause, Close, CommandError, Filters, RequestOutcome, SubscriptionId};

use crate::events::Hub;

/// Carries one answer back.
pub(crate) type Reply<T> = SyncSender<T>;

pub(crate) enum Command {
    Subscribe(Filters, Reply<Result<SubscriptionId, CommandError<Filters>>>),
    Unsubscribe(Reply<Result<(), CommandError<()>>>),
    Recover(Reply<Result<(), CommandError<()>>>),
    Request { request: Box<http::Request<Body>>, cancelled: Arc<AtomicBool>, reply: Reply<Answer> },
    Close(Close, Reply<()>),
    Network(bool),
}

/// How a request of the application came out.
pub(crate) type Answer = Result<RequestOutcome, CommandError<http::Request<Body>>>;

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
    pub(crate) commands: SyncSender<Command>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) waker: Arc<Waker>,
    pub(crate) hub: Arc<Hub>,
}

impl Remote {
    pub(crate) fn wake(&self) {
        let _ = self.waker.wake();
    }

    /// The refused command comes back when the session has ended.
    pub(crate) fn send(&self, command: Command) -> Result<(), Command> {
        self.commands.send(command).map_err(|refused| refused.0)?;
        self.wake();
        Ok(())
    }

    pub(crate) fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Option<T> {
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
    cancelled: Arc<AtomicBool>,
    answer: Receiver<Answer>,
    /// Known already, because the session had ended.
    refused: Option<RequestError>,
}

impl Pending {
    pub(crate) fn start(remote: &Arc<Remote>, request: http::Request<Body>) -> Self {
        let (reply, answer) = sync_channel(1);
        let cancelled = Arc::new(AtomicBool::new(false));
        let command = Command::Request { request: Box::new(request), cancelled: Arc::clone(&cancelled), reply };
        let refused = match remote.send(command) {
            Err(Command::Request { request, .. }) => {
                Some(RequestError::Refused(Box::new(CommandError::Closed(*request))))
            }
            Err(_) => Some(RequestError::NotSent(Cause::Closed)),
            Ok(()) => None,
        };
        Self { remote: Arc::clone(remote), cancelled, answer, refused }
    }

    /// Waits for the end of the request.
    ///
    /// # Errors
    ///
    /// [`RequestError`], which tells whether the request may have run.
    pub fn wait(mut self) -> Result<http::Response<Body>, RequestError> {
        match self.refused.take() {
            Some(refused) => Err(refused),
            None => self.finish(self.answer.recv().ok()),
        }
    }

    /// Waits no longer than `limit`; `None` when it has not ended by then. Once it has given the end, further calls
    /// tell that the session has ended.
    pub fn wait_timeout(&mut self, limit: Duration) -> Option<Result<http::Response<Body>, RequestError>> {
        if let Some(refused) = self.refused.take() {
            return Some(Err(refused));
        }
        match self.answer.recv_timeout(limit) {
            Ok(answer) => Some(self.finish(Some(answer))),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(self.finish(None)),
        }
    }

    fn finish(&self, answer: Option<Answer>) -> Result<http::Response<Body>, RequestError> {
        match answer {
            Some(Ok(RequestOutcome::Response { response, via })) => {
                let mut response = (*response).map(Body::from);
                response.extensions_mut().insert(via);
                Ok(response)
            }
            Some(Ok(RequestOutcome::NotSent(cause))) => Err(RequestError::NotSent(cause)),
            Some(Ok(RequestOutcome::TimedOut { sent })) => Err(RequestError::TimedOut { sent }),
            Some(Ok(RequestOutcome::Cancelled { sent })) => Err(RequestError::Cancelled { sent }),
            Some(Ok(RequestOutcome::Unknown(cause))) => Err(RequestError::Unknown(cause)),
            Some(Err(refused)) => Err(RequestError::Refused(Box::new(refused))),
            None if self.remote.signals.finished.load(Ordering::SeqCst) => Err(RequestError::NotSent(Cause::Closed)),
            Some(Ok(_)) | None => Err(RequestError::Unknown(Cause::Closed)),
        }
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

/// Why a request has no response.
#[derive(Debug)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not accepted; nothing was sent, and the request is handed back. See [`CommandError`] for why.
    Refused(Box<CommandError<http::Request<Body>>>),
    /// It never left; repeating it is safe.
    NotSent(Cause),
    /// It left, and no answer will come: it may have run.
    Unknown(Cause),
    /// Its deadline passed.
    TimedOut {
        /// Whether it had left, and so may have run.
        sent: bool,
    },
    /// It was cancelled.
    Cancelled {
        /// Whether it had left, and so may have run.
        sent: bool,
    },
}

impl RequestError {
    /// Whether the server may have carried the request out.
    #[must_use]
    pub const fn may_have_run(&self) -> bool {
        match self {
            Self::Refused(_) | Self::NotSent(_) => false,
            Self::Unknown(_) => true,
            Self::TimedOut { sent } | Self::Cancelled { sent } => *sent,
        }
    }

    /// The word of the line protocol.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Refused(_) | Self::NotSent(_) => "not_sent",
            Self::Unknown(_) => "unknown",
            Self::TimedOut { .. } => "timed_out",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = |sent: bool| if sent { "it may have run" } else { "it was not sent" };
        match self {
            Self::Refused(why) => write!(f, "the request was refused: {why}"),
            Self::NotSent(cause) => write!(f, "the request was not sent: {cause}"),
            Self::Unknown(cause) => write!(f, "the request has no answer and may have run: {cause}"),
            Self::TimedOut { sent } => write!(f, "the request was not answered in time; {}", ran(*sent)),
            Self::Cancelled { sent } => write!(f, "the request was cancelled; {}", ran(*sent)),
        }
    }
}

impl std::error::Error for RequestError {}
