//! What the handles ask of the driver's task, and the ways back.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Context;

use async_channel::Sender;
use futures_util::task::AtomicWaker;
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
pub(crate) type Inbox = ringcentral_ws_adapter::Receiver<Command>;
/// Where the handles put them.
pub(crate) type Commands = ringcentral_ws_adapter::Sender<Command>;

/// Sends a command, once there is room for it. It comes back when the session has ended.
pub(crate) async fn send(commands: &Commands, command: Command) -> Result<(), Command> {
    let mut command = Some(command);
    poll_fn(|cx| commands.poll_send(&mut command, cx)).await
}

/// Says that callers of requests have stopped waiting.
#[derive(Debug, Default)]
pub(crate) struct Cancels {
    happened: AtomicBool,
    driver: AtomicWaker,
}

impl Cancels {
    pub(crate) fn set(&self) {
        self.happened.store(true, Ordering::SeqCst);
        self.driver.wake();
    }

    /// Whether it has happened since the last look. The next time it wakes the task.
    pub(crate) fn take(&self, cx: &Context<'_>) -> bool {
        self.driver.register(cx.waker());
        self.happened.load(Ordering::SeqCst) && self.happened.swap(false, Ordering::SeqCst)
    }
}

pub(crate) type Command = ringcentral_ws_adapter::Command<Tasks>;
pub(crate) type Completion = ringcentral_ws_adapter::Completion<Download>;
pub(crate) type Answered = ringcentral_ws_adapter::Answered<Download>;
