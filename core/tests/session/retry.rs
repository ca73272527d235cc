//! Retries: delays, and what resets them (BCK).

use std::time::Duration;

use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, details, echo_of, good, next_connection, notification, purposes, recovered};

// CLAUSE BCK-1
#[test]
fn retries_are_spread_without_a_last_chance() {
    let mut config = Config::default();
    config.retry.last_chance = Duration::ZERO;
    config.retry.auth_calls_per_minute = 1000;
    config.retry.attempts_per_minute = 1000;
    let mut s = Direct::ready(config);
    s.subscribed();
    s.closed(None);
    while s.now < Timestamp::from_secs(240) && s.session.stats().attempts < 100 {
        if s.session.state() == SessionState::Connecting {
            s.http(503, "");
        } else {
            let Wait::Until { at, .. } = s.wait else { panic!("nothing is planned") };
            s.now = at;
            s.input(Input::Timeout);
        }
    }
    let attempts = s.session.stats().attempts;
    assert!((10..60).contains(&attempts), "{attempts}");
}

// CLAUSE BCK-6
#[test]
fn an_echoed_heartbeat_resets_the_attempts() {
    let mut s = good();
    let attempt = |s: &Direct| match s.session.state() {
        SessionState::Waiting { attempt, .. } => attempt,
        other => panic!("{other:?}"),
    };
    s.closed(None);
    assert_eq!(attempt(&s), 0, "the one that was lost was good");
    for n in 1..4 {
        next_connection(&mut s);
        s.frame(&recovered(DETAILS));
        s.closed(None);
        assert_eq!(attempt(&s), n, "ConnectionDetails alone prove nothing");
    }
    let (_, _) = next_connection(&mut s);
    // A busy connection sends a heartbeat too.
    s.frame(&details(DETAILS));
    s.reply(200, r#"{"id":"s"}"#);
    let mut beats = Vec::new();
    for n in 0..40 {
        beats.extend(s.sleep(Duration::from_millis(900)));
        beats.extend(s.frame(&notification(100 + n)));
    }
    assert_eq!(purposes(&beats), [Purpose::Heartbeat]);
    s.frame(&echo_of(&beats));
    s.closed(None);
    assert_eq!(attempt(&s), 0);
}
