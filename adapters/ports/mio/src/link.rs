//! The socket: opening, upgrading, open. It never blocks; mio wakes the loop when there is more to do.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Registry, Token};
use ringcentral_ws_adapter::{Incoming, IoLimits, MessageLimits, SocketState, Tracked, Upgrade};
use ringcentral_ws_core::{ConnId, OpenFailure, Phase, SecretUrl, Timestamp};
use tungstenite::Error;
use tungstenite::protocol::{Role, WebSocketConfig};

use crate::dial::Dialling;

/// It knows whether a message was cut, which the WebSocket layer does not say.
type WebSocket = tungstenite::WebSocket<Tracked<TcpStream>>;

/// What came of looking.
pub(crate) enum Arrival {
    Opened,
    OpenFailed(OpenFailure),
    Incoming(Incoming),
    /// Bytes of a message, which is not whole; there may be more at once.
    Part,
}

/// At most one connection, by the Session's word (C4).
pub(crate) enum Link {
    None,
    Connecting(ConnId, Dialling, Upgrade),
    Upgrading(ConnId, Upgrading),
    Open(ConnId, Box<Socket>),
}

/// An open WebSocket, and what waits to be sent on it.
pub(crate) struct Socket {
    socket: WebSocket,
    state: SocketState,
}

/// An upgrade in progress.
pub(crate) struct Upgrading {
    stream: Tracked<TcpStream>,
    upgrade: Upgrade,
    /// So much of the request has left.
    sent: usize,
}

impl Upgrading {
    /// Goes on. What came behind the answer belongs to the WebSocket; `None` when there is more to wait for.
    fn go_on(&mut self) -> Result<Option<Vec<u8>>, OpenFailure> {
        match self.exchange() {
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Upgrade::broken(&error)),
        }
    }

    fn exchange(&mut self) -> io::Result<Result<Option<Vec<u8>>, OpenFailure>> {
        while self.sent < self.upgrade.request().len() {
            self.sent += self.stream.write(&self.upgrade.request()[self.sent..])?;
        }
        let mut piece = [0; 2 << 10];
        loop {
            let count = self.stream.read(&mut piece)?;
            match self.upgrade.take(&piece[..count]) {
                Ok(None) => {}
                done => return Ok(done),
            }
        }
    }
}

/// Most bytes that wait to be sent.
const SEND_MAX: usize = 1 << 20;

impl Link {
    /// Begins to connect. The upgrade has no deadline here: the Session's own ends it by `Action::Drop`.
    pub(crate) fn open(
        &mut self,
        conn: ConnId,
        url: &SecretUrl,
        registry: &Registry,
        token: Token,
    ) -> Result<(), OpenFailure> {
        *self = Self::None;
        // Not by the WebSocket library, which writes the secret address into its log.
        let upgrade = Upgrade::new(url)?;
        if url.expose().scheme() != "ws" {
            return Err(failure(Phase::Tls, &"this example leaves TLS out"));
        }
        // A real port looks names up elsewhere: this may block.
        let addresses = url.expose().socket_addrs(|| None).map_err(|error| failure(Phase::Dns, &error))?;
        let host = url.expose().host_str().unwrap_or_default();
        let dialling = Dialling::new(host, addresses, &IoLimits::default(), registry, token)
            .map_err(|error| failure(Phase::Tcp, &error))?;
        *self = Self::Connecting(conn, dialling, upgrade);
        Ok(())
    }

    /// The open socket of this connection.
    pub(crate) fn socket(&mut self, conn: ConnId) -> Option<&mut SocketState> {
        match self {
            Self::Open(live, socket) if *live == conn => Some(&mut socket.state),
            _ => None,
        }
    }

    /// How long the loop may wait at most before it looks again.
    pub(crate) fn wait(&self) -> Option<Duration> {
        if let Self::Connecting(_, dialling, _) = self { Some(dialling.wait()) } else { None }
    }

    /// Gives up on the peer if it is in the middle of a message, which the next look reports.
    pub(crate) fn gives_up_within_message(&mut self) -> bool {
        let Self::Open(_, open) = self else { return false };
        open.state.gives_up_within_message(&open.socket.get_ref().below)
    }

    /// Closing the socket takes it from the poller.
    pub(crate) fn drop_if(&mut self, conn: ConnId) {
        if matches!(self, Self::Connecting(c, ..) | Self::Upgrading(c, _) | Self::Open(c, _) if *c == conn) {
            *self = Self::None;
        }
    }

    /// Goes as far as it can without waiting. `None` when there is nothing to tell.
    pub(crate) fn look(&mut self, now: Timestamp, message: MessageLimits) -> Option<(ConnId, Arrival)> {
        match std::mem::replace(self, Self::None) {
            Self::None => None,
            Self::Connecting(conn, mut dialling, upgrade) => match dialling.go_on() {
                Some(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    self.upgrade(conn, Upgrading { stream: Tracked::new(stream), upgrade, sent: 0 }, message)
                }
                Some(Err(failure)) => Some((conn, Arrival::OpenFailed(failure))),
                None => {
                    *self = Self::Connecting(conn, dialling, upgrade);
                    None
                }
            },
            Self::Upgrading(conn, upgrading) => self.upgrade(conn, upgrading, message),
            Self::Open(conn, mut socket) => {
                let arrival = socket.look(now);
                if !matches!(arrival, Some(Arrival::Incoming(Incoming::Closed(_)))) {
                    *self = Self::Open(conn, socket);
                }
                arrival.map(|arrival| (conn, arrival))
            }
        }
    }

    fn upgrade(&mut self, conn: ConnId, mut upgrading: Upgrading, message: MessageLimits) -> Option<(ConnId, Arrival)> {
        match upgrading.go_on() {
            Ok(Some(rest)) => {
                let config = WebSocketConfig::default()
                    .max_message_size(Some(message.bytes))
                    .max_frame_size(Some(message.bytes));
                let socket = WebSocket::from_partially_read(upgrading.stream, rest, Role::Client, Some(config));
                let limits = IoLimits { send_max: SEND_MAX, ..IoLimits::default() };
                let socket = Socket { socket, state: SocketState::new(&limits, message) };
                *self = Self::Open(conn, Box::new(socket));
                Some((conn, Arrival::Opened))
            }
            Ok(None) => {
                *self = Self::Upgrading(conn, upgrading);
                None
            }
            Err(failure) => Some((conn, Arrival::OpenFailed(failure))),
        }
    }
}

impl Socket {
    /// Sends what it can, then takes one message. What keeps it from sending does not keep it from reading what came
    /// before.
    fn look(&mut self, now: Timestamp) -> Option<Arrival> {
        self.state.begin_turn(&mut self.socket.get_mut().below, now);
        self.send();
        if let Some(incoming) = self.state.before_read() {
            return Some(Arrival::Incoming(incoming));
        }
        let read = self.socket.read();
        let below = &self.socket.get_ref().below;
        self.state.note_failed_writes(below);
        let incoming = match read {
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if below.is_spent() {
                    return Some(Arrival::Part);
                }
                if !self.state.queue.is_broken() {
                    return None;
                }
                self.state.ended("", below, || false)
            }
            // There is no TLS here, and so no record that could be cut.
            read => self.state.received(read, below, || false),
        };
        if let Incoming::Closed(_) = incoming {
            // The answer to a close frame; what cannot leave now is not worth waiting for.
            let _ = self.socket.flush();
        }
        Some(Arrival::Incoming(incoming))
    }

    fn send(&mut self) {
        while !self.state.queue.is_over() {
            let flushes = self.state.dirty;
            let done = if flushes {
                self.socket.flush()
            } else {
                let Some(message) = self.state.queue.pop() else { break };
                self.state.dirty = true;
                self.socket.write(message)
            };
            match done {
                Ok(()) if flushes => {
                    self.state.dirty = false;
                    self.state.queue.flushed();
                }
                Ok(()) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.state.queue.breaks(&error.to_string()),
            }
        }
        self.state.note_failed_writes(&self.socket.get_ref().below);
    }
}

fn failure(phase: Phase, message: &dyn std::fmt::Display) -> OpenFailure {
    OpenFailure { phase, status: None, retry_after: None, message: message.to_string().into() }
}
