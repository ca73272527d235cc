//! The snapshot that the handles see.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use ringcentral_ws_core::Snapshot;

use super::Shared;
use crate::listen::Snapshots;

/// The newest snapshot that covers nothing which the application has not seen. Its event was taken, and listeners have
/// dealt with what was before it in their queues.
#[derive(Debug)]
pub(super) struct Published {
    shown: Option<Snapshot>,
    /// The oldest and the newest one that listeners are behind. Those between are left out.
    later: VecDeque<(Snapshot, Snapshots)>,
    /// It is another one than the application knows of: listeners have caught up.
    is_due: bool,
    /// Woken when listeners have caught up with the oldest one.
    caught_up: Waker,
}

impl Published {
    pub(super) fn new(shown: Option<Snapshot>, queue: Weak<Shared>) -> Self {
        Self { shown, later: VecDeque::new(), is_due: false, caught_up: Waker::from(Arc::new(CaughtUp(queue))) }
    }

    /// The application takes the event of this one. Whether there is a newer one for it now; if not, one is due when
    /// listeners have caught up.
    pub(super) fn set(&mut self, snapshot: Snapshot, behind: Snapshots) -> bool {
        if behind.are_due() {
            // What it covers, earlier ones cover too.
            self.later.clear();
            (self.shown, self.is_due) = (Some(snapshot), false);
            return true;
        }
        self.catch_up();
        self.later.truncate(1);
        self.later.push_back((snapshot, behind));
        self.announce()
    }

    pub(super) fn get(&mut self) -> Option<Snapshot> {
        self.catch_up();
        self.shown.clone()
    }

    /// The one that is shown, for a client without listeners.
    pub(super) const fn shown(&mut self) -> &mut Option<Snapshot> {
        &mut self.shown
    }

    /// It is one of this run, and not that of an orderly end.
    pub(super) fn is_of_running(&self) -> bool {
        self.shown.as_ref().is_some_and(|snapshot| !snapshot.is_detached())
    }

    /// Whether the application is to get to know of it.
    pub(super) fn is_due(&mut self) -> bool {
        self.catch_up();
        self.is_due
    }

    /// The application gets to know of it, if that is due.
    pub(super) fn announce(&mut self) -> bool {
        self.catch_up();
        std::mem::take(&mut self.is_due)
    }

    fn catch_up(&mut self) {
        while self.later.front().is_some_and(|(_, behind)| behind.await_all(&self.caught_up)) {
            self.shown = self.later.pop_front().map(|(snapshot, _)| snapshot);
            self.is_due = true;
        }
    }
}

/// Wakes the application when listeners have caught up with a snapshot.
struct CaughtUp(Weak<Shared>);

impl Wake for CaughtUp {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.announce_snapshot();
        }
    }
}
