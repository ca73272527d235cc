//! What was delivered, and what may have been lost (REC-4, REC-5).

use std::collections::VecDeque;

use crate::notification::Notification;
use crate::outbox::Outbox;
use crate::output::{Event, Gap, GapCause};
use crate::time::{ClockReading, Timestamp, UnixMillis};

/// Fewest notifications remembered, whatever the server's buffer.
const MIN_WINDOW: usize = 256;

#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    clock: ClockReading,
    window: usize,
    recent: VecDeque<u128>,
    last: Option<Box<str>>,
    pending: Option<PendingGap>,
    replay: Replay,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingGap {
    pub(crate) cause: GapCause,
    pub(crate) since: UnixMillis,
}

/// After a recovery, notifications are held until it is known whether the server's buffer had overflowed.
#[derive(Clone, Debug)]
enum Replay {
    None,
    Held { buffer: usize, since: UnixMillis, held: VecDeque<Notification> },
}

impl Ledger {
    pub(crate) fn new(clock: ClockReading) -> Self {
        Self { clock, window: MIN_WINDOW, recent: VecDeque::new(), last: None, pending: None, replay: Replay::None }
    }

    pub(crate) fn restore(
        clock: ClockReading,
        recent: Vec<u128>,
        last: Option<Box<str>>,
        pending: Option<PendingGap>,
    ) -> Self {
        Self { window: recent.len().max(MIN_WINDOW), recent: recent.into(), last, pending, ..Self::new(clock) }
    }

    /// The window is at least twice the server's buffer (REC-4).
    pub(crate) fn set_buffer(&mut self, buffer: usize) {
        self.window = self.window.max(buffer.saturating_mul(2));
    }

    pub(crate) fn recent(&self) -> impl Iterator<Item = u128> + '_ {
        self.recent.iter().copied()
    }

    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub(crate) fn pending(&self) -> Option<&PendingGap> {
        self.pending.as_ref()
    }

    /// Notes a loss that is reported when delivery is continuous again, or at the end. The first cause stands.
    pub(crate) fn lost(&mut self, cause: GapCause, since: Timestamp, out: &mut Outbox) {
        if self.pending.is_none() {
            self.pending = Some(PendingGap { cause, since: self.clock.unix_at(since) });
            out.snapshot_changed();
        }
    }

    /// Reports a noted loss.
    pub(crate) fn flush_gap(&mut self, now: Timestamp, out: &mut Outbox) {
        if let Some(p) = self.pending.take() {
            let gap = Gap { cause: p.cause, after: self.last.clone(), since: p.since, until: self.clock.unix_at(now) };
            out.tell(Event::Gap(gap));
            out.snapshot_changed();
        }
    }

    /// A recovery succeeded; what follows is replay until `replay_ended`.
    pub(crate) fn replay_started(&mut self, buffer: usize, since: Timestamp) {
        self.replay = Replay::Held { buffer, since: self.clock.unix_at(since), held: VecDeque::new() };
    }

    /// All of the replay has come, and less than the buffer holds: nothing fell out.
    pub(crate) fn replay_ended(&mut self, now: Timestamp, out: &mut Outbox) {
        if let Replay::Held { held, .. } = std::mem::replace(&mut self.replay, Replay::None) {
            self.flush_gap(now, out);
            held.into_iter().for_each(|n| self.hand_over(n, out));
        }
    }

    /// The replay cannot end any more. With nothing held nothing was lost: the next recovery replays it all.
    pub(crate) fn replay_interrupted(&mut self, now: Timestamp, out: &mut Outbox) {
        self.replay_given_up(GapCause::ReplayInterrupted, now, out);
    }

    fn replay_given_up(&mut self, cause: GapCause, now: Timestamp, out: &mut Outbox) {
        if let Replay::Held { held, since, .. } = &self.replay
            && !held.is_empty()
            && self.pending.is_none()
        {
            self.pending = Some(PendingGap { cause, since: *since });
        }
        self.replay_ended(now, out);
    }

    pub(crate) fn is_replaying(&self) -> bool {
        matches!(self.replay, Replay::Held { .. })
    }

    /// Takes a notification in. Returns `false` for a duplicate.
    pub(crate) fn take(&mut self, n: Notification, now: Timestamp, out: &mut Outbox) -> bool {
        let key = n.dedupe_key();
        let duplicate = self.recent.contains(&key);
        if !duplicate {
            self.remember(key);
        }
        match &mut self.replay {
            Replay::None if duplicate => {}
            Replay::None => self.hand_over(n, out),
            Replay::Held { held, buffer, .. } => {
                // A duplicate fills a place of the server's buffer too.
                *buffer = buffer.saturating_sub(1);
                let full = *buffer == 0;
                if !duplicate {
                    held.push_back(n);
                }
                if full {
                    self.replay_overflowed(now, out);
                }
            }
        }
        !duplicate
    }

    fn replay_overflowed(&mut self, now: Timestamp, out: &mut Outbox) {
        self.replay_given_up(GapCause::ReplayOverflow, now, out);
    }

    fn remember(&mut self, key: u128) {
        while self.recent.len() >= self.window {
            self.recent.pop_front();
        }
        self.recent.push_back(key);
    }

    /// The cursor moves before the event is emitted.
    fn hand_over(&mut self, n: Notification, out: &mut Outbox) {
        match &mut self.last {
            Some(last) if last.len() == n.uuid().len() => {
                // Same length, the rule for the service's decimal ids: no allocation per notification.
                let mut s = std::mem::take(last).into_string();
                s.clear();
                s.push_str(n.uuid());
                *last = s.into_boxed_str();
            }
            last => *last = Some(n.uuid().into()),
        }
        out.snapshot_changed();
        out.tell(Event::Notification(n));
    }
}
