//! The socket: opening, upgrading, open. It never blocks; mio wakes the loop when there is more to do.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::net::TcpStream;
use mio::{Registry, Token};
use ringcentral_ws_adapter::{IoLimits, ReadFailure, Tracked, UNFINISHED, Upgrade};
use ringcentral_ws_core::{CloseInfo, ConnId, OpenFailure, Phase, SecretUrl, Timestamp, Unreadable};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::dial::Dialling;

/// It knows whether a message was cut, which the WebSocket layer does not say.
type WebSocket = tungstenite::WebSocket<Tracked<TcpStream>>;

/// What came of looking.
pub(crate) enum Arrival {
    Opened,
    OpenFailed(OpenFailure),
    Text(Utf8Bytes),
    Binary(Bytes),
    Control,
    /// Bytes of a message, which is not whole; there may be more at once.
    Part,
    TooLarge(usize, CloseInfo),
    Unreadable(Unreadable, CloseInfo),
    Closed(CloseInfo),
}

/// At most one connection, by the Session's word (C4).
pub(crate) enum Link {
    None,
    Connecting(ConnId, Dialling, Upgrade),
    Upgrading(ConnId, Upgrading),
    Open(ConnId, WebSocket),
    /// More waits to be sent than may.
    Full(ConnId, WebSocket),
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

/// Most bytes that wait to be sent, the answers to pings among them: of those only the newest is kept when they are more.
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

    pub(crate) fn send(&mut self, conn: ConnId, text: String) {
        self.write(conn, Message::text(text));
    }

    pub(crate) fn close(&mut self, conn: ConnId, code: u16, reason: &'static str) {
        self.write(conn, Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
    }

    /// Failures, a full socket among them, show at the next look.
    fn write(&mut self, conn: ConnId, message: Message) {
        if let Self::Open(live, socket) = self
            && *live == conn
            && matches!(socket.write(message), Err(Error::WriteBufferFull(_)))
            && let Self::Open(_, socket) = std::mem::replace(self, Self::None)
        {
            *self = Self::Full(conn, socket);
        }
    }

    /// How long the loop may wait at most before it looks again.
    pub(crate) fn wait(&self) -> Option<Duration> {
        if let Self::Connecting(_, dialling, _) = self { Some(dialling.wait()) } else { None }
    }

    /// Whether the peer is in the middle of a message.
    pub(crate) fn is_in_message(&self) -> Option<ConnId> {
        match self {
            Self::Open(conn, socket) if socket.get_ref().below.is_in_message() => Some(*conn),
            _ => None,
        }
    }

    /// Closing the socket takes it from the poller.
    pub(crate) fn drop_if(&mut self, conn: ConnId) {
        if matches!(self, Self::Connecting(c, ..) | Self::Upgrading(c, _) | Self::Open(c, _) | Self::Full(c, _) if *c == conn)
        {
            *self = Self::None;
        }
    }

    /// Goes as far as it can without waiting. `None` when there is nothing to tell.
    pub(crate) fn look(&mut self, now: Timestamp, finish_by: Duration) -> Option<(ConnId, Arrival)> {
        match std::mem::replace(self, Self::None) {
            Self::None => None,
            Self::Connecting(conn, mut dialling, upgrade) => match dialling.go_on() {
                Some(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    self.upgrade(conn, Upgrading { stream: Tracked::new(stream), upgrade, sent: 0 })
                }
                Some(Err(failure)) => Some((conn, Arrival::OpenFailed(failure))),
                None => {
                    *self = Self::Connecting(conn, dialling, upgrade);
                    None
                }
            },
            Self::Upgrading(conn, upgrading) => self.upgrade(conn, upgrading),
            Self::Full(conn, socket) => {
                let close = CloseInfo { code: None, reason: "too much waits to be sent".into() };
                Some((conn, ended(&socket, close)))
            }
            Self::Open(conn, mut socket) => {
                let below = &mut socket.get_mut().below;
                below.begin_turn(now);
                let arrival = if below.is_overdue(finish_by, now) {
                    let close = CloseInfo { code: None, reason: UNFINISHED.into() };
                    Some(Arrival::Unreadable(Unreadable::Cut, close))
                } else {
                    read(&mut socket)
                };
                if !matches!(arrival, Some(Arrival::TooLarge(..) | Arrival::Unreadable(..) | Arrival::Closed(_))) {
                    *self = Self::Open(conn, socket);
                }
                arrival.map(|arrival| (conn, arrival))
            }
        }
    }

    fn upgrade(&mut self, conn: ConnId, mut upgrading: Upgrading) -> Option<(ConnId, Arrival)> {
        match upgrading.go_on() {
            Ok(Some(rest)) => {
                let config = WebSocketConfig::default().max_write_buffer_size(SEND_MAX);
                let socket = WebSocket::from_partially_read(upgrading.stream, rest, Role::Client, Some(config));
                *self = Self::Open(conn, socket);
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

fn read(socket: &mut WebSocket) -> Option<Arrival> {
    let blocked = |error: &Error| matches!(error, Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock);
    // What keeps it from sending does not keep it from reading what came before: see `ended`.
    let _ = socket.flush();
    Some(match socket.read() {
        Ok(Message::Text(text)) => Arrival::Text(text),
        Ok(Message::Binary(bytes)) => Arrival::Binary(bytes),
        Ok(Message::Close(frame)) => {
            let _ = socket.flush();
            let (code, reason) = frame.map_or((None, String::new()), |f| (Some(f.code.into()), f.reason.to_string()));
            ended(socket, CloseInfo { code, reason: reason.into() })
        }
        Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Arrival::Control,
        Err(error) if blocked(&error) && socket.get_ref().below.is_spent() => Arrival::Part,
        Err(error) if blocked(&error) => {
            let failed = socket.get_ref().below.failed()?.to_string();
            ended(socket, CloseInfo { code: None, reason: failed.into() })
        }
        Err(error) => {
            let close = CloseInfo { code: None, reason: error.to_string().into() };
            match ReadFailure::of(&error) {
                ReadFailure::TooLarge(size) => Arrival::TooLarge(size, close),
                ReadFailure::Unreadable(what) => Arrival::Unreadable(what, close),
                ReadFailure::Ended => ended(socket, close),
            }
        }
    })
}

/// An end, in the middle of a message or not.
fn ended(socket: &WebSocket, close: CloseInfo) -> Arrival {
    let cut = socket.get_ref().below.is_in_message();
    if cut { Arrival::Unreadable(Unreadable::Cut, close) } else { Arrival::Closed(close) }
}

fn failure(phase: Phase, message: &dyn std::fmt::Display) -> OpenFailure {
    OpenFailure { phase, status: None, retry_after: None, message: message.to_string().into() }
}
