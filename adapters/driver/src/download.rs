//! Responses whose body is read as it comes, of any size and in little memory.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_channel::Receiver;
use bytes::{Bytes, BytesMut};
use futures_io::AsyncRead;
use futures_util::{Stream, StreamExt, stream};
use ringcentral_ws_adapter::{DownloadError, body_is_too_large, lost};
use ringcentral_ws_core::HttpFailure;

/// Fused: reading beyond the end is allowed, and not every stream allows it.
type Chunks = stream::Fuse<Pin<Box<dyn Stream<Item = Result<Bytes, DownloadError>> + Send>>>;

/// A response body that is read as it arrives: a stream of chunks, and an [`AsyncRead`] of `futures-io`. It holds one
/// chunk at a time, about 100 KiB with the buffers of the connection. While it is not read, TCP makes the server wait.
///
/// Reading fails at once after [`Client::close`](crate::Client::close), and when the last handle of the client is
/// dropped ([`DownloadError::ClientEnded`]). Dropping the download closes its connection.
pub struct Download {
    chunks: Chunks,
    /// Read, and not taken by `poll_read` yet.
    rest: Bytes,
    /// What the status made worth reading at once.
    whole: Bytes,
    received: u64,
    /// What the server said it would send.
    length: Option<u64>,
    /// Closed when the client ends.
    client: Option<Pin<Box<Receiver<Infallible>>>>,
}

impl Download {
    pub(crate) fn new(chunks: impl Stream<Item = Result<Bytes, DownloadError>> + Send + 'static) -> Self {
        let chunks: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(chunks);
        Self { chunks: chunks.fuse(), rest: Bytes::new(), whole: Bytes::new(), received: 0, length: None, client: None }
    }

    /// A body that another HTTP client reads, for [`HttpsSender::stream`](crate::HttpsSender::stream). The first error
    /// ends it and becomes [`DownloadError::BrokenOff`].
    pub fn from_stream<E: fmt::Display>(chunks: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Self {
        let counted = chunks.scan((0_u64, false), |(received, ended), chunk| {
            let next = match chunk {
                _ if *ended => None,
                Ok(chunk) => {
                    *received += chunk.len() as u64;
                    Some(Ok(chunk))
                }
                Err(error) => {
                    *ended = true;
                    Some(Err(DownloadError::BrokenOff { received: *received, message: error.to_string().into() }))
                }
            };
            std::future::ready(next)
        });
        Self::new(counted)
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        let only = if bytes.is_empty() { None } else { Some(Ok(bytes.clone())) };
        Self { whole: bytes, ..Self::new(stream::iter(only)) }
    }

    /// It ends with the client, whose end closes `client`; `length` is what the server said it would send.
    pub(crate) fn within(self, client: Option<Receiver<Infallible>>, length: Option<u64>) -> Self {
        Self { length, client: client.map(Box::pin), ..self }
    }

    /// All of it, if it is not larger than `limit`.
    pub(crate) async fn read_whole(mut self, limit: usize) -> Result<Bytes, HttpFailure> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk.map_err(|error| lost(&error.to_string()))?;
            if all.len() + chunk.len() > limit {
                return Err(body_is_too_large(limit));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// How many bytes have been read.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// The next chunk, never an empty one. Empty ones let other tasks go first, so that even without end they keep
    /// nobody from anything.
    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, DownloadError>>> {
        if let Some(client) = &mut self.client
            && client.as_mut().poll_next(cx).is_ready()
        {
            self.client = None;
            self.chunks = none();
            let error = DownloadError::ClientEnded { received: self.received };
            return Poll::Ready((self.length != Some(self.received)).then_some(Err(error)));
        }
        match ready!(self.chunks.poll_next_unpin(cx)) {
            Some(Ok(chunk)) if chunk.is_empty() => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            next => Poll::Ready(next),
        }
    }

    /// The next chunk; `None` at the end.
    pub async fn chunk(&mut self) -> Option<Result<Bytes, DownloadError>> {
        self.next().await
    }
}

fn none() -> Chunks {
    let none: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(stream::empty());
    none.fuse()
}

impl AsRef<[u8]> for Download {
    /// The whole body if the status is an error, for
    /// [`ApiError::from_response`](ringcentral_ws_core::ApiError::from_response); otherwise empty.
    fn as_ref(&self) -> &[u8] {
        &self.whole
    }
}

impl Stream for Download {
    type Item = Result<Bytes, DownloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next =
            if self.rest.is_empty() { ready!(self.poll_some(cx)) } else { Some(Ok(std::mem::take(&mut self.rest))) };
        if let Some(Ok(chunk)) = &next {
            self.received += chunk.len() as u64;
        }
        Poll::Ready(next)
    }
}

impl AsyncRead for Download {
    /// Errors contain a [`DownloadError`].
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.rest.is_empty() {
            match ready!(self.poll_some(cx)) {
                None => return Poll::Ready(Ok(0)),
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => return Poll::Ready(Err(error.into())),
            }
        }
        let count = buf.len().min(self.rest.len());
        buf[..count].copy_from_slice(&self.rest.split_to(count));
        self.received += count as u64;
        Poll::Ready(Ok(count))
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("received", &self.received).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_body_may_be_read_beyond_its_end() {
        let chunks =
            stream::unfold(
                Some("ab"),
                |left| async move { left.map(|text| (Ok::<_, DownloadError>(text.into()), None)) },
            );
        let mut download = Download::from_stream(chunks);
        let mut read =
            |buf: &mut [u8]| futures_util::AsyncReadExt::read(&mut download, buf).now_or_never().unwrap().unwrap();
        let mut buf = [0; 8];
        assert_eq!([read(&mut buf), read(&mut buf), read(&mut buf)], [2, 0, 0]);
    }

    #[test]
    fn empty_chunks_without_end_leave_the_task_to_others() {
        let mut download = Download::from_stream(stream::repeat(Ok::<_, DownloadError>(Bytes::new())));
        assert!(download.chunk().now_or_never().is_none());
        let mut some =
            Download::from_stream(stream::iter(["", "a", ""].map(|text| Ok::<_, DownloadError>(text.into()))));
        assert_eq!(read_all(&mut some), "a");
    }

    /// All of it; whoever waits is woken.
    fn read_all(download: &mut Download) -> String {
        let mut all = String::new();
        crate::testing::block_on(async {
            while let Some(chunk) = download.chunk().await {
                let chunk = chunk.unwrap();
                assert!(!chunk.is_empty());
                all.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        });
        all
    }
}
