//! Virtual time: microseconds from the beginning of a run.

/// Microseconds in a second.
pub(crate) const S: u64 = 1_000_000;
pub(crate) const MINUTE: u64 = 60 * S;
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// A day in microseconds: the usual length of a run.
pub const DAY: u64 = 24 * HOUR;
pub(crate) const WEEK: u64 = 7 * DAY;
