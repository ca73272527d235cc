//! TCP streams that block, with a deadline, with or without TLS.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};

/// The system's clocks end somewhere. Nothing here lasts so long.
pub(crate) const LONGEST: Duration = Duration::from_secs(1000 * 86_400);

/// When a step ends that may take so long, which may be without end.
pub(crate) fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit.min(LONGEST)
}

/// A TCP stream. With a deadline it blocks, and fails when that has passed; without one it does as the socket is set.
#[derive(Debug)]
pub(crate) struct Tcp {
    pub(crate) socket: Arc<TcpStream>,
    pub(crate) deadline: Option<Instant>,
    /// Bytes that may be read before the next turn. TLS reads on by itself as long as there are bytes and they are
    /// nothing for the layer above, as session tickets are, of which a server may send any number.
    pub(crate) budget: usize,
}

impl Tcp {
    /// A stream without a deadline, of which everything is read.
    pub(crate) const fn new(socket: Arc<TcpStream>) -> Self {
        Self { socket, deadline: None, budget: usize::MAX }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let Some(deadline) = self.deadline else { return Ok(None) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(too_late()) } else { Ok(Some(left)) }
    }

    /// Systems name a time-out differently.
    fn named<T>(&self, result: io::Result<T>) -> io::Result<T> {
        match result {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.deadline.is_some() => Err(too_late()),
            other => other,
        }
    }
}

fn too_late() -> io::Error {
    io::Error::from(io::ErrorKind::TimedOut)
}

impl Read for Tcp {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.socket.set_read_timeout(Some(left))?;
        }
        if self.budget == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let read = (&*self.socket).read(buf);
        if let Ok(count) = &read {
            self.budget = self.budget.saturating_sub(*count);
        }
        self.named(read)
    }
}

impl Write for Tcp {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if let Some(left) = self.left()? {
            self.socket.set_write_timeout(Some(left))?;
        }
        let written = (&*self.socket).write(buf);
        self.named(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A TCP stream with or without TLS on it.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(Tcp),
    Tls(Box<StreamOwned<ClientConnection, Tcp>>),
}

impl Stream {
    pub(crate) fn tcp(&mut self) -> &mut Tcp {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => &mut tls.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(buf),
            Self::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(buf),
            Self::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.flush(),
            Self::Tls(tls) => tls.flush(),
        }
    }
}
