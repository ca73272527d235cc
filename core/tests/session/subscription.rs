//! The subscription: create, update, remove, and what follows a refusal (SUB).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{
    Direct, HOSTILE, actions, count, delivered, error_body, events, notification, notification_of, purposes,
    unsubscribed,
};

// CLAUSE REC-5 SUB-1
#[test]
fn an_update_that_makes_another_subscription_is_a_gap() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.frame(&notification(1));
    s.subscribe();
    let mut outputs = s.frame(&notification_of("t", 2));
    outputs.extend(s.reply(200, r#"{"id":"t"}"#));
    outputs.extend(s.frame(&notification_of("t", 3)));
    assert_eq!(delivered(&outputs), ["gap subscription_lost", "3"]);
}

// CLAUSE SUB-2 SUB-5
#[test]
fn an_update_of_a_lost_subscription_becomes_a_post_whatever_the_status() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe();
    let outputs = s.reply(400, &error_body("SUB-507"));
    assert!(actions(&outputs).any(|a| matches!(a, Action::Resubscribe { .. })), "{outputs:?}");
}

// CLAUSE SUB-5 SUB-7
#[test]
fn a_refused_delete_names_the_removed_subscription() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.unsubscribe(s.now).unwrap();
    s.subscribe_to("/b");
    let outputs = s.reply(403, &error_body("CMN-408"));
    let id = |e: &Event| if let Event::SubscriptionFailed { id, .. } = e { Some(id.get()) } else { None };
    assert_eq!(events(&outputs).find_map(id), Some(1));
    assert_eq!(purposes(&outputs), [Purpose::Update]);
}

// CLAUSE SUB-5 SUB-7 CLS-1
#[test]
fn a_refused_post_is_not_repeated_after_unsubscribe() {
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
                assert!(unsubscribed(&outputs), "{outputs:?}");
            }
        }
    }
    // An existing subscription is removed once the wait is over.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.subscribe();
    s.session.unsubscribe(s.now).unwrap();
    let outputs = s.reply(503, &error_body("CMN-211"));
    assert_eq!(purposes(&outputs), []);
    let outputs = s.sleep(Duration::from_secs(9));
    assert!(purposes(&outputs).contains(&Purpose::Unsubscribe), "{outputs:?}");
}

// CLAUSE SUB-7 SUB-5
#[test]
fn a_delete_of_a_lost_subscription_succeeds_whatever_the_status() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.unsubscribe();
    let outputs = s.reply(400, &error_body("SUB-507"));
    assert!(unsubscribed(&outputs), "{outputs:?}");
    assert!(!events(&outputs).any(|e| matches!(e, Event::SubscriptionFailed { .. })), "{outputs:?}");
}

// CLAUSE SUB-1 FRM-4
#[test]
fn filters_above_their_limits_are_refused() {
    let many = |n: usize| Filters::new((0..n).map(|i| format!("/{i}")));
    assert!(many(MAX_FILTERS - 1).is_ok() && many(MAX_FILTERS).is_ok() && many(MAX_FILTERS + 1).is_err());
    let long = |n: usize| Filters::new([format!("/{}", "x".repeat(n - 1))]);
    assert!(long(MAX_FILTER_BYTES - 1).is_ok() && long(MAX_FILTER_BYTES).is_ok());
    assert!(long(MAX_FILTER_BYTES + 1).is_err());
}

// CLAUSE SUB-5 SUB-6 FRM-1
#[test]
fn nonsense_in_a_reply_does_no_harm() {
    for value in HOSTILE {
        for field in ["id", "eventFilters", "disabledFilters", "expiresIn", "errorCode", "errors", "message"] {
            for status in [200, 400, 404, 503] {
                let mut s = Direct::ready(Config::default());
                s.subscribe();
                s.reply(status, &format!(r#"{{"id":"s","{field}":{value}}}"#));
                s.frame(&notification(1));
                s.sleep(Duration::from_secs(20));
            }
        }
    }
}

// CLAUSE SUB-5
#[test]
fn a_retry_beyond_the_end_of_time_is_not_planned() {
    let retry = RetryPolicy { subscription_limit: Duration::MAX, ..RetryPolicy::default() };
    let mut s = Direct::ready(Config { retry, ..Config::default() });
    s.subscribe();
    let outputs = s.reply(403, &error_body("SUB-505"));
    let failed = |e: &Event| matches!(e, Event::SubscriptionFailed { retry_at: None, .. });
    assert_eq!((count(&outputs, failed), actions(&outputs).count()), (1, 0), "{outputs:?}");
}

// CLAUSE SUB-5 BCK-1
#[test]
fn a_refused_post_is_repeated_10_ms_later_at_the_earliest() {
    let zero = Duration::ZERO;
    let retry = RetryPolicy {
        socket_lost: zero,
        server_closed: zero,
        base: zero,
        max: zero,
        penalty: zero,
        subscription_limit: zero,
        ..RetryPolicy::default()
    };
    for (status, code) in [(503, "CMN-211"), (403, "SUB-505"), (429, "CMN-301")] {
        let mut s = Direct::ready(Config { retry: retry.clone(), ..Config::default() });
        s.subscribe();
        for _ in 0..9 {
            let outputs = s.reply(status, &error_body(code));
            let again = |e: &Event| if let Event::SubscriptionFailed { retry_at, .. } = e { *retry_at } else { None };
            assert_eq!(events(&outputs).find_map(again), Some(s.now.after(Duration::from_millis(10))), "{code}");
            s.sleep(Duration::from_millis(10));
        }
    }
}

// CLAUSE SUB-5
#[test]
fn a_subscription_refused_for_good_shows_in_the_state() {
    let mut s = Direct::ready(Config::default());
    assert_eq!(s.session.subscription(), SubscriptionState::None);
    s.subscribe();
    assert_eq!(s.session.subscription(), SubscriptionState::Pending);
    s.reply(403, &error_body("SUB-528"));
    assert_eq!(s.session.subscription(), SubscriptionState::Refused);
    assert!(!s.session.is_subscribed() && matches!(s.session.state(), SessionState::Ready { .. }));
    s.subscribed();
    assert!(s.session.is_subscribed());
    // A refused update leaves the subscription as it was.
    s.subscribe();
    s.reply(403, &error_body("SUB-528"));
    assert!(s.session.is_subscribed());
}

// CLAUSE REC-8 SUB-5
#[test]
fn a_wait_before_the_subscription_is_said_if_it_takes_more_than_two_seconds() {
    for (left, said) in [(2, false), (3, true)] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        s.reply(429, &error_body("CMN-301"));
        s.now = s.now.after(Duration::from_secs(60 - left));
        let outputs = s.subscribe();
        let waits = events(&outputs).find_map(|event| match event {
            Event::Waiting { reason: WaitReason::SubscriptionLimit, delay, .. } => Some(*delay),
            _ => None,
        });
        assert_eq!(waits, said.then_some(Duration::from_secs(left)), "{outputs:?}");
    }
}
