//! One ordered set of deadlines.

use std::collections::BTreeSet;

/// What is due. Entries are hints: whoever handles one looks whether it still applies, so that moving a
/// deadline (each heartbeat moves one) costs nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    Details(u64),
    Reply(u64),
    Idle(u64),
    Absolute(u64),
    Ping(u64),
    Window(u64),
    Subscription(u64),
    AccessToken(u64),
    OAuthEnd(u64),
    /// A fax of a user leaves.
    Fax(usize, u64),
    /// The next step of a call.
    Call(u64),
}

#[derive(Debug, Default)]
pub(crate) struct Timers {
    set: BTreeSet<(u64, Timer)>,
    /// The earliest: it is asked for with every call.
    first: Option<u64>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: u64, timer: Timer) {
        self.set.insert((at, timer));
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
    }

    pub(crate) fn cancel(&mut self, at: u64, timer: Timer) {
        self.set.remove(&(at, timer));
        self.look();
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.first
    }

    pub(crate) fn due(&mut self, now: u64) -> Option<Timer> {
        let first = *self.set.first()?;
        if first.0 > now {
            return None;
        }
        self.set.pop_first();
        self.look();
        Some(first.1)
    }

    fn look(&mut self) {
        self.first = self.set.first().map(|(at, _)| *at);
    }
}
