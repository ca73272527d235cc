//! What happens again and again: recoveries that cannot work, sessions with two owners, refused tokens, long waits.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{
    DETAILS, Direct, TOKEN, actions, carries_handle, details, echo_of, error_body, events, good, next_connection,
    notification, recovered, told,
};
use ringcentral_ws_core::*;

// CLAUSE REC-9
#[test]
fn a_replay_that_always_breaks_the_reader_is_given_up() {
    let mut s = good();
    s.closed(None);
    let lost = s.now;
    for n in 1..=3 {
        let (handle, _) = next_connection(&mut s);
        assert!(handle, "attempt {n}");
        s.frame(&recovered(DETAILS));
        s.closed(None);
    }
    let (handle, _) = next_connection(&mut s);
    assert!(!handle, "the fourth is fresh");
    assert!(s.now.since(lost) < Duration::from_secs(60), "{:?}", s.now.since(lost));
    let mut outputs = s.frame(&details(DETAILS));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    outputs.extend(s.frame(&notification(2)));
    assert_eq!(told(&outputs), ["gap recovery_abandoned", "2"]);
}

// CLAUSE REC-9
#[test]
fn a_recovery_that_brings_something_new_or_an_echo_is_not_given_up() {
    let mut s = good();
    s.closed(None);
    for n in 2..8 {
        let (handle, _) = next_connection(&mut s);
        assert!(handle, "attempt {n}");
        let outputs = s.frame(&recovered(DETAILS));
        if n % 2 == 0 {
            s.frame(&notification(n));
        } else {
            s.frame(&echo_of(&outputs));
        }
        s.closed(None);
    }
}

// CLAUSE REC-9
#[test]
fn a_handle_that_is_refused_three_times_in_whatever_form_is_given_up() {
    let refusals: [fn(&mut Direct); 4] = [
        |s| drop(s.closed(Some(4001))),
        |s| drop(s.closed(Some(1011))),
        |s| drop(s.frame(r#"[{"type":"Error"},{"errorCode":"WSG-999"}]"#)),
        |s| drop(s.closed(Some(4400))),
    ];
    for (i, refuse) in refusals.into_iter().enumerate() {
        let mut s = good();
        s.closed(None);
        for n in 1..=3 {
            assert!(next_connection(&mut s).0, "form {i}, attempt {n}");
            refuse(&mut s);
        }
        assert!(!next_connection(&mut s).0, "form {i}: the fourth is fresh");
        let mut outputs = s.frame(&details(DETAILS));
        outputs.extend(s.reply(200, r#"{"id":"s"}"#));
        assert_eq!(told(&outputs), ["gap recovery_abandoned"], "form {i}");
    }
}

fn refused_upgrade(s: &mut Direct, status: u16) -> bool {
    loop {
        let outputs = s.sleep(Duration::from_secs(1));
        let mut outputs = outputs;
        if actions(&outputs).any(|action| matches!(action, Action::Http { .. })) {
            outputs = s.http(200, TOKEN);
        }
        if let Some(handle) = carries_handle(&outputs) {
            let failure =
                OpenFailure { phase: Phase::Response, status: Some(status), retry_after: None, message: "no".into() };
            s.input(Input::OpenFailed { conn: s.conn, failure });
            return handle;
        }
    }
}

// CLAUSE REC-9 REC-1
#[test]
fn a_service_that_is_away_is_no_reason_to_give_up_before_the_window_ends() {
    for (status, last) in [(503, 181), (502, 181), (400, 30), (500, 30), (403, 30)] {
        let mut s = good();
        s.closed(None);
        let lost = s.now;
        while refused_upgrade(&mut s, status) {
            let passed = s.now.since(lost).as_secs();
            assert!(passed < last + 60, "HTTP {status}: the handle is still tried after {passed} s");
        }
        let passed = s.now.since(lost).as_secs();
        assert!(status < 502 || passed >= last, "HTTP {status}: given up after {passed} s");
    }
}

/// The server closes a good connection, and the recovery succeeds.
fn taken(s: &mut Direct) -> Vec<Output> {
    s.closed(Some(1000));
    let (handle, _) = next_connection(s);
    assert!(handle);
    let mut outputs = s.frame(&recovered(DETAILS));
    let echo = echo_of(&outputs);
    outputs.extend(s.frame(&echo));
    outputs
}

// CLAUSE CON-7 REC-5
#[test]
fn a_session_with_two_owners_has_a_gap_and_then_rests() {
    let mut s = good();
    assert!(told(&taken(&mut s)).is_empty(), "once may be an accident");
    let outputs = taken(&mut s);
    assert_eq!(told(&outputs), ["gap contended"]);
    let gap = events(&outputs).find_map(|e| if let Event::Gap(gap) = e { Some(gap.clone()) } else { None }).unwrap();
    assert_eq!(gap.since, UnixMillis(direct::clock().unix.0 + 31_000), "from the first time on");
    let outputs = s.closed(Some(1000));
    let rests = |e: &Event| matches!(e, Event::Waiting { reason: WaitReason::Contended, .. });
    assert!(events(&outputs).any(rests), "{outputs:?}");
    // Neither the network nor a sleep ends the rest; the user may.
    s.input(Input::NetworkChanged { online: true });
    let SessionState::Waiting { until, reason, .. } = s.session.state() else { panic!("{:?}", s.session.state()) };
    let rest = until.since(s.now).as_secs();
    assert!(reason == WaitReason::Contended && (45..=75).contains(&rest), "{reason:?} {rest}");
    let (handle, _) = next_connection(&mut s);
    assert!(!handle && s.now >= until, "a session of its own");
    let mut outputs = s.frame(&details(DETAILS));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    assert_eq!(told(&outputs), ["gap contended"]);
}

/// Whoever took it twice may take it again while it is down for another reason, or before that reason is seen.
// CLAUSE CON-7 REC-5
#[test]
fn any_loss_soon_after_a_contention_is_a_gap_too() {
    let contended = || {
        let mut s = good();
        assert!(told(&taken(&mut s)).is_empty() && told(&taken(&mut s)) == ["gap contended"]);
        s
    };
    let recover = |s: &mut Direct| {
        assert!(next_connection(s).0);
        let outputs = s.frame(&recovered(DETAILS));
        s.frame(&echo_of(&outputs))
    };
    let mut s = contended();
    s.closed(None);
    let lost = UnixMillis(direct::clock().unix.0 + s.now.as_micros() / 1000);
    let outputs = recover(&mut s);
    assert_eq!(told(&outputs), ["gap contended"]);
    let gap = events(&outputs).find_map(|e| if let Event::Gap(gap) = e { Some(gap.clone()) } else { None }).unwrap();
    assert!(gap.since <= lost && lost.0 - gap.since.0 < 1_000, "since the loss, not since the first: {gap:?} {lost:?}");
    // The server's own words about the session, on which another client may act at the same time.
    let mut s = contended();
    s.frame(r#"[{"type":"Error","messageId":"e"},[{"errorCode":"WSG-902","message":"Idle timeout"}]]"#);
    assert_eq!(told(&recover(&mut s)), ["gap contended"]);
    // A minute after it came back it is over.
    let mut s = contended();
    s.sleep(Duration::from_secs(29));
    s.frame(&notification(9));
    s.sleep(Duration::from_secs(29));
    s.frame(&notification(9));
    s.sleep(Duration::from_secs(3));
    s.closed(None);
    assert!(told(&recover(&mut s)).is_empty());
}

// CLAUSE CON-7
#[test]
fn endings_that_are_far_apart_or_not_the_servers_are_no_contention() {
    let mut s = good();
    for _ in 0..5 {
        taken(&mut s);
        s.sleep(Duration::from_secs(29));
        s.frame(&notification(9));
        s.sleep(Duration::from_secs(29));
        s.frame(&notification(9));
        s.sleep(Duration::from_secs(5));
    }
    let mut s = good();
    for _ in 0..5 {
        s.closed(None);
        assert!(next_connection(&mut s).0);
        let outputs = s.frame(&recovered(DETAILS));
        let outputs = s.frame(&echo_of(&outputs));
        assert!(told(&outputs).is_empty());
    }
}

/// A server that restarts closes everybody, and does not know the session afterwards. That is nobody's contention.
// CLAUSE CON-7
#[test]
fn endings_before_the_session_was_lost_are_no_contention() {
    let mut s = good();
    s.closed(Some(1000));
    assert!(next_connection(&mut s).0);
    let mut outputs = s.frame(&details(&format!(r#"{DETAILS},"recoveryState":"Failed""#)));
    outputs.extend(s.reply(200, r#"{"id":"s"}"#));
    assert_eq!(told(&outputs), ["gap recovery_failed"]);
    let outputs = s.sleep(Duration::from_secs(30));
    s.frame(&echo_of(&outputs));
    assert!(told(&taken(&mut s)).is_empty(), "once in this session");
    assert_eq!(told(&taken(&mut s)), ["gap contended"], "twice in this session");
}

// CLAUSE TOK-4
#[test]
fn tokens_that_others_end_again_and_again_end_the_session_in_words() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let mut ended = None;
    for round in 1..=3 {
        s.sleep(Duration::from_secs(90));
        // What the heartbeat could not keep alive is lost; the token call comes with the next attempt.
        loop {
            let outputs = s.sleep(Duration::from_secs(1));
            if actions(&outputs).any(|action| matches!(action, Action::Http { .. })) {
                break;
            }
        }
        let outputs = s.http(401, &error_body("OAU-213"));
        ended =
            events(&outputs).find_map(|e| if let Event::Closed { reason } = e { Some(reason.clone()) } else { None });
        assert_eq!(ended.is_some(), round == 3, "round {round}");
        if round < 3 {
            s.authorize();
            s.http(200, TOKEN);
            s.input(Input::Opened { conn: s.conn });
            s.frame(&recovered(DETAILS));
        }
    }
    let Some(CloseReason::Permanent(cause)) = ended else { panic!("{ended:?}") };
    assert_eq!(cause, Cause::Evicted);
    assert!(cause.to_string().contains("at most five logins"), "{cause}");
}

// CLAUSE TOK-2 PST-1
#[test]
fn a_restart_does_not_begin_with_a_fresh_budget() {
    // Killed every 8 s, right after its connection: the fifth process has no call left, and waits for the first to count
    // no more, not for a minute of its own.
    let mut snapshot: Option<String> = None;
    let mut calls = 0;
    for process in 0..12_u64 {
        let unix = UnixMillis(direct::clock().unix.0 + process * 8_000);
        let clock = ClockReading { now: Timestamp::ZERO, unix };
        let session = match snapshot.take() {
            None => contract::Checked::new(Config::default(), process, clock),
            Some(text) => {
                let snapshot = Snapshot::from_json(&text).unwrap();
                contract::Checked::restore(Config::default(), snapshot, process, clock).unwrap()
            }
        };
        let mut s = Direct::around(session);
        s.session.connect(s.now).unwrap();
        let mut outputs = s.drain();
        for second in 0..8 {
            if actions(&outputs).any(|a| matches!(a, Action::Authorize { .. })) {
                calls += 1;
                outputs = s.authorize();
            }
            if actions(&outputs).any(|a| matches!(a, Action::Http { .. })) {
                calls += 1;
                assert!(calls <= 5 * (1 + (process * 8 + second) / 60), "process {process}");
                s.open();
                s.frame(&details(DETAILS));
            }
            outputs = s.sleep(Duration::from_secs(1));
        }
        snapshot = Some(s.session.snapshot().unwrap().to_json());
    }
    assert!(calls > 5, "{calls}: it never came back");
}

// CLAUSE REC-8
#[test]
fn every_long_wait_is_an_event() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    for n in 0..12 {
        let before = s.now;
        let mut outputs = s.closed(None);
        let (_, more) = next_connection(&mut s);
        outputs.extend(more);
        let spoken = events(&outputs).any(|e| matches!(e, Event::Retry { .. } | Event::Waiting { .. }));
        assert!(
            spoken || s.now.since(before) <= Duration::from_secs(3),
            "loss {n}: silence of {:?}",
            s.now.since(before)
        );
        let outputs = s.frame(&recovered(DETAILS));
        s.frame(&echo_of(&outputs));
    }
}

// CLAUSE BCK-6
#[test]
fn a_connection_is_good_when_a_heartbeat_was_answered_on_it() {
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
    // A busy connection is asked, too.
    s.frame(&details(DETAILS));
    s.reply(200, r#"{"id":"s"}"#);
    let mut beats = Vec::new();
    for n in 0..40 {
        beats.extend(s.sleep(Duration::from_millis(900)));
        beats.extend(s.frame(&notification(100 + n)));
    }
    assert_eq!(direct::purposes(&beats), [Purpose::Heartbeat]);
    s.frame(&echo_of(&beats));
    s.closed(None);
    assert_eq!(attempt(&s), 0);
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
    // A change that is refused leaves what there was.
    s.subscribe();
    s.reply(403, &error_body("SUB-528"));
    assert!(s.session.is_subscribed());
}
