//! Where two things happen at once: a frame and a deadline, a wish taken back and its answer, an end and what waits.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{DETAILS, Direct, actions, details, echo_of, error_body, events, notification, purposes, recovered, told};
use ringcentral_ws_core::*;

/// Another process, up to where it asks for an access token.
fn restored(snapshot: Snapshot) -> Direct {
    let mut s = Direct::around(contract::Checked::restore(Config::default(), snapshot, 2, direct::clock()).unwrap());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.session.snapshot_stored(s.now).unwrap();
    s
}

fn detached(s: &mut Direct) -> Snapshot {
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    if s.session.state() != SessionState::Closed {
        s.closed(Some(1000));
    }
    s.session.snapshot().unwrap()
}

// CLAUSE SUB-8 CLS-1
#[test]
fn a_removal_refused_while_a_session_detaches_leaves_it_the_subscription() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.unsubscribe(s.now).unwrap();
    s.drain();
    // Wanted again before the answer, and then by the next process.
    s.subscribe();
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    s.reply(400, &error_body("SUB-508"));
    assert_eq!(told(&s.frame(&notification(1))), ["1"]);
    s.closed(Some(1000));
    let mut s = restored(s.session.snapshot().unwrap());
    s.authorize();
    s.open();
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
    s.frame(&notification(2));
    assert_eq!(told(&s.frame(&echo_of(&outputs))), ["2"]);
}

// CLAUSE PST-2 REC-5
#[test]
fn an_end_before_the_first_connection_leaves_the_doubt_of_a_crash() {
    // Died with a wish that no call had left for yet, as far as the snapshot knows.
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.subscribe();
    let crashed = s.session.snapshot().unwrap();
    for opened in [false, true] {
        let mut s = restored(crashed.clone());
        s.authorize();
        s.http(200, r#"{"ws_access_token":"ws-token","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#);
        if opened {
            s.input(Input::Opened { conn: s.conn });
        }
        let snapshot = detached(&mut s);
        assert!(!snapshot.is_detached());
        let mut s = restored(snapshot);
        s.authorize();
        s.open();
        let mut outputs = s.frame(&details(DETAILS));
        outputs.extend(s.reply(200, r#"{"id":"s"}"#));
        outputs.extend(s.frame(&notification(1)));
        assert_eq!(told(&outputs), ["gap restored", "1"]);
    }
}

// CLAUSE REC-5 HB-6
#[test]
fn a_frame_that_was_there_at_a_deadline_is_read() {
    // A renewal whose close the server does not answer.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let old = s.conn;
    while !matches!(s.wait, Wait::Until { reason: TimerKind::Close, .. }) {
        let Wait::Until { at, reason } = s.wait else { panic!("nothing is planned") };
        s.now = at;
        match reason {
            TimerKind::Heartbeat => drop(s.input(Input::Frame { conn: old, frame: Frame::Control })),
            _ => drop(s.input(Input::Timeout)),
        }
        if reason == TimerKind::Renewal {
            s.http(200, r#"{"ws_access_token":"ws-token","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#);
        }
    }
    let Wait::Until { at, .. } = s.wait else { panic!() };
    s.now = at.after(Duration::from_millis(3));
    let outputs = s.frame(&notification(1));
    assert_eq!(told(&outputs), ["1"]);
    assert!(actions(&outputs).any(|a| matches!(a, Action::Drop { .. })), "{outputs:?}");

    // The answer of a call.
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.now = Timestamp::from_secs(60);
    s.input(Input::Resumed);
    s.now = Timestamp::from_secs(63);
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert!(events(&outputs).any(|e| matches!(e, Event::Subscribed(_))), "{outputs:?}");

    // What follows the ConnectionDetails in the same read.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.reopen();
    s.now = s.now.after(Duration::from_secs(15));
    let mut outputs = s.frame(&recovered(DETAILS));
    outputs.extend(s.frame(&notification(1)));
    let beat = |a: &Action| matches!(a, Action::Send { purpose: Purpose::Heartbeat, .. });
    assert!(actions(&outputs).any(beat), "{outputs:?}");
}

// CLAUSE SUB-5 SUB-7 CLS-1
#[test]
fn a_wish_taken_back_before_its_refusal_is_not_tried_again() {
    for (status, code) in [(503, "CMN-211"), (403, "SUB-505"), (429, "CMN-301")] {
        for revoke in [false, true] {
            let mut s = Direct::ready(Config::default());
            s.subscribe();
            if revoke {
                s.session.close(Close::Revoke, s.now).unwrap();
            } else {
                s.session.unsubscribe(s.now).unwrap();
            }
            s.drain();
            let outputs = s.reply(status, &error_body(code));
            let never = |e: &Event| matches!(e, Event::SubscriptionFailed { retry_at: None, .. });
            assert!(events(&outputs).any(never), "{outputs:?}");
            if revoke {
                assert!(actions(&outputs).any(|a| matches!(a, Action::Close { .. })), "{outputs:?}");
            } else {
                assert!(events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");
            }
        }
    }
    // What is there is removed once the wait is over.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe();
    s.session.unsubscribe(s.now).unwrap();
    let outputs = s.reply(503, &error_body("CMN-211"));
    assert_eq!(purposes(&outputs), []);
    let outputs = s.sleep(Duration::from_secs(9));
    assert!(purposes(&outputs).contains(&Purpose::Unsubscribe), "{outputs:?}");
}

// CLAUSE REC-5 SUB-8
#[test]
fn what_cannot_be_read_while_a_wish_is_taken_back_is_a_gap_too() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.session.unsubscribe(s.now).unwrap();
    s.drain();
    let mut outputs = s.frame("garbage");
    s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
    outputs.extend(s.drain());
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(1)));
    assert_eq!(told(&outputs), ["gap unreadable_frame", "1"]);
}

// CLAUSE SUB-7 SUB-5
#[test]
fn what_is_gone_is_removed_whatever_the_status() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.unsubscribe(s.now).unwrap();
    s.drain();
    let outputs = s.reply(400, &error_body("SUB-507"));
    assert!(events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");
    assert!(!events(&outputs).any(|e| matches!(e, Event::SubscriptionFailed { .. })), "{outputs:?}");
}

// CLAUSE PST-2 SUB-8
#[test]
fn an_update_left_open_by_an_orderly_end_is_settled_without_a_gap() {
    for answered in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.now = Timestamp::from_secs(5);
        s.frame(&notification(1));
        s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
        s.drain();
        if answered {
            s.reply(503, &error_body("CMN-211"));
        }
        s.now = Timestamp::from_secs(9);
        s.input(Input::Frame { conn: s.conn, frame: Frame::Control });
        let snapshot = detached(&mut s);
        assert!(snapshot.is_detached());
        for gone in [false, true] {
            let mut s = restored(snapshot.clone());
            s.authorize();
            s.open();
            let outputs = s.frame(&recovered(DETAILS));
            assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
            let mut outputs = s.frame(&echo_of(&outputs));
            // The server had made another one of it, whose notifications were not known for its own.
            outputs.extend(s.reply(200, if gone { r#"{"id":"t"}"# } else { r#"{"id":"s"}"# }));
            outputs.extend(s.frame(&notification(2).replace(r#""s""#, if gone { r#""t""# } else { r#""s""# })));
            let expected: &[_] = if gone { &["gap subscription_lost", "2"] } else { &["2"] };
            assert_eq!(told(&outputs), expected);
            let since = |e: &Event| if let Event::Gap(gap) = e { Some(gap.since.0) } else { None };
            assert_eq!(events(&outputs).find_map(since), gone.then_some(1_700_000_005_000));
        }
    }
}

// CLAUSE PST-2 SUB-8
#[test]
fn a_wish_that_came_back_is_verified_by_the_next_process_too() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
    s.drain();
    s.reply(503, &error_body("CMN-211"));
    s.sleep(Duration::from_secs(9));
    // The server may have taken the other filters, but wants no more of them.
    let outputs = s.reply(400, &error_body("SUB-508"));
    assert_eq!(purposes(&outputs), [Purpose::Update]);
    let mut s = restored(detached(&mut s));
    s.authorize();
    s.open();
    let outputs = s.frame(&recovered(DETAILS));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Update]);
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert_eq!(purposes(&outputs), []);
    assert!(!s.session.snapshot().unwrap().to_json().contains("unverified"));
}

// CLAUSE SEC-3 PST-3
#[test]
fn of_an_endless_uuid_only_the_beginning_is_kept() {
    let with_uuid = |uuid: &str| notification(0).replace(r#""uuid":"0""#, &format!(r#""uuid":"{uuid}""#));
    for (uuid, kept) in [("u".repeat(1024), 1024), ("u".repeat(1025), 1024), (format!("u{}", "é".repeat(600)), 1023)] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        let delivered = s.frame(&with_uuid(&uuid));
        assert_eq!(told(&delivered), [&*uuid]);
        let gap = s.frame("garbage");
        let after = |e: &Event| if let Event::Gap(gap) = e { gap.after.clone() } else { None };
        assert_eq!(events(&gap).find_map(after).as_deref(), Some(&uuid[..kept]));
        // It is known again as a whole.
        assert_eq!(told(&s.frame(&with_uuid(&uuid))), [""; 0]);
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

// CLAUSE REC-5 SUB-3
#[test]
fn what_cannot_be_read_among_what_is_held_is_a_gap_at_its_place() {
    let subscribing = |config: Config| {
        let mut s = Direct::ready(config);
        s.subscribe();
        s
    };
    let mut s = subscribing(Config::default());
    let mut outputs = s.frame("garbage");
    s.now = Timestamp::from_secs(1);
    outputs.extend(s.frame(&notification(1)));
    s.now = Timestamp::from_secs(2);
    outputs.extend(s.frame("garbage"));
    outputs.extend(s.frame("garbage"));
    outputs.extend(s.frame(&notification(2)));
    outputs.extend(s.frame("garbage"));
    assert_eq!(told(&outputs), [""; 0]);
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    let gap = "gap unreadable_frame";
    assert_eq!(told(&outputs), [gap, "1", gap, "2", gap]);
    let bounds = |e: &Event| match e {
        Event::Gap(gap) => Some((gap.after.clone(), gap.since.0 - 1_700_000_000_000)),
        _ => None,
    };
    let bounds: Vec<_> = events(&outputs).filter_map(bounds).collect();
    assert_eq!(bounds, [(None, 0), (Some("1".into()), 1000), (Some("2".into()), 2000)]);
    assert_eq!(s.session.stats().foreign, 0);

    // What is lost takes a place too, and is no notification of anyone's.
    let mut config = Config::default();
    config.limits.held_notifications = 2;
    let mut s = subscribing(config);
    s.frame(&notification(1));
    s.frame("garbage");
    s.frame(&notification(2));
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert_eq!(told(&outputs), ["gap queue_overflow", gap, "2"]);
    let mut s = subscribing(Config::default());
    s.frame(&notification(1));
    s.frame("garbage");
    s.closed(None);
    assert_eq!(s.session.stats().foreign, 1);
}

// CLAUSE SUB-3 SUB-5
#[test]
fn what_comes_between_two_tries_waits_behind_what_is_held() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.frame(&notification(1));
    s.reply(429, &error_body("CMN-301"));
    s.frame(&notification(2));
    s.frame("garbage");
    s.subscribe();
    s.frame(&notification(3));
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert_eq!(told(&outputs), ["1", "2", "gap unreadable_frame", "3"]);
}

// CLAUSE SUB-7 SUB-8
#[test]
fn what_may_have_been_made_and_nobody_wants_is_left_behind() {
    for early in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        let mut outputs = Vec::new();
        if early {
            s.session.unsubscribe(s.now).unwrap();
            s.drain();
        }
        s.reopen();
        if !early {
            s.session.unsubscribe(s.now).unwrap();
            outputs.extend(s.drain());
        }
        outputs.extend(s.frame(&if early { details(DETAILS) } else { recovered(DETAILS) }));
        let lost = |e: &Event| matches!(e, Event::RecoveryFailed { .. });
        assert!(!events(&outputs).any(lost), "{outputs:?}");
        assert!(events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");
        assert_eq!(told(&outputs), [""; 0]);
    }
}
