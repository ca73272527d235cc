//! What a runtime must offer, and how little that is.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::{BoxFuture, Either, select};
use ringcentral_ws_adapter::ClockTimes;

/// Sockets, names, timers and tasks of an async runtime. Everything else is the same on all of them.
///
/// Dropping any of the futures must cancel what it does, and nothing may be lost by that.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A TCP stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The addresses of a host, best first.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// A connection to one address, with `TCP_NODELAY` set.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Makes the system probe a stream that has been silent for `after` ([`keep_alive`](crate::keep_alive) does it for
    /// sockets). Streams that are no sockets leave it out, as is done here.
    ///
    /// # Errors
    ///
    /// When the system refuses. The stream is used all the same.
    fn keep_alive(&self, stream: &Self::Stream, after: Duration) -> io::Result<()> {
        let _ = (stream, after);
        Ok(())
    }

    /// Ready when `duration` has passed, never before.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs a task on its own.
    ///
    /// # Errors
    ///
    /// When no runtime is running here.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()>;

    /// What the clocks say. The system's, unless this runtime simulates a machine.
    fn clocks(&self) -> ClockTimes {
        ClockTimes::system()
    }

    /// Chance, for the spread of retries. The system's, unless this runtime simulates a machine.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    fn seed(&self) -> io::Result<u64> {
        getrandom::u64().map_err(io::Error::other)
    }
}

/// `None` when `limit` passed first.
pub(crate) async fn within<R: Runtime, T>(runtime: &R, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    match select(work, runtime.sleep(limit)).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(((), _)) => None,
    }
}
