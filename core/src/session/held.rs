//! Notifications whose subscription is not the known one: held, or of somebody else (SUB-3, SUB-4, CON-7).

use std::collections::VecDeque;

use super::Session;
use crate::gap::GapCause;
use crate::notification::{ITEM, Notification};
use crate::time::UnixMillis;

/// What waits for the reply of a creating call (SUB-3).
#[derive(Clone, Debug)]
pub(super) enum Held {
    Notification(Notification),
    /// A loss at this place, not before the others, and when the frame before it came: what could not be read, or what
    /// was too large to be held at all.
    Lost(GapCause, UnixMillis),
}

impl Held {
    fn bytes(&self) -> usize {
        match self {
            Self::Notification(n) => n.held_bytes(),
            Self::Lost(..) => ITEM,
        }
    }

    const fn is_overflow(&self) -> bool {
        matches!(self, Self::Lost(GapCause::QueueOverflow, _))
    }
}

/// In the order of arrival, with the bytes they count together.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    items: VecDeque<Held>,
    bytes: usize,
}

impl Waiting {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same, counted anew.
    #[cfg(any(test, feature = "contract"))]
    pub(super) fn counted(&self) -> usize {
        self.items.iter().map(Held::bytes).sum()
    }

    /// Everything, and nothing is left.
    pub(super) fn take(&mut self) -> VecDeque<Held> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }

    /// Makes room for an item by throwing the oldest away, and takes it in if it fits. Whether anything was thrown away.
    fn push(&mut self, item: Held, most: usize, room: usize) -> bool {
        let bytes = item.bytes();
        let mut lost = false;
        while (self.items.len() >= most || self.bytes + bytes > room)
            && let Some(oldest) = self.items.pop_front()
        {
            self.bytes -= oldest.bytes();
            lost = true;
        }
        if bytes > room {
            return true;
        }
        self.bytes += bytes;
        self.items.push_back(item);
        lost
    }
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
        match (&self.state.subs.active, subscription) {
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
        let subs = &self.state.subs;
        subs.wanted.is_some() || subs.is_creating() || subs.unsure || !subs.holds_nothing()
    }

    pub(super) fn hold(&mut self, item: Held) {
        let most = self.config.limits.held_notifications.max(1);
        let room = self.config.limits.held_bytes.saturating_sub(self.state.ledger.held_bytes());
        let item = if item.bytes() > room {
            // The others need not go for it: they would not make room enough.
            Held::Lost(GapCause::QueueOverflow, self.seen_before_this_frame())
        } else {
            item
        };
        if item.is_overflow() && self.state.subs.held.items.back().is_some_and(Held::is_overflow) {
            return;
        }
        if self.state.subs.held.push(item, most, room) {
            let since = self.last_seen();
            self.state.ledger.lost(GapCause::QueueOverflow, since, &mut self.out);
        }
    }

    /// What is held back because of the server, in bytes, beside the outputs that wait (SEC-3).
    pub(super) fn held_bytes(&self) -> usize {
        self.state.subs.held.bytes() + self.state.ledger.held_bytes()
    }

    /// Outputs wait, and with what is held they are more than may be.
    #[cold]
    pub(super) fn waits_to_be_drained(&self) -> bool {
        self.out.bytes() + self.held_bytes() > self.config.limits.held_bytes
    }

    /// For the contract: what is held as it is counted, as it is, and the most it may be.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn held(&self) -> (usize, usize, usize) {
        let counted = self.state.subs.held.counted() + self.state.ledger.counted_bytes();
        (self.held_bytes(), counted, self.config.limits.held_bytes)
    }

    /// Notifications of another subscription came on a session that continued: another client that has it may have put
    /// its subscription in place of this one (CON-7). The server is asked, once for each connection.
    pub(super) fn doubt_subscription(&mut self) {
        if self.state.trial.handle
            && !self.state.trial.foreign
            && self.state.subs.active.is_some()
            && !self.state.subs.is_calling()
        {
            self.state.trial.foreign = true;
            self.state.subs.verify = true;
        }
    }
}
