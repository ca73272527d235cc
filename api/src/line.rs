//! Who waits for the ceiling of an app, in which order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringcentral_ws_core::Timestamp;

use crate::limiter::{LoginKey, LoginKind};

/// Most logins of an app that have a place in line.
pub(crate) const MOST_WAITING: usize = 10_000;
/// So long after its time a place is kept free for who has it, …
pub(crate) const HELD: Duration = Duration::from_secs(30);
/// … and so long who has it still comes before all that came later.
pub(crate) const KEPT: Duration = Duration::from_secs(600);

/// Where a login stands: refreshes first, then who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: LoginKind,
    /// Grows with every newcomer.
    seq: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiter {
    place: Place,
    /// When it was to come back.
    due: Timestamp,
    /// It did not, and its place is not kept free any more.
    late: bool,
}

/// Who waits. All of its work is logarithmic, but for counting who stands before a login in the middle.
#[derive(Debug, Default)]
pub(crate) struct Line {
    newcomers: u64,
    waiters: BTreeMap<LoginKey, Waiter>,
    /// The places that are kept free, refreshes and new logins.
    held: [BTreeMap<u64, LoginKey>; 2],
    /// When they are due.
    due: BTreeSet<(Timestamp, LoginKey)>,
    /// When those that are late were due.
    late: BTreeSet<(Timestamp, LoginKey)>,
    /// How many found no place.
    turned_away: usize,
}

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// Whether anybody but this one waits for its time.
    pub(crate) fn has_others(&self, login: LoginKey) -> bool {
        self.due.iter().any(|(_, one)| *one != login)
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiters.len()
    }

    /// Places whose time is over are not kept free any more, or are forgotten.
    pub(crate) fn pass_time(&mut self, now: Timestamp) {
        while let Some((due, login)) = self.due.first().copied().filter(|(due, _)| due.after(HELD) < now) {
            self.due.remove(&(due, login));
            self.late.insert((due, login));
            if let Some(waiter) = self.waiters.get_mut(&login) {
                waiter.late = true;
                self.held[waiter.place.kind as usize].remove(&waiter.place.seq);
            }
        }
        while let Some((_, login)) = self.late.first().copied().filter(|(due, _)| due.after(KEPT) < now) {
            self.leave(login);
        }
    }

    /// How many places are kept free before the one that this login has, or would get.
    pub(crate) fn ahead(&self, login: LoginKey, kind: LoginKind) -> usize {
        let before = match self.waiters.get(&login).filter(|waiter| waiter.place.kind == kind) {
            Some(waiter) => self.held[kind as usize].range(..waiter.place.seq).count(),
            None => self.held[kind as usize].len(),
        };
        match kind {
            LoginKind::Refresh => before,
            LoginKind::New => before + self.held[LoginKind::Refresh as usize].len(),
        }
    }

    /// It need not wait any more. Returns the place it had, or would have got.
    pub(crate) fn leave_or_pass(&mut self, login: LoginKey, kind: LoginKind) -> Place {
        let had = self.leave(login).filter(|place| place.kind == kind);
        had.unwrap_or_else(|| self.newcomer(kind))
    }

    /// It waits until `due`, in the place it has or at the end. `false`: the line is full, and it got no place.
    pub(crate) fn wait(&mut self, login: LoginKey, kind: LoginKind, due: Timestamp) -> bool {
        let had = self.leave(login).filter(|place| place.kind == kind);
        if had.is_none() && !self.has_room(kind) {
            return false;
        }
        let place = had.unwrap_or_else(|| self.newcomer(kind));
        self.take(login, place, due);
        true
    }

    /// It had its turn, and could not use it.
    pub(crate) fn come_back(&mut self, login: LoginKey, place: Place, now: Timestamp) {
        if self.waiters.contains_key(&login) || !self.has_room(place.kind) {
            return;
        }
        self.take(login, place, now);
    }

    /// How many more than the line holds one has to wait for who found no place: not the same for all.
    pub(crate) fn turn_away(&mut self) -> usize {
        self.turned_away += 1;
        (self.turned_away - 1) % MOST_WAITING
    }

    fn newcomer(&mut self, kind: LoginKind) -> Place {
        self.newcomers += 1;
        Place { kind, seq: self.newcomers }
    }

    fn take(&mut self, login: LoginKey, place: Place, due: Timestamp) {
        self.held[place.kind as usize].insert(place.seq, login);
        self.due.insert((due, login));
        self.waiters.insert(login, Waiter { place, due, late: false });
    }

    pub(crate) fn leave(&mut self, login: LoginKey) -> Option<Place> {
        let waiter = self.waiters.remove(&login)?;
        if waiter.late {
            self.late.remove(&(waiter.due, login));
        } else {
            self.due.remove(&(waiter.due, login));
            self.held[waiter.place.kind as usize].remove(&waiter.place.seq);
        }
        Some(waiter.place)
    }

    /// In a full line, who is late gives way first, the longest first; then the last new login gives way to a refresh.
    fn has_room(&mut self, kind: LoginKind) -> bool {
        if self.waiters.len() < MOST_WAITING {
            return true;
        }
        let last_new = self.held[LoginKind::New as usize].last_key_value().map(|(_, login)| *login);
        let late = self.late.first().map(|(_, login)| *login);
        let gives_way = late.or(last_new.filter(|_| kind == LoginKind::Refresh));
        gives_way.is_some_and(|login| self.leave(login).is_some())
    }
}
