//! One FIFO of outputs with one way in.

use std::collections::VecDeque;

use crate::ids::ConnId;
use crate::output::{Action, Event, Output};

#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Output>,
    snapshot_changed: bool,
}

impl Outbox {
    pub(crate) fn act(&mut self, action: Action) {
        self.queue.push_back(Output::Action(action));
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.queue.push_back(Output::Event(event));
    }

    /// `SnapshotChanged` is due at the end of this drain, once.
    pub(crate) fn snapshot_changed(&mut self) {
        self.snapshot_changed = true;
    }

    pub(crate) fn pop(&mut self) -> Option<Output> {
        let next = self.queue.pop_front();
        if next.is_none() && self.snapshot_changed {
            self.snapshot_changed = false;
            return Some(Output::Event(Event::SnapshotChanged));
        }
        next
    }

    /// The change is told now, because nothing may follow the next event.
    pub(crate) fn tell_snapshot_change(&mut self) {
        if std::mem::take(&mut self.snapshot_changed) {
            self.tell(Event::SnapshotChanged);
        }
    }

    /// What has not left yet never will: the connection is gone (C5).
    pub(crate) fn forget(&mut self, conn: ConnId) {
        self.queue.retain(|output| match output {
            Output::Action(
                Action::Send { conn: of, .. } | Action::Resubscribe { conn: of, .. } | Action::Close { conn: of, .. },
            ) => *of != conn,
            Output::Action(_) | Output::Event(_) | Output::Wait(_) => true,
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn is_drained(&self) -> bool {
        self.queue.is_empty() && !self.snapshot_changed
    }
}
