//! Responses whose body is read as it comes, of any size and in little memory.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_io::AsyncRead;
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::BodyExt;
use ringcentral_ws_adapter::{is_loopback, not_sent};
use ringcentral_ws_core::{HttpFailure, Phase};
use url::Url;

use crate::https::{Answer, Https, HttpsSender, beside};
use crate::runtime::{Runtime, within};

/// Fused: reading beyond the end is allowed, and not every stream allows it.
type Chunks = stream::Fuse<Pin<Box<dyn Stream<Item = Result<Bytes, DownloadError>> + Send>>>;

/// A body that is being downloaded: a stream of chunks, and an [`AsyncRead`] of `futures-io`. It holds a chunk at a
/// time, at most some 100 KiB with the connection's buffers; while it is not read the server waits. Dropping it ends
/// the connection.
pub struct Download {
    chunks: Chunks,
    /// Read, and not taken by `poll_read` yet.
    rest: Bytes,
    /// What the status made worth reading at once.
    whole: Bytes,
    received: u64,
}

impl Download {
    fn new(chunks: impl Stream<Item = Result<Bytes, DownloadError>> + Send + 'static) -> Self {
        let chunks: Pin<Box<dyn Stream<Item = _> + Send>> = Box::pin(chunks);
        Self { chunks: chunks.fuse(), rest: Bytes::new(), whole: Bytes::new(), received: 0 }
    }

    /// A body that an HTTP client of yours reads ([`HttpsSender::stream`]). The first error ends it, and becomes
    /// [`DownloadError::BrokenOff`].
    pub fn from_stream<E: fmt::Display>(chunks: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Self {
        let told = chunks.scan((0_u64, false), |(received, ended), chunk| {
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
        Self::new(told)
    }

    pub(crate) fn whole(bytes: Bytes) -> Self {
        let only = if bytes.is_empty() { None } else { Some(Ok(bytes.clone())) };
        Self { whole: bytes, ..Self::new(stream::iter(only)) }
    }

    /// All of it, if it is not larger than `limit`.
    async fn read_whole(mut self, limit: usize) -> Result<Bytes, HttpFailure> {
        let mut all = BytesMut::new();
        while let Some(chunk) = self.next().await {
            let chunk = chunk.map_err(|error| lost(&error.to_string()))?;
            if all.len() + chunk.len() > limit {
                return Err(lost(&format!("the answer is larger than {limit} bytes")));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }

    /// Bytes taken so far.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.received
    }

    /// The next chunk, never an empty one. Empty ones let other tasks go first, so that even without end they keep
    /// nobody from anything.
    fn poll_some(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, DownloadError>>> {
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

impl AsRef<[u8]> for Download {
    /// All of the body when the status is no success, for
    /// [`ApiError::from_response`](ringcentral_ws_core::ApiErrorInfo::from_response); else nothing.
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
    /// Errors hold a [`DownloadError`].
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.rest.is_empty() {
            match ready!(self.poll_some(cx)) {
                None => return Poll::Ready(Ok(0)),
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => return Poll::Ready(Err(io::Error::other(error))),
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

/// Why a download ended too early. What was received is good: ask for the rest with [`range`](Self::range).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadError {
    /// Nothing came within `IoLimits::download_read`.
    Stalled {
        /// Bytes received.
        received: u64,
    },
    /// The connection ended before the body did.
    BrokenOff {
        /// Bytes received.
        received: u64,
        /// One line for people.
        message: Box<str>,
    },
}

impl DownloadError {
    /// Bytes received before.
    #[must_use]
    pub const fn received(&self) -> u64 {
        match self {
            Self::Stalled { received } | Self::BrokenOff { received, .. } => *received,
        }
    }

    /// The `Range` header of a request for the rest. A server that supports it answers 206.
    #[must_use]
    pub fn range(&self) -> HeaderValue {
        HeaderValue::try_from(format!("bytes={}-", self.received())).unwrap_or(HeaderValue::from_static("bytes=0-"))
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stalled { received } => write!(f, "the download stalled after {received} bytes"),
            Self::BrokenOff { received, message } => {
                write!(f, "the download broke off after {received} bytes: {message}")
            }
        }
    }
}

impl std::error::Error for DownloadError {}

/// Marks a request whose body is to be streamed.
#[derive(Clone, Debug)]
pub(crate) struct Streamed {
    /// The scheme and authority to ask, if it is not the server's.
    pub(crate) origin: Option<Uri>,
}

/// Sends a request that is to be streamed to the host it is for; the Session knows the server only.
pub(crate) fn readdress(request: &mut Request<Bytes>) {
    let Some(origin) = request.extensions().get::<Streamed>().and_then(|marker| marker.origin.clone()) else { return };
    let mut parts = request.uri().clone().into_parts();
    let origin = origin.into_parts();
    (parts.scheme, parts.authority) = (origin.scheme, origin.authority);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// Carries a [`Download`] in the extensions of a response, which want to be cloned.
#[derive(Clone)]
struct Handle(Arc<Mutex<Option<Download>>>);

/// Takes the download out of a response; what has none was read at once.
pub(crate) fn unwrap<T: Into<Bytes>>(mut response: Response<T>) -> Response<Download> {
    let handle = response.extensions_mut().remove::<Handle>();
    let streamed = handle.and_then(|handle| handle.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    response.map(|whole| streamed.unwrap_or_else(|| Download::whole(whole.into())))
}

/// Hosts beside the server's own that downloads may go to, each with its subdomains.
#[derive(Clone, Debug)]
pub(crate) struct ContentHosts {
    pub(crate) server: Url,
    pub(crate) hosts: Vec<String>,
    pub(crate) allow_insecure: bool,
}

impl ContentHosts {
    /// The access token goes along, so the host must be trusted and the way encrypted.
    pub(crate) fn allow(&self, url: &Url) -> bool {
        if url.origin() == self.server.origin() {
            return true;
        }
        let Some(host) = url.host_str() else { return false };
        let plain_ok = url.scheme() == "http" && (self.allow_insecure || is_loopback(url));
        let below = |name: &String| {
            let name = name.to_ascii_lowercase();
            host.strip_suffix(name.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'))
        };
        (url.scheme() == "https" || plain_ok) && self.hosts.iter().any(below)
    }
}

impl<R: Runtime> Https<R> {
    /// Makes a call by `sender` and leaves the body of a success unread. Redirects of GET and HEAD are followed, to the
    /// server itself and to content hosts.
    pub(crate) async fn download(
        &self,
        sender: Arc<dyn HttpsSender>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, HttpFailure> {
        let mut url = Url::parse(&request.uri().to_string()).map_err(|_| bad("the address cannot be read"))?;
        let follow = matches!(*request.method(), Method::GET | Method::HEAD);
        for _ in 0..=self.limits.redirects {
            if !self.content.allow(&url) {
                return Err(bad(&format!(
                    "downloads do not go to {}: it is no content host",
                    url.origin().ascii_serialization()
                )));
            }
            let mut next = request.clone();
            *next.uri_mut() = url.as_str().parse().map_err(|_| bad("the address cannot be written"))?;
            let answer = Arc::clone(&sender).stream(next).await?;
            let Some(location) = location(&answer).filter(|_| follow) else { return self.deliver(answer).await };
            url = url.join(&location).map_err(|_| lost("the server redirects to what is no address"))?;
        }
        Err(lost("the server redirects too often"))
    }

    /// A success is handed on unread, anything else is read at once.
    async fn deliver(&self, answer: Response<Download>) -> Result<Response<Bytes>, HttpFailure> {
        let (mut head, body) = answer.into_parts();
        if head.status.is_success() {
            head.extensions.insert(Handle(Arc::new(Mutex::new(Some(body)))));
            return Ok(Response::from_parts(head, Bytes::new()));
        }
        let limit = self.limits.response_bytes;
        match within(&self.runtime, self.limits.response_body, body.read_whole(limit)).await {
            None => Err(lost("the answer did not end in time")),
            Some(body) => Ok(Response::from_parts(head, body?)),
        }
    }

    /// The body of this answer, which is read on the connection it came on.
    pub(crate) fn stream_body(self: Arc<Self>, answer: Answer) -> Response<Download> {
        let Answer { head, body, connection } = answer;
        let state = (self, connection, body, 0_u64, false);
        let chunks = stream::unfold(state, |(https, mut connection, mut body, received, ended)| async move {
            if ended {
                return None;
            }
            loop {
                let frame = beside(body.frame(), &mut connection.work);
                let error = match within(&https.runtime, https.limits.download_read, frame).await {
                    None => DownloadError::Stalled { received },
                    Some(None) => {
                        https.keep(connection);
                        return None;
                    }
                    Some(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => {
                            let total = received + data.len() as u64;
                            return Some((Ok(data), (https, connection, body, total, false)));
                        }
                        Err(_trailers) => continue,
                    },
                    Some(Some(Err(error))) => DownloadError::BrokenOff { received, message: error.to_string().into() },
                };
                return Some((Err(error), (https, connection, body, received, true)));
            }
        });
        Response::from_parts(head, Download::new(chunks))
    }
}

/// Where a redirect leads.
fn location(answer: &Response<Download>) -> Option<String> {
    let redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = answer.headers().get(header::LOCATION).filter(|_| redirect)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

fn bad(why: &str) -> HttpFailure {
    not_sent(Phase::Dns, why)
}

fn lost(why: &str) -> HttpFailure {
    HttpFailure { phase: Phase::Response, not_sent: false, message: why.into() }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_token_goes_to_trusted_hosts_only() {
        let server = "https://platform.ringcentral.com".parse().unwrap();
        let content = ContentHosts { server, hosts: vec!["ringcentral.com".into()], allow_insecure: false };
        let allow = |url: &str| content.allow(&url.parse().unwrap());
        assert!(allow("https://media.ringcentral.com/x") && allow("https://platform.ringcentral.com/x"));
        assert!(allow("https://a.b.RingCentral.com/x") && allow("https://ringcentral.com/"));
        for foreign in [
            "http://media.ringcentral.com/",
            "https://media.ringcentral.com.example/",
            "https://notringcentral.com/",
            "https://user@h.example/ringcentral.com",
            "ftp://media.ringcentral.com/",
        ] {
            assert!(!allow(foreign), "{foreign}");
        }
    }

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

    #[test]
    fn errors_say_how_to_go_on() {
        let error = DownloadError::BrokenOff { received: 7, message: "reset".into() };
        assert_eq!((error.received(), error.range()), (7, HeaderValue::from_static("bytes=7-")));
        assert!(error.to_string().contains("after 7 bytes"));
    }
}
