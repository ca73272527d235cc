//! One WebSocket on a socket that never blocks: a bounded queue towards it, whole messages from it.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant, SystemTime};

use mio::{Interest, Registry, Token};
use ringcentral_ws_adapter::{IoLimits, Target};
use ringcentral_ws_core::{CloseInfo, HttpFailure, OpenFailure, Phase, SecretUrl, classify};
use tungstenite::client::{IntoClientRequest, client_with_config};
use tungstenite::error::CapacityError;
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Bytes, Error, HandshakeError, Message, Utf8Bytes, WebSocket};

use crate::dial::{Abort, Net, Stream, dial};

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
    Control,
    TooLarge(usize),
    Closed(CloseInfo),
}

/// Whether the Session must be told about the send queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressure {
    Blocked,
    Ready,
}

/// Opens a WebSocket, blocking, with a deadline for each step.
pub(crate) fn open(net: &Net, url: &SecretUrl, max: usize, abort: &Abort) -> Result<WebSocket<Stream>, OpenFailure> {
    let target = Target::of(url.expose()).ok_or_else(|| plain(Phase::Dns, "the address is neither ws nor wss"))?;
    let mut stream = dial(net, &target, abort).map_err(from_dial)?;
    let request = url.expose().as_str().into_client_request();
    let request = request.map_err(|_| plain(Phase::Tls, "the address cannot be written as a request"))?;
    let config = WebSocketConfig::default()
        .read_buffer_size(net.limits.socket_buffer)
        .write_buffer_size(net.limits.socket_buffer)
        .max_message_size(Some(max))
        .max_frame_size(Some(max));
    stream.tcp().deadline = Some(Instant::now() + net.limits.upgrade);
    match client_with_config(request, stream, Some(config)) {
        Ok((socket, _)) => Ok(socket),
        Err(HandshakeError::Failure(error)) => Err(refused(&error)),
        Err(HandshakeError::Interrupted(_)) => Err(plain(Phase::Request, "the WebSocket upgrade took too long")),
    }
}

fn plain(phase: Phase, message: &str) -> OpenFailure {
    OpenFailure { phase, status: None, retry_after: None, message: message.into() }
}

fn from_dial(failure: HttpFailure) -> OpenFailure {
    OpenFailure { phase: failure.phase, status: None, retry_after: None, message: failure.message }
}

fn refused(error: &Error) -> OpenFailure {
    match error {
        Error::Http(response) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let retry_after = classify::retry_after(response.headers(), now);
            let message = format!("the server answered the upgrade with {}", response.status()).into();
            OpenFailure { phase: Phase::Response, status: Some(response.status().as_u16()), retry_after, message }
        }
        Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => {
            plain(Phase::Request, "the WebSocket upgrade took too long")
        }
        error => plain(Phase::Request, &error.to_string()),
    }
}

pub(crate) struct Socket {
    socket: WebSocket<Stream>,
    /// The same socket as the poller knows it. It tells changes only, so what it said is remembered.
    source: mio::net::TcpStream,
    may_read: bool,
    may_write: bool,
    queue: VecDeque<Message>,
    queued_bytes: usize,
    blocked: bool,
    /// Something was handed to the WebSocket since it was last flushed.
    dirty: bool,
    /// Why nothing can be sent any more. What the peer had sent before is still read.
    broken: Option<CloseInfo>,
    /// The end, once it is known.
    ended: Option<CloseInfo>,
    limits: (usize, usize, usize),
}

impl Socket {
    pub(crate) fn new(
        mut socket: WebSocket<Stream>,
        limits: &IoLimits,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let tcp = socket.get_mut().tcp();
        tcp.deadline = None;
        tcp.socket.set_read_timeout(None)?;
        tcp.socket.set_write_timeout(None)?;
        tcp.socket.set_nonblocking(true)?;
        let mut source = mio::net::TcpStream::from_std(tcp.socket.try_clone()?);
        registry.register(&mut source, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            socket,
            source,
            may_read: true,
            may_write: true,
            queue: VecDeque::new(),
            queued_bytes: 0,
            blocked: false,
            dirty: false,
            broken: None,
            ended: None,
            limits: (limits.send_high, limits.send_low, limits.send_max),
        })
    }

    /// Takes it from the poller. The socket itself closes with the value.
    pub(crate) fn forget(mut self: Box<Self>, registry: &Registry) {
        let _ = registry.deregister(&mut self.source);
    }

    /// What the poller says.
    pub(crate) fn ready(&mut self, read: bool, write: bool) {
        self.may_read |= read;
        self.may_write |= write;
    }

    /// Takes a message for sending. Beyond the limit the connection counts as lost.
    pub(crate) fn queue_text(&mut self, text: String) {
        if self.is_broken() {
            return;
        }
        self.queued_bytes += text.len();
        if self.queued_bytes > self.limits.2 && !self.queue.is_empty() {
            self.cannot_send("too much waits to be sent");
            return;
        }
        self.queue.push_back(Message::text(text));
    }

    pub(crate) fn queue_close(&mut self, code: u16, reason: &'static str) {
        self.queue.push_back(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
    }

    /// Sends what it can and says when the Session must be told about the queue. Failures show up at the next read.
    pub(crate) fn send(&mut self) -> Option<Pressure> {
        while !self.is_broken() && self.may_write {
            if self.dirty {
                match self.socket.flush() {
                    Ok(()) => self.dirty = false,
                    Err(error) => self.unsent(&error),
                }
                continue;
            }
            let Some(message) = self.queue.pop_front() else { break };
            if let Message::Text(text) = &message {
                self.queued_bytes = self.queued_bytes.saturating_sub(text.len());
            }
            self.dirty = true;
            if let Err(error) = self.socket.write(message) {
                self.unsent(&error);
            }
        }
        self.pressure()
    }

    /// A message that was taken stays in the WebSocket's own buffer when the socket is full.
    fn unsent(&mut self, error: &Error) {
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => self.may_write = false,
            error => self.cannot_send(&error.to_string()),
        }
    }

    fn is_broken(&self) -> bool {
        self.broken.is_some() || self.ended.is_some()
    }

    fn cannot_send(&mut self, why: &str) {
        self.broken.get_or_insert_with(|| CloseInfo { code: None, reason: why.into() });
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// The first cause stands.
    fn end_unasked(&mut self, reason: &str) -> Incoming {
        let reason = self.broken.take().map_or_else(|| reason.into(), |broken| broken.reason);
        self.end(None, &reason)
    }

    fn pressure(&mut self) -> Option<Pressure> {
        let (high, low, _) = self.limits;
        if !self.blocked && self.queued_bytes > high {
            self.blocked = true;
            return Some(Pressure::Blocked);
        }
        if self.blocked && self.queued_bytes <= low {
            self.blocked = false;
            return Some(Pressure::Ready);
        }
        None
    }

    /// The next message, if there is one. After `Closed` there is none.
    pub(crate) fn receive(&mut self) -> Option<Incoming> {
        if let Some(end) = self.ended.clone() {
            return Some(Incoming::Closed(end));
        }
        if !self.may_read {
            return self.broken.is_some().then(|| self.end_unasked(""));
        }
        Some(match self.socket.read() {
            Ok(Message::Text(text)) => Incoming::Text(text),
            Ok(Message::Binary(bytes)) => Incoming::Binary(bytes),
            Ok(Message::Close(frame)) => {
                let (code, reason) =
                    frame.map_or((None, String::new()), |f| (Some(f.code.into()), f.reason.to_string()));
                // The answer to the close frame is on its way; what cannot leave now is not worth waiting for.
                let _ = self.socket.flush();
                self.end(code, &reason)
            }
            Ok(_) => {
                // Reading a ping puts its answer into the buffer; nothing else may come to push it out.
                self.dirty = true;
                Incoming::Control
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.may_read = false;
                return self.broken.is_some().then(|| self.end_unasked(""));
            }
            Err(Error::Capacity(CapacityError::MessageTooLong { size, .. })) => {
                // The rest of the message cannot be told from what follows, so the connection ends with it.
                self.end(None, "a message over the size limit");
                Incoming::TooLarge(size)
            }
            Err(error) => self.end_unasked(&error.to_string()),
        })
    }

    fn end(&mut self, code: Option<u16>, reason: &str) -> Incoming {
        let end = self.ended.get_or_insert_with(|| CloseInfo { code, reason: reason.into() });
        self.queue.clear();
        self.queued_bytes = 0;
        Incoming::Closed(end.clone())
    }
}
