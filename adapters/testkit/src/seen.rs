//! What streams saw of the client, for tests that follow the bytes themselves.

use std::io;

/// Bytes that one poll of a task may read. Nothing reads so much at once, unless reading has no end.
const POLL_BYTES: usize = 8 << 20;

/// Something that a client did with a stream. Each names the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It read these bytes.
    Read(u64, Vec<u8>),
    /// A read said that the stream has ended, or failed.
    End(u64),
    /// It wrote so many bytes.
    Wrote(u64, usize),
    /// It flushed the stream: nothing waits in buffers of its own.
    Flushed(u64),
    /// It dropped the stream.
    Dropped(u64),
}

/// What was seen and not looked at yet.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) wanted: bool,
    pub(crate) seen: Vec<Seen>,
    /// Bytes read since a task was polled.
    pub(crate) in_poll: usize,
}

impl Log {
    pub(crate) fn note(&mut self, seen: Seen) {
        if self.wanted {
            self.seen.push(seen);
        }
    }

    /// # Panics
    ///
    /// When one poll of a task reads without end.
    pub(crate) fn note_read(&mut self, id: u64, read: io::Result<usize>, buf: &[u8]) -> io::Result<usize> {
        match read {
            Ok(count @ 1..) => {
                self.in_poll += count;
                assert!(self.in_poll <= POLL_BYTES, "one poll reads without end");
                if self.wanted {
                    self.note(Seen::Read(id, buf[..count].to_vec()));
                }
            }
            Ok(0) if buf.is_empty() => {}
            Ok(_) | Err(_) => self.note(Seen::End(id)),
        }
        read
    }

    pub(crate) fn note_written(&mut self, id: u64, count: usize) -> usize {
        self.note(Seen::Wrote(id, count));
        count
    }
}
