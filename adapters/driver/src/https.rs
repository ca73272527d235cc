//! HTTP/1.1 over any runtime's streams: one call at a time on each connection, a few connections kept for the next.

mod connection;
mod download;

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream;
use http::response::Parts;
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use ringcentral_ws_adapter::{
    Call, DownloadError, IoLimits, Net, StartError, Target, body_broke_off, body_is_late, body_is_too_large, frame,
    gzip, head_is_late, lost, not_sent,
};
use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::ClientConfig;

use self::connection::Connection;
use crate::dial::dial;
use crate::download::Download;
use crate::runtime::{Runtime, within};

/// Makes HTTPS calls. The trait is dyn-compatible, so credential sources do not depend on the runtime.
pub trait HttpsSender: Send + Sync {
    /// Sends one request with an absolute URI and returns the whole answer. Every status is `Ok`. Redirects are not
    /// followed.
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>>;

    /// Sends one request and returns the head of its answer; the body is read later, as it arrives.
    /// [`Client::download`](crate::Client::download) calls it, and follows redirects itself. Make the body with
    /// [`Download::from_stream`]. The default reads the whole body into memory with [`send`](Self::send).
    fn stream(self: Arc<Self>, request: Request<Bytes>) -> BoxFuture<'static, Result<Response<Download>, HttpFailure>>
    where
        Self: 'static,
    {
        Box::pin(async move { Ok(self.send(request).await?.map(Download::whole)) })
    }
}

/// Clients that share one make their calls over the same connections.
impl<T: HttpsSender + ?Sized> HttpsSender for Arc<T> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
        T::send(self, request)
    }

    fn stream(self: Arc<Self>, request: Request<Bytes>) -> BoxFuture<'static, Result<Response<Download>, HttpFailure>>
    where
        Self: 'static,
    {
        T::stream(Arc::clone(&self), request)
    }
}

/// A client for HTTPS calls outside of a session, such as the exchange of an authorization code. It takes the proxy
/// from the environment, and `tls` in place of [`default_tls`](crate::default_tls).
///
/// Plain http goes to this machine only, because the calls carry credentials; other addresses are refused unsent
/// ([`HttpFailure::not_sent`](ringcentral_ws_core::HttpFailure::not_sent)). On a test network without TLS make the calls
/// with a client, whose [`Config::allow_insecure`](ringcentral_ws_core::Config::allow_insecure) permits it, or implement
/// [`HttpsSender`].
///
/// # Errors
///
/// [`StartError`] when the environment names a proxy that cannot be used, or there are no TLS settings.
pub fn https_client<R: Runtime>(
    runtime: R,
    limits: IoLimits,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Arc<dyn HttpsSender>, StartError> {
    Ok(Arc::new(Https::new(runtime, Net::outside_session(limits, tls)?)))
}

/// The driver's own [`HttpsSender`].
pub(crate) struct Https<R: Runtime> {
    pub(crate) runtime: R,
    pub(crate) net: Net,
    /// Of the client, with which what it downloads ends.
    pub(crate) client: Option<Lifetime>,
    idle: Mutex<Vec<Idle>>,
}

/// How long a client lives, for those who wait for its end.
#[derive(Debug, Default)]
pub(crate) struct Lifetime(Mutex<Life>);

#[derive(Debug, Default)]
enum Life {
    /// Nobody has asked for its end.
    #[default]
    Unwatched,
    /// The channel is closed at its end.
    Watched(Sender<Infallible>, Receiver<Infallible>),
    Over,
}

impl Lifetime {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closed when the client ends.
    fn watch(&self) -> Receiver<Infallible> {
        let mut life = self.life();
        if let Life::Watched(_, end) = &*life {
            return end.clone();
        }
        let (alive, end) = async_channel::bounded(1);
        if matches!(*life, Life::Unwatched) {
            *life = Life::Watched(alive, end.clone());
        }
        end
    }
}

/// A response whose body is still to be read, and the connection it comes on.
struct Answer {
    head: Parts,
    body: Incoming,
    connection: Connection,
}

struct Idle {
    connection: Connection,
    /// When it was put here; it is trusted for a while only.
    since: std::time::Duration,
}

impl<R: Runtime> HttpsSender for Https<R> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
        Box::pin(self.call(request))
    }

    fn stream(self: Arc<Self>, request: Request<Bytes>) -> BoxFuture<'static, Result<Response<Download>, HttpFailure>> {
        Box::pin(async move {
            let answer = self.begin(request).await?;
            if answer.head.status.is_success() {
                return Ok(self.stream_body(answer));
            }
            Ok(self.whole(answer).await?.map(Download::whole))
        })
    }
}

impl<R: Runtime> Https<R> {
    pub(crate) const fn new(runtime: R, net: Net) -> Self {
        Self { runtime, net, client: None, idle: Mutex::new(Vec::new()) }
    }

    async fn call(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
        gzip::accept(request.headers_mut());
        self.whole(self.begin(request).await?).await
    }

    /// Makes a call up to the head of its response.
    async fn begin(&self, request: Request<Bytes>) -> Result<Answer, HttpFailure> {
        let call = Call::of(&request, self.net.content.allow_insecure)?;
        let request = as_written(request)?;
        let answer = self.exchange(call.target().clone(), request).await;
        call.ended(answer, |answer| answer.head.status)
    }

    async fn exchange(&self, target: Target, mut request: Request<Full<Bytes>>) -> Result<Answer, HttpFailure> {
        // A kept connection may have ended meanwhile; then the request comes back unsent and takes a new one.
        while let Some(mut kept) = self.take(&target) {
            match self.on_connection(&mut kept, request).await {
                Ok((head, body)) => return Ok(Answer { head, body, connection: kept }),
                Err((failure, None)) => return Err(failure),
                Err((_, Some(unsent))) => request = unsent,
            }
        }
        let mut fresh = self.open(target).await?;
        match self.on_connection(&mut fresh, request).await {
            Ok((head, body)) => Ok(Answer { head, body, connection: fresh }),
            Err((failure, _)) => Err(failure),
        }
    }

    async fn open(&self, target: Target) -> Result<Connection, HttpFailure> {
        let stream = dial(&self.runtime, &self.net, &target).await?;
        Connection::new(target, stream).await
    }

    /// Gives the request back when none of it has left.
    async fn on_connection(
        &self,
        connection: &mut Connection,
        request: Request<Full<Bytes>>,
    ) -> Result<(Parts, Incoming), (HttpFailure, Option<Request<Full<Bytes>>>)> {
        let head = within(&self.runtime, self.net.limits.response_head, connection.call(request)).await;
        match head {
            None => Err((head_is_late(), None)),
            Some(answer) => answer.map(Response::into_parts),
        }
    }

    /// Reads the body and keeps the connection for the next call.
    async fn whole(&self, answer: Answer) -> Result<Response<Bytes>, HttpFailure> {
        let Answer { mut head, body, mut connection } = answer;
        let body = connection.during(read(body, self.net.limits.response_bytes));
        let body = match within(&self.runtime, self.net.limits.response_body, body).await {
            None => return Err(body_is_late()),
            Some(body) => body?,
        };
        self.keep(connection);
        let unpacked = gzip::unpack(&mut head.headers, body, self.net.limits.response_bytes);
        Ok(Response::from_parts(head, unpacked.map_err(|message| lost(&message))?))
    }

    /// The body of this answer, which is read on the connection it came on.
    fn stream_body(self: Arc<Self>, answer: Answer) -> Response<Download> {
        let Answer { head, body, connection } = answer;
        let state = (self, connection, body, 0_u64, false);
        let chunks = stream::unfold(state, |(https, mut connection, mut body, received, ended)| async move {
            if ended {
                return None;
            }
            loop {
                let frame = connection.during(body.frame());
                let error = match within(&https.runtime, https.net.limits.download_read, frame).await {
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

    fn take(&self, target: &Target) -> Option<Connection> {
        self.sweep();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let at = idle.iter().position(|kept| kept.connection.target() == target)?;
        Some(idle.swap_remove(at).connection)
    }

    /// Closes kept connections that are too old to be used.
    pub(crate) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !idle.is_empty() {
            let now = self.runtime.clocks().boot;
            idle.retain(|kept| now.saturating_sub(kept.since) < self.net.limits.idle_time);
        }
    }

    /// What is downloaded ends.
    pub(crate) fn client_ended(&self) {
        if let Some(client) = &self.client {
            let life = std::mem::replace(&mut *client.life(), Life::Over);
            if let Life::Watched(alive, _) = life {
                alive.close();
            }
        }
    }

    /// Closed when the client ends.
    fn client_end(&self) -> Option<Receiver<Infallible>> {
        self.client.as_ref().map(Lifetime::watch)
    }

    /// Closes all kept connections.
    pub(crate) fn close_kept(&self) {
        let kept = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        // Not under the lock.
        drop(kept);
    }

    fn keep(&self, connection: Connection) {
        if !connection.is_open() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() >= self.net.limits.idle_connections && !idle.is_empty() {
            idle.remove(0);
        }
        if idle.len() < self.net.limits.idle_connections {
            idle.push(Idle { connection, since: self.runtime.clocks().boot });
        }
    }
}

/// Turns a request into what goes on the wire.
fn as_written(request: Request<Bytes>) -> Result<Request<Full<Bytes>>, HttpFailure> {
    let bad = |why: &str| not_sent(Phase::Dns, why);
    let (mut head, body) = request.into_parts();
    let authority = head.uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = HeaderValue::from_str(host).map_err(|_| bad("the host cannot be written"))?;
    frame(&head.method, &mut head.headers, body.len());
    head.headers.insert(header::HOST, host);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    head.uri = path.parse::<Uri>().map_err(|_| bad("the path cannot be written"))?;
    Ok(Request::from_parts(head, Full::new(body)))
}

async fn read(body: Incoming, limit: usize) -> Result<Bytes, HttpFailure> {
    match Limited::new(body, limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(body_is_too_large(limit)),
        Err(error) => Err(body_broke_off(error)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::testing::{Memory, Pipe, block_on, net, pipe};

    fn client(streams: Vec<Pipe>, limits: IoLimits) -> Https<Memory> {
        let runtime = Memory { streams: Arc::new(Mutex::new(streams.into())), stuck: false };
        Https::new(runtime, net(limits))
    }

    fn get(uri: &str) -> Request<Bytes> {
        Request::get(uri).body(Bytes::new()).unwrap()
    }

    /// Reads one request without a body and answers it.
    async fn answer(server: &mut Pipe, reply: &str) -> String {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            server.read_exact(&mut byte).await.unwrap();
            request.push(byte[0]);
        }
        server.write_all(reply.as_bytes()).await.unwrap();
        String::from_utf8(request).unwrap()
    }

    const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

    #[test]
    fn connections_are_kept_and_replaced_when_they_end() {
        let ((a, mut first), (b, mut second)) = (pipe(64), pipe(64));
        let https = client(vec![a, b], IoLimits::default());
        block_on(async {
            for _ in 0..2 {
                let (reply, seen) =
                    futures_util::future::join(https.send(get("http://127.0.0.1:8/p?q=1")), answer(&mut first, OK))
                        .await;
                assert_eq!(&reply.unwrap().body()[..], b"ok");
                assert!(seen.starts_with("GET /p?q=1 HTTP/1.1\r\n") && seen.contains("host: 127.0.0.1:8"), "{seen}");
            }
            drop(first);
            let call = https.send(get("http://127.0.0.1:8/"));
            let (reply, _) = futures_util::future::join(call, answer(&mut second, OK)).await;
            assert_eq!(reply.unwrap().status(), 200, "the kept connection had ended, so a new one was made");
        });
    }

    #[test]
    fn those_who_share_a_client_share_its_connections() {
        let (a, mut server) = pipe(64);
        let one = Arc::new(client(vec![a], IoLimits::default()));
        let other: Arc<dyn HttpsSender> = Arc::clone(&one) as _;
        block_on(async {
            for sender in [Arc::new(one) as Arc<dyn HttpsSender>, Arc::new(other)] {
                let call = sender.send(get("http://localhost/"));
                let (reply, _) = futures_util::future::join(call, answer(&mut server, OK)).await;
                assert_eq!(&reply.unwrap().body()[..], b"ok");
                let call = Arc::clone(&sender).stream(get("http://localhost/"));
                let (reply, _) = futures_util::future::join(call, answer(&mut server, OK)).await;
                let mut body = reply.unwrap().into_body();
                assert_eq!(body.chunk().await.unwrap().unwrap(), &b"ok"[..]);
                assert!(body.chunk().await.is_none());
            }
        });
    }

    #[test]
    fn old_connections_are_closed() {
        let (a, mut server) = pipe(64);
        let https = client(vec![a], IoLimits { idle_time: std::time::Duration::ZERO, ..IoLimits::default() });
        block_on(async {
            let call = https.send(get("http://localhost/"));
            let (reply, _) = futures_util::future::join(call, answer(&mut server, OK)).await;
            assert_eq!(reply.unwrap().status(), 200);
            https.sweep();
            assert_eq!(server.read(&mut [0]).await.unwrap(), 0, "closed, not only forgotten");
        });
    }

    #[test]
    fn failures_say_how_far_it_came() {
        block_on(async {
            let refused = client(Vec::new(), IoLimits::default()).send(get("http://localhost/")).await.unwrap_err();
            assert_eq!((refused.phase, refused.not_sent), (Phase::Tcp, true));
            let stuck = Https::new(Memory { stuck: true, ..Memory::default() }, net(IoLimits::default()));
            let slow = stuck.send(get("http://localhost/")).await.unwrap_err();
            assert_eq!((slow.phase, slow.not_sent), (Phase::Dns, true));
            let plain = stuck.send(get("http://h.example/")).await.unwrap_err();
            assert!(plain.not_sent && plain.message.contains("https"), "{plain:?}");

            let (a, server) = pipe(64);
            drop(server);
            let lost = client(vec![a], IoLimits::default()).send(get("http://localhost/")).await.unwrap_err();
            assert_eq!(lost.phase, Phase::Request);

            let (a, mut server) = pipe(64);
            let https = client(vec![a], IoLimits { response_bytes: 1, ..IoLimits::default() });
            let (large, _) =
                futures_util::future::join(https.send(get("http://localhost/")), answer(&mut server, OK)).await;
            let large = large.unwrap_err();
            assert_eq!((large.phase, large.not_sent), (Phase::Response, false));
        });
    }
}
