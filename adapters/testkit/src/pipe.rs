//! What lies between both ends of a stream: bounded, in pieces, stalled or cut as a test needs it.

use std::collections::VecDeque;
use std::task::Waker;

/// How a stream behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Most bytes that wait unread in either direction.
    pub capacity: usize,
    /// Most bytes that one read or write of the client moves.
    pub piece: usize,
    /// Nothing more comes through, either way, and neither end hears of it.
    pub silent: bool,
}

impl Default for Link {
    fn default() -> Self {
        Self { capacity: 64 << 10, piece: usize::MAX, silent: false }
    }
}

/// What lies between both ends.
#[derive(Default)]
pub(crate) struct Pipe {
    pub(crate) to_server: VecDeque<u8>,
    pub(crate) to_client: VecDeque<u8>,
    pub(crate) link: Link,
    /// The client has not dropped its end.
    pub(crate) client_holds: bool,
    /// The client said it sends no more.
    pub(crate) client_closed: bool,
    /// The server will send no more.
    pub(crate) server_closed: bool,
    /// Cut: reads and writes fail.
    pub(crate) reset: bool,
    /// Bytes the client has read, those of a flood not counted.
    pub(crate) taken: u64,
    /// Read again and again whenever nothing else waits, and where in it the next read begins.
    pub(crate) flood: Option<(Vec<u8>, usize)>,
    /// What the client sends stays in the stream.
    pub(crate) deaf: bool,
    /// Writes of the client fail, and reads do not.
    pub(crate) unwritable: bool,
    pub(crate) reader: Option<Waker>,
    pub(crate) writer: Option<Waker>,
}

impl Pipe {
    /// Wakes the client, whatever it waits for.
    pub(crate) fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()].into_iter().flatten() {
            waker.wake();
        }
    }

    /// Stops repeating. What is left of the last time stays; so many bytes it is.
    pub(crate) fn end_flood(&mut self) -> usize {
        match self.flood.take() {
            Some((pattern, at)) if at > 0 => {
                let rest = &pattern[at..];
                rest.iter().rev().for_each(|byte| self.to_client.push_front(*byte));
                rest.len()
            }
            _ => 0,
        }
    }

    /// Moves what one read gets, and says how much. What comes beside a flood comes between two repetitions.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> usize {
        let most = buf.len().min(self.link.piece);
        let mut count = self.repeat(&mut buf[..most], true);
        let waiting = (most - count).min(self.to_client.len());
        for (place, byte) in buf[count..].iter_mut().zip(self.to_client.drain(..waiting)) {
            *place = byte;
        }
        count += waiting;
        self.taken += waiting as u64;
        count + self.repeat(&mut buf[count..most], false)
    }

    /// Goes on with a flood, to the end of its pattern or for as long as there is room.
    fn repeat(&mut self, buf: &mut [u8], to_end: bool) -> usize {
        let Some((pattern, at)) = self.flood.as_mut().filter(|(pattern, _)| !pattern.is_empty()) else { return 0 };
        let mut count = 0;
        while count < buf.len() && !(to_end && *at == 0) {
            let part = (pattern.len() - *at).min(buf.len() - count);
            buf[count..count + part].copy_from_slice(&pattern[*at..*at + part]);
            *at = (*at + part) % pattern.len();
            count += part;
        }
        count
    }

    /// How many bytes the server may still put in.
    pub(crate) fn room(&self) -> usize {
        if self.link.silent { 0 } else { self.link.capacity.saturating_sub(self.to_client.len()) }
    }
}
