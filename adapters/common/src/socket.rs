//! One WebSocket, as far as it is the same whether it waits or not: what waits to be sent, what a read means, and how a
//! connection ended.

use std::time::Duration;

use ringcentral_ws_core::{CloseInfo, Timestamp, Unreadable};
use tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tungstenite::{Bytes, Error, Message, Utf8Bytes};

use crate::below::{Below, UNFINISHED};
use crate::limits::{IoLimits, MessageLimits};
use crate::sending::{SendQueue, UNREAD_PONGS};
use crate::unread::ReadFailure;

/// What came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(Utf8Bytes),
    /// A binary message.
    Binary(Bytes),
    /// A ping or pong.
    Control,
    /// A message over the size limit, with its size in bytes. `Closed` is next.
    TooLarge(usize),
    /// Bytes that are no message. `Closed` is next.
    Unreadable(Unreadable),
    /// The end.
    Closed(CloseInfo),
}

/// The settings of a WebSocket, which is made anew after each rest.
#[derive(Clone, Copy, Debug)]
pub struct SocketSettings {
    /// The size of its buffers.
    pub buffer: usize,
    /// The size of the largest message.
    pub message: usize,
}

impl SocketSettings {
    /// Under these limits.
    #[must_use]
    pub const fn new(limits: &IoLimits, message: MessageLimits) -> Self {
        Self { buffer: limits.socket_buffer, message: message.bytes }
    }

    /// The same for the WebSocket layer.
    #[must_use]
    pub fn config(self) -> WebSocketConfig {
        WebSocketConfig::default()
            .read_buffer_size(self.buffer)
            .write_buffer_size(self.buffer)
            .max_message_size(Some(self.message))
            .max_frame_size(Some(self.message))
    }
}

/// What is known about a WebSocket beside its stream.
#[derive(Debug)]
pub struct SocketState {
    /// What waits to be sent.
    pub queue: SendQueue<Message>,
    /// Something was handed to the stream since it was last flushed.
    pub dirty: bool,
    /// A close frame was taken for sending.
    closing: bool,
    /// How long a message may stay unfinished.
    finish_by: Duration,
    /// One has stayed unfinished for longer.
    overdue: bool,
    /// Nothing could be sent for as long, and the peer still sends.
    stuck: bool,
}

impl SocketState {
    /// That of a new WebSocket.
    #[must_use]
    pub const fn new(limits: &IoLimits, message: MessageLimits) -> Self {
        let queue = SendQueue::new(limits);
        Self { queue, dirty: false, closing: false, finish_by: message.finish_by, overdue: false, stuck: false }
    }

    /// A turn of reading begins.
    pub fn begin_turn(&mut self, below: &mut Below, now: Timestamp) {
        below.begin_turn(now);
        self.overdue |= below.is_overdue(self.finish_by, now);
        self.stuck |= self.queue.is_overdue(self.finish_by, now);
    }

    /// The peer is not read for a while, or the process was away: that says nothing about a message under way.
    pub const fn pause(&mut self, below: &mut Below) {
        below.pause();
        self.queue.pause();
        (self.overdue, self.stuck) = (false, false);
    }

    /// Gives up on the peer if it is in the middle of a message, which the next read reports.
    pub const fn gives_up_within_message(&mut self, below: &Below) -> bool {
        self.overdue = !self.queue.is_over() && below.is_in_message();
        self.overdue
    }

    /// Takes a text for sending. Beyond the limit the connection counts as lost.
    pub fn queue_text(&mut self, text: String) {
        let bytes = text.len();
        self.queue.push(Message::text(text), bytes);
    }

    /// Takes a close frame for sending.
    pub fn queue_close(&mut self, code: u16, reason: &'static str) {
        self.closing = true;
        self.queue.push_last(Message::Close(Some(CloseFrame { code: code.into(), reason: reason.into() })));
    }

    /// Whether nothing is under way in either direction, once all that was read has been taken: the WebSocket layer has
    /// nothing to remember.
    #[must_use]
    pub fn is_at_rest(&self, below: &Below) -> bool {
        let sends = self.dirty || self.closing || self.queue.is_over() || !self.queue.is_empty();
        !sends && below.is_between_messages()
    }

    /// Notes a write that failed below the WebSocket, which is not shown it, so that it goes on reading.
    pub fn note_failed_writes(&mut self, below: &Below) {
        if let Some(error) = below.failed() {
            self.queue.breaks(&error.to_string());
        }
    }

    /// What comes without a look at the stream: the end that is known already, or that the peer is given up.
    pub fn before_read(&mut self) -> Option<Incoming> {
        if let Some(end) = self.queue.ended() {
            return Some(Incoming::Closed(end));
        }
        if std::mem::take(&mut self.overdue) {
            self.queue.end(None, UNFINISHED);
            return Some(Incoming::Unreadable(Unreadable::Cut));
        }
        if std::mem::take(&mut self.stuck) {
            return Some(self.leave("the server did not stop sending"));
        }
        None
    }

    /// What a read means that came to something. `is_cut` is asked at an end without a close frame: whether the stream
    /// is in the middle of a message or of a record.
    pub fn received(&mut self, read: Result<Message, Error>, below: &Below, is_cut: impl FnOnce() -> bool) -> Incoming {
        match read {
            Ok(Message::Text(text)) => Incoming::Text(text),
            Ok(Message::Binary(bytes)) => Incoming::Binary(bytes),
            // Where writes fail an answer goes nowhere and takes no room: what is behind the ping is read.
            Ok(Message::Ping(payload)) if below.failed().is_none() && !self.queue.answers_ping(payload.len()) => {
                self.leave(UNREAD_PONGS)
            }
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                // Reading a ping puts its answer into the buffer; nothing else may come to push it out.
                self.dirty = true;
                Incoming::Control
            }
            Ok(Message::Close(frame)) => {
                let (code, reason) =
                    frame.map_or((None, String::new()), |f| (Some(f.code.into()), f.reason.to_string()));
                let close = self.queue.end(code, &reason);
                // Between two fragments of a message.
                if below.is_in_message() { Incoming::Unreadable(Unreadable::Cut) } else { Incoming::Closed(close) }
            }
            Err(error) => match ReadFailure::of(&error) {
                ReadFailure::TooLarge(size) => {
                    // Where the message ends is not known any more, so the connection ends with it.
                    self.queue.end(None, "a message over the size limit");
                    Incoming::TooLarge(size)
                }
                ReadFailure::Unreadable(what) => {
                    self.queue.end(None, &error.to_string());
                    Incoming::Unreadable(what)
                }
                ReadFailure::Ended => self.ended(&error.to_string(), below, is_cut),
            },
        }
    }

    /// The end without a close frame, which may have come in the middle of a message.
    pub fn ended(&mut self, reason: &str, below: &Below, is_cut: impl FnOnce() -> bool) -> Incoming {
        let close = self.queue.end_unasked(reason);
        let cut = below.is_in_message() || is_cut();
        if cut { Incoming::Unreadable(Unreadable::Cut) } else { Incoming::Closed(close) }
    }

    /// Gives up on a peer that may have sent more than was read, and counts it as sent.
    fn leave(&mut self, reason: &str) -> Incoming {
        self.queue.end_unasked(reason);
        Incoming::Unreadable(Unreadable::Other)
    }
}
