//! What any client has to do with a notification: the floor that the others are measured against.

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::Message;
use async_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The head of a message.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

/// The body of a notification.
#[derive(Deserialize)]
struct Payload<'a> {
    uuid: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

/// What a loop does with each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Takes it.
    Receive,
    /// Reads what any client reads, without a copy.
    Parse,
}

impl Work {
    /// Does it; says how many bytes it saw.
    ///
    /// # Panics
    ///
    /// If it is no notification.
    #[must_use]
    pub fn on(self, text: &str) -> usize {
        if self == Self::Receive {
            return text.len();
        }
        let (meta, payload): (Meta<'_>, Payload<'_>) = serde_json::from_str(text).expect("a notification");
        assert_eq!(meta.kind, "ServerNotification");
        payload.uuid.len() + payload.body.get().len()
    }
}

/// What a client sends to be upgraded.
pub const UPGRADE: &str = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/// What it sends then, to be sent a flood.
#[must_use]
pub fn subscription(filter: &str) -> String {
    format!(r#"[{{"type":"ClientRequest","messageId":"1"}},{{"eventFilters":["{filter}"]}}]"#)
}

/// The settings of a WebSocket with this read buffer.
#[must_use]
pub fn buffered(read_buffer: usize) -> WebSocketConfig {
    WebSocketConfig::default().read_buffer_size(read_buffer).write_buffer_size(4096).max_frame_size(None)
}

/// A WebSocket that has subscribed to `filter`, and its stream if it is not used as a WebSocket.
///
/// # Panics
///
/// If the server does not do its part.
pub async fn subscribed<S>(mut stream: S, filter: &str, config: WebSocketConfig) -> WebSocketStream<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(UPGRADE.as_bytes()).await.expect("a server");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("an answer");
        head.push(byte[0]);
    }
    let mut socket = WebSocketStream::from_partially_read(stream, Vec::new(), Role::Client, Some(config)).await;
    let _details = socket.next().await;
    socket.send(Message::text(subscription(filter))).await.expect("a server");
    socket
}

/// Takes the answer to the subscription and so many notifications.
///
/// # Panics
///
/// If the server does not do its part.
pub async fn receive<S>(socket: &mut WebSocketStream<S>, count: usize, work: Work) -> usize
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let _answer = socket.next().await;
    let (mut seen, mut bytes) = (0, 0);
    while seen < count {
        let Message::Text(text) = socket.next().await.expect("more").expect("a message") else { continue };
        bytes += work.on(&text);
        seen += 1;
    }
    bytes
}
