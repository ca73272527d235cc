//! What the server sent against what the program printed before each of its deaths. Knows the line protocol, the
//! gateway's events and one member of the state file; shares no code with the client.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::Value;

use super::tally::Tally;

/// How much the clocks of two processes on one machine may differ, in ms.
const CLOCKS: u64 = 20;

/// How long before `since` of a gap something may have been sent and still not have come, in ms: a gap begins with
/// the last frame that was read, and what was on its way then was not.
const ON_ITS_WAY: u64 = 5_000;

/// So many notifications does the server keep for a session without a connection.
const BUFFER: usize = 100;

/// From so long on a wait may be reported, in ms.
const LONG_WAIT: u64 = 1_000;

/// So many lives are shown when the last of them is wrong: what it began with may come from the others.
const TRACED: usize = 3;

/// A line of the program.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// When it was read, in Unix ms.
    pub(super) at: u64,
    pub(super) json: Value,
}

/// How a life ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Killed,
    /// By the command `close`, mode `detach`.
    Detached,
}

/// What a life began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Session and login as the life before left them.
    Whole,
    /// There is a state file, and it cannot be used.
    Damaged,
    /// The session is there, the login is not: the server will not recover it.
    NoLogin,
    /// There is no state file: nothing is known of a life before.
    Nothing,
}

/// A life of the program, from its start to its death.
#[derive(Clone, Debug)]
pub(super) struct Life {
    pub(super) start: Start,
    pub(super) end: End,
    /// The whole lines. A torn last one was read by nobody.
    pub(super) lines: Vec<Line>,
    /// The member `last` of the state file it left, if it left one.
    pub(super) written: Option<Option<String>>,
}

/// What the server did. Filled from its receipts and events.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerLog {
    /// When each notification was sent, in Unix ms; its number is its place.
    pub(super) sent: Vec<u64>,
    /// Sessions see one notification under different ids.
    pub(super) numbers: BTreeMap<u64, usize>,
    /// What went into each connection, in order.
    pub(super) conns: BTreeMap<u64, Vec<usize>>,
    /// In which connections each id went.
    pub(super) went: BTreeMap<u64, Vec<u64>>,
    /// Size of the replay at the beginning of each connection that continued a session.
    pub(super) replayed: BTreeMap<u64, usize>,
    /// The subscription for which each number went into a connection: one that was replaced is not the client's.
    pub(super) subscriptions: BTreeMap<(u64, usize), Rc<str>>,
}

impl Life {
    /// Its lines in short: numbers for notifications, the rest as it is.
    fn describe(&self, log: &ServerLog) -> String {
        let mut trace = format!("{:?} to {:?}, written {:?}:", self.start, self.end, self.written);
        for Line { at, json } in &self.lines {
            let n = json["uuid"].as_str().and_then(|uuid| log.numbers.get(&uuid.parse().ok()?));
            trace += &n.map_or_else(|| format!("\n    {at} {json}"), |n| format!(" {n}"));
        }
        trace
    }
}

impl ServerLog {
    /// Whether the server itself sent the newer one first on this way: it may learn late that an older one was not
    /// delivered.
    fn went_before(&self, one: usize, other: usize, id: u64) -> bool {
        let conn = self.went.get(&id).and_then(|conns| conns.last());
        let sent = conn.and_then(|conn| self.conns.get(conn)).map_or(&[][..], Vec::as_slice);
        let place = |n| sent.iter().rposition(|sent| *sent == n);
        one != other && place(one).is_some_and(|one| place(other).is_some_and(|other| one < other))
    }

    /// What went before it on its way, for the same subscription.
    fn same_way(&self, n: usize, id: u64) -> BTreeSet<usize> {
        let Some(conn) = self.went.get(&id).and_then(|conns| conns.last()) else { return BTreeSet::new() };
        let subscription = |n| self.subscriptions.get(&(*conn, n));
        let before = self.conns.get(conn).into_iter().flatten().copied().take_while(|sent| *sent != n);
        before.filter(|sent| subscription(*sent) == subscription(n)).collect()
    }

    /// How many the newest connection had been sent by then. What comes before the end of a replay is known looks like
    /// more of it, and with what was sent before it may be as much as the buffer holds.
    fn sent_by(&self, at: u64) -> usize {
        let newest = self.replayed.keys().next_back().and_then(|conn| self.conns.get(conn));
        newest.into_iter().flatten().filter(|n| self.sent[**n] <= at).count()
    }

    /// Whether it was sent as it happened: what is replayed is old.
    fn is_live(&self, n: usize, id: u64) -> bool {
        let Some(conn) = self.went.get(&id).and_then(|conns| conns.last()) else { return false };
        let replayed = self.replayed.get(conn).copied().unwrap_or(0);
        let place = self.conns.get(conn).and_then(|sent| sent.iter().position(|other| *other == n));
        place.is_some_and(|place| place >= replayed)
    }
}

/// A gap that was printed.
#[derive(Clone, Copy, Debug)]
struct Gap {
    since: u64,
    until: u64,
    /// It was more than possible.
    likely: bool,
}

/// The chain of lives.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    pub(super) tally: Tally,
    /// Printed and written down.
    written: BTreeSet<usize>,
    /// Printed and not written down.
    unwritten: BTreeSet<usize>,
    /// The id in the state file.
    last: Option<String>,
    /// From here on everything is owed, once a subscription was printed.
    owed_from: Option<usize>,
    /// Gaps that count for what has not come.
    gaps: Vec<Gap>,
    after_detach: bool,
    lives: u64,
    /// The newest lives, for the trace.
    newest: Vec<Life>,
}

impl Oracle {
    fn violated(&mut self, what: &str) {
        let life = self.lives;
        self.tally.violations.push(format!("life {life}: {what}"));
    }

    /// Judges one life.
    pub(super) fn judge(&mut self, life: &Life, log: &ServerLog) {
        self.lives += 1;
        match life.start {
            Start::Whole => {}
            Start::Damaged => {
                self.tally.damaged += 1;
                self.last = None;
            }
            Start::NoLogin => self.tally.without_login += 1,
            Start::Nothing => {
                self.tally.without_state += 1;
                self.last = None;
                self.owed_from = None;
                self.gaps.clear();
            }
        }
        let mut printed = Printed { last: self.last.clone(), ..Printed::default() };
        for line in &life.lines {
            self.line(life, line, &mut printed, log);
        }
        self.tally.unborn += u64::from(!printed.connected);
        self.end(life, &printed, log);
        self.newest.push(life.clone());
        if self.newest.len() > TRACED {
            self.newest.remove(0);
        }
        if !self.tally.violations.is_empty() {
            let lives: Vec<_> = self.newest.iter().map(|life| life.describe(log)).collect();
            self.tally.trace = lives.join("\n  ");
        }
    }

    fn line(&mut self, life: &Life, line: &Line, printed: &mut Printed, log: &ServerLog) {
        let json = &line.json;
        match json["event"].as_str().unwrap_or_default() {
            "connected" => self.connected(life, json, printed),
            "subscribed" => {
                printed.subscribed = true;
                // What was made before the line was read may have been made before the subscription.
                let next = log.sent.partition_point(|at| *at <= line.at);
                self.owed_from.get_or_insert(next);
            }
            "gap" => self.gap(life, json, printed, log),
            "notification" => self.notification(line, printed, log),
            "recovered" | "recovery_failed" | "closed" => {}
            // A busy machine is no fault: a long wait is reported (REC-8).
            "progress" if json["elapsed_ms"].as_u64().is_some_and(|elapsed| elapsed >= LONG_WAIT) => {}
            "disconnected" if life.end == End::Detached => {}
            "error" if life.start == Start::Damaged && json["kind"] == "not_restored" => {}
            _ => self.violated(&format!("nothing went wrong, and yet: {json}")),
        }
    }

    fn connected(&mut self, life: &Life, json: &Value, printed: &mut Printed) {
        if std::mem::replace(&mut printed.connected, true) {
            self.violated("it connected twice");
        }
        let how = json["resumption"].as_str().unwrap_or_default();
        match how {
            "recovered" => self.tally.recovered += 1,
            "fresh" => self.tally.fresh += 1,
            _ => self.tally.lost += 1,
        }
        let right = match life.start {
            // A life that died young may have left nothing to continue, or a login that is no longer the session's.
            Start::Whole => true,
            Start::Damaged | Start::Nothing => how == "fresh",
            Start::NoLogin => how != "recovered",
        };
        if !right {
            self.violated(&format!("started with {:?} it connected as {how}", life.start));
        }
    }

    fn gap(&mut self, life: &Life, json: &Value, printed: &Printed, log: &ServerLog) {
        self.tally.gaps += 1;
        let (since, until) = (json["since"].as_u64(), json["until"].as_u64());
        let (Some(since), Some(until)) = (since, until) else { return self.violated("a gap without bounds") };
        if since > until {
            self.violated(&format!("a gap from {since} until {until}"));
        }
        if json["after"].as_str() != printed.last.as_deref() {
            self.violated(&format!("{json}, but the last one was {:?}", printed.last));
        }
        let slack = 2 * self.tally.slowest_ms + CLOCKS;
        let overflow = json["cause"] == "replay_overflow" && log.sent_by(until + slack) >= BUFFER;
        if self.after_detach && life.start == Start::Whole && !printed.notified && !overflow {
            self.violated(&format!("nothing was lost after an orderly end, and yet: {json}"));
        }
        self.gaps.push(Gap { since, until, likely: json["certainty"] != "possible" });
    }

    fn notification(&mut self, line: &Line, printed: &mut Printed, log: &ServerLog) {
        self.tally.printed += 1;
        let uuid = line.json["uuid"].as_str().unwrap_or_default();
        let known = uuid.parse().ok().and_then(|uuid: u64| Some((uuid, *log.numbers.get(&uuid)?)));
        let Some((id, n)) = known else { return self.violated(&format!("{uuid} was never sent")) };
        if line.json["body"]["n"].as_u64() != Some(n as u64) {
            self.violated(&format!("{n} came with another body"));
        }
        let live = log.is_live(n, id);
        if live {
            self.tally.slowest_ms = self.tally.slowest_ms.max(line.at.saturating_sub(log.sent[n]));
        }
        (printed.last, printed.notified) = (Some(uuid.to_owned()), true);
        if printed.numbers.last().is_some_and(|last| *last >= n && !log.went_before(*last, n, id)) {
            self.violated(&format!("{n} came after {:?}", printed.numbers.last()));
        }
        // Before what comes again nothing is owed any more: it was judged when that came first.
        self.settle(n, id, log, printed);
        if self.written.contains(&n) {
            self.violated(&format!("{n} was written down, and came again"));
        } else if self.unwritten.remove(&n) {
            self.tally.repeated += 1;
        }
        printed.numbers.push(n);
        // A buffer that overflowed is known before the whole replay. What was lost lies between what the dead process
        // had been sent, which comes first, and what the buffer holds.
        self.gaps.retain(|gap| gap.likely && !live);
    }

    /// Everything that was owed before `n` was printed, or lies in a gap printed since.
    fn settle(&mut self, n: usize, id: u64, log: &ServerLog, printed: &Printed) {
        let newest = self.written.iter().chain(&self.unwritten).chain(&printed.numbers).max();
        let from = self.owed_from.unwrap_or(n).max(newest.map_or(0, |newest| newest + 1));
        let same_way = log.same_way(n, id);
        for missed in from..n {
            let at = log.sent[missed];
            let slack = 2 * self.tally.slowest_ms + CLOCKS;
            if same_way.contains(&missed) {
                self.violated(&format!("{missed}, sent at {at}, went the same way before {n}, and was swallowed"));
            } else if self.gaps.iter().any(|gap| gap.since <= at + ON_ITS_WAY && at <= gap.until + slack) {
                self.tally.covered += 1;
            } else {
                let gaps = &self.gaps;
                self.violated(&format!("{missed}, sent at {at}, came not before {n}, and no gap of {gaps:?} has it"));
            }
        }
    }

    fn end(&mut self, life: &Life, printed: &Printed, log: &ServerLog) {
        // What was under way at an orderly end may have left a doubt.
        let settled = printed.notified && (printed.subscribed || self.after_detach && life.start == Start::Whole);
        self.after_detach = life.end == End::Detached && settled;
        match life.end {
            End::Killed => self.tally.kills += 1,
            End::Detached => self.tally.detached += 1,
        }
        let number = |id: &Option<String>| log.numbers.get(&id.as_ref()?.parse().ok()?).copied();
        let kept = match &life.written {
            // None was written in this life, or it cannot be read because nobody has written it anew.
            None => self.last.clone(),
            Some(last) => last.clone(),
        };
        // PST-4: what is written down was printed.
        let upto = match number(&kept) {
            Some(n) if printed.numbers.contains(&n) => {
                printed.numbers.iter().position(|p| *p == n).map_or(0, |i| i + 1)
            }
            _ if kept == self.last => 0,
            _ => {
                self.violated(&format!("the state file is ahead: it names {kept:?}"));
                0
            }
        };
        if life.end == End::Detached && upto < printed.numbers.len() {
            self.violated("an orderly end did not write down what was printed");
        }
        self.written.extend(&printed.numbers[..upto]);
        self.tally.unwritten += (printed.numbers.len() - upto) as u64;
        self.unwritten.extend(&printed.numbers[upto..]);
        self.last = kept;
    }
}

/// What one life has printed so far.
#[derive(Debug, Default)]
struct Printed {
    connected: bool,
    subscribed: bool,
    notified: bool,
    last: Option<String>,
    numbers: Vec<usize>,
}

#[cfg(test)]
mod tests;
