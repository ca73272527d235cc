//! Who asks for what, and what the one subscription is to be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use ringcentral_ws_core::{ApiError, DisabledFilter, Filters, MAX_FILTERS, SubscriptionInfo, Timestamp};

use super::pattern::{Path, Pattern};
use super::refusal::{MAX_TRIALS, named};
use super::routes::{Route, Routes};
use super::{ListenError, MAX_LISTENERS};

/// How long a listener that joins waits for others, so that they share a call.
const JOIN_WAIT: Duration = Duration::from_millis(20);
/// How long filters that nobody asks for any more stay subscribed: somebody may come back.
const LEAVE_WAIT: Duration = Duration::from_secs(1);
/// Changes within [`CHANGES_PER`]: below the 40 calls a minute of the rate-limit group Medium.
const MAX_CHANGES: usize = 5;
const CHANGES_PER: Duration = Duration::from_secs(10);
/// Filters that were given up lately. What the server still sends for them is for nobody.
const MAX_FORMER: usize = 256;

/// What is asked of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `Session::subscribe` with these.
    Subscribe(Filters),
    /// `Session::unsubscribe`.
    Unsubscribe,
}

/// A listener has become live.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Live {
    /// Its place.
    pub listener: u32,
    /// Since when it was without subscription, if it was live before: a gap comes first.
    pub lost_since: Option<Timestamp>,
    /// Those of its filters that the server disabled.
    pub disabled: Box<[DisabledFilter]>,
}

/// A listener whose filters were refused for good. It has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Its place.
    pub listener: u32,
    /// The filters that were refused.
    pub filters: Box<[Box<str>]>,
}

#[derive(Debug)]
struct Member {
    filters: Filters,
    live: bool,
    /// It was live, and then without subscription.
    lost_since: Option<Timestamp>,
    /// As it was last reported.
    disabled: Option<Box<[DisabledFilter]>>,
}

/// The listeners of a client and the plain stream beside them, without I/O: who asks for what, what the one subscription
/// is to be and when it is to be changed, and who receives what.
///
/// The subscription is the union of all filters. It changes at most 5 times in 10 s, one change at a time,
/// a moment after somebody joined and a second after somebody left.
#[derive(Debug, Default)]
pub struct Hub {
    members: Vec<Option<Member>>,
    /// What the plain stream asks for.
    plain: Option<Filters>,
    plain_confirmed: Option<Filters>,
    /// How many ask for each filter.
    counts: BTreeMap<Box<str>, usize>,
    /// What the session was asked for last.
    issued: BTreeSet<Box<str>>,
    /// What the server has.
    confirmed: BTreeSet<Box<str>>,
    /// As the server stored it; empty if that is unknown.
    spelled: Vec<Box<str>>,
    /// An answer to the last change is to come.
    awaiting: bool,
    due: Option<Timestamp>,
    changes: VecDeque<Timestamp>,
    /// Filters that are not asked for until others are known to be good: the server refused one of many.
    withheld: Vec<Vec<Box<str>>>,
    trials: u32,
    former: VecDeque<Box<str>>,
    routes: Routes,
}

impl Hub {
    /// Nobody listens yet. `plain`: what the plain stream has asked for. `confirmed`: the server has that.
    #[must_use]
    pub fn new(plain: Option<Filters>, confirmed: bool) -> Self {
        let mut hub = Self::default();
        if let Some(filters) = &plain {
            hub.count(filters);
            hub.issued = filters.iter().map(Box::from).collect();
            hub.awaiting = !confirmed;
            if confirmed {
                hub.confirmed.clone_from(&hub.issued);
                hub.plain_confirmed.clone_from(&plain);
            }
        }
        hub.plain = plain;
        hub.route_anew();
        hub
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.members.iter().flatten().count()
    }

    /// A listener comes. The answer is its place, and whether it is live at once because the server has its filters
    /// already.
    ///
    /// # Errors
    ///
    /// There are too many, of listeners or of filters; nothing has changed.
    pub fn join(&mut self, filters: Filters, now: Timestamp) -> Result<(u32, Option<Live>), ListenError> {
        let place = self.members.iter().position(Option::is_none).unwrap_or(self.members.len());
        let Some(id) = u32::try_from(place).ok().filter(|_| place < MAX_LISTENERS) else {
            return Err(ListenError::TooManyListeners);
        };
        if !self.has_room_for(&filters) {
            return Err(ListenError::TooManyFilters);
        }
        self.count(&filters);
        let member = Some(Member { filters, live: false, lost_since: None, disabled: None });
        match self.members.get_mut(place) {
            Some(free) => *free = member,
            None => self.members.push(member),
        }
        let live = self.come_alive(id, &[]);
        self.route_anew();
        self.change_within(JOIN_WAIT, now);
        Ok((id, live))
    }

    /// A listener goes.
    pub fn leave(&mut self, listener: u32, now: Timestamp) {
        if let Some(member) = self.members.get_mut(listener as usize).and_then(Option::take) {
            self.uncount(&member.filters);
            while self.members.last().is_some_and(Option::is_none) {
                self.members.pop();
            }
            self.route_anew();
            self.change_within(LEAVE_WAIT, now);
        }
    }

    /// What the plain stream asks for from now on. The change is due at once.
    ///
    /// # Errors
    ///
    /// There are too many filters; nothing has changed.
    pub fn set_plain(&mut self, filters: Option<Filters>, now: Timestamp) -> Result<(), ListenError> {
        if let Some(old) = self.plain.take() {
            self.uncount(&old);
            if filters.as_ref().is_some_and(|filters| !self.has_room_for(filters)) {
                self.count(&old);
                self.plain = Some(old);
                return Err(ListenError::TooManyFilters);
            }
        } else if filters.as_ref().is_some_and(|filters| !self.has_room_for(filters)) {
            return Err(ListenError::TooManyFilters);
        }
        if let Some(filters) = &filters {
            self.count(filters);
        }
        self.plain = filters;
        self.route_anew();
        self.due = Some(now);
        Ok(())
    }

    /// When [`take_change`](Self::take_change) is to be asked again. `ready`: there is a connection.
    #[must_use]
    pub fn deadline(&self, ready: bool) -> Option<Timestamp> {
        self.due.filter(|_| !self.awaiting || !ready)
    }

    /// The change that is due now. While there is a connection, it waits for the answer to the one before and keeps to
    /// the limit; without one a change costs nothing.
    pub fn take_change(&mut self, now: Timestamp, ready: bool) -> Option<Change> {
        self.deadline(ready).filter(|due| *due <= now)?;
        if ready && self.changes.len() >= MAX_CHANGES {
            let again = self.changes[self.changes.len() - MAX_CHANGES].after(CHANGES_PER);
            if again > now && self.desired() != self.issued {
                self.due = Some(again);
                return None;
            }
        }
        self.change_now(now, ready, false)
    }

    /// The change that brings the session to what is desired, whether it is due or not; `None` if it has that, unless it
    /// is to be asked `again`.
    pub fn change_now(&mut self, now: Timestamp, ready: bool, again: bool) -> Option<Change> {
        self.due = None;
        let desired = self.desired();
        if desired == self.issued && !again {
            return None;
        }
        if ready {
            self.changes.push_back(now);
            if self.changes.len() > MAX_CHANGES {
                self.changes.pop_front();
            }
        }
        self.remember_former(&desired);
        self.issued = desired;
        self.awaiting = true;
        self.route_anew();
        Some(match self.union() {
            Some(filters) => Change::Subscribe(filters),
            None => Change::Unsubscribe,
        })
    }

    /// Whether the answer to the last change is to come.
    #[must_use]
    pub const fn is_awaiting(&self) -> bool {
        self.awaiting
    }

    /// The server confirmed a subscription. `last`: no later change is under way. Those that have become live, or whose
    /// disabled filters are others now.
    pub fn subscribed(&mut self, info: &SubscriptionInfo, last: bool, now: Timestamp) -> Vec<Live> {
        self.confirmed = info.requested.iter().map(Box::from).collect();
        self.spelled.clone_from(&info.filters);
        self.spelled.extend(info.disabled.iter().map(|one| one.filter.clone()));
        self.awaiting = !last;
        if last && self.confirmed != self.issued {
            // After a refusal the session made the subscription before it anew.
            self.issued.clone_from(&self.confirmed);
            self.due = Some(now);
        } else if last {
            if self.withheld.pop().is_some() {
                // What was asked for is good; the others are tried next.
                self.due = Some(now);
            } else {
                self.trials = 0;
            }
        }
        if self.plain.as_ref().is_some_and(|plain| plain.iter().all(|filter| self.confirmed.contains(filter))) {
            self.plain_confirmed.clone_from(&self.plain);
        }
        self.interrupt(now);
        let places = 0..u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let live = places.filter_map(|place| self.come_alive(place, &info.disabled)).collect();
        self.route_anew();
        live
    }

    /// The server removed the subscription.
    pub fn unsubscribed(&mut self, now: Timestamp) {
        self.confirmed.clear();
        self.spelled.clear();
        self.plain_confirmed = None;
        self.awaiting &= !self.issued.is_empty();
        self.interrupt(now);
        self.route_anew();
    }

    /// The server refused the last change for good. `stands`: the subscription before it is still there. The listeners
    /// that have to leave; the others are asked for anew.
    pub fn refused(&mut self, error: &ApiError, stands: bool, now: Timestamp) -> Vec<Refusal> {
        if !stands {
            self.confirmed.clear();
            self.spelled.clear();
            self.plain_confirmed = None;
        }
        let asked: Vec<Box<str>> = self.issued.iter().cloned().collect();
        // An earlier call for them may have run, and its answer was lost.
        let confirmed = self.confirmed.clone();
        self.remember_former(&confirmed);
        self.issued = confirmed;
        self.awaiting = false;
        self.interrupt(now);
        let named: Vec<Box<str>> = named(error, asked.iter().map(AsRef::as_ref)).into_iter().map(Box::from).collect();
        let suspects: Vec<Box<str>> = asked.into_iter().filter(|filter| !self.confirmed.contains(filter)).collect();
        if named.is_empty() && suspects.is_empty() {
            // Fewer filters than the server has, or none: it keeps what nobody asks for, and that is no harm.
            self.issued = self.desired();
            return Vec::new();
        }
        let culprits = if !named.is_empty() {
            named
        } else if self.is_of_one(&suspects) || self.trials >= MAX_TRIALS {
            let found = self.trials < MAX_TRIALS;
            let others = if found { Vec::new() } else { std::mem::take(&mut self.withheld) };
            suspects.into_iter().chain(others.into_iter().flatten()).collect()
        } else {
            self.trials += 1;
            let (_, later) = suspects.split_at(suspects.len().div_ceil(2));
            self.withheld.push(later.to_vec());
            Vec::new()
        };
        let refusals = self.give_up(&culprits);
        // What is left may be what the server has: the next group is tried.
        while !self.withheld.is_empty() && self.desired() == self.confirmed {
            self.withheld.pop();
        }
        if self.withheld.is_empty() && !culprits.is_empty() {
            self.trials = 0;
        }
        self.route_anew();
        self.due = Some(now);
        refusals
    }

    /// Who receives a notification of this event.
    pub fn route(&mut self, event: &str) -> &Route {
        self.routes.find(event)
    }

    /// The listeners that a gap of the session concerns: all that are live, as what is lost may be for any of them.
    pub fn concerned(&self) -> impl Iterator<Item = u32> {
        (0..).zip(&self.members).filter(|(_, member)| member.as_ref().is_some_and(|one| one.live)).map(|(id, _)| id)
    }

    /// All filters that somebody asks for, but those that are withheld.
    fn desired(&self) -> BTreeSet<Box<str>> {
        let withheld: BTreeSet<&str> = self.withheld.iter().flatten().map(AsRef::as_ref).collect();
        self.counts.keys().filter(|filter| !withheld.contains(&***filter)).cloned().collect()
    }

    /// What was issued, as filters: those with more parameters come first, so that a server that takes the first one that
    /// fits takes the one that says most.
    fn union(&self) -> Option<Filters> {
        let mut all: Vec<&str> = self.issued.iter().map(AsRef::as_ref).collect();
        all.sort_by_key(|filter| {
            std::cmp::Reverse(filter.split_once('?').map_or(0, |(_, query)| query.split('&').count()))
        });
        Filters::new(all).ok()
    }

    fn has_room_for(&self, filters: &Filters) -> bool {
        let new = filters.iter().filter(|filter| !self.counts.contains_key(*filter)).count();
        self.counts.len() + new <= MAX_FILTERS
    }

    fn count(&mut self, filters: &Filters) {
        for filter in filters {
            *self.counts.entry(filter.into()).or_default() += 1;
        }
    }

    fn uncount(&mut self, filters: &Filters) {
        for filter in filters {
            if let Some(count) = self.counts.get_mut(filter) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(filter);
                }
            }
        }
    }

    fn change_within(&mut self, wait: Duration, now: Timestamp) {
        let due = now.after(wait);
        self.due = Some(self.due.map_or(due, |earlier| earlier.min(due)));
    }

    /// Whether the server has all of these and is to keep them.
    fn has(&self, filters: &Filters) -> bool {
        filters.iter().all(|filter| self.confirmed.contains(filter) && self.issued.contains(filter))
    }

    fn come_alive(&mut self, place: u32, disabled: &[DisabledFilter]) -> Option<Live> {
        let member = self.members.get(place as usize)?.as_ref()?;
        if !self.has(&member.filters) {
            return None;
        }
        let disabled = self.disabled_of(&member.filters, disabled);
        let member = self.members.get_mut(place as usize)?.as_mut()?;
        if member.live && member.disabled.as_ref() == Some(&disabled) {
            return None;
        }
        member.live = true;
        member.disabled = Some(disabled.clone());
        Some(Live { listener: place, lost_since: member.lost_since.take(), disabled })
    }

    fn disabled_of(&self, filters: &Filters, disabled: &[DisabledFilter]) -> Box<[DisabledFilter]> {
        let is_one = |pattern: &Pattern, other: &str| {
            let other = Pattern::new(other);
            pattern.path_of(&other) == Some(Path::Same) && !pattern.contradicts(&other)
        };
        let patterns: Vec<_> = filters.iter().map(Pattern::new).collect();
        disabled.iter().filter(|one| patterns.iter().any(|pattern| is_one(pattern, &one.filter))).cloned().collect()
    }

    /// Those whose filters the server has no more are without subscription until it has them again.
    fn interrupt(&mut self, now: Timestamp) {
        for member in self.members.iter_mut().flatten() {
            if member.live && !member.filters.iter().all(|filter| self.confirmed.contains(filter)) {
                (member.live, member.lost_since) = (false, Some(now));
            }
        }
    }

    /// Whether there is only one that may be meant: one filter, or one listener, or the plain stream.
    fn is_of_one(&self, suspects: &[Box<str>]) -> bool {
        let asks = |filters: &Filters| suspects.iter().any(|suspect| filters.iter().any(|filter| *filter == **suspect));
        let members = self.members.iter().flatten().filter(|member| asks(&member.filters)).count();
        let plain = usize::from(self.plain.as_ref().is_some_and(asks));
        suspects.len() <= 1 || members + plain <= 1
    }

    /// A listener that asks for one of these leaves. The plain stream goes back to what it had.
    fn give_up(&mut self, culprits: &[Box<str>]) -> Vec<Refusal> {
        let asked = |filters: &Filters| -> Box<[Box<str>]> {
            culprits.iter().filter(|one| filters.iter().any(|filter| *filter == ***one)).cloned().collect()
        };
        let mut refusals = Vec::new();
        for place in 0..self.members.len() {
            let Some(filters) = self.members[place].as_ref().map(|member| asked(&member.filters)) else { continue };
            if let Some(member) = self.members[place].take_if(|_| !filters.is_empty()) {
                self.uncount(&member.filters);
                refusals.push(Refusal { listener: u32::try_from(place).unwrap_or(u32::MAX), filters });
            }
        }
        if let Some(plain) = self.plain.take_if(|plain| !asked(plain).is_empty()) {
            self.uncount(&plain);
            self.plain = self.plain_confirmed.take().filter(|before| asked(before).is_empty());
            if let Some(before) = self.plain.clone() {
                self.count(&before);
            }
        }
        refusals
    }

    /// Of what is not desired any more something may still come.
    fn remember_former(&mut self, desired: &BTreeSet<Box<str>>) {
        self.former.retain(|filter| !desired.contains(filter));
        for filter in self.issued.difference(desired) {
            self.former.push_back(filter.clone());
        }
        let surplus = self.former.len().saturating_sub(MAX_FORMER);
        self.former.drain(..surplus);
    }

    fn route_anew(&mut self) {
        let mut asked: BTreeMap<&str, Route> = BTreeMap::new();
        // What was ever asked for is not for the plain stream because it comes early or late.
        let all = self.former.iter().chain(&self.issued).chain(&self.confirmed).chain(self.counts.keys());
        asked.extend(all.map(|filter| (&**filter, Route::default())));
        let mut listeners: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (place, member) in (0..).zip(&self.members) {
            let Some(member) = member.as_ref().filter(|member| member.live) else { continue };
            for filter in &member.filters {
                listeners.entry(filter).or_default().push(place);
            }
        }
        for (filter, places) in listeners {
            asked.entry(filter).or_default().listeners = places.into();
        }
        for filter in self.plain.iter().flatten() {
            asked.entry(filter).or_default().plain = true;
        }
        self.routes.set(asked.into_iter(), &self.spelled);
    }
}
