//! What a server or a stranger can write, through each printer: nothing of it acts on a terminal (SEC-5).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::HeaderMap;
use ringcentral_ws_core::classify::ApiError;
use ringcentral_ws_core::{
    Backfilled, Body, Cause, Certainty, CloseReason, ConnId, DisabledFilter, Event, FetchedRecord, Filters, Gap,
    GapCause, Phase, RecordKind, SubscriptionId, SubscriptionInfo, Timestamp, Unfilled, UnixMillis, Via, WaitReason,
};
use serde_json::{Value, json};

use super::{human, json};
use crate::terminal::escape;
use crate::{Debug, RequestErrorKind, Response};

/// Each begins and ends with a letter.
const HOSTILE: [&str; 12] = [
    "a\u{1b}[2J\u{1b}]0;title\u{7}z",
    "a\u{1b}]52;c;cm0gLXJm\u{1b}\\z",
    "a\nGAP            forgedz",
    "a\r\nclosed\rz",
    "a\tb\u{8}\u{8}\u{7f}\0z",
    "a\u{9b}31m\u{90}q\u{9c}\u{85}z",
    "a\u{202e}gpj.exe\u{202c}z",
    "a\u{2066}b\u{2069}\u{61c}\u{200f}z",
    "a\u{200b}\u{200d}\u{feff}\u{ad}z",
    "a\u{e0001}\u{e0041}\u{e007f}z",
    "a\u{fe00}\u{e0100}\u{3164}\u{115f}z",
    "a\u{2028}b\u{2029}z",
];

fn events(bad: &str) -> Vec<Event> {
    let text = || Box::<str>::from(bad);
    let (conn, id) = (ConnId::from(1), SubscriptionId::from(1));
    let (at, delay) = (Timestamp::ZERO, Duration::from_secs(1));
    let body =
        json!({ "errorCode": bad, "message": bad, "errors": [{ "errorCode": bad, "message": bad }] }).to_string();
    let error = || ApiError::from_reply(403, &HeaderMap::new(), body.as_bytes());
    let causes = || {
        [
            Cause::ConnectFailed { phase: Phase::Tls, message: text() },
            Cause::Network { phase: Phase::Dns, message: text() },
            Cause::Credentials { code: Some(text()), message: text() },
            Cause::LoginLimit { message: text() },
            Cause::TokenCall(Box::new(error())),
            Cause::Forbidden(Box::new(error())),
            Cause::ConnectionError { code: Some(text()) },
        ]
    };
    let off = DisabledFilter { filter: text(), reason: text(), message: text() };
    let info = SubscriptionInfo {
        id,
        server_id: text(),
        requested: Filters::new(["/a"]).unwrap(),
        filters: vec![text(), text()],
        disabled: vec![off],
        expires_in: None,
        status: Some(text()),
        transport: Some(text()),
    };
    let gap = |cause| Gap {
        certainty: Certainty::Probable,
        cause,
        after: Some(text()),
        since: UnixMillis(1),
        until: UnixMillis(2),
    };
    let mut events = vec![
        Event::Subscribed(Box::new(info)),
        Event::SubscriptionFailed { id, error: Box::new(error()), retry_at: None, delay: None },
        Event::RecoveryFailed { conn, code: Some(text()) },
        Event::Gap(gap(GapCause::RecoveryFailed(Some(text())))),
        Event::Gap(gap(GapCause::WindowPassed)),
        Event::Backfill(Box::new(backfill(gap(GapCause::WindowPassed), bad))),
    ];
    for cause in causes() {
        events.push(Event::Retry { attempt: 1, cause: cause.clone(), at, delay, reason: WaitReason::Backoff });
        events.push(Event::Disconnected { conn, cause: cause.clone(), reason: None });
        events.push(Event::Disconnected { conn, cause: cause.clone(), reason: Some(text()) });
        events.push(Event::Closed { reason: CloseReason::Permanent(cause) });
    }
    events
}

/// Records with line breaks between their tokens, and what is missing.
fn backfill(gap: Gap, bad: &str) -> Backfilled {
    let texts = [format!("{{\r\n\"subject\"\n:{}\n}}", json!(bad)), format!("{{\n{}:\n1.50}}", json!(bad))];
    let record = |text: &String| FetchedRecord::new(RecordKind::Message, bad.into(), None, text.as_str().into());
    let refused = Unfilled::Refused { what: RecordKind::Call, status: 403, code: Some(bad.into()) };
    Backfilled::new(gap, texts.iter().map(record).collect(), vec![Unfilled::NoList(bad.into()), refused])
}

/// One line on which nothing acts.
fn check(line: &str) {
    assert_eq!(escape(line), line);
}

// CLAUSE SEC-5
#[test]
fn nothing_hostile_reaches_a_person() {
    for bad in HOSTILE {
        for event in events(bad) {
            let lines = human::event(&event).unwrap();
            let more = match &event {
                Event::Subscribed(info) => info.filters.len() + info.disabled.len() + info.problems().len(),
                Event::Backfill(fetched) => fetched.records.len() + fetched.unfilled.len(),
                _ => 0,
            };
            assert_eq!(lines.lines().count(), 1 + more, "no line is forged: {lines:?}");
            lines.split('\n').for_each(check);
        }
        let bodies = [
            json!({ "subject": bad }).to_string(),
            json!({ "text": bad, "eventType": "PostAdded" }).to_string(),
            format!("{{\r\n\"text\"\n:{}\n}}", json!(bad)),
        ];
        bodies.iter().for_each(|body| check(&human::short(body)));
    }
}

// CLAUSE SEC-5
#[test]
fn a_line_of_json_is_one_line_and_says_what_was_said() {
    let check = |line: &str| {
        check(line);
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    for bad in HOSTILE {
        for event in events(bad) {
            let value = check(&json::event(&event).unwrap());
            if let Event::Subscribed(_) = event {
                assert_eq!((&value["id"], &value["filters"][1]), (&json!(bad), &json!(bad)));
                assert_eq!(value["disabled"][0]["message"], bad);
            }
            if let Event::Backfill(_) = event {
                assert_eq!(value["records"][0]["body"], json!({ "subject": bad }));
                assert_eq!(value["records"][1]["body"], json!({ bad: 1.5 }));
            }
        }
        assert_eq!(check(&json::error(bad))["message"], bad);
        let raw = format!("{{\r\n\t\"text\"\n: {},\n\n\"n\":1.50}}\n", json!(bad));
        for (sent, expected) in [(raw, json!({ "text": bad, "n": 1.5 })), (bad.to_owned(), json!(bad))] {
            let response = http::Response::builder().header("x", "a\u{85}\u{202e}z");
            let response = response.body(Body::from(sent)).unwrap();
            let value = check(&json::response(&json!(bad), &Ok(Response::new(response, Via::Https))));
            assert_eq!((&value["body"], &value["id"]), (&expected, &json!(bad)));
            assert_eq!(value["headers"]["x"], "a\u{85}\u{202e}z");
        }
        let failed = RequestErrorKind::NotSent(Cause::LoginLimit { message: bad.into() }).into();
        check(&json::response(&Value::Null, &Err(failed)));
    }
}

// CLAUSE SEC-5
#[test]
fn debug_lines_and_reasons_to_end_are_escaped() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&lines);
    let debug = Debug::new(Some(Arc::new(move |line: &str| sink.lock().unwrap().push(line.to_owned()))));
    for bad in HOSTILE {
        debug.note(|| format!("the server closed: {bad}"));
        debug.frame("<-", &json!([{ "type": "x" }, { "text": bad, bad: 1 }]).to_string());
        debug.frame("<-", bad);
    }
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 3 * HOSTILE.len());
    lines.iter().for_each(|line| check(line));
}
