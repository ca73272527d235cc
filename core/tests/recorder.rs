//! The flight recorder: no secret in its text, garbage read without a panic, differences found.

use ringcentral_ws_core::recorder::{Options, Recorded, Recording, ReplayError};
use ringcentral_ws_core::*;

const SECRETS: [&str; 6] = ["access-hunter1", "ws-hunter2", "wsc-hunter3", "4711", "sub-hunter4", "body-hunter5"];

fn drain(s: &mut Recorded) {
    while !matches!(s.poll_output(), Output::Wait(_)) {}
}

fn frame(s: &mut Recorded, text: &str, now: Timestamp) {
    s.handle_input(Input::Frame { conn: 1.into(), frame: Frame::Text(text) }, now).unwrap();
    drain(s);
}

/// A connection, a subscription, a notification, a frame that breaks off, and the loss of it all.
fn flight(options: Options) -> String {
    let clock = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(1_700_000_000_000) };
    let mut s = Recorded::new(Session::new(Config::default(), 1, clock), options);
    let now = Timestamp::from_millis(1_500);
    s.subscribe(Filters::new(["/restapi/v1.0/account/~/extension/4711/presence"]).unwrap(), now).unwrap();
    drain(&mut s);
    s.connect(now).unwrap();
    drain(&mut s);
    let token = AccessToken { secret: SECRETS[0].into(), expires_in: None };
    s.handle_input(Input::Authorized { id: 1.into(), token }, now).unwrap();
    drain(&mut s);
    let body = r#"{"ws_access_token":"ws-hunter2","uri":"wss://h.test/ws","expires_in":600,"owner":"4711"}"#;
    let response = Box::new(http::Response::new(body.into()));
    s.handle_input(Input::HttpResponse { id: 2.into(), response }, now).unwrap();
    drain(&mut s);
    s.handle_input(Input::Opened { conn: 1.into() }, now).unwrap();
    frame(&mut s, r#"[{"type":"ConnectionDetails","wsc":{"token":"wsc-hunter3","sequence":1}},{}]"#, now);
    let tag = s.recorder().unwrap().dump();
    let id = tag.split("send 1 subscribe ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let reply = r#"{"id":"sub-hunter4","eventFilters":["/restapi/v1.0/account/4711/x"]}"#;
    frame(&mut s, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{reply}]"#), now);
    let n = r#"{"uuid":"u-1","event":"/x/4711","subscriptionId":"sub-hunter4","body":{"text":"body-hunter5"}}"#;
    frame(&mut s, &format!(r#"[{{"type":"ServerNotification"}},{n}]"#), now);
    frame(&mut s, r#"[{"type":"ServerNotification","wsc":{"token":"wsc-hunter3""#, now);
    let close = CloseInfo { code: Some(1006), reason: "gone".into() };
    s.handle_input(Input::Closed { conn: 1.into(), close }, Timestamp::from_secs(2)).unwrap();
    drain(&mut s);
    s.recorder().unwrap().dump()
}

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

#[test]
fn the_first_difference_is_named() {
    let dump = flight(Options::default()).replace("closed 1 code=1006", "closed 1 code=4400");
    match Recording::parse(&dump).unwrap().replay() {
        Err(ReplayError::Differs { line, recorded, replayed }) => {
            assert!(line > 10 && recorded != replayed);
            assert!(recorded.contains("socket_lost"), "{recorded}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn garbage_gets_a_clear_error() {
    for (text, part) in [
        ("", "empty"),
        ("hello", "no recording"),
        ("ringcentral-ws recording 9", "another format"),
        ("ringcentral-ws recording 1\nx y", "line 2: neither a time"),
        ("ringcentral-ws recording 1\nconfig {", "bad settings"),
        ("ringcentral-ws recording 1\n1.5 jump", "unknown input"),
        ("ringcentral-ws recording 1\n1 http 1 99", "status"),
        ("ringcentral-ws recording 1\n1 opened x", "no number"),
    ] {
        let error = Recording::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let empty = Recording::parse("ringcentral-ws recording 1\n# nothing\n1 timeout\n  wait\n").unwrap();
    assert_eq!(empty.replay(), Err(ReplayError::NoCheckpoint));
    let bad = Recording::parse("ringcentral-ws recording 1\ncheckpoint {}\n").unwrap();
    assert_eq!(bad.replay(), Err(ReplayError::BadCheckpoint { line: 2 }));
    for counter in [r#""bad_frames":"#, r#""gaps":"#] {
        // One more would be too many.
        let full = flight(Options::default()).replace(&format!("{counter}0"), &format!("{counter}{}", u64::MAX));
        let replayed = Recording::parse(&full).unwrap().replay();
        assert!(matches!(replayed, Err(ReplayError::BadCheckpoint { .. })), "{counter} {replayed:?}");
    }
}

/// Cut, and with a byte changed, at many places: an error, a difference, or the same; never a panic.
#[test]
fn a_damaged_recording_never_panics() {
    let dump = flight(Options::default());
    for at in (0..dump.len()).step_by(3) {
        if let Ok(recording) = Recording::parse(dump.get(..at).unwrap_or_default()) {
            let _ = recording.replay();
        }
        for byte in [b'9', b'"', b' ', b'\n'] {
            let mut bytes = dump.clone().into_bytes();
            bytes[at] = byte;
            if let Ok(recording) = Recording::parse(&String::from_utf8_lossy(&bytes)) {
                let _ = recording.replay();
            }
        }
    }
}

/// Enough lines that the next checkpoint falls here.
fn idle(s: &mut Recorded, now: Timestamp) {
    for _ in 0..60 {
        s.handle_input(Input::NetworkChanged { online: false }, now).unwrap();
        drain(s);
    }
}

/// Where a server can put text of its own: the query of its address, codes, headers, the reason of a close.
// CLAUSE SEC-1
#[test]
fn what_a_server_writes_into_codes_and_addresses_is_masked_and_replays() {
    let mut s = Recorded::new(
        Session::new(Config::default(), 1, ClockReading::default()),
        Options { limit: 16 << 10, keep_bodies: false },
    );
    let mut now = Timestamp::from_secs(1);
    s.connect(now).unwrap();
    drain(&mut s);
    let mut authorized = false;
    // Often enough that a checkpoint is made in each state.
    for round in 0..40_u64 {
        let dump = s.recorder().unwrap().dump();
        let last = |verb: &str| {
            dump.lines().filter_map(|line| line.strip_prefix(verb)?.split(' ').next()?.parse::<u64>().ok()).next_back()
        };
        if !authorized {
            let failure = AuthFailure {
                permanent: false,
                code: Some("hunter one".into()),
                message: "no hunter16505550100".into(),
                retry_after: None,
            };
            s.handle_input(Input::AuthorizeFailed { id: 1.into(), failure }, now).unwrap();
            drain(&mut s);
            now = now.after(std::time::Duration::from_secs(30));
            s.handle_input(Input::Timeout, now).unwrap();
            drain(&mut s);
            let dump = s.recorder().unwrap().dump();
            let id = dump.rsplit("authorize ").next().unwrap().split(' ').next().unwrap().parse::<u64>().unwrap();
            let token = AccessToken { secret: "access".into(), expires_in: None };
            s.handle_input(Input::Authorized { id: id.into(), token }, now).unwrap();
            drain(&mut s);
            authorized = true;
            continue;
        }
        if let Some(id) = last("  http ").filter(|_| s.state() == SessionState::Connecting) {
            let response = if round % 4 < 2 {
                let body = r#"{"ws_access_token":"t","uri":"wss://h.test/ws?key=hunter2","expires_in":600}"#;
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
        now = now.after(std::time::Duration::from_secs(61));
        s.handle_input(Input::Timeout, now).unwrap();
        drain(&mut s);
    }
    let dump = s.recorder().unwrap().dump();
    assert!(!dump.contains("hunter"), "{dump}");
    assert!(dump.contains("credentials(***)") || dump.contains("token_call(400 ***)"), "{dump}");
    assert!(dump.contains("\"carried\":{"), "no checkpoint was made while a socket opened\n{dump}");
    let done = Recording::parse(&dump).unwrap().replay().unwrap();
    assert!(done.checkpoints > 0 && done.skipped == 0, "{done:?}");
}
