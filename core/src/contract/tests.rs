//! The checker objects to what is wrong, and to nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::output::{CloseReason, Purpose};

fn checked() -> Checked {
    Checked::new(Config::default(), 1, ClockReading::default())
}

/// Whether the checker objects to the last of these, and to none before.
fn objects(outputs: Vec<Output>) -> bool {
    let mut it = checked();
    it.requests.insert(RequestId(1));
    let mut see = |output: &Output| match output {
        Output::Wait(wait) => it.check_wait(*wait),
        Output::Action(action) => it.check_action(action),
        Output::Event(event) => it.check_event(event),
    };
    let (last, before) = outputs.split_last().unwrap();
    before.iter().for_each(&mut see);
    catch_unwind(AssertUnwindSafe(|| see(last))).is_err()
}

// CLAUSE C2
#[test]
fn polls_without_an_end_are_seen() {
    let mut it = checked();
    it.polls = it.poll_limit - 1;
    let _ = it.poll_output();
    assert!(catch_unwind(AssertUnwindSafe(|| it.poll_output())).is_err());
}

// CLAUSE C15
#[test]
fn a_second_delivery_is_seen() {
    let fields = crate::wire::NotificationFields { uuid: Some("u".into()), ..Default::default() };
    let notification = Output::Event(Event::Notification(crate::Notification::new(None, &fields)));
    assert!(!objects(vec![notification.clone()]) && objects(vec![notification.clone(), notification]));
}

// CLAUSE C3 C4 C5 C7 C8 C16
#[test]
fn each_breach_is_seen() {
    let (one, two) = (ConnId(1), ConnId(2));
    let act = Output::Action;
    let url = || crate::SecretUrl::new(crate::Config::default().server);
    let open = |conn| act(Action::Open { conn, url: url() });
    let send = |conn| act(Action::Send { conn, text: String::new(), purpose: Purpose::Heartbeat });
    let again = |conn| act(Action::Resubscribe { conn, text: String::new() });
    let close = |conn| act(Action::Close { conn, code: 1000, reason: "" });
    let gone = |conn| act(Action::Drop { conn });
    let abort = |n| act(Action::AbortHttp { id: HttpId(n) });
    let call = |n| {
        act(Action::Http {
            id: HttpId(n),
            purpose: crate::HttpPurpose::ConnectionToken,
            request: http::Request::default().into(),
        })
    };
    let ended = |n| {
        let outcome = crate::RequestOutcome::TimedOut { sent: false };
        Output::Event(Event::Response { id: RequestId(n), outcome })
    };
    let changed = || Output::Event(Event::SnapshotChanged);
    let over = || Output::Event(Event::Closed { reason: CloseReason::Detached });
    let until = |at| Output::Wait(Wait::Until { at, reason: crate::TimerKind::Retry });
    for legal in [
        vec![open(one), send(one), again(one), close(one), gone(one)],
        vec![open(one), close(one), gone(one), open(two), send(two)],
        vec![call(1), call(2), abort(1), abort(2)],
        vec![ended(1), changed(), over(), Output::Wait(Wait::Finished)],
        vec![until(Timestamp::from_micros(1))],
    ] {
        assert!(!objects(legal));
    }
    for breach in [
        vec![until(Timestamp::ZERO)],
        vec![Output::Wait(Wait::Finished)],
        vec![open(one), open(two)],
        vec![open(two), gone(two), open(one)],
        vec![open(one), gone(one), open(one)],
        vec![send(one)],
        vec![open(one), send(two)],
        vec![open(one), close(one), send(one)],
        vec![open(one), close(one), again(one)],
        vec![open(one), close(two)],
        vec![open(one), close(one), close(one)],
        vec![gone(one)],
        vec![open(one), gone(two)],
        vec![call(1), call(1)],
        vec![abort(1)],
        vec![ended(1), ended(1)],
        vec![ended(2)],
        vec![changed(), changed()],
        vec![over()],
        vec![ended(1), call(1), over()],
        vec![ended(1), open(one), over()],
        vec![ended(1), over(), over()],
        vec![ended(1), over(), call(1)],
        vec![ended(1), over(), Output::Wait(Wait::ForInput)],
    ] {
        assert!(objects(breach.clone()), "{breach:?}");
    }
}

/// Whether the checker objects, and for this clause.
fn objects_to<T>(clause: &str, call: impl FnOnce() -> T) -> bool {
    let panic = catch_unwind(AssertUnwindSafe(call)).err();
    let words = panic
        .as_ref()
        .and_then(|p| p.downcast_ref::<String>().map(String::as_str).or(p.downcast_ref::<&str>().copied()));
    words.is_some_and(|words| words.contains(clause))
}

fn drain(it: &mut Checked) {
    while !matches!(it.poll_output(), Output::Wait(_)) {}
}

/// Whether the checker objects to what comes of this input.
fn minds(clause: &str, it: &mut Checked, input: Input<'_>, now: Timestamp) -> bool {
    objects_to(clause, || {
        it.handle_input(input, now).unwrap();
        drain(it);
    })
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// One that has asked for an access token.
fn asking() -> (Checked, AuthId) {
    let mut it = checked();
    it.connect(at(1)).unwrap();
    drain(&mut it);
    let id = *it.logins.first().unwrap();
    (it, id)
}

// CLAUSE C11
#[test]
fn a_timer_that_acts_early_is_seen() {
    let early = |believed: u64| {
        let (mut it, _) = asking();
        // The session's own deadline is at 31 s.
        it.wait = Some(Wait::Until { at: at(believed), reason: crate::TimerKind::Authorize });
        minds("C11", &mut it, Input::Timeout, at(40))
    };
    assert!(early(41) && !early(40) && !early(39));
    let (mut it, _) = asking();
    it.wait = Some(Wait::ForInput);
    assert!(minds("C11", &mut it, Input::Timeout, at(40)));
}

// CLAUSE C6
#[test]
fn an_answer_that_nobody_waits_for_and_that_acts_is_seen() {
    let token = || crate::AccessToken { secret: "a".into(), expires_in: None };
    for (known, bad) in [(true, false), (false, true)] {
        let (mut it, id) = asking();
        if !known {
            it.logins.clear();
        }
        assert_eq!(minds("C6", &mut it, Input::Authorized { id, token: token() }, at(2)), bad, "{known}");
    }
    for (known, bad) in [(true, false), (false, true)] {
        let mut it = fetching();
        let id = *it.calls.first().unwrap();
        if !known {
            it.calls.clear();
        }
        let failure = || crate::HttpFailure { phase: crate::Phase::Tcp, not_sent: true, message: "m".into() };
        assert_eq!(minds("C6", &mut it, Input::HttpFailed { id, failure: failure() }, at(2)), bad, "{known}");
        assert!(it.is_stale(&Input::HttpFailed { id, failure: failure() }), "a second answer");
    }
}

/// One that has called for a WebSocket token.
fn fetching() -> Checked {
    let (mut it, id) = asking();
    let token = crate::AccessToken { secret: "a".into(), expires_in: None };
    it.handle_input(Input::Authorized { id, token: token.clone() }, at(1)).unwrap();
    drain(&mut it);
    assert!(it.is_stale(&Input::Authorized { id, token }));
    it
}

/// One whose connection opens.
fn opening() -> (Checked, ConnId) {
    let mut it = fetching();
    let id = *it.calls.first().unwrap();
    let body = r#"{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#;
    let response = Box::new(http::Response::new(body.into()));
    it.handle_input(Input::HttpResponse { id, response }, at(1)).unwrap();
    drain(&mut it);
    let conn = it.live.unwrap();
    (it, conn)
}

// CLAUSE C6
#[test]
fn a_dead_connection_that_acts_is_seen() {
    for (live, bad) in [(true, false), (false, true)] {
        let (mut it, conn) = opening();
        if !live {
            it.live = None;
        }
        let closed = Input::Closed { conn, close: crate::CloseInfo::default() };
        assert_eq!(minds("C6", &mut it, closed, at(2)), bad, "{live}");
    }
}

// CLAUSE C5
#[test]
fn only_the_end_of_the_live_connection_ends_it() {
    let (mut it, conn) = opening();
    let close = crate::CloseInfo::default;
    it.handle_input(Input::Closed { conn: ConnId(99), close: close() }, at(2)).unwrap();
    assert_eq!(it.live, Some(conn));
    drain(&mut it);
    it.handle_input(Input::Closed { conn, close: close() }, at(2)).unwrap();
    assert_eq!((it.live, it.late_drop), (None, None));
}

// CLAUSE C16
#[test]
fn what_waited_to_be_drained_when_it_ended_may_still_be_dropped_once() {
    let (drop, closed) =
        (|conn| Action::Drop { conn }, |conn| Input::Closed { conn, close: crate::CloseInfo::default() });
    let (mut it, conn) = opening();
    it.complete(&closed(conn), true);
    assert!(objects_to("C5", || it.check_action(&drop(conn))), "all had been drained");
    let (mut it, conn) = opening();
    it.complete(&closed(conn), false);
    assert!(objects_to("C5", || it.clone().check_action(&drop(ConnId(99)))), "another one");
    it.check_action(&drop(conn));
    assert!(objects_to("C5", || it.check_action(&drop(conn))), "twice");
}

// CLAUSE C16
#[test]
fn what_waited_to_be_drained_when_it_ended_may_still_be_aborted_once() {
    let failure = || crate::HttpFailure { phase: crate::Phase::Tcp, not_sent: true, message: "m".into() };
    let ends = |it: &mut Checked, drained| {
        let id = *it.calls.first().unwrap();
        it.complete(&Input::HttpFailed { id, failure: failure() }, drained);
        id
    };
    let mut it = fetching();
    let id = ends(&mut it, true);
    assert!(objects_to("C16", || it.check_action(&Action::AbortHttp { id })), "all had been drained");
    let mut it = fetching();
    let id = ends(&mut it, false);
    it.complete(&Input::HttpFailed { id: HttpId(99), failure: failure() }, false);
    assert!(objects_to("C16", || it.clone().check_action(&Action::AbortHttp { id: HttpId(99) })), "never called");
    it.check_action(&Action::AbortHttp { id });
    assert!(objects_to("C16", || it.check_action(&Action::AbortHttp { id })), "twice");
    let mut it = fetching();
    let id = ends(&mut it, false);
    it.check_wait(Wait::ForInput);
    assert!(objects_to("C16", || it.check_action(&Action::AbortHttp { id })), "after the drain");
}

// CLAUSE C3
#[test]
fn each_call_that_is_taken_moves_the_clock_and_no_other_does() {
    type Call = fn(&mut Checked, Timestamp);
    let calls: [Call; 9] = [
        |it, now| _ = it.handle_input(Input::Timeout, now),
        |it, now| _ = it.connect(now),
        |it, now| _ = it.subscribe(Filters::new(["/a"]).unwrap(), now),
        |it, now| _ = it.unsubscribe(now),
        |it, now| _ = it.request(http::Request::new(Body::empty()), now),
        |it, now| _ = it.cancel(RequestId(1), now),
        |it, now| _ = it.recover(now),
        |it, now| _ = it.snapshot_stored(now),
        |it, now| _ = it.close(Close::Detach, now),
    ];
    for (i, call) in calls.into_iter().enumerate() {
        let mut config = Config::default();
        config.limits.undrained = 1;
        let fresh = Checked::new(config, 1, ClockReading::default());
        let mut it = fresh.clone();
        call(&mut it, at(7));
        assert_eq!(it.now, at(7), "{i}");
        drain(&mut it);
        let mut full = fresh;
        full.connect(at(3)).unwrap();
        call(&mut full, at(7));
        assert_eq!(full.now, at(3), "{i}");
    }
}

// CLAUSE C7
#[test]
fn open_requests_are_those_that_have_not_ended() {
    let mut it = checked();
    assert_eq!(it.open_requests().count(), 0);
    let ids = [(); 2].map(|()| it.request(http::Request::get("/r").body(Body::empty()).unwrap(), at(1)).unwrap());
    assert!(it.open_requests().eq(ids));
}
