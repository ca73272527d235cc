//! The filling of gaps: what lies in a gap and can be fetched arrives as a record, once, or is named as missing. Shares no
//! code with what fills.

use std::collections::{BTreeMap, VecDeque};

use ringcentral_ws_core::{Backfilled, FetchedRecord, RecordKind, Unfilled};

use super::topics::{Fills, Topic, TopicCounts};
use super::{Verdict, violated};

/// Gaps that a filler keeps apart.
const APART: usize = 8;
/// A sync token from so long before a gap serves it: a minute, and the time of an answer.
const TOKEN: u64 = 90_000_000;

/// Something that happened on the server: a message, a call, or what cannot be fetched. Times are those of the
/// simulation.
#[derive(Clone, Copy, Debug)]
struct Item {
    topic: Topic,
    /// Of the message, or of the call.
    id: u64,
    /// When a call began; of all else the same as `at`.
    began: u64,
    /// When it happened. Of a call when it ended.
    at: u64,
    /// The application has it, as a notification with its content or as a record: it must not come as a record again.
    held: bool,
    /// The application was notified of it.
    noticed: bool,
    /// It was a record.
    fetched: bool,
    /// It lay in a gap, or a process that was killed had it.
    owed: bool,
}

/// What a gap that was done with did not bring.
#[derive(Clone, Debug)]
struct Done {
    since: u64,
    until: u64,
    unfilled: Vec<Unfilled>,
}

/// What is written down with a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct FillMark {
    /// From when to when the gaps that wait are, the next one first.
    waiting: VecDeque<(u64, u64)>,
    /// When the newest sync token for messages was given.
    token: Option<u64>,
}

/// The books of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filling {
    items: Vec<Item>,
    /// Notification → item.
    by_uuid: BTreeMap<u64, usize>,
    messages: BTreeMap<u64, usize>,
    calls: BTreeMap<u64, usize>,
    posts: BTreeMap<u64, usize>,
    /// Those before are of a process that wrote nothing down.
    first: usize,
    at: FillMark,
    /// A token that counts when what is being asked for is done.
    coming: Option<u64>,
    /// The last call was made while no gap waited: for a token alone.
    is_for_token: bool,
    /// Held or noticed since the last publication.
    unwritten: Vec<(usize, bool)>,
    /// What was subscribed to from when on, as bits.
    subscribed: Vec<(u64, u8)>,
    /// That is known from a snapshot, which may have `~` where the server has ids.
    is_restored: bool,
    done: Vec<Done>,
    /// What the server's wall clock shows at the beginning, in milliseconds.
    server_unix: u64,
    pub(crate) counts: Fills,
}

impl Filling {
    pub(crate) fn new(server_unix: u64) -> Self {
        Self { server_unix, ..Self::default() }
    }

    /// Something happened, of which these notifications were made for the client.
    pub(crate) fn happened(&mut self, topic: Topic, id: u64, [began, at]: [u64; 2], uuids: impl Iterator<Item = u64>) {
        let index = self.items.len();
        self.by_uuid.extend(uuids.map(|uuid| (uuid, index)));
        match topic.record() {
            Some(RecordKind::Message) => drop(self.messages.insert(id, index)),
            Some(RecordKind::Post) => drop(self.posts.insert(id, index)),
            Some(_) => drop(self.calls.insert(id, index)),
            None => {}
        }
        self.items.push(Item { topic, id, began, at, held: false, noticed: false, fetched: false, owed: false });
    }

    /// The application got a notification. `body`: of one about a call.
    pub(crate) fn delivered(&mut self, uuid: u64, event: &str, body: &str) {
        let call = || {
            let id = body.split_once("\"sessionId\":\"")?.1.split_once('"')?.0.parse().ok()?;
            self.calls.get(&id).filter(|_| body.contains("\"code\":\"Disconnected\"")).copied()
        };
        let path = event.split('?').next().unwrap_or_default();
        let is_call = path.ends_with("/telephony/sessions");
        let found = if is_call { call() } else { self.by_uuid.get(&uuid).copied() };
        let Some(index) = found.filter(|index| is_call || self.items[*index].topic != Topic::Calls) else { return };
        let holds = !is_call && !path.ends_with("/message-store");
        let item = &mut self.items[index];
        let has = if holds { &mut item.held } else { &mut item.noticed };
        // What it has for longer is written down.
        if !std::mem::replace(has, true) {
            self.unwritten.push((index, holds));
        }
    }

    /// Of these notifications, made at these times, none was delivered, and all lie inside a gap. `misdated`: its end is
    /// this, by a clock that went back. What came more than five seconds after that is not asked for, and posts are found by
    /// nothing else than the bounds.
    pub(crate) fn in_gap(&mut self, passed: &[(u64, u64)], misdated: Option<u64>) {
        for (uuid, at) in passed {
            if let Some(index) = self.by_uuid.get(uuid).filter(|index| **index >= self.first) {
                let item = &mut self.items[*index];
                item.owed |= misdated.is_none_or(|end| item.topic != Topic::Posts && item.began <= end + 5_000_000);
                continue;
            }
            // The steps of calls have no receipts. They are known by their time.
            for (_, index) in self.calls.range(..).rev() {
                let item = &mut self.items[*index];
                item.owed |= item.at == *at && *index >= self.first;
            }
        }
    }

    /// Calls that go on.
    pub(crate) fn live(&self, now: u64) -> usize {
        self.calls.values().filter(|index| self.items[**index].at > now).count()
    }

    pub(crate) fn subscribed<'a>(&mut self, filters: impl Iterator<Item = &'a str>, now: u64) {
        let bits = filters.filter_map(Topic::of).fold(0, |bits, topic| bits | 1 << topic as u8);
        let is_restored = std::mem::take(&mut self.is_restored);
        if is_restored || self.subscribed.last().is_none_or(|(_, last)| *last != bits) {
            self.subscribed.push((now, bits));
            // A token is for what was asked for with it.
            (self.at.token, self.coming) = (None, None);
        }
    }

    /// A process starts that knows from its snapshot alone what the subscription is for.
    pub(crate) fn restored<'a>(&mut self, filters: impl Iterator<Item = &'a str>, now: u64) {
        if self.subscribed.is_empty() {
            self.subscribed(filters, now);
            self.is_restored = true;
        }
    }

    /// The application got a gap.
    pub(crate) fn gap(&mut self, since: u64, until: u64) {
        if self.at.waiting.is_empty() {
            // What was asked for before is left.
            self.coming = None;
        }
        let full = self.at.waiting.len() >= APART;
        match self.at.waiting.back_mut().filter(|_| full) {
            Some(last) => *last = (last.0.min(since), last.1.max(until)),
            None => self.at.waiting.push_back((since, until)),
        }
    }
}

impl Filling {
    /// A call is made.
    pub(crate) fn asks(&mut self, path: &str) -> Verdict {
        let kind = match path {
            _ if path.contains("syncType=ISync") => "incremental syncs",
            _ if path.contains("dateTo=") => "syncs of older messages",
            _ if path.contains("syncType=FSync") => "full syncs",
            _ if path.contains("/active-calls") => "lists of calls",
            _ if path.contains("/recent/chats") => "lists of chats",
            _ if path.contains("pageToken=") => "further pages of posts",
            _ if path.contains("/posts") => "pages of posts",
            _ => "reads of presence",
        };
        *self.counts.calls.entry(kind).or_default() += 1;
        self.is_for_token = self.at.waiting.is_empty();
        if kind != "full syncs" || !path.contains("/message-sync") {
            return Ok(());
        }
        match (self.at.waiting.front(), self.at.token) {
            (Some((since, _)), Some(token)) if token + TOKEN < *since && self.subscribed.len() == 1 => {
                let what = format!("a full sync for a gap from {since} on, although a token of {token} is there");
                violated("fill-token", what)
            }
            _ => Ok(()),
        }
    }

    /// A call was answered.
    pub(crate) fn answered(&mut self, path: &str, status: u16, body: &[u8], now: u64) {
        if !path.contains("/message-sync") || path.contains("dateTo=") {
            return;
        }
        // A gap came meanwhile: the token is not for all of the time if the server's clock is far behind.
        let is_too_late = self.is_for_token && !self.at.waiting.is_empty();
        if (200..300).contains(&status) && body.windows(13).any(|part| part == b"\"syncToken\":\"") {
            self.coming = Some(now).filter(|_| !is_too_late);
        } else if matches!(status, 400 | 404 | 410) && path.contains("ISync") {
            self.at.token = None;
        }
    }

    /// Nothing is asked for at the moment: the tokens that came are kept.
    pub(crate) fn rests(&mut self) {
        self.at.token = self.coming.take().or(self.at.token);
    }

    fn known(&self, record: &FetchedRecord) -> Option<usize> {
        match record.kind() {
            RecordKind::Message => self.messages.get(&record.id().parse().ok()?).copied(),
            RecordKind::Post => self.posts.get(&record.id().parse().ok()?).copied(),
            RecordKind::Call => self.calls.get(&u64::from_str_radix(record.id().get(1..)?, 16).ok()?).copied(),
            _ => None,
        }
    }

    /// A gap is done with.
    pub(crate) fn filled(&mut self, filled: &Backfilled, [since, until]: [u64; 2], now: u64) -> Verdict {
        self.rests();
        let heard = self.at.waiting.pop_front();
        self.counts.done[0] += 1;
        self.counts.done[1] += u64::from(filled.complete);
        let once = |one: &&FetchedRecord| !matches!(one.kind(), RecordKind::ActiveCall | RecordKind::Presence);
        for record in filled.records.iter().filter(once) {
            let Some(index) = self.known(record) else {
                return violated("fill-invented", format!("{} {} never was", record.kind().as_str(), record.id()));
            };
            let item = &mut self.items[index];
            self.counts.records += 1;
            if item.held && !filled.may_repeat {
                let what = if item.fetched { "a record of an earlier gap" } else { "a notification" };
                return violated(
                    "fill-twice",
                    format!("{item:?} was {what} and comes in a gap from {since} to {until}"),
                );
            }
            if item.held {
                self.counts.repeated += 1;
            } else {
                (item.held, item.fetched) = (true, true);
                self.unwritten.push((index, true));
            }
        }
        let done = Done { since, until, unfilled: filled.unfilled.clone() };
        self.is_named(&done, filled.complete)?;
        if heard.is_some_and(|(first, last)| first.abs_diff(since) < 2_000 && last.abs_diff(until) < 2_000) {
            self.are_listed(filled, &done, now)?;
        }
        self.done.push(done);
        Ok(())
    }

    /// What was subscribed to all the time since then.
    fn steady_since(&self, time: u64) -> u8 {
        let later = self.subscribed.iter().rposition(|(from, _)| *from <= time).unwrap_or(0);
        self.subscribed[later..].iter().fold(u8::MAX, |bits, (_, one)| bits & one)
    }

    /// What cannot be fetched is named, and what is complete lacks nothing else.
    fn is_named(&mut self, done: &Done, complete: bool) -> Verdict {
        const NOBODYS: [&str; 6] = [
            "presence_transitions",
            "call_transitions",
            "message_states",
            "deleted_messages",
            "post_changes",
            "no_list",
        ];
        let words: Vec<&'static str> = done.unfilled.iter().map(Unfilled::as_str).collect();
        let missing = words.iter().filter(|word| !NOBODYS.contains(word));
        if missing.clone().next().is_none() != complete {
            return violated("fill-named", format!("complete is {complete} with {words:?}"));
        }
        for word in missing {
            *self.counts.missing.entry(word).or_default() += 1;
        }
        let Some((_, bits)) = self.subscribed.first().filter(|_| self.subscribed.len() == 1) else { return Ok(()) };
        for topic in Topic::all().filter(|topic| bits & 1 << *topic as u8 != 0) {
            let word = match topic {
                Topic::Presence => "presence_transitions",
                Topic::Contacts => "no_list",
                Topic::Calls => "call_transitions",
                Topic::Store => "message_states",
                Topic::Posts => "post_changes",
                Topic::Sms | Topic::Voicemail | Topic::Fax => "deleted_messages",
            };
            if !words.contains(&word) {
                return violated("fill-named", format!("{word} is not among {words:?}"));
            }
        }
        Ok(())
    }

    /// The calls that went on from the end of the gap until now are listed.
    fn are_listed(&self, filled: &Backfilled, done: &Done, now: u64) -> Verdict {
        if !filled.complete
            || self.subscribed.len() != 1
            || self.steady_since(done.until) & 1 << Topic::Calls as u8 == 0
        {
            return Ok(());
        }
        for index in self.calls.values().filter(|index| **index >= self.first) {
            let item = &self.items[*index];
            let id = item.id.to_string();
            let is_listed = |one: &FetchedRecord| one.kind() == RecordKind::ActiveCall && *one.id() == id;
            if item.began <= done.until && item.at > now && !filled.records.iter().any(is_listed) {
                return violated("fill-active", format!("{item:?} goes on and is not listed"));
            }
        }
        Ok(())
    }

    pub(crate) fn publish(&mut self) -> FillMark {
        self.unwritten.clear();
        self.at.clone()
    }

    /// The process died. What it had got and not written down is owed again, if the next process knows that there was a
    /// subscription.
    pub(crate) fn crash(&mut self, mark: Option<FillMark>, subscribed: bool) {
        self.coming = None;
        if mark.is_none() {
            self.first = self.items.len();
            self.subscribed.clear();
            self.items.iter_mut().for_each(|item| (item.held, item.noticed) = (false, false));
        }
        self.at = mark.unwrap_or_default();
        for (index, holds) in self.unwritten.drain(..) {
            let item = &mut self.items[index];
            // A record that nobody had to bring, of just before a gap, need not come again.
            item.owed |= subscribed && index >= self.first && !item.fetched;
            if holds { (item.held, item.fetched) = (false, false) } else { item.noticed = false }
        }
    }

    /// Everything was asked for. Each item that is owed is there, or named as missing.
    pub(crate) fn finish(&mut self, waiting: usize) -> Verdict {
        if waiting > 0 {
            return violated("fill-heal", format!("{waiting} gaps wait in the end"));
        }
        for index in self.first..self.items.len() {
            let item = self.items[index];
            if !item.owed {
                continue;
            }
            let bits = self.steady_since(item.began);
            let asks = 1 << item.topic as u8
                | u8::from(item.topic.record() == Some(RecordKind::Message)) << Topic::Store as u8;
            let is_left = bits & asks == 0;
            let is_named = item.topic.record().is_some_and(|kind| self.names(&item, kind));
            let counts = self.counts.topics.entry(item.topic.as_str()).or_default();
            counts.in_gaps += 1;
            let of: fn(&mut TopicCounts) -> &mut u64 = match item {
                Item { fetched: true, .. } => |counts| &mut counts.filled,
                Item { held: true, .. } | Item { noticed: true, .. } => |counts| &mut counts.delivered,
                _ if item.topic.record().is_none() => continue,
                _ if is_named => |counts| &mut counts.named,
                _ if is_left => |counts| &mut counts.left,
                _ => {
                    let near =
                        |done: &&Done| done.since < item.at + 600_000_000 && item.began < done.until + 600_000_000;
                    let near: Vec<_> = self.done.iter().filter(near).collect();
                    return violated("fill-lost", format!("{item:?} was in a gap and never came; gaps: {near:?}"));
                }
            };
            *of(counts) += 1;
        }
        Ok(())
    }

    /// Whether it was said of a gap around it that records of its kind are missing.
    fn names(&self, item: &Item, kind: RecordKind) -> bool {
        let server = self.server_unix + item.began / 1000;
        let says = |missing: &Unfilled| match missing {
            Unfilled::Refused { what, .. } | Unfilled::Failed { what, .. } | Unfilled::TooMany(what) => *what == kind,
            Unfilled::Older { what, than } => *what == kind && than.is_none_or(|than| server <= than.0 + 1),
            Unfilled::UnknownBegin(from) => server <= from.0,
            _ => false,
        };
        let around = |done: &&Done| item.began <= done.until + 5_000_000 && item.at + 60_000_000 >= done.since;
        self.done.iter().filter(around).any(|done| done.unfilled.iter().any(says))
    }
}
