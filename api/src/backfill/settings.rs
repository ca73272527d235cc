//! The settings.

use std::collections::BTreeSet;
use std::time::Duration;

use ringcentral_ws_core::RecordKind;

use super::budget::CallGroup;

/// How gaps are filled: what is asked for, and the limits. For `Builder::backfill` of the clients, or for a
/// [`GapFiller`](super::GapFiller) in a loop of one's own.
///
/// ```
/// use std::time::Duration;
/// use ringcentral_ws_api::{Backfill, CallGroup};
/// use ringcentral_ws_core::RecordKind;
///
/// let fill = Backfill::new()
///     .without(RecordKind::ActiveCall)
///     .calls_per_minute(CallGroup::Heavy, 2)
///     .settle(Duration::from_secs(5));
/// # assert_ne!(fill, Backfill::new());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Backfill {
    pub(super) without: BTreeSet<RecordKind>,
    pub(super) settle: Duration,
    pub(super) spread: Duration,
    pub(super) light: usize,
    pub(super) medium: usize,
    pub(super) heavy: usize,
    pub(super) attempts: u32,
    pub(super) records: usize,
    pub(super) bytes: usize,
    pub(super) remembered: usize,
}

impl Default for Backfill {
    fn default() -> Self {
        Self {
            without: BTreeSet::new(),
            settle: Duration::from_secs(10),
            spread: Duration::from_secs(5),
            light: 25,
            medium: 20,
            heavy: 5,
            attempts: 6,
            records: 10_000,
            bytes: 16 << 20,
            remembered: 2048,
        }
    }
}

impl Backfill {
    /// Everything that the filters of the subscription are about is asked for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does not ask for records of this kind. Nothing is said about them either.
    pub fn without(mut self, kind: RecordKind) -> Self {
        self.without.insert(kind);
        self
    }

    /// How long after a gap the first call is made (10 s). Notifications that are on their way then arrive meanwhile, and
    /// their records are not handed out again. At most a day.
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle.min(Duration::from_secs(86_400));
        self
    }

    /// The time over which clients that lost their connections together spread their first calls (5 s). At most a day.
    pub fn spread(mut self, spread: Duration) -> Self {
        self.spread = spread.min(Duration::from_secs(86_400));
        self
    }

    /// Most calls of this group in any minute: 25, 20 and 5 by default, half of what RingCentral's guide says a user of
    /// an app may make, so that as many are left for the application. Several clients of one user share what is allowed: set
    /// less for each. What the answers' headers say is believed if it is less. 0 counts as 1.
    pub fn calls_per_minute(mut self, group: CallGroup, calls: usize) -> Self {
        let calls = calls.clamp(1, 1000);
        match group {
            CallGroup::Light => self.light = calls,
            CallGroup::Medium => self.medium = calls,
            CallGroup::Heavy => self.heavy = calls,
        }
        self
    }

    /// How often a call is made that fails for a reason that may pass (6). Then what it asked for is named in `unfilled`.
    /// Calls that were never sent count a tenth, and a 429 with a `Retry-After` of five minutes or less (or none) counts
    /// three tenths: others may have used up the limit. 0 counts as 1.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts.clamp(1, 100);
        self
    }

    /// Most records of one gap, in number (10,000) and in bytes of JSON (16 MiB). They are in memory until the gap is
    /// done with. What goes beyond is named in `unfilled`.
    pub fn most(mut self, records: usize, bytes: usize) -> Self {
        (self.records, self.bytes) = (records, bytes);
        self
    }

    /// How many keys of what was delivered are remembered (2048), 16 bytes each; at most 65,536. They are part of the
    /// snapshot. If more is delivered in the time of a gap, `may_repeat` says so.
    pub fn remember(mut self, keys: usize) -> Self {
        self.remembered = keys.clamp(1, 65_536);
        self
    }

    pub(super) const fn limit(&self, group: CallGroup) -> usize {
        match group {
            CallGroup::Light => self.light,
            CallGroup::Medium => self.medium,
            CallGroup::Heavy => self.heavy,
        }
    }
}
