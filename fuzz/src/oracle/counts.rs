//! What became of notifications and gaps, in numbers.

use std::collections::BTreeMap;
use std::ops::AddAssign;

/// Sums over clients and runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Notifications made for subscribed sessions.
    pub sent: u64,
    /// Notifications delivered to applications.
    pub delivered: u64,
    /// Notifications lost inside a reported gap.
    pub covered: u64,
    /// Notifications nobody owes: not subscribed to any more, or lost by the server without a sign.
    pub excused: u64,
    /// Gaps in which nothing was missing.
    pub false_alarms: u64,
    /// Gaps by certainty: how many were emitted, and in how many of them something was missing. Of the last gaps before
    /// a crash it is not known.
    pub certainties: BTreeMap<&'static str, [u64; 2]>,
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, other: &Self) {
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.covered += other.covered;
        self.excused += other.excused;
        self.false_alarms += other.false_alarms;
        for (certainty, [emitted, missing]) in &other.certainties {
            let mine = self.certainties.entry(certainty).or_default();
            mine[0] += emitted;
            mine[1] += missing;
        }
    }
}

impl Counts {
    /// Nothing more can turn out to be missing in a gap.
    pub(crate) fn gap_settled(&mut self, certainty: &'static str, missing: bool) {
        self.false_alarms += u64::from(!missing);
        let counts = self.certainties.entry(certainty).or_default();
        counts[0] += 1;
        counts[1] += u64::from(missing);
    }
}
