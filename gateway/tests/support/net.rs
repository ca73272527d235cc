//! A client of the real server, as small as can be.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use ringcentral_ws_gateway::Server;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Nothing on a loopback takes this long.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// One HTTP/1.1 request on a connection of its own.
pub fn http(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut request = format!("{method} {target} HTTP/1.1\r\nConnection: close\r\n");
    if headers.iter().all(|(name, _)| *name != "Host") {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let split = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..split].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: bytes[split + 4..].to_vec() }
}

/// Logs in and returns the `Authorization` header.
pub fn log_in(server: &Server) -> String {
    let form = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=gateway.user-0.jwt";
    let basic = ("Authorization", "Basic Z2F0ZXdheS1jbGllbnQtaWQ6Z2F0ZXdheS1jbGllbnQtc2VjcmV0");
    let answer = http(server.address(), "POST", "/restapi/oauth/token", &[basic], form);
    assert_eq!(answer.status, 200);
    format!("Bearer {}", answer.json()["access_token"].as_str().unwrap())
}

pub type Socket = WebSocketStream<tokio::net::TcpStream>;

/// Opens a socket with a token of its own.
pub async fn connect(server: &Server, authorization: &str, wsc: Option<&str>) -> Result<Socket, Error> {
    let answer = http(server.address(), "POST", "/restapi/oauth/wstoken", &[("Authorization", authorization)], "");
    assert_eq!(answer.status, 200);
    let answer = answer.json();
    let (uri, token) = (answer["uri"].as_str().unwrap(), answer["ws_access_token"].as_str().unwrap());
    let wsc = wsc.map_or(String::new(), |wsc| format!("&wsc={wsc}"));
    let tcp = tokio::net::TcpStream::connect(server.address()).await.map_err(Error::Io)?;
    let (socket, _) = tokio_tungstenite::client_async(format!("{uri}?access_token={token}{wsc}"), tcp).await?;
    Ok(socket)
}

/// The next text frame, as it is.
pub async fn text(socket: &mut Socket) -> String {
    let next = tokio::time::timeout(DEADLINE, socket.next()).await.expect("a frame in time");
    next.expect("an open socket").expect("a whole frame").into_text().unwrap().to_string()
}

pub async fn frame(socket: &mut Socket) -> Value {
    serde_json::from_str(&text(socket).await).unwrap()
}

/// The end of a socket: what came in place of a frame.
pub async fn end(socket: &mut Socket) -> Option<Result<Message, Error>> {
    tokio::time::timeout(DEADLINE, socket.next()).await.expect("an end in time")
}

pub async fn send(socket: &mut Socket, frame: &Value) {
    socket.send(Message::text(frame.to_string())).await.unwrap();
}

pub async fn subscribe(socket: &mut Socket, filters: &[&str]) -> Value {
    let meta =
        json!({"type": "ClientRequest", "messageId": "s", "method": "POST", "path": "/restapi/v1.0/subscription"});
    let body = json!({"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}});
    send(socket, &json!([meta, body])).await;
    frame(socket).await
}
