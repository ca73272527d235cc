//! Real sockets: hosts with a dead address, a proxy's host too, and the options of the sockets. The tests for threads are
//! beside the code.
//! On Linux, where an address can be made silent.
#![cfg(target_os = "linux")]

use crate::harness;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use harness::{Async, wait_for};
use ringcentral_ws_api::Filter;
use ringcentral_ws_conformance::peer::Peer;
use ringcentral_ws_conformance::{DEADLINE, fake};
use ringcentral_ws_core::{Close, Event};
use ringcentral_ws_driver::bytes::Bytes;
use ringcentral_ws_driver::{BoxFuture, Builder, FixedToken, IoLimits, Proxy, Runtime, https_client};
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
    /// The hosts that were looked up.
    hosts: Arc<Mutex<Vec<(String, u16)>>>,
}

impl<R, L> Looking<R, L> {
    fn new(runtime: R, addresses: &[SocketAddr], look: L) -> Self {
        Self { runtime, addresses: addresses.to_vec(), look, seen: Arc::default(), hosts: Arc::default() }
    }
}

impl<R, L> Runtime for Looking<R, L>
where
    R: Runtime,
    L: Fn(&R::Stream) -> Options + Clone + Send + Sync + 'static,
{
    type Stream = R::Stream;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        self.hosts.lock().unwrap().push((host.to_owned(), port));
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
        let looking = Looking::new(runtime.clone(), addresses, look);
        let seen = Arc::clone(&looking.seen);
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

/// The client of a peer, through a proxy whose host has these addresses. The first event that `ends` names is the last.
/// Gives what was looked up, and the last event.
fn through<R: Runtime>(
    Async { name, runtime, block }: &Async<R>,
    look: fn(&R::Stream) -> Options,
    (peer, addresses): (&Peer, &[SocketAddr]),
    limits: &IoLimits,
    ends: fn(&Event) -> bool,
) -> (Vec<(String, u16)>, Event) {
    let looking = Looking::new(runtime.clone(), addresses, look);
    let hosts = Arc::clone(&looking.hosts);
    let mut config = peer.setup().config;
    config.server = peer.http_url().parse().unwrap();
    let builder =
        Builder::new(looking, FixedToken::new("token")).config(config).filters([Filter::sms()]).limits(limits.clone());
    let proxy = Proxy::new("http://proxy.example:3128").unwrap();
    let last = wait_for(*block, async {
        let (client, mut events) = builder.proxy(Some(proxy)).start().unwrap();
        let play = async {
            loop {
                let event = events.next().await.expect("it goes on");
                if ends(&event) {
                    return event;
                }
            }
        };
        let late = runtime.sleep(DEADLINE);
        let last = match select(std::pin::pin!(play), late).await {
            Either::Left((event, _)) => event,
            Either::Right(_) => panic!("{name}: it does not come"),
        };
        client.close(Close::Detach).await;
        last
    });
    let hosts = std::mem::take(&mut *hosts.lock().unwrap());
    (hosts, last)
}

fn check_proxy<R: Runtime>(adapter: &Async<R>, look: fn(&R::Stream) -> Options) {
    let Addresses { refusing, silent, .. } = Addresses::new();
    let (peer, tunnels) = (Peer::start(|_| None), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&tunnels);
    let proxy = fake::proxy(move |target| noted.lock().unwrap().push(target.to_owned()));
    let name = adapter.name;
    // With a deadline that nothing here waits for.
    let limits = IoLimits { tcp: Duration::from_secs(3600), ..IoLimits::default() };
    let subscribed = |event: &Event| match event {
        Event::Retry { cause, .. } => panic!("{cause}"),
        event => matches!(event, Event::Subscribed(_)),
    };
    let began = Instant::now();
    let (hosts, _) = through(adapter, look, (&peer, &[silent.address(), refusing, proxy]), &limits, subscribed);
    // The token's call and the WebSocket; only the proxy's host is looked up.
    assert!(limits.attempt_delay * 2 <= began.elapsed(), "{name}: a silent address costs the delay each time");
    assert!(hosts.len() >= 2 && hosts.iter().all(|host| *host == ("proxy.example".to_owned(), 3128)), "{hosts:?}");
    let tunnels = std::mem::take(&mut *tunnels.lock().unwrap());
    assert!(tunnels.len() >= 2, "{name}: {tunnels:?}");
    assert!(tunnels.iter().all(|target| *target == peer.address().to_string()), "{name}: {tunnels:?}");
    assert_eq!((peer.upgrades().len(), peer.faults()), (1, vec![]), "{name}");
    // None of them answers.
    let brief = IoLimits { tcp: Duration::from_millis(300), ..limits };
    let retry = |event: &Event| matches!(event, Event::Retry { .. });
    let (_, failed) = through(adapter, look, (&peer, &[refusing, silent.address()]), &brief, retry);
    let Event::Retry { cause, .. } = failed else { panic!("{name}: {failed:?}") };
    for part in ["2 addresses of proxy.example", "[::1]:1: ", &format!("{} did not answer", silent.address())] {
        assert!(cause.to_string().contains(part), "{name}: {cause}");
    }
}

#[test]
fn tokio_passes_dead_addresses_of_a_proxy_over() {
    check_proxy(&harness::on_tokio(), |stream| options(&SockRef::from(stream.as_ref())));
}

#[test]
fn smol_passes_dead_addresses_of_a_proxy_over() {
    check_proxy(&harness::on_smol(), |stream| options(&SockRef::from(stream)));
}

#[test]
fn async_std_passes_dead_addresses_of_a_proxy_over() {
    check_proxy(&harness::on_async_std(), |stream| options(&SockRef::from(stream)));
}

#[test]
fn tokio_passes_dead_addresses_over_and_keeps_sockets_alive() {
    check(harness::on_tokio(), |stream| options(&SockRef::from(stream.as_ref())));
}

#[test]
fn smol_passes_dead_addresses_over_and_keeps_sockets_alive() {
    check(harness::on_smol(), |stream| options(&SockRef::from(stream)));
}

#[test]
fn async_std_passes_dead_addresses_over_and_keeps_sockets_alive() {
    check(harness::on_async_std(), |stream| options(&SockRef::from(stream)));
}
