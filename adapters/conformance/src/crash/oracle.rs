//! What the server sent against what the program printed before each of its deaths. Knows the line protocol, the
//! gateway's events and one member of the state file; shares no code with the client.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::tally::Tally;

/// How much the clocks of two processes on one machine may differ, in ms.
const CLOCKS: u64 = 20;

/// How long before `since` of a gap something may have been sent and still not have come, in ms: a gap begins with
/// the last frame that was read, and what was on its way then was not.
const ON_ITS_WAY: u64 = 5_000;

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

    /// Whether it was sent as it happened: what is replayed is old.
    fn is_live(&self, n: usize, id: u64) -> bool {
        let Some(conn) = self.went.get(&id).and_then(|conns| conns.last()) else { return false };
        let replayed = self.replayed.get(conn).copied().unwrap_or(0);
        let place = self.conns.get(conn).and_then(|sent| sent.iter().position(|other| *other == n));
        place.is_some_and(|place| place >= replayed)
    }
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
    /// Gaps printed since the newest notification.
    gaps: Vec<(u64, u64)>,
    /// The subscription that was printed last.
    subscription: Option<String>,
    /// It took the place of another one, and nothing came of it yet.
    replaced: bool,
    after_detach: bool,
    lives: u64,
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
        if !self.tally.violations.is_empty() {
            self.tally.trace = life.describe(log);
        }
    }

    fn line(&mut self, life: &Life, line: &Line, printed: &mut Printed, log: &ServerLog) {
        let json = &line.json;
        match json["event"].as_str().unwrap_or_default() {
            "connected" => self.connected(life, json, printed),
            "subscribed" => {
                printed.subscribed = true;
                let id = json["id"].as_str().map(str::to_owned);
                // One whose confirmation died with a process is replaced, and what came for it is not delivered.
                self.replaced |= std::mem::replace(&mut self.subscription, id.clone()) != id;
                // What was made before the line was read may have been made before the subscription.
                let next = log.sent.partition_point(|at| *at <= line.at);
                self.owed_from.get_or_insert(next);
            }
            "gap" => self.gap(life, json, printed, log),
            "notification" => self.notification(line, printed, log),
            "recovered" | "recovery_failed" | "closed" => {}
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
        let overflow = log.replayed.values().next_back().is_some_and(|size| *size >= 100);
        if self.after_detach && life.start == Start::Whole && !printed.notified && !overflow {
            self.violated(&format!("nothing was lost after an orderly end, and yet: {json}"));
        }
        self.gaps.push((since, until));
    }

    fn notification(&mut self, line: &Line, printed: &mut Printed, log: &ServerLog) {
        self.tally.printed += 1;
        let uuid = line.json["uuid"].as_str().unwrap_or_default();
        let known = uuid.parse().ok().and_then(|uuid: u64| Some((uuid, *log.numbers.get(&uuid)?)));
        let Some((id, n)) = known else { return self.violated(&format!("{uuid} was never sent")) };
        if line.json["body"]["n"].as_u64() != Some(n as u64) {
            self.violated(&format!("{n} came with another body"));
        }
        if log.is_live(n, id) {
            self.tally.slowest_ms = self.tally.slowest_ms.max(line.at.saturating_sub(log.sent[n]));
        }
        (printed.last, printed.notified) = (Some(uuid.to_owned()), true);
        if printed.numbers.last().is_some_and(|last| *last >= n && !log.went_before(*last, n, id)) {
            self.violated(&format!("{n} came after {:?}", printed.numbers.last()));
        }
        if self.written.contains(&n) {
            self.violated(&format!("{n} was written down, and came again"));
        } else if self.unwritten.remove(&n) {
            self.tally.repeated += 1;
        }
        self.settle(n, id, log, printed);
        printed.numbers.push(n);
        self.replaced = false;
        self.gaps.clear();
    }

    /// Everything that was owed before `n` was printed, or lies in a gap printed since.
    fn settle(&mut self, n: usize, id: u64, log: &ServerLog, printed: &Printed) {
        let newest = self.written.iter().chain(&self.unwritten).chain(&printed.numbers).max();
        let from = self.owed_from.unwrap_or(n).max(newest.map_or(0, |newest| newest + 1));
        let before = |conn: &u64| log.conns.get(conn).into_iter().flatten().take_while(|sent| **sent != n);
        let conn = log.went.get(&id).and_then(|conns| conns.last());
        let same_way: BTreeSet<usize> = conn.into_iter().flat_map(before).copied().collect();
        for missed in from..n {
            let at = log.sent[missed];
            let slack = 2 * self.tally.slowest_ms + CLOCKS;
            if same_way.contains(&missed) && !self.replaced {
                self.violated(&format!("{missed} went the same way before {n}, and was swallowed"));
            } else if self.gaps.iter().any(|(since, until)| *since <= at + ON_ITS_WAY && at <= until + slack) {
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
mod tests {
    use serde_json::json;

    use super::*;

    /// Five notifications, one in ten seconds, in one connection; their ids are their numbers.
    fn log() -> ServerLog {
        ServerLog {
            sent: (0..5).map(|n| 10_000 * (n + 1)).collect(),
            numbers: (0..5).map(|n| (n, usize::try_from(n).unwrap())).collect(),
            conns: BTreeMap::from([(1, vec![0, 1, 2]), (2, vec![3, 4])]),
            went: (0..5).map(|n| (n, vec![if n < 3 { 1 } else { 2 }])).collect(),
            replayed: BTreeMap::new(),
        }
    }

    fn at(at: u64, json: Value) -> Line {
        Line { at, json }
    }

    fn number(n: u64) -> Line {
        at(10_000 * (n + 1), json!({ "event": "notification", "uuid": n.to_string(), "body": { "n": n } }))
    }

    fn gap(after: Option<&str>, since: u64, until: u64) -> Line {
        at(until, json!({ "event": "gap", "cause": "restored", "after": after, "since": since, "until": until }))
    }

    fn life(start: Start, end: End, written: Option<&str>, lines: &[Line]) -> Life {
        let mut all = vec![
            at(
                0,
                json!({ "event": "connected", "resumption": if start == Start::Nothing { "fresh" } else { "recovered" } }),
            ),
            at(0, json!({ "event": "subscribed", "id": "s" })),
        ];
        all.extend(lines.iter().cloned());
        Life { start, end, lines: all, written: Some(written.map(str::to_owned)) }
    }

    /// What is found in a first and a second life.
    fn judge(first: &Life, second: &Life) -> String {
        let mut oracle = Oracle::default();
        oracle.judge(first, &log());
        oracle.judge(second, &log());
        oracle.tally.violations.join("; ")
    }

    fn killed(written: &str, lines: &[Line]) -> Life {
        life(Start::Nothing, End::Killed, Some(written), lines)
    }

    fn next(lines: &[Line]) -> Life {
        life(Start::Whole, End::Killed, Some("4"), lines)
    }

    // CLAUSE PST-4
    #[test]
    fn what_may_happen_is_no_violation() {
        let first = killed("1", &[number(0), number(1), number(2)]);
        let whole = gap(Some("1"), 15_000, 45_000);
        for lines in [&[whole.clone(), number(2), number(3), number(4)][..], &[whole.clone(), number(3), number(4)]] {
            assert_eq!(judge(&first, &next(lines)), "");
        }
        let early = killed("0", &[number(0)]);
        assert_eq!(judge(&early, &next(&[gap(Some("0"), 9_000, 45_000), number(3), number(4)])), "");
    }

    // CLAUSE PST-4
    #[test]
    fn what_must_not_happen_is_found() {
        let first = killed("1", &[number(0), number(1), number(2)]);
        let short = killed("1", &[number(0), number(1)]);
        let orderly = life(Start::Nothing, End::Detached, Some("2"), &[number(0), number(1), number(2)]);
        let whole = || gap(Some("1"), 15_000, 45_000);
        let cases = [
            ("came again", judge(&first, &next(&[whole(), number(1)]))),
            ("no gap", judge(&short, &next(&[number(3)]))),
            ("no gap", judge(&short, &next(&[gap(Some("1"), 36_000, 45_000), number(3)]))),
            ("the last one was", judge(&first, &next(&[gap(Some("2"), 15_000, 45_000), number(3)]))),
            ("swallowed", judge(&first, &next(&[whole(), number(4)]))),
            ("came after", judge(&first, &next(&[whole(), number(4), number(3)]))),
            ("never sent", judge(&first, &next(&[number(77)]))),
            ("is ahead", judge(&killed("3", &[number(0)]), &next(&[]))),
            ("orderly end, and yet", judge(&orderly, &next(&[gap(Some("2"), 1, 90_000), number(3)]))),
            ("as recovered", judge(&first, &life(Start::Damaged, End::Killed, None, &[]))),
            ("as recovered", judge(&first, &life(Start::NoLogin, End::Killed, None, &[]))),
            ("nothing went wrong", judge(&first, &next(&[at(0, json!({ "event": "protocol_error" }))]))),
            ("nothing went wrong", judge(&first, &next(&[at(0, json!({ "event": "error", "kind": "not_restored" }))]))),
        ];
        for (expected, found) in cases {
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }
}
