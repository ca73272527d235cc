//! One WebSocket on a socket that never blocks: a bounded queue towards it, whole messages from it.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::{Interest, Registry, Token};
use ringcentral_ws_adapter::{
    IoLimits, MessageLimits, Net, Pressure, ReadFailure, Sending, TURN_BYTES, Target, Tracked, UNFINISHED,
    UNREAD_PONGS, Upgrade, is_in_record, not_dialled, not_opened,
};
use ringcentral_ws_core::{CloseInfo, OpenFailure, Phase, SecretUrl, Timestamp, Unreadable};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::abort::Abort;
use crate::dial::dial;
use crate::tcp::{Stream, deadline};

/// A full socket is tried again after so many looks at it, if the poller says nothing before.
const PATIENCE: u8 = 64;

/// A WebSocket on a stream that tells more than it does.
pub(crate) type WebSocket = tungstenite::WebSocket<Tracked<Stream>>;

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(Utf8Bytes),
    Binary(Bytes),
    Control,
    TooLarge(usize),
    /// `Closed` is next.
    Unreadable(Unreadable),
    Closed(CloseInfo),
}

/// Opens a WebSocket, blocking, with a deadline for each step.
pub(crate) fn open(
    net: &Net,
    url: &SecretUrl,
    message: MessageLimits,
    abort: &Abort,
) -> Result<WebSocket, OpenFailure> {
    let target = Target::of(url.expose()).ok_or_else(|| not_opened(Phase::Dns, "the address is neither ws nor wss"))?;
    let mut upgrade = Upgrade::new(url)?;
    let mut stream = dial(net, &target, abort).map_err(not_dialled)?;
    stream.tcp().deadline = Some(deadline(net.limits.upgrade));
    let mut stream = Tracked::new(stream);
    let rest = ask(&mut upgrade, &mut stream)?;
    let config = WebSocketConfig::default()
        .read_buffer_size(net.limits.socket_buffer)
        .write_buffer_size(net.limits.socket_buffer)
        .max_message_size(Some(message.bytes))
        .max_frame_size(Some(message.bytes));
    Ok(WebSocket::from_partially_read(stream, rest, Role::Client, Some(config)))
}

/// Asks for the upgrade. What came behind the answer belongs to the WebSocket.
fn ask(upgrade: &mut Upgrade, stream: &mut Tracked<Stream>) -> Result<Vec<u8>, OpenFailure> {
    let sent = stream.write_all(upgrade.request()).and_then(|()| stream.flush());
    sent.map_err(|error| Upgrade::broken(&error))?;
    let mut piece = [0; 2 << 10];
    loop {
        let count = match stream.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|error| Upgrade::broken(&error))?,
        };
        if let Some(rest) = upgrade.take(&piece[..count])? {
            return Ok(rest);
        }
    }
}

pub(crate) struct Socket {
    socket: WebSocket,
    /// The same socket as the poller knows it. It tells changes only, so what it said is remembered.
    source: mio::net::TcpStream,
    may_read: bool,
    may_write: bool,
    /// Looks since the socket was full. While there is always something to read the poller is not asked.
    refrained: u8,
    sending: Sending<Message>,
    /// Something was handed to the WebSocket since it was last flushed.
    dirty: bool,
    /// How long a message may stay unfinished.
    finish_by: Duration,
    /// One has stayed unfinished for longer.
    overdue: bool,
    /// Nothing could be sent for as long, and the peer still sends.
    stuck: bool,
}

impl Socket {
    pub(crate) fn new(
        mut socket: WebSocket,
        limits: &IoLimits,
        message: MessageLimits,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let tcp = socket.get_mut().stream.tcp();
        tcp.deadline = None;
        tcp.socket.set_read_timeout(None)?;
        tcp.socket.set_write_timeout(None)?;
        tcp.socket.set_nonblocking(true)?;
        let mut source = mio::net::TcpStream::from_std(tcp.socket.try_clone()?);
        registry.register(&mut source, token, Interest::READABLE | Interest::WRITABLE)?;
        let sending = Sending::new(limits);
        Ok(Self {
            socket,
            source,
            may_read: true,
            may_write: true,
            refrained: 0,
            sending,
            dirty: false,
            finish_by: message.finish_by,
            overdue: false,
            stuck: false,
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

    /// A turn of reading begins.
    pub(crate) fn begin_turn(&mut self, now: Timestamp) {
        let Tracked { stream, below } = self.socket.get_mut();
        // Beside what TLS adds.
        stream.tcp().budget = 2 * TURN_BYTES;
        below.begin_turn(now);
        self.overdue |= below.is_overdue(self.finish_by, now);
        self.stuck |= self.sending.is_overdue(self.finish_by, now);
    }

    /// Whether the turn has ended by its own bounds, so that there may be more to read at once.
    pub(crate) fn is_spent(&mut self) -> bool {
        let Tracked { stream, below } = self.socket.get_mut();
        below.is_spent() || stream.tcp().budget == 0
    }

    /// The peer is not read for a while, or the process was away: that says nothing about a message under way.
    pub(crate) fn pause(&mut self) {
        self.socket.get_mut().below.pause();
        self.sending.pause();
        (self.overdue, self.stuck) = (false, false);
    }

    /// Gives up on the peer if it is in the middle of a message, which the next `receive` reports.
    pub(crate) fn gives_up_within_message(&mut self) -> bool {
        self.overdue = !self.sending.is_over() && self.socket.get_ref().below.is_in_message();
        self.overdue
    }

    /// Takes a message for sending. Beyond the limit the connection counts as lost.
    pub(crate) fn queue_text(&mut self, text: String) {
        let bytes = text.len();
        self.sending.push(Message::text(text), bytes);
    }

    pub(crate) fn queue_close(&mut self, code: u16, reason: &'static str) {
        self.sending.push_last(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
    }

    /// Sends what it can and says when the Session must be told about the queue. Failures show up at the next read.
    pub(crate) fn send(&mut self) -> Option<Pressure> {
        if !self.may_write {
            self.refrained += 1;
            self.may_write = self.refrained >= PATIENCE;
        }
        while !self.sending.is_over() && self.may_write {
            if self.dirty {
                match self.socket.flush() {
                    Ok(()) => {
                        self.dirty = false;
                        self.sending.flushed();
                    }
                    Err(error) => self.unsent(&error),
                }
                continue;
            }
            let Some(message) = self.sending.pop() else { break };
            self.dirty = true;
            if let Err(error) = self.socket.write(message) {
                self.unsent(&error);
            }
        }
        self.note_failed_writes();
        self.sending.pressure()
    }

    /// The WebSocket is not shown them, so that it goes on reading.
    fn note_failed_writes(&mut self) {
        if let Some(error) = self.socket.get_ref().below.failed() {
            self.sending.breaks(&error.to_string());
        }
    }

    /// A message that was taken stays in the WebSocket's own buffer when the socket is full.
    fn unsent(&mut self, error: &Error) {
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (self.may_write, self.refrained) = (false, 0)
            }
            error => self.sending.breaks(&error.to_string()),
        }
    }

    /// The next message, if there is one. After `Closed` there is none.
    pub(crate) fn receive(&mut self) -> Option<Incoming> {
        if let Some(end) = self.sending.ended() {
            return Some(Incoming::Closed(end));
        }
        if std::mem::take(&mut self.overdue) {
            self.sending.end(None, UNFINISHED);
            return Some(Incoming::Unreadable(Unreadable::Cut));
        }
        if std::mem::take(&mut self.stuck) {
            return Some(self.leave("the server did not stop sending"));
        }
        if !self.may_read {
            return self.sending.is_broken().then(|| self.end(""));
        }
        let next = self.socket.read();
        self.note_failed_writes();
        Some(match next {
            Ok(Message::Text(text)) => Incoming::Text(text),
            Ok(Message::Binary(bytes)) => Incoming::Binary(bytes),
            Ok(Message::Close(frame)) => {
                let (code, reason) =
                    frame.map_or((None, String::new()), |f| (Some(f.code.into()), f.reason.to_string()));
                // The answer to the close frame is on its way; what cannot leave now is not worth waiting for.
                let _ = self.socket.flush();
                let close = self.sending.end(code, &reason);
                // Between two fragments of a message.
                let cut = self.socket.get_ref().below.is_in_message();
                if cut { Incoming::Unreadable(Unreadable::Cut) } else { Incoming::Closed(close) }
            }
            Ok(Message::Ping(payload)) if !self.sending.answers_ping(payload.len()) => self.leave(UNREAD_PONGS),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                // Reading a ping puts its answer into the buffer; nothing else may come to push it out.
                self.dirty = true;
                Incoming::Control
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.may_read = self.is_spent();
                // What is left of what came before is for the next turn.
                return (self.sending.is_broken() && !self.may_read).then(|| self.end(""));
            }
            Err(error) => self.unread(&error),
        })
    }

    fn unread(&mut self, error: &Error) -> Incoming {
        match ReadFailure::of(error) {
            ReadFailure::TooLarge(size) => {
                // The rest of the message cannot be told from what follows, so the connection ends with it.
                self.sending.end(None, "a message over the size limit");
                Incoming::TooLarge(size)
            }
            ReadFailure::Unreadable(what) => {
                self.sending.end(None, &error.to_string());
                Incoming::Unreadable(what)
            }
            ReadFailure::Ended => self.end(&error.to_string()),
        }
    }

    /// Gives up on a peer that may have sent more than was read, and counts it as sent.
    fn leave(&mut self, reason: &str) -> Incoming {
        self.sending.end_unasked(reason);
        Incoming::Unreadable(Unreadable::Other)
    }

    /// The end without a close frame, which may have come in the middle of a message.
    fn end(&mut self, reason: &str) -> Incoming {
        let close = self.sending.end_unasked(reason);
        let Tracked { stream, below } = self.socket.get_mut();
        let cut = below.is_in_message()
            || match stream {
                Stream::Plain(_) => false,
                Stream::Tls(tls) => is_in_record(&mut tls.conn),
            };
        if cut { Incoming::Unreadable(Unreadable::Cut) } else { Incoming::Closed(close) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use tungstenite::protocol::Role;

    use super::*;
    use crate::tcp::Tcp;

    // CLAUSE HB-3
    #[test]
    fn what_waits_leaves_also_while_there_is_always_something_to_read() {
        const LARGE: usize = 16 << 20;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let (far, _) = listener.accept().unwrap();
        let stream = Stream::Plain(Tcp::new(near));
        let poll = mio::Poll::new().unwrap();
        let message = MessageLimits { bytes: LARGE, finish_by: Duration::from_secs(40) };
        let socket = WebSocket::from_raw_socket(Tracked::new(stream), Role::Client, None);
        let mut socket = Socket::new(socket, &IoLimits::default(), message, poll.registry(), Token(1)).unwrap();
        let reader = std::thread::spawn(move || {
            let mut far = tungstenite::WebSocket::from_raw_socket(far, Role::Server, None);
            far.read().unwrap().len()
        });
        socket.queue_text("x".repeat(LARGE));
        let began = Instant::now();
        // A thread that always finds a message does not come to ask the poller.
        while !reader.is_finished() && began.elapsed() < Duration::from_secs(20) {
            socket.send();
        }
        assert!(reader.is_finished(), "it never left");
        assert_eq!(reader.join().unwrap(), LARGE);
    }
}
