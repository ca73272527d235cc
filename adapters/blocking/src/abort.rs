//! Ending, from another thread, what a thread waits for on a socket.

use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
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
