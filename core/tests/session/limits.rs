//! Memory: whatever the server makes a session keep has a limit in bytes, and what is dropped for it is a gap (SEC-3).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, actions, count, delivered, details, echo_of, events, get, is_notification, limited, notification,
    recovered,
};

/// The bytes that a held notification counts beside its text.
const ITEM: usize = 128;

fn budget(held_bytes: usize) -> Config {
    Config {
        limits: SessionLimits { held_bytes, ..SessionLimits::default() },
        rest_over_websocket: true,
        ..Config::default()
    }
}

/// A notification of `s` with a body of so many bytes.
fn large(uuid: usize, body: usize) -> String {
    let filler = "x".repeat(body.saturating_sub(2));
    format!(r#"[{{"type":"ServerNotification"}},{{"uuid":"{uuid}","subscriptionId":"s","body":"{filler}"}}]"#)
}

fn confirmed(s: &mut Direct) -> Vec<String> {
    delivered(&s.reply(200, r#"{"id":"s"}"#))
}

fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

fn after(gap: &str, range: std::ops::Range<usize>) -> Vec<String> {
    std::iter::once(format!("gap {gap}")).chain(names(range)).collect()
}

/// A subscription, and the connection after it, on which the session continues.
fn replaying(config: Config) -> (Direct, Vec<Output>) {
    let mut s = Direct::ready(config);
    s.subscribed();
    s.reopen();
    let outputs = s.frame(&recovered(DETAILS));
    (s, outputs)
}

// CLAUSE SEC-3 FRM-4 SUB-3
#[test]
fn notifications_held_beyond_64_mib_are_a_gap() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    // Four of 15 MiB are within 64 MiB.
    (0..7).for_each(|n| assert_eq!(delivered(&s.frame(&large(n, 15 << 20))), [""; 0], "{n}"));
    assert_eq!(confirmed(&mut s), after("queue_overflow", 3..7));
    assert_eq!(delivered(&s.frame(&notification(7))), ["7"]);
}

// CLAUSE SEC-3 FRM-4 SUB-3
#[test]
fn the_byte_limit_of_held_notifications_is_exact() {
    // The uuid has one byte, the id of the subscription too.
    let one = 1000 + 2 + ITEM;
    for (bytes, kept) in [(3 * one, 3), (3 * one - 1, 2), (4 * one - 1, 3), (one, 1)] {
        let mut s = Direct::ready(budget(bytes));
        s.subscribe();
        (0..5).for_each(|n| drop(s.frame(&large(n, 1000))));
        assert_eq!(confirmed(&mut s), after("queue_overflow", 5 - kept..5), "{bytes}");
    }
    let mut s = Direct::ready(budget(5 * one));
    s.subscribe();
    (0..5).for_each(|n| drop(s.frame(&large(n, 1000))));
    assert_eq!(confirmed(&mut s), names(0..5));
    // The bytes that became free can be used again.
    s.subscribe_to("/b");
    s.reply(404, r#"{"errorCode":"SUB-507"}"#);
    (5..10).for_each(|n| drop(s.frame(&large(n, 1000))));
    assert_eq!(confirmed(&mut s), after("subscription_lost", 5..10));
}

// CLAUSE SEC-3 FRM-4 SUB-3
#[test]
fn many_small_held_notifications_meet_the_limit_of_256() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    (0..2000).for_each(|n| drop(s.frame(&notification(n))));
    assert_eq!(confirmed(&mut s), after("queue_overflow", 1744..2000));
}

// CLAUSE SEC-3 FRM-4 SUB-3
#[test]
fn a_notification_larger_than_the_limit_is_a_gap_at_its_place() {
    let mut s = Direct::ready(budget(1000));
    s.subscribe();
    for (n, size) in [(0, 10), (1, 1000), (2, 5000), (3, 10), (4, 10)] {
        s.frame(&large(n, size));
    }
    assert_eq!(confirmed(&mut s), ["0", "gap queue_overflow", "3", "4"]);
    // A limit below the size of any notification.
    for bytes in [0, 1, ITEM - 1, ITEM] {
        let mut s = Direct::ready(budget(bytes));
        s.subscribe();
        (0..4).for_each(|n| drop(s.frame(&large(n, 1000))));
        assert_eq!(confirmed(&mut s), ["gap queue_overflow"], "{bytes}");
        assert_eq!(delivered(&s.frame(&large(4, 1000))), ["4"]);
    }
}

// CLAUSE SEC-3 FRM-1 SUB-3
#[test]
fn unreadable_frames_count_against_the_byte_limit() {
    let mut s = Direct::ready(budget(3 * ITEM));
    s.subscribe();
    s.frame("x");
    s.frame(&notification(1));
    assert_eq!(confirmed(&mut s), ["gap unreadable_frame", "1"]);
    let mut s = Direct::ready(budget(3 * ITEM));
    s.subscribe();
    for text in ["x", "y", &notification(1), &notification(2), "z"] {
        s.frame(text);
    }
    assert_eq!(confirmed(&mut s), ["gap queue_overflow", "2", "gap unreadable_frame"]);
}

// CLAUSE SEC-3 FRM-4 REC-5
#[test]
fn a_replay_above_the_byte_limit_is_delivered_whole_after_a_gap() {
    let (mut s, outputs) = replaying(Config::default());
    let echo = echo_of(&outputs);
    (0..4).for_each(|n| assert_eq!(delivered(&s.frame(&large(n, 15 << 20))), [""; 0], "{n}"));
    assert_eq!(delivered(&s.frame(&large(4, 15 << 20))), after("replay_interrupted", 0..5));
    assert_eq!(delivered(&s.frame(&notification(5))), ["5"]);
    assert_eq!(delivered(&s.frame(&notification(4))), [""; 0], "a duplicate");
    assert_eq!(delivered(&s.frame(&echo)), [""; 0]);
    assert_eq!(s.session.stats().gaps, 1);
}

// CLAUSE SEC-3 FRM-4 REC-5
#[test]
fn the_byte_limit_of_a_replay_is_exact() {
    let one = 1000 + 2 + ITEM;
    for (bytes, held) in [(3 * one, 3), (3 * one - 1, 2), (one, 1), (one - 1, 0), (0, 0)] {
        let (mut s, _) = replaying(budget(bytes));
        (0..held).for_each(|n| assert_eq!(delivered(&s.frame(&large(n, 1000))), [""; 0], "{bytes}"));
        assert_eq!(delivered(&s.frame(&large(held, 1000))), after("replay_interrupted", 0..held + 1), "{bytes}");
        assert_eq!(delivered(&s.frame(&large(9, 1000))), ["9"], "{bytes}");
    }
    // A duplicate is not held, so the end of the replay is seen.
    let (mut s, outputs) = replaying(budget(3 * one));
    (0..3).for_each(|n| drop(s.frame(&large(n, 1000))));
    s.frame(&large(2, 1000));
    assert_eq!(delivered(&s.frame(&echo_of(&outputs))), names(0..3));
    // If the server's buffer was full too, that is the surer cause.
    let mut s = Direct::ready(budget(2 * one));
    s.subscribed();
    s.reopen();
    s.frame(&recovered(r#""recoveryBufferSize":3"#));
    let outputs: Vec<_> = (0..3).flat_map(|n| s.frame(&large(n, 1000))).collect();
    assert_eq!(delivered(&outputs), after("replay_overflow", 0..3));
}

// CLAUSE SEC-3 FRM-1 REC-5
#[test]
fn an_unreadable_frame_at_the_byte_limit_of_a_replay_is_a_gap_at_its_place() {
    let (mut s, _) = replaying(budget(2 * (1000 + 2 + ITEM)));
    s.frame(&large(0, 1000));
    s.frame(&large(1, 1000));
    s.frame("x");
    let delivered = delivered(&s.frame(&large(2, 1000)));
    assert_eq!(delivered, ["gap replay_interrupted", "0", "1", "gap unreadable_frame", "2"]);
}

// CLAUSE SEC-3 FRM-4 SUB-3
#[test]
fn held_and_replayed_notifications_share_the_byte_limit() {
    let one = 1000 + 2 + ITEM;
    let (mut s, outputs) = replaying(budget(4 * one));
    let echo = echo_of(&outputs);
    (0..3).for_each(|n| drop(s.frame(&large(n, 1000))));
    s.subscribe_to("/b");
    s.reply(404, r#"{"errorCode":"SUB-507"}"#);
    // One more fits: the newest.
    (3..6).for_each(|n| assert_eq!(delivered(&s.frame(&large(n, 1000))), [""; 0]));
    assert_eq!(confirmed(&mut s), [""; 0], "the replay still waits for its end");
    let delivered = delivered(&s.frame(&echo));
    assert_eq!(delivered.len(), 5, "{delivered:?}");
    assert!(delivered[..3] == names(0..3) && delivered[3].starts_with("gap ") && delivered[4] == "5", "{delivered:?}");
}

// CLAUSE SEC-3 FRM-4
#[test]
fn undrained_outputs_stop_input_at_the_byte_limit() {
    let mut s = Direct::ready(budget(5000));
    s.subscribed();
    let feed = |s: &mut Direct, n: usize| {
        let text = large(n, 1000);
        s.session.handle_input(Input::Frame { conn: s.conn, frame: Frame::Text(&text) }, s.now).is_ok()
    };
    let taken = (0..20).take_while(|n| feed(&mut s, *n)).count();
    assert!((4..=6).contains(&taken), "{taken}");
    assert_eq!(delivered(&s.drain()), names(0..taken));
    // A notification above the limit is delivered if nothing else waits.
    let text = large(20, 50_000);
    assert_eq!(delivered(&s.frame(&text)), ["20"]);
    // Held notifications leave room for a message.
    let mut s = Direct::ready(budget(5000));
    s.subscribe();
    (0..9).for_each(|n| drop(s.frame(&large(n, 1000))));
    assert_eq!(confirmed(&mut s), after("queue_overflow", 5..9));
}

// CLAUSE SEC-3 FRM-4 REQ-9
#[test]
fn headers_of_a_mebibyte_are_cut_except_in_responses() {
    let value = "v".repeat(1 << 20);
    let headers: Vec<_> = (0..10).map(|n| format!(r#""h{n}":"{value}""#)).collect();
    let headers = format!(r#"{},"RCRequestId":"{value}","X-Rate-Limit-Group":"{value}""#, headers.join(","));
    let reply = |id: &str, status: u16| {
        format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":{status},"headers":{{{headers}}}}}]"#)
    };
    // The answer to a request belongs to the application, and may be as large as a message.
    let mut s = Direct::ready(budget(4 << 20));
    s.request(get("/r"));
    let outputs = s.frame(&reply(&s.message.clone(), 200));
    let kept = events(&outputs).find_map(|event| match event {
        Event::Response { outcome: RequestOutcome::Response { response, .. }, .. } => Some(response.headers().len()),
        _ => None,
    });
    assert_eq!(kept, Some(12));
    // While it waits, inputs are refused.
    s.request(get("/r"));
    let (conn, text) = (s.conn, reply(&s.message.clone(), 200));
    s.session.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, s.now).unwrap();
    assert_eq!(s.session.handle_input(Input::Timeout, s.now), Err(NotDrained));
    s.drain();
    // The error of a refused subscription is cut.
    s.subscribe();
    let outputs = s.frame(&reply(&s.message.clone(), 403));
    let error = events(&outputs).find_map(|event| match event {
        Event::SubscriptionFailed { error, .. } => Some(error),
        _ => None,
    });
    let error = error.unwrap();
    assert!(format!("{error:?}").len() < 2000);
    // The texts of ConnectionDetails are cut.
    let mut s = Direct::connecting(Config::default());
    let details = format!(
        r#"[{{"type":"ConnectionDetails","headers":{{{headers}}}}},{{"creationTime":"{value}","recoveryErrorCode":"{value}"}}]"#
    );
    let outputs = s.frame(&details);
    let details = events(&outputs).find_map(|event| match event {
        Event::Connected { details, .. } => Some(details),
        _ => None,
    });
    let details = details.unwrap();
    for text in [&details.creation_time, &details.recovery_error_code, &details.request_id] {
        assert!(
            text.as_ref().is_some_and(|text| (100..=300).contains(&text.len())),
            "{:?}",
            text.as_ref().map(|t| t.len())
        );
    }
}

// CLAUSE SEC-3 REC-4
#[test]
fn uuids_of_a_mebibyte_are_delivered_and_remembered_short() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    for n in 0..20 {
        let uuid = format!("{n:04}{}", "u".repeat(1 << 20));
        let text = format!(r#"[{{"type":"ServerNotification"}},{{"uuid":"{uuid}","subscriptionId":"s"}}]"#);
        assert_eq!(delivered(&s.frame(&text)).len(), 1, "{n}");
        assert_eq!(delivered(&s.frame(&text)).len(), 0, "{n}");
        assert!(s.session.snapshot().unwrap().to_json().len() < 4000);
    }
    s.frame("x");
    let outputs = s.frame("y");
    let after = events(&outputs).find_map(|e| if let Event::Gap(gap) = e { gap.after.as_deref() } else { None });
    assert_eq!(after.map(str::len), Some(1024));
}

// CLAUSE SEC-3 SUB-6
#[test]
fn a_confirmation_is_cut_to_the_limits_of_filters() {
    let many = |item: &str| vec![item; 100_000].join(",");
    let long = "f".repeat(1 << 20);
    for (filters, disabled) in [
        (many(r#""""#), many(r#""""#)),
        (many(r#""/a""#), many(r#"{"filter":"/b","reason":"r","message":"m"}"#)),
        (format!(r#""{long}""#), format!(r#"{{"filter":"{long}","reason":"{long}","message":"{long}"}}"#)),
    ] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        let body = format!(r#"{{"id":"s","eventFilters":[{filters}],"disabledFilters":[{disabled}]}}"#);
        let outputs = s.reply(200, &body);
        let info = events(&outputs).find_map(|e| if let Event::Subscribed(info) = e { Some(info) } else { None });
        let info = info.unwrap();
        assert!(info.filters.len() <= MAX_FILTERS && info.disabled.len() <= MAX_FILTERS);
        assert!(!info.filters.is_empty() && !info.disabled.is_empty());
        for off in &info.disabled {
            assert!(off.filter.len() <= 4096 && off.reason.len() <= 400 && off.message.len() <= 1200);
            assert_eq!(off.filter.len() == 4096, filters.contains(&long), "no shorter than it may be");
        }
        assert!(info.filters.iter().all(|filter| filter.len() <= 4096));
        assert!(s.session.snapshot().unwrap().to_json().len() < 1000);
    }
    // An id above the limit counts as none.
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    let outputs = s.reply(200, &format!(r#"{{"id":"{long}"}}"#));
    assert!(events(&outputs).any(|e| matches!(e, Event::SubscriptionFailed { .. })));
}

// CLAUSE SEC-3 TOK-6
#[test]
fn tokens_of_a_mebibyte_are_refused() {
    let long = "t".repeat(1 << 20);
    let mut s = Direct::starting(Config::default());
    let token = AccessToken { secret: long.as_str().into(), expires_in: None };
    let outputs = s.input(Input::Authorized { id: s.login, token });
    assert!(events(&outputs).any(|e| matches!(e, Event::Retry { cause: Cause::Credentials { .. }, .. })));
    for body in [
        format!(r#"{{"ws_access_token":"{long}","uri":"wss://h.ringcentral.com/ws"}}"#),
        format!(r#"{{"ws_access_token":"t","uri":"wss://h.ringcentral.com/{long}"}}"#),
    ] {
        let mut s = Direct::starting(Config::default());
        s.authorize();
        let outputs = s.http(200, &body);
        assert!(!actions(&outputs).any(|a| matches!(a, Action::Open { .. })));
        assert!(events(&outputs).any(|e| matches!(e, Event::Retry { cause: Cause::TokenUnreadable, .. })));
    }
    // The same holds for a recovery token.
    let mut s = Direct::connecting(Config::default());
    s.frame(&format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":"{long}","sequence":1}}}}]"#));
    assert!(s.session.snapshot().unwrap().to_json().len() < 1000);
    s.frame(&details(DETAILS));
}

// CLAUSE SEC-3 REQ-3
#[test]
fn a_failure_of_a_mebibyte_is_cut_in_each_outcome() {
    let mut s = Direct::starting(Config::default());
    for _ in 0..200 {
        s.session.request(get("/r"), s.now).unwrap();
    }
    s.drain();
    let failure = AuthFailure { code: Some("c".repeat(1 << 20).into()), ..AuthFailure::transient("m".repeat(1 << 20)) };
    let outputs = s.input(Input::AuthorizeFailed { id: s.login, failure });
    let lengths: Vec<_> = events(&outputs)
        .filter_map(|event| match event {
            Event::Response { outcome: RequestOutcome::NotSent(cause), .. } => Some(cause.to_string().len()),
            _ => None,
        })
        .collect();
    assert!(lengths.len() == 200 && lengths.iter().all(|length| (1000..2200).contains(length)), "{lengths:?}");
    s.sleep(Duration::from_secs(1));
}

// CLAUSE SEC-3 PST-1
#[test]
fn handles_ids_and_codes_above_their_limits_are_not_kept() {
    let handle = |len: usize| format!(r#"[{{"type":"Other","wsc":{{"token":"{}","sequence":9}}}}]"#, "h".repeat(len));
    for (len, kept) in [(65_536, true), (65_537, false)] {
        let mut s = Direct::ready(Config::default());
        s.frame(&handle(len));
        assert_eq!(s.session.snapshot().unwrap().to_json().len() > len, kept, "{len}");
    }
    for (len, taken) in [(1024, true), (1025, false)] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        let outputs = s.reply(200, &format!(r#"{{"id":"{}"}}"#, "i".repeat(len)));
        assert_eq!(events(&outputs).any(|e| matches!(e, Event::Subscribed(_))), taken, "{len}");
    }
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.reopen();
    let code = "é".repeat(1000);
    s.frame(&details(&format!(r#""recoveryState":"Failed","recoveryErrorCode":"{code}""#)));
    assert!(s.session.snapshot().unwrap().to_json().len() < 1024);
}

// CLAUSE SEC-3 PST-3
#[test]
fn a_uuid_is_kept_up_to_1024_bytes() {
    let with_uuid = |uuid: &str| notification(0).replace(r#""uuid":"0""#, &format!(r#""uuid":"{uuid}""#));
    for (uuid, kept) in [("u".repeat(1024), 1024), ("u".repeat(1025), 1024), (format!("u{}", "é".repeat(600)), 1023)] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        let outputs = s.frame(&with_uuid(&uuid));
        assert_eq!(delivered(&outputs), [&*uuid]);
        let gap = s.frame("garbage");
        let after = |e: &Event| if let Event::Gap(gap) = e { gap.after.clone() } else { None };
        assert_eq!(events(&gap).find_map(after).as_deref(), Some(&uuid[..kept]));
        // The whole uuid decides whether it is a duplicate.
        assert_eq!(delivered(&s.frame(&with_uuid(&uuid))), [""; 0]);
    }
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.frame(&with_uuid("uuid"));
    let text = s.session.snapshot().unwrap().to_json();
    for (len, good) in [(1024, true), (1025, false)] {
        let text = text.replace(r#""last":"uuid""#, &format!(r#""last":"{}""#, "u".repeat(len)));
        assert_eq!(Snapshot::from_json(&text).is_ok(), good, "{len}");
    }
}

// CLAUSE FRM-4 SEC-3
#[test]
fn undrained_outputs_refuse_further_calls() {
    let mut s = Direct::ready(limited(|b| b.undrained = 4));
    s.subscribed();
    let mut texts = (0..).map(notification);
    for n in 1..=6 {
        let text = texts.next().unwrap();
        let result = s.session.handle_input(Input::Frame { conn: s.conn, frame: Frame::Text(&text) }, s.now);
        assert_eq!(result.is_ok(), n <= 4, "{n}");
    }
    // Every call is refused, and its argument is handed back.
    assert!(s.session.connect(s.now).is_err() && s.session.close(Close::Revoke, s.now).is_err());
    assert!(matches!(s.session.request(get("/r"), s.now), Err(CommandError::NotDrained(r)) if r.uri() == "/r"));
    assert!(matches!(s.session.recover(s.now), Err(CommandError::NotDrained(()))));
    assert_eq!(s.session.snapshot(), None);
    assert_eq!(count(&s.drain(), is_notification), 4);
    assert!(s.session.request(get("/r"), s.now).is_ok());
}
