//! What the handle asks of the driver's task.

use async_channel::{Receiver, Sender};
use ringcentral_ws_adapter::{Answer, Streamed};
use ringcentral_ws_core::{Body, Close, CommandError, Filters, SubscriptionId};

use crate::download::Download;

/// Carries one answer back. Closed when the asker has gone.
pub(crate) type Reply<T> = Sender<T>;

/// What the driver's task reads commands from.
pub(crate) type Inbox = Receiver<Command>;

pub(crate) enum Command {
    Subscribe(Filters, Reply<Result<SubscriptionId, CommandError<Filters>>>),
    Unsubscribe(Reply<Result<(), CommandError<()>>>),
    Recover(Reply<Result<(), CommandError<()>>>),
    Request { request: Box<http::Request<Body>>, streamed: Option<Box<Streamed>>, ticket: u64, reply: Reply<Answered> },
    Close(Close, Reply<()>),
    Network(bool),
}

/// How a request came out.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    /// The body of a streamed answer.
    pub(crate) body: Option<Download>,
}
