//! How long users wait after an outage: real Sessions in virtual time, against a model of the service.
//!
//! `service` is the other side: what it answers, and when it is away. `client` joins one Session with it and runs both
//! from the first login to the first connection after the loss. `measure` runs many of them and sorts the figures,
//! `limits` says which of those are good enough, `peers` has the schedules of other clients, `report` prints.
//!
//! Only the public interface of the Session is used, so that any retry policy can be measured.

pub mod client;
pub mod limits;
pub mod measure;
pub mod peers;
pub mod report;
pub mod service;

use std::time::Duration;

pub use self::client::{Client, Life, Traffic};
pub use self::limits::{Limit, limits, misses};
pub use self::measure::{Figures, Fleet, Length, Row};
pub use self::service::{Kind, Service};

/// How long the service takes for any answer.
pub const LATENCY: Duration = Duration::from_millis(50);
/// How long the service keeps a session whose socket broke.
pub const WINDOW: Duration = Duration::from_secs(180);

/// Random numbers for the scenery. The Session has its own, from its seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A series that depends on `seed` only.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one, at least 0 and less than 1. (SplitMix64.)
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A length of time less than `most`.
    pub fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.unit())
    }
}
