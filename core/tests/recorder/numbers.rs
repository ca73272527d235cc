//! Numbers in JSON are at most 2^53 - 1, so programs that hold them as doubles read them exactly.

use std::time::Duration;

use ringcentral_ws_core::recorder::{Options, Recorded, Recording};
use ringcentral_ws_core::*;
use serde_json::Value;

use crate::taped::{drain, dump, frame, idle};

fn is_exact(json: &Value) -> bool {
    match json {
        Value::Number(number) => number.as_f64().is_some_and(|number| number.abs() < (1u64 << 53) as f64),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        _ => true,
    }
}

fn assert_exact(json: &str) {
    assert!(is_exact(&serde_json::from_str(json).unwrap()), "{json}");
}

/// A session with the largest clocks, settings, seed and numbers of the server.
fn extreme(clock: ClockReading) -> Recorded {
    let mut config = Config::default();
    config.retry.max = Duration::MAX;
    config.request_timeout = Duration::MAX;
    config.limits.queued_requests = usize::MAX;
    let mut s =
        Recorded::new(Session::new(config, u64::MAX / 3, clock), Options { limit: 16 << 10, keep_bodies: true });
    let now = clock.now.after(Duration::from_secs(1));
    s.subscribe(Filters::new(["/restapi/v1.0/account/~/extension/~/presence"]).unwrap(), now).unwrap();
    drain(&mut s);
    s.connect(now).unwrap();
    drain(&mut s);
    let token = AccessToken { secret: "access".into(), expires_in: Some(Duration::MAX), cached: true };
    s.handle_input(Input::Authorized { id: 1.into(), token }, now).unwrap();
    drain(&mut s);
    let body = r#"{"ws_access_token":"ws","uri":"wss://h.ringcentral.com/ws","expires_in":18446744073709551615}"#;
    let response = Box::new(http::Response::new(body.into()));
    s.handle_input(Input::HttpResponse { id: 2.into(), response }, now).unwrap();
    drain(&mut s);
    s.handle_input(Input::Opened { conn: 1.into() }, now).unwrap();
    let numbers = ["recoveryBufferSize", "recoveryTimeout", "idleTimeout", "absoluteTimeout", "maxActiveRequests"];
    let numbers: Vec<String> = numbers.iter().map(|name| format!(r#""{name}":18446744073709551615"#)).collect();
    let wsc = r#""wsc":{"token":"t","sequence":18446744073709551614}"#;
    frame(&mut s, &format!(r#"[{{"type":"ConnectionDetails",{wsc}}},{{{}}}]"#, numbers.join(",")), now);
    s
}

// CLAUSE PST-1
#[test]
fn no_number_in_a_snapshot_is_too_large_for_a_double() {
    for unix in [0, 1 << 53, u64::MAX] {
        let clock = ClockReading { now: Timestamp::from_micros(7), unix: UnixMillis(unix) };
        let s = extreme(clock);
        let snapshot = s.snapshot().unwrap();
        let json = snapshot.to_json();
        assert_exact(&json);
        assert!(json.contains(r#""sequence":"18446744073709551614""#), "{json}");
        assert!(json.contains(r#""recovery_timeout":9007199254740991"#), "{json}");
        assert_eq!(Snapshot::from_json(&json).unwrap(), snapshot);
        // The sequence of the handle is kept, so that an older handle does not replace it.
        let mut s = Session::restore(Config::default(), snapshot, 1, clock).unwrap();
        while !matches!(s.poll_output(), Output::Wait(_)) {}
        assert_eq!(s.snapshot().unwrap().to_json().matches("18446744073709551614").count(), 1);
    }
}

#[test]
fn no_number_in_a_recording_is_too_large_for_a_double() {
    for at in [0, 1 << 53, u64::MAX / 2] {
        let clock = ClockReading { now: Timestamp::from_micros(at), unix: UnixMillis(u64::MAX) };
        let mut s = extreme(clock);
        for _ in 0..10 {
            idle(&mut s, clock.now.after(Duration::from_secs(2)));
        }
        let dump = dump(&s);
        let json = |verb: &'static str| {
            dump.lines().filter_map(move |line| line.strip_prefix(verb)).filter(|json| !json.is_empty())
        };
        assert!(json("config ").count() == 1 && json("checkpoint ").count() > 0, "{dump}");
        json("config ").chain(json("checkpoint ")).for_each(assert_exact);
        let done = Recording::parse(&dump).unwrap().replay().unwrap();
        assert!(done.inputs > 10 && done.checkpoints > 0, "{done:?}");
    }
}
