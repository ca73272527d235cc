//! Servers and proxies that misbehave. Each connection has a thread, which ends with the connection.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use ringcentral_ws_core::Phase;
use socket2::SockRef;
#[cfg(target_os = "linux")]
use socket2::{Domain, Socket, Type};

/// An address of this machine that answers nobody, as behind a firewall: its queue of new connections is full.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub struct BlackHole {
    socket: Socket,
    _in_queue: TcpStream,
}

#[cfg(target_os = "linux")]
impl BlackHole {
    /// One on a free port.
    ///
    /// # Panics
    ///
    /// When there is no port to be had, or the system answers all the same.
    #[must_use]
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a port");
        socket.listen(0).expect("a queue");
        let address = socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address");
        let in_queue = TcpStream::connect(address).expect("room for one");
        let error = TcpStream::connect_timeout(&address, Duration::from_millis(50)).expect_err("no room for two");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        Self { socket, _in_queue: in_queue }
    }

    /// Where it is.
    ///
    /// # Panics
    ///
    /// Never: it has an address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().ok().and_then(|address| address.as_socket()).expect("an address")
    }
}

#[cfg(target_os = "linux")]
impl Default for BlackHole {
    fn default() -> Self {
        Self::new()
    }
}

/// Serves each connection by `serve`, which is given the head of its first request.
///
/// # Panics
///
/// When there is no port to be had.
pub fn listen(serve: impl Fn(&str, TcpStream) -> io::Result<()> + Send + Sync + Clone + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || {
                let mut stream = stream;
                let head = head(&mut stream).unwrap_or_default();
                let _ = serve(&head, stream);
            });
        }
    });
    address
}

fn head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// Reads until the client goes.
fn linger(mut stream: TcpStream) -> io::Result<()> {
    io::copy(&mut stream, &mut io::sink()).map(drop)
}

/// Repeats this, a little at a time, until the client goes.
fn trickle(mut stream: TcpStream, piece: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(piece)?;
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The word "unpacked" in gzip.
const UNPACKED: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x2b\xcd\x2b\x48\x4c\xce\x4e\x4d\x01\x00\x96\x62\x2f\xca\x08\x00\x00\x00";

/// Paths of [`bad_server`] whose answers cannot be used under [`strict`](crate::settings::strict) limits: the step that
/// fails, and what the message says.
pub const BROKEN_ANSWERS: [(&str, Phase, &str); 9] = [
    ("/truncated", Phase::Response, "broke off"),
    ("/truncated-head", Phase::Request, "ended before the answer"),
    ("/no-http", Phase::Request, "ended before the answer"),
    ("/large", Phase::Response, "larger than 1048576 bytes"),
    ("/stalled", Phase::Response, "in time"),
    ("/trickle", Phase::Response, "in time"),
    ("/trickle-head", Phase::Request, "in time"),
    ("/trickle-informed", Phase::Request, "in time"),
    ("/flood-informed", Phase::Request, "provisional"),
];

/// Answers by path.
#[must_use]
pub fn bad_server() -> SocketAddr {
    listen(|head, mut stream| {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let login = head.to_ascii_lowercase().contains("authorization: bearer token");
        if path == "/gzip" && head.contains("accept-encoding: gzip") {
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
                UNPACKED.len()
            );
            stream.write_all(&[head.as_bytes(), UNPACKED].concat())?;
            return stream.shutdown(Shutdown::Write);
        }
        let mut say = |text: &str| stream.write_all(text.as_bytes());
        match path.as_str() {
            "/ok" if login => say("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")?,
            "/truncated" => say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")?,
            "/truncated-head" => say("HTTP/1.1 200 OK\r\nContent-Le")?,
            "/no-http" => say("SSH-2.0-OpenSSH_9.6\r\n\r\n")?,
            "/stalled" => {
                say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")?;
                return linger(stream);
            }
            "/trickle" => {
                say("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")?;
                return trickle(stream, b"x");
            }
            "/trickle-head" => {
                say("HTTP/1.1 200 OK\r\nEndless: ")?;
                return trickle(stream, b"x");
            }
            "/trickle-informed" => return trickle(stream, b"HTTP/1.1 103 Early Hints\r\n\r\n"),
            "/flood-informed" => {
                let many = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2000);
                while stream.write_all(many.as_bytes()).is_ok() {}
            }
            "/cut-off" => {
                // Neither a length nor pieces: only the end of the connection marks the end of the body.
                say("HTTP/1.1 200 OK\r\n\r\n0123456789")?;
                // Closed so, it is reset.
                return SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            }
            "/large" => {
                say("HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")?;
                while stream.write_all(&[b'x'; 65_536]).is_ok() {}
            }
            "/redirect" => {
                say("HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n")?
            }
            "/redirect-foreign" => {
                say(
                    "HTTP/1.1 302 Found\r\nConnection: close\r\nLocation: https://h.example/\r\nContent-Length: 0\r\n\r\n",
                )?;
            }
            "/redirect-loop" => {
                say("HTTP/1.1 307 Again\r\nConnection: close\r\nLocation: /redirect-loop\r\nContent-Length: 0\r\n\r\n")?
            }
            _ => say("HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?,
        }
        stream.shutdown(Shutdown::Write)
    })
}

/// A proxy that says no, as old ones do.
#[must_use]
pub fn refusing_proxy() -> SocketAddr {
    listen(|_, mut stream| stream.write_all(b"HTTP/1.0 403 Forbidden\r\nContent-Type: text/html\r\n\r\n<h1>No</h1>"))
}

/// A proxy that tunnels; `seen` is called with each tunnel's target.
pub fn proxy(seen: impl Fn(&str) + Send + Sync + Clone + 'static) -> SocketAddr {
    listen(move |head, mut near| {
        let target = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        seen(target);
        let mut far = TcpStream::connect(target)?;
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
        let (mut from_far, mut to_near) = (far.try_clone()?, near.try_clone()?);
        std::thread::spawn(move || {
            let _ = io::copy(&mut from_far, &mut to_near);
            let _ = to_near.shutdown(Shutdown::Both);
        });
        let _ = io::copy(&mut near, &mut far);
        far.shutdown(Shutdown::Both)
    })
}

/// A proxy that says no and why: what it was asked.
#[must_use]
pub fn quoting_proxy() -> SocketAddr {
    listen(|head, mut stream| stream.write_all(&quoted(head, Quote::Page(502))))
}

/// How [`quoting_server`] gives back what it was sent.
#[derive(Clone, Copy, Debug)]
pub enum Quote {
    /// As the message of an error in JSON, and in the reason and a header.
    Json(u16),
    /// On a page, cut off in the middle.
    Page(u16),
    /// As it came: this is no answer at all.
    Echo,
}

/// A server that quotes the requests it is sent, where their path ends so. Logins and tokens are granted elsewhere:
/// `granted` is the answer to a login.
#[must_use]
pub fn quoting_server(ending: &'static str, quote: Quote, granted: &'static str) -> SocketAddr {
    listen(move |head, mut stream| {
        let lower = head.to_ascii_lowercase();
        let length = lower.split_once("content-length:").and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body)?;
        let path = head.split(['?', ' ']).nth(1).unwrap_or_default();
        let (status, answer) = match path {
            path if path.ends_with(ending) => {
                let said = [head.as_bytes(), &body].concat();
                return stream.write_all(&quoted(&String::from_utf8_lossy(&said), quote));
            }
            path if path.ends_with("/wstoken") => {
                let address = stream.local_addr()?;
                let token = r#""ws_access_token":"websocket/token+0123456789","expires_in":600"#;
                (200, format!(r#"{{"uri":"ws://{address}/ws",{token}}}"#))
            }
            path if path.ends_with("/token") => (200, granted.to_owned()),
            _ => (404, String::new()),
        };
        let head = format!("HTTP/1.1 {status} Fine\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.write_all(&[head.as_bytes(), answer.as_bytes()].concat())?;
        stream.shutdown(Shutdown::Write)
    })
}

fn quoted(said: &str, quote: Quote) -> Vec<u8> {
    let line: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let (status, body) = match quote {
        Quote::Echo => return said.as_bytes().to_vec(),
        Quote::Json(status) => (status, serde_json::json!({ "errorCode": line, "message": line }).to_string()),
        Quote::Page(status) => (status, format!("Bad request {}: {said}", ".".repeat(60))),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} {line}\r\nConnection: close\r\nRCRequestId: {line}\r\nContent-Length: {length}");
    format!("{head}\r\n\r\n{body}").into_bytes()
}
