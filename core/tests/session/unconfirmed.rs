//! Calls of the subscription that may have run: the server's side is unknown until another call settles it (SUB-5,
//! SUB-7, SUB-8).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    DETAILS, Direct, actions, delivered, details, echo_of, error_body, events, notification, notification_of, purposes,
    recovered, unsubscribed, without_penalty,
};

// CLAUSE SUB-8
#[test]
fn the_former_filters_are_sent_again_after_a_refused_update() {
    for dropped in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.subscribe_to("/b");
        // The server may have made the update.
        if dropped {
            s.reopen();
            s.session.subscribe(Filters::new(["/c"]).unwrap(), s.now).unwrap();
            s.frame(&recovered(DETAILS));
        } else {
            s.reply(503, &error_body("CMN-211"));
            s.subscribe_to("/c");
        }
        let outputs = s.reply(400, &error_body("SUB-508"));
        let put = |a: &Action| matches!(a, Action::Send { text, .. } if text.contains(r#"["/a"]"#));
        assert!(actions(&outputs).any(put), "{dropped} {outputs:?}");
        let outputs = s.reply(200, r#"{"id":"s"}"#);
        assert_eq!(purposes(&outputs), []);
    }
}

// CLAUSE REC-5 SUB-5
#[test]
fn a_post_that_may_have_run_is_followed_by_a_gap() {
    for (status, body) in [(200, r#"{"eventFilters":[]}"#.to_owned()), (504, error_body("CMN-211"))] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        s.reply(status, &body);
        // The first one runs on the server.
        s.frame(&notification_of("first", 1));
        let mut outputs = s.sleep(Duration::from_secs(9));
        assert!(purposes(&outputs).contains(&Purpose::Subscribe));
        outputs.extend(s.reply(200, r#"{"id":"second"}"#));
        outputs.extend(s.frame(&notification_of("second", 2)));
        assert_eq!(delivered(&outputs), ["gap subscription_lost", "2"], "{status}");
    }
    let mut s = Direct::ready(without_penalty());
    s.subscribe();
    s.reply(429, &error_body("CMN-301"));
    s.frame(&notification_of("first", 1));
    s.subscribe();
    s.reply(200, r#"{"id":"second"}"#);
    assert_eq!(
        delivered(&s.frame(&notification_of("second", 2))),
        ["2"],
        "a refusal that says that nothing ran leaves nothing unknown"
    );
    assert_eq!(s.session.stats().foreign, 1);
}

// CLAUSE SUB-7 SUB-8
#[test]
fn an_unconfirmed_post_is_abandoned_after_unsubscribe() {
    for early in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        let mut outputs = Vec::new();
        if early {
            s.unsubscribe();
        }
        s.reopen();
        if !early {
            outputs.extend(s.unsubscribe());
        }
        outputs.extend(s.frame(&if early { details(DETAILS) } else { recovered(DETAILS) }));
        let lost = |e: &Event| matches!(e, Event::RecoveryFailed { .. });
        assert!(!events(&outputs).any(lost), "{outputs:?}");
        assert!(unsubscribed(&outputs), "{outputs:?}");
        assert_eq!(delivered(&outputs), [""; 0]);
    }
}

// CLAUSE SUB-7 SUB-8 REC-5
#[test]
fn subscribing_again_before_a_404_to_delete_is_a_gap() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.now = Timestamp::from_secs(5);
    s.frame(&notification(1));
    s.subscribe_to("/b");
    // The server made `t` of it, and the answer is lost.
    s.reopen();
    s.unsubscribe();
    let mut outputs = s.frame(&recovered(DETAILS));
    outputs.extend(s.frame(&notification_of("t", 2)));
    outputs.extend(s.frame(&echo_of(&outputs)));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Unsubscribe]);
    outputs.extend(s.subscribe_to("/c"));
    outputs.extend(s.reply(404, &error_body("CMN-102")));
    outputs.extend(s.frame(&notification_of("t", 3)));
    outputs.extend(s.reply(200, r#"{"id":"u"}"#));
    outputs.extend(s.frame(&notification_of("u", 4)));
    assert_eq!(delivered(&outputs), ["gap subscription_lost", "4"]);
    let since = |e: &Event| if let Event::Gap(gap) = e { Some(gap.since.0) } else { None };
    assert_eq!(events(&outputs).find_map(since), Some(1_700_000_005_000));
    assert!(!unsubscribed(&outputs), "{outputs:?}");

    // After `Unsubscribed` there is no gap.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.unsubscribe();
    let mut outputs = s.reply(404, &error_body("CMN-102"));
    assert!(unsubscribed(&outputs), "{outputs:?}");
    outputs.extend(s.frame(&notification_of("t", 1)));
    outputs.extend(s.subscribe());
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(delivered(&outputs), ["2"]);
}

// CLAUSE SUB-5 SUB-8 REC-5
#[test]
fn an_update_that_may_have_run_is_a_gap_even_after_a_refusal() {
    for removal in [false, true] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.frame(&notification(1));
        s.subscribe_to("/b");
        // The server made `t` of it, and the answer is lost.
        s.reopen();
        if removal {
            s.unsubscribe();
        }
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        let call = if removal { Purpose::Unsubscribe } else { Purpose::Update };
        assert_eq!(purposes(&outputs), [Purpose::Heartbeat, call]);
        // The filters are set again and refused, and set once more meanwhile.
        if removal {
            s.session.subscribe(Filters::new(["/c"]).unwrap(), s.now).unwrap();
        }
        outputs.extend(s.reply(404, &error_body("CMN-102")));
        outputs.extend(s.subscribe_to("/d"));
        outputs.extend(s.reply(400, &error_body("SUB-508")));
        // The loss was reported with the refusal; `t` is there until it is replaced.
        assert_eq!(delivered(&outputs), ["gap subscription_lost"]);
        let mut outputs = s.frame(&notification_of("t", 2));
        outputs.extend(s.reply(200, r#"{"id":"u"}"#));
        outputs.extend(s.frame(&notification_of("u", 3)));
        assert_eq!(delivered(&outputs), ["gap subscription_lost", "3"], "{removal}");
    }
}

// CLAUSE SUB-7 REC-5
#[test]
fn subscribing_again_before_a_401_to_delete_is_a_gap() {
    for again in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.unsubscribe();
        let mut outputs = Vec::new();
        if again {
            outputs.extend(s.subscribe());
        }
        // The subscription counts as removed, and may still be there.
        outputs.extend(s.reply(401, &error_body("OAU-213")));
        outputs.extend(s.frame(&notification(1)));
        if !again {
            assert!(unsubscribed(&outputs), "{outputs:?}");
            outputs.extend(s.subscribe());
        }
        outputs.extend(s.reply(200, r#"{"id":"t"}"#));
        outputs.extend(s.frame(&notification_of("t", 2)));
        let expected: &[_] = if again { &["gap subscription_lost", "2"] } else { &["2"] };
        assert_eq!(delivered(&outputs), expected);
    }
}

// CLAUSE SUB-8 REC-5
#[test]
fn an_unconfirmed_post_of_a_former_session_is_a_gap_once_subscribed_again() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.unsubscribe();
    // No filters are set when the next connection opens, so it presents no recovery token.
    s.reopen();
    let mut outputs = s.subscribe();
    outputs.extend(s.frame(&details(DETAILS)));
    outputs.extend(s.reply(200, r#"{"id":"t"}"#));
    outputs.extend(s.frame(&notification_of("t", 1)));
    assert_eq!(delivered(&outputs), ["gap subscription_lost", "1"]);
}
