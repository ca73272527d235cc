//! The request that opens a connection, and the answers to calls.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use data_encoding::BASE64;
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

/// More than any head of a request here.
const LONGEST_HEAD: usize = 64 << 10;

/// The first request on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Its method.
    pub method: String,
    /// Its path, without the query.
    pub path: String,
    /// Its query, as it was sent; it may be empty.
    pub query: String,
    /// Its head, the empty line included.
    pub head: String,
    /// How many connections began with a request to this path before.
    pub number: usize,
}

impl Opening {
    /// `None` when the connection ends before the head does, or it is no request.
    pub(super) fn read(mut stream: &TcpStream) -> Option<Self> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") && head.len() < LONGEST_HEAD {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).ok()?;
        let mut words = head.lines().next()?.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        Some(Self { method, path, query, head, number: 0 })
    }

    /// Whether it asks for a WebSocket.
    #[must_use]
    pub fn is_upgrade(&self) -> bool {
        self.header("upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// Whether it presents a recovery token.
    #[must_use]
    pub fn has_handle(&self) -> bool {
        self.query.split('&').any(|pair| pair.starts_with("wsc="))
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The answer that RFC 6455 asks for.
    pub(super) fn upgraded(&self) -> Vec<u8> {
        let accept = accept(self.header("sec-websocket-key").unwrap_or_default());
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade";
        format!("{head}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").into_bytes()
    }
}

/// `Sec-WebSocket-Accept` for a key.
fn accept(key: &str) -> String {
    BASE64.encode(&Sha1::digest(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")))
}

/// A whole response with a JSON body, after which the connection ends.
#[must_use]
pub fn response(status: u16, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    let head = "Content-Type: application/json\r\nConnection: close";
    format!("HTTP/1.1 {status} X\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

/// Answers a call as the real service does when all is well.
pub(super) fn answer(opening: &Opening, address: SocketAddr, mut stream: &TcpStream) -> io::Result<()> {
    let (status, body) = match (opening.method.as_str(), opening.path.as_str()) {
        ("POST", "/restapi/oauth/token") => {
            (200, json!({"access_token": "a", "token_type": "bearer", "expires_in": 3600}))
        }
        ("POST", "/restapi/oauth/wstoken") => {
            let uri = format!("ws://{address}/ws");
            (200, json!({"uri": uri, "ws_access_token": format!("w{}", opening.number), "expires_in": 600}))
        }
        ("POST", "/restapi/oauth/revoke") => (200, json!({})),
        _ => (404, json!({"errorCode": "CMN-102", "message": "Resource is not found"})),
    };
    stream.write_all(&response(status, &body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_answered_as_in_the_standard() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
