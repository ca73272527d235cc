//! What meets what it was not made for: a call that was answered for another wish, an answer at its deadline, a handle of
//! an older session, settings nobody should choose.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{DETAILS, Direct, actions, details, echo_of, error_body, events, notification, purposes, recovered, told};
use ringcentral_ws_core::*;

fn of(subscription: &str, uuid: usize) -> String {
    notification(uuid).replace(r#""s""#, &format!(r#""{subscription}""#))
}

// CLAUSE SUB-7 SUB-8 REC-5
#[test]
fn what_is_gone_and_wanted_again_is_a_gap() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.now = Timestamp::from_secs(5);
    s.frame(&notification(1));
    s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
    s.drain();
    // The server made `t` of it, and the answer is lost.
    s.reopen();
    s.session.unsubscribe(s.now).unwrap();
    s.drain();
    let mut outputs = s.frame(&recovered(DETAILS));
    outputs.extend(s.frame(&of("t", 2)));
    outputs.extend(s.frame(&echo_of(&outputs)));
    assert_eq!(purposes(&outputs), [Purpose::Heartbeat, Purpose::Unsubscribe]);
    s.session.subscribe(Filters::new(["/c"]).unwrap(), s.now).unwrap();
    outputs.extend(s.drain());
    outputs.extend(s.reply(404, &error_body("CMN-102")));
    outputs.extend(s.frame(&of("t", 3)));
    outputs.extend(s.reply(200, r#"{"id":"u"}"#));
    outputs.extend(s.frame(&of("u", 4)));
    assert_eq!(told(&outputs), ["gap subscription_lost", "4"]);
    let since = |e: &Event| if let Event::Gap(gap) = e { Some(gap.since.0) } else { None };
    assert_eq!(events(&outputs).find_map(since), Some(1_700_000_005_000));
    assert!(!events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");

    // Once the application was told that there is none, nothing is owed.
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.session.unsubscribe(s.now).unwrap();
    s.drain();
    let mut outputs = s.reply(404, &error_body("CMN-102"));
    assert!(events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");
    outputs.extend(s.frame(&of("t", 1)));
    outputs.extend(s.subscribe());
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(told(&outputs), ["2"]);
}

// CLAUSE SUB-3 SUB-7
#[test]
fn what_comes_between_a_wish_taken_back_and_its_return_is_delivered() {
    let mut s = Direct::ready(Config::default());
    let mut outputs = s.subscribe();
    s.session.unsubscribe(s.now).unwrap();
    outputs.extend(s.drain());
    outputs.extend(s.frame(&notification(1)));
    outputs.extend(s.subscribe());
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(told(&outputs), ["1", "2"]);
    assert!(!events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");
}

// CLAUSE SUB-5 SUB-8 REC-5
#[test]
fn what_an_update_may_have_made_is_a_gap_also_after_a_refusal() {
    for removal in [false, true] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.frame(&notification(1));
        s.session.subscribe(Filters::new(["/b"]).unwrap(), s.now).unwrap();
        s.drain();
        // The server made `t` of it, and the answer is lost.
        s.reopen();
        if removal {
            s.session.unsubscribe(s.now).unwrap();
            s.drain();
        }
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        let call = if removal { Purpose::Unsubscribe } else { Purpose::Update };
        assert_eq!(purposes(&outputs), [Purpose::Heartbeat, call]);
        // The wish is made anew, in vain, and once more meanwhile.
        if removal {
            s.session.subscribe(Filters::new(["/c"]).unwrap(), s.now).unwrap();
        }
        outputs.extend(s.reply(404, &error_body("CMN-102")));
        s.session.subscribe(Filters::new(["/d"]).unwrap(), s.now).unwrap();
        outputs.extend(s.drain());
        outputs.extend(s.reply(400, &error_body("SUB-508")));
        // What is gone was told with the refusal; `t` is there until it is replaced.
        assert_eq!(told(&outputs), ["gap subscription_lost"]);
        let mut outputs = s.frame(&of("t", 2));
        outputs.extend(s.reply(200, r#"{"id":"u"}"#));
        outputs.extend(s.frame(&of("u", 3)));
        assert_eq!(told(&outputs), ["gap subscription_lost", "3"], "{removal}");
    }
}

// CLAUSE C16
#[test]
fn a_login_that_is_there_at_its_deadline_is_used() {
    for (millis, refused) in [(30_000, false), (31_000, false), (30_000, true)] {
        let mut s = Direct::new(Config::default());
        s.session.connect(s.now).unwrap();
        s.drain();
        s.now = Timestamp::ZERO.after(Duration::from_millis(millis));
        if refused {
            let failure = AuthFailure::permanent("no");
            s.input(Input::AuthorizeFailed { id: s.login, failure });
            assert_eq!(s.session.state(), SessionState::Closed);
        } else {
            let outputs = s.authorize();
            assert!(actions(&outputs).any(|a| matches!(a, Action::Http { .. })), "{outputs:?}");
        }
        assert_eq!((s.session.stats().stale_inputs, s.session.stats().authorizations), (0, 1));
    }
}

// CLAUSE WSC-1 REC-5
#[test]
fn the_handle_of_an_older_session_is_not_presented() {
    let mut s = Direct::ready(Config::default());
    // Nothing to recover, so a new session, which has no handle.
    s.reopen();
    s.frame(&format!(r#"[{{"type":"ConnectionDetails"}},{{{DETAILS}}}]"#));
    s.subscribed();
    s.frame(&notification(1));
    s.closed(None);
    let mut outputs = s.sleep(Duration::from_secs(20));
    outputs
        .extend(s.http(200, r#"{"ws_access_token":"ws-token","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#));
    let presents = |a: &Action| matches!(a, Action::Open { url, .. } if url.expose().as_str().contains("wsc="));
    assert!(!actions(&outputs).any(presents), "the older session could be recovered, and has another subscription");
    s.input(Input::Opened { conn: s.conn });
    let mut outputs = s.frame(&details(DETAILS));
    outputs.extend(s.reply(200, r#"{"id":"t"}"#));
    outputs.extend(s.frame(&of("t", 2)));
    assert_eq!(told(&outputs), ["gap recovery_failed", "2"]);
}

// CLAUSE HB-1
#[test]
fn heartbeats_are_never_as_fast_as_the_network() {
    for (micros, beats) in [(0, 100), (9_999, 100), (20_000, 50)] {
        let heartbeat_interval = Duration::from_micros(micros);
        let mut s = Direct::ready(Config { heartbeat_interval, ..Config::default() });
        let sent = s.session.stats().heartbeats;
        while let Wait::Until { at, .. } = s.wait
            && at <= Timestamp::from_secs(1)
        {
            s.now = at;
            let outputs = s.input(Input::Timeout);
            s.frame(&echo_of(&outputs));
        }
        assert_eq!(s.session.stats().heartbeats - sent, beats, "{micros}");
    }
}

// CLAUSE SUB-3 SUB-5
#[test]
fn what_comes_between_two_tries_waits_for_the_next() {
    // The server held one for this session that nobody wanted any more, and gives its id once more.
    for (id, expected) in [("s", &["1", "gap unreadable_frame", "2"][..]), ("t", &["gap unreadable_frame"])] {
        let mut s = Direct::ready(Config::default());
        s.subscribe();
        s.reply(429, &error_body("CMN-301"));
        s.frame(&notification(1));
        s.frame("garbage");
        s.subscribe();
        s.frame(&notification(2));
        let outputs = s.reply(200, &format!(r#"{{"id":"{id}"}}"#));
        assert_eq!(told(&outputs), expected);
        assert_eq!(s.session.stats().foreign, if id == "s" { 0 } else { 2 });
    }
}

/// Another process, up to the open socket.
fn restored(snapshot: Snapshot, clock: ClockReading) -> Direct {
    let mut s = Direct::around(contract::Checked::restore(Config::default(), snapshot, 2, clock).unwrap());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.authorize();
    s.open();
    s
}

fn bounds(outputs: &[Output]) -> Vec<(u64, u64)> {
    let bounds = |e: &Event| if let Event::Gap(gap) = e { Some((gap.since.0, gap.until.0)) } else { None };
    events(outputs).filter_map(bounds).collect()
}

// CLAUSE REC-5 PST-2
#[test]
fn a_gap_ends_no_earlier_than_it_begins() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    s.now = Timestamp::from_secs(1000);
    s.frame(&notification(1));
    let seen = direct::clock().unix.0 + 1_000_000;
    let snapshot = s.session.snapshot().unwrap();
    // The wall clock was put back, or is right again.
    for unix in [0, seen - 1, seen, seen + 5_000] {
        let mut s = restored(snapshot.clone(), ClockReading { now: Timestamp::ZERO, unix: UnixMillis(unix) });
        let mut outputs = s.frame(&recovered(DETAILS));
        outputs.extend(s.frame(&echo_of(&outputs)));
        assert_eq!(told(&outputs), ["gap restored"]);
        assert_eq!(bounds(&outputs), [(seen, unix.max(seen))]);
    }
}

// CLAUSE SUB-7 REC-5
#[test]
fn what_a_401_may_have_left_and_is_wanted_again_is_a_gap() {
    for again in [true, false] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        s.session.unsubscribe(s.now).unwrap();
        s.drain();
        let mut outputs = Vec::new();
        if again {
            outputs.extend(s.subscribe());
        }
        // The old one counts as removed, and may not be.
        outputs.extend(s.reply(401, &error_body("OAU-213")));
        outputs.extend(s.frame(&notification(1)));
        if !again {
            assert!(events(&outputs).any(|e| matches!(e, Event::Unsubscribed { .. })), "{outputs:?}");
            outputs.extend(s.subscribe());
        }
        outputs.extend(s.reply(200, r#"{"id":"t"}"#));
        outputs.extend(s.frame(&of("t", 2)));
        let expected: &[_] = if again { &["gap subscription_lost", "2"] } else { &["2"] };
        assert_eq!(told(&outputs), expected);
    }
}

// CLAUSE SUB-5 BCK-1
#[test]
fn a_refused_subscription_is_never_repeated_as_fast_as_the_network() {
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
            let told = |e: &Event| if let Event::SubscriptionFailed { retry_at, .. } = e { *retry_at } else { None };
            assert_eq!(events(&outputs).find_map(told), Some(s.now.after(Duration::from_millis(10))), "{code}");
            s.sleep(Duration::from_millis(10));
        }
    }
}

// CLAUSE SUB-8 REC-5
#[test]
fn what_may_have_been_made_in_a_session_that_is_left_is_a_gap_if_it_is_wanted_again() {
    let mut s = Direct::ready(Config::default());
    s.subscribe();
    s.session.unsubscribe(s.now).unwrap();
    s.drain();
    // Nobody wants anything when the next connection opens, so it presents no handle.
    s.reopen();
    let mut outputs = s.subscribe();
    outputs.extend(s.frame(&details(DETAILS)));
    outputs.extend(s.reply(200, r#"{"id":"t"}"#));
    outputs.extend(s.frame(&of("t", 1)));
    assert_eq!(told(&outputs), ["gap subscription_lost", "1"]);
}
