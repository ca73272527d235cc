//! Time as plain numbers: the caller owns the clock.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment: microseconds since an epoch that the driver chooses, on a clock that never goes back.
///
/// Arithmetic saturates. A session takes a moment before the last one for the last one (C12).
///
/// ```
/// use std::time::Duration;
///
/// use ringcentral_ws_core::Timestamp;
///
/// let at = Timestamp::from_millis(1_500);
/// assert_eq!(at.after(Duration::from_secs(2)).since(at), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub struct Timestamp(#[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::exact"))] u64);

impl Timestamp {
    /// The driver's epoch.
    pub const ZERO: Self = Self(0);

    /// A point `micros` microseconds after the epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A point `millis` milliseconds after the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A point `secs` seconds after the epoch.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This point plus `d`, at most the end of time.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(micros(d)))
    }

    /// This point plus so many microseconds, at most the end of time.
    pub(crate) const fn later(self, micros: u64) -> Self {
        Self(self.0.saturating_add(micros))
    }

    /// This point minus `d`, at least the epoch.
    #[must_use]
    pub fn before(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(micros(d)))
    }

    /// Time from `earlier` to this point; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// Whole microseconds, at most all that there are.
pub(crate) fn micros(d: Duration) -> u64 {
    let whole = d.as_secs().checked_mul(1_000_000);
    whole.and_then(|whole| whole.checked_add(u64::from(d.subsec_micros()))).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970-01-01T00:00:00Z. Used only in what leaves the process: gaps and snapshots. As JSON, and
/// where the Session reads a clock, at most 2^53 - 1, which every language reads exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(#[serde(with = "crate::serde_forms::bounded")] pub u64);

/// One reading of both clocks, taken at construction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub struct ClockReading {
    /// The monotonic clock that every later call is given.
    pub now: Timestamp,
    /// The wall clock at the same moment.
    pub unix: UnixMillis,
}

impl ClockReading {
    /// The wall clock at `at`, as far as one reading shows it.
    #[must_use]
    pub fn unix_at(self, at: Timestamp) -> UnixMillis {
        let later = at.as_micros().saturating_sub(self.now.as_micros()) / 1_000;
        let earlier = self.now.as_micros().saturating_sub(at.as_micros()) / 1_000;
        let unix = self.unix.0.saturating_add(later).saturating_sub(earlier);
        UnixMillis(unix.min(crate::serde_forms::MAX_EXACT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates() {
        let end = Timestamp::from_micros(u64::MAX);
        assert_eq!(end.after(Duration::MAX), end);
        assert_eq!(Timestamp::ZERO.before(Duration::from_secs(1)), Timestamp::ZERO);
        assert_eq!(Timestamp::ZERO.since(end), Duration::ZERO);
        assert_eq!(Timestamp::from_millis(1_500).as_micros(), 1_500_000);
        assert_eq!(Timestamp::from_micros(7).as_micros(), 7);
        assert_eq!(Timestamp::from_secs(3).since(Timestamp::from_secs(1)), Duration::from_secs(2));
    }

    #[test]
    fn a_moment_has_a_wall_clock_time() {
        let c = ClockReading { now: Timestamp::from_secs(100), unix: UnixMillis(1_000_000) };
        assert_eq!(c.unix_at(Timestamp::from_secs(160)), UnixMillis(1_060_000));
        assert_eq!(c.unix_at(Timestamp::from_secs(40)), UnixMillis(940_000));
    }
}
