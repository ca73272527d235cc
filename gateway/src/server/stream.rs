//! A TCP or TLS connection whose writes can be cut into small pieces.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

#[derive(Debug)]
pub(super) struct Stream {
    io: Io,
    /// Most bytes in one write; 0 for no limit.
    split: Arc<AtomicUsize>,
    /// A piece was written: let the other side run before the next.
    paused: bool,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(super) fn plain(tcp: TcpStream, split: Arc<AtomicUsize>) -> Self {
        Self { io: Io::Plain(tcp), split, paused: false }
    }

    pub(super) fn tls(tls: TlsStream<TcpStream>, split: Arc<AtomicUsize>) -> Self {
        Self { io: Io::Tls(Box::new(tls)), split, paused: false }
    }

    /// From now on closing sends a TCP reset.
    pub(super) fn reset_on_close(&self) {
        let _ = self.tcp().set_zero_linger();
    }

    /// Whether the other side has closed, learnt without reading.
    pub(super) fn peer_has_closed(&self) -> bool {
        match self.tcp().ready(Interest::READABLE).now_or_never() {
            Some(Ok(ready)) => ready.is_read_closed(),
            Some(Err(_)) => true,
            None => false,
        }
    }

    fn tcp(&self) -> &TcpStream {
        match &self.io {
            Io::Plain(tcp) => tcp,
            Io::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Io::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let piece = match self.split.load(Ordering::Relaxed) {
            0 => buf,
            _ if std::mem::take(&mut self.paused) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            limit => &buf[..limit.min(buf.len())],
        };
        let written = match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_write(cx, piece),
            Io::Tls(tls) => Pin::new(tls).poll_write(cx, piece),
        };
        self.paused = written.is_ready() && piece.len() < buf.len();
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Io::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Io::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
