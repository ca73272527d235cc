//! Figures beside their floors: samples of several things that take turns in one run, and what is said about them.

pub mod calls;
pub mod channel;
pub mod session;
pub mod tasks;
pub mod threads;

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Messages that may wait in a queue: as many as events of a client.
const QUEUE: usize = 1024;

/// What one round took.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Of the processor, by all threads of this process, in nanoseconds. The server is another process.
    pub cpu: f64,
    /// Of the clock on the wall, in nanoseconds.
    pub wall: f64,
}

/// Measures from its making on.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    cpu: Duration,
    wall: Instant,
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Meter {
    /// Begins.
    #[must_use]
    pub fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    /// What each of so many rounds took since then.
    #[must_use]
    pub fn each(self, rounds: usize) -> Cost {
        let (cpu, wall) = (cpu() - self.cpu, self.wall.elapsed());
        let each = |time: Duration| time.as_nanos() as f64 / rounds as f64;
        Cost { cpu: each(cpu), wall: each(wall) }
    }
}

/// The costs of one thing, a turn each.
#[derive(Clone, Debug, Default)]
pub struct Samples(Vec<Cost>);

impl Samples {
    /// Adds a turn.
    pub fn push(&mut self, cost: Cost) {
        self.0.push(cost);
    }

    fn sorted(&self, of: impl Fn(&Cost) -> f64) -> Vec<f64> {
        let mut all: Vec<f64> = self.0.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    /// The median of the processor's time, in nanoseconds.
    #[must_use]
    pub fn cpu(&self) -> f64 {
        let all = self.sorted(|cost| cost.cpu);
        all[all.len() / 2]
    }

    /// The median of the time on the wall, in nanoseconds.
    #[must_use]
    pub fn wall(&self) -> f64 {
        let all = self.sorted(|cost| cost.wall);
        all[all.len() / 2]
    }

    /// The median of the ratios to another thing, turn by turn, with the lowest and the highest of them.
    #[must_use]
    pub fn beside(&self, floor: &Self) -> (f64, f64, f64) {
        let mut all: Vec<f64> = self.0.iter().zip(&floor.0).map(|(ours, floor)| ours.cpu / floor.cpu).collect();
        all.sort_by(f64::total_cmp);
        (all[all.len() / 2], all[0], all[all.len() - 1])
    }
}

/// A ratio with its spread.
#[must_use]
pub fn ratio((median, low, high): (f64, f64, f64)) -> String {
    format!("{median:.2} ({low:.2}–{high:.2})")
}
