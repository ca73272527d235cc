//! What the server sent, against what the application got. Shares no code with the Session.

use std::collections::{BTreeMap, BTreeSet};

use ringcentral_ws_core::Gap;

use crate::oracle::{Counts, Verdict, check_certainty, violated};

/// Notifications are numbered as they are sent: 1, 2, 3 and so on.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// Those behind the last one that are owed and in no gap yet, and of which subscription.
    of: BTreeMap<u64, u64>,
    /// The subscriptions that were confirmed to the application; and whether a removal was confirmed since.
    known: BTreeSet<u64>,
    apart: bool,
    delivered: BTreeSet<u64>,
    last: u64,
    /// Gaps emitted since the last notification, by certainty.
    gaps: Vec<&'static str>,
    /// This process has emitted a notification.
    emitted: bool,
    pub(super) counts: Counts,
}

impl Oracle {
    /// The number of a new notification of this subscription.
    pub(super) fn send(&mut self, subscription: u64) -> u64 {
        self.counts.sent += 1;
        self.of.insert(self.counts.sent, subscription);
        self.counts.sent
    }

    /// Once, in order, and nothing missing before it unless a gap says so.
    pub(super) fn notification(&mut self, uuid: &str) -> Verdict {
        let number = uuid.parse().ok().filter(|number| (1..=self.counts.sent).contains(number));
        let Some(number) = number else { return violated("invented", format!("{uuid} was never sent")) };
        if !self.delivered.insert(number) {
            return violated("duplicate", format!("{number} came twice"));
        }
        self.counts.delivered += 1;
        if number < self.last {
            return violated("order", format!("{number} came after {}", self.last));
        }
        let missing = number - self.last - 1;
        if let Some((owed, _)) = self.of.range(..number).next() {
            return violated("lost", format!("{owed} did not come before {number}, and no gap was emitted for it"));
        }
        if self.gaps.is_empty() {
            self.counts.excused += missing;
        } else {
            self.counts.covered += missing;
        }
        for certainty in self.gaps.drain(..) {
            self.counts.gap_settled(certainty, missing > 0);
        }
        self.of = self.of.split_off(&(number + 1));
        (self.last, self.emitted) = (number, true);
        Ok(())
    }

    /// It says after which notification it begins. A process that has emitted none yet knows only what was written
    /// down.
    /// `coming`: what can still come is not lost, and if it will be, that is another gap.
    pub(super) fn gap(&mut self, gap: &Gap, coming: &BTreeSet<u64>) -> Verdict {
        check_certainty(gap)?;
        self.gaps.push(gap.certainty.as_str());
        let after = gap.after.as_deref();
        self.of.retain(|number, _| coming.contains(number));
        let after = after.and_then(|uuid| uuid.parse().ok()).unwrap_or(0);
        if after > self.last || self.emitted && after != self.last {
            return violated("gap-after", format!("the gap begins after {after}, the last one was {}", self.last));
        }
        Ok(())
    }

    /// The application had no subscription so far: what was sent is not owed.
    pub(super) fn excuse_pending(&mut self) {
        self.of.clear();
    }

    /// The removal was confirmed: until a subscription is confirmed again, only that one can owe it something.
    pub(super) fn unsubscribed(&mut self) {
        self.excuse_pending();
        self.known.clear();
        self.apart = true;
    }

    pub(super) fn subscribed(&mut self, id: u64) {
        self.known.insert(id);
        if std::mem::take(&mut self.apart) {
            self.of.retain(|_, subscription| self.known.contains(subscription));
        }
    }

    pub(super) fn has(&self, number: u64) -> bool {
        self.delivered.contains(&number)
    }

    /// The process is gone.
    pub(super) fn restarted(&mut self) {
        self.emitted = false;
    }
}
