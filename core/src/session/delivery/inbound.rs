//! Where a notification goes: to the application, back until its subscription is known, or nowhere (SUB-3, SUB-4, CON-7).

use crate::gap::GapCause;
use crate::notification::Notification;
use crate::session::Session;
use crate::session::connection::Service;
use crate::session::delivery::unconfirmed::Held;
use crate::time::Timestamp;
use crate::timers::TimerKind;

/// Where a notification goes.
pub(crate) enum Place {
    Deliver,
    Hold,
    Foreign,
}

impl Session {
    /// SUB-3, SUB-4.
    pub(crate) fn place(&self, subscription: Option<&str>) -> Place {
        match (self.state.subscription.active(), subscription) {
            (Some(active), Some(id)) if *active.server_id == *id => Place::Deliver,
            (Some(_), None) => Place::Deliver,
            (Some(_), Some(_)) => Place::Foreign,
            // Also before the first try and between two: the server may say that it had one for this session.
            (None, _) if self.may_be_answered() => Place::Hold,
            (None, _) => Place::Foreign,
        }
    }

    /// The answer to a call, made or to be made, may name a subscription that is not known yet.
    fn may_be_answered(&self) -> bool {
        let subscription = &self.state.subscription;
        subscription.desired().is_some()
            || subscription.is_creating()
            || subscription.is_unsure()
            || !self.state.unconfirmed.is_empty()
    }

    pub(crate) fn hold(&mut self, item: Held) {
        let most = self.config.limits.held_notifications.max(1);
        let room = self.config.limits.held_bytes.saturating_sub(self.state.delivery.held_bytes());
        let item = if item.bytes() > room {
            // The others need not go for it: they would not make room enough.
            Held::Lost(GapCause::QueueOverflow, self.seen_before_this_frame())
        } else {
            item
        };
        if item.is_overflow() && self.state.unconfirmed.last().is_some_and(Held::is_overflow) {
            return;
        }
        if self.state.unconfirmed.push(item, most, room) {
            let since = self.last_seen();
            self.state.delivery.lost(GapCause::QueueOverflow, since, &mut self.out);
        }
    }

    /// What is held back because of the server, in bytes, beside the outputs that wait (SEC-3).
    pub(crate) fn held_bytes(&self) -> usize {
        self.state.unconfirmed.bytes() + self.state.delivery.held_bytes()
    }

    /// Outputs wait, and with what is held they are more than may be.
    #[cold]
    pub(crate) fn waits_to_be_drained(&self) -> bool {
        self.out.bytes() + self.held_bytes() > self.config.limits.held_bytes
    }

    /// For the contract: what is held as it is counted, as it is, and the most it may be.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn held(&self) -> (usize, usize, usize) {
        let counted = self.state.unconfirmed.counted() + self.state.delivery.counted_bytes();
        (self.held_bytes(), counted, self.config.limits.held_bytes)
    }

    /// Notifications of another subscription came on a session that continued: another client that has it may have put
    /// its subscription in place of this one (CON-7). The server is asked, once for each connection.
    pub(crate) fn suspect_subscription(&mut self) {
        if self.state.record.recovering
            && !self.state.record.foreign
            && self.state.subscription.active().is_some()
            && !self.state.subscription.is_calling()
        {
            self.state.record.foreign = true;
            self.state.subscription.mark_unverified();
        }
    }

    pub(crate) fn deliver(&mut self, notification: Notification, now: Timestamp) {
        if self.state.delivery.take(notification, now, &mut self.out) {
            self.stats.notifications += 1;
            self.state.record.service = Service::Delivered;
            if let Some(active) = self.state.subscription.active_mut() {
                active.confirmed = self.state.clock.unix_at(now);
            }
        } else {
            self.stats.duplicates += 1;
        }
        if !self.state.delivery.is_replaying() {
            self.state.timers.stop(TimerKind::Replay);
            self.flush_gap(now);
        }
    }

    /// The end of a replay has not been marked in time. As long as nothing of it came, it may still come whole.
    pub(crate) fn replay_due(&mut self, now: Timestamp) {
        if self.state.delivery.is_replay_awaited() {
            return self.arm(TimerKind::Replay, now.after(self.config.heartbeat_timeout));
        }
        self.state.delivery.replay_interrupted(now, &mut self.out);
        if self.state.subscription.active().is_some() {
            self.flush_gap(now);
        }
    }

    pub(crate) fn flush_gap(&mut self, now: Timestamp) {
        self.state.delivery.flush_gap(now, &mut self.out);
    }
}
