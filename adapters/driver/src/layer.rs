//! The WebSocket layer of a connection, which has its buffers only while something is under way.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use async_tungstenite::WebSocketStream;
use async_tungstenite::tungstenite::error::{Error, ProtocolError};
use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::{Message, Result};
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{FutureExt, Sink, Stream};
use ringcentral_ws_adapter::{FIRST_READ, SocketSettings};

/// A WebSocket on the client's side. At rest it is nothing but its stream.
pub(crate) struct Layer<S> {
    state: State<S>,
    settings: SocketSettings,
}

enum State<S> {
    AtRest(S),
    Working(Box<WebSocketStream<S>>),
    /// While it is made of the other.
    Changing,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Layer<S> {
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

    /// For sending.
    pub(crate) fn sink(&mut self) -> Pin<&mut impl Sink<Message, Error = Error>> {
        self.work(Vec::new())
    }

    /// The next message.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Message>>> {
        let State::AtRest(stream) = &mut self.state else { return self.work(Vec::new()).poll_next(cx) };
        let mut piece = [0; FIRST_READ];
        let most = self.settings.buffer.clamp(1, FIRST_READ);
        match ready!(Pin::new(stream).poll_read(cx, &mut piece[..most])) {
            Ok(0) => Poll::Ready(Some(Err(ProtocolError::ResetWithoutClosingHandshake.into()))),
            Ok(count) => self.work(piece[..count].to_vec()).poll_next(cx),
            Err(error) => Poll::Ready(Some(Err(error.into()))),
        }
    }

    /// The WebSocket, which takes `read` if it was at rest.
    fn work(&mut self, read: Vec<u8>) -> Pin<&mut WebSocketStream<S>> {
        if let State::AtRest(_) = &self.state
            && let State::AtRest(stream) = std::mem::replace(&mut self.state, State::Changing)
        {
            self.state = working(stream, read, self.settings);
        }
        match &mut self.state {
            State::Working(socket) => Pin::new(&mut **socket),
            State::AtRest(_) | State::Changing => unreachable!("it works now"),
        }
    }
}

fn working<S: AsyncRead + AsyncWrite + Unpin>(stream: S, read: Vec<u8>, settings: SocketSettings) -> State<S> {
    let made = WebSocketStream::from_partially_read(stream, read, Role::Client, Some(settings.config()));
    State::Working(Box::new(made.now_or_never().expect("nothing is sent, so nothing is awaited")))
}
