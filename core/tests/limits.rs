//! Every named limit one below, at, and one above; and servers whose numbers make no sense.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{Direct, actions, details, events, notification};
use ringcentral_ws_core::*;

fn bounds(change: impl FnOnce(&mut Bounds)) -> Config {
    let mut config = Config { rest_over_websocket: true, ..Config::default() };
    change(&mut config.limits);
    config
}

fn get() -> http::Request<Body> {
    http::Request::get("/r").body(Body::empty()).unwrap()
}

fn count(outputs: &[Output], wanted: impl Fn(&Event) -> bool) -> usize {
    events(outputs).filter(|e| wanted(e)).count()
}

const fn is_gap(event: &Event) -> bool {
    matches!(event, Event::Gap(_))
}

const fn is_notification(event: &Event) -> bool {
    matches!(event, Event::Notification(_))
}

// CLAUSE REQ-2 FRM-4
#[test]
fn active_and_queued_requests() {
    let mut s = Direct::ready(bounds(|b| (b.active_requests, b.queued_requests) = (2, 3)));
    for n in 1..=6 {
        let result = s.session.request(get(), s.now);
        let sent = actions(&s.drain()).count();
        assert_eq!((result.is_ok(), sent), (n <= 5, usize::from(n <= 2)), "{n}");
        if let Err(why) = result {
            assert!(matches!(why, CommandError::Full(request) if request.uri() == "/r"));
        }
    }
}

// CLAUSE SUB-3 FRM-4
#[test]
fn held_notifications() {
    for (sent, lost) in [(3, 0), (4, 0), (5, 1)] {
        let mut s = Direct::ready(bounds(|b| b.held_notifications = 4));
        s.subscribe();
        (0..sent).for_each(|n| drop(s.frame(&notification(n))));
        let outputs = s.reply(200, r#"{"id":"s"}"#);
        assert_eq!((count(&outputs, is_gap), count(&outputs, is_notification)), (lost, sent - lost), "{sent}");
    }
}

// CLAUSE FRM-4
#[test]
fn frame_bytes() {
    let limit = Bounds::default().frame_bytes;
    for (size, read) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        let text = notification(1);
        let outputs = s.frame(&format!("{text}{}", " ".repeat(size - text.len())));
        assert_eq!((count(&outputs, is_notification) == 1, count(&outputs, is_gap) == 1), (read, !read), "{size}");
    }
}

// CLAUSE FRM-4 REQ-9
#[test]
fn headers() {
    for (sent, kept) in [(3, 3), (4, 4), (5, 4), (500, 4)] {
        let mut s = Direct::ready(bounds(|b| b.headers = 4));
        s.session.request(get(), s.now).unwrap();
        s.drain();
        let headers: Vec<_> = (0..sent).map(|n| format!(r#""h{n}":"v""#)).collect();
        let (id, headers) = (s.message.clone(), headers.join(","));
        let text = format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200,"headers":{{{headers}}}}}]"#);
        let outputs = s.frame(&text);
        let of = |e: &Event| match e {
            Event::Response { outcome: RequestOutcome::Response { response, .. }, .. } => response.headers().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(events(&outputs).map(of).collect::<Vec<_>>(), [kept], "{sent}");
    }
}

// CLAUSE FRM-1 FRM-4
#[test]
fn bad_frames() {
    for (sent, dropped) in [(2, false), (3, true), (4, true)] {
        let mut s = Direct::ready(bounds(|b| b.bad_frames = 3));
        (0..sent).for_each(|_| drop(s.frame("x")));
        assert_eq!(matches!(s.session.state(), SessionState::Waiting { .. }), dropped, "{sent}");
    }
}

/// The heartbeat that is due next: most servers send it back as it is.
fn heartbeat_of(s: &mut Direct) -> String {
    let Wait::Until { at, .. } = s.wait else { panic!("nothing is planned") };
    s.now = at;
    let outputs = s.input(Input::Timeout);
    let sent =
        actions(&outputs).find_map(|a| if let Action::Send { text, .. } = a { Some(text.clone()) } else { None });
    sent.unwrap()
}

// CLAUSE FRM-4 HB-2
#[test]
fn an_echo_is_measured_and_counted_as_any_frame() {
    let limit = |bytes| bounds(|b| (b.frame_bytes, b.bad_frames) = (bytes, 2));
    let echo = heartbeat_of(&mut Direct::ready(limit(256)));
    for (bytes, readable) in [(echo.len(), true), (echo.len() - 1, false)] {
        // The first message must come through.
        let mut s = Direct::connecting(limit(bytes));
        s.frame(r#"[{"type":"ConnectionDetails"}]"#);
        assert_eq!(heartbeat_of(&mut s), echo);
        let outputs = s.frame(&echo);
        let too_large = ProtocolError::TooLarge(echo.len());
        assert_eq!(count(&outputs, |e| *e == Event::ProtocolError { conn: s.conn, error: too_large }) == 0, readable);
        assert_eq!((s.session.stats().frames, s.session.stats().unreadable), (2, u64::from(!readable)));
        // Only what is read ends a row of unreadable frames.
        s.frame("x");
        assert_eq!(matches!(s.session.state(), SessionState::Ready { .. }), readable);
        s.frame(&echo);
        s.frame("x");
        assert_eq!(matches!(s.session.state(), SessionState::Ready { .. }), readable);
    }
}

// CLAUSE FRM-4 SEC-3
#[test]
fn undrained_outputs() {
    let mut s = Direct::ready(bounds(|b| b.undrained = 4));
    s.subscribed();
    let mut texts = (0..).map(notification);
    for n in 1..=6 {
        let text = texts.next().unwrap();
        let result = s.session.handle_input(Input::Frame { conn: s.conn, frame: Frame::Text(&text) }, s.now);
        assert_eq!(result.is_ok(), n <= 4, "{n}");
    }
    // No call is taken, and what was to be done is handed back.
    assert!(s.session.connect(s.now).is_err() && s.session.close(Close::Revoke, s.now).is_err());
    assert!(matches!(s.session.request(get(), s.now), Err(CommandError::NotDrained(r)) if r.uri() == "/r"));
    assert!(matches!(s.session.recover(s.now), Err(CommandError::NotDrained(()))));
    assert_eq!(s.session.snapshot(), None);
    assert_eq!(count(&s.drain(), is_notification), 4);
    assert!(s.session.request(get(), s.now).is_ok());
}

// CLAUSE REC-5 SEC-3
#[test]
fn recovery_buffer() {
    // The server claims more than is believed; the smaller number decides.
    for (told, sent, gap) in [(9, 3, false), (9, 4, true), (9, 5, true), (3, 2, false), (3, 3, true), (0, 1, true)] {
        let mut s = Direct::ready(bounds(|b| b.recovery_buffer = 4));
        s.subscribed();
        s.reopen();
        s.frame(&details(&format!(r#""recoveryState":"Successful","recoveryBufferSize":{told}"#)));
        let mut outputs = Vec::new();
        (0..sent).for_each(|n| outputs.extend(s.frame(&notification(n))));
        outputs.extend(s.sleep(Duration::from_secs(1)));
        assert_eq!(count(&outputs, is_gap) == 1, gap, "{told} {sent}");
    }
}

// CLAUSE REC-4
#[test]
fn window_of_duplicates() {
    // At least twice the buffer of 200; and no more than that is remembered.
    for (between, again) in [(398, 0), (399, 0), (400, 1)] {
        let mut s = Direct::connecting(Config::default());
        s.frame(&details(r#""recoveryBufferSize":200"#));
        s.subscribed();
        (0..=between).for_each(|n| assert_eq!(count(&s.frame(&notification(n)), is_notification), 1));
        // The checker takes a second delivery for an error, so the question is put to a session of its own.
        let snapshot = s.session.snapshot().unwrap();
        let known = snapshot.to_json().contains(r#""recent":["0","#);
        assert_eq!(known, again == 0, "{between}");
    }
}

// CLAUSE TOK-2 BCK-3
#[test]
fn budgets() {
    for limit in 1..=5 {
        let mut config = Config::default();
        config.retry.auth_calls_per_minute = limit;
        config.retry.attempts_per_minute = 50;
        let mut s = Direct::new(config);
        s.session.connect(s.now).unwrap();
        s.drain();
        let mut calls = actions(&s.authorize()).count();
        for _ in 0..20 {
            s.http(500, "");
            s.session.recover(s.now).unwrap();
            calls += actions(&s.drain()).count();
        }
        // The question to the credential source is one of them.
        assert_eq!(calls + 1, limit);
        assert_eq!(actions(&s.sleep(Duration::from_secs(60))).count(), 0);
        assert_eq!(actions(&s.sleep(Duration::from_micros(1))).count(), 1);
    }
}

// CLAUSE SUB-1 FRM-4
#[test]
fn filters() {
    let many = |n: usize| Filters::new((0..n).map(|i| format!("/{i}")));
    assert!(many(MAX_FILTERS - 1).is_ok() && many(MAX_FILTERS).is_ok() && many(MAX_FILTERS + 1).is_err());
    let long = |n: usize| Filters::new([format!("/{}", "x".repeat(n - 1))]);
    assert!(long(MAX_FILTER_BYTES - 1).is_ok() && long(MAX_FILTER_BYTES).is_ok());
    assert!(long(MAX_FILTER_BYTES + 1).is_err());
}

/// Numbers, and what stands where numbers should.
const HOSTILE: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-1e400",
    "1e19",
    r#""7""#,
    r#""-7""#,
    r#""x""#,
    "null",
    "true",
    "[]",
    "{}",
];

const FIELDS: &[&str] = &[
    "recoveryBufferSize",
    "recoveryTimeout",
    "idleTimeout",
    "absoluteTimeout",
    "maxActiveRequests",
    "maxConnectionsPerSession",
    "creationTime",
    "recoveryState",
    "recoveryErrorCode",
];

/// A session's life with such ConnectionDetails: work, loss, recovery, renewal, sleep, another process, the end.
fn live(fields: &str) {
    let mut s = Direct::connecting(Config { rest_over_websocket: true, ..Config::default() });
    s.frame(&details(fields));
    s.subscribed();
    for n in 0..3 {
        s.frame(&notification(n));
        s.session.request(get(), s.now).unwrap();
        s.drain();
    }
    s.reopen();
    s.frame(&details(&format!(r#""recoveryState":"Successful",{fields}"#)));
    (0..3).for_each(|n| drop(s.frame(&notification(n + 2))));
    s.sleep(Duration::from_secs(100));
    s.now = s.now.after(Duration::from_secs(90_000));
    s.input(Input::Resumed);
    s.sleep(Duration::from_secs(10));
    let snapshot = s.session.snapshot().unwrap();
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let restored = contract::Checked::restore(config, snapshot, 2, direct::clock()).unwrap();
    let mut s = Direct::around(restored);
    s.session.connect(s.now).unwrap();
    s.drain();
    s.authorize();
    s.open();
    s.frame(&details(fields));
    s.sleep(Duration::from_secs(100));
    s.session.close(Close::Revoke, s.now).unwrap();
    s.drain();
    s.sleep(Duration::from_secs(5));
    assert_eq!(s.session.state(), SessionState::Closed, "{fields}");
}

// CLAUSE CON-6 FRM-1 SEC-3
#[test]
fn connection_details_that_make_no_sense() {
    for field in FIELDS {
        for value in HOSTILE {
            live(&format!(r#""{field}":{value}"#));
        }
    }
    for value in HOSTILE {
        let all: Vec<_> = FIELDS.iter().map(|field| format!(r#""{field}":{value}"#)).collect();
        live(&all.join(","));
    }
}

// CLAUSE WSC-2 FRM-1
#[test]
fn handles_that_make_no_sense() {
    for value in HOSTILE {
        let mut s = Direct::connecting(Config::default());
        s.frame(&format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":{value},"sequence":{value}}}}},{{}}]"#));
        s.frame(&format!(r#"[{{"type":"Heartbeat","status":{value},"wsc":{value},"headers":{value}}},{value}]"#));
        s.subscribed();
        s.reopen();
        s.frame(&format!(r#"[{{"type":"ConnectionDetails","messageId":{value}}},{value}]"#));
    }
}

// CLAUSE TOK-6 TOK-7 FRM-1
#[test]
fn tokens_that_make_no_sense() {
    for value in HOSTILE {
        let bodies = [
            format!(r#"{{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":{value}}}"#),
            format!(r#"{{"ws_access_token":{value},"uri":"wss://h.ringcentral.com/ws","expires_in":60}}"#),
            format!(r#"{{"ws_access_token":"t","uri":{value},"expires_in":60}}"#),
            (*value).to_owned(),
        ];
        for body in bodies {
            let mut s = Direct::new(Config::default());
            s.session.connect(s.now).unwrap();
            s.drain();
            s.authorize();
            s.http(200, &body);
            s.sleep(Duration::from_secs(200));
            assert_ne!(s.session.state(), SessionState::Closed, "{body}");
        }
    }
}

// CLAUSE SUB-5 SUB-6 FRM-1
#[test]
fn replies_that_make_no_sense() {
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

// CLAUSE SEC-3
#[test]
fn settings_at_their_ends_do_no_harm() {
    let zero = Bounds {
        queued_requests: 0,
        active_requests: 0,
        held_notifications: 0,
        held_bytes: 0,
        frame_bytes: 0,
        headers: 0,
        bad_frames: 0,
        undrained: 0,
        recovery_buffer: 0,
    };
    let mut s = Direct::connecting(Config { limits: zero, ..Config::default() });
    s.frame(&details(""));
    assert!(matches!(s.session.state(), SessionState::Waiting { .. }), "nothing can be read");

    let zero = Duration::ZERO;
    let retry = RetryPolicy {
        socket_lost: zero,
        server_closed: zero,
        base: zero,
        max: zero,
        auth_calls_per_minute: 0,
        attempts_per_minute: 0,
        penalty: zero,
        last_chance: zero,
        unsent: zero,
        unsent_later: zero,
        contended: zero,
        subscription_limit: zero,
    };
    let mut s = Direct::new(Config {
        handshake_timeout: zero,
        heartbeat_interval: zero,
        heartbeat_timeout: zero,
        wake_timeout: zero,
        request_timeout: zero,
        token_timeout: zero,
        close_timeout: zero,
        recovery_timeout: zero,
        retry,
        ..Config::default()
    });
    s.session.connect(s.now).unwrap();
    s.drain();
    s.sleep(Duration::from_secs(600));
    s.authorize();
    s.sleep(Duration::from_secs(600));
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    assert_eq!(s.session.state(), SessionState::Closed);
}

// CLAUSE TOK-6 REC-8
#[test]
fn an_access_token_that_fits_no_header_is_a_failed_attempt() {
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    let token = AccessToken { secret: "read from a file\n".into(), expires_in: None };
    let outputs = s.input(Input::Authorized { id: s.login, token });
    let failed = |e: &Event| matches!(e, Event::Retry { cause: Cause::Credentials { .. }, .. });
    assert_eq!((count(&outputs, failed), actions(&outputs).count()), (1, 0), "{outputs:?}");
}

/// A call that is refused changes nothing, its time included; the checker must know that too.
#[test]
fn a_refused_call_does_not_move_the_clock() {
    let config = bounds(|b| b.undrained = 1);
    let mut session = contract::Checked::new(config, 1, ClockReading::default());
    session.connect(Timestamp::from_secs(1)).unwrap();
    let late = session.request(get(), Timestamp::from_secs(10));
    assert!(matches!(late, Err(CommandError::NotDrained(_))));
    while !matches!(session.poll_output(), Output::Wait(_)) {}
    let mut request = get();
    request.extensions_mut().insert(RequestOptions { timeout: Some(Duration::from_secs(2)), repeat_if_safe: false });
    session.request(request, Timestamp::from_secs(5)).unwrap();
    let at = Timestamp::from_secs(7);
    assert_eq!(session.poll_output(), Output::Wait(Wait::Until { at, reason: TimerKind::Request }));
}

// CLAUSE SUB-5
#[test]
fn a_retry_at_the_end_of_time_is_none() {
    let retry = RetryPolicy { subscription_limit: Duration::MAX, ..RetryPolicy::default() };
    let mut s = Direct::ready(Config { retry, ..Config::default() });
    s.subscribe();
    let outputs = s.reply(403, &direct::error_body("SUB-505"));
    let failed = |e: &Event| matches!(e, Event::SubscriptionFailed { retry_at: None, .. });
    assert_eq!((count(&outputs, failed), actions(&outputs).count()), (1, 0), "{outputs:?}");
}
