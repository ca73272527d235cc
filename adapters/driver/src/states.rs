//! The state of a client as a value that can be watched.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use ringcentral_ws_adapter::{ConnectionState, Watcher};

/// Watches the state of a client: read it, await a change, or read the changes as a stream.
///
/// It does not keep the session running. Changes that come faster than they are read are merged: the newest one is
/// seen. The change to closed is always seen. A clone starts where the original is.
///
/// ```no_run
/// # async fn show<R>(client: &ringcentral_ws_driver::Client<R>) {
/// let mut states = client.states();
/// while let Some(state) = states.changed().await {
///     println!("{state}"); // such as: waiting: next try in 2.5 s, 3 failed
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct StateWatch(pub(crate) Watcher);

impl StateWatch {
    /// The state now.
    #[must_use]
    pub fn get(&self) -> ConnectionState {
        self.0.get()
    }

    /// The next change since the last one that was returned, or since [`Client::states`](crate::Client::states);
    /// `None` when the session has ended and all were seen. Dropping the future loses nothing.
    pub async fn changed(&mut self) -> Option<ConnectionState> {
        poll_fn(|cx| self.0.poll_changed(cx)).await
    }

    /// Waits until the state satisfies `wanted`, and returns it; at once if it does now. `None`: the session ended
    /// before. Changes that were seen on the way are not returned again.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&ConnectionState) -> bool) -> Option<ConnectionState> {
        let mut state = self.0.see();
        while !wanted(&state) {
            state = self.changed().await?;
        }
        Some(state)
    }
}

impl Stream for StateWatch {
    type Item = ConnectionState;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionState>> {
        self.0.poll_changed(cx)
    }
}
