//! What the driver needs of an async runtime.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::task::Context;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::{BoxFuture, Either, select};
use ringcentral_ws_adapter::ClockTimes;

/// The sockets, name lookups, timers and tasks of an async runtime. Everything else is the same on all runtimes.
///
/// All futures must be cancel-safe: dropping one cancels its work and loses nothing. `ringcentral-ws-smol` implements
/// the trait in about 40 lines.
pub trait Runtime: Clone + Send + Sync + 'static {
    /// A TCP stream.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The addresses of a host, best first.
    fn resolve(&self, host: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;

    /// Connects to an address, with `TCP_NODELAY` set.
    fn connect(&self, address: SocketAddr) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Lets the system probe a stream after a silence of `after`; [`keep_alive`](crate::keep_alive) does it for
    /// sockets. The default does nothing, for streams that are no sockets.
    ///
    /// # Errors
    ///
    /// The system refused. The stream is used all the same.
    fn keep_alive(&self, stream: &Self::Stream, after: Duration) -> io::Result<()> {
        let _ = (stream, after);
        Ok(())
    }

    /// Is ready when `duration` has passed since this call, never before.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;

    /// Runs a task in the background.
    ///
    /// # Errors
    ///
    /// No runtime is running here.
    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()>;

    /// Wakes the task that is polled once others had their turn: it has more to do, and has woken others. The default wakes
    /// it at once, which is good where a woken task goes behind those that were woken before.
    fn wake_last(&self, cx: &mut Context<'_>) {
        cx.waker().wake_by_ref();
    }

    /// The time, by all clocks. The default reads those of the system; a runtime that simulates a machine has its own.
    fn clocks(&self) -> ClockTimes {
        ClockTimes::system()
    }

    /// A random number, which spreads retries. The default asks the system; a runtime that simulates a machine has its
    /// own.
    ///
    /// # Errors
    ///
    /// The system gave none.
    fn seed(&self) -> io::Result<u64> {
        getrandom::u64().map_err(io::Error::other)
    }
}

/// What a handle of a client needs of its runtime, whichever that is.
pub(crate) trait Tasks: Send + Sync {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()>;
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
    /// Monotonic.
    fn elapsed(&self) -> Duration;
}

impl<R: Runtime> Tasks for R {
    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        Runtime::spawn(self, task)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Runtime::sleep(self, duration)
    }

    fn elapsed(&self) -> Duration {
        self.clocks().boot
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
