//! What the handles ask of the driver's task, and the ways back.

use async_channel::{Receiver, Sender};
use ringcentral_ws_adapter::Replies;

use crate::download::Download;

/// Callers are tasks.
pub(crate) enum Tasks {}

impl Replies for Tasks {
    /// Closed when the caller has gone.
    type Reply<T> = Sender<T>;
    type Ticket = ();
    type Body = Download;

    fn reply<T>(to: Sender<T>, answer: T) {
        let _ = to.try_send(answer);
    }

    fn is_cancelled((): &(), reply: &Sender<Answered>) -> bool {
        reply.is_closed()
    }
}

/// What the driver's task reads commands from.
pub(crate) type Inbox = Receiver<Command>;

pub(crate) type Command = ringcentral_ws_adapter::Command<Tasks>;
pub(crate) type Completion = ringcentral_ws_adapter::Completion<Download>;
pub(crate) type Answered = ringcentral_ws_adapter::Answered<Download>;
