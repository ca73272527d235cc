//! Real sockets: hosts with a dead address, and the options of the sockets. The tests for threads are beside the code.
//! On Linux, where an address can be made silent.
#![cfg(target_os = "linux")]

mod harness;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{Async, wait_for};
use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_conformance::fake;
use ringcentral_ws_driver::bytes::Bytes;
use ringcentral_ws_driver::{BoxFuture, IoLimits, Runtime, https_client};
use ringcentral_ws_smol::Smol;
use ringcentral_ws_tokio::Tokio;
use socket2::SockRef;

/// The options of a socket: no delay, and the keepalive's time and interval.
type Options = (bool, Option<(Duration, Duration)>);

/// A runtime for which every host has these addresses, and which looks at the streams it made.
#[derive(Clone)]
struct Looking<R, L> {
    runtime: R,
    addresses: Vec<SocketAddr>,
    look: L,
    seen: Arc<Mutex<Vec<Options>>>,
}

impl<R, L> Runtime for Looking<R, L>
where
    R: Runtime,
    L: Fn(&R::Stream) -> Options + Clone + Send + Sync + 'static,
{
    type Stream = R::Stream;

    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self.addresses.clone())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<R::Stream> {
        self.runtime.connect(address).await
    }

    fn keep_alive(&self, stream: &R::Stream, after: Duration) -> io::Result<()> {
        let done = self.runtime.keep_alive(stream, after);
        self.seen.lock().unwrap().push((self.look)(stream));
        done
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.runtime.sleep(duration)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        self.runtime.spawn(task)
    }
}

fn options(socket: &SockRef<'_>) -> Options {
    let keepalive = socket.keepalive().unwrap();
    let times = || (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
    (socket.tcp_nodelay().unwrap(), keepalive.then(times))
}

/// A server that answers, an address that refuses (nobody listens on the first port), and one that is silent.
struct Addresses {
    alive: SocketAddr,
    refusing: SocketAddr,
    silent: fake::BlackHole,
}

impl Addresses {
    fn new() -> Self {
        let alive = fake::listen(|_, mut stream| {
            io::Write::write_all(&mut stream, b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
        });
        Self { alive, refusing: "[::1]:1".parse().unwrap(), silent: fake::BlackHole::new() }
    }
}

fn check<R: Runtime>(Async { name, runtime, block }: Async<R>, look: fn(&R::Stream) -> Options) {
    let Addresses { alive, refusing, silent } = Addresses::new();
    let hour = Duration::from_secs(3600);
    // With deadlines that nothing here waits for.
    let limits = IoLimits { tcp: hour, ..IoLimits::default() };
    let call = |addresses: &[SocketAddr], limits: &IoLimits| {
        let seen = Arc::default();
        let looking =
            Looking { runtime: runtime.clone(), addresses: addresses.to_vec(), look, seen: Arc::clone(&seen) };
        let https = https_client(looking, limits.clone(), None).unwrap();
        let request = http::Request::get("http://localhost/").body(Bytes::new()).unwrap();
        let answer = wait_for(block, https.send(request)).map(|response| response.status().as_u16());
        (answer, std::mem::take(&mut *seen.lock().unwrap()))
    };
    let kept = |after| vec![(true, Some((after, after)))];
    let began = Instant::now();
    let (answer, seen) = call(&[silent.address(), alive], &limits);
    assert_eq!((answer.unwrap(), seen), (200, kept(Duration::from_secs(15))), "{name}");
    assert!(limits.attempt_delay <= began.elapsed() && began.elapsed() < Duration::from_secs(30), "{name}");
    let slow = IoLimits { attempt_delay: hour, keepalive: Some(Duration::from_secs(40)), ..limits.clone() };
    let (answer, seen) = call(&[refusing, alive], &slow);
    assert_eq!((answer.unwrap(), seen), (200, kept(Duration::from_secs(40))), "{name}");
    let off = IoLimits { keepalive: None, ..limits };
    let (answer, seen) = call(&[refusing, alive], &off);
    assert_eq!((answer.unwrap(), seen), (200, vec![]), "{name}");
    let brief = IoLimits { tcp: Duration::from_millis(300), ..off };
    let failure = call(&[refusing, silent.address()], &brief).0.unwrap_err();
    for part in ["2 addresses of localhost", "[::1]:1: ", &format!("{} did not answer", silent.address())] {
        assert!(failure.not_sent && failure.message.contains(part), "{name}: {}", failure.message);
    }
}

#[test]
fn tokio_passes_dead_addresses_over_and_keeps_sockets_alive() {
    let tokio = Async { name: "tokio", runtime: Tokio, block: |work| harness::TOKIO.block_on(work) };
    check(tokio, |stream| options(&SockRef::from(stream.as_ref())));
}

#[test]
fn smol_passes_dead_addresses_over_and_keeps_sockets_alive() {
    let smol = Async { name: "smol", runtime: Smol::default(), block: |work| smol::block_on(work) };
    check(smol, |stream| options(&SockRef::from(stream)));
}

#[test]
fn async_std_passes_dead_addresses_over_and_keeps_sockets_alive() {
    let async_std = Async { name: "async-std", runtime: AsyncStd, block: |work| async_std::task::block_on(work) };
    check(async_std, |stream| options(&SockRef::from(stream)));
}
