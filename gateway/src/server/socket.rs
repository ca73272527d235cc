//! The task of one WebSocket connection.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::server::shared::{Order, Orders, Shared, What};
use crate::server::stream::Stream;

/// How long the other side has to answer a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a half-open socket is looked at, whether the client has given it up.
const HALF_OPEN_CHECK: Duration = Duration::from_secs(1);
/// The longest close reason a close frame has room for, in bytes.
const MAX_REASON: usize = 123;

/// The largest message from a client, in bytes. The real limit is not known.
const MAX_MESSAGE: usize = 8 * 1024 * 1024;

type Socket = WebSocketStream<Stream>;

/// Why the task of a socket goes on no more.
enum End {
    /// Both sides know.
    Closed,
    /// To be cut without a word.
    Cut,
    /// Nothing more is read or written.
    Silent,
}

pub(super) async fn run(stream: Stream, read: Vec<u8>, mut orders: Orders, shared: Arc<Shared>) {
    // An idle connection should cost kilobytes, and every frame goes out at once.
    let config =
        WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0).max_message_size(Some(MAX_MESSAGE));
    let mut socket = WebSocketStream::from_partially_read(stream, read, Role::Server, Some(config)).await;
    let mut unwritten = None;
    let end = serve(&mut socket, &mut orders, &mut unwritten, &shared).await;
    match end {
        End::Silent => wait_for_client_to_leave(socket.get_ref(), &orders).await,
        End::Cut => socket.get_ref().reset_on_close(),
        End::Closed => {}
    }
    shared.ended(orders, unwritten);
}

/// An upgrade that was promised did not happen.
pub(super) fn never_opened(orders: Orders, shared: &Shared) {
    shared.ended(orders, None);
}

async fn serve(socket: &mut Socket, orders: &mut Orders, next: &mut Option<Order>, shared: &Shared) -> End {
    let conn = orders.conn;
    loop {
        let at = next.as_ref().map_or_else(Instant::now, |order| order.at);
        tokio::select! {
            biased;
            () = orders.cut.notified() => return End::Cut,
            () = due(at), if next.is_some() => {
                let written = tokio::select! {
                    () = orders.cut.notified() => return End::Cut,
                    written = carry_out(socket, next) => written,
                };
                if let Some(end) = written {
                    return end;
                }
            }
            order = orders.queue.recv(), if next.is_none() => match order {
                Some(order) => *next = Some(order),
                None => return End::Cut,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => shared.received(conn, &text),
                Some(Ok(Message::Pong(_))) => shared.call(|gateway, now| gateway.ws_pong(conn, now)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return End::Closed,
            },
        }
    }
}

/// Timers have a resolution of a millisecond; what is due already must not wait for it.
async fn due(at: Instant) {
    if at > Instant::now() {
        sleep_until(at).await;
    }
}

/// Carries the order out and takes it away; an order that fails stays.
async fn carry_out(socket: &mut Socket, order: &mut Option<Order>) -> Option<End> {
    let message = match &order.as_ref()?.what {
        What::Text(text, _) => Message::Text(text.clone()),
        What::Ping => Message::Ping(Default::default()),
        What::Close(code, reason) => {
            close(socket, *code, reason).await;
            return Some(End::Closed);
        }
        What::Silence => return Some(End::Silent),
    };
    match socket.send(message).await {
        Ok(()) => {
            *order = None;
            None
        }
        Err(Error::ConnectionClosed | Error::AlreadyClosed) => Some(End::Closed),
        Err(_) => Some(End::Cut),
    }
}

async fn close(socket: &mut Socket, code: u16, reason: &str) {
    let end = (0..=reason.len().min(MAX_REASON)).rev().find(|end| reason.is_char_boundary(*end));
    let reason = &reason[..end.unwrap_or(0)];
    let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
    let farewell = async {
        if socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = socket.next().await {}
        }
    };
    let _ = timeout(CLOSE_TIMEOUT, farewell).await;
}

/// Keeps a half-open socket until it is cut or the client has closed its side.
async fn wait_for_client_to_leave(stream: &Stream, orders: &Orders) {
    loop {
        tokio::select! {
            () = orders.cut.notified() => return stream.reset_on_close(),
            () = sleep(HALF_OPEN_CHECK) => if stream.peer_has_closed() { return },
        }
    }
}
