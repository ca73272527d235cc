//! Snapshots: what they hold, how they fail, and how a session continues from one (PST).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, TOKEN, clock, delivered, details, echo_of, error_body, events, notification, purposes, recovered,
};

/// A session that was restored after a crash and recovered, and verifies its subscription.
fn verifying() -> Direct {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.frame(&notification(1));
    let snapshot = s.session.snapshot().unwrap();
    let mut s = Direct::restored(Config::default(), snapshot);
    s.authorize();
    s.open();
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
    s
}

// CLAUSE PST-2 SUB-5
#[test]
fn a_check_of_the_subscription_is_repeated_after_a_503() {
    let mut s = verifying();
    let outputs = s.reply(503, &error_body("CMN-211"));
    let again = |e: &Event| matches!(e, Event::SubscriptionFailed { retry_at: Some(_), .. });
    assert!(events(&outputs).any(again), "{outputs:?}");
    let outputs = s.sleep(Duration::from_secs(9));
    assert!(purposes(&outputs).contains(&Purpose::Update), "{outputs:?}");
    // It is not repeated after a refusal for good.
    let outputs = s.reply(403, &error_body("SUB-405"));
    assert_eq!(purposes(&outputs), []);
}

// CLAUSE PST-3 SUB-1
#[test]
fn fields_that_contradict_each_other_are_corrupt() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let text = s.session.snapshot().unwrap().to_json();
    let last = r#""next_subscription":1"#;
    let with = |more: &str| text.replacen(last, more, 1);
    assert!(Snapshot::from_json(&with(r#""next_subscription":9007199254740990"#)).is_ok());
    for more in [
        r#""next_subscription":9007199254740991"#,
        r#""next_subscription":1,"gap":{"cause":"restored","code":"x","since":0}"#,
        r#""next_subscription":1,"removing":1"#,
        r#""next_subscription":1,"unsure":true"#,
    ] {
        assert!(Snapshot::from_json(&with(more)).is_err(), "{more}");
    }
    let changed = text.replacen(r#""wanted":{"#, r#""wanted":{"server_id":"x","#, 1);
    assert!(changed != text && Snapshot::from_json(&changed).is_err());
    let none = Direct::ready(Config::default()).session.snapshot().unwrap().to_json();
    let unverified = none.replacen(r#""next_subscription":0"#, r#""unverified":1,"next_subscription":0"#, 1);
    assert_ne!(unverified, none);
    assert_eq!(Snapshot::from_json(&unverified).unwrap().to_json(), none, "it says nothing without a subscription");
}

// CLAUSE PST-1 PST-3
#[test]
fn a_text_of_the_drivers_travels_along_and_changes_nothing() {
    let mut s = Direct::starting(Config::default());
    s.subscribe();
    let own = s.session.snapshot().unwrap();
    assert!(own.filters().is_some_and(|filters| filters.len() == 1));
    let with = own.clone().with_extra(Some("{\"a\":1}".into()));
    let read = Snapshot::from_json(&with.to_json()).unwrap();
    assert_eq!((read.extra(), own.extra()), (Some("{\"a\":1}"), None));
    assert!(!own.to_json().contains("extra"), "nothing is written where there is nothing");
    let restored = Session::restore(Config::default(), read, 7, ClockReading::default()).unwrap();
    assert_eq!(restored.snapshot().unwrap().extra(), None);
    let long = "a".repeat((16 << 20) + 1);
    assert_eq!(own.clone().with_extra(Some(long.into())).extra(), None);
    // As much as there may be is read again, and a byte more is not.
    let most = "a".repeat(16 << 20);
    let full = own.clone().with_extra(Some(most.clone().into()));
    assert_eq!(full.extra().map(str::len), Some(most.len()));
    let text = full.to_json();
    assert!(Snapshot::from_json(&text) == Ok(full));
    assert!(Snapshot::from_json(&text.replacen("\"aaa", "\"aaaa", 1)).is_err());
}

#[test]
fn a_line_is_added_to_a_text_of_the_drivers_while_it_has_room() {
    let own = Direct::starting(Config::default()).session.snapshot().unwrap();
    let mut none = own.clone();
    none.add_to_extra("b");
    assert_eq!(none, own);
    let most = 16 << 20;
    for (before, line, added) in [(1, "bc", true), (most - 3, "bc", true), (most - 2, "bc", false), (most, "b", false)]
    {
        let text = "a".repeat(before);
        let mut snapshot = own.clone().with_extra(Some(text.clone().into()));
        snapshot.add_to_extra(line);
        let expected = if added { format!("{text}\n{line}") } else { text };
        assert!(snapshot.extra() == Some(&expected), "{before} {line}");
    }
}

fn detached(s: &mut Direct) -> Snapshot {
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    if s.session.state() != SessionState::Closed {
        s.closed(Some(1000));
    }
    s.session.snapshot().unwrap()
}

// CLAUSE PST-2 REC-5
#[test]
fn detaching_before_the_first_connection_keeps_the_gap_of_a_crash() {
    // The process died with filters set, and no call had left yet as far as the snapshot knows.
    let mut s = Direct::starting(Config::default());
    s.subscribe();
    let crashed = s.session.snapshot().unwrap();
    for opened in [false, true] {
        let mut s = Direct::restored(Config::default(), crashed.clone());
        s.authorize();
        s.http(200, TOKEN);
        if opened {
            s.input(Input::Opened { conn: s.conn });
        }
        let snapshot = detached(&mut s);
        assert!(!snapshot.is_detached());
        let mut s = Direct::restored(Config::default(), snapshot);
        s.authorize();
        s.open();
        let mut outputs = s.frame(&details(DETAILS));
        outputs.extend(s.reply(200, r#"{"id":"s"}"#));
        outputs.extend(s.frame(&notification(1)));
        assert_eq!(delivered(&outputs), ["gap restored", "1"]);
    }
}

// CLAUSE PST-2 SUB-8
#[test]
fn an_update_left_open_by_a_detach_is_settled_without_a_gap() {
    for answered in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.now = Timestamp::from_secs(5);
        s.frame(&notification(1));
        s.subscribe_to("/b");
        if answered {
            s.reply(503, &error_body("CMN-211"));
        }
        s.now = Timestamp::from_secs(9);
        s.input(Input::Frame { conn: s.conn, frame: Frame::Control });
        let snapshot = detached(&mut s);
        assert!(snapshot.is_detached());
        for gone in [false, true] {
            let mut s = Direct::restored(Config::default(), snapshot.clone());
            s.authorize();
            s.open();
            let outputs = s.frame(&recovered(DETAILS));
            assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
            let mut outputs = s.frame(&echo_of(&outputs));
            // The server may have made another subscription of it, whose notifications count as foreign.
            outputs.extend(s.reply(200, if gone { r#"{"id":"t"}"# } else { r#"{"id":"s"}"# }));
            outputs.extend(s.frame(&notification(2).replace(r#""s""#, if gone { r#""t""# } else { r#""s""# })));
            let expected: &[_] = if gone { &["gap subscription_lost", "2"] } else { &["2"] };
            assert_eq!(delivered(&outputs), expected);
            let since = |e: &Event| if let Event::Gap(gap) = e { Some(gap.since.0) } else { None };
            assert_eq!(events(&outputs).find_map(since), gone.then_some(1_700_000_005_000));
        }
    }
}

// CLAUSE PST-2 SUB-8
#[test]
fn filters_restored_after_a_refusal_are_verified_by_the_next_process() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe_to("/b");
    s.reply(503, &error_body("CMN-211"));
    s.sleep(Duration::from_secs(9));
    // The server may have taken the other filters, and refuses more of them.
    let outputs = s.reply(400, &error_body("SUB-508"));
    assert_eq!(purposes(&outputs), [Purpose::Update]);
    let mut s = Direct::restored(Config::default(), detached(&mut s));
    s.authorize();
    s.open();
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert_eq!(purposes(&outputs), []);
    assert!(!s.session.snapshot().unwrap().to_json().contains("unverified"));
}

// CLAUSE PST-3
#[test]
fn a_newer_snapshot_read_by_serde_is_refused_too() {
    let s = Direct::ready(Config::default());
    let text = s.session.snapshot().unwrap().to_json().replacen(r#""version":1"#, r#""version":2"#, 1);
    let newer: Snapshot = serde_json::from_str(&text).unwrap();
    let refused = Session::restore(Config::default(), newer, 1, clock()).unwrap_err();
    assert_eq!(refused, RestoreError::Newer { found: 2, known: 1 });
}

fn stored_text() -> String {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    (0..3).for_each(|n| drop(s.frame(&notification(n))));
    s.session.snapshot().unwrap().to_json()
}

// CLAUSE PST-3
#[test]
fn a_truncated_snapshot_is_corrupt_wherever_it_ends() {
    let text = stored_text();
    assert!(Snapshot::from_json(&text).is_ok());
    for end in 0..text.len() {
        let Some(part) = text.get(..end) else { continue };
        assert!(matches!(Snapshot::from_json(part), Err(RestoreError::Corrupt(_))), "{end}");
    }
}

// CLAUSE PST-3 FRM-1
#[test]
fn a_damaged_snapshot_is_refused_or_harmless() {
    let text = stored_text();
    for at in 0..text.len() {
        for byte in [b' ', b'0', b'"', b'}', b'-'] {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = byte;
            let Ok(snapshot) = Snapshot::from_json(&String::from_utf8(damaged).unwrap()) else { continue };
            let Ok(restored) = contract::Checked::restore(Config::default(), snapshot, 1, clock()) else {
                continue;
            };
            let mut s = Direct::around(restored);
            s.session.connect(s.now).unwrap();
            s.drain();
            s.authorize();
            s.open();
            s.frame(&details(DETAILS));
        }
    }
}

// CLAUSE PST-3
#[test]
fn each_refusal_has_its_error() {
    let text = stored_text();
    let newer = text.replacen(r#""version":1"#, r#""version":2,"wholly":"new""#, 1);
    assert_eq!(Snapshot::from_json(&newer), Err(RestoreError::Newer { found: 2, known: 1 }));
    assert_eq!(Snapshot::from_json(r#"{"version":9}"#), Err(RestoreError::Newer { found: 9, known: 1 }));
    for bad in ["", "null", "[]", "{}", r#"{"version":1}"#, r#"{"version":"1"}"#, r#"{"version":-1}"#] {
        assert!(matches!(Snapshot::from_json(bad), Err(RestoreError::Corrupt(_))), "{bad}");
    }
    let space = (64 << 20) - text.len();
    assert!(Snapshot::from_json(&format!("{text}{}", " ".repeat(space))).is_ok());
    assert!(Snapshot::from_json(&format!("{text}{}", " ".repeat(space + 1))).is_err());
    for (next, good) in [("0", false), ("1", true), ("9007199254740990", true), ("9007199254740991", false)] {
        let changed = text.replacen(r#""next_subscription":1"#, &format!(r#""next_subscription":{next}"#), 1);
        assert_eq!(Snapshot::from_json(&changed).is_ok(), good, "{next}");
    }
    for (count, good) in [(8191, true), (8192, true), (8193, false)] {
        let keys: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
        let changed = text.replacen(r#"["0","1","2"]"#, &format!("[{}]", keys.join(",")), 1);
        assert_ne!(changed, text);
        assert_eq!(Snapshot::from_json(&changed).is_ok(), good, "{count}");
    }
    let token = text.replacen("wsc-secret", "", 1);
    let cause = r#""next_subscription":1,"gap":{"cause":"sunspots","since":0}"#;
    let cause = text.replacen(r#""next_subscription":1"#, cause, 1);
    for changed in [token, cause] {
        assert!(changed != text && Snapshot::from_json(&changed).is_err(), "{changed}");
    }
    let zero = text.replacen(r#""version":1"#, r#""version":0"#, 1);
    assert!(matches!(Snapshot::from_json(&zero), Err(RestoreError::Corrupt(_))));
    let config = Config { server: "https://other.test".parse().unwrap(), ..Config::default() };
    let snapshot = Snapshot::from_json(&text).unwrap();
    assert_eq!(Session::restore(config, snapshot, 1, clock()).err(), Some(RestoreError::OtherServer));
}

// CLAUSE PST-3 SUB-1
#[test]
fn impossible_subscription_numbers_are_corrupt() {
    let text = stored_text();
    assert!(text.contains(r#""next_subscription":1"#), "{text}");
    for bad in ["0", "18446744073709551615"] {
        let damaged = text.replace(r#""next_subscription":1"#, &format!(r#""next_subscription":{bad}"#));
        assert!(matches!(Snapshot::from_json(&damaged), Err(RestoreError::Corrupt(_))), "{bad}");
    }
}

// CLAUSE PST-1 REC-4
#[test]
fn a_snapshot_grows_by_filters_and_ids_only() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    (0..5_000).for_each(|n| drop(s.frame(&notification(usize::MAX - n))));
    let text = s.session.snapshot().unwrap().to_json();
    // 256 ids of up to 32 hex digits, quotes and comma.
    assert!(text.len() <= 512 + 256 * 35 + 100, "{}", text.len());
}

// CLAUSE PST-1 SEC-3
#[test]
fn the_largest_snapshot_can_be_read() {
    // As many and as long filters as possible, with every character escaped.
    let longest = |n: usize| format!("/{n:04}{}", "\"".repeat(MAX_FILTER_BYTES - 5));
    let filters = Filters::new((0..MAX_FILTERS).map(longest)).unwrap();
    let mut s = Session::new(Config::default(), 1, clock());
    s.subscribe(filters, Timestamp::ZERO).unwrap();
    while !matches!(s.poll_output(), Output::Wait(_)) {}
    let text = s.snapshot().unwrap().to_json();
    assert!(Snapshot::from_json(&text).is_ok(), "{} bytes", text.len());

    // The largest buffer that a setting allows.
    let mut config = Config::default();
    config.limits.recovery_buffer = 100_000;
    let mut s = Direct::connecting(config);
    s.frame(&details(r#""recoveryBufferSize":100000"#));
    s.subscribed();
    (0..9_000).for_each(|n| drop(s.frame(&notification(n))));
    let text = s.session.snapshot().unwrap().to_json();
    assert!(Snapshot::from_json(&text).is_ok());
}

// CLAUSE PST-3 REC-5
#[test]
fn a_lost_snapshot_is_a_gap() {
    let since = UnixMillis(clock().unix.0 - 5_000);
    let config = Config::default();
    let lost = Snapshot::lost(&config.server, since);
    assert_eq!(Snapshot::from_json(&lost.to_json()).as_ref(), Ok(&lost));
    let mut s = Direct::around(contract::Checked::restore(config, lost, 1, clock()).unwrap());
    s.subscribe();
    s.session.connect(s.now).unwrap();
    s.drain();
    s.authorize();
    s.open();
    let connected = s.frame(&details(DETAILS));
    let fresh = |e: &Event| matches!(e, Event::Connected { resumption: Resumption::Fresh, .. });
    assert!(events(&connected).any(fresh), "{connected:?}");
    let mut outputs = s.reply(200, r#"{"id":"s"}"#);
    outputs.extend(s.frame(&notification(1)));
    let events: Vec<_> = events(&outputs).filter(|e| !matches!(e, Event::SnapshotChanged)).collect();
    let [Event::Gap(gap), Event::Subscribed(_), Event::Notification(_)] = events[..] else { panic!("{events:?}") };
    assert_eq!((&gap.cause, gap.after.as_deref(), gap.since), (&GapCause::Restored, None, since));
}

// CLAUSE PST-3 SEC-3
#[test]
fn what_is_too_long_in_a_snapshot_is_refused() {
    let text = stored_text();
    let wanted = r#""next_subscription":1"#;
    for (length, good) in [(1023, true), (1024, true), (1025, false)] {
        let long = "x".repeat(length);
        let id = text.replacen(r#""server_id":"s""#, &format!(r#""server_id":"{long}""#), 1);
        let gap = format!(r#"{wanted},"gap":{{"cause":"recovery_failed","code":"{long}","since":0}}"#);
        for changed in [id, text.replacen(wanted, &gap, 1)] {
            assert_ne!(changed, text);
            assert_eq!(Snapshot::from_json(&changed).is_ok(), good, "{length}");
        }
    }
    let (before, _) = text.split_once(r#""auth":"#).unwrap();
    for (calls, good) in [(63, true), (64, true), (65, false)] {
        let changed = format!(r#"{before}"auth":{{"free_at":[{}]}}}}"#, vec!["1"; calls].join(","));
        assert_eq!(Snapshot::from_json(&changed).is_ok(), good, "{calls}");
    }
}

// CLAUSE PST-6 REC-4
#[test]
fn what_is_marked_as_delivered_does_not_come_again_and_the_gap_begins_behind_it() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.frame(&notification(1));
    let mut stored = s.session.snapshot().unwrap();
    (2..=4).for_each(|n| drop(s.frame(&notification(n))));
    let whole = s.session.snapshot().unwrap();
    for n in [2, 3, 3] {
        stored.mark_delivered(&n.to_string());
    }
    stored.mark_delivered("");
    assert_eq!(Snapshot::from_json(&stored.to_json()).as_ref(), Ok(&stored));
    let mut s = Direct::restored(Config::default(), stored.clone());
    s.authorize();
    s.open();
    s.frame(&recovered(DETAILS));
    let mut outputs = Vec::new();
    (1..=5).for_each(|n| outputs.extend(s.frame(&notification(n))));
    outputs.extend(s.frame(&notification(6)));
    outputs.extend(s.sleep(Duration::from_secs(11)));
    assert_eq!(delivered(&outputs), ["gap restored", "4", "5", "6"]);
    let gap = crate::direct::gap(&outputs).unwrap();
    assert_eq!((&gap.cause, gap.after.as_deref()), (&GapCause::Restored, Some("3")));
    // With the last one it is as the session's own.
    stored.mark_delivered("4");
    assert_eq!((&stored.to_json().contains("\"4\""), stored), (&true, whole));
}

// CLAUSE PST-6 PST-1
#[test]
fn as_many_are_marked_as_a_session_remembers() {
    let mut snapshot = Snapshot::lost(&Config::default().server, UnixMillis(1));
    (0..9_000).for_each(|n| snapshot.mark_delivered(&n.to_string()));
    let json: serde_json::Value = serde_json::from_str(&snapshot.to_json()).unwrap();
    let recent = json["recent"].as_array().unwrap();
    assert_eq!((recent.len(), &json["last"]), (256, &"8999".into()));
    assert_eq!(recent[255], format!("{:x}", 8_999));
    snapshot.mark_delivered(&"x".repeat(2_000));
    assert!(Snapshot::from_json(&snapshot.to_json()).is_ok());
}

// CLAUSE PST-6 TOK-2
#[test]
fn budgets_are_those_of_the_newest_snapshot() {
    let s = Direct::ready(Config::default());
    let newer = s.session.snapshot().unwrap();
    let mut older = Snapshot::lost(&Config::default().server, UnixMillis(1));
    assert!(older.adopt_budgets(&newer) && !older.adopt_budgets(&newer));
    let auth =
        |snapshot: &Snapshot| serde_json::from_str::<serde_json::Value>(&snapshot.to_json()).unwrap()["auth"].take();
    assert!(auth(&older).is_object());
    assert_eq!(auth(&older), auth(&newer));
}

// CLAUSE PST-2 SUB-5
#[test]
fn a_process_that_follows_waits_out_the_rate_limit_of_the_subscription() {
    for (passed, back, wait) in [(20, 0, 40), (60, 0, 0), (0, 10_000, 3_600)] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        s.reply(429, &error_body("CMN-301"));
        let snapshot = s.session.snapshot().unwrap();
        let at = ClockReading { unix: UnixMillis(clock().unix.0 + passed * 1_000 - back * 1_000), ..clock() };
        let mut s = Direct::restored_at(Config::default(), snapshot, at);
        s.authorize();
        s.open();
        let (mut outputs, mut waited) = (s.frame(&details(DETAILS)), 0);
        let said = events(&outputs).find_map(|event| match event {
            Event::Waiting { reason: WaitReason::SubscriptionLimit, delay, .. } => Some(*delay),
            _ => None,
        });
        while !purposes(&outputs).contains(&Purpose::Subscribe) && waited < 4_000 {
            outputs = s.sleep(Duration::from_secs(1));
            if purposes(&outputs).contains(&Purpose::Heartbeat) {
                s.frame(&echo_of(&outputs));
            }
            waited += 1;
        }
        assert!((wait..wait + 2).contains(&waited), "{passed} {back}: {waited}");
        assert_eq!(said.is_some(), wait > 0, "a long wait is said");
        assert!(said.is_none_or(|delay| (wait - 1..=wait).contains(&delay.as_secs())), "{said:?}");
    }
}

// CLAUSE CLS-1 SUB-5
#[test]
fn the_rate_limit_outlives_a_subscription_that_was_given_up() {
    let headers = |after: u32| format!(r#","headers":{{"Retry-After":"{after}"}}"#);
    let answer = |s: &mut Direct, status: u16, after: u32, code: &str| {
        let (id, headers, body) = (s.message.clone(), headers(after), error_body(code));
        s.frame(&format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":{status}{headers}}},{body}]"#));
    };
    let held = |s: &Direct| {
        let json: serde_json::Value = serde_json::from_str(&s.session.snapshot().unwrap().to_json()).unwrap();
        json["auth"]["no_subscribe_before"].as_u64().map(|at| (at - 1_700_000_000_000) / 1_000)
    };
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe_to("/b");
    answer(&mut s, 429, 600, "CMN-301");
    assert_eq!(held(&s), Some(600));
    s.session.close(Close::Revoke, s.now).unwrap();
    s.drain();
    // What the deletion hears is no reason to come sooner.
    answer(&mut s, 503, 2, "CMN-211");
    assert_eq!(held(&s), Some(600));
    s.sleep(Duration::from_secs(10));
    s.closed(Some(1000));
    assert_eq!((s.session.state(), held(&s)), (SessionState::Closed, Some(600)));
    // A pause that is not the rate limit's is believed for an hour.
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    answer(&mut s, 503, 86_400, "CMN-211");
    assert_eq!(held(&s), Some(3_600));
}
