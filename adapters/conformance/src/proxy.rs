//! A TCP proxy that fails on command. Everything is threads that wait; dropping it ends them all.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use socket2::SockRef;

/// The server's answer to an upgrade is not longer, in bytes.
const UPGRADE: usize = 300;

/// What it does with what the server sends. A change counts for connections that exist, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing bad.
    None,
    /// Both directions stop; the connections stay.
    Frozen,
    /// New connections stop after so many bytes from the server; others are untouched.
    StallAfter(usize),
    /// New connections end after so many bytes from the server; others are untouched.
    EndAfter(usize),
    /// In pieces of so many bytes, with a pause after each.
    Slow(usize, Duration),
    /// One byte in each write. The first bytes go out by five: tungstenite takes an upgrade in more than 64 tiny pieces
    /// for an attack, and whether it sees so many depends on speed.
    Split,
    /// What comes within this time goes out in one write.
    Coalesced(Duration),
}

/// A proxy in front of one address.
pub struct Proxy {
    shared: Arc<Shared>,
    address: SocketAddr,
    accept: Option<JoinHandle<()>>,
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    fault: Fault,
    /// Nobody listens.
    closed: bool,
    /// Both sockets of each connection, and whether it goes on.
    links: Vec<(TcpStream, TcpStream)>,
    pumps: Vec<JoinHandle<()>>,
}

impl Proxy {
    /// Listens on a free port of the loopback.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let state = State { fault: Fault::None, closed: false, links: Vec::new(), pumps: Vec::new() };
        let shared = Arc::new(Shared { target, state: Mutex::new(state), changed: Condvar::new() });
        let accept = Some(accept(Arc::clone(&shared), listener));
        Ok(Self { shared, address, accept })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on this goes wrong.
    pub fn fault(&self, fault: Fault) {
        self.shared.lock().fault = fault;
        self.shared.changed.notify_all();
    }

    /// Ends every connection by a TCP reset.
    pub fn reset(&self) {
        self.cut(true);
    }

    /// Ends every connection by an end of file.
    pub fn end(&self) {
        self.cut(false);
    }

    fn cut(&self, hard: bool) {
        for (client, server) in self.shared.lock().links.drain(..) {
            for socket in [client, server] {
                if hard {
                    let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
                    // A shutdown wakes the pumps; the reset follows when they drop their handles.
                    let _ = socket.shutdown(Shutdown::Read);
                } else {
                    let _ = socket.shutdown(Shutdown::Both);
                }
            }
        }
        self.shared.changed.notify_all();
    }

    /// While on, connecting is refused by the system: nobody listens.
    ///
    /// # Panics
    ///
    /// When the port was taken by somebody else meanwhile.
    pub fn refuse(&mut self, on: bool) {
        if on {
            self.stop_listening();
        } else if self.accept.is_none() {
            self.shared.lock().closed = false;
            let listener = TcpListener::bind(self.address).expect("the port is still free");
            self.accept = Some(accept(Arc::clone(&self.shared), listener));
        }
    }

    fn stop_listening(&mut self) {
        self.shared.lock().closed = true;
        if let Some(accept) = self.accept.take() {
            // Wakes it, so that it sees the flag.
            let _ = TcpStream::connect(self.address);
            let _ = accept.join();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop_listening();
        self.end();
        let pumps = std::mem::take(&mut self.shared.lock().pumps);
        for pump in pumps {
            let _ = pump.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while nothing may pass; then says what goes wrong. `None` when the connection is over.
    fn passage(&self, ours: &TcpStream, stalled: bool) -> Option<Fault> {
        let mut state = self.lock();
        loop {
            let alive = state.links.iter().any(|(a, b)| is(a, ours) || is(b, ours));
            if !alive {
                return None;
            }
            if !stalled && state.fault != Fault::Frozen {
                return Some(state.fault);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Whether two handles are of one socket.
fn is(a: &TcpStream, b: &TcpStream) -> bool {
    matches!((a.local_addr(), b.local_addr(), a.peer_addr(), b.peer_addr()),
        (Ok(a), Ok(b), Ok(c), Ok(d)) if a == b && c == d)
}

fn accept(shared: Arc<Shared>, listener: TcpListener) -> JoinHandle<()> {
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            if shared.lock().closed {
                return;
            }
            let _ = join(&shared, client);
        }
    })
}

fn join(shared: &Arc<Shared>, client: TcpStream) -> io::Result<()> {
    let server = TcpStream::connect(shared.target)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (up, down) = ((client.try_clone()?, server.try_clone()?), (server.try_clone()?, client.try_clone()?));
    let mut state = shared.lock();
    let limit = match state.fault {
        Fault::StallAfter(bytes) => Some((bytes, true)),
        Fault::EndAfter(bytes) => Some((bytes, false)),
        _ => None,
    };
    state.links.push((client, server));
    for ((from, to), is_down, limit) in [(up, false, None), (down, true, limit)] {
        let shared = Arc::clone(shared);
        state.pumps.push(thread::spawn(move || pump(&shared, from, to, is_down, limit)));
    }
    Ok(())
}

/// Moves bytes one way until the connection is over.
fn pump(shared: &Shared, mut from: TcpStream, to: TcpStream, is_down: bool, mut limit: Option<(usize, bool)>) {
    let mut buffer = vec![0; 16 << 10];
    let mut sent = 0;
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let Some(fault) = shared.passage(&from, false) else { return };
        let mut bytes = buffer[..read].to_vec();
        let mut over = None;
        if let Some((left, stalls)) = &mut limit {
            over = (bytes.len() >= *left).then_some(*stalls);
            bytes.truncate(*left);
            *left -= bytes.len();
        }
        if write(&from, &to, &bytes, if is_down { fault } else { Fault::None }, sent).is_err() {
            break;
        }
        sent += bytes.len();
        match over {
            Some(true) if shared.passage(&from, true).is_none() => return,
            Some(_) => break,
            None => {}
        }
    }
    // What ended on one side ends on the other.
    let mut state = shared.lock();
    state.links.retain(|(a, b)| !is(a, &from) && !is(b, &from));
    let hard = SockRef::from(&to).linger().is_ok_and(|linger| linger.is_some());
    if !hard {
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }
    shared.changed.notify_all();
}

fn write(mut from: &TcpStream, mut to: &TcpStream, bytes: &[u8], fault: Fault, sent: usize) -> io::Result<()> {
    match fault {
        Fault::Slow(size, pause) => {
            for piece in bytes.chunks(size) {
                to.write_all(piece)?;
                thread::sleep(pause);
            }
            Ok(())
        }
        Fault::Split => {
            let (first, rest) = bytes.split_at(UPGRADE.saturating_sub(sent).min(bytes.len()));
            first.chunks(5).chain(rest.chunks(1)).try_for_each(|piece| to.write_all(piece))
        }
        Fault::Coalesced(time) => {
            let mut all = bytes.to_vec();
            thread::sleep(time);
            from.set_nonblocking(true)?;
            let mut more = vec![0; 64 << 10];
            if let Ok(read) = from.read(&mut more) {
                all.extend_from_slice(&more[..read]);
            }
            from.set_nonblocking(false)?;
            to.write_all(&all)
        }
        _ => to.write_all(bytes),
    }
}
