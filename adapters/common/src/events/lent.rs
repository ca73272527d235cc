//! What the application's end takes out of the queue together, and then gives out one by one without a lock.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::task::Waker;

use ringcentral_ws_core::{Event, Timestamp};

use super::{Queued, Shared, State};

/// Most events that are taken along.
const MOST: usize = 64;
/// They are no larger part of the queue's limits. Reading may stop so much before a limit, as all of them count until the
/// last one was given out.
const PART: usize = 16;

/// What was taken along: how much it was, and since when all of it waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lent {
    pub(super) events: usize,
    pub(super) bytes: usize,
    pub(super) since: Timestamp,
}

impl Shared {
    /// Moves notifications from the front of the queue to `taken`, which is empty. No other events: with a snapshot goes what
    /// is shown of it, and one that repeats may be replaced by a later one. None if the application acknowledges events or
    /// keeps the driver from reading, so that each one it takes counts at once.
    pub(super) fn lend(&self, state: &mut State, taken: &mut VecDeque<Queued>) {
        let most = MOST.min(self.capacity / PART);
        if most < 2 || state.ledger.is_some() || state.unstored || self.load(state).is_full {
            return;
        }
        let since = state.queue.front().map_or(Timestamp::ZERO, |queued| queued.since);
        let mut lent = Lent { since, ..Lent::default() };
        for Queued { event, snapshot, weight, since } in state.queue.iter().take(most) {
            let bytes = lent.bytes + weight;
            let is_plain = matches!(event, Event::Notification(_)) && snapshot.is_none() && *since == lent.since;
            if !is_plain || bytes > self.most_bytes / PART {
                break;
            }
            (lent.events, lent.bytes) = (lent.events + 1, bytes);
        }
        if lent.events < 2 {
            return;
        }
        let rest = state.queue.len() - lent.events;
        if rest <= lent.events {
            // The room is exchanged too. Seldom more than one comes back: the snapshot behind them.
            std::mem::swap(&mut state.queue, taken);
            (0..rest).filter_map(|_| taken.pop_back()).for_each(|queued| state.queue.push_front(queued));
        } else {
            taken.extend(state.queue.drain(..lent.events));
        }
        state.lent = lent;
        self.left.store(lent.events, Ordering::Relaxed);
    }

    /// All that was taken along was given out. The waker is to be woken once the lock is released.
    pub(super) fn settle(&self, state: &mut State) -> Option<Waker> {
        let earlier = self.load(state);
        state.bytes -= std::mem::take(&mut state.lent).bytes;
        self.note_waiting(state);
        if self.load(state).is_eased_since(earlier) { state.driver.clone() } else { None }
    }
}

#[cfg(test)]
mod tests;
