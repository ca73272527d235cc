//! What those who listen after a restart are owed of the time before.

use std::collections::BTreeSet;
use std::time::Duration;

use ringcentral_ws_core::{Filters, Gap, Snapshot, Timestamp, UnixMillis};

/// How long after the gap of a restart was reported a listener that comes has it too.
const LATE: Duration = Duration::from_secs(60);

/// The gap that a restart left, for listeners that come after it was reported: the run before had listeners with the same
/// filters, and these go on in their place.
#[derive(Debug)]
pub struct Restart {
    /// What the run before was subscribed to; `None` if that is unknown.
    filters: Option<Filters>,
    /// When this run began.
    began: UnixMillis,
    /// What was reported of the time before that, and when.
    gap: Option<(Gap, Timestamp)>,
}

impl Restart {
    /// A session that goes on from this snapshot.
    #[must_use]
    pub fn new(snapshot: &Snapshot, began: UnixMillis) -> Self {
        Self { filters: snapshot.filters().cloned(), began, gap: None }
    }

    /// A gap is reported. Of several that are about the time before this run the listeners have one.
    pub(crate) fn note(&mut self, gap: &Gap, now: Timestamp) {
        if gap.since > self.began {
            return;
        }
        match &mut self.gap {
            Some((known, at)) => {
                known.merge(gap.clone());
                *at = now;
            }
            none => *none = Some((gap.clone(), now)),
        }
    }

    /// Whether a listener that comes now goes on in place of one of the run before.
    pub(crate) fn is_for(&self, filters: &Filters, now: Timestamp) -> bool {
        let in_time = self.gap.as_ref().is_none_or(|(_, at)| now.since(*at) <= LATE);
        in_time
            && self.filters.as_ref().is_none_or(|before| {
                let before: BTreeSet<&str> = before.iter().collect();
                filters.iter().all(|filter| before.contains(filter))
            })
    }

    /// What was reported.
    pub(crate) fn gap(&self) -> Option<&Gap> {
        self.gap.as_ref().map(|(gap, _)| gap)
    }
}
