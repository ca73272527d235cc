//! The stream below a WebSocket: what is known about it there only, and how much of it is read at a time.

use std::ops::Range;
use std::time::Duration;
use std::{fmt, io};

use ringcentral_ws_core::Timestamp;

use crate::frames::FrameTracker;
use crate::limits::{LARGE_READ, MESSAGE_FRAMES, TURN_BYTES, TURN_FRAMES};

/// Why a connection ended that was alive: for people.
pub(crate) const UNFINISHED: &str = "the server did not finish a message in time";

/// Why a message is not read to its end.
#[derive(Debug)]
pub(crate) struct TooManyFrames;

impl fmt::Display for TooManyFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server sent a message in more than {MESSAGE_FRAMES} frames")
    }
}

impl std::error::Error for TooManyFrames {}

/// What is known about the stream below a WebSocket, and the WebSocket layer does not say: whether a message was cut, and
/// that nothing can be written any more.
///
/// A WebSocket answers pings while it reads. A write that fails then would end the reading, though whole messages may
/// have come before the connection broke. So once the WebSocket is open, a failed write is noted here and passed on as if
/// it had gone well.
///
/// It also bounds what a peer that never pauses can do (FRM-4). A turn of reading ends after [`TURN_BYTES`] or
/// [`TURN_FRAMES`], in the middle of a message or not: the WebSocket layer goes on to the next frame by itself as long as
/// there are bytes and no message is whole. And a message may have [`MESSAGE_FRAMES`] frames and take a limited time.
#[derive(Debug)]
pub struct Below {
    frames: FrameTracker,
    failed: Option<io::Error>,
    /// Bytes that may still be read in this turn. Before the first turn, in which the WebSocket is opened, any number.
    bytes_left: usize,
    /// What was counted when the turn began.
    frames_before: u32,
    /// Since when a message is unfinished, as far as turns show.
    unfinished: Option<Timestamp>,
    /// Messages that were whole then.
    messages: u32,
}

impl Default for Below {
    fn default() -> Self {
        Self {
            frames: FrameTracker::new(),
            failed: None,
            bytes_left: usize::MAX,
            frames_before: 0,
            unfinished: None,
            messages: 0,
        }
    }
}

impl Below {
    /// Takes the bytes that were handed to the WebSocket.
    pub fn read(&mut self, bytes: &[u8]) {
        self.frames.advance(bytes);
        self.bytes_left = self.bytes_left.saturating_sub(bytes.len());
    }

    /// A turn of reading begins: it may take as much as any.
    pub fn begin_turn(&mut self, now: Timestamp) {
        let counts = self.frames.counts();
        (self.bytes_left, self.frames_before) = (TURN_BYTES, counts.frames);
        if !self.is_in_message() {
            self.unfinished = None;
        } else if self.unfinished.is_none() || self.messages != counts.messages {
            (self.unfinished, self.messages) = (Some(now), counts.messages);
        }
    }

    /// The peer could not be read for a while, by no fault of its own: an unfinished message has its time from now on.
    pub const fn pause(&mut self) {
        self.unfinished = None;
    }

    /// Whether this turn may read more. What the stream holds then is for the next one.
    ///
    /// # Errors
    ///
    /// When the message under way has too many frames; [`SocketState`](crate::SocketState) knows what that means.
    pub fn may_read(&self) -> io::Result<bool> {
        if self.is_in_message() && self.frames.counts().parts > MESSAGE_FRAMES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, TooManyFrames));
        }
        Ok(!self.is_spent())
    }

    /// Whether this turn has read as much as it may, so that there may be more to read at once.
    #[must_use]
    pub const fn is_spent(&self) -> bool {
        let frames = self.frames.counts().frames.wrapping_sub(self.frames_before);
        self.bytes_left == 0 || self.bytes_left <= TURN_BYTES && frames >= TURN_FRAMES
    }

    /// Whether a message has been unfinished for longer than `limit`.
    #[must_use]
    pub fn is_overdue(&self, limit: Duration, now: Timestamp) -> bool {
        self.is_in_message()
            && self.messages == self.frames.counts().messages
            && self.unfinished.is_some_and(|since| now.since(since) > limit)
    }

    /// How writing `length` bytes went. The answer is what the WebSocket is to see.
    ///
    /// # Errors
    ///
    /// When the stream only is not ready, or the WebSocket is not open yet.
    pub fn wrote(&mut self, result: io::Result<usize>, length: usize) -> io::Result<usize> {
        match result {
            Ok(0) if length > 0 => self.fails(io::ErrorKind::WriteZero.into()).map(|()| length),
            Ok(count) => Ok(count),
            Err(error) => self.fails(error).map(|()| length),
        }
    }

    /// How flushing went. The answer is what the WebSocket is to see.
    ///
    /// # Errors
    ///
    /// As for [`wrote`](Self::wrote).
    pub fn flushed(&mut self, result: io::Result<()>) -> io::Result<()> {
        result.or_else(|error| self.fails(error))
    }

    fn fails(&mut self, error: io::Error) -> io::Result<()> {
        let waits = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
        if waits || !self.frames.is_upgraded() {
            return Err(error);
        }
        self.failed.get_or_insert(error);
        Ok(())
    }

    /// Why nothing can be written any more, if that is so.
    #[must_use]
    pub const fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }

    /// See [`FrameTracker::is_between_messages`].
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.frames.is_between_messages()
    }

    /// See [`FrameTracker::is_in_message`].
    #[must_use]
    pub const fn is_in_message(&self) -> bool {
        self.frames.is_in_message()
    }
}

/// A blocking or non-blocking stream below a WebSocket, with what is known about it. Small reads are served from one large
/// read as long as they come back full. Its buffer stays until [`rest`](Self::rest), so that a burst makes it once.
#[derive(Debug)]
pub struct Tracked<S> {
    /// The stream itself.
    pub stream: S,
    /// What is known about it.
    pub below: Below,
    /// Empty unless much is coming.
    buffer: Vec<u8>,
    /// What of `buffer` has not been given away.
    left: Range<usize>,
    /// The last read came back full.
    more: bool,
}

impl<S> Tracked<S> {
    /// A stream from which nothing of the answer to the upgrade has been read.
    pub fn new(stream: S) -> Self {
        Self { stream, below: Below::default(), buffer: Vec::new(), left: 0..0, more: false }
    }

    /// Lets go of the buffer. Nothing may be under way.
    pub fn rest(&mut self) {
        debug_assert!(self.left.is_empty(), "all was given away");
        self.buffer = Vec::new();
    }
}

impl<S: io::Read> io::Read for Tracked<S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.below.may_read()? {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.left.is_empty() {
            if !self.more || buf.len() >= LARGE_READ {
                let count = self.stream.read(buf)?;
                self.more = count == buf.len() && count > 0;
                self.below.read(&buf[..count]);
                return Ok(count);
            }
            if self.buffer.is_empty() {
                self.buffer = vec![0; LARGE_READ];
            }
            let read = self.stream.read(&mut self.buffer);
            self.more = read.is_ok();
            self.left = 0..read?;
        }
        let count = buf.len().min(self.left.len());
        buf[..count].copy_from_slice(&self.buffer[self.left.start..self.left.start + count]);
        self.left.start += count;
        self.below.read(&buf[..count]);
        Ok(count)
    }
}

impl<S: io::Write> io::Write for Tracked<S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        // What never leaves takes no room and waits for nothing.
        if self.below.failed().is_some() {
            return Ok(buf.len());
        }
        self.below.wrote(self.stream.write(buf), buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.below.failed().is_some() {
            return Ok(());
        }
        self.below.flushed(self.stream.flush())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n";

    // CLAUSE REC-5
    #[test]
    fn a_failed_write_is_noted_and_ends_no_reading() {
        let mut below = Below::default();
        let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
        assert!(below.wrote(Err(broken()), 5).is_err(), "the upgrade was not sent");
        below.read(UPGRADE);
        assert_eq!(
            below.wrote(Err(io::ErrorKind::WouldBlock.into()), 5).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        assert_eq!(below.wrote(Ok(3), 5).unwrap(), 3);
        assert!(below.failed().is_none());
        assert_eq!(below.wrote(Ok(0), 5).unwrap(), 5);
        assert_eq!(below.wrote(Err(broken()), 7).unwrap(), 7);
        below.flushed(Err(broken())).unwrap();
        assert_eq!(below.failed().unwrap().kind(), io::ErrorKind::WriteZero, "the first cause stands");
    }

    /// Gives the same bytes for ever.
    struct Endless(&'static [u8]);

    impl Read for Endless {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let count = buf.len() / self.0.len() * self.0.len();
            buf[..count].chunks_mut(self.0.len()).for_each(|piece| piece.copy_from_slice(self.0));
            Ok(count)
        }
    }

    fn opened(bytes: &'static [u8]) -> Tracked<Endless> {
        let mut tracked = Tracked::new(Endless(bytes));
        tracked.below.read(UPGRADE);
        tracked
    }

    /// Bytes and frames of one turn, and how it ended.
    fn turn(tracked: &mut Tracked<Endless>) -> (usize, u32, io::Error) {
        tracked.below.begin_turn(Timestamp::ZERO);
        let (mut bytes, before, mut buf) = (0, tracked.below.frames.counts().frames, [0; 4096]);
        loop {
            match tracked.read(&mut buf) {
                Ok(count) => bytes += count,
                Err(error) => return (bytes, tracked.below.frames.counts().frames - before, error),
            }
        }
    }

    // CLAUSE FRM-4
    #[test]
    fn a_turn_is_bounded_in_bytes_and_in_frames() {
        // Pings, and a text of 2000 bytes.
        static LARGE: [u8; 2004] = {
            let mut bytes = [b'x'; 2004];
            (bytes[0], bytes[1], bytes[2], bytes[3]) = (0x81, 126, 0x07, 0xd0);
            bytes
        };
        for (bytes, few_frames) in [(&[0x89, 0][..], false), (&LARGE, true)] {
            let mut tracked = opened(bytes);
            for _ in 0..3 {
                let (bytes, frames, end) = turn(&mut tracked);
                assert_eq!(end.kind(), io::ErrorKind::WouldBlock);
                assert!(tracked.below.is_spent());
                // One read goes beyond.
                let most = if few_frames { (TURN_BYTES + 4096, TURN_FRAMES) } else { (TURN_BYTES, TURN_FRAMES + 2048) };
                assert!(bytes < most.0 && frames < most.1, "{bytes} bytes, {frames} frames");
                assert!(bytes >= TURN_BYTES || frames >= TURN_FRAMES);
            }
        }
    }

    #[test]
    fn a_flood_is_read_whole_in_large_reads() {
        let sent: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
        let mut tracked = Tracked::new(sent.as_slice());
        let (mut got, mut piece, mut large) = (Vec::new(), [0; 100], 0);
        loop {
            let left = tracked.stream.len();
            let count = tracked.read(&mut piece).unwrap();
            large += usize::from(left - tracked.stream.len() > piece.len());
            if count == 0 {
                break;
            }
            got.extend_from_slice(&piece[..count]);
        }
        assert!(got == sent && large == 4, "{large} large reads");
        tracked.rest();
        assert_eq!(tracked.buffer.capacity(), 0, "nothing is held while nothing comes");
    }

    // CLAUSE FRM-4
    #[test]
    fn a_message_has_a_limited_number_of_frames() {
        let mut tracked = opened(&[0x00, 0]);
        tracked.below.read(&[0x01, 0]);
        let mut turns = 0;
        let end = loop {
            turns += 1;
            let (_, _, end) = turn(&mut tracked);
            if end.kind() != io::ErrorKind::WouldBlock {
                break end;
            }
        };
        assert!(end.to_string().contains("65536 frames") && turns > 1, "{end} after {turns} turns");
        // Finished with the same bytes, it is no longer under way.
        tracked.below.read(&[0x80, 0]);
        assert!(tracked.below.may_read().is_ok());
    }

    // CLAUSE FRM-4
    #[test]
    fn a_message_has_a_limited_time_from_its_first_byte() {
        let (second, limit) = (Duration::from_secs(1), Duration::from_secs(40));
        let at = |seconds| Timestamp::ZERO.after(second * seconds);
        let mut below = Below::default();
        below.read(UPGRADE);
        below.begin_turn(at(0));
        below.read(&[0x81]);
        assert!(!below.is_overdue(limit, at(99)), "it began just now");
        below.begin_turn(at(100));
        assert!(!below.is_overdue(limit, at(140)) && below.is_overdue(limit, at(141)));
        below.pause();
        below.begin_turn(at(200));
        assert!(!below.is_overdue(limit, at(201)), "time in which nobody read does not count");
        // Another one begins in the turn in which the first is finished.
        below.read(&[1, b'a', 0x01, 0]);
        assert!(!below.is_overdue(limit, at(241)));
        below.begin_turn(at(230));
        assert!(!below.is_overdue(limit, at(270)) && below.is_overdue(limit, at(271)));
        below.read(&[0x80, 0]);
        assert!(!below.is_overdue(limit, at(271)), "it is whole");
    }
}
