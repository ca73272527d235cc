//! From a host name to a TCP stream: its addresses race, and the first to answer wins.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};
use ringcentral_ws_adapter::{IoLimits, Race, RaceStep, keep_alive, not_dialled, not_found, not_sent};
use ringcentral_ws_core::{HttpFailure, OpenFailure, Phase};
use url::Url;

use crate::abort::Abort;
use crate::tcp::{LONGEST, Tcp};

const WAKE: Token = Token(0);
const CONNECTED: Token = Token(1);

/// The longest wait asked of the system, whose numbers end somewhere. A longer wait is asked for in parts.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A TCP stream to the host of an address, for programs that drive a [`Session`](ringcentral_ws_core::Session) in a loop
/// of their own: its addresses are tried in turn, `IoLimits::dns` and `IoLimits::tcp` limit the steps. Its reads and
/// writes block, each up to `IoLimits::upgrade`; set other time-outs once the WebSocket is open. No proxy is used.
///
/// # Errors
///
/// [`OpenFailure`] for [`Input::OpenFailed`](ringcentral_ws_core::Input::OpenFailed). It names the step, so the session
/// keeps a token that no server has seen ([TOK-1](ringcentral_ws_core::protocol#tok-1)).
pub fn connect_tcp(url: &Url, limits: &IoLimits) -> Result<TcpStream, OpenFailure> {
    let port = url.port_or_known_default().unwrap_or(443);
    // An IPv6 address has brackets in an address and none in a name.
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let socket = open(limits, host, port, &Abort::default()).map_err(not_dialled)?;
    let limit = Some(limits.upgrade.min(LONGEST)).filter(|limit| !limit.is_zero());
    let timed = socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit));
    timed.map_err(|error| not_dialled(not_sent(Phase::Tcp, error.to_string())))?;
    Ok(socket)
}

/// A TCP stream to a host, which `abort` ends.
pub(crate) fn reach(limits: &IoLimits, host: &str, port: u16, abort: &Abort) -> Result<Tcp, HttpFailure> {
    let socket = Arc::new(open(limits, host, port, abort)?);
    abort.watch(&socket);
    Ok(Tcp::new(socket))
}

fn open(limits: &IoLimits, host: &str, port: u16, abort: &Abort) -> Result<TcpStream, HttpFailure> {
    let socket = connect(limits, host, resolve(limits, host, port)?, abort)?;
    let settled = socket.set_nonblocking(false).and_then(|()| socket.set_nodelay(true));
    settled.map_err(|error| not_sent(Phase::Tcp, error.to_string()))?;
    if let Some(after) = limits.keepalive {
        // A connection without probes is better than none.
        let _ = keep_alive(&socket, after);
    }
    Ok(socket)
}

/// The system's lookup cannot be given a deadline, so it has a thread, which is left behind when it takes too long.
fn resolve(limits: &IoLimits, host: &str, port: u16) -> Result<Vec<SocketAddr>, HttpFailure> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, answer) = channel();
    let name = host.to_owned();
    let lookup = move || {
        let _ = sender.send((name.as_str(), port).to_socket_addrs().map(Iterator::collect));
    };
    let failed = |error: io::Error| not_found(host, Some(&error));
    thread::Builder::new().name("ringcentral-dns".to_owned()).spawn(lookup).map_err(failed)?;
    match answer.recv_timeout(limits.dns) {
        Ok(found) => found.map_err(failed),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Err(not_found(host, None)),
    }
}

/// The first of a host's addresses to answer. The others' sockets are closed.
fn connect(limits: &IoLimits, host: &str, addresses: Vec<SocketAddr>, abort: &Abort) -> Result<TcpStream, HttpFailure> {
    let broken = |error: io::Error| not_sent(Phase::Tcp, format!("the system cannot wait for sockets: {error}"));
    let mut race = Race::new(host, addresses, limits);
    let mut attempts = Attempts::new(abort).map_err(broken)?;
    let began = Instant::now();
    loop {
        if abort.is_fired() {
            return Err(not_sent(Phase::Tcp, "given up"));
        }
        match race.step(began.elapsed()) {
            RaceStep::Start(address) => {
                if let Err(error) = attempts.start(address) {
                    race.failed(address, &error);
                }
            }
            RaceStep::Failed(failure) => return Err(failure),
            RaceStep::Wait(until) => {
                attempts.wait(until.saturating_sub(began.elapsed())).map_err(broken)?;
                while let Some((address, outcome)) = attempts.ended() {
                    match outcome {
                        Ok(socket) => return Ok(socket),
                        Err(error) => race.failed(address, &error),
                    }
                }
            }
        }
    }
}

/// Sockets that are connecting.
struct Attempts {
    poll: Poll,
    ready: Events,
    under_way: Vec<(SocketAddr, mio::net::TcpStream)>,
    /// Kept alive for the abort, which holds it weakly.
    _waker: Arc<Waker>,
}

impl Attempts {
    fn new(abort: &Abort) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE)?);
        abort.wake(&waker);
        Ok(Self { poll, ready: Events::with_capacity(8), under_way: Vec::new(), _waker: waker })
    }

    fn start(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut socket = mio::net::TcpStream::connect(address)?;
        self.poll.registry().register(&mut socket, CONNECTED, Interest::WRITABLE)?;
        self.under_way.push((address, socket));
        Ok(())
    }

    /// Waits until there is something to look at.
    fn wait(&mut self, limit: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.ready, Some(limit.min(LONGEST_WAIT))) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// An attempt that has ended.
    fn ended(&mut self) -> Option<(SocketAddr, io::Result<TcpStream>)> {
        for i in 0..self.under_way.len() {
            let failed = match outcome(&self.under_way[i].1) {
                None => continue,
                Some(Ok(())) => None,
                Some(Err(error)) => Some(error),
            };
            let (address, mut socket) = self.under_way.remove(i);
            let gone = self.poll.registry().deregister(&mut socket);
            return Some((address, failed.map_or_else(|| gone.map(|()| socket.into()), Err)));
        }
        None
    }
}

/// What became of an attempt; `None` while it is under way.
fn outcome(socket: &mio::net::TcpStream) -> Option<io::Result<()>> {
    match socket.take_error() {
        Ok(Some(error)) | Err(error) => return Some(Err(error)),
        Ok(None) => {}
    }
    match socket.peer_addr() {
        Ok(_) => Some(Ok(())),
        // Not connected yet, by whatever name the system has for it; a failure shows above.
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use ringcentral_ws_adapter::Target;
    use socket2::SockRef;

    use super::*;

    /// A port of this machine that answers.
    fn alive() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// Addresses of this machine that refuse: nobody listens on the first port.
    fn refusing() -> [SocketAddr; 2] {
        ["[::1]:1", "127.0.0.1:1"].map(|address| address.parse().unwrap())
    }

    #[test]
    fn a_refusing_address_is_passed_over_at_once() {
        let (_listener, address) = alive();
        // With a delay that is never waited for.
        let limits = IoLimits { tcp: Duration::from_secs(3600), attempt_delay: LONGEST_WAIT, ..IoLimits::default() };
        let socket = connect(&limits, "h", vec![refusing()[0], address], &Abort::default()).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), address);
    }

    #[test]
    fn all_refusing_is_a_failure_that_names_each() {
        let failure = connect(&IoLimits::default(), "h", refusing().to_vec(), &Abort::default()).unwrap_err();
        assert!(failure.not_sent && failure.phase == Phase::Tcp);
        for part in ["none of the 2 addresses of h", "[::1]:1: ", "127.0.0.1:1: "] {
            assert!(failure.message.contains(part), "{}", failure.message);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_silent_address_costs_the_delay() {
        let hole = ringcentral_ws_conformance::fake::BlackHole::new();
        let (_listener, address) = alive();
        let limits = IoLimits { tcp: LONGEST_WAIT, ..IoLimits::default() };
        let began = Instant::now();
        let socket = connect(&limits, "h", vec![hole.address(), address], &Abort::default()).unwrap();
        assert_eq!(socket.peer_addr().unwrap(), address);
        let took = began.elapsed();
        assert!(limits.attempt_delay <= took && took < Duration::from_secs(30), "{took:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_deadline_ends_all_attempts() {
        let hole = ringcentral_ws_conformance::fake::BlackHole::new();
        let limits = IoLimits { tcp: Duration::from_millis(200), ..IoLimits::default() };
        let failure = connect(&limits, "h", vec![hole.address()], &Abort::default()).unwrap_err();
        assert!(failure.message.contains("did not answer in time"), "{}", failure.message);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abort_ends_attempts_that_are_under_way() {
        let hole = ringcentral_ws_conformance::fake::BlackHole::new();
        let limits = IoLimits { tcp: LONGEST_WAIT, ..IoLimits::default() };
        let (abort, address) = (Abort::default(), hole.address());
        let watched = abort.clone();
        let waiting = thread::spawn(move || connect(&limits, "h", vec![address], &watched));
        ringcentral_ws_conformance::until(Duration::from_secs(30), "a waker", || abort.is_waited_for());
        abort.fire();
        assert_eq!(&*waiting.join().unwrap().unwrap_err().message, "given up");
        let before = connect(&IoLimits::default(), "h", vec![address], &abort).unwrap_err();
        assert_eq!(&*before.message, "given up");
    }

    #[test]
    fn a_stream_has_the_options_it_must_have() {
        let (_listener, address) = alive();
        let target = Target { host: "127.0.0.1".to_owned(), port: address.port(), tls: false };
        for keepalive in [Some(Duration::from_secs(15)), Some(Duration::from_secs(40)), None] {
            let limits = IoLimits { keepalive, ..IoLimits::default() };
            let tcp = reach(&limits, &target.host, target.port, &Abort::default()).unwrap();
            let socket = SockRef::from(&*tcp.socket);
            assert_eq!(socket.keepalive().unwrap(), keepalive.is_some());
            #[cfg(target_os = "linux")]
            if let Some(after) = keepalive {
                assert_eq!(
                    (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap()),
                    (after, after)
                );
            }
            assert!(tcp.socket.nodelay().unwrap() && !socket.nonblocking().unwrap());
        }
    }

    // CLAUSE TOK-1
    #[test]
    fn a_stream_for_a_loop_of_ones_own_has_time_outs_and_a_failure_names_the_step() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = |host: &str, port: u16| Url::parse(&format!("ws://{host}:{port}/ws")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let limits = IoLimits { upgrade: Duration::from_secs(7), ..IoLimits::default() };
        let stream = connect_tcp(&url("127.0.0.1", port), &limits).unwrap();
        assert_eq!(stream.read_timeout().unwrap(), Some(limits.upgrade));
        assert_eq!(stream.write_timeout().unwrap(), Some(limits.upgrade));
        assert_eq!(stream.peer_addr().unwrap().port(), port);
        drop(listener);
        let refused = connect_tcp(&url("127.0.0.1", port), &limits).unwrap_err();
        assert!(refused.phase == Phase::Tcp && refused.status.is_none(), "{refused:?}");
        if let Ok(six) = std::net::TcpListener::bind("[::1]:0") {
            let port = six.local_addr().unwrap().port();
            assert!(connect_tcp(&url("[::1]", port), &limits).is_ok(), "brackets");
        }
    }
}
