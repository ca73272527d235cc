//! One table of timers. Deadlines are looked up, never queued.

use crate::time::Timestamp;

/// The timers of a Session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum TimerKind {
    /// The next attempt to connect begins ([BCK-1](crate::protocol#bck-1)).
    Retry,
    /// The call for a connection token takes too long ([TOK-6](crate::protocol#tok-6)).
    TokenCall,
    /// The credential source takes too long.
    Authorize,
    /// The connection does not get ready in time ([CON-2](crate::protocol#con-2)).
    Handshake,
    /// A heartbeat is sent after a silence ([HB-1](crate::protocol#hb-1)).
    Heartbeat,
    /// Nothing arrived after a heartbeat ([HB-2](crate::protocol#hb-2)).
    Liveness,
    /// The end of a replay has not been marked ([REC-5](crate::protocol#rec-5)).
    Replay,
    /// The connection is replaced before its allowed age ends ([HB-6](crate::protocol#hb-6)).
    Renewal,
    /// A close handshake takes too long ([CLS-1](crate::protocol#cls-1)).
    Close,
    /// A refused subscription is tried again ([SUB-5](crate::protocol#sub-5)).
    Subscribe,
    /// The access token has used 80 % of its life, and a new one is asked for.
    Refresh,
    /// The deadline of a REST request ([REQ-4](crate::protocol#req-4)).
    Request,
}

impl TimerKind {
    /// Whether a message that was not read yet may be what this deadline is about (HB-3).
    pub(crate) const fn waits_for_messages(self) -> bool {
        matches!(self, Self::Liveness | Self::Subscribe | Self::Close | Self::Replay | Self::Handshake)
    }
}

/// All timers, in the order of their declaration.
const ALL: &[TimerKind] = &[
    TimerKind::Retry,
    TimerKind::TokenCall,
    TimerKind::Authorize,
    TimerKind::Handshake,
    TimerKind::Heartbeat,
    TimerKind::Liveness,
    TimerKind::Replay,
    TimerKind::Renewal,
    TimerKind::Close,
    TimerKind::Subscribe,
    TimerKind::Refresh,
    TimerKind::Request,
];

const COUNT: usize = ALL.len();

/// The end of time: a timer that runs until then never fires, so it does not run.
const NEVER: Timestamp = Timestamp::from_micros(u64::MAX);

#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(from = "Vec<(TimerKind, Timestamp)>", into = "Vec<(TimerKind, Timestamp)>"))]
pub(crate) struct Timers {
    at: [Timestamp; COUNT],
    /// One bit for each that runs.
    running: u16,
    /// The earliest, and of those at the same time the first in the table: it is asked for with every call.
    first: (Timestamp, TimerKind),
}

/// No timer runs.
const NONE: (Timestamp, TimerKind) = (NEVER, TimerKind::Retry);

impl Default for Timers {
    fn default() -> Self {
        Self { at: [NEVER; COUNT], running: 0, first: NONE }
    }
}

/// Those that run, by name.
#[cfg(feature = "recorder")]
impl From<Timers> for Vec<(TimerKind, Timestamp)> {
    fn from(timers: Timers) -> Self {
        ALL.iter().filter_map(|kind| Some((*kind, timers.get(*kind)?))).collect()
    }
}

#[cfg(feature = "recorder")]
impl From<Vec<(TimerKind, Timestamp)>> for Timers {
    fn from(running: Vec<(TimerKind, Timestamp)>) -> Self {
        let mut timers = Self::default();
        running.into_iter().for_each(|(kind, at)| timers.set(kind, at));
        timers
    }
}

impl Timers {
    #[inline]
    pub(crate) fn set(&mut self, kind: TimerKind, at: Timestamp) {
        if at == NEVER {
            return self.stop(kind);
        }
        let place = kind as usize;
        self.at[place] = at;
        self.running |= 1 << place;
        let (first, of) = self.first;
        if at < first || (at == first && kind < of) {
            self.first = (at, kind);
        } else if kind == of {
            self.look();
        }
    }

    #[inline]
    pub(crate) fn stop(&mut self, kind: TimerKind) {
        if self.is_running(kind) {
            self.stop_running(kind);
        }
    }

    /// Whether it runs.
    #[inline]
    pub(crate) const fn is_running(&self, kind: TimerKind) -> bool {
        self.running & 1 << kind as usize != 0
    }

    fn stop_running(&mut self, kind: TimerKind) {
        let place = kind as usize;
        self.at[place] = NEVER;
        self.running &= !(1 << place);
        if kind == self.first.1 {
            self.look();
        }
    }

    pub(crate) fn get(&self, kind: TimerKind) -> Option<Timestamp> {
        Some(self.at[kind as usize]).filter(|at| *at < NEVER)
    }

    pub(crate) fn next(&self) -> Option<(Timestamp, TimerKind)> {
        Some(self.first).filter(|(at, _)| *at < NEVER)
    }

    /// Whether one may be due.
    #[inline]
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        self.first.0 <= now
    }

    /// Whether a timer is due that an unread message may be about.
    pub(crate) fn is_due_for_messages(&self, now: Timestamp) -> bool {
        ALL.iter().any(|kind| kind.waits_for_messages() && self.get(*kind).is_some_and(|at| at <= now))
    }

    /// Disarms and returns the earliest timer that is due.
    pub(crate) fn pop_due(&mut self, now: Timestamp) -> Option<TimerKind> {
        let (at, kind) = self.first;
        (at <= now && at < NEVER).then(|| {
            self.stop_running(kind);
            kind
        })
    }

    fn look(&mut self) {
        let (mut first, mut place, mut left) = (NEVER, 0, self.running);
        while left != 0 {
            let next = left.trailing_zeros() as usize;
            if let Some(at) = self.at.get(next)
                && *at < first
            {
                (first, place) = (*at, next);
            }
            left &= left - 1;
        }
        self.first = ALL.get(place).map_or(NONE, |kind| (first, *kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earliest_first_and_disarmed_before_it_acts() {
        let mut t = Timers::default();
        for (i, k) in ALL.iter().enumerate() {
            assert_eq!(*k as usize, i);
        }
        t.set(TimerKind::Retry, Timestamp::from_secs(5));
        t.set(TimerKind::Close, Timestamp::from_secs(3));
        assert_eq!(t.pop_due(Timestamp::from_micros(2_999_999)), None);
        assert_eq!(t.pop_due(Timestamp::from_secs(9)), Some(TimerKind::Close));
        assert_eq!(t.next(), Some((Timestamp::from_secs(5), TimerKind::Retry)));
        assert_eq!(t.pop_due(Timestamp::from_secs(5)), Some(TimerKind::Retry));
        assert_eq!(t.next(), None);
        assert_eq!(t.pop_due(NEVER), None, "at the end of time nothing is due that was not set");
    }

    #[test]
    fn what_is_set_or_moved_is_found() {
        let mut t = Timers::default();
        t.set(TimerKind::Retry, Timestamp::from_secs(5));
        assert_eq!(t.pop_due(Timestamp::from_secs(4)), None);
        t.set(TimerKind::Retry, Timestamp::from_secs(9));
        assert_eq!(t.pop_due(Timestamp::from_secs(6)), None);
        t.set(TimerKind::Close, Timestamp::from_secs(7));
        assert_eq!(t.pop_due(Timestamp::from_secs(7)), Some(TimerKind::Close));
        t.stop(TimerKind::Retry);
        assert_eq!(t.pop_due(Timestamp::from_secs(10)), None);
        t.set(TimerKind::Retry, Timestamp::from_secs(10));
        assert_eq!(t.pop_due(Timestamp::from_secs(10)), Some(TimerKind::Retry));
    }

    #[test]
    fn the_earliest_is_known_after_every_change() {
        let mut t = Timers::default();
        for step in 0..5_000_u64 {
            let kind = ALL[(step * step % 31) as usize % COUNT];
            match step * 7 % 5 {
                0 => t.stop(kind),
                1 => t.set(kind, NEVER),
                _ => t.set(kind, Timestamp::from_micros(step * 37 % 16)),
            }
            let earliest = ALL.iter().filter_map(|kind| Some((t.get(*kind)?, *kind))).min();
            assert_eq!(t.next(), earliest, "{step}");
        }
    }

    // CLAUSE HB-3
    #[test]
    fn a_message_may_be_what_a_deadline_is_about() {
        use TimerKind::{Close, Handshake, Liveness, Replay, Subscribe};
        for kind in ALL {
            let about = [Liveness, Subscribe, Close, Replay, Handshake].contains(kind);
            assert_eq!(kind.waits_for_messages(), about, "{kind:?}");
        }
    }
}
