//! A runtime and a server within this process, without sockets, time or threads: what a client does on it is the same in
//! every run, down to the instruction.

use std::future::{Future, pending, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use futures_util::future::BoxFuture;
use futures_util::{AsyncRead, AsyncWrite};
use ringcentral_ws_driver::{ClockTimes, Runtime};

use crate::DETAILS;

const TOKEN: &str = r#"{"ws_access_token":"t","uri":"ws://127.0.0.1:1/ws","expires_in":600}"#;

/// The runtime. Each connection leads to a new server, which sends `flood` behind its answer to a subscription.
#[derive(Clone)]
pub struct InMemory {
    flood: Arc<Vec<u8>>,
    tasks: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl InMemory {
    /// A runtime whose servers send these frames.
    #[must_use]
    pub fn new(flood: Vec<u8>) -> Self {
        Self { flood: Arc::new(flood), tasks: Arc::default() }
    }

    /// Runs until `main` is done.
    ///
    /// # Panics
    ///
    /// If everything waits, and for ever.
    pub fn run<T>(&self, main: impl Future<Output = T>) -> T {
        let mut main = std::pin::pin!(main);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&flag));
        let mut cx = Context::from_waker(&waker);
        let mut running = Vec::new();
        while flag.0.swap(false, Ordering::Relaxed) {
            if let Poll::Ready(done) = main.as_mut().poll(&mut cx) {
                return done;
            }
            running.append(&mut self.tasks.lock().expect("nobody panics"));
            running.retain_mut(|task: &mut BoxFuture<'static, ()>| task.as_mut().poll(&mut cx).is_pending());
        }
        panic!("everything waits");
    }
}

impl Runtime for InMemory {
    type Stream = ServerStream;

    fn resolve(&self, _: &str, port: u16) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send {
        ready(Ok(vec![([127, 0, 0, 1], port).into()]))
    }

    fn connect(&self, _: SocketAddr) -> impl Future<Output = io::Result<ServerStream>> + Send {
        ready(Ok(ServerStream::new(Arc::clone(&self.flood))))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        self.tasks.lock().expect("nobody panics").push(task);
        Ok(())
    }

    fn clocks(&self) -> ClockTimes {
        ClockTimes { boot: Duration::ZERO, mono: Duration::ZERO, wall: Duration::from_secs(1_700_000_000) }
    }

    fn seed(&self) -> io::Result<u64> {
        Ok(7)
    }
}

/// A client's end of a connection to the server.
pub struct ServerStream {
    flood: Arc<Vec<u8>>,
    /// How much of it was read; `None` before it begins.
    flooded: Option<usize>,
    /// What the client has sent and is no whole request yet.
    received: Vec<u8>,
    upgraded: bool,
    /// What the client has not read yet, beside the flood.
    answers: Vec<u8>,
    reader: Option<Waker>,
}

impl ServerStream {
    /// A connection to a server that sends these frames behind its answer to the first text.
    #[must_use]
    pub const fn new(flood: Arc<Vec<u8>>) -> Self {
        Self { flood, flooded: None, received: Vec::new(), upgraded: false, answers: Vec::new(), reader: None }
    }

    fn answer(&mut self) {
        if !self.upgraded {
            let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            let head = String::from_utf8_lossy(&self.received[..end]).to_lowercase();
            let plain = String::from_utf8_lossy(&self.received[..end]).into_owned();
            self.received.clear();
            if head.starts_with("post") {
                let length = TOKEN.len();
                self.answers.extend(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{TOKEN}").bytes());
                return;
            }
            let at = head.find("sec-websocket-key:").expect("an upgrade") + "sec-websocket-key:".len();
            let key = plain[at..].lines().next().unwrap_or_default().trim();
            let accept = derive_accept_key(key.as_bytes());
            let answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
            self.answers.extend(format!("{answer}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").bytes());
            self.upgraded = true;
            self.frame(DETAILS);
            return;
        }
        // A frame with a mask and a length of one byte or of two.
        while let Some(length) = self.received.get(1).map(|length| usize::from(length & 0x7f)) {
            let (header, length) = match (length, self.received.get(2..4)) {
                (126, Some(length)) => (4, usize::from(u16::from_be_bytes([length[0], length[1]]))),
                (126, None) => return,
                _ => (2, length),
            };
            if self.received.len() < header + 4 + length {
                return;
            }
            let mask: Vec<u8> = self.received[header..header + 4].to_vec();
            let body = self.received[header + 4..header + 4 + length].iter().enumerate();
            let text: String = body.map(|(at, byte)| char::from(byte ^ mask[at % 4])).collect();
            self.received.drain(..header + 4 + length);
            let id = text.split('"').skip_while(|part| *part != "messageId").nth(2).unwrap_or_default();
            let filter = text.split('"').find(|part| part.starts_with("/flood")).unwrap_or_default();
            let head = format!(r#"{{"type":"ClientRequest","messageId":"{id}","status":200}}"#);
            self.frame(&format!(r#"[{head},{{"id":"sub-1","status":"Active","eventFilters":["{filter}"]}}]"#));
            self.flooded.get_or_insert(0);
        }
    }

    fn frame(&mut self, text: &str) {
        let length = u16::try_from(text.len()).expect("a short text");
        self.answers.push(0x81);
        if length < 126 {
            self.answers.push(length as u8);
        } else {
            self.answers.push(126);
            self.answers.extend(length.to_be_bytes());
        }
        self.answers.extend(text.bytes());
    }
}

impl AsyncRead for ServerStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if !this.answers.is_empty() {
            let count = buf.len().min(this.answers.len());
            buf[..count].copy_from_slice(&this.answers[..count]);
            this.answers.drain(..count);
            return Poll::Ready(Ok(count));
        }
        if let Some(flooded) = &mut this.flooded {
            let rest = &this.flood[*flooded..];
            let count = buf.len().min(rest.len());
            if count > 0 {
                buf[..count].copy_from_slice(&rest[..count]);
                *flooded += count;
                return Poll::Ready(Ok(count));
            }
        }
        this.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.received.extend_from_slice(buf);
        self.answer();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
