//! The retry schedules of other clients as bare formulas: no server answers, no budget, no window but where a formula
//! asks for it. A peer hears of its loss at once.

use super::client::Outcome;
use super::measure::{Figures, Herd, Length};
use super::{LATENCY, WINDOW};

/// Who tries so often has a formula that does not end.
const MOST_ATTEMPTS: u32 = 100_000;

/// What a formula is given for the delay before a try.
#[derive(Clone, Copy, Debug)]
pub struct Try {
    /// Which, from 0.
    pub n: u32,
    /// A random number, at least 0 and less than 1.
    pub random: f64,
    /// Seconds left in the window; negative after it.
    pub left: f64,
}

impl Try {
    fn between(&self, least: f64, most: f64) -> f64 {
        least + self.random * (most - least)
    }

    /// The n-th of these, and then the last again.
    fn step(&self, steps: &[f64]) -> f64 {
        steps[(self.n as usize).min(steps.len() - 1)]
    }

    /// `first` seconds, doubled each time, at most `most`.
    fn doubled(&self, first: f64, most: f64) -> f64 {
        (first * f64::from(1u32 << self.n.min(20))).min(most)
    }
}

/// Seconds before a try; infinite: it has given up.
pub type Schedule = fn(Try) -> f64;

/// The schedules, by name.
pub const SCHEDULES: [(&str, Schedule); 18] = [
    ("full jitter up to 60 s", |t| t.random * t.doubled(1.0, 60.0)),
    ("full jitter up to 20 s", |t| t.random * t.doubled(1.0, 20.0)),
    ("exponential 1 s to 30 s, no jitter", |t| t.doubled(1.0, 30.0)),
    ("uniform 2 s to 8 s (rc-ex, old)", |t| t.between(2.0, 8.0)),
    ("rc-ex, newer table to 80-120 s", |t| match t.n {
        0 => 1.0,
        1 => t.between(2.0, 6.0),
        2 => t.between(10.0, 20.0),
        3 => t.between(20.0, 40.0),
        4 => t.between(40.0, 80.0),
        _ => t.between(80.0, 120.0),
    }),
    ("async-nats", |t| if t.n == 0 { 0.0 } else { (0.001 * 2f64.powi(t.n.min(20) as i32 - 1)).min(4.0) }),
    ("Phoenix", |t| t.step(&[0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1.0, 2.0, 5.0])),
    ("Supabase", |t| t.step(&[1.0, 2.0, 5.0, 10.0])),
    ("SignalR (gives up)", |t| t.step(&[0.0, 2.0, 10.0, 30.0, f64::INFINITY])),
    ("twilight", |t| if t.n == 0 { 0.0 } else { t.step(&[0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 255.0]) }),
    ("Pusher", |t| t.step(&[0.0, 1.0])),
    ("ezsockets", |_| 5.0),
    ("slack-morphism", |_| 30.0),
    ("Ably", |t| match t.n {
        0 => 0.0,
        _ if t.left > WINDOW.as_secs_f64() - 120.0 => 15.0 * (f64::from(t.n + 2) / 3.0).min(2.0) * t.between(0.8, 1.0),
        _ => 30.0,
    }),
    ("centrifuge-js", |t| (0.5 + t.random * t.doubled(0.5, 20.0)).min(20.0)),
    ("socket.io", |t| t.doubled(1.0, 5.0) * t.between(0.5, 1.5)),
    ("graphql-ws, without its end", |t| t.doubled(1.0, 3_600.0) + t.between(0.3, 3.0)),
    ("deadline-aware, to a window's 1/8", |t| t.random * t.doubled(1.0, f64::MAX).min((t.left / 8.0).max(2.0))),
];

/// One client: the moment of each try, in seconds from the loss, the last of which succeeds if it has not given up.
fn tries(outage: f64, schedule: Schedule, random: &mut fastrand::Rng, mut at_each: impl FnMut(f64)) -> Option<f64> {
    let mut at = 0.0;
    for n in 0..MOST_ATTEMPTS {
        at += schedule(Try { n, random: random.f64(), left: WINDOW.as_secs_f64() - at });
        if at.is_infinite() {
            return None;
        }
        at_each(at);
        if at >= outage {
            return Some(at);
        }
    }
    None
}

/// Many clients with one schedule through one outage.
#[must_use]
pub fn figures(clients: usize, length: Length, schedule: Schedule) -> Figures {
    let mut random = fastrand::Rng::with_seed(1);
    let outcomes: Vec<Outcome> = (0..clients)
        .map(|i| {
            let outage = length.of(i, clients).as_secs_f64();
            let mut attempts = 0;
            let success = tries(outage, schedule, &mut random, |_| attempts += 1);
            // The token and the upgrade, as for this client.
            let wait = success.map_or(f64::INFINITY, |at| at - outage + 2.0 * LATENCY.as_secs_f64());
            let recovered = success.is_some_and(|at| at < WINDOW.as_secs_f64());
            Outcome { wait, attempts, auth_calls: 0, recovered }
        })
        .collect();
    Figures::of(&outcomes)
}

/// A herd with one schedule, lost within 50 ms, through one outage.
#[must_use]
pub fn herd(clients: usize, seconds: u64, schedule: Schedule) -> Herd {
    let mut herd = Herd { clients, ..Herd::default() };
    let mut random = fastrand::Rng::with_seed(1);
    for i in 0..clients {
        let lost = 0.05 * i as f64 / clients as f64;
        let before = herd.times.len();
        let times = &mut herd.times;
        let success = tries(seconds as f64 - lost, schedule, &mut random, |at| times.push(((lost + at) * 1e6) as u64));
        herd.inside += usize::from(success.is_some_and(|at| at < WINDOW.as_secs_f64()));
        herd.most_attempts = herd.most_attempts.max(herd.times.len() - before);
    }
    herd
}
