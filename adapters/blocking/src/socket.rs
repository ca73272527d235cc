//! One WebSocket on a socket that never blocks: a bounded queue towards it, whole messages from it.

use std::io::{self, Read, Write};

use mio::{Interest, Registry, Token};
use ringcentral_ws_adapter::{
    Incoming, IoLimits, MessageLimits, Net, Pressure, SocketSettings, SocketState, TURN_BYTES, Target, Tracked,
    Upgrade, is_in_record, not_dialled, not_opened,
};
use ringcentral_ws_core::{OpenFailure, Phase, SecretUrl, Timestamp};
use tungstenite::{Error, Message};

use crate::abort::Abort;
use crate::dial::dial;
use crate::layer::Layer;
use crate::tcp::{Stream, deadline};

/// A full socket is tried again after so many looks at it, if the poller says nothing before.
const LOOKS: u8 = 64;

/// A WebSocket on a stream that knows more than the WebSocket shows.
pub(crate) type WebSocket = Layer<Tracked<Stream>>;

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
    Ok(Layer::new(stream, rest, SocketSettings::new(&net.limits, message)))
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
    /// All that was read has been taken.
    is_drained: bool,
    /// The same socket as the poller knows it. It reports changes only, so what it said is remembered.
    source: mio::net::TcpStream,
    may_read: bool,
    may_write: bool,
    /// Looks since the socket was full. While there is always something to read the poller is not asked.
    refrained: u8,
    pub(crate) state: SocketState,
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
        Ok(Self {
            socket,
            is_drained: false,
            source,
            may_read: true,
            may_write: true,
            refrained: 0,
            state: SocketState::new(limits, message),
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
        let Tracked { stream, below, .. } = self.socket.get_mut();
        // Beside what TLS adds.
        stream.tcp().budget = 2 * TURN_BYTES;
        self.state.begin_turn(below, now);
    }

    /// Whether the turn has ended by its own bounds, so that there may be more to read at once.
    pub(crate) fn is_spent(&mut self) -> bool {
        let Tracked { stream, below, .. } = self.socket.get_mut();
        below.is_spent() || stream.tcp().budget == 0
    }

    /// The peer is not read for a while, or the process was away: that says nothing about a message under way.
    pub(crate) fn pause(&mut self) {
        self.state.pause(&mut self.socket.get_mut().below);
    }

    /// Gives up on the peer if it is in the middle of a message, which the next `receive` reports.
    pub(crate) fn gives_up_within_message(&mut self) -> bool {
        self.state.gives_up_within_message(&self.socket.get_ref().below)
    }

    /// Sends what it can and says when the Session must know about the queue. Failures show up at the next read.
    pub(crate) fn send(&mut self) -> Option<Pressure> {
        if !self.may_write {
            self.refrained += 1;
            self.may_write = self.refrained >= LOOKS;
        }
        while !self.state.queue.is_over() && self.may_write {
            if self.state.dirty {
                match self.socket.flush() {
                    Ok(()) => {
                        self.state.dirty = false;
                        self.state.queue.flushed();
                    }
                    Err(error) => self.unsent(&error),
                }
                continue;
            }
            let Some(message) = self.state.queue.pop() else { break };
            self.state.dirty = true;
            if let Err(error) = self.socket.write(message) {
                self.unsent(&error);
            }
        }
        self.state.note_failed_writes(&self.socket.get_ref().below);
        if self.is_drained && self.state.is_at_rest(&self.socket.get_ref().below) {
            self.socket.get_mut().rest();
            self.socket.rest();
        }
        self.state.queue.pressure()
    }

    /// A message that was taken stays in the WebSocket's own buffer when the socket is full.
    fn unsent(&mut self, error: &Error) {
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => {
                (self.may_write, self.refrained) = (false, 0)
            }
            error => self.state.queue.breaks(&error.to_string()),
        }
    }

    /// The next message, if there is one. After `Closed` there is none.
    pub(crate) fn receive(&mut self) -> Option<Incoming> {
        if let Some(incoming) = self.state.before_read() {
            return Some(incoming);
        }
        let mut next = None;
        if self.may_read {
            match self.socket.read() {
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.may_read = self.is_spent();
                    // A turn that has ended by its bounds leaves bytes unread.
                    self.is_drained = !self.may_read;
                }
                read => {
                    next = Some(read);
                    self.is_drained = false;
                }
            }
            if let Some(Ok(Message::Close(_))) = next {
                // The answer to the close frame is on its way; what cannot leave now is not worth waiting for.
                let _ = self.socket.flush();
            }
        }
        let Tracked { stream, below, .. } = self.socket.get_mut();
        self.state.note_failed_writes(below);
        let is_in_record = || match stream {
            Stream::Plain(_) => false,
            Stream::Tls(tls) => is_in_record(&mut tls.conn),
        };
        match next {
            Some(read) => Some(self.state.received(read, below, is_in_record)),
            // What is left of what came before is for the next turn.
            None if self.may_read || !self.state.queue.is_broken() => None,
            None => Some(self.state.ended("", below, is_in_record)),
        }
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
        let socket =
            WebSocket::new(Tracked::new(stream), Vec::new(), SocketSettings::new(&IoLimits::default(), message));
        let mut socket = Socket::new(socket, &IoLimits::default(), message, poll.registry(), Token(1)).unwrap();
        let reader = std::thread::spawn(move || {
            let mut far = tungstenite::WebSocket::from_raw_socket(far, Role::Server, None);
            far.read().unwrap().len()
        });
        socket.state.queue_text("x".repeat(LARGE));
        let began = Instant::now();
        // A thread that always finds a message does not come to ask the poller.
        while !reader.is_finished() && began.elapsed() < Duration::from_secs(20) {
            socket.send();
        }
        assert!(reader.is_finished(), "it never left");
        assert_eq!(reader.join().unwrap(), LARGE);
    }
}
