//! Time as plain numbers: the caller owns the clock.

mod parse;

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

pub use parse::ParseTimeError;

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
fn micros(d: Duration) -> u64 {
    let whole = d.as_secs().checked_mul(1_000_000);
    whole.and_then(|whole| whole.checked_add(u64::from(d.subsec_micros()))).unwrap_or(u64::MAX)
}

/// The last moment that RFC 3339 can write: 9999-12-31T23:59:59.999Z.
const LAST: u64 = 253_402_300_799_999;

/// A time of the wall clock: milliseconds since 1970-01-01T00:00:00Z, without leap seconds. Used in gaps and snapshots.
/// As JSON, and where the Session reads a clock, at most 2^53 - 1, which every language reads exactly.
///
/// It is printed as RFC 3339 in UTC, with milliseconds; a time after the year 9999 as the last moment of that year.
///
/// ```
/// use ringcentral_ws_core::UnixMillis;
///
/// assert_eq!(UnixMillis(1_700_000_000_123).to_string(), "2023-11-14T22:13:20.123Z");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMillis(#[serde(with = "crate::serde_forms::bounded")] pub u64);

impl UnixMillis {
    /// The same moment as a [`SystemTime`]; a time after the year 9999 as the last moment of that year.
    #[must_use]
    pub fn to_system_time(self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(self.0.min(LAST))
    }

    /// The moment that is so much later, at most the end of time.
    #[must_use]
    pub fn after(self, d: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The moment that is so much earlier, at least 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn before(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)))
    }
}

impl From<UnixMillis> for SystemTime {
    fn from(time: UnixMillis) -> Self {
        time.to_system_time()
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.min(LAST);
        let (days, in_day) = (millis / 86_400_000, millis % 86_400_000);
        let (year, month, day) = date(days);
        let (seconds, millis) = (in_day / 1000, in_day % 1000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Year, month and day of the Gregorian calendar, `days` days after 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Counted from 0000-03-01, so that the day that only some years have is the last one of its year. 400 years have
    // always as many days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    // Without the days that came every 4 years, not every 100, and every 400.
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, five months have 153 days.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (400 * era + year + next, month, day)
}

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

    /// Another implementation of the calendar agrees.
    #[test]
    fn dates_are_those_of_the_calendar() {
        for year in [1970_u64, 1972, 1999, 2000, 2024, 2026, 2100, 2400, 9999] {
            for day in 0..366 {
                let at = UnixMillis((year - 1970) * 31_556_952_000 + day * 86_400_000 + 45_296_789);
                let at = UnixMillis(at.0.min(LAST));
                let http = httpdate::fmt_http_date(at.to_system_time());
                let text = at.to_string();
                let month = "JanFebMarAprMayJunJulAugSepOctNovDec".find(&http[8..11]).unwrap() / 3 + 1;
                let whole =
                    format!("{}-{month:02}-{}T{}.{:03}Z", &http[12..16], &http[5..7], &http[17..25], at.0 % 1000);
                assert_eq!(text, whole, "{http}");
            }
        }
    }

    #[test]
    fn times_are_printed_for_people_and_servers() {
        for (millis, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
            (LAST, "9999-12-31T23:59:59.999Z"),
            (u64::MAX, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(UnixMillis(millis).to_string(), shown);
        }
        let at = UnixMillis(1_500);
        assert_eq!(SystemTime::from(at), SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        assert!(UnixMillis(u64::MAX).to_system_time() > at.to_system_time());
        assert_eq!((at.before(Duration::from_secs(1)), at.before(Duration::MAX)), (UnixMillis(500), UnixMillis(0)));
        assert_eq!(
            (at.after(Duration::from_secs(1)), at.after(Duration::MAX)),
            (UnixMillis(2_500), UnixMillis(u64::MAX))
        );
    }

    #[test]
    fn a_moment_has_a_wall_clock_time() {
        let c = ClockReading { now: Timestamp::from_secs(100), unix: UnixMillis(1_000_000) };
        assert_eq!(c.unix_at(Timestamp::from_secs(160)), UnixMillis(1_060_000));
        assert_eq!(c.unix_at(Timestamp::from_secs(40)), UnixMillis(940_000));
    }
}
