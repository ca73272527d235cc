//! What a function can do with a connection ([`Step::Hands`](super::Step::Hands)).

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::frame::{self, RawFrame};
use super::link::{Asked, Link, TICK};
use super::{Opening, Recovery};

/// Bytes written at once, so that the peer itself holds little.
const PIECE: usize = 64 << 10;

impl Link<'_> {
    /// The request that opened the connection.
    #[must_use]
    pub const fn opening(&self) -> &Opening {
        self.opening
    }

    /// Where the peer listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Whether [`Peer::calm`](super::Peer::calm) was called, or the peer is dropped.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let state = self.shared.lock();
        state.calmed || state.closed
    }

    /// Writes these bytes.
    ///
    /// # Errors
    ///
    /// The client has gone, or it is over.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        for piece in bytes.as_ref().chunks(PIECE) {
            self.go_on()?;
            self.stream.write_all(piece)?;
            self.shared.lock().written += piece.len() as u64;
        }
        Ok(())
    }

    /// Writes a frame.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn frame(&mut self, frame: &RawFrame) -> io::Result<()> {
        self.send(frame.bytes())
    }

    /// Writes these bytes again and again.
    ///
    /// # Errors
    ///
    /// Always, in the end: as [`send`](Self::send).
    pub fn flood(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        let many = bytes.repeat((PIECE / bytes.len()).max(1));
        loop {
            self.send(&many)?;
        }
    }

    /// Writes this byte so many times.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn fill(&mut self, byte: u8, mut count: usize) -> io::Result<()> {
        let piece = [byte; PIECE];
        while count > 0 {
            let now = count.min(PIECE);
            self.send(&piece[..now])?;
            count -= now;
        }
        Ok(())
    }

    /// Writes the bytes one by one, with a pause after each.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn drip(&mut self, bytes: impl AsRef<[u8]>, pause: Duration) -> io::Result<()> {
        for byte in bytes.as_ref() {
            self.send([*byte])?;
            self.idle(pause)?;
        }
        Ok(())
    }

    /// Neither reads nor writes for so long.
    ///
    /// # Errors
    ///
    /// It is over.
    pub fn idle(&mut self, time: Duration) -> io::Result<()> {
        let began = Instant::now();
        while began.elapsed() < time {
            self.go_on()?;
            std::thread::sleep(TICK.min(time));
        }
        Ok(())
    }

    /// Neither reads nor writes any more.
    ///
    /// # Errors
    ///
    /// Always, in the end: it is over.
    pub fn hold(&mut self) -> io::Result<()> {
        self.idle(Duration::MAX)
    }

    /// Reads all that comes, and answers nothing.
    ///
    /// # Errors
    ///
    /// The connection has broken.
    pub fn swallow(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(None)?;
        io::copy(&mut &*self.stream, &mut io::sink()).map(drop)
    }

    /// Reads all that comes, and answers nothing, on another thread, while this one goes on.
    ///
    /// # Errors
    ///
    /// The system has no descriptor left.
    pub fn swallow_beside(&mut self) -> io::Result<()> {
        let mut stream = self.stream.try_clone()?;
        stream.set_read_timeout(None)?;
        std::thread::spawn(move || io::copy(&mut stream, &mut io::sink()));
        Ok(())
    }

    /// Reads a byte at a time, with a pause after each, and answers nothing.
    ///
    /// # Errors
    ///
    /// Always, in the end: the client has gone, or it is over.
    pub fn sip(&mut self, pause: Duration) -> io::Result<()> {
        let mut byte = [0];
        loop {
            match (&*self.stream).read(&mut byte) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => {}
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
            self.idle(pause)?;
        }
    }

    /// Answers as a good server for so long.
    ///
    /// # Errors
    ///
    /// The client has gone, or broke a rule.
    pub fn serve_for(&mut self, time: Duration) -> io::Result<()> {
        let began = Instant::now();
        self.serve_until(|link| began.elapsed() >= time || link.is_over())
    }

    /// Answers as a good server until the client goes.
    ///
    /// # Errors
    ///
    /// Always, in the end: the client has gone, or broke a rule.
    pub fn serve(&mut self) -> io::Result<()> {
        self.serve_until(Self::is_over)
    }

    /// The next text message of the client that is this: frames of other kinds, and other messages, are passed over.
    ///
    /// # Errors
    ///
    /// The client has gone or broke a rule, or it is over.
    pub fn asked(&mut self, is_this: impl Fn(&Asked) -> bool) -> io::Result<Asked> {
        let mut buffer = [0; 16 << 10];
        loop {
            while let Some(received) = frame::take(&mut self.incoming).map_err(super::link::broken)? {
                if received.opcode == frame::opcode::TEXT {
                    let asked = Asked::read(received.payload).map_err(super::link::broken)?;
                    if is_this(&asked) {
                        return Ok(asked);
                    }
                }
            }
            self.go_on()?;
            match (&*self.stream).read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.incoming.extend(&buffer[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The right answer to the upgrade, after which frames are read.
    #[must_use]
    pub fn upgrade(&mut self) -> Vec<u8> {
        self.is_upgraded = true;
        self.opening.upgraded()
    }

    /// ConnectionDetails as a good server sends it, as a frame.
    #[must_use]
    pub fn good_details(&self, recovery: Recovery) -> Vec<u8> {
        self.details(recovery)
    }

    /// A notification with this subject, for the newest subscription, as a frame.
    #[must_use]
    pub fn notification(&self, subject: &str) -> Vec<u8> {
        RawFrame::text(self.shared.notification(subject)).bytes()
    }

    /// Ends what is written, and goes on reading.
    ///
    /// # Errors
    ///
    /// The connection has broken.
    pub fn finish(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// Resets the connection when the function returns.
    ///
    /// # Errors
    ///
    /// The connection has broken, or there is none for the client any more: always, so that no step follows.
    pub fn reset(&mut self) -> io::Result<()> {
        SockRef::from(self.stream).set_linger(Some(Duration::ZERO))?;
        Err(io::ErrorKind::ConnectionReset.into())
    }

    fn go_on(&self) -> io::Result<()> {
        if self.is_over() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}
