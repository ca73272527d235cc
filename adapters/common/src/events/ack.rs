//! Events with their acknowledgements.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use ringcentral_ws_core::{Event, Snapshot};

use super::Shared;
use super::ledger::Range;

/// An event, and the handle that acknowledges it.
#[derive(Debug)]
#[must_use = "an event whose handle is dropped is not acknowledged"]
pub struct Delivery {
    /// The event.
    pub event: Event,
    /// Its acknowledgement.
    pub ack: Ack,
}

/// Events that were there together, in order, and the handle that acknowledges all of them.
#[derive(Debug)]
#[must_use = "events whose handle is dropped are not acknowledged"]
pub struct Batch {
    /// The events: at least one.
    pub events: Vec<Event>,
    /// Their acknowledgement.
    pub ack: Ack,
}

impl Delivery {
    /// The event has been dealt with: see [`Ack::acknowledge`].
    pub fn acknowledge(self) {
        self.ack.acknowledge();
    }
}

impl Batch {
    /// The events have been dealt with: see [`Ack::acknowledge`].
    pub fn acknowledge(self) {
        self.ack.acknowledge();
    }
}

/// Acknowledges events: what they were for is done, and what came of it is stored.
///
/// With `Builder::acknowledge`, `Client::snapshot` covers what was acknowledged, in order: an event that is acknowledged
/// before an earlier one counts when the earlier one is acknowledged too
/// ([PST-6](ringcentral_ws_core::protocol#pst-6)). Notifications and gaps are acknowledged; for other events the handle
/// does nothing, and need not be used. Without `Builder::acknowledge` it does nothing at all.
///
/// A handle that is dropped acknowledges nothing. Then the snapshot does not move beyond its events as long as the process
/// lives, reading stops at the limit (`IoLimits::unacknowledged`), and the health says so. Store no further snapshot, end,
/// and start again from the stored one: the events come again as far as the server sends them again, and otherwise a
/// [`Gap`](ringcentral_ws_core::Gap) says that they may be missing.
///
/// It may be sent to another task or thread, and may outlive the client.
#[must_use = "a handle that is dropped acknowledges nothing"]
pub struct Ack {
    shared: Arc<Shared>,
    range: Range,
    /// The snapshot came with these events.
    has_snapshot: bool,
}

impl Ack {
    pub(super) const fn new(shared: Arc<Shared>, range: Range, has_snapshot: bool) -> Self {
        Self { shared, range, has_snapshot }
    }

    /// Whether anything waits for this acknowledgement: there are notifications or gaps among the events, and the client
    /// was built with `Builder::acknowledge`.
    #[must_use]
    pub const fn is_awaited(&self) -> bool {
        self.range.len > 0
    }

    /// The events have been dealt with. When all before them are acknowledged too, the snapshot covers them, and
    /// [`Event::SnapshotChanged`] comes as soon as there is a newer one to store.
    pub fn acknowledge(self) {
        self.settle(|_| None);
    }

    /// The same for programs that store their results and the snapshot in one transaction: returns the snapshot that covers
    /// these events, and no `SnapshotChanged` comes for it. `None` if it is the one that the program has got already,
    /// because an earlier event is not acknowledged yet.
    ///
    /// Call it in the order of the events, just before the transaction ends. If that fails, try it again or end the
    /// program: later snapshots cover these events too.
    #[must_use = "it is to be stored"]
    pub fn acknowledge_and_take(self) -> Option<Snapshot> {
        let has_snapshot = self.has_snapshot;
        self.settle(|state| {
            let is_newer = state.ledger.as_mut().is_some_and(|ledger| ledger.announce());
            if is_newer || has_snapshot { state.snapshot.get() } else { None }
        })
    }

    fn settle(mut self, then: impl FnOnce(&mut super::State) -> Option<Snapshot>) -> Option<Snapshot> {
        let range = std::mem::take(&mut self.range);
        let mut state = self.shared.lock();
        let driver = self.shared.acknowledge(&mut state, range);
        let answer = then(&mut state);
        let is_due = state.ledger.as_ref().is_some_and(|ledger| ledger.is_due);
        let (receiver, sleeps) = (if is_due { state.receiver.take() } else { None }, is_due && state.sleepers > 0);
        drop(state);
        if sleeps {
            self.shared.arrived.notify_all();
        }
        receiver.into_iter().chain(driver).for_each(Waker::wake);
        answer
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if self.range.len > 0
            && let Some(ledger) = &mut self.shared.lock().ledger
        {
            ledger.abandon(self.range);
        }
    }
}

impl fmt::Debug for Ack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").field("events", &self.range.len).finish_non_exhaustive()
    }
}
