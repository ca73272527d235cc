//! What was delivered, and what may have been lost (REC-4, REC-5).

pub(crate) mod inbound;
pub(crate) mod unconfirmed;

use std::collections::VecDeque;

use crate::gap::{Gap, GapCause};
use crate::json::beginning;
use crate::keys::Keys;
use crate::notification::Notification;
use crate::outbox::Outbox;
use crate::output::Event;
use crate::snapshot::MAX_LAST;
use crate::time::{ClockReading, Timestamp, UnixMillis};

/// Fewest notifications remembered, whatever the server's buffer.
pub(crate) const MIN_WINDOW: usize = 256;

#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Delivery {
    clock: ClockReading,
    window: usize,
    /// Keys of the last ones.
    recent: Keys,
    last: Option<String>,
    #[cfg_attr(feature = "recorder", serde(with = "stored_gap"))]
    pending: Option<PendingGap>,
    /// Losses in the middle of what a replay holds back, each with the number of notifications before it.
    #[cfg_attr(feature = "recorder", serde(skip))]
    later: Vec<(usize, PendingGap)>,
    #[cfg_attr(feature = "recorder", serde(skip))]
    replay: Replay,
    /// From here on nothing is proven complete: the end of a replay, or of the making of a subscription, was not seen.
    unverified_since: Option<UnixMillis>,
    gaps: u64,
}

/// A gap in a larger whole.
#[cfg(feature = "recorder")]
mod stored_gap {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::PendingGap;
    use crate::snapshot::StoredGap;

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(crate) fn serialize<S: Serializer>(gap: &Option<PendingGap>, serializer: S) -> Result<S::Ok, S::Error> {
        gap.as_ref().map(|gap| StoredGap::new(&gap.cause, gap.since)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PendingGap>, D::Error> {
        let stored = Option::<StoredGap>::deserialize(deserializer)?;
        Ok(stored.and_then(|gap| Some(PendingGap { cause: gap.cause()?, since: gap.since })))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingGap {
    pub(crate) cause: GapCause,
    pub(crate) since: UnixMillis,
}

/// After a recovery, notifications are held until it is known whether the server's buffer had overflowed.
#[derive(Clone, Debug, Default)]
enum Replay {
    #[default]
    None,
    Held {
        left: usize,
        since: UnixMillis,
        held: VecDeque<Notification>,
        /// What they count together.
        bytes: usize,
        /// The most they may.
        room: usize,
    },
}

impl Delivery {
    pub(crate) fn new(clock: ClockReading) -> Self {
        Self {
            clock,
            window: MIN_WINDOW,
            recent: Keys::default(),
            last: None,
            pending: None,
            later: Vec::new(),
            replay: Replay::None,
            unverified_since: None,
            gaps: 0,
        }
    }

    pub(crate) fn restore(
        clock: ClockReading,
        recent: Keys,
        last: Option<Box<str>>,
        pending: Option<PendingGap>,
    ) -> Self {
        Self { window: recent.len().max(MIN_WINDOW), recent, last: last.map(String::from), pending, ..Self::new(clock) }
    }

    /// The window is at least twice the server's buffer (REC-4).
    pub(crate) fn set_buffer(&mut self, buffer: usize) {
        self.window = self.window.max(buffer.saturating_mul(2));
    }

    /// Keys of what was handed over: what is held back is not among them (PST-4).
    pub(crate) fn recent(&self) -> Keys {
        let held = match &self.replay {
            Replay::None => 0,
            Replay::Held { held, .. } => held.iter().filter(|n| !n.uuid().is_empty()).count(),
        };
        self.recent.oldest(self.recent.len().saturating_sub(held))
    }

    /// What is held back, in bytes.
    pub(crate) const fn held_bytes(&self) -> usize {
        match &self.replay {
            Replay::None => 0,
            Replay::Held { bytes, .. } => *bytes,
        }
    }

    /// The same, counted anew.
    #[cfg(any(test, feature = "contract"))]
    pub(crate) fn counted_bytes(&self) -> usize {
        match &self.replay {
            Replay::None => 0,
            Replay::Held { held, .. } => held.iter().map(Notification::held_bytes).sum(),
        }
    }

    /// Whether nothing is held back.
    #[cfg(feature = "recorder")]
    pub(crate) fn holds_nothing(&self) -> bool {
        matches!(self.replay, Replay::None) && self.later.is_empty()
    }

    /// Leaves no text of the server but words and ids.
    #[cfg(feature = "recorder")]
    pub(crate) fn mask(&mut self) {
        if let Some(PendingGap { cause: GapCause::RecoveryFailed(Some(code)), .. }) = &mut self.pending {
            *code = crate::mask::mask_code(code);
        }
    }

    /// Forgets all but the newest keys.
    #[cfg(feature = "recorder")]
    pub(crate) fn keep_newest(&mut self, keys: usize) {
        self.recent.keep_newest(keys);
    }

    pub(crate) const fn gaps(&self) -> u64 {
        self.gaps
    }

    pub(crate) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub(crate) fn pending(&self) -> Option<&PendingGap> {
        self.pending.as_ref().or(self.later.first().map(|(_, gap)| gap))
    }

    /// Notes a loss that is reported when delivery is continuous again, or at the end. The surest cause stands, of those
    /// the first.
    pub(crate) fn lost(&mut self, cause: GapCause, since: UnixMillis, out: &mut Outbox) {
        let gap = PendingGap {
            cause,
            since: self.unverified_since.map_or(since, |unverified_since| unverified_since.min(since)),
        };
        match &self.replay {
            Replay::Held { held, .. } if !held.is_empty() => {
                if self.later.last().is_some_and(|(at, _)| *at == held.len()) {
                    return;
                }
                self.later.push((held.len(), gap));
            }
            _ if !note(&mut self.pending, gap) => return,
            _ => {}
        }
        out.snapshot_changed();
    }

    pub(crate) const fn unverified_since(&self) -> Option<UnixMillis> {
        self.unverified_since
    }

    /// What comes after `since` is not proven complete before `proven`: a loss noted meanwhile begins there.
    pub(crate) fn mark_unverified(&mut self, since: UnixMillis) {
        self.unverified_since.get_or_insert(since);
    }

    /// Delivery is continuous, unless a replay is held.
    pub(crate) fn mark_verified(&mut self, now: Timestamp, out: &mut Outbox) {
        if !self.is_replaying() {
            self.flush_gap(now, out);
            self.unverified_since = None;
        }
    }

    /// Reports a noted loss.
    pub(crate) fn flush_gap(&mut self, now: Timestamp, out: &mut Outbox) {
        if let Some(p) = self.pending.take() {
            // The wall clock may have been put back since another process noted it.
            let until = self.clock.unix_at(now).max(p.since);
            let gap = Gap {
                certainty: p.cause.certainty(),
                cause: p.cause,
                after: self.last.as_deref().map(Box::from),
                since: p.since,
                until,
            };
            self.gaps += 1;
            out.emit(Event::Gap(gap));
            out.snapshot_changed();
        }
    }

    /// A recovery succeeded; what follows is replay until `replay_ended`. At most `room` bytes of it are held.
    pub(crate) fn replay_started(&mut self, buffer: usize, room: usize, since: UnixMillis) {
        let since = *self.unverified_since.get_or_insert(since);
        if buffer == 0 {
            // A buffer of nothing is always full.
            note(&mut self.pending, PendingGap { cause: GapCause::ReplayOverflow, since });
        }
        self.replay = Replay::Held { left: buffer, since, held: VecDeque::new(), bytes: 0, room };
    }

    /// All of the replay has come, and less than the buffer holds: nothing fell out.
    pub(crate) fn replay_ended(&mut self, now: Timestamp, out: &mut Outbox) {
        if let Replay::Held { held, .. } = std::mem::replace(&mut self.replay, Replay::None) {
            self.flush_gap(now, out);
            let mut later = std::mem::take(&mut self.later).into_iter().peekable();
            for (i, n) in held.into_iter().enumerate() {
                if let Some((_, gap)) = later.next_if(|(at, _)| *at == i) {
                    self.pending = Some(gap);
                    self.flush_gap(now, out);
                }
                self.emit(n, out);
            }
            self.pending = later.next().map(|(_, gap)| gap);
        }
    }

    /// The end of the replay will not be known, so neither will its size. With nothing held nothing was lost: the next
    /// recovery replays it all.
    pub(crate) fn replay_interrupted(&mut self, now: Timestamp, out: &mut Outbox) {
        if self.is_replay_awaited() {
            self.replay_ended(now, out);
        } else {
            self.replay_given_up(GapCause::ReplayInterrupted, now, out);
        }
    }

    fn replay_given_up(&mut self, cause: GapCause, now: Timestamp, out: &mut Outbox) {
        if let Replay::Held { since, .. } = self.replay {
            note(&mut self.pending, PendingGap { cause, since });
        }
        self.replay_ended(now, out);
    }

    /// Nothing of a replay has come yet.
    pub(crate) fn is_replay_awaited(&self) -> bool {
        matches!(&self.replay, Replay::Held { held, .. } if held.is_empty())
    }

    pub(crate) fn is_replaying(&self) -> bool {
        matches!(self.replay, Replay::Held { .. })
    }

    /// Takes a notification in. Returns `false` for a duplicate.
    pub(crate) fn take(&mut self, n: Notification, now: Timestamp, out: &mut Outbox) -> bool {
        let key = n.dedupe_key();
        // Without any id nothing can be said to be the same.
        let named = !n.uuid().is_empty();
        let duplicate = named && self.recent.contains(key);
        if named && !duplicate {
            self.recent.remember(key, self.window);
        }
        match &mut self.replay {
            Replay::None if duplicate => {}
            Replay::None => {
                // A loss noted while the connection closes waits for nothing else.
                self.flush_gap(now, out);
                self.emit(n, out);
            }
            Replay::Held { held, left, bytes, room, .. } => {
                // A duplicate fills a place of the server's buffer too, but duplicates alone lack nothing: the doubt
                // comes up with the first new one.
                *left = left.saturating_sub(1);
                let full = *left == 0;
                if !duplicate {
                    let size = n.held_bytes();
                    if *bytes + size > *room {
                        self.replay_too_large(n, full, now, out);
                        return true;
                    }
                    *bytes += size;
                    held.push_back(n);
                }
                if full && !held.is_empty() {
                    self.replay_overflowed(now, out);
                }
            }
        }
        !duplicate
    }

    /// Something that cannot be read, or is not for the application, came where a replay was expected: it had a place
    /// in the server's buffer.
    pub(crate) fn count_replay_slot(&mut self, now: Timestamp, out: &mut Outbox) {
        if let Replay::Held { left, .. } = &mut self.replay {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.replay_overflowed(now, out);
            }
        }
    }

    fn replay_overflowed(&mut self, now: Timestamp, out: &mut Outbox) {
        self.replay_given_up(GapCause::ReplayOverflow, now, out);
    }

    /// No more can be held (SEC-3): the end of the replay is not waited for, so its size will not be known.
    fn replay_too_large(&mut self, n: Notification, full: bool, now: Timestamp, out: &mut Outbox) {
        let cause = if full { GapCause::ReplayOverflow } else { GapCause::ReplayInterrupted };
        self.replay_given_up(cause, now, out);
        // A loss right before this one.
        self.flush_gap(now, out);
        self.emit(n, out);
    }

    /// The cursor moves before the event is emitted.
    fn emit(&mut self, n: Notification, out: &mut Outbox) {
        let uuid = beginning(n.uuid(), MAX_LAST);
        if !uuid.is_empty() {
            let last = self.last.get_or_insert_default();
            last.clear();
            last.push_str(uuid);
        }
        out.snapshot_changed();
        out.emit(Event::Notification(n));
    }
}

/// The surest cause stands, of those the first, and the earliest beginning. Whether anything changes.
fn note(pending: &mut Option<PendingGap>, gap: PendingGap) -> bool {
    let Some(noted) = pending else {
        *pending = Some(gap);
        return true;
    };
    let (earlier, surer) = (gap.since < noted.since, gap.cause.certainty() > noted.cause.certainty());
    noted.since = noted.since.min(gap.since);
    if surer {
        noted.cause = gap.cause;
    }
    earlier || surer
}

#[cfg(test)]
mod tests;
