//! The state machine: gaps in, calls out, answers in, records out.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use http::HeaderMap;
use ringcentral_ws_core::classify::retry_after;
use ringcentral_ws_core::{
    Backfilled, ClockReading, FetchedRecord, Gap, Notification, RateLimit, Timestamp, Unfilled, UnixMillis,
};

use super::budget::{Budget, CallGroup};
use super::known::Known;
use super::noted::Noted;
use super::outcome::{Outcome, PENALTY};
use super::plan::Plan;
use super::settings::Backfill;
use super::state::{BackfillState, MAX_GAPS, StoredGap, Tokens};
use super::task::{Brought1, Task};

/// Nobody asks again about what is so much older than the newest.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Most calls of one gap, those that failed included.
const MAX_CALLS: u32 = 1000;
/// How many filters are read.
const MAX_FILTERS: usize = 1024;
/// How long others go first at most, however often their calls are refused.
const LAST: Duration = Duration::from_secs(3600);
/// How long a call that goes first has for its answer before calls of its group are made again.
const YIELD: Duration = Duration::from_secs(10);

/// What comes of a [`GapFiller`].
#[derive(Debug)]
pub enum FillStep {
    /// Make this call, and report how it ended.
    Call(GapCall),
    /// A gap is done with. The [`state`](GapFiller::state) from now on has it no more, so it is to be stored behind this.
    Filled(Box<Backfilled>),
    /// Nothing until then, if there is a time, or until something is reported.
    Wait(Option<Timestamp>),
}

/// A GET request that is to be made with the user's access token.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GapCall {
    /// For [`GapFiller::on_answer`] and [`GapFiller::on_failure`].
    pub id: u64,
    /// The rate limit it counts against.
    pub group: CallGroup,
    /// Path and query. It may have a sync token in it, which is of no use without a login.
    pub path: String,
}

impl fmt::Debug for GapCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        f.debug_struct("GapCall").field("id", &self.id).field("group", &self.group).field("path", &path).finish()
    }
}

/// Fills gaps: see the [module](crate::backfill). One of these goes with one session.
///
/// It is given gaps, delivered notifications, the filters that the server confirmed, whether there is a connection, who
/// goes first after a 429 (the calls that begin with `yield_to`), and how its calls ended; [`poll`](Self::poll) says what
/// to do next. One call is under way at a time. All calls are deterministic in their arguments and the seed, and none
/// blocks.
#[derive(Debug)]
pub struct GapFiller {
    pub(super) settings: Backfill,
    /// `None`: it is not known what the subscription is for. Then gaps wait.
    pub(super) filters: Option<Vec<String>>,
    pub(super) plan: Plan,
    pub(super) tokens: BTreeMap<String, Tokens>,
    /// The first is the one that `work` is for, if it is for a gap.
    pub(super) gaps: VecDeque<Waiting>,
    pub(super) work: Option<Work>,
    pub(super) known: Known,
    pub(super) budgets: BTreeMap<CallGroup, Budget>,
    /// How far the server's clock is ahead.
    pub(super) ahead: Option<i64>,
    pub(super) is_online: bool,
    /// Tokens were asked for since there is a connection.
    pub(super) has_primed: bool,
    /// When they are to be asked for, until they are: filters that change meanwhile do not put it off.
    pub(super) primes_at: Option<Timestamp>,
    /// Since when calls of the application have gone first, and none of the filler was made.
    held_since: Option<Timestamp>,
    next_call: u64,
    chance: u64,
    changed: bool,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) gap: Gap,
    pub(super) ready_at: Timestamp,
}

/// What is being asked for.
#[derive(Debug)]
pub(super) struct Work {
    /// `None`: only tokens are asked for.
    pub(super) gap: Option<Gap>,
    /// As it was at the first call: the tasks name resources by their places.
    pub(super) plan: Plan,
    pub(super) tasks: VecDeque<Task>,
    pub(super) under_way: Option<UnderWay>,
    pub(super) not_before: Timestamp,
    /// Calls so far.
    calls: u32,
    /// Failures of the first task, in tenths.
    pub(super) failures: u32,
    pub(super) records: Vec<Brought1>,
    pub(super) bytes: usize,
    pub(super) unfilled: Vec<Unfilled>,
    /// Which become the newest of their resources when the gap is done with.
    pub(super) tokens: Vec<(String, UnixMillis, String)>,
}

#[derive(Debug)]
pub(super) struct UnderWay {
    pub(super) id: u64,
    pub(super) sent: ClockReading,
    /// From where on it asks.
    pub(super) from: UnixMillis,
}

impl GapFiller {
    /// One that knows of nothing. `seed` is for the spread of the first calls.
    #[must_use]
    pub fn new(settings: Backfill, seed: u64) -> Self {
        let known = Known::new(settings.remembered);
        let budgets = CallGroup::ALL.map(|group| (group, Budget::new(settings.limit(group)))).into();
        Self {
            settings,
            filters: None,
            plan: Plan::default(),
            tokens: BTreeMap::new(),
            gaps: VecDeque::new(),
            work: None,
            known,
            budgets,
            ahead: None,
            is_online: false,
            has_primed: false,
            primes_at: None,
            held_since: None,
            next_call: 0,
            chance: seed,
            changed: false,
        }
    }

    /// One that goes on where another process was.
    #[must_use]
    pub fn restore(settings: Backfill, state: BackfillState, seed: u64, clock: ClockReading) -> Self {
        let mut filler = Self::new(settings, seed);
        filler.known.restore(&state.known, clock.unix);
        for (group, stored) in &state.budgets {
            if let Some(budget) = filler.budgets.get_mut(group) {
                budget.restore(stored, clock);
            }
        }
        filler.tokens = state.tokens;
        filler.ahead = state.ahead;
        if let Some(filters) = state.filters {
            filler.replan(filters);
        }
        state.noted.into_iter().for_each(|noted| filler.note(noted, clock));
        state.gaps.into_iter().for_each(|gap| filler.enqueue(gap.into_gap(), clock.now));
        filler.changed = false;
        filler
    }

    /// What another process goes on from. The records of a gap that is being filled are not part of it: it begins anew.
    #[must_use]
    pub fn state(&self, clock: ClockReading) -> BackfillState {
        BackfillState {
            filters: self.filters.clone(),
            tokens: self.tokens.clone(),
            gaps: self.gaps.iter().map(|waiting| StoredGap::of(&waiting.gap)).collect(),
            known: self.known.stored(),
            budgets: self.budgets.iter().map(|(group, budget)| (*group, budget.stored(clock))).collect(),
            ahead: self.ahead,
            ..BackfillState::default()
        }
    }

    /// Whether something changed that is to be stored. `true` once for each change; deliveries alone do not count, as
    /// they change the session's snapshot too.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Whether the filters are known.
    #[must_use]
    pub const fn knows_filters(&self) -> bool {
        self.filters.is_some()
    }

    /// Gaps that are not done with.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.gaps.len()
    }

    /// The filters that the server confirmed. Gaps wait until they are known.
    pub fn set_filters<'a>(&mut self, filters: impl IntoIterator<Item = &'a str>) {
        let filters: Vec<String> = filters.into_iter().take(MAX_FILTERS).map(str::to_owned).collect();
        if self.filters.as_ref() == Some(&filters) {
            return;
        }
        self.replan(filters);
        self.has_primed = false;
        self.changed = true;
    }

    fn replan(&mut self, filters: Vec<String>) {
        let without = &self.settings.without;
        self.plan = Plan::of(filters.iter().map(String::as_str), |kind| without.contains(&kind));
        self.filters = Some(filters);
        let keys: Vec<String> = self.plan.sources.iter().filter_map(|source| source.token_key()).collect();
        self.tokens.retain(|key, _| keys.contains(key));
        // What is under way goes on: filters that change again and again would never let it end.
        self.work.take_if(|work| work.calls == 0);
    }

    /// Whether there is a connection. Without one no call is made.
    pub fn set_online(&mut self, is_online: bool) {
        self.has_primed &= self.is_online == is_online;
        self.is_online = is_online;
    }

    /// A subscribing call was refused because of the rate limit, and is repeated at this time. Each call during the
    /// penalty prolongs it, so no call of the same group, [`CallGroup::Medium`], is made until ten seconds after it: the
    /// subscription comes first.
    pub fn yield_to_subscription(&mut self, retry_at: Timestamp) {
        self.hold(Some(CallGroup::Medium), retry_at);
    }

    /// Another call of the same user was answered 429, with these headers. Its caller can repeat it after `Retry-After`
    /// (60 s without it), and goes first: the filler makes no call of the same group until ten seconds later. If the
    /// headers do not name the group, this holds for every group. After an hour of this the filler calls all the same.
    pub fn yield_to_call(&mut self, headers: &HeaderMap, clock: ClockReading) {
        let wait = retry_after(headers, clock.unix.0).unwrap_or(PENALTY);
        let named = RateLimit::from_headers(headers).and_then(|limit| limit.group);
        let group = named.as_deref().and_then(|name| CallGroup::ALL.into_iter().find(|group| group.as_str() == name));
        if group.is_some() || named.is_none() {
            let last = self.held_since.get_or_insert(clock.now).after(LAST);
            self.hold(group, clock.now.after(wait).min(last));
        }
    }

    fn hold(&mut self, group: Option<CallGroup>, until: Timestamp) {
        for (of, budget) in &mut self.budgets {
            if group.is_none_or(|group| group == *of) {
                budget.hold_until(until.after(YIELD));
            }
        }
    }

    /// A notification was delivered: its message is not handed out again.
    pub fn on_notification(&mut self, notification: &Notification, clock: ClockReading) {
        let Some(noted) = Noted::of(notification) else { return };
        self.note(noted, clock);
        if self.gaps.is_empty() {
            self.known.forget_before(noted.time.unwrap_or(clock.unix).before(REMEMBERED));
        }
    }

    fn note(&mut self, noted: Noted, clock: ClockReading) {
        // Whatever the filters: the server may have others than are known here, and a later plan may ask for it.
        if !self.settings.without.contains(&noted.kind) {
            self.known.insert(noted.key, noted.time.unwrap_or(clock.unix));
        }
    }

    /// Something may have been missed.
    pub fn on_gap(&mut self, gap: Gap, now: Timestamp) {
        self.enqueue(gap, now);
        self.changed = true;
    }

    fn enqueue(&mut self, gap: Gap, now: Timestamp) {
        let spread = u64::try_from(self.settings.spread.as_micros()).unwrap_or(u64::MAX);
        let ready_at = now.after(self.settings.settle).after(Duration::from_micros(self.below(spread)));
        // The first one may be under way already.
        if self.gaps.len() >= MAX_GAPS
            && let Some(last) = self.gaps.back_mut()
        {
            last.gap.merge(gap);
            last.ready_at = ready_at;
            return;
        }
        self.gaps.push_back(Waiting { gap, ready_at });
    }

    /// A number from 0 to `most` (SplitMix64).
    pub(super) fn below(&mut self, most: u64) -> u64 {
        self.chance = self.chance.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.chance;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        z % most.saturating_add(1).max(1)
    }

    /// What to do next. It is asked again until it says to wait.
    pub fn poll(&mut self, clock: ClockReading) -> FillStep {
        if self.work.as_ref().is_some_and(|work| work.under_way.is_some()) {
            return FillStep::Wait(None);
        }
        self.begin(clock);
        if let Some(work) = self.work.as_mut().filter(|work| work.calls >= MAX_CALLS) {
            let rest = work.tasks.drain(..).map(|task| Unfilled::TooMany(task.kind(&work.plan.sources)));
            work.unfilled.extend(rest);
        }
        let Some(work) = &self.work else { return FillStep::Wait(None) };
        let Some(task) = work.tasks.front() else { return self.finish(clock) };
        if !self.is_online {
            return FillStep::Wait(None);
        }
        let group = task.group(&work.plan.sources);
        let earliest = self.budgets.get(&group).map_or(clock.now, |budget| budget.earliest(clock.now));
        let at = work.not_before.max(earliest);
        if at > clock.now {
            return FillStep::Wait(Some(at));
        }
        let window = self.window(work, None, Duration::ZERO, clock);
        let path = task.path(&work.plan.sources, window);
        if let Some(budget) = self.budgets.get_mut(&group) {
            budget.take(clock.now);
        }
        self.next_call += 1;
        let id = self.next_call;
        if let Some(work) = &mut self.work {
            self.held_since = None;
            if work.gap.is_none() {
                self.primes_at = None;
            }
            work.calls += 1;
            work.under_way = Some(UnderWay { id, sent: clock, from: window.from });
        }
        FillStep::Call(GapCall { id, group, path })
    }

    /// A call ended with an answer of any status.
    pub fn on_answer(&mut self, id: u64, status: u16, headers: &HeaderMap, body: &[u8], clock: ClockReading) {
        self.ended(id, Outcome::of(status, headers, body, clock), Some(body), clock);
    }

    /// A call ended without an answer. `sent`: it may have reached the server.
    pub fn on_failure(&mut self, id: u64, sent: bool, clock: ClockReading) {
        self.ended(id, Outcome::Lost { sent }, None, clock);
    }

    /// The tokens that came become the newest of their resources.
    pub(super) fn keep_tokens(&mut self, work: &mut Work) {
        for (key, at, token) in work.tokens.drain(..) {
            if self.plan.sources.iter().any(|source| source.token_key().as_ref() == Some(&key)) {
                self.tokens.entry(key).or_default().push(at, token);
                self.changed = true;
            }
        }
    }

    /// The gap is done with, or the tokens are.
    fn finish(&mut self, clock: ClockReading) -> FillStep {
        let Some(mut work) = self.work.take() else { return FillStep::Wait(None) };
        self.keep_tokens(&mut work);
        let Some(gap) = work.gap else { return self.poll(clock) };
        self.changed = true;
        self.gaps.pop_front();
        let mut records = work.records;
        // Ids that were made later are greater, as numbers.
        let place = |record: &FetchedRecord| (record.time().map_or(u64::MAX, |at| at.0), record.id().len());
        records.sort_by(|one, other| {
            let (one, other) = (&one.record, &other.record);
            place(one).cmp(&place(other)).then_with(|| one.id().cmp(other.id())).then(one.kind().cmp(&other.kind()))
        });
        let mut may_repeat = false;
        let mut of_now = Vec::new();
        records.retain(|one| {
            if !one.is_remembered {
                let is_new = !of_now.contains(&one.key);
                of_now.push(one.key);
                return is_new;
            }
            let time = one.record.time().unwrap_or(gap.until);
            let is_new = !self.known.contains(one.key, one.changed);
            may_repeat |= is_new && !self.known.is_sure_about(time);
            if is_new {
                self.known.insert(one.key, time);
            }
            is_new
        });
        let mut unfilled = work.plan.lost;
        for missing in work.unfilled {
            if !unfilled.contains(&missing) {
                unfilled.push(missing);
            }
        }
        let records = records.into_iter().map(|one| one.record).collect();
        FillStep::Filled(Box::new(Backfilled::new(gap, records, unfilled).repeating(may_repeat)))
    }
}

impl Work {
    pub(super) fn new(plan: Plan, tasks: VecDeque<Task>, not_before: Timestamp) -> Self {
        Self {
            gap: None,
            plan,
            tasks,
            under_way: None,
            not_before,
            calls: 0,
            failures: 0,
            records: Vec::new(),
            bytes: 0,
            unfilled: Vec::new(),
            tokens: Vec::new(),
        }
    }
}
