//! The text of a recording: no secret in it, settings by difference, limits.

use std::time::Duration;

use ringcentral_ws_core::recorder::{Options, Recorded, Recording};
use ringcentral_ws_core::*;

use crate::taped::{self, SECRETS, drain, dump, flight, frame, idle, session};

// CLAUSE SEC-1
#[test]
fn no_secret_is_in_a_dump_and_it_replays() {
    let dump = flight(Options::default());
    for secret in SECRETS {
        assert!(!dump.contains(secret), "{secret}\n{dump}");
    }
    assert!(dump.contains("notification \"u-1\"") && dump.contains("gap unreadable_frame"), "{dump}");
    let done = Recording::parse(&dump).unwrap().replay().unwrap();
    assert!(done.inputs == 10 && done.outputs > 20 && done.skipped == 0, "{done:?}\n{dump}");
    let kept = flight(Options { keep_bodies: true, ..Options::default() });
    assert!(kept.contains("body-hunter5") && !kept.contains("4711"));
    Recording::parse(&kept).unwrap().replay().unwrap();
}

/// A server can put text of its own into the query of its address, codes, headers, and the reason of a close.
// CLAUSE SEC-1
#[test]
fn codes_and_addresses_of_the_server_are_masked_and_replay() {
    let mut s = Recorded::new(
        Session::new(Config::default(), 1, ClockReading::default()),
        Options { limit: 16 << 10, keep_bodies: false },
    );
    let mut now = Timestamp::from_secs(1);
    s.connect(now).unwrap();
    drain(&mut s);
    let (mut authorized, mut carried) = (false, false);
    // Often enough that a checkpoint is made in each state.
    for round in 0..40_u64 {
        let dump = dump(&s);
        carried |= dump.contains("\"Carried\":{");
        let last = |verb: &str| {
            dump.lines().filter_map(|line| line.strip_prefix(verb)?.split(' ').next()?.parse::<u64>().ok()).next_back()
        };
        if !authorized {
            let failure =
                AuthFailure { code: Some("hunter one".into()), ..AuthFailure::transient("no hunter16505550100") };
            s.handle_input(Input::AuthorizeFailed { id: 1.into(), failure }, now).unwrap();
            drain(&mut s);
            now = now.after(Duration::from_secs(30));
            s.handle_input(Input::Timeout, now).unwrap();
            drain(&mut s);
            let text = taped::dump(&s);
            let id = text.rsplit("authorize ").next().unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
            let token = AccessToken { secret: "access".into(), expires_in: None };
            s.handle_input(Input::Authorized { id: id.into(), token }, now).unwrap();
            drain(&mut s);
            authorized = true;
            continue;
        }
        if let Some(id) = last("  http ").filter(|_| s.state() == SessionState::Connecting) {
            let response = if round % 4 < 2 {
                let body = r#"{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws?key=hunter2","expires_in":600}"#;
                http::Response::builder().header("content-type", "text/\u{e9}").body(body.into()).unwrap()
            } else {
                http::Response::builder().status(400).body(r#"{"errorCode":"hunter 3  x"}"#.into()).unwrap()
            };
            s.handle_input(Input::HttpResponse { id: id.into(), response: Box::new(response) }, now).unwrap();
            drain(&mut s);
            idle(&mut s, now);
        }
        if let Some(conn) = last("  open ") {
            let close = CloseInfo { code: Some(1011), reason: "token hunter16505550100".into() };
            s.handle_input(Input::Closed { conn: conn.into(), close }, now).unwrap();
            drain(&mut s);
        }
        now = now.after(Duration::from_secs(61));
        s.handle_input(Input::Timeout, now).unwrap();
        drain(&mut s);
    }
    let dump = dump(&s);
    assert!(!dump.contains("hunter"), "{dump}");
    assert!(dump.contains("credentials(***)") || dump.contains("token_call(400 ***)"), "{dump}");
    assert!(carried, "no checkpoint was made while a socket opened\n{dump}");
    let done = Recording::parse(&dump).unwrap().replay().unwrap();
    assert!(done.checkpoints > 0 && done.skipped == 0, "{done:?}");
}

#[test]
fn a_recorder_shows_how_many_bytes_it_holds() {
    let mut s = Recorded::new(Session::new(Config::default(), 1, ClockReading::default()), Options::from(20_000));
    let bytes = |text: String| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let before = bytes(format!("{:?}", s.recorder().unwrap()));
    s.connect(Timestamp::ZERO).unwrap();
    let debug = format!("{:?}", s.recorder().unwrap());
    assert!(debug.starts_with("FlightRecorder { bytes: ") && bytes(debug.clone()) != before, "{debug}");
    assert!(format!("{s:?}").contains("recorded_bytes: Some("));
    assert_eq!((Options::from(5).limit, Options::from(5).keep_bodies), (5, false));
    let without = Recorded::maybe(Session::new(Config::default(), 1, ClockReading::default()), None);
    assert!(without.recorder().is_none());
}

/// Also inside of `limits` and `retry`; a name and password in the server's address are left out.
#[test]
fn only_changed_settings_are_written() {
    let header = |config: &Config| {
        let s = Recorded::new(Session::new(config.clone(), 1, ClockReading::default()), Options::default());
        let dump = dump(&s);
        let line = dump.lines().find(|line| line.starts_with("config ")).unwrap().to_owned();
        let read = format!("{}\n{line}\n", "ringcentral-ws recording 1");
        assert!(Recording::parse(&read).is_ok(), "{line}");
        line
    };
    let mut config = Config { user_agent: "theirs".into(), ..Config::default() };
    assert_eq!(header(&config), "config {}");
    config.server = "https://u:p@h.test/".parse().unwrap();
    config.close_timeout = Duration::from_secs(7);
    config.limits.headers = 5;
    config.retry.max = Duration::from_millis(3_500);
    assert_eq!(
        header(&config),
        r#"config {"close_timeout":{"nanos":0,"secs":7},"limits":{"headers":5},"retry":{"max":{"nanos":500000000,"secs":3}},"server":"https://h.test/"}"#
    );
}

// CLAUSE FRM-4
#[test]
fn a_frame_over_the_limit_is_recorded_by_its_size() {
    let mut config = Config::default();
    config.limits.frame_bytes = 30;
    let mut s = Recorded::new(Session::new(config, 1, ClockReading::default()), Options::default());
    for size in [29, 30, 31] {
        let text = format!("{:>size$}", r#"[{"type":"Heartbeat"}]"#);
        frame(&mut s, &text, Timestamp::ZERO);
    }
    let dump = dump(&s);
    assert_eq!((dump.matches("text 1 [").count(), dump.matches("too-large 1 31").count()), (2, 1), "{dump}");
}

/// A body is recorded by its kind and size, which decide the way that the request goes.
#[test]
fn bodies_keep_their_kind() {
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let mut s = Recorded::new(Session::new(config, 1, ClockReading::default()), Options::default());
    for (body, kind) in [
        (&b""[..], "{}"),
        (b"\xff", "{} binary (1 bytes)"),
        (b" {\"a\":1}", "{} json (8 bytes)"),
        (b"\"a\"", "{} json (3 bytes)"),
        (b"{", "{} text (1 bytes)"),
        (b"[1]", "{} text (3 bytes)"),
    ] {
        let request = http::Request::post("http://u:p@h.test/r?a=b").body(Body::from(body.to_vec())).unwrap();
        let _ = s.request(request, Timestamp::ZERO);
        let request = http::Request::post("/r").body(Body::from(body.to_vec())).unwrap();
        let _ = s.request(request, Timestamp::ZERO);
        drain(&mut s);
        let dump = dump(&s);
        assert_eq!(dump.matches(&format!("0 request POST \"/r\" {kind}\n")).count(), 1, "{dump}");
    }
    let dump = dump(&s);
    assert!(dump.contains("POST \"http://h.test/r?a=***1\" {}"), "{dump}");
    Recording::parse(&dump).unwrap().replay().unwrap();
}

// CLAUSE SEC-1 TOK-8
#[test]
fn a_refused_host_is_not_recorded() {
    let mut s = session(Config { websocket_hosts: vec![".listed.example".into()], ..Config::default() });
    let now = Timestamp::ZERO;
    s.connect(now).unwrap();
    drain(&mut s);
    let token = AccessToken { secret: "access".into(), expires_in: None };
    s.handle_input(Input::Authorized { id: 1.into(), token }, now).unwrap();
    drain(&mut s);
    for (id, host, shown) in
        [(2, "hunter2.evil.example", "refused.invalid"), (3, "a.listed.example", "a.listed.example")]
    {
        let body = format!(r#"{{"ws_access_token":"t","uri":"wss://{host}/ws","expires_in":600}}"#);
        let now = Timestamp::from_secs(20 * (id - 2));
        s.handle_input(Input::Timeout, now).unwrap();
        drain(&mut s);
        let response = Box::new(http::Response::new(body.into()));
        s.handle_input(Input::HttpResponse { id: id.into(), response }, now).unwrap();
        drain(&mut s);
        let dump = dump(&s);
        assert!(dump.contains(shown) && !dump.contains("hunter2"), "{dump}");
        Recording::parse(&dump).unwrap().replay().unwrap();
    }
}

#[test]
fn a_recorded_session_says_whether_it_is_subscribed() {
    assert!(!session(Config::default()).is_subscribed());
    assert!(taped::flown(Options::default()).is_subscribed());
}
