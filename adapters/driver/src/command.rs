//! What the handle asks of the driver's task.

use async_channel::Sender;
use ringcentral_ws_adapter::Answer;
use ringcentral_ws_core::{Body, Close, CommandError, Filters, SubscriptionId};

/// Carries one answer back. Closed when the asker has gone.
pub(crate) type Reply<T> = Sender<T>;

pub(crate) enum Command {
    Subscribe(Filters, Reply<Result<SubscriptionId, CommandError<Filters>>>),
    Unsubscribe(Reply<Result<(), CommandError<()>>>),
    Recover(Reply<Result<(), CommandError<()>>>),
    Request { request: Box<http::Request<Body>>, ticket: u64, reply: Reply<Answer> },
    Close(Close, Reply<()>),
    Network(bool),
}
