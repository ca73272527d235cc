//! HTTP requests between hyper and the gateway.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Limited};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::server::refusals::Refusals;
use crate::server::shared::Shared;
use crate::server::stream::Stream;
use crate::server::{control, cors, foreign, socket, status};
use crate::{HttpRequest, HttpResponse, Upgrade};

/// Largest request body, in bytes.
const MAX_BODY: usize = 8 * 1024 * 1024;
/// Bytes of filler made at a time.
const CHUNK: u64 = 16 * 1024;

pub(super) async fn answer(
    request: Request<Incoming>,
    refuse: Refusals,
    shared: Arc<Shared>,
) -> io::Result<Response<Reply>> {
    if request.uri().path() == "/ws" {
        return Ok(upgrade(request, &shared));
    }
    let (head, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(_) => return Ok(to_hyper(HttpResponse::new(413, "request body is too large"))),
    };
    let headers = head.headers.iter();
    let request = HttpRequest {
        method: head.method.as_str().to_owned(),
        target: head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned(),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
    };
    if request.target.starts_with("/_gateway/") && shared.loopback {
        if foreign::is_foreign(&request, &shared.call(|gateway, _| gateway.config().base_url.clone())) {
            return Ok(to_hyper(HttpResponse::new(
                403,
                "pages and names of other machines may not command the stand-in",
            )));
        }
        if request.target == "/_gateway/stream" && request.method == "GET" {
            return Ok(follow(&shared));
        }
        return Ok(to_hyper(control::answer(&request, &refuse, &shared)));
    }
    if request.target == "/_gateway" && shared.loopback {
        return Ok(to_hyper(HttpResponse::new(308, Vec::new()).header("Location", "/_gateway/")));
    }
    if let Some(permission) = cors::preflight(&request) {
        return Ok(to_hyper(permission));
    }
    let (response, delay_us) = shared.call(|gateway, now| gateway.http_delayed(&request, now));
    let delay = shared.delay() + std::time::Duration::from_micros(delay_us);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    if shared.loses_answer(&request.method, &request.target) {
        // The connection ends with it.
        return Err(io::Error::other("the answer is lost"));
    }
    Ok(to_hyper(cors::share(&request, response)))
}

/// Answers an upgrade request; the socket gets a task of its own.
fn upgrade(mut request: Request<Incoming>, shared: &Arc<Shared>) -> Response<Reply> {
    let header = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_upgrade = header(header::UPGRADE).is_some_and(|value| value.eq_ignore_ascii_case("websocket"));
    let Some(key) = header(header::SEC_WEBSOCKET_KEY).filter(|_| is_upgrade).map(str::to_owned) else {
        return to_hyper(HttpResponse::new(426, "a WebSocket is served here").header("Upgrade", "websocket"));
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let (answer, orders) = shared.open(target, header(header::AUTHORIZATION));
    if let Upgrade::Refused(response) = answer {
        return to_hyper(response);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let parts = upgraded.await.ok().and_then(|upgraded| upgraded.downcast::<TokioIo<Stream>>().ok());
        match parts {
            Some(parts) => socket::run(parts.io.into_inner(), parts.read_buf.to_vec(), orders, shared).await,
            None => socket::never_opened(orders, &shared),
        }
    });
    let response = HttpResponse::new(101, Vec::new())
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Accept", &derive_accept_key(key.as_bytes()));
    to_hyper(response)
}

/// The status as server-sent events, for as long as the client listens.
fn follow(shared: &Arc<Shared>) -> Response<Reply> {
    let Some(events) = status::follow(shared) else {
        return to_hyper(HttpResponse::new(503, "too many pages follow the status already"));
    };
    let mut response = to_hyper(
        HttpResponse::new(200, Vec::new())
            .header("Content-Type", "text/event-stream")
            .header("Cache-Control", "no-store"),
    );
    response.body_mut().events = Some(events);
    response
}

fn to_hyper(response: HttpResponse) -> Response<Reply> {
    let start = Bytes::from(response.body);
    let reply = Reply { start, offset: 0, filler_len: response.filler_len, events: None };
    let mut answer = Response::new(reply);
    *answer.status_mut() = StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in &response.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

/// A body in memory, then filler made as the client takes it, then what comes without end.
pub(super) struct Reply {
    start: Bytes,
    offset: u64,
    filler_len: u64,
    events: Option<mpsc::Receiver<Bytes>>,
}

impl Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if !self.start.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.start)))));
        }
        let len = CHUNK.min(self.filler_len - self.offset);
        if len == 0 {
            return match &mut self.events {
                Some(events) => events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event)))),
                None => Poll::Ready(None),
            };
        }
        let chunk: Vec<u8> = (self.offset..self.offset + len).map(HttpResponse::filler).collect();
        self.offset += len;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from(chunk)))))
    }

    fn is_end_stream(&self) -> bool {
        self.start.is_empty() && self.offset == self.filler_len && self.events.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.events.is_some() {
            return SizeHint::default();
        }
        SizeHint::with_exact(self.start.len() as u64 + self.filler_len - self.offset)
    }
}
