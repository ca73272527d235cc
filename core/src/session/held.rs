//! Notifications whose subscription is not the known one: held, or of somebody else (SUB-3, SUB-4, CON-7).

use super::Session;
use crate::gap::GapCause;
use crate::notification::Notification;
use crate::time::{Timestamp, UnixMillis};

/// What waits for the reply of a creating call (SUB-3).
#[derive(Clone, Debug)]
pub(super) enum Held {
    Notification(Notification),
    /// What could not be read, and when the frame before it came: a loss at this place, not before the others.
    Unreadable(UnixMillis),
}

/// Where a notification goes.
pub(super) enum Place {
    Deliver,
    Hold,
    Foreign,
}

impl Session {
    /// SUB-3, SUB-4.
    pub(super) fn place(&self, subscription: Option<&str>) -> Place {
        match (&self.subs.active, subscription) {
            (Some(active), Some(id)) if *active.server_id == *id => Place::Deliver,
            (Some(_), None) => Place::Deliver,
            (Some(_), Some(_)) => Place::Foreign,
            // Also before the first try and between two: the server may say that it had one for this session.
            (None, _) if self.may_be_answered() => Place::Hold,
            (None, _) => Place::Foreign,
        }
    }

    /// A call, made or to be made, may tell of a subscription that is not known yet.
    fn may_be_answered(&self) -> bool {
        let subs = &self.subs;
        subs.wanted.is_some() || subs.is_creating() || subs.unsure || !subs.holds_nothing()
    }

    pub(super) fn hold(&mut self, item: Held) {
        if self.subs.held.len() >= self.config.limits.held_notifications.max(1) {
            self.subs.held.pop_front();
            let since = self.last_seen();
            self.ledger.lost(GapCause::QueueOverflow, since, &mut self.out);
        }
        self.subs.held.push_back(item);
    }

    /// Notifications of another subscription came on a session that continued: another client that has it may have put
    /// its subscription in place of this one (CON-7). The server is asked, once for each connection.
    pub(super) fn doubt_subscription(&mut self, now: Timestamp) {
        if self.trial.handle && !self.trial.foreign && self.subs.active.is_some() && !self.subs.is_calling() {
            self.trial.foreign = true;
            self.subs.verify = true;
            self.step(now);
        }
    }
}
