//! Each judgement of the oracle, on lives of a few lines.

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
        subscriptions: BTreeMap::new(),
    }
}

fn at(at: u64, json: Value) -> Line {
    Line { at, json }
}

fn number(n: u64) -> Line {
    at(10_000 * (n + 1), json!({ "event": "notification", "uuid": n.to_string(), "body": { "n": n } }))
}

fn gap(after: Option<&str>, since: u64, until: u64) -> Line {
    gap_of(["restored", "possible"], after, since, until)
}

fn gap_of([cause, certainty]: [&str; 2], after: Option<&str>, since: u64, until: u64) -> Line {
    at(
        until,
        json!({
            "event": "gap", "cause": cause, "certainty": certainty, "after": after, "since": since, "until": until
        }),
    )
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
    judge_with(&log(), &[first, second])
}

fn judge_with(log: &ServerLog, lives: &[&Life]) -> String {
    let mut oracle = Oracle::default();
    lives.iter().for_each(|life| oracle.judge(life, log));
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

const OVERFLOW: [&str; 2] = ["replay_overflow", "probable"];

// CLAUSE REC-5
#[test]
fn an_overflow_that_was_reported_before_a_replay_covers_a_hole_in_it() {
    let first = killed("1", &[number(0), number(1)]);
    // What the dead process was sent, and what the buffer still holds; 3 fell out.
    let holed = |replayed| ServerLog {
        conns: BTreeMap::from([(1, vec![0, 1, 2]), (2, vec![2, 4])]),
        went: BTreeMap::from([(0, vec![1]), (1, vec![1]), (2, vec![1, 2]), (4, vec![2])]),
        replayed: BTreeMap::from([(2, replayed)]),
        ..log()
    };
    let judge = |replayed, gap| judge_with(&holed(replayed), &[&first, &next(&[gap, number(2), number(4)])]);
    assert_eq!(judge(2, gap_of(OVERFLOW, Some("1"), 15_000, 45_000)), "");
    for found in [
        // 2 was sent as it happened.
        judge(0, gap_of(OVERFLOW, Some("1"), 15_000, 45_000)),
        // Nothing was said about the buffer.
        judge(2, gap(Some("1"), 15_000, 45_000)),
        // It ends too early.
        judge(2, gap_of(OVERFLOW, Some("1"), 15_000, 35_000)),
    ] {
        assert!(found.contains("3, sent at 40000, came not before 4, and no gap"), "{found}");
    }
}

// CLAUSE SUB-4
// CLAUSE REC-5
#[test]
fn what_came_for_a_subscription_that_was_replaced_lies_in_a_gap() {
    let (old, new): (Rc<str>, Rc<str>) = ("old".into(), "new".into());
    let first = killed("1", &[number(0), number(1)]);
    let replaced = |third: &Rc<str>| ServerLog {
        subscriptions: BTreeMap::from([((2, 3), third.clone()), ((2, 4), new.clone())]),
        ..log()
    };
    let lost = gap_of(["subscription_lost", "probable"], Some("1"), 15_000, 45_000);
    let second = Life { written: None, ..next(&[lost, number(4)]) };
    assert_eq!(judge_with(&replaced(&old), &[&first, &second]), "");
    // It comes again, and what lies before it was covered already.
    let third = next(&[gap(Some("1"), 46_000, 55_000), number(4)]);
    assert_eq!(judge_with(&replaced(&old), &[&first, &second, &third]), "");
    let found = judge_with(&replaced(&old), &[&first, &next(&[number(4)])]);
    assert!(found.contains("3, sent at 40000, came not before 4, and no gap"), "{found}");
    let found = judge_with(&replaced(&new), &[&first, &second]);
    assert!(found.contains("3, sent at 40000, went the same way before 4, and was swallowed"), "{found}");
}

// CLAUSE REC-5
#[test]
fn after_an_orderly_end_only_a_full_buffer_is_in_doubt() {
    let orderly = life(Start::Nothing, End::Detached, Some("2"), &[number(0), number(1), number(2)]);
    let last = 2 + BUFFER;
    let log = ServerLog {
        sent: (0..=last as u64).map(|n| 10_000 * (n + 1)).collect(),
        numbers: (0..=last).map(|n| (n as u64, n)).collect(),
        conns: BTreeMap::from([(1, vec![0, 1, 2]), (2, (3..=last).collect())]),
        went: (0..=last).map(|n| (n as u64, vec![if n < 3 { 1 } else { 2 }])).collect(),
        // The others came before the client knew that it was the end.
        replayed: BTreeMap::from([(1, 0), (2, BUFFER - 10)]),
        ..ServerLog::default()
    };
    let judge = |what, until| {
        let gap = gap_of(what, Some("2"), 30_000, until);
        judge_with(&log, &[&orderly, &life(Start::Whole, End::Killed, Some("2"), &[gap])])
    };
    let full = log.sent[last];
    assert_eq!(judge(OVERFLOW, full), "");
    for found in [judge(OVERFLOW, full - 5_000), judge(["replay_interrupted", "possible"], full)] {
        assert!(found.contains("orderly end, and yet"), "{found}");
    }
}

// CLAUSE REC-8
#[test]
fn only_a_long_wait_may_be_reported() {
    let first = killed("0", &[number(0)]);
    let waited = |elapsed: u64| judge(&first, &next(&[at(0, json!({ "event": "progress", "elapsed_ms": elapsed }))]));
    assert!(waited(LONG_WAIT - 1).contains("nothing went wrong"), "{}", waited(LONG_WAIT - 1));
    assert!(!waited(1_505).contains("nothing went wrong"), "{}", waited(1_505));
}
