//! TLS, or its absence towards loopback.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use futures_rustls::TlsConnector;
use futures_rustls::client::TlsStream;
use ringcentral_ws_adapter::STREAM_BYTES;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

/// A TCP stream with or without TLS on it.
#[derive(Debug)]
pub(crate) enum Transport<S> {
    Plain(S),
    Tls(Box<TlsStream<Paced<S>>>),
}

impl<S> Transport<S> {
    /// The TLS connection, if there is one.
    pub(crate) fn tls(&mut self) -> Option<&mut ClientConnection> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => Some(stream.get_mut().1),
        }
    }

    /// A turn of reading begins, which is bounded above TLS.
    pub(crate) fn begin_turn(&mut self) {
        if let Self::Tls(stream) = self {
            stream.get_mut().0.in_a_row = 0;
        }
    }
}

/// A stream below TLS or HTTP that lets others have their turn after so many bytes in a row. TLS reads on by itself as long as
/// there are bytes and they are nothing for the layer above, as session tickets are, of which a server may send any
/// number.
#[derive(Debug)]
pub(crate) struct Paced<S> {
    stream: S,
    in_a_row: usize,
}

impl<S> Paced<S> {
    pub(crate) const fn new(stream: S) -> Self {
        Self { stream, in_a_row: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.in_a_row >= STREAM_BYTES {
            self.in_a_row = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        match &read {
            Poll::Ready(Ok(count)) => self.in_a_row += count,
            _ => self.in_a_row = 0,
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

pub(crate) async fn encrypt<S>(tls: Arc<ClientConfig>, name: ServerName<'static>, stream: S) -> io::Result<Transport<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TlsConnector::from(tls).connect(name, Paced::new(stream)).await?;
    Ok(Transport::Tls(Box::new(stream)))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Transport<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_read(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Transport<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_write(cx, buf),
            Self::Tls(s) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_flush(cx),
            Self::Tls(s) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(s) => Pin::new(s).poll_close(cx),
            Self::Tls(s) => Pin::new(s).poll_close(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{AsyncReadExt, AsyncWriteExt, FutureExt};

    use super::*;
    use crate::testing::{block_on, pipe};

    // CLAUSE FRM-4
    #[test]
    fn many_bytes_in_a_row_are_read_in_turns() {
        let (mut far, near) = pipe(2 * STREAM_BYTES);
        let mut near = Paced { stream: near, in_a_row: 0 };
        block_on(async {
            far.write_all(&vec![7; 2 * STREAM_BYTES]).await.unwrap();
            let mut piece = [0; 4096];
            let mut bytes = 0;
            while let Some(count) = near.read(&mut piece).now_or_never() {
                bytes += count.unwrap();
            }
            assert_eq!(bytes, STREAM_BYTES);
            // It asked to be looked at again, so awaiting it does not hang.
            near.read_exact(&mut vec![0; STREAM_BYTES]).await.unwrap();
        });
    }
}
