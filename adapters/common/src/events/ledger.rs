//! What the application has taken and not acknowledged, and the snapshots that cover it.

use std::collections::VecDeque;

use ringcentral_ws_api::BackfillState;
use ringcentral_ws_core::{Event, Snapshot};

/// Snapshots that are kept for what is not acknowledged. With more, every second one goes: then an older one is shown for
/// a while, with the ids of what was acknowledged since.
const MAX_SNAPSHOTS: usize = 32;

/// Whether the snapshot that covers this event waits for its acknowledgement. Of all others nothing is lost with a
/// process: the next one sees its own.
pub(super) const fn is_acknowledged(event: &Event) -> bool {
    matches!(event, Event::Notification(_) | Event::Gap(_) | Event::Backfill(_))
}

/// Consecutive numbers of what was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u64,
    pub(super) len: usize,
}

impl Range {
    pub(super) fn push(&mut self, number: u64) {
        if self.len == 0 {
            self.first = number;
        }
        self.len += 1;
    }
}

#[derive(Debug)]
pub(super) struct Ledger {
    /// What was taken, in order, from the first that is not acknowledged.
    open: VecDeque<Open>,
    /// The number of the first.
    first: u64,
    /// Snapshots of what is not acknowledged as a whole, in order.
    later: VecDeque<Later>,
    /// The weight of all that is open.
    bytes: usize,
    /// How many of them never will be acknowledged.
    dropped: usize,
    /// So many may be open.
    most: usize,
    /// Gaps are filled: what was acknowledged must not be fetched again.
    fills: bool,
    /// Something else than notifications was taken since the last snapshot.
    is_turn: bool,
    /// The snapshot is another one than the application knows of: a newer one was reached.
    pub(super) is_due: bool,
    /// The same, or only what was acknowledged was added to it.
    is_newer: bool,
}

#[derive(Debug)]
struct Later {
    /// The number of the first event that it does not cover.
    covers: u64,
    snapshot: Snapshot,
    /// It is the first behind a change of the session or a gap. What comes next does not belong with one before it.
    is_turn: bool,
}

#[derive(Debug)]
struct Open {
    state: State,
    /// That of a notification.
    uuid: Option<Box<str>>,
    /// What is added to the filler's state for it.
    line: Option<String>,
    weight: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Acknowledged,
    Dropped,
}

impl Ledger {
    pub(super) fn new(most: usize) -> Self {
        Self {
            open: VecDeque::new(),
            first: 0,
            later: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            most: most.max(1),
            fills: false,
            is_turn: false,
            is_due: false,
            is_newer: false,
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Whether no more may be open.
    pub(super) fn is_full(&self) -> bool {
        self.open.len() >= self.most
    }

    /// The application takes this event. Its number, if it is to be acknowledged.
    pub(super) fn take(&mut self, event: &Event, weight: usize) -> Option<u64> {
        self.is_turn |= !matches!(event, Event::Notification(_) | Event::SnapshotChanged);
        if !is_acknowledged(event) {
            return None;
        }
        let (mut uuid, mut line) = (None, None);
        if let Event::Notification(n) = event {
            uuid = Some(n.uuid().into());
            line = if self.fills { BackfillState::delivered(n) } else { None };
        }
        self.open.push_back(Open { state: State::Open, uuid, line, weight });
        self.bytes += weight;
        Some(self.end() - 1)
    }

    fn end(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    /// This snapshot covers all that was taken. Whether it is shown now.
    pub(super) fn cover(&mut self, snapshot: Snapshot, shown: &mut Option<Snapshot>) -> bool {
        self.fills = snapshot.extra().is_some();
        let mut is_turn = std::mem::take(&mut self.is_turn);
        if self.open.is_empty() {
            *shown = Some(snapshot);
            return true;
        }
        if let Some(shown) = shown
            && shown.adopt_budgets(&snapshot)
        {
            self.is_due = true;
        }
        let end = self.end();
        // Of two at one place the newer one counts.
        if let Some(earlier) =
            self.later.back().is_some_and(|later| later.covers == end).then(|| self.later.pop_back()).flatten()
        {
            is_turn |= earlier.is_turn;
        }
        self.later.push_back(Later { covers: end, snapshot, is_turn });
        if self.later.len() > MAX_SNAPSHOTS {
            self.thin(|later| later.is_turn);
        }
        if self.later.len() > MAX_SNAPSHOTS {
            self.thin(|_| false);
        }
        false
    }

    /// Every second one goes, but the last one and those that are kept.
    fn thin(&mut self, is_kept: impl Fn(&Later) -> bool) {
        let (mut place, mut left, last) = (0, 0, self.later.len());
        self.later.retain(|later| {
            place += 1;
            left += usize::from(!is_kept(later));
            place == last || is_kept(later) || left % 2 == 0
        });
    }

    /// These are acknowledged. The snapshot that is shown moves on as far as all before is.
    pub(super) fn acknowledge(&mut self, range: Range, shown: &mut Option<Snapshot>) {
        self.mark(range, State::Acknowledged);
        let done = self.open.iter().take_while(|open| open.state == State::Acknowledged).count();
        if done == 0 {
            return;
        }
        let mut covered = self.first;
        let end = self.first + done as u64;
        while self.later.front().is_some_and(|later| later.covers <= end)
            && let Some(Later { covers, snapshot, .. }) = self.later.pop_front()
        {
            covered = covers;
            *shown = Some(snapshot);
            self.is_due = true;
        }
        for open in self.open.drain(..done) {
            self.bytes -= open.weight;
            if self.first >= covered
                && let (Some(shown), Some(uuid)) = (shown.as_mut(), open.uuid)
            {
                shown.mark_delivered(&uuid);
                open.line.into_iter().for_each(|line| shown.add_to_extra(&line));
            }
            self.first += 1;
        }
        self.is_newer = true;
    }

    /// These never will be acknowledged.
    pub(super) fn abandon(&mut self, range: Range) {
        self.mark(range, State::Dropped);
    }

    fn mark(&mut self, range: Range, state: State) {
        // Each number has one handle, so none of them was acknowledged before.
        let Ok(from) = usize::try_from(range.first.saturating_sub(self.first)) else { return };
        for open in self.open.iter_mut().skip(from).take(range.len) {
            open.state = state;
            self.dropped += usize::from(state == State::Dropped);
        }
    }

    /// The application gets to know of the snapshot. Whether it is another one than before.
    pub(super) fn announce(&mut self) -> bool {
        std::mem::take(&mut self.is_due) | std::mem::take(&mut self.is_newer)
    }
}

#[cfg(test)]
mod tests;
