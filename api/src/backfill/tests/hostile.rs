//! Answers that no service should give: nothing panics, every gap comes to its end, and bounds hold.

use ringcentral_ws_core::RecordKind;

use super::random::Rng;
use super::*;

const FRAGMENTS: [&str; 24] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "\"records\":[",
    "\"syncInfo\":{",
    "\"olderRecordsExist\":true",
    "\"syncToken\":\"t\"",
    "\"syncToken\":7",
    "\"syncTime\":\"9999-12-31T23:59:59.999Z\"",
    "\"syncTime\":\"1970-01-01T00:00:00Z\"",
    "\"paging\":{\"totalPages\":4294967295}",
    "\"navigation\":{\"prevPageToken\":\"p\"}",
    "\"id\":18446744073709551615",
    "\"id\":\"\\ud83d\"",
    "\"type\":\"SMS\"",
    "\"creationTime\":\"9999-12-31T23:59:60Z\"",
    "\"lastModifiedTime\":\"1970-01-01T00:00:00-2399\"",
    "\"startTime\":\"2023-11-14T22:13:20Z\",\"duration\":18446744073709551615",
    "é",
    "\u{0}",
];

/// Whole answers, so that some of what comes of fragments is read.
const ANSWERS: [&str; 7] = [
    r#"{"records":[{"id":1,"creationTime":"2023-11-14T22:13:20Z"}],"syncInfo":{"olderRecordsExist":true,"syncToken":"t"}}"#,
    r#"{"records":[{"id":null},{"id":{}},[],7,"a"],"syncInfo":{"olderRecordsExist":true}}"#,
    r#"{"records":[{"id":"c1"},{"id":"c2","lastModifiedTime":"9999-01-01T00:00:00Z"}]}"#,
    r#"{"records":[{"id":"p","creationTime":"2030-01-01T00:00:00Z"}],"navigation":{"prevPageToken":"next"}}"#,
    r#"{"records":[{"extension":{"id":1}}],"paging":{"totalPages":100000}}"#,
    r#"{"records":[],"syncInfo":{"syncTime":"0000-00-00T00:00:00Z","syncToken":""}}"#,
    r#"{"records":[{"id":1,"startTime":"2023-11-14T22:13:20.123+0100","duration":7}],"syncInfo":{"syncTime":"2023-11-14T22:13:20.123Z"}}"#,
];

fn body(rng: &mut Rng) -> String {
    if rng.chance(60) {
        return ANSWERS[rng.below(ANSWERS.len() as u64) as usize].to_owned();
    }
    (0..rng.below(12)).map(|_| FRAGMENTS[rng.below(FRAGMENTS.len() as u64) as usize]).collect()
}

#[test]
fn no_answer_breaks_anything() {
    let filters = [
        Filter::message_store(),
        Filter::sms(),
        Filter::telephony_sessions(),
        Filter::account_presence(),
        Filter::presence(),
        Filter::team_posts(),
    ];
    for seed in 0..60 {
        let mut rng = Rng(seed);
        let settings = quick().most(300, 1 << 16).calls_per_minute(CallGroup::Light, 1000);
        let mut lab = Lab::new(settings.clone(), &filters);
        lab.ms = rng.below(1 << 42);
        let (since, until) = (rng.below(1 << 42), rng.below(1 << 42));
        lab.gap(since, until);
        let mut calls = 0;
        let filled = loop {
            match lab.step() {
                FillStep::Filled(filled) => break filled,
                FillStep::Wait(at) => lab.ms = at.expect("a time").as_micros().div_ceil(1000),
                FillStep::Call(call) => {
                    calls += 1;
                    let status = [200, 200, 200, 200, 400, 429, 503, 204, 99, 999][rng.below(10) as usize];
                    let wait = ["0", "-1", "1e9", "x", "Wed, 21 Oct 2015 07:28:00 GMT"][rng.below(5) as usize];
                    let left = ["0", "99999999999999999999", "-7"][rng.below(3) as usize];
                    let pairs = [("Retry-After", wait), ("X-Rate-Limit-Remaining", left)];
                    lab.answer_with(&call, status, &pairs, &body(&mut rng));
                }
            }
        };
        assert!(calls <= 1000 && filled.records.len() <= 300 && filled.bytes() <= 1 << 16, "seed {seed}: {calls}");
        let state = lab.filler.state(clock(lab.ms)).to_json();
        assert!(state.len() < 100_000);
        let _ = GapFiller::restore(settings, BackfillState::from_json(&state).unwrap(), 1, clock(lab.ms));
    }
}

#[test]
fn a_letter_that_is_another_one_breaks_nothing() {
    for whole in ANSWERS {
        for at in 0..whole.len() {
            for other in ["é", "€", "😀", "0", "-", "."] {
                let damaged = [&whole[..at], other, &whole[at + 1..]].concat();
                let mut lab = Lab::new(quick().attempts(1), &[Filter::sms(), Filter::telephony_sessions()]);
                lab.gap(lab.ms, lab.ms + 1000);
                while let FillStep::Call(call) = lab.step_or_wait() {
                    lab.answer(&call, &damaged);
                }
            }
        }
    }
}

#[test]
fn a_gap_costs_no_more_than_so_many_calls() {
    let settings = quick().calls_per_minute(CallGroup::Medium, 1000);
    let mut lab = Lab::primed(settings, &[Filter::team_posts()]);
    lab.gap(lab.ms - 1000, lab.ms);
    let chats: Vec<_> = (0..200).map(|n| format!(r#"{{"id":"{n}"}}"#)).collect();
    let mut calls = 0;
    let filled = loop {
        match lab.step() {
            FillStep::Filled(filled) => break filled,
            FillStep::Wait(at) => lab.ms = at.expect("a time").as_micros().div_ceil(1000),
            FillStep::Call(call) if calls == 0 => {
                calls += 1;
                lab.answer(&call, &format!(r#"{{"records":[{}]}}"#, chats.join(",")));
            }
            FillStep::Call(call) => {
                calls += 1;
                lab.answer(&call, &format!(r#"{{"records":[{{}}],"navigation":{{"prevPageToken":"{calls}"}}}}"#));
            }
        }
    };
    assert_eq!((calls, filled.complete), (1000, false));
    assert!(filled.unfilled.contains(&ringcentral_ws_core::Unfilled::TooMany(RecordKind::Post)));
}
