//! The flight recorder: no secret in its text, garbage read without a panic, differences found.

#[path = "support/taped.rs"]
mod taped;

use ringcentral_ws_core::recorder::{
    EntryKind, MAX_LIMIT, MIN_LIMIT, Options, Recorded, Recording, ReplayError, Replayed,
};
use ringcentral_ws_core::*;
use taped::{drain, frame, idle};

const SECRETS: [&str; 6] = ["access-hunter1", "ws-hunter2", "wsc-hunter3", "4711", "sub-hunter4", "body-hunter5"];

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
    let body = r#"{"ws_access_token":"ws-hunter2","uri":"wss://h.ringcentral.com/ws","expires_in":600,"owner":"4711"}"#;
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
            let failure =
                AuthFailure { code: Some("hunter one".into()), ..AuthFailure::transient("no hunter16505550100") };
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

#[test]
fn a_recorder_says_how_much_it_holds() {
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

/// The settings that are not the usual ones, to the last level, and no name or password in an address.
#[test]
fn only_settings_of_its_own_are_written() {
    let header = |config: &Config| {
        let s = Recorded::new(Session::new(config.clone(), 1, ClockReading::default()), Options::default());
        let dump = s.recorder().unwrap().dump();
        let line = dump.lines().find(|line| line.starts_with("config ")).unwrap().to_owned();
        let read = format!("{}\n{line}\n", "ringcentral-ws recording 1");
        assert!(Recording::parse(&read).is_ok(), "{line}");
        line
    };
    let mut config = Config { user_agent: "theirs".into(), ..Config::default() };
    assert_eq!(header(&config), "config {}");
    config.server = "https://u:p@h.test/".parse().unwrap();
    config.close_timeout = std::time::Duration::from_secs(7);
    config.limits.headers = 5;
    config.retry.max = std::time::Duration::from_millis(3_500);
    assert_eq!(
        header(&config),
        r#"config {"close_timeout":{"nanos":0,"secs":7},"limits":{"headers":5},"retry":{"max":{"nanos":500000000,"secs":3}},"server":"https://h.test/"}"#
    );
}

#[test]
fn what_is_read_is_what_is_written() {
    let parse = |line: &str| Recording::parse(&format!("ringcentral-ws recording 1\n{line}\n"));
    for good in
        ["1 timeout", "1.5 timeout", "1.123456 timeout", "0 open-failed 1 dns \"m\"", "0 http-failed 1 tls \"m\""]
    {
        assert_eq!(parse(good).map(|recording| recording.entries().len()), Ok(1), "{good}");
    }
    for bad in [
        "1. timeout",
        ".5 timeout",
        "1.1234567 timeout",
        "1.5x timeout",
        "x.5 timeout",
        "-1 timeout",
        "1 open-failed 1 nowhere \"m\"",
        "1 request GET \"/\" {} jam (5 bytes)",
        "1 request GET \"/\" {\"a b\":\"c\"}",
        "1 request G[T \"/\" {}",
        "1 request GET \"/ x\" {}",
        "1 binary",
        "1 too-large 1",
        "1 text x []",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let at = |line: &str| parse(line).unwrap().entries()[0].kind;
    assert_eq!(at("1.25 timeout"), EntryKind::Input(Timestamp::from_millis(1_250)));
    assert_eq!(at("0.000001 timeout"), EntryKind::Input(Timestamp::from_micros(1)));
    assert_eq!((at("  wait"), at("forgotten")), (EntryKind::Output, EntryKind::Forgotten));
}

#[test]
fn a_file_too_large_for_a_recording_is_none() {
    for (size, read) in [(2 * MAX_LIMIT - 1, true), (2 * MAX_LIMIT, true), (2 * MAX_LIMIT + 1, false)] {
        let title = "ringcentral-ws recording 1\n#";
        let text = format!("{title}{}", "x".repeat(size - title.len()));
        assert_eq!(Recording::parse(&text).is_ok(), read, "{size}");
    }
    assert_eq!((MIN_LIMIT, MAX_LIMIT), (16 * 1024, 16 * 1024 * 1024));
}

#[test]
fn numbers_that_leave_room_to_count_are_sane() {
    let dump = flight(Options::default());
    for before in
        [r#""next_id":"#, r#""next_conn":"#, r#""requests":{"next":"#, r#""confirmed":null,"next":"#, r#""number":"#]
    {
        let at = dump.find(before).unwrap() + before.len();
        let end = at + dump[at..].find([',', '}']).unwrap();
        for (n, sane) in [((1_u64 << 60) - 1, true), (1 << 60, false)] {
            let replayed = Recording::parse(&format!("{}{n}{}", &dump[..at], &dump[end..])).unwrap().replay();
            assert_eq!(matches!(replayed, Err(ReplayError::BadCheckpoint { .. })), !sane, "{before}{n} {replayed:?}");
        }
    }
}

/// Every number of a recording, one at a time, in place of the one that was written.
#[test]
fn numbers_that_make_no_sense_never_panic() {
    let dump = flight(Options { limit: 16 << 10, keep_bodies: false });
    let digit = |c: char| c.is_ascii_digit();
    let mut at = 0;
    while let Some(begin) = dump[at..].find(digit).map(|i| at + i) {
        let end = dump[begin..].find(|c| !digit(c)).map_or(dump.len(), |i| begin + i);
        for number in ["0", "1", "4294967295", "18446744073709551615", "-1"] {
            let changed = format!("{}{number}{}", &dump[..begin], &dump[end..]);
            if let Ok(recording) = Recording::parse(&changed) {
                let _ = recording.replay();
            }
        }
        at = end;
    }
}

#[test]
fn what_cannot_be_replayed_is_counted() {
    let dump = flight(Options::default());
    let at = dump.find("checkpoint").unwrap();
    let gone = format!("{}1 timeout\n  wait\nforgotten\n1 connect\n  wait\n{}", &dump[..at], &dump[at..]);
    let (whole, rest) = (Recording::parse(&dump).unwrap().replay().unwrap(), Recording::parse(&gone).unwrap().replay());
    assert_eq!(rest, Ok(Replayed { skipped: 4, ..whole }));
    for (error, words) in [
        (ReplayError::NoCheckpoint, "no checkpoint"),
        (ReplayError::BadCheckpoint { line: 7 }, "line 7: no session"),
        (
            ReplayError::Differs { line: 8, recorded: "a".into(), replayed: "b".into() },
            "line 8 differs\n  recorded a\n",
        ),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
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
    let dump = s.recorder().unwrap().dump();
    assert_eq!((dump.matches("text 1 [").count(), dump.matches("too-large 1 31").count()), (2, 1), "{dump}");
}

/// A body by its kind and size: what decides the way it goes.
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
        let dump = s.recorder().unwrap().dump();
        assert_eq!(dump.matches(&format!("0 request POST \"/r\" {kind}\n")).count(), 1, "{dump}");
    }
    let dump = s.recorder().unwrap().dump();
    assert!(dump.contains("POST \"http://h.test/r?a=***1\" {}"), "{dump}");
    Recording::parse(&dump).unwrap().replay().unwrap();
}
