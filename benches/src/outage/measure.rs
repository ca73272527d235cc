//! Many clients through one outage, and the figures of it.

use std::time::Duration;

use super::{Client, Kind, Life, Traffic, WINDOW};
use crate::outage::client::Outcome;

/// How long an outage lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// So many seconds.
    Seconds(u64),
    /// Drawn evenly from 0 to 180 s, another for each client.
    Drawn,
}

impl Length {
    /// Those of the table of outages.
    #[must_use]
    pub fn table() -> Vec<Self> {
        let seconds = [0, 1, 3, 6, 10, 20, 30, 60, 90, 120, 150, 160, 170, 175, 180, 240, 300];
        seconds.into_iter().map(Self::Seconds).chain([Self::Drawn]).collect()
    }

    /// That of client `i` of `n`. The drawn ones fill their range evenly: with few clients, too, no part of it is
    /// missed.
    #[must_use]
    pub fn of(self, i: usize, n: usize) -> Duration {
        match self {
            Self::Seconds(seconds) => Duration::from_secs(seconds),
            Self::Drawn => {
                let within = fastrand::Rng::with_seed(i as u64).f64();
                WINDOW.mul_f64((i as f64 + within) / n.max(1) as f64)
            }
        }
    }

    /// As the tables say it.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::Seconds(seconds) => format!("{seconds} s"),
            Self::Drawn => "0-180 s".to_owned(),
        }
    }
}

/// What many clients came to. Waits in seconds from the return of the service to the connection.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Half of the clients wait no longer.
    pub p50: f64,
    /// Nine of ten.
    pub p90: f64,
    /// 99 of a hundred.
    pub p99: f64,
    /// The longest.
    pub worst: f64,
    /// Attempts of a client, on average.
    pub attempts: f64,
    /// The most Auth calls of one client in any rolling 60 s.
    pub auth_calls: usize,
    /// Share of the clients whose session continued, 0 to 1.
    pub recovered: f64,
}

impl Figures {
    /// Of these, at least one.
    #[must_use]
    pub fn of(outcomes: &[Outcome]) -> Self {
        let n = outcomes.len().max(1) as f64;
        let mut waits: Vec<f64> = outcomes.iter().map(|outcome| outcome.wait).collect();
        waits.sort_unstable_by(f64::total_cmp);
        Self {
            p50: share(&waits, 0.5),
            p90: share(&waits, 0.9),
            p99: share(&waits, 0.99),
            worst: share(&waits, 1.0),
            attempts: outcomes.iter().map(|outcome| outcome.attempts).sum::<usize>() as f64 / n,
            auth_calls: outcomes.iter().map(|outcome| outcome.auth_calls).max().unwrap_or_default(),
            recovered: outcomes.iter().filter(|outcome| outcome.recovered).count() as f64 / n,
        }
    }
}

/// The smallest of the sorted values that this share of them does not exceed.
fn share(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// A line of the table of outages.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// How the outage looks.
    pub kind: Kind,
    /// The clients' life before.
    pub life: Life,
    /// How long it lasts.
    pub length: Length,
    /// What came of it.
    pub figures: Figures,
}

/// Clients that have lived alike, each with its own seed.
#[must_use]
pub fn grown(seeds: usize, life: Life) -> Vec<Client> {
    (0..seeds).map(|seed| Client::grown(seed as u64, life)).collect()
}

/// Sends copies of these clients through one outage.
#[must_use]
pub fn row(clients: &[Client], life: Life, kind: Kind, length: Length, retry_after: Duration) -> Row {
    let outcomes: Vec<Outcome> = clients
        .iter()
        .enumerate()
        .map(|(i, client)| client.clone().lose(kind, length.of(i, clients.len()), retry_after))
        .collect();
    Row { kind, life, length, figures: Figures::of(&outcomes) }
}

/// All clients of a herd lose their socket within this.
const SPREAD: Duration = Duration::from_millis(50);

/// The scenarios of the herd: each of these kinds for each of these seconds.
pub const HERD_KINDS: [Kind; 3] = [Kind::Refused, Kind::GatewayRefused, Kind::Closed503];
/// See [`HERD_KINDS`].
pub const HERD_SECONDS: [u64; 5] = [1, 30, 120, 150, 170];

/// What came of one herd.
#[derive(Clone, Debug, Default)]
pub struct Herd {
    /// How many there are.
    pub clients: usize,
    /// How many are back within the window of the server.
    pub inside: usize,
    /// Microseconds from the first loss to each attempt of each client.
    pub times: Vec<u64>,
    /// The most attempts of one client.
    pub most_attempts: usize,
    /// The most Auth calls of one client in any rolling 60 s; 0 where nothing counts them.
    pub auth_calls: usize,
}

impl Herd {
    /// The largest share of the herd that comes within any 100 ms.
    #[must_use]
    pub fn worst_100ms(&mut self) -> f64 {
        self.times.sort_unstable();
        let (mut worst, mut first) = (0, 0);
        for (i, at) in self.times.iter().enumerate() {
            while at - self.times[first] >= 100_000 {
                first += 1;
            }
            worst = worst.max(i + 1 - first);
        }
        worst as f64 / self.clients.max(1) as f64
    }
}

/// A herd through outages, one result for each. Clients know nothing of each other, so they run one after the other.
#[must_use]
pub fn herds(clients: usize, outages: &[(Kind, u64)], mut progress: impl FnMut(usize)) -> Vec<Herd> {
    // A session is at rest for an hour: no call of before counts any more, and each has its own last heartbeat.
    let life = Life { up: Duration::from_secs(3_600), traffic: Traffic::Quiet };
    let mut herds = vec![Herd { clients, ..Herd::default() }; outages.len()];
    for i in 0..clients {
        let mut client = Client::grown(i as u64, life);
        let first = client.now();
        client.run_until(first.after(SPREAD.mul_f64(i as f64 / clients as f64)));
        for (herd, (kind, seconds)) in herds.iter_mut().zip(outages) {
            let mut copy = client.clone();
            // Back at the same moment for all.
            let back = first.after(Duration::from_secs(*seconds));
            let outcome = copy.lose(*kind, back.since(copy.now()), Duration::ZERO);
            herd.inside += usize::from(outcome.recovered);
            herd.times.extend(copy.attempts().iter().map(|at| at.since(first).as_micros() as u64));
            herd.most_attempts = herd.most_attempts.max(outcome.attempts);
            herd.auth_calls = herd.auth_calls.max(outcome.auth_calls);
        }
        progress(i);
    }
    herds
}
