//! One connection of HTTP/1.1 over a runtime's stream.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::ext::on_informational;
use ringcentral_ws_adapter::{
    MAX_PROVISIONAL, TOO_MANY_PROVISIONAL, Target, ended_early, not_sent, too_many_provisional,
};
use ringcentral_ws_core::{HttpFailure, Phase};

use crate::tls::Paced;

/// Size of hyper's buffers. A response head must fit.
const BUFFER: usize = 64 << 10;

/// A connection, which carries one call at a time.
pub(crate) struct Connection {
    target: Target,
    requests: SendRequest<Full<Bytes>>,
    /// Provisional answers to the call under way.
    provisional: Arc<AtomicUsize>,
    /// Moves bytes; must be polled beside every use. `None` when it has ended.
    work: Option<BoxFuture<'static, ()>>,
}

impl Connection {
    /// Speaks HTTP on `stream`, which leads to `target`.
    pub(super) async fn new<S>(target: Target, stream: S) -> Result<Self, HttpFailure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let provisional = Arc::<AtomicUsize>::default();
        let handshake = http1::Builder::new()
            .max_buf_size(BUFFER)
            .handshake(Wire { stream: Paced::new(stream), provisional: Arc::clone(&provisional) })
            .await;
        let (requests, work) = handshake.map_err(|error| not_sent(Phase::Request, error.to_string()))?;
        let work = Some(Box::pin(async move { drop(work.await) }) as BoxFuture<'static, ()>);
        Ok(Self { target, requests, provisional, work })
    }

    /// Where it leads.
    pub(super) const fn target(&self) -> &Target {
        &self.target
    }

    /// Whether it can carry another call.
    pub(super) fn is_open(&self) -> bool {
        self.work.is_some() && !self.requests.is_closed()
    }

    /// Makes a call up to the head of its answer. A failure gives the request back when none of it has left.
    pub(super) async fn call(
        &mut self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, (HttpFailure, Option<Request<Full<Bytes>>>)> {
        let Self { requests, provisional, work, .. } = self;
        provisional.store(0, Ordering::Relaxed);
        let counted = Arc::clone(provisional);
        on_informational(&mut request, move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let head = async {
            // Not ready means ended, and then sending gives the request back.
            let _ = requests.ready().await;
            requests.try_send_request(request).await
        };
        beside(head, work).await.map_err(|mut error| {
            let unsent = error.take_message();
            let failure = if too_many(provisional) { too_many_provisional() } else { ended_early(error.error()) };
            (HttpFailure { not_sent: unsent.is_some(), ..failure }, unsent)
        })
    }

    /// Waits for what comes on the connection.
    pub(super) async fn during<T>(&mut self, future: impl Future<Output = T>) -> T {
        beside(future, &mut self.work).await
    }
}

/// Polls the connection's own work beside a future that depends on it.
async fn beside<T>(future: impl Future<Output = T>, work: &mut Option<BoxFuture<'static, ()>>) -> T {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| {
        if work.as_mut().is_some_and(|work| work.as_mut().poll(cx).is_ready()) {
            *work = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}

fn too_many(provisional: &AtomicUsize) -> bool {
    provisional.load(Ordering::Relaxed) > MAX_PROVISIONAL
}

/// futures-io towards the runtime, hyper's traits towards hyper.
struct Wire<S> {
    /// hyper reads on by itself while there are bytes that are nothing for the layer above, such as the digits of a
    /// chunk's size.
    stream: Paced<S>,
    /// hyper skips them by itself, as long as there are bytes.
    provisional: Arc<AtomicUsize>,
}

impl<S: AsyncRead + Unpin> hyper::rt::Read for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        if too_many(&self.provisional) {
            return Poll::Ready(Err(std::io::Error::other(TOO_MANY_PROVISIONAL)));
        }
        // hyper's buffer is not initialised, and filling it in place needs unsafe code; this copies a little instead.
        let mut piece = [0; 8 << 10];
        let most = piece.len().min(buf.remaining());
        let got = std::task::ready!(Pin::new(&mut self.stream).poll_read(cx, &mut piece[..most]))?;
        buf.put_slice(&piece[..got]);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> hyper::rt::Write for Wire<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_adapter::STREAM_BYTES;

    use super::*;

    struct Endless;

    impl AsyncRead for Endless {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<std::io::Result<usize>> {
            buf.fill(b'0');
            Poll::Ready(Ok(buf.len()))
        }
    }

    // CLAUSE FRM-4 SEC-3
    #[test]
    fn a_server_that_never_pauses_lets_others_have_their_turn() {
        let mut wire = Wire { stream: Paced::new(Endless), provisional: Arc::default() };
        let mut cx = Context::from_waker(std::task::Waker::noop());
        for _ in 0..3 {
            let (mut read, mut memory) = (0, [0; 4096]);
            loop {
                let mut buffer = hyper::rt::ReadBuf::new(&mut memory);
                if hyper::rt::Read::poll_read(Pin::new(&mut wire), &mut cx, buffer.unfilled()).is_pending() {
                    break;
                }
                read += buffer.filled().len();
                assert!(read <= STREAM_BYTES, "it never pauses");
            }
            assert_eq!(read, STREAM_BYTES);
        }
    }
}
