//! From a host name to a stream: blocking, with a deadline for each step, and with a way to end it from outside.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{IoLimits, Proxy, Target, Tunnel, not_sent};
use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::reach::reach;

/// The system's clocks end somewhere. Nothing here lasts so long.
pub(crate) const LONGEST: Duration = Duration::from_secs(1000 * 86_400);

/// When a step ends that may take so long, which may be without end.
pub(crate) fn deadline(limit: Duration) -> Instant {
    Instant::now() + limit.min(LONGEST)
}

/// What connections are made with.
#[derive(Clone, Debug)]
pub(crate) struct Net {
    pub(crate) limits: Arc<IoLimits>,
    pub(crate) tls: Option<Arc<ClientConfig>>,
    pub(crate) proxy: Option<Proxy>,
}

/// Ends, from any thread, what another one waits for on a socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Abort(Arc<AbortState>);

#[derive(Debug, Default)]
struct AbortState {
    fired: AtomicBool,
    sockets: Mutex<Vec<Weak<TcpStream>>>,
    /// Of threads that wait for sockets that are not connected yet.
    wakers: Mutex<Vec<Weak<mio::Waker>>>,
}

impl Abort {
    pub(crate) fn fire(&self) {
        self.0.fired.store(true, Ordering::SeqCst);
        for socket in self.sockets().iter().filter_map(Weak::upgrade) {
            let _ = socket.shutdown(Shutdown::Both);
        }
        for waker in self.wakers().iter().filter_map(Weak::upgrade) {
            let _ = waker.wake();
        }
    }

    /// From now on `fire` wakes the thread that waits there, so that it sees the abort.
    pub(crate) fn wake(&self, waker: &Arc<mio::Waker>) {
        let mut wakers = self.wakers();
        wakers.retain(|known| known.strong_count() > 0);
        wakers.push(Arc::downgrade(waker));
    }

    /// Whether a thread waits for sockets that are not connected yet.
    #[cfg(test)]
    pub(crate) fn is_waited_for(&self) -> bool {
        self.wakers().iter().any(|waker| waker.strong_count() > 0)
    }

    /// The same, for as long as somebody else holds it.
    pub(crate) fn downgrade(&self) -> WeakAbort {
        WeakAbort(Arc::downgrade(&self.0))
    }

    pub(crate) fn is_fired(&self) -> bool {
        self.0.fired.load(Ordering::SeqCst)
    }

    /// From now on `fire` ends this socket too; at once if it was fired before.
    pub(crate) fn watch(&self, socket: &Arc<TcpStream>) {
        let mut sockets = self.sockets();
        sockets.retain(|known| known.strong_count() > 0);
        let weak = Arc::downgrade(socket);
        if !sockets.iter().any(|known| known.ptr_eq(&weak)) {
            sockets.push(weak);
        }
        if self.is_fired() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// `fire` no longer ends this socket: it serves another call.
    fn forget(&self, socket: &Arc<TcpStream>) {
        let weak = Arc::downgrade(socket);
        self.sockets().retain(|known| !known.ptr_eq(&weak));
    }

    fn sockets(&self) -> std::sync::MutexGuard<'_, Vec<Weak<TcpStream>>> {
        self.0.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wakers(&self) -> std::sync::MutexGuard<'_, Vec<Weak<mio::Waker>>> {
        self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An [`Abort`] that others hold.
#[derive(Debug)]
pub(crate) struct WeakAbort(Weak<AbortState>);

impl WeakAbort {
    /// From now on `next` ends the socket, and this no more.
    pub(crate) fn hand_over(&mut self, socket: &Arc<TcpStream>, next: &Abort) {
        if self.0.as_ptr() == Arc::as_ptr(&next.0) {
            return;
        }
        if let Some(state) = self.0.upgrade() {
            Abort(state).forget(socket);
        }
        next.watch(socket);
        *self = next.downgrade();
    }

    pub(crate) fn fire(&self) {
        if let Some(state) = self.0.upgrade() {
            Abort(state).fire();
        }
    }

    /// Whether somebody still holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.0.strong_count() > 0
    }
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

/// Connects. The stream has the deadline of its last step, which the caller replaces.
pub(crate) fn dial(net: &Net, target: &Target, abort: &Abort) -> Result<Stream, HttpFailure> {
    let Some((proxy, (host, port))) = net.proxy.as_ref().and_then(|proxy| Some((proxy, proxy.for_target(target)?)))
    else {
        return encrypt(net, target, reach(net, &target.host, target.port, abort)?);
    };
    let mut tcp = reach(net, host, port, abort)?;
    tcp.deadline = Some(deadline(net.limits.tcp));
    dig(&mut proxy.tunnel(target), &mut tcp)?;
    encrypt(net, target, tcp)
}

/// Asks the proxy at the other end for a tunnel.
fn dig(tunnel: &mut Tunnel, stream: &mut Tcp) -> Result<(), HttpFailure> {
    let failed = |tunnel: &Tunnel, error: &io::Error| {
        if error.kind() == io::ErrorKind::TimedOut { tunnel.late() } else { tunnel.broken(error) }
    };
    stream.write_all(tunnel.request()).map_err(|error| failed(tunnel, &error))?;
    let mut byte = [0];
    loop {
        let read = match stream.read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|error| failed(tunnel, &error))?,
        };
        if tunnel.take((read > 0).then_some(byte[0]))? {
            return Ok(());
        }
    }
}

fn encrypt(net: &Net, target: &Target, mut tcp: Tcp) -> Result<Stream, HttpFailure> {
    let host = &target.host;
    tcp.deadline = Some(deadline(net.limits.tls));
    if !target.tls {
        return Ok(Stream::Plain(tcp));
    }
    let Some(tls) = &net.tls else {
        return Err(not_sent(Phase::Tls, format!("no TLS connection to {host}: the program has no TLS settings")));
    };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::TimedOut => not_sent(Phase::Tls, format!("the TLS handshake with {host} took too long")),
        _ => not_sent(Phase::Tls, format!("no TLS connection to {host}: {error}")),
    };
    let name = ServerName::try_from(host.clone())
        .map_err(|_| not_sent(Phase::Tls, format!("no TLS connection to {host}: it cannot have a certificate")))?;
    let connection = ClientConnection::new(Arc::clone(tls), name).map_err(|error| failed(io::Error::other(error)));
    let mut connection = connection?;
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp).map_err(failed)?;
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, tcp))))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_kept_connection_ends_with_the_call_that_uses_it_only() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = Arc::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
        let (mut far, _) = listener.accept().unwrap();
        let (first, second) = (Abort::default(), Abort::default());
        first.watch(&socket);
        let mut owner = first.downgrade();
        owner.hand_over(&socket, &first);
        owner.hand_over(&socket, &second);
        first.fire();
        (&*socket).write_all(b"x").unwrap();
        far.read_exact(&mut [0]).unwrap();
        second.fire();
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "it was shut down");
        let late = Abort::default();
        late.fire();
        owner.hand_over(&socket, &late);
        assert!(owner.is_held() && (&*socket).write(b"x").is_err());
    }
}
