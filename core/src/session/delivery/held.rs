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
pub(crate) struct Waiting {
    pub(crate) items: VecDeque<Held>,
    bytes: usize,
}

impl Waiting {
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
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
