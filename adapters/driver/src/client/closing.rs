//! The end of a client when something else happens.

use std::future::Future;

use futures_util::future::{Either, select};
use ringcentral_ws_core::Close;

use super::Client;
use crate::command::{Command, send};

impl<R> Client<R> {
    /// Closes the session when a future is ready, such as that of Ctrl-C. It waits for the future in a task of its own
    /// and returns at once:
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
        let (commands, mut states) = (self.commands.downgrade(), self.states());
        let task = async move {
            let when = Box::pin(when);
            let ended = Box::pin(states.wait_for(|state| state.is_closed()));
            let is_time = matches!(select(when, ended).await, Either::Left((Ok(()), _)));
            if is_time && let Some(commands) = commands.upgrade() {
                let (reply, answer) = async_channel::bounded(1);
                if send(&commands, Command::Close(mode, reply)).await.is_ok() {
                    let _ = answer.recv().await;
                }
            }
        };
        // There was a runtime when the client started. Without one there is nothing that could wait.
        let _ = self.tasks.spawn(Box::pin(task));
    }
}
