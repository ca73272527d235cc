//! The WebSocket layer of a connection, which has its buffers only while something is under way.

use std::io::{Read, Write};

use ringcentral_ws_adapter::{FIRST_READ, SocketSettings};
use tungstenite::error::ProtocolError;
use tungstenite::protocol::Role;
use tungstenite::{Message, Result, WebSocket};

/// A WebSocket on the client's side. At rest it is nothing but its stream.
pub(crate) struct Layer<S> {
    state: State<S>,
    settings: SocketSettings,
}

enum State<S> {
    AtRest(S),
    Working(Box<WebSocket<S>>),
    /// While it is made of the other.
    Changing,
}

impl<S: Read + Write> Layer<S> {
    /// On a stream whose upgrade is done, and of which `rest` was read already.
    pub(crate) fn new(stream: S, rest: Vec<u8>, settings: SocketSettings) -> Self {
        Self { state: working(stream, rest, settings), settings }
    }

    pub(crate) fn get_ref(&self) -> &S {
        match &self.state {
            State::AtRest(stream) => stream,
            State::Working(socket) => socket.get_ref(),
            State::Changing => unreachable!("it is changed at once"),
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut S {
        match &mut self.state {
            State::AtRest(stream) => stream,
            State::Working(socket) => socket.get_mut(),
            State::Changing => unreachable!("it is changed at once"),
        }
    }

    /// Lets go of the buffers. Nothing may be under way in either direction.
    pub(crate) fn rest(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Changing) {
            State::Working(socket) => State::AtRest(socket.into_inner()),
            state => state,
        };
    }

    /// The next message.
    pub(crate) fn read(&mut self) -> Result<Message> {
        let State::AtRest(stream) = &mut self.state else { return self.work(Vec::new()).read() };
        let mut piece = [0; FIRST_READ];
        let most = self.settings.buffer.clamp(1, FIRST_READ);
        match stream.read(&mut piece[..most])? {
            0 => Err(ProtocolError::ResetWithoutClosingHandshake.into()),
            count => self.work(piece[..count].to_vec()).read(),
        }
    }

    /// Takes a message for sending.
    pub(crate) fn write(&mut self, message: Message) -> Result<()> {
        self.work(Vec::new()).write(message)
    }

    /// Sends what was taken.
    pub(crate) fn flush(&mut self) -> Result<()> {
        self.work(Vec::new()).flush()
    }

    /// The WebSocket, which takes `read` if it was at rest.
    fn work(&mut self, read: Vec<u8>) -> &mut WebSocket<S> {
        if let State::AtRest(_) = &self.state
            && let State::AtRest(stream) = std::mem::replace(&mut self.state, State::Changing)
        {
            self.state = working(stream, read, self.settings);
        }
        match &mut self.state {
            State::Working(socket) => socket,
            State::AtRest(_) | State::Changing => unreachable!("it works now"),
        }
    }
}

fn working<S: Read + Write>(stream: S, read: Vec<u8>, settings: SocketSettings) -> State<S> {
    State::Working(Box::new(WebSocket::from_partially_read(stream, read, Role::Client, Some(settings.config()))))
}
