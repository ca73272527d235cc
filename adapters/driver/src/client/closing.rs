//! The end of a client in order.

use std::future::{Future, poll_fn, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{Either, select};
use ringcentral_ws_adapter::Work;
use ringcentral_ws_core::Close;

use super::Client;
use crate::command::{Command, send};
use crate::runtime::Tasks;

impl<R> Client<R> {
    /// Closes the session when a future is ready, such as that of Ctrl-C, as soon as the program is
    /// [idle](Self::close_when_idle): an answer that it is just sending is sent to its end. The future is polled
    /// once before this returns, so that a signal is caught from then on, and then awaited in a task of its own:
    ///
    /// ```no_run
    /// # use ringcentral_ws_driver::{Client, Close};
    /// # fn run<R>(client: &Client<R>, ctrl_c: impl Future<Output = std::io::Result<()>> + Send + 'static) {
    /// client.close_when(ctrl_c, Close::Detach); // on tokio: `tokio::signal::ctrl_c()`
    /// # }
    /// ```
    ///
    /// Go on taking events until `None`: what was on its way comes first, then the last
    /// [`SnapshotChanged`](ringcentral_ws_core::Event::SnapshotChanged), then
    /// [`Closed`](ringcentral_ws_core::Event::Closed). If the future gives an error, nothing is closed. The task does
    /// not keep the session running, and ends with it. The last handle of a client may be dropped meanwhile.
    pub fn close_when<F, E>(&self, when: F, mode: Close)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        // There was a runtime when the client started. Without one here there is nothing that could wait.
        if self.tasks.spawn(Box::pin(ready(()))).is_err() {
            return;
        }
        // A first look here and not in the task, which may be late: a signal is caught from now on.
        let mut when = Box::pin(when);
        let first = when.as_mut().poll(&mut Context::from_waker(Waker::noop())).map(|end| end.is_ok());
        let (commands, mut states) = (self.commands.downgrade(), self.states());
        let (work, tasks, limit) = (Arc::clone(&self.work), Arc::clone(&self.tasks), self.close_timeout);
        let task = async move {
            let is_time = async {
                let is_time = match first {
                    Poll::Ready(is_time) => is_time,
                    Poll::Pending => when.await.is_ok(),
                };
                if is_time {
                    work.close();
                    idle(&work, &*tasks, limit).await;
                }
                is_time
            };
            let (is_time, ended) = (Box::pin(is_time), Box::pin(states.wait_for(|state| state.is_closed())));
            if matches!(select(is_time, ended).await, Either::Left((true, _)))
                && let Some(commands) = commands.upgrade()
            {
                let (reply, answer) = async_channel::bounded(1);
                if send(&commands, Command::Close(mode, reply)).await.is_ok() {
                    let _ = answer.recv().await;
                }
            }
        };
        let _ = self.tasks.spawn(Box::pin(task));
    }

    /// Ends the session as [`close`](Self::close) does, but lets the program finish first what it is at: it has taken the
    /// events that are there and waits for the next one, and no call of a handle is under way. Waits of
    /// [`retry_after`](Self::retry_after) end at once with [`RequestErrorKind::Closing`](crate::RequestErrorKind::Closing).
    ///
    /// It waits for that at most as long as `Config::close_timeout` (5 s), and then closes, which takes as long again at
    /// most; what is still under way then is broken off, and its error says whether it may have run. What a program does
    /// with the events of [listeners](Self::listen), and with events that it has handed to tasks, counts only while it
    /// makes calls.
    ///
    /// Await it in another task than the one that takes events, or it waits for itself. Most programs take
    /// [`close_when`](Self::close_when), which does that.
    pub async fn close_when_idle(&self, mode: Close) {
        self.work.close();
        idle(&self.work, &*self.tasks, self.close_timeout).await;
        self.close(mode).await;
    }
}

/// Waits until nothing is under way, no longer than `limit`.
async fn idle(work: &Work, tasks: &dyn Tasks, limit: Duration) {
    let is_idle = pin!(poll_fn(|cx| work.poll_idle(cx)));
    let _ = select(is_idle, tasks.sleep(limit)).await;
}
