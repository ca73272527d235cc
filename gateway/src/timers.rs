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
}

#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(u64, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: u64, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, at: u64, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<u64> {
        self.0.first().map(|(at, _)| *at)
    }

    pub(crate) fn due(&mut self, now: u64) -> Option<Timer> {
        let first = *self.0.first()?;
        if first.0 > now {
            return None;
        }
        self.0.pop_first();
        Some(first.1)
    }
}
