//! The upgrade to a WebSocket (RFC 6455, section 4): one request, one answer.
//!
//! The URL of a connection is a secret, and the WebSocket libraries write the requests that they make into their logs. So
//! they are not shown this one: it is written here, and they are handed the stream behind the answer.

use std::fmt;
use std::io;

use http::{HeaderMap, StatusCode, Uri, header};
use ringcentral_ws_core::{OpenFailure, Phase, Secret, SecretUrl};
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use url::Position;

use crate::sending::{not_opened, not_upgraded};

/// Longest head of the answer, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// An upgrade that is asked for, without I/O: send [`request`](Self::request), then hand over the answer in any pieces.
pub struct Upgrade {
    request: Secret,
    /// What the answer must prove that it belongs to this request.
    accept: String,
    head: Vec<u8>,
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").field("head", &self.head.len()).finish_non_exhaustive()
    }
}

impl Upgrade {
    /// The upgrade of a connection to this address.
    ///
    /// # Errors
    ///
    /// When the address has no host, or is too long.
    pub fn new(url: &SecretUrl) -> Result<Self, OpenFailure> {
        let url = url.expose();
        let unwritable = || not_opened(Phase::Tls, "the address cannot be written as a request");
        let host = url.host_str().ok_or_else(unwritable)?;
        Uri::try_from(url.as_str()).map_err(|_| unwritable())?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let (key, path) = (generate_key(), &url[Position::BeforePath..Position::AfterQuery]);
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
        );
        Ok(Self { request: request.into(), accept: derive_accept_key(key.as_bytes()), head: Vec::new() })
    }

    /// What to send.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        self.request.expose().as_bytes()
    }

    /// Takes the next bytes of the answer, none at its end. When the answer is whole, what came after it is given back:
    /// the WebSocket reads that first.
    ///
    /// # Errors
    ///
    /// When the server refuses, or answers with what is no answer.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, OpenFailure> {
        if bytes.is_empty() {
            return Err(failed("the connection ended before the upgrade was answered"));
        }
        self.head.extend_from_slice(bytes);
        // Only with the end of a line the head can end.
        if bytes.contains(&b'\n') {
            let parsed = Response::try_parse(&self.head);
            let parsed = parsed.map_err(|_| failed("the answer to the upgrade is not HTTP/1.1"))?;
            if let Some((size, response)) = parsed {
                self.judge(response.status(), response.headers())?;
                return Ok(Some(self.head.split_off(size)));
            }
        }
        if self.head.len() >= MAX_HEAD {
            return Err(failed("the answer to the upgrade is too long"));
        }
        Ok(None)
    }

    fn judge(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), OpenFailure> {
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(not_upgraded(status, headers));
        }
        let has = |name, word: &str| {
            let mut words = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
            words.any(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(word)))
        };
        let wrong = if !has(header::UPGRADE, "websocket") {
            "it has no `Upgrade: websocket`"
        } else if !has(header::CONNECTION, "upgrade") {
            "it has no `Connection: Upgrade`"
        } else if headers.get(header::SEC_WEBSOCKET_ACCEPT).is_none_or(|accept| *accept != *self.accept) {
            "its Sec-WebSocket-Accept belongs to another request"
        } else if headers.contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
            "it names a subprotocol, and none was asked for"
        } else {
            return Ok(());
        };
        Err(failed(&format!("the answer to the upgrade is no WebSocket's: {wrong}")))
    }

    /// The failure when the connection breaks on the way.
    #[must_use]
    pub fn broken(error: &io::Error) -> OpenFailure {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::late(),
            _ => failed(&format!("the connection ended in the upgrade: {error}")),
        }
    }

    /// The failure when the answer takes too long.
    #[must_use]
    pub fn late() -> OpenFailure {
        failed("the WebSocket upgrade took too long")
    }
}

fn failed(message: &str) -> OpenFailure {
    not_opened(Phase::Request, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upgrade(url: &str) -> Upgrade {
        Upgrade::new(&SecretUrl::new(url.parse().unwrap())).unwrap()
    }

    fn answer(upgrade: &Upgrade, connection: &str, more: &str) -> String {
        let accept = &upgrade.accept;
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n{connection}\r\nSec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        )
    }

    // CLAUSE SEC-1
    #[test]
    fn the_request_is_written_whole_and_shows_nowhere() {
        for (url, first, host) in [
            (
                "wss://h.example/ws?access_token=hunter2&wsc=a%2Bb",
                "GET /ws?access_token=hunter2&wsc=a%2Bb",
                "h.example",
            ),
            ("wss://u:hunter2@h.example:443", "GET /", "h.example"),
            ("ws://[::1]:8080/a/b#fragment", "GET /a/b", "[::1]:8080"),
        ] {
            let upgrade = upgrade(url);
            let request = std::str::from_utf8(upgrade.request()).unwrap();
            let lines: Vec<_> = request.split("\r\n").collect();
            assert_eq!((lines[0], lines[1]), (&*format!("{first} HTTP/1.1"), &*format!("Host: {host}")));
            assert!(lines[5].starts_with("Sec-WebSocket-Key: ") && request.ends_with("==\r\n\r\n"), "{request}");
            assert!(!format!("{upgrade:?}").contains("hunter2"));
        }
        let long = format!("wss://h/?{}", "a".repeat(66_000));
        let failure = Upgrade::new(&SecretUrl::new(long.parse().unwrap())).unwrap_err();
        assert_eq!(&*failure.message, "the address cannot be written as a request");
    }

    #[test]
    fn the_answer_may_come_in_any_pieces_and_what_follows_is_given_back() {
        for size in [1, 2, 7, 1_000] {
            let mut upgrade = upgrade("ws://h/");
            let answer = answer(&upgrade, "Connection: keep-alive, Upgrade", "") + "\u{1}after";
            let mut pieces = answer.as_bytes().chunks(size);
            let mut rest = loop {
                if let Some(rest) = upgrade.take(pieces.next().expect("it ends")).unwrap() {
                    break rest;
                }
            };
            pieces.for_each(|piece| rest.extend_from_slice(piece));
            assert_eq!(rest, b"\x01after", "{size}");
        }
    }

    #[test]
    fn what_is_no_upgrade_says_why() {
        let good = |upgrade: &Upgrade| answer(upgrade, "Connection: upgrade", "");
        type Spoil = fn(String) -> String;
        let cases: [(Spoil, &str); 8] = [
            (|text| text.replace("WebSocket\r\n", "h2c\r\n"), "Upgrade: websocket"),
            (|text| text.replace("Connection: upgrade", "Connection: close"), "Connection: Upgrade"),
            (|text| text.replace("Accept: ", "Accept: x"), "another request"),
            (|text| text.replace("Sec-WebSocket-Accept", "Other"), "another request"),
            (|text| text.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: p\r\n\r\n"), "subprotocol"),
            (|_| "SSH-2.0-OpenSSH_9.6\r\n".to_owned(), "not HTTP/1.1"),
            (|_| String::new(), "ended before"),
            (|_| format!("HTTP/1.1 101 S\r\nA: {}", "x".repeat(MAX_HEAD)), "too long"),
        ];
        for (spoil, part) in cases {
            let mut upgrade = upgrade("ws://h/");
            let failure = upgrade.take(spoil(good(&upgrade)).as_bytes()).unwrap_err();
            assert!(failure.message.contains(part) && failure.phase == Phase::Request, "{failure:?}");
        }
        let refused = upgrade("ws://h/").take(b"HTTP/1.1 503 No\r\nRetry-After: 7\r\n\r\n").unwrap_err();
        assert_eq!((refused.status, refused.retry_after.map(|wait| wait.as_secs())), (Some(503), Some(7)));
        assert!(Upgrade::broken(&io::ErrorKind::TimedOut.into()).message.contains("too long"));
        assert!(Upgrade::broken(&io::ErrorKind::ConnectionReset.into()).message.contains("ended in the upgrade"));
    }
}
