//! The notifications of one client: each is delivered once and in order, or lies in a gap that was emitted before the
//! next.

use std::collections::{BTreeMap, BTreeSet};

use ringcentral_ws_core::Gap;

use super::{Counts, Verdict, check_certainty, violated};

/// How a notification stands with the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not delivered.
    Due,
    /// Nothing is owed: there is no subscription for it.
    Excused,
    /// Lost on the way. The client may have no way to know.
    Lost,
    /// Given to another client, which the client may have no way to know either.
    Stolen,
    /// Delivered, in the life of process number so-and-so.
    Delivered,
    /// Delivered by a process that died before it was written down: it may come again.
    Forgotten,
    /// Behind the cursor, covered by a gap or never owed.
    Passed,
}

#[derive(Clone, Debug)]
struct Sent {
    uuid: u64,
    created: u64,
    subscription: u32,
    state: State,
}

impl Sent {
    /// It is asked what became of it.
    const fn is_open(&self) -> bool {
        matches!(self.state, State::Due | State::Lost | State::Stolen)
    }
}

#[derive(Clone, Copy, Debug)]
struct ReportedGap {
    since: u64,
    until: u64,
    /// Nothing turned out to be missing in it.
    empty: bool,
    certainty: &'static str,
}

/// What is written down with a published snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    cursor: usize,
    last: Option<usize>,
    /// What the application was given last, late ones included.
    received: Option<usize>,
    gaps: Vec<ReportedGap>,
    confirmed: BTreeSet<u32>,
    ever: BTreeSet<u32>,
    /// The one that stands; another one takes its place.
    current: Option<u32>,
    retired: BTreeSet<u32>,
    /// A refusal for good was emitted: it may get nothing until further notice.
    lapsed: bool,
}

/// What was sent to one client, and what became of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deliveries {
    sent: Vec<Sent>,
    by_uuid: BTreeMap<u64, usize>,
    subscriptions: BTreeMap<Box<str>, u32>,
    /// How many notifications had been made when each subscription came to be.
    born: Vec<usize>,
    at: Mark,
    /// Delivered since the last publication.
    unwritten: Vec<usize>,
    /// From when to when a connection was silent before it broke: a gap is owed for what was lost on it.
    silences: Vec<(u64, u64)>,
    /// Stolen, but this process must know.
    owed: Vec<usize>,
    /// How much later than it was sent a frame can arrive.
    pub(crate) latency: u64,
    pub(crate) counts: Counts,
    /// What was found to lie in a gap, and when it was made, if it is collected.
    pub(crate) passed: Vec<(u64, u64)>,
    watches: bool,
}

impl Deliveries {
    /// `latency`: how much later than it was sent a frame can arrive. `watches`: what lies in gaps is collected.
    pub(crate) fn new(latency: u64, watches: bool) -> Self {
        Self { latency, watches, ..Self::default() }
    }

    pub(crate) fn subscription(&mut self, id: &str) -> u32 {
        if let Some(n) = self.subscriptions.get(id) {
            return *n;
        }
        let n = self.subscriptions.len() as u32;
        self.subscriptions.insert(id.into(), n);
        self.born.push(self.sent.len());
        n
    }

    /// The server made a notification for this client.
    pub(crate) fn made(&mut self, uuid: u64, subscription: u32, now: u64) {
        if self.by_uuid.contains_key(&uuid) {
            return;
        }
        self.by_uuid.insert(uuid, self.sent.len());
        // A subscription that was replaced may live on for a while on the server; its session is left to die.
        let state = if self.at.lapsed || self.at.retired.contains(&subscription) { State::Excused } else { State::Due };
        self.sent.push(Sent { uuid, created: now, subscription, state });
        self.counts.sent += 1;
    }

    /// The server lost one in a way the client cannot know of.
    pub(crate) fn excuse(&mut self, uuid: u64) {
        self.gone(uuid, State::Lost);
    }

    /// The server gave it to another client.
    pub(crate) fn stolen(&mut self, uuid: u64) {
        self.gone(uuid, State::Stolen);
    }

    fn gone(&mut self, uuid: u64, state: State) {
        if let Some(at) = self.by_uuid.get(&uuid)
            && self.sent[*at].state == State::Due
        {
            self.sent[*at].state = state;
            self.counts.excused += 1;
        }
    }

    /// The client must know by now that these are lost, of which none is older than `since`.
    pub(crate) fn owe(&mut self, uuids: &BTreeSet<u64>, since: u64) {
        for at in uuids.iter().filter_map(|uuid| self.by_uuid.get(uuid)) {
            let sent = &mut self.sent[*at];
            if *at >= self.at.cursor && sent.state == State::Stolen && sent.created >= since {
                sent.state = State::Due;
                self.owed.push(*at);
            }
        }
    }

    /// A connection broke on which nothing had come since then.
    pub(crate) fn silent(&mut self, since: u64, until: u64) {
        self.silences.push((since, until));
    }

    /// A confirmed subscription was emitted.
    pub(crate) fn confirmed(&mut self, id: &str) {
        let n = self.subscription(id);
        self.at.confirmed.insert(n);
        self.at.ever.insert(n);
        self.at.lapsed = false;
        self.at.retired.remove(&n);
        if let Some(old) = self.at.current.replace(n).filter(|old| *old != n) {
            self.at.retired.insert(old);
            // From its birth on the new one gets the same notifications.
            let born = self.born[n as usize];
            for sent in self.sent[born..].iter_mut().filter(|s| s.subscription == old && s.is_open()) {
                sent.state = State::Excused;
            }
        }
    }

    /// A confirmation was emitted after the application had unsubscribed.
    pub(crate) fn known(&mut self, id: &str) {
        let n = self.subscription(id);
        self.at.ever.insert(n);
    }

    /// The subscription was refused for good. What was made at or after `since`, when that may
    /// have been decided, was for a subscription that was over.
    pub(crate) fn refused(&mut self, since: u64) {
        self.at.lapsed = true;
        for sent in self.sent.iter_mut().rev().take_while(|sent| sent.created >= since) {
            if sent.is_open() {
                sent.state = State::Excused;
            }
        }
    }

    /// The application unsubscribed: what is under way is not owed.
    pub(crate) fn unsubscribed(&mut self) {
        for sent in &mut self.sent[self.at.cursor..] {
            if sent.is_open() {
                sent.state = State::Excused;
            }
        }
        self.at.confirmed.clear();
        self.at.current = None;
    }

    /// The application got a notification.
    pub(crate) fn delivered(&mut self, uuid: &str) -> Verdict {
        let index = uuid.parse().ok().and_then(|uuid: u64| self.by_uuid.get(&uuid).copied());
        let Some(index) = index else { return violated("invented", format!("{uuid} was never sent")) };
        let sent = &self.sent[index];
        if sent.state == State::Delivered {
            return violated("duplicate", format!("{uuid} came twice"));
        }
        if !self.at.ever.contains(&sent.subscription) {
            return violated("foreign", format!("{uuid} is of a subscription that was never confirmed"));
        }
        if let Some(last) = self.at.last.filter(|last| *last >= index) {
            if matches!(sent.state, State::Excused | State::Lost | State::Stolen | State::Passed | State::Forgotten) {
                // The server had not delivered it in its time, or a life before the crash had got it and had not
                // written it down; it sends it again in a longer replay.
                self.sent[index].state = State::Delivered;
                self.unwritten.push(index);
                self.at.received = Some(index);
                return Ok(());
            }
            return violated("order", format!("{uuid} came after {}, which is newer", self.sent[last].uuid));
        }
        self.settle(index)?;
        self.sent[index].state = State::Delivered;
        self.unwritten.push(index);
        self.counts.delivered += 1;
        self.at.last = Some(index);
        self.at.received = Some(index);
        self.at.cursor = self.at.cursor.max(index + 1);
        self.count_gaps(self.sent[index].created);
        Ok(())
    }

    /// Nothing more can turn out to be missing in the gaps that end before `next`. A gap is a span of time: what was
    /// sent in it and is delivered after it does not end it.
    fn count_gaps(&mut self, next: u64) {
        for gap in self.at.gaps.extract_if(.., |gap| gap.until + 1_000 < next) {
            self.counts.gap_settled(gap.certainty, !gap.empty);
        }
    }

    /// Everything before `end` was delivered, is covered by a gap, or is not owed.
    fn settle(&mut self, end: usize) -> Verdict {
        for i in self.at.cursor..end {
            let Sent { uuid, created, subscription, state } = self.sent[i];
            let is_open = self.sent[i].is_open();
            if !is_open || !self.at.confirmed.contains(&subscription) {
                if is_open {
                    self.sent[i].state = State::Passed;
                }
                continue;
            }
            let latency = self.latency;
            let covers = |gap: &&mut ReportedGap| created <= gap.until + 1_000 && gap.since <= created + latency;
            let is_known;
            match self.at.gaps.iter_mut().find(covers) {
                Some(gap) => {
                    gap.empty = false;
                    // What the client cannot know of need not lie in a gap.
                    is_known = state == State::Due || gap.since <= created;
                }
                None if state != State::Due => {
                    if state == State::Lost
                        && self.silences.iter().any(|(since, until)| (since + 1..*until).contains(&created))
                    {
                        let what = format!("{uuid}, sent at {created} into a silent connection, is in no gap");
                        return violated("in-flight", what);
                    }
                    continue;
                }
                None => {
                    let gaps = &self.at.gaps;
                    let what = format!("{uuid}, sent at {created}, is neither delivered nor in a gap of {gaps:?}");
                    return violated("lost", what);
                }
            }
            self.sent[i].state = State::Passed;
            if self.watches && is_known {
                self.passed.push((uuid, created));
            }
            self.counts.covered += u64::from(state == State::Due);
        }
        Ok(())
    }

    /// A gap was emitted; times in µs of the simulation.
    pub(crate) fn gap(&mut self, gap: &Gap, since: u64, until: u64) -> Verdict {
        check_certainty(gap)?;
        let after = gap.after.as_deref();
        let last = self.at.received.map(|index| self.sent[index].uuid.to_string());
        if after != last.as_deref() {
            return violated("gap-after", format!("the gap begins after {after:?}, the last one was {last:?}"));
        }
        if since > until {
            return violated("gap-bounds", format!("from {since} until {until}"));
        }
        self.at.gaps.push(ReportedGap { since, until, empty: true, certainty: gap.certainty.as_str() });
        Ok(())
    }

    /// A snapshot was published: what was delivered is written down.
    pub(crate) fn publish(&mut self) -> Mark {
        self.unwritten.clear();
        self.at.clone()
    }

    /// The process died; the next one goes on from the mark, or knows nothing.
    pub(crate) fn crash(&mut self, mark: Option<Mark>) {
        let found = mark.is_some();
        self.at = mark.unwrap_or_else(|| {
            let last = self.sent.len();
            Mark { cursor: last, ..Mark::default() }
        });
        // The next process does not know what this one saw.
        for i in self.owed.drain(..) {
            if self.sent[i].state == State::Due {
                self.sent[i].state = State::Stolen;
            }
        }
        for i in self.unwritten.drain(..) {
            // What came late had been passed before, as what is written down says, and may come late again.
            let was_late = found && i < self.at.cursor;
            self.sent[i].state = if was_late { State::Passed } else { State::Forgotten };
        }
    }

    /// Nothing is under way any more.
    pub(crate) fn finish(&mut self) -> Verdict {
        self.settle(self.sent.len())?;
        self.at.cursor = self.sent.len();
        self.count_gaps(u64::MAX);
        Ok(())
    }

    /// How many are delivered, of those sent at or after this time.
    pub(crate) fn delivered_since(&self, time: u64) -> usize {
        let delivered = |sent: &&Sent| sent.state == State::Delivered;
        self.sent.iter().rev().take_while(|sent| sent.created >= time).filter(delivered).count()
    }
}
