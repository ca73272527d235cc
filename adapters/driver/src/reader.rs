//! The stream below a WebSocket: read in small pieces when little comes, in large ones when much does.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use ringcentral_ws_adapter::{Below, LARGE_READ};

/// A stream whose small reads are served from one large read as long as they come back full. Its buffer stays until
/// [`rest`](Self::rest), so that a burst that comes in pieces makes it once.
#[derive(Debug)]
pub(crate) struct AdaptiveReader<S> {
    pub(crate) stream: S,
    /// Empty unless much is coming.
    buffer: Vec<u8>,
    /// What of `buffer` has not been given away.
    start: usize,
    end: usize,
    /// The last read came back full.
    more: bool,
    pub(crate) below: Below,
}

impl<S> AdaptiveReader<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), start: 0, end: 0, more: false, below: Below::default() }
    }

    /// Lets go of the buffer. Nothing may be under way.
    pub(crate) fn rest(&mut self) {
        debug_assert_eq!(self.start, self.end, "all was given away");
        self.buffer = Vec::new();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for AdaptiveReader<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.below.may_read()? {
            // Whoever began the turn goes on by himself.
            return Poll::Pending;
        }
        if this.start == this.end {
            if !this.more || buf.len() >= LARGE_READ {
                let got = ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
                this.more = got == buf.len() && got > 0;
                this.below.read(&buf[..got]);
                return Poll::Ready(Ok(got));
            }
            if this.buffer.is_empty() {
                this.buffer = vec![0; LARGE_READ];
            }
            let Poll::Ready(read) = Pin::new(&mut this.stream).poll_read(cx, &mut this.buffer) else {
                this.more = false;
                return Poll::Pending;
            };
            (this.start, this.end) = (0, read?);
        }
        let count = buf.len().min(this.end - this.start);
        buf[..count].copy_from_slice(&this.buffer[this.start..this.start + count]);
        this.start += count;
        this.below.read(&buf[..count]);
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for AdaptiveReader<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        // What never leaves takes no room and waits for nothing.
        if self.below.failed().is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, buf));
        Poll::Ready(self.below.wrote(written, buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.below.failed().is_some() {
            return Poll::Ready(Ok(()));
        }
        let flushed = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        Poll::Ready(self.below.flushed(flushed))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{AsyncReadExt, AsyncWriteExt, FutureExt};

    use super::*;
    use crate::testing::{block_on, pipe};

    #[test]
    fn a_flood_is_read_whole_and_leaves_no_buffer() {
        let (mut far, near) = pipe(1 << 20);
        let mut near = AdaptiveReader::new(near);
        let sent: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        block_on(async {
            far.write_all(&sent).await.unwrap();
            let mut got = Vec::new();
            let mut piece = [0; 100];
            while let Some(count) = near.read(&mut piece).now_or_never() {
                got.extend_from_slice(&piece[..count.unwrap()]);
            }
            assert!(got == sent);
            assert!(!near.more, "the next read is a small one");
            near.rest();
            assert_eq!(near.buffer.capacity(), 0, "nothing is held while nothing comes");
            far.write_all(b"x").await.unwrap();
            drop(far);
            assert_eq!(near.read(&mut piece).await.unwrap(), 1);
            assert_eq!(near.read(&mut piece).await.unwrap(), 0);
        });
    }
}
