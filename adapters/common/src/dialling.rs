//! Which address of a host is tried when: several race, by RFC 8305 ("Happy Eyeballs"), and the first to answer wins.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ringcentral_ws_core::{HttpFailure, Phase};
use socket2::{SockRef, TcpKeepalive};

use crate::address::not_sent;
use crate::limits::{IoLimits, MAX_ADDRESSES};

/// The shortest time between two attempts of which neither has failed: RFC 8305, section 8.
const LEAST_DELAY: Duration = Duration::from_millis(10);

/// The longest time between keepalive probes that Linux takes.
const LONGEST_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// The order in which addresses are tried: the families take turns, beginning with that of the first address, and
/// within a family the resolver's order stands (RFC 8305, section 4). Repeated addresses count once.
#[must_use]
pub fn order(addresses: impl IntoIterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut seen = BTreeSet::new();
    let mut unique = addresses.into_iter().filter(|address| seen.insert(*address)).peekable();
    let v6_first = unique.peek().is_some_and(SocketAddr::is_ipv6);
    let (mut turn, mut other): (VecDeque<_>, VecDeque<_>) = unique.partition(|address| address.is_ipv6() == v6_first);
    let mut ordered = Vec::with_capacity(turn.len() + other.len());
    while let Some(next) = turn.pop_front() {
        ordered.push(next);
        if !other.is_empty() {
            std::mem::swap(&mut turn, &mut other);
        }
    }
    ordered
}

/// What a [`Race`] asks for.
#[derive(Debug)]
pub enum RaceStep {
    /// Begin to connect to this address now, beside the attempts that are under way, and ask again.
    Start(SocketAddr),
    /// Wait until an attempt has ended, at most until so long after the beginning, and ask again.
    Wait(Duration),
    /// No address answered, or none did in time. Give up the attempts that are under way.
    Failed(HttpFailure),
}

/// The attempts to connect to one host. It neither connects nor waits: its caller does both, and asks for the
/// next [`RaceStep`]. The next attempt starts [`IoLimits::attempt_delay`] after the one before, or when any has failed; where the
/// deadline is near, sooner, so that each address has its turn.
#[derive(Debug)]
pub struct Race {
    host: String,
    attempts: Vec<(SocketAddr, Attempt)>,
    /// Addresses over the limit.
    surplus: usize,
    /// The time between two attempts.
    delay: Duration,
    /// When the next attempt starts, if none fails before.
    next: Duration,
    deadline: Duration,
}

#[derive(Debug)]
enum Attempt {
    NotStarted,
    UnderWay,
    Failed(String),
}

impl Race {
    /// A race between the addresses that the resolver gave for a host. At most [`MAX_ADDRESSES`] take part.
    #[must_use]
    pub fn new(host: &str, addresses: Vec<SocketAddr>, limits: &IoLimits) -> Self {
        let mut addresses = order(addresses);
        let surplus = addresses.len().saturating_sub(MAX_ADDRESSES);
        addresses.truncate(MAX_ADDRESSES);
        let share = limits.tcp / u32::try_from(addresses.len().max(1)).unwrap_or(u32::MAX);
        Self {
            host: host.to_owned(),
            attempts: addresses.into_iter().map(|address| (address, Attempt::NotStarted)).collect(),
            surplus,
            delay: limits.attempt_delay.max(LEAST_DELAY).min(share),
            next: Duration::ZERO,
            deadline: limits.tcp,
        }
    }

    /// What to do next. `now` is the time since the race began.
    pub fn step(&mut self, now: Duration) -> RaceStep {
        if now >= self.deadline && !self.attempts.is_empty() {
            return RaceStep::Failed(self.failure());
        }
        let under_way = self.attempts.iter().any(|(_, attempt)| matches!(attempt, Attempt::UnderWay));
        let waiting = self.attempts.iter_mut().find(|(_, attempt)| matches!(attempt, Attempt::NotStarted));
        match waiting {
            Some((address, attempt)) if now >= self.next || !under_way => {
                *attempt = Attempt::UnderWay;
                self.next = now.saturating_add(self.delay);
                RaceStep::Start(*address)
            }
            Some(_) => RaceStep::Wait(self.next.min(self.deadline)),
            None if under_way => RaceStep::Wait(self.deadline),
            None => RaceStep::Failed(self.failure()),
        }
    }

    /// An attempt has failed. The next one starts at once.
    pub fn failed(&mut self, address: SocketAddr, error: &io::Error) {
        if let Some((_, attempt)) = self.attempts.iter_mut().find(|(known, _)| *known == address) {
            *attempt = Attempt::Failed(error.to_string());
            self.next = Duration::ZERO;
        }
    }

    /// Says of each address what became of it.
    fn failure(&self) -> HttpFailure {
        if self.attempts.is_empty() {
            return not_sent(Phase::Dns, format!("{} has no address", self.host));
        }
        let mut untried = self.surplus;
        let mut outcomes = Vec::new();
        for (address, attempt) in &self.attempts {
            match attempt {
                Attempt::NotStarted => untried += 1,
                // Systems name a time-out differently.
                Attempt::UnderWay => outcomes.push(format!("{address} did not answer in time")),
                Attempt::Failed(error) => outcomes.push(format!("{address}: {error}")),
            }
        }
        let mut message = outcomes.join("; ");
        if self.attempts.len() > 1 {
            message = format!("none of the {} addresses of {} can be reached: {message}", outcomes.len(), self.host);
        }
        if untried > 0 {
            message = format!("{message}; {untried} more were not tried");
        }
        not_sent(Phase::Tcp, message)
    }
}

/// Makes the system probe a connection that carries nothing for `after`, and again each time this long has passed, so
/// that what lies between does not forget it, and a dead peer is noticed. Whole seconds count, from 1 to 32767.
///
/// # Errors
///
/// When the system refuses.
pub fn keep_alive<'a, S>(socket: &'a S, after: Duration) -> io::Result<()>
where
    SockRef<'a>: From<&'a S>,
{
    let after = after.clamp(Duration::from_secs(1), LONGEST_KEEPALIVE);
    let probes = TcpKeepalive::new().with_time(after);
    // Elsewhere the interval is the system's.
    #[cfg(any(
        target_os = "android",
        target_os = "dragonfly",
        target_os = "freebsd",
        target_os = "illumos",
        target_os = "ios",
        target_os = "linux",
        target_os = "macos",
        target_os = "netbsd",
        target_os = "windows"
    ))]
    let probes = probes.with_interval(after);
    SockRef::from(socket).set_tcp_keepalive(&probes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(list: &str) -> Vec<SocketAddr> {
        list.split_whitespace()
            .map(|short| match short.strip_prefix('s') {
                Some(n) => format!("[2001:db8::{n}]:443").parse().unwrap(),
                None => format!("192.0.2.{short}:443").parse().unwrap(),
            })
            .collect()
    }

    #[test]
    fn families_take_turns_and_the_resolver_says_which_begins() {
        // IPv6 addresses have an s (for six) here.
        for (resolved, tried) in [
            ("", ""),
            ("1", "1"),
            ("s1 s2 s3 1 2 3", "s1 1 s2 2 s3 3"),
            ("1 2 3 s1 s2 s3", "1 s1 2 s2 3 s3"),
            ("s1 s2 s3 1", "s1 1 s2 s3"),
            ("1 s1 s2 s3 2", "1 s1 2 s2 s3"),
            ("s1 1 2 3", "s1 1 2 3"),
            ("s2 s1", "s2 s1"),
            ("1 1 s1 1 s1 2", "1 s1 2"),
        ] {
            assert_eq!(order(addresses(resolved)), addresses(tried), "{resolved}");
        }
    }

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn race(list: &str, limits: &IoLimits) -> Race {
        Race::new("h.example", addresses(list), limits)
    }

    fn shown(step: RaceStep) -> String {
        match step {
            RaceStep::Start(address) => address.ip().to_string(),
            RaceStep::Wait(until) => format!("until {}", until.as_millis()),
            RaceStep::Failed(failure) => {
                assert!(failure.not_sent);
                format!("{:?}: {}", failure.phase, failure.message)
            }
        }
    }

    fn refused() -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionRefused, "refused")
    }

    #[test]
    fn attempts_start_a_delay_apart() {
        let mut race = race("s1 1 2", &IoLimits::default());
        let timeline = [0, 0, 249, 250, 250, 400, 501, 501, 9_999, 10_000].map(|at| shown(race.step(MS(at))));
        assert_eq!(
            timeline[..9],
            [
                "2001:db8::1",
                "until 250",
                "until 250",
                "192.0.2.1",
                "until 500",
                "until 500",
                "192.0.2.2",
                "until 10000",
                "until 10000"
            ]
        );
        assert_eq!(
            timeline[9],
            "Tcp: none of the 3 addresses of h.example can be reached: [2001:db8::1]:443 did not answer in time; \
             192.0.2.1:443 did not answer in time; 192.0.2.2:443 did not answer in time"
        );
    }

    #[test]
    fn a_failure_starts_the_next_attempt_at_once() {
        let list = addresses("s1 1 2");
        let mut race = race("s1 1 2", &IoLimits::default());
        assert_eq!(shown(race.step(MS(0))), "2001:db8::1");
        race.failed(list[0], &refused());
        assert_eq!([shown(race.step(MS(3))), shown(race.step(MS(3)))], ["192.0.2.1", "until 253"]);
        race.failed(list[1], &refused());
        assert_eq!([shown(race.step(MS(4))), shown(race.step(MS(4)))], ["192.0.2.2", "until 10000"]);
        race.failed(list[2], &refused());
        let over = shown(race.step(MS(5)));
        assert!(over.starts_with("Tcp: none of the 3 addresses") && over.matches(": refused").count() == 3, "{over}");
    }

    #[test]
    fn one_address_or_none_fails_in_plain_words() {
        let limits = IoLimits::default();
        assert_eq!(shown(race("", &limits).step(MS(0))), "Dns: h.example has no address");
        assert_eq!(shown(race("", &limits).step(Duration::MAX)), "Dns: h.example has no address");
        let mut one = race("1", &limits);
        assert_eq!([shown(one.step(MS(0))), shown(one.step(MS(1)))], ["192.0.2.1", "until 10000"]);
        assert_eq!(shown(one.step(MS(10_000))), "Tcp: 192.0.2.1:443 did not answer in time");
        one.failed(addresses("1")[0], &refused());
        assert_eq!(shown(one.step(MS(1))), "Tcp: 192.0.2.1:443: refused");
    }

    #[test]
    fn a_near_deadline_leaves_each_address_its_turn() {
        let mut race = race("1 2 3 4", &IoLimits { tcp: MS(400), ..IoLimits::default() });
        let timeline = [0, 0, 100, 200, 300, 399].map(|at| shown(race.step(MS(at))));
        assert_eq!(timeline, ["192.0.2.1", "until 100", "192.0.2.2", "192.0.2.3", "192.0.2.4", "until 400"]);
        assert!(matches!(race.step(MS(400)), RaceStep::Failed(_)));
    }

    #[test]
    fn limits_at_their_ends_are_kept() {
        let endless = IoLimits { tcp: Duration::MAX, attempt_delay: Duration::MAX, ..IoLimits::default() };
        let mut race = Race::new("h", addresses("1 2"), &endless);
        assert_eq!(shown(race.step(MS(0))), "192.0.2.1");
        assert!(matches!(race.step(MS(86_400_000)), RaceStep::Wait(until) if until > MS(86_400_000)));
        let busy = IoLimits { attempt_delay: Duration::ZERO, ..IoLimits::default() };
        let mut race = Race::new("h", addresses("1 2"), &busy);
        assert_eq!([shown(race.step(MS(0))), shown(race.step(MS(0)))], ["192.0.2.1", "until 10"]);
    }

    #[test]
    fn so_many_addresses_take_part_and_no_more() {
        for (count, untried) in [(15, None), (16, None), (17, Some("; 1 more were not tried"))] {
            let list: Vec<String> = (1..=count).map(|n: usize| n.to_string()).collect();
            let mut race = race(&list.join(" "), &IoLimits::default());
            let mut started = Vec::new();
            let failure = loop {
                match race.step(MS(0)) {
                    RaceStep::Start(address) => {
                        started.push(address);
                        race.failed(address, &refused());
                    }
                    RaceStep::Failed(failure) => break failure,
                    RaceStep::Wait(until) => panic!("nothing is under way: {until:?}"),
                }
            };
            assert_eq!(started, addresses(&list[..count.min(MAX_ADDRESSES)].join(" ")));
            let end = untried.unwrap_or("refused");
            assert!(failure.message.ends_with(end), "{}", failure.message);
        }
    }

    #[test]
    fn keepalive_takes_any_duration() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        for after in [Duration::ZERO, Duration::from_secs(15), Duration::MAX] {
            keep_alive(&socket, after).unwrap();
            assert!(SockRef::from(&socket).keepalive().unwrap(), "{after:?}");
        }
    }
}
