//! Connecting: the addresses of a host race (RFC 8305), because a dead one is often silent. Which is tried when is the
//! shared code's decision; here are the sockets.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use ringcentral_ws_adapter::{IoLimits, Race, RaceStep};
use ringcentral_ws_core::OpenFailure;

/// Attempts under way, all of them with one token: there are few, and each look goes over all.
#[derive(Debug)]
pub(crate) struct Dialling {
    race: Race,
    under_way: Vec<(SocketAddr, TcpStream)>,
    registry: Registry,
    token: Token,
    began: Instant,
    /// When to look again though no socket is ready, since the beginning.
    again: Duration,
}

impl Dialling {
    /// Nothing is tried before the first [`go_on`](Self::go_on).
    pub(crate) fn new(
        host: &str,
        addresses: Vec<SocketAddr>,
        limits: &IoLimits,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let race = Race::new(host, addresses, limits);
        let (registry, began) = (registry.try_clone()?, Instant::now());
        Ok(Self { race, under_way: Vec::new(), registry, token, began, again: Duration::ZERO })
    }

    /// How long the loop may wait at most.
    pub(crate) fn wait(&self) -> Duration {
        self.again.saturating_sub(self.began.elapsed())
    }

    /// Goes as far as it can without waiting. The first connection that stands wins; the others go with `self`.
    pub(crate) fn go_on(&mut self) -> Option<Result<TcpStream, OpenFailure>> {
        let mut at = 0;
        while let Some((address, stream)) = self.under_way.get(at) {
            match is_connected(stream) {
                Ok(true) => return Some(Ok(self.under_way.swap_remove(at).1)),
                Ok(false) => at += 1,
                Err(error) => {
                    self.race.failed(*address, &error);
                    self.under_way.remove(at);
                }
            }
        }
        loop {
            match self.race.step(self.began.elapsed()) {
                RaceStep::Start(address) => match self.start(address) {
                    Ok(stream) => self.under_way.push((address, stream)),
                    Err(error) => self.race.failed(address, &error),
                },
                RaceStep::Wait(until) => {
                    self.again = until;
                    return None;
                }
                RaceStep::Failed(failure) => {
                    let (phase, message) = (failure.phase, failure.message);
                    return Some(Err(OpenFailure { phase, status: None, retry_after: None, message }));
                }
            }
        }
    }

    fn start(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let mut stream = TcpStream::connect(address)?;
        self.registry.register(&mut stream, self.token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(stream)
    }
}

fn is_connected(stream: &TcpStream) -> io::Result<bool> {
    match stream.take_error()? {
        Some(error) => Err(error),
        None => Ok(stream.peer_addr().is_ok()),
    }
}

/// On Linux, where an address can be made silent.
#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::TcpListener;

    use mio::{Events, Poll};
    use ringcentral_ws_conformance::fake::BlackHole;
    use ringcentral_ws_core::Phase;

    use super::*;

    fn dial(addresses: &[SocketAddr], limits: &IoLimits) -> (Result<SocketAddr, OpenFailure>, Duration) {
        let mut poll = Poll::new().unwrap();
        let mut dialling = Dialling::new("h.example", addresses.to_vec(), limits, poll.registry(), Token(1)).unwrap();
        let began = Instant::now();
        loop {
            if let Some(done) = dialling.go_on() {
                return (done.map(|stream| stream.peer_addr().unwrap()), began.elapsed());
            }
            poll.poll(&mut Events::with_capacity(8), Some(dialling.wait())).unwrap();
        }
    }

    /// Nobody listens on the first port.
    fn refusing() -> SocketAddr {
        "127.0.0.1:1".parse().unwrap()
    }

    #[test]
    fn a_dead_address_costs_a_delay_and_not_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (alive, silent) = (listener.local_addr().unwrap(), BlackHole::new());
        let limits = IoLimits::default();
        let (reached, took) = dial(&[silent.address(), refusing(), alive], &limits);
        assert_eq!(reached.unwrap(), alive);
        assert!(limits.attempt_delay <= took && took < limits.tcp, "{took:?}");
        let (reached, _) = dial(&[refusing(), alive], &limits);
        assert_eq!(reached.unwrap(), alive);
    }

    #[test]
    fn where_none_answers_each_is_named() {
        let silent = BlackHole::new();
        let limits = IoLimits { tcp: Duration::from_millis(100), ..IoLimits::default() };
        let (failed, _) = dial(&[refusing(), silent.address()], &limits);
        let failure = failed.unwrap_err();
        assert_eq!(failure.phase, Phase::Tcp);
        for part in ["2 addresses of h.example", "127.0.0.1:1: ", &format!("{} did not answer", silent.address())] {
            assert!(failure.message.contains(part), "{failure:?}");
        }
        assert_eq!(dial(&[], &limits).0.unwrap_err().phase, Phase::Dns);
    }
}
