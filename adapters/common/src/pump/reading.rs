//! The socket: what is read when, and what comes of it.

use ringcentral_ws_core::{ConnId, Frame, Input, OpenFailure, SessionState, Wait};

use super::{Connection, Io, Pump, Replies};
use crate::events::{HANDSHAKE_BACKLOG, Load};
use crate::sending::Pressure;
use crate::socket::Incoming;

/// Messages that are read in one turn, with one look at the clock and one wake of the application. A turn is also bounded
/// in bytes and in frames ([`Below`](crate::Below)).
pub(super) const BURST: usize = 64;

impl<R: Replies> Pump<R> {
    pub(super) fn opened(&mut self, conn: ConnId, result: Result<(), OpenFailure>, io: &mut impl Io<Replies = R>) {
        if self.connection != Connection::Opening(conn) {
            return;
        }
        match result {
            Ok(()) => {
                self.connection = Connection::Open(conn);
                self.input(Input::Opened { conn }, io);
            }
            Err(failure) => {
                self.connection = Connection::None;
                let failure = self.debug.not_opened(conn, failure);
                self.input(Input::OpenFailed { conn, failure }, io);
            }
        }
    }

    /// Takes the messages that are there, within the bounds of a turn, as long as there is room for what they cause.
    pub(super) fn read_socket(&mut self, io: &mut impl Io<Replies = R>) {
        self.flooded = false;
        let Connection::Open(conn) = self.connection else { return };
        io.begin_reading(self.now);
        for _ in 0..BURST {
            let paused = self.must_pause();
            if self.parked.is_some() && paused {
                return io.pause_reading();
            }
            if let Some(incoming) = self.parked.take() {
                self.paused_since = None;
                self.input(Input::Unread { conn }, io);
                self.received(conn, &incoming, io);
            } else {
                let Some(incoming) = io.receive() else {
                    self.flooded = io.is_spent();
                    return;
                };
                if paused && matches!(incoming, Incoming::Text(_) | Incoming::Binary(_)) {
                    // It would become an event, for which there is no room.
                    self.parked = Some(incoming);
                    continue;
                }
                self.received(conn, &incoming, io);
            }
            if self.connection != Connection::Open(conn) {
                return;
            }
        }
        self.flooded = true;
    }

    fn received(&mut self, conn: ConnId, incoming: &Incoming, io: &mut impl Io<Replies = R>) {
        let frame = match incoming {
            Incoming::Text(text) => {
                self.debug.frame("<-", text);
                Frame::Text(text)
            }
            Incoming::Binary(bytes) => Frame::Binary(bytes),
            Incoming::Control => Frame::Control,
            Incoming::TooLarge(size) => Frame::TooLarge(*size),
            Incoming::Unreadable(what) => {
                self.debug.note(|| format!("unreadable {conn}: {}", what.as_str()));
                Frame::Unreadable(*what)
            }
            Incoming::Closed(close) => {
                let close = self.debug.closed(conn, close.clone());
                self.disconnect(io);
                return self.input(Input::Closed { conn, close }, io);
            }
        };
        self.input(Input::Frame { conn, frame }, io);
    }

    /// Sends what waits, and passes on what the session must know about that.
    pub(super) fn write_socket(&mut self, io: &mut impl Io<Replies = R>) {
        while let Connection::Open(conn) = self.connection
            && let Some(pressure) = io.flush()
        {
            self.report_unread_when_due(io);
            let input = match pressure {
                Pressure::Blocked => Input::SendBlocked { conn },
                Pressure::Ready => Input::SendReady { conn },
            };
            self.input(input, io);
        }
        // The end is read behind what came before it.
        let is_open = matches!(self.connection, Connection::Open(_));
        self.again |= is_open && self.parked.is_none() && io.is_broken();
    }

    /// Whether the parked message may go on: a request may have left since the socket's turn, whose answer is
    /// awaited.
    pub(super) fn may_go_on(&mut self) -> bool {
        self.parked.is_some() && !self.must_pause()
    }

    /// Whether messages must wait for the application.
    fn must_pause(&mut self) -> bool {
        let load = self.listeners.load(self.events.load());
        load.is_full && must_pause(load, self.session.state(), !self.over_socket.is_empty())
    }

    /// A deadline has come while the parked message waits for the application: the session puts off timers that wait for
    /// messages (`Input::Unread`). Each call of the session runs the timers that are due, a command too, so this comes
    /// first.
    pub(super) fn report_unread_when_due(&mut self, io: &mut impl Io<Replies = R>) {
        if self.parked.is_some()
            && matches!(self.wait, Wait::Until { at, .. } if at <= self.now)
            && let Connection::Open(conn) = self.connection
        {
            self.input(Input::Unread { conn }, io);
        }
    }
}

/// While a connection is being made messages need not wait for room: they cause few events, and leaving them unread
/// would fail the attempt. Nor while an answer over the socket is awaited, perhaps by the loop that would take the
/// events (REQ-10). The limit in bytes holds always.
pub(super) const fn must_pause(load: Load, state: SessionState, answer_awaited: bool) -> bool {
    if load.is_heavy || !matches!(state, SessionState::Ready { .. }) {
        return load.is_heavy || load.backlog >= HANDSHAKE_BACKLOG;
    }
    !answer_awaited
}
