//! A server that means harm, byte by byte, and what a client of it costs.

pub(crate) mod memory;
pub(crate) mod port;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ringcentral_ws_api::ClientApp;
use ringcentral_ws_conformance::peer::RawFrame;
use ringcentral_ws_conformance::{DEADLINE, Harness, Running, Setup};
use ringcentral_ws_core::{Config, Event, RetryPolicy};
use tungstenite::handshake::derive_accept_key;

const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

/// All adapters, the worked example included.
pub(crate) fn all() -> Vec<Box<dyn Harness>> {
    let mut all = crate::harness::all();
    all.push(Box::new(port::Mio));
    all
}

/// Serves the token, and each WebSocket by `serve`, which is given its number, from 0, once `ConnectionDetails` is sent.
pub(crate) fn listen(serve: impl Fn(usize, &mut Peer) -> io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (serve, count) = (Arc::new(serve), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (serve, count) = (Arc::clone(&serve), Arc::clone(&count));
            std::thread::spawn(move || answer(address, stream, &count, &*serve));
        }
    });
    address
}

fn answer(
    address: SocketAddr,
    mut stream: TcpStream,
    count: &AtomicUsize,
    serve: &(dyn Fn(usize, &mut Peer) -> io::Result<()> + Sync),
) -> io::Result<()> {
    let head = head(&mut stream)?;
    let field = |name: &str| {
        let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let Some(key) = field("sec-websocket-key") else {
        let length = field("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        io::copy(&mut (&mut stream).take(length), &mut io::sink())?;
        if head.contains("/provisional") {
            let many = b"HTTP/1.1 103 Early Hints\r\n\r\n".repeat(2000);
            loop {
                stream.write_all(&many)?;
            }
        }
        let body = if head.contains("/wstoken") {
            format!(r#"{{"uri":"ws://{address}/ws","ws_access_token":"t","expires_in":600}}"#)
        } else {
            r#"{"access_token":"a","token_type":"bearer","expires_in":3600}"#.to_owned()
        };
        let length = body.len();
        return write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    };
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    let number = count.fetch_add(1, Ordering::SeqCst);
    let mut peer = Peer { stream };
    let state = if number == 0 { "" } else { r#","recoveryState":"Successful""# };
    peer.text(&format!(
        r#"[{{"type":"ConnectionDetails","messageId":"c","status":200,"wsc":{{"token":"w","sequence":1}}}},{{"recoveryBufferSize":100,"recoveryTimeout":180,"absoluteTimeout":86400{state}}}]"#
    ))?;
    serve(number, &mut peer)
}

fn head(stream: &mut TcpStream) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A notification with a body of so many bytes.
pub(crate) fn notification(name: &str, size: usize) -> String {
    let filler = "x".repeat(size);
    format!(
        r#"[{{"type":"ServerNotification","messageId":"{name}","status":200}},{{"uuid":"{name}","event":"{FILTER}","subscriptionId":"s","body":{{"subject":"{name}","filler":"{filler}"}}}}]"#
    )
}

/// The server's end of a WebSocket.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.stream.write_all(&RawFrame::text(text).bytes())
    }

    /// The next frame of the client: its opcode and what it says.
    pub(crate) fn read(&mut self) -> io::Result<(u8, String)> {
        let mut header = [0; 2];
        self.stream.read_exact(&mut header)?;
        let length = match header[1] & 0x7f {
            126 => {
                let mut long = [0; 2];
                self.stream.read_exact(&mut long)?;
                u64::from(u16::from_be_bytes(long))
            }
            127 => {
                let mut long = [0; 8];
                self.stream.read_exact(&mut long)?;
                u64::from_be_bytes(long)
            }
            length => u64::from(length),
        };
        let (mut mask, mut payload) = ([0; 4], vec![0; length as usize]);
        self.stream.read_exact(&mut mask)?;
        self.stream.read_exact(&mut payload)?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Ok((header[0] & 0x0f, String::from_utf8_lossy(&payload).into_owned()))
    }

    /// Answers the call that makes the subscription.
    pub(crate) fn subscribe(&mut self) -> io::Result<()> {
        self.subscribe_after(|_| Ok(()))
    }

    /// The same, once something else was done.
    pub(crate) fn subscribe_after(&mut self, first: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        loop {
            let (_, text) = self.read()?;
            if text.contains("/subscription") {
                first(self)?;
                return self.reply(&text, &format!(r#"{{"id":"s","eventFilters":["{FILTER}"],"expiresIn":600}}"#));
            }
        }
    }

    /// Answers this call.
    pub(crate) fn reply(&mut self, call: &str, body: &str) -> io::Result<()> {
        let id = call.split(r#""messageId":""#).nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        self.text(&format!(
            r#"[{{"type":"ClientRequest","messageId":"{id}","status":200,"headers":{{"Content-Type":"application/json"}}}},{body}]"#
        ))
    }

    /// Behaves well from now on: every frame is read, heartbeats, calls and closes are answered.
    pub(crate) fn behave(&mut self) -> io::Result<()> {
        loop {
            match self.read()? {
                (8, _) => return self.stream.write_all(&RawFrame::close(1000, "").bytes()),
                (_, text) if text.contains("Heartbeat") => self.text(&text)?,
                (_, text) if text.contains("ClientRequest") => self.reply(&text, "{}")?,
                _ => {}
            }
        }
    }

    /// Repeats this until the client has gone.
    pub(crate) fn flood(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            self.stream.write_all(bytes)?;
        }
    }
}

/// What a client of the server is started with: heartbeats are quick.
pub(crate) fn setup(address: SocketAddr) -> Setup {
    let app = ClientApp {
        server: format!("http://{address}").parse().unwrap(),
        client_id: "id".to_owned(),
        client_secret: Some("secret".into()),
    };
    let retry = RetryPolicy { socket_lost: Duration::from_millis(10), ..RetryPolicy::default() };
    let config = Config {
        heartbeat_interval: Duration::from_millis(300),
        heartbeat_timeout: Duration::from_millis(300),
        close_timeout: Duration::from_millis(500),
        retry,
        ..Config::default()
    };
    Setup {
        app,
        jwt: "jwt".to_owned(),
        refresh_token: None,
        config,
        filters: vec![FILTER.to_owned()],
        trust: None,
        snapshot: None,
        event_queue: 1024,
        event_bytes: 64 << 20,
        step_limit: Duration::from_secs(10),
        backfill: None,
        acknowledge: None,
    }
}

/// A client that takes its events.
pub(crate) struct Client {
    pub(crate) running: Box<dyn Running>,
    name: &'static str,
    pub(crate) received: Vec<String>,
}

impl Client {
    pub(crate) fn start(harness: &dyn Harness, setup: Setup) -> Self {
        Self { running: harness.start(setup), name: harness.name(), received: Vec::new() }
    }

    /// Takes events up to the first whose line begins like this.
    pub(crate) fn until(&mut self, beginning: &str) {
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Some(Some(event)) = self.running.next_event(left) else {
                panic!("{}: no `{beginning}` after {:#?}", self.name, self.received);
            };
            let line = line(&event);
            self.received.push(line.clone());
            if line.starts_with(beginning) {
                return;
            }
        }
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Notification(n) => format!("notification {}", n.uuid()),
        Event::Gap(gap) => format!("gap {}", gap.cause.as_str()),
        Event::Disconnected { cause, .. } => format!("disconnected {cause}"),
        Event::ProtocolError { error, .. } => format!("protocol error {error:?}"),
        Event::Connected { .. } => "connected".to_owned(),
        Event::Subscribed(_) => "subscribed".to_owned(),
        Event::Closed { .. } => "closed".to_owned(),
        other => format!("{other:?}").chars().take(60).collect(),
    }
}
