//! What a driver does for its pump.

use std::task::Waker;

use bytes::Bytes;
use http::Response;
use ringcentral_ws_core::{
    AccessToken, AuthFailure, AuthId, AuthReason, ConnId, HttpFailure, HttpId, OpenFailure, RequestId, Secret,
    SecretUrl, Timestamp,
};

use super::{Command, Replies};
use crate::sending::Pressure;
use crate::socket::Incoming;

/// What takes time has come to its end.
pub enum Completion<B> {
    /// How a question to the credential source came out.
    Authorized(AuthId, Result<AccessToken, AuthFailure>),
    /// How an HTTPS call came out.
    Answered(HttpId, Result<Box<Response<Bytes>>, HttpFailure>),
    /// The head of a streamed answer.
    Streamed {
        /// The call.
        id: HttpId,
        /// The request it was made for.
        request: RequestId,
        /// The head, or a whole answer that has no body to stream.
        response: Box<Response<Bytes>>,
        /// The body, if it is to be read as it comes.
        body: Option<B>,
    },
    /// How opening a WebSocket came out. The driver has the socket.
    Opened(ConnId, Result<(), OpenFailure>),
}

/// What a driver does for its [`Pump`](super::Pump): it starts what takes time, and looks at what has happened. Nothing
/// here waits. Of the socket there is one at most, the one that [`open`](Self::open) began last.
pub trait Io {
    /// The ways back to callers.
    type Replies: Replies;

    /// The next command; `Err` when the last handle is gone.
    ///
    /// # Errors
    ///
    /// Then everything ends at once.
    fn next_command(&mut self) -> Result<Option<Command<Self::Replies>>, Abandoned>;

    /// Whether callers of requests have stopped waiting since the last look.
    fn take_cancelled(&mut self) -> bool;

    /// The next command after the end of the session. None can come after the last one.
    fn last_command(&mut self) -> Option<Command<Self::Replies>>;

    /// The next thing that has come to its end. One that was aborted need not show up.
    fn next_completion(&mut self) -> Option<Completion<<Self::Replies as Replies>::Body>>;

    /// Asks the credential source for an access token.
    fn authorize(&mut self, id: AuthId, reason: AuthReason, last: Option<Secret>);

    /// Makes an HTTPS call. With a request the body of the answer is streamed to its caller.
    fn call(&mut self, id: HttpId, request: http::Request<Bytes>, streamed: Option<RequestId>);

    /// Gives a call up.
    fn abort_call(&mut self, id: HttpId);

    /// A connection is ready: the HTTPS connections that were kept while it was made are closed. An idle session has no
    /// use for them, and each has buffers.
    fn close_kept(&mut self);

    /// Opens a WebSocket, in place of what there was.
    fn open(&mut self, conn: ConnId, url: SecretUrl);

    /// Forgets the socket, or the one that is being opened, at once.
    fn disconnect(&mut self);

    /// Forgets the socket, gives all calls up and ends the bodies that are read. Logins go on.
    fn release(&mut self);

    /// Takes a text for the open socket.
    fn send(&mut self, text: String);

    /// Takes a close frame for the open socket.
    fn close(&mut self, code: u16, reason: &'static str);

    /// Sends what it can and says when the session must know about the queue.
    fn flush(&mut self) -> Option<Pressure>;

    /// Whether nothing can be sent on the open socket any more; [`receive`](Self::receive) gives its end, behind what
    /// came before.
    fn is_broken(&self) -> bool;

    /// A turn of reading begins: its bounds count from now.
    fn begin_reading(&mut self, now: Timestamp);

    /// The next message of the open socket, if it is there. After `Incoming::Closed` there is none.
    fn receive(&mut self) -> Option<Incoming>;

    /// Whether reading has stopped at the bounds of a turn, so that there may be more to read at once.
    fn is_spent(&mut self) -> bool;

    /// The peer is not read for a while, or the process was away: that says nothing about a message under way.
    fn pause_reading(&mut self);

    /// Gives up on the peer if it is in the middle of a message, which the next `receive` reports.
    fn gives_up_within_message(&mut self) -> bool;

    /// Wakes the driver.
    fn waker(&self) -> &Waker;
}

/// The last handle of a client is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abandoned;
