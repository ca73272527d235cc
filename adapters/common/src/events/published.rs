//! The snapshot that the handles see.

use std::collections::VecDeque;

use ringcentral_ws_core::Snapshot;

use crate::listen::Snapshots;

/// The newest snapshot that covers nothing which the application has not seen. Its event was taken, and listeners have
/// taken what was before it in their queues.
#[derive(Debug)]
pub(super) struct Published {
    shown: Option<Snapshot>,
    /// The oldest and the newest one that listeners are behind. Those between are left out.
    later: VecDeque<(Snapshot, Snapshots)>,
}

impl Published {
    pub(super) const fn new(shown: Option<Snapshot>) -> Self {
        Self { shown, later: VecDeque::new() }
    }

    pub(super) fn set(&mut self, snapshot: Snapshot, behind: Snapshots) {
        if behind.are_due() {
            // What it covers, earlier ones cover too.
            self.later.clear();
            self.shown = Some(snapshot);
            return;
        }
        self.catch_up();
        self.later.truncate(1);
        self.later.push_back((snapshot, behind));
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
    pub(super) fn is_of_running(&mut self) -> bool {
        self.catch_up();
        self.shown.as_ref().is_some_and(|snapshot| !snapshot.is_detached())
    }

    fn catch_up(&mut self) {
        while self.later.front().is_some_and(|(_, behind)| behind.are_due()) {
            self.shown = self.later.pop_front().map(|(snapshot, _)| snapshot);
        }
    }
}
