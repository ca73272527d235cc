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
pub use self::measure::{Figures, Herd, Length, Row};
pub use self::service::{Kind, Service};

/// How long the service takes for any answer.
pub const LATENCY: Duration = Duration::from_millis(50);
/// How long the service keeps a session whose socket broke.
pub const WINDOW: Duration = Duration::from_secs(180);
