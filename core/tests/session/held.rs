//! Notifications that come before their subscription is confirmed: held, in order, within limits (SUB-3).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, count, delivered, details, echo_of, error_body, events, get, is_gap, is_notification, limited,
    notification, over_socket, purposes, recovered, unsubscribed, without_penalty,
};

// CLAUSE SUB-3 SUB-8
#[test]
fn notifications_held_at_a_disconnect_are_counted() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    (0..2).for_each(|n| drop(s.frame(&notification(n))));
    s.closed(None);
    assert_eq!(s.session.stats().foreign, 2);
}

// CLAUSE REC-5 SUB-3
#[test]
fn a_confirmation_after_a_full_replay_is_a_gap() {
    let fields = r#""recoveryBufferSize":3,"recoveryTimeout":180"#;
    for (count, gap) in [(2, false), (3, true)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(fields));
        s.subscribe();
        s.reopen();
        s.frame(&recovered(fields));
        (0..count).for_each(|n| drop(s.frame(&notification(n))));
        let delivered = delivered(&s.reply(200, r#"{"id":"s"}"#));
        assert_eq!(delivered[0] == "gap replay_overflow", gap, "{delivered:?}");
        assert_eq!(delivered.len(), count + usize::from(gap));
    }
}

// CLAUSE REC-5 SUB-7
#[test]
fn what_a_lost_call_made_may_overflow_though_it_was_taken_back_meanwhile() {
    let fields = r#""recoveryBufferSize":3,"recoveryTimeout":180"#;
    for (count, continues, gap) in [(2, true, false), (3, true, true), (3, false, false)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(fields));
        s.subscribe();
        s.reopen();
        // It is not known whether the server has it, so the session is continued; meanwhile nobody wants it for a moment.
        assert!(unsubscribed(&s.unsubscribe()));
        s.subscribe();
        s.frame(&if continues { recovered(fields) } else { details(fields) });
        (0..count).for_each(|n| drop(s.frame(&notification(n))));
        let outputs = s.reply(200, r#"{"id":"s"}"#);
        let delivered = delivered(&outputs);
        assert_eq!(delivered[0] == "gap replay_overflow", gap, "{count} {continues} {delivered:?}");
        assert_eq!(delivered.len(), count + usize::from(gap));
        // It was desired again before the connection was there, and what came since may lack something.
        let since = crate::direct::gap(&outputs).map(|gap| gap.since.0 - 1_700_000_000_000);
        assert_eq!(since, gap.then_some(0));
    }
}

/// Waits until the subscription is asked for, on a connection that lives.
fn until_asked(s: &mut Direct) {
    for _ in 0..100 {
        let outputs = s.sleep(Duration::from_secs(1));
        if purposes(&outputs).contains(&Purpose::Heartbeat) {
            s.frame(&echo_of(&outputs));
        }
        if purposes(&outputs).contains(&Purpose::Subscribe) {
            return;
        }
    }
    panic!("it is not asked for");
}

// CLAUSE REC-5 SUB-7
#[test]
fn what_cannot_be_read_may_belong_to_what_was_taken_back_and_is_desired_again() {
    let unclear = |s: &mut Direct| {
        s.subscribe();
        s.reply(503, &error_body("CMN-211"));
        until_asked(s);
    };
    let again = |s: &mut Direct| {
        assert!(unsubscribed(&s.unsubscribe()));
        s.subscribe();
    };
    // The rate limit is waited out before the next call.
    let mut s = Direct::ready(Config::default());
    unclear(&mut s);
    s.reply(429, &error_body("CMN-301"));
    again(&mut s);
    s.frame("garbage");
    s.frame(&notification(2));
    until_asked(&mut s);
    assert_eq!(delivered(&s.reply(200, r#"{"id":"s"}"#)), ["gap unreadable_frame", "2"]);
    // Before ConnectionDetails.
    for early in ["garbage".to_owned(), notification(1)] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        s.reopen();
        again(&mut s);
        s.frame(&early);
        s.frame(&recovered(DETAILS));
        s.frame(&notification(2));
        assert_eq!(delivered(&s.reply(200, r#"{"id":"s"}"#)), ["gap unreadable_frame", "2"], "{early}");
    }
    // Another session never had it.
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.closed(None);
    again(&mut s);
    s.until_connecting();
    s.open();
    let mut outputs = s.frame("garbage");
    outputs.extend(s.frame(&details(DETAILS)));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    assert_eq!(delivered(&outputs), [""; 0]);
    // What nobody wants is not missed.
    let mut s = Direct::ready(Config::default());
    unclear(&mut s);
    s.reply(429, &error_body("CMN-301"));
    let mut outputs = s.unsubscribe();
    outputs.extend(s.frame("garbage"));
    outputs.extend(s.subscribe());
    until_asked(&mut s);
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    assert_eq!(delivered(&outputs), [""; 0]);
}

// CLAUSE REC-5 SUB-3
#[test]
fn what_comes_alive_while_a_call_waits_is_no_replay() {
    let mut s = Direct::connecting(Config::default());
    s.frame(&details(r#""recoveryBufferSize":3,"recoveryTimeout":180"#));
    s.subscribe();
    s.reply(503, &error_body("CMN-211"));
    (0..5).for_each(|n| drop(s.frame(&notification(n))));
    until_asked(&mut s);
    assert_eq!(delivered(&s.reply(200, r#"{"id":"s"}"#)), ["0", "1", "2", "3", "4"]);
}

// CLAUSE REC-5 SUB-7
#[test]
fn a_subscription_that_was_perhaps_not_deleted_may_come_again() {
    for (answer, gap) in [(401, true), (204, false), (404, false)] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.unsubscribe();
        s.reply(answer, &error_body("OAU-213"));
        s.subscribe();
        s.reply(429, &error_body("CMN-301"));
        s.unsubscribe();
        s.subscribe();
        s.frame("garbage");
        until_asked(&mut s);
        let found = delivered(&s.reply(200, r#"{"id":"s"}"#));
        assert_eq!(found.len(), usize::from(gap), "{answer} {found:?}");
    }
}

// CLAUSE REC-5 SUB-8
#[test]
fn an_unreadable_frame_between_unsubscribe_and_subscribe_is_a_gap() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.unsubscribe();
    let mut outputs = s.frame("garbage");
    outputs.extend(s.subscribe_to("/b"));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(1)));
    assert_eq!(delivered(&outputs), ["gap unreadable_frame", "1"]);
}

// CLAUSE REC-5 SUB-3
#[test]
fn an_unreadable_frame_among_held_notifications_is_a_gap_at_its_place() {
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
    assert_eq!(delivered(&outputs), [""; 0]);
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    let gap = "gap unreadable_frame";
    assert_eq!(delivered(&outputs), [gap, "1", gap, "2", gap]);
    let bounds = |e: &Event| match e {
        Event::Gap(gap) => Some((gap.after.clone(), gap.since.0 - 1_700_000_000_000)),
        _ => None,
    };
    let bounds: Vec<_> = events(&outputs).filter_map(bounds).collect();
    assert_eq!(bounds, [(None, 0), (Some("1".into()), 1000), (Some("2".into()), 2000)]);
    assert_eq!(s.session.stats().foreign, 0);

    // An unreadable frame takes a place too, and is not counted as a foreign notification.
    let mut config = Config::default();
    config.limits.held_notifications = 2;
    let mut s = subscribing(config);
    s.frame(&notification(1));
    s.frame("garbage");
    s.frame(&notification(2));
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert_eq!(delivered(&outputs), ["gap queue_overflow", gap, "2"]);
    let mut s = subscribing(Config::default());
    s.frame(&notification(1));
    s.frame("garbage");
    s.closed(None);
    assert_eq!(s.session.stats().foreign, 1);
}

// CLAUSE SUB-3 SUB-5
#[test]
fn notifications_between_two_posts_follow_the_held_ones() {
    let mut s = Direct::ready(without_penalty());
    s.subscribe();
    s.frame(&notification(1));
    s.reply(429, &error_body("CMN-301"));
    s.frame(&notification(2));
    s.frame("garbage");
    s.subscribe();
    s.frame(&notification(3));
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    assert_eq!(delivered(&outputs), ["1", "2", "gap unreadable_frame", "3"]);
}

// CLAUSE SUB-3 FRM-4
#[test]
fn a_held_notification_above_the_limit_is_a_gap() {
    for (sent, lost) in [(3, 0), (4, 0), (5, 1)] {
        let mut s = Direct::ready(limited(|b| b.held_notifications = 4));
        s.subscribe();
        (0..sent).for_each(|n| drop(s.frame(&notification(n))));
        let outputs = s.reply(200, r#"{"id":"s"}"#);
        assert_eq!((count(&outputs, is_gap), count(&outputs, is_notification)), (lost, sent - lost), "{sent}");
    }
}

// CLAUSE SUB-3 SUB-7
#[test]
fn notifications_between_unsubscribe_and_subscribe_are_delivered() {
    let mut s = Direct::ready(Config::default());
    let mut outputs = s.subscribe();
    outputs.extend(s.unsubscribe());
    outputs.extend(s.frame(&notification(1)));
    outputs.extend(s.subscribe());
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(delivered(&outputs), ["1", "2"]);
    assert!(!unsubscribed(&outputs), "{outputs:?}");
}

// CLAUSE SUB-3 SUB-5
#[test]
fn notifications_between_two_posts_wait_for_the_confirmation() {
    // The server may give the id of a subscription that it held before, or another one.
    for (id, expected) in [("s", &["1", "gap unreadable_frame", "2"][..]), ("t", &["gap unreadable_frame"])] {
        let mut s = Direct::ready(without_penalty());
        s.subscribe();
        s.reply(429, &error_body("CMN-301"));
        s.frame(&notification(1));
        s.frame("garbage");
        s.subscribe();
        s.frame(&notification(2));
        let outputs = s.reply(200, &format!(r#"{{"id":"{id}"}}"#));
        assert_eq!(delivered(&outputs), expected);
        assert_eq!(s.session.stats().foreign, if id == "s" { 0 } else { 2 });
    }
}

// CLAUSE SUB-4
#[test]
fn nothing_is_held_for_a_subscription_that_nobody_asked_for() {
    let mut s = Direct::connecting(over_socket());
    s.frame(&details(r#""maxActiveRequests":1"#));
    // The only place is taken: nothing can be asked of the server.
    s.request(get("/a"));
    let request = s.message.clone();
    s.frame(&notification(1));
    assert_eq!(s.session.stats().foreign, 1);
    s.subscribe();
    s.frame(&format!(r#"[{{"type":"ClientRequest","messageId":"{request}","status":204}}]"#));
    let mut outputs = s.reply(200, r#"{"id":"s"}"#);
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(delivered(&outputs), ["2"]);
}
