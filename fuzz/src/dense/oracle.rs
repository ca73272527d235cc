//! What the server sent, against what the application got. Shares no code with the Session.

use std::collections::{BTreeMap, BTreeSet};

use ringcentral_ws_core::{Gap, RequestId, RequestOutcome};

use crate::oracle::{Certainties, Verdict, check_certainty, never_left, violated};

/// A REST request that has not ended.
#[derive(Debug)]
struct Asked {
    number: u64,
    /// On how many ways it may have run.
    left: u32,
}

/// The books. Notifications are numbered as they are sent: 1, 2, 3 and so on.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) sent: u64,
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
    asked: BTreeMap<RequestId, Asked>,
    pub(super) certainties: Certainties,
    pub(super) covered: u64,
    pub(super) excused: u64,
    pub(super) false_alarms: u64,
}

impl Oracle {
    /// The number of a new notification of this subscription.
    pub(super) fn send(&mut self, subscription: u64) -> u64 {
        self.sent += 1;
        self.of.insert(self.sent, subscription);
        self.sent
    }

    /// Once, in order, and nothing missing before it unless a gap says so.
    pub(super) fn notification(&mut self, uuid: &str) -> Verdict {
        let number = uuid.parse().ok().filter(|number| (1..=self.sent).contains(number));
        let Some(number) = number else { return violated("invented", format!("{uuid} was never sent")) };
        if !self.delivered.insert(number) {
            return violated("duplicate", format!("{number} came twice"));
        }
        if number < self.last {
            return violated("order", format!("{number} came after {}", self.last));
        }
        let missing = number - self.last - 1;
        if let Some((owed, _)) = self.of.range(..number).next() {
            return violated("lost", format!("{owed} did not come before {number}, and no gap was emitted for it"));
        }
        if self.gaps.is_empty() {
            self.excused += missing;
        } else {
            self.covered += missing;
        }
        for certainty in self.gaps.drain(..) {
            self.false_alarms += u64::from(missing == 0);
            let [reported, found] = self.certainties.entry(certainty).or_default();
            *reported += 1;
            *found += u64::from(missing > 0);
        }
        self.of = self.of.split_off(&(number + 1));
        (self.last, self.emitted) = (number, true);
        Ok(())
    }

    /// It says after which notification it begins. A process that has emitted none yet knows only what was written down.
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

    pub(super) fn delivered(&self) -> u64 {
        self.delivered.len() as u64
    }

    /// A request was accepted.
    pub(super) fn asked(&mut self, id: RequestId, number: u64) -> Verdict {
        match self.asked.insert(id, Asked { number, left: 0 }) {
            None => Ok(()),
            Some(_) => violated("request-ends", format!("request {id} was accepted twice")),
        }
    }

    /// From now on it may run.
    pub(super) fn left(&mut self, number: u64) {
        self.asked.values_mut().filter(|asked| asked.number == number).for_each(|asked| asked.left += 1);
    }

    /// On one way it certainly did not run.
    pub(super) fn came_back(&mut self, number: u64) {
        self.asked.values_mut().filter(|asked| asked.number == number).for_each(|asked| asked.left -= 1);
    }

    pub(super) fn ended(&mut self, id: RequestId, outcome: &RequestOutcome) -> Verdict {
        let Some(asked) = self.asked.remove(&id) else {
            return violated("request-ends", format!("request {id} ended, but was not open"));
        };
        if never_left(outcome) && asked.left > 0 {
            return violated("request-honest", format!("request {id} is said never to have left, but it did"));
        }
        Ok(())
    }

    /// The process is gone, and with it what it was asked.
    pub(super) fn restarted(&mut self) {
        self.asked.clear();
        self.emitted = false;
    }

    /// All is quiet: every request must have ended.
    pub(super) fn finish(&self) -> Verdict {
        match self.asked.keys().next() {
            None => Ok(()),
            Some(id) => violated("request-ends", format!("request {id} never ended")),
        }
    }
}
