//! What waits for the reply of a creating call (SUB-3).

use std::collections::VecDeque;

use crate::gap::GapCause;
use crate::notification::{ITEM, Notification};
use crate::time::UnixMillis;

/// What waits for the reply of a creating call (SUB-3).
#[derive(Clone, Debug)]
pub(crate) enum Held {
    Notification(Notification),
    /// A loss at this place, not before the others, and when the frame before it came: what could not be read, or what
    /// was too large to be held at all.
    Lost(GapCause, UnixMillis),
}

impl Held {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Notification(n) => n.held_bytes(),
            Self::Lost(..) => ITEM,
        }
    }

    pub(crate) const fn is_overflow(&self) -> bool {
        matches!(self, Self::Lost(GapCause::QueueOverflow, _))
    }
}

/// In the order of arrival, with the bytes they count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unconfirmed {
    items: VecDeque<Held>,
    bytes: usize,
}

impl Unconfirmed {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(crate) fn last(&self) -> Option<&Held> {
        self.items.back()
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The same, counted anew.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn counted(&self) -> usize {
        self.items.iter().map(Held::bytes).sum()
    }

    /// Everything, and nothing is left.
    pub(crate) fn take(&mut self) -> VecDeque<Held> {
        self.bytes = 0;
        std::mem::take(&mut self.items)
    }

    /// Forgets everything; returns how many notifications.
    pub(crate) fn forget(&mut self) -> u64 {
        self.take().iter().filter(|item| matches!(item, Held::Notification(_))).count() as u64
    }

    /// Makes room for an item by throwing the oldest away, and takes it in if it fits. Whether anything was thrown away.
    pub(crate) fn push(&mut self, item: Held, most: usize, room: usize) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::NotificationFields;

    fn item(uuid: &'static str) -> Held {
        Held::Notification(Notification::new(
            None,
            &NotificationFields { uuid: Some(uuid.into()), ..Default::default() },
        ))
    }

    // CLAUSE SUB-3 SEC-3
    #[test]
    fn the_oldest_make_room_and_what_fits_not_even_alone_is_not_taken() {
        let (mut unconfirmed, two) = (Unconfirmed::default(), 2 * item("1").bytes());
        assert!(!unconfirmed.push(item("1"), 8, two) && !unconfirmed.push(item("2"), 8, two));
        assert!(unconfirmed.push(item("3"), 8, two), "by bytes");
        assert!(unconfirmed.push(item("4"), 2, usize::MAX), "by number");
        assert_eq!((unconfirmed.bytes(), unconfirmed.counted()), (two, two));
        assert!(unconfirmed.push(item("12345"), 8, two / 2));
        assert!(unconfirmed.is_empty() && unconfirmed.bytes() == 0);
        unconfirmed.push(item("5"), 8, two);
        unconfirmed.push(Held::Lost(GapCause::UnreadableFrame, UnixMillis(0)), 8, usize::MAX);
        assert_eq!((unconfirmed.forget(), unconfirmed.bytes()), (1, 0), "losses are no notifications");
    }
}
