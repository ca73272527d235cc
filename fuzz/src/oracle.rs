//! What the server sent against what the application got. Shares no code with the Session.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ringcentral_ws_core::RequestOutcome;

/// The property that was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check.
    pub check: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

pub(crate) type Verdict = Result<(), Violation>;

pub(crate) fn violated(check: &'static str, what: String) -> Verdict {
    Err(Violation { check, what })
}

/// Whether a request is said not to have left.
pub(crate) const fn never_left(outcome: &RequestOutcome) -> bool {
    matches!(
        outcome,
        RequestOutcome::NotSent(_)
            | RequestOutcome::TimedOut { sent: false }
            | RequestOutcome::Cancelled { sent: false }
    )
}

/// How a notification stands with the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not delivered.
    Due,
    /// Nothing is owed: the server said it is lost without a way for the client to know, or it is unwanted.
    Excused,
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

#[derive(Clone, Copy, Debug)]
struct ToldGap {
    since: u64,
    until: u64,
    /// No fault explains it, and nothing turned out to be missing in it.
    empty: bool,
}

/// What is written down with a published snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark {
    cursor: usize,
    last: Option<usize>,
    /// What the application was given last, late ones included.
    told: Option<usize>,
    gaps: Vec<ToldGap>,
    confirmed: BTreeSet<u32>,
    ever: BTreeSet<u32>,
    /// The one that stands; another one takes its place.
    current: Option<u32>,
    retired: BTreeSet<u32>,
    /// The application was told that it may get nothing until further notice.
    lapsed: bool,
}

/// The books of one client.
#[derive(Clone, Debug, Default)]
pub(crate) struct Oracle {
    sent: Vec<Sent>,
    by_uuid: BTreeMap<u64, usize>,
    subscriptions: BTreeMap<Box<str>, u32>,
    /// How many notifications had been made when each subscription came to be.
    born: Vec<usize>,
    at: Mark,
    /// Delivered since the last publication.
    unwritten: Vec<usize>,
    /// How much later than it was sent a frame can arrive.
    pub(crate) latency: u64,
    pub(crate) delivered: u64,
    pub(crate) covered: u64,
    pub(crate) excused: u64,
    pub(crate) late: u64,
    pub(crate) false_alarms: u64,
}

impl Oracle {
    /// `latency`: how much later than it was sent a frame can arrive.
    pub(crate) fn new(latency: u64) -> Self {
        Self { latency, ..Self::default() }
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
    }

    /// The server lost one in a way the client cannot know of.
    pub(crate) fn excuse(&mut self, uuid: u64) {
        if let Some(at) = self.by_uuid.get(&uuid)
            && self.sent[*at].state == State::Due
        {
            self.sent[*at].state = State::Excused;
            self.excused += 1;
        }
    }

    /// The application was told that the subscription stands.
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
            for sent in self.sent[born..].iter_mut().filter(|s| s.subscription == old && s.state == State::Due) {
                sent.state = State::Excused;
            }
        }
    }

    /// The application was told of a subscription it no longer wants.
    pub(crate) fn known(&mut self, id: &str) {
        let n = self.subscription(id);
        self.at.ever.insert(n);
    }

    /// The application was told that its wish is refused for good. What was made at or after `since`, when that may
    /// have been decided, was for a subscription that was over.
    pub(crate) fn refused(&mut self, since: u64) {
        self.at.lapsed = true;
        for sent in self.sent.iter_mut().rev().take_while(|sent| sent.created >= since) {
            if sent.state == State::Due {
                sent.state = State::Excused;
            }
        }
    }

    /// The application wants nothing any more: what is under way is not owed.
    pub(crate) fn unwanted(&mut self) {
        for sent in &mut self.sent[self.at.cursor..] {
            if sent.state == State::Due {
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
            if matches!(sent.state, State::Excused | State::Passed | State::Forgotten) {
                // The server had not delivered it in its time, or a life before the crash had got it and had not
                // written it down; it sends it again in a longer replay.
                self.sent[index].state = State::Delivered;
                self.unwritten.push(index);
                self.late += 1;
                self.at.told = Some(index);
                return Ok(());
            }
            return violated("order", format!("{uuid} came after {}, which is newer", self.sent[last].uuid));
        }
        self.settle(index)?;
        self.sent[index].state = State::Delivered;
        self.unwritten.push(index);
        self.delivered += 1;
        self.at.last = Some(index);
        self.at.told = Some(index);
        self.at.cursor = self.at.cursor.max(index + 1);
        self.false_alarms += self.at.gaps.iter().filter(|gap| gap.empty).count() as u64;
        self.at.gaps.clear();
        Ok(())
    }

    /// Everything before `end` was delivered, is covered by a gap, or is not owed.
    fn settle(&mut self, end: usize) -> Verdict {
        for i in self.at.cursor..end {
            let Sent { uuid, created, subscription, state } = self.sent[i];
            if state != State::Due || !self.at.confirmed.contains(&subscription) {
                if state == State::Due {
                    self.sent[i].state = State::Passed;
                }
                continue;
            }
            let latency = self.latency;
            let cover =
                self.at.gaps.iter_mut().find(|gap| created <= gap.until + 1_000 && gap.since <= created + latency);
            match cover {
                Some(gap) => gap.empty = false,
                None => {
                    let gaps = &self.at.gaps;
                    let what = format!("{uuid}, sent at {created}, is neither delivered nor in a gap of {gaps:?}");
                    return violated("lost", what);
                }
            }
            self.sent[i].state = State::Passed;
            self.covered += 1;
        }
        Ok(())
    }

    /// The application was told of a gap; times in µs of the simulation.
    pub(crate) fn gap(&mut self, after: Option<&str>, since: u64, until: u64) -> Verdict {
        let last = self.at.told.map(|told| self.sent[told].uuid.to_string());
        if after != last.as_deref() {
            return violated("gap-after", format!("the gap begins after {after:?}, the last one was {last:?}"));
        }
        if since > until {
            return violated("gap-bounds", format!("from {since} until {until}"));
        }
        self.at.gaps.push(ToldGap { since, until, empty: true });
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
        self.false_alarms += self.at.gaps.iter().filter(|gap| gap.empty).count() as u64;
        self.at.gaps.clear();
        Ok(())
    }

    /// How many are delivered, of those sent at or after this time.
    pub(crate) fn delivered_since(&self, time: u64) -> usize {
        let delivered = |sent: &&Sent| sent.state == State::Delivered;
        self.sent.iter().rev().take_while(|sent| sent.created >= time).filter(delivered).count()
    }

    pub(crate) fn made_count(&self) -> u64 {
        self.sent.len() as u64
    }
}
