//! A runtime in memory, for tests: streams are pipes, and time passes only where a test says so.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::BoxFuture;
use ringcentral_ws_adapter::{ContentHosts, IoLimits, Net};

use crate::runtime::Runtime;

/// For calls in the clear on this machine.
pub(crate) fn net(limits: IoLimits) -> Net {
    let content = Arc::new(ContentHosts {
        server: "http://localhost".parse().unwrap(),
        hosts: Vec::new(),
        allow_insecure: false,
    });
    Net { limits: Arc::new(limits), tls: None, proxy: None, content }
}

/// One direction of a pipe.
#[derive(Default)]
struct Half {
    bytes: VecDeque<u8>,
    closed: bool,
    wakers: Vec<Waker>,
}

/// One end of a pipe in memory.
pub(crate) struct Pipe {
    read: Arc<Mutex<Half>>,
    write: Arc<Mutex<Half>>,
    /// Most bytes that wait unread.
    capacity: usize,
}

pub(crate) fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let (a, b) = (Arc::<Mutex<Half>>::default(), Arc::default());
    let one = Pipe { read: Arc::clone(&a), write: Arc::clone(&b), capacity };
    (one, Pipe { read: b, write: a, capacity })
}

fn wake(half: &mut Half) {
    half.wakers.drain(..).for_each(Waker::wake);
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut half = self.read.lock().unwrap();
        if half.bytes.is_empty() && !half.closed {
            half.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buf.len().min(half.bytes.len());
        for (place, byte) in buf.iter_mut().zip(half.bytes.drain(..count)) {
            *place = byte;
        }
        wake(&mut half);
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut half = self.write.lock().unwrap();
        if half.closed {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let count = buf.len().min(self.capacity - half.bytes.len());
        if count == 0 {
            half.wakers.push(cx.waker().clone());
            return Poll::Pending;
        }
        half.bytes.extend(&buf[..count]);
        wake(&mut half);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut half = self.write.lock().unwrap();
        half.closed = true;
        wake(&mut half);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        for half in [&self.read, &self.write] {
            let mut half = half.lock().unwrap();
            half.closed = true;
            wake(&mut half);
        }
    }
}

/// Hands out prepared streams, one for each connection.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    pub(crate) streams: Arc<Mutex<VecDeque<Pipe>>>,
    /// Names are never found, and every deadline has passed at once.
    pub(crate) stuck: bool,
}

impl Runtime for Memory {
    type Stream = Pipe;

    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if self.stuck {
            std::future::pending::<()>().await;
        }
        Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))])
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<Pipe> {
        self.streams.lock().unwrap().pop_front().ok_or_else(|| io::ErrorKind::ConnectionRefused.into())
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        if self.stuck { Box::pin(std::future::ready(())) } else { Box::pin(std::future::pending()) }
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        thread::Builder::new().spawn(|| block_on(task)).map(drop)
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        thread::park();
    }
}
