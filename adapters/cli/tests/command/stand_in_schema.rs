//! `docs/schema/stand-in.schema.json`: each control resource of the stand-in takes and answers what it says.

use crate::common;

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use common::schema::{Schema, quoted, source};
use common::{DEADLINE, Running, program_for};
use ringcentral_ws_gateway::{GatewayEvent, LossCause, Recovery, Server, ServerConfig};
use serde_json::{Value, json};

/// One call on a connection of its own: status and body. Refusing holds for the control resources too, begins a moment
/// after it was answered, and ends by itself.
fn call(server: &Server, method: &str, target: &str, body: &str) -> (u16, String) {
    let began = Instant::now();
    loop {
        match try_call(server, method, target, body) {
            Ok(answer) => return answer,
            Err(error) => assert!(began.elapsed() < DEADLINE, "{target}: {error}"),
        }
    }
}

fn try_call(server: &Server, method: &str, target: &str, body: &str) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let (host, length) = (server.address(), body.len());
    let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}");
    write!(stream, "{head}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
}

struct Bench {
    server: Server,
    schema: Schema,
}

impl Bench {
    fn new() -> Self {
        let mut config = ServerConfig::default();
        config.gateway.ws_token.rate_limit = None;
        Self { server: Server::start(config).unwrap(), schema: Schema::load("stand-in.schema.json") }
    }

    /// Where the schema of a resource's answer is.
    fn answer(&self, resource: &str) -> String {
        let answer = &self.schema.text["x-resources"][resource]["answer"]["$ref"];
        answer.as_str().unwrap().strip_prefix("#/$defs/").unwrap().to_owned()
    }

    fn post(&mut self, name: &str, body: &Value) -> Value {
        self.schema.assert(&format!("post_{name}"), body);
        let (status, answer) = call(&self.server, "POST", &format!("/_gateway/{name}"), &body.to_string());
        assert_eq!(status, 200, "{name} {body}: {answer}");
        let answer = serde_json::from_str(&answer).unwrap();
        self.schema.assert(&self.answer(&format!("POST /_gateway/{name}")), &answer);
        answer
    }

    fn get(&mut self, name: &str) -> Value {
        let (status, answer) = call(&self.server, "GET", &format!("/_gateway/{name}"), "");
        assert_eq!(status, 200, "{name}: {answer}");
        let answer = serde_json::from_str(&answer).unwrap();
        let resource = format!("GET /_gateway/{}", name.split('?').next().unwrap());
        self.schema.assert(&self.answer(&resource), &answer);
        answer
    }

    fn look_at_all(&mut self) {
        for name in ["observations", "connections", "subscriptions", "credentials", "events", "sessions", "state"] {
            self.get(name);
        }
    }
}

/// A body with every member of a command, and where all but the required ones are left out.
fn bodies(name: &str) -> [Value; 2] {
    let message = json!({ "text": "t", "from": "+16505550111", "user": 0 });
    match name {
        "notify" => {
            let event = "/restapi/v1.0/account/~/extension/~/presence";
            [json!({ "event": event, "body": [1] }), json!({ "event": event })]
        }
        "sms" | "voicemail" | "pager" => [message, json!({})],
        "fax" => [json!({ "text": "t", "from": "+16505550111", "user": 0, "pages": 2 }), json!({})],
        "post" => [json!({ "text": "t", "chat": "c", "from": "7", "user": 0 }), json!({})],
        "call" => [
            json!({ "from": "+16505550111", "ring_ms": 1, "talk_ms": 1, "user": 0, "outbound": false, "answered": false,
                    "recorded": true, "voicemail": "Call back" }),
            json!({}),
        ],
        "close" => [json!({ "code": 4999, "reason": "bye" }), json!({})],
        "timeout" => [json!({ "kind": "idle" }), json!({ "kind": "absolute" })],
        "overload" => [json!({ "status": 400, "ms": 1, "retry_after": false }), json!({ "ms": 0 })],
        "fail" => [
            json!({ "path": "/never", "status": 599, "body": { "a": 1 }, "headers": { "a": "b", "c": 1 } }),
            json!({ "path": "/never" }),
        ],
        "lose" => [json!({ "path": "/never" }), json!({ "path": "/" })],
        "refuse" | "stall" => [json!({ "ms": 1 }), json!({ "ms": 0 })],
        "delay" => [json!({ "ms": 1 }), json!({})],
        "split" => [json!({ "bytes": 9 }), json!({})],
        "duplicate" => [json!({ "count": 1 }), json!({})],
        "raw" => [json!({ "text": "x" }), json!({ "text": "" })],
        "logout" => [json!({ "user": 0 }), json!({})],
        "script" => [json!({ "script": "after 1s sms" }), json!({ "script": "" })],
        _ => [json!({}), json!({})],
    }
}

#[test]
fn every_resource_takes_and_answers_what_the_schema_says() {
    let mut bench = Bench::new();
    let mut tail = Running::start(&mut program_for(&bench.server, &["tail", "--json", "sms", "presence"]));
    tail.event("subscribed");
    bench.look_at_all();
    let resources = bench.schema.text["x-resources"].as_object().unwrap();
    let posts: Vec<String> =
        resources.keys().filter_map(|key| key.strip_prefix("POST /_gateway/")).map(str::to_owned).collect();
    for name in &posts {
        for body in bodies(name) {
            let required = &bench.schema.text["$defs"][format!("post_{name}")]["required"];
            let required = required.as_array().map_or(&[][..], Vec::as_slice);
            assert!(required.iter().all(|member| body.get(member.as_str().unwrap()).is_some()), "{name}");
            bench.post(name, &body);
        }
        let all: BTreeSet<String> = bodies(name)[0].as_object().unwrap().keys().cloned().collect();
        let known = bench.schema.text["$defs"][format!("post_{name}")]["properties"].as_object().unwrap();
        assert_eq!(all, known.keys().cloned().collect(), "{name}: give every member in `bodies`");
        bench.look_at_all();
    }
    // With a session that has lost its connection, and faults that are on.
    drop(tail);
    bench.post("overload", &json!({ "ms": 60_000 }));
    bench.post("delay", &json!({ "ms": 1 }));
    bench.look_at_all();
    let next = bench.get("events")["next"].as_u64().unwrap();
    assert!(next > 0 && bench.get(&format!("events?since={next}"))["next"].as_u64().unwrap() >= next);
}

#[test]
fn a_message_for_a_session_is_receipted() {
    let mut bench = Bench::new();
    assert_eq!(bench.post("sms", &json!({}))["receipts"], json!([]));
    let mut tail = Running::start(&mut program_for(&bench.server, &["tail", "--json", "--no-auto-recover", "sms"]));
    tail.event("subscribed");
    let sent = bench.post("sms", &json!({}));
    assert_eq!(sent["receipts"][0]["fate"], "sent");
    assert_eq!(tail.event("notification")["uuid"], sent["receipts"][0]["uuid"]);
    bench.post("drop", &json!({}));
    for _ in 0..101 {
        bench.post("sms", &json!({}));
    }
    let last = bench.post("sms", &json!({}));
    assert_eq!((&last["receipts"][0]["fate"], &last["receipts"][0]["conn"]), (&json!("buffered"), &Value::Null));
    assert!(last["receipts"][0]["dropped"].is_string(), "{last}");
    bench.look_at_all();
}

#[test]
fn what_the_schema_refuses_the_stand_in_refuses() {
    let mut bench = Bench::new();
    for (name, body) in [
        ("sms", json!({ "txt": "t" })),
        ("sms", json!({ "text": 1 })),
        ("sms", json!({ "user": -1 })),
        ("sms", json!({ "user": null })),
        ("notify", json!({})),
        ("call", json!({ "recorded": "yes" })),
        ("close", json!({ "code": 999 })),
        ("timeout", json!({})),
        ("timeout", json!({ "kind": "both" })),
        ("overload", json!({ "status": 200 })),
        ("refuse", json!({ "ms": 604_800_001 })),
        ("duplicate", json!({ "count": 4_294_967_296_u64 })),
        ("drop", json!({ "any": 1 })),
        ("script", json!({})),
        ("raw", json!({})),
        ("fail", json!({ "path": "/p", "status": 100 })),
        ("fail", json!({ "path": "/p", "headers": "a: b" })),
        ("script", json!({ "script": "", "more": 1 })),
    ] {
        assert!(bench.schema.check(&format!("post_{name}"), &body).is_err(), "{name} {body}");
        let (status, answer) = call(&bench.server, "POST", &format!("/_gateway/{name}"), &body.to_string());
        assert_eq!(status, 400, "{name} {body}: {answer}");
        bench.schema.assert("error", &serde_json::from_str(&answer).unwrap());
    }
    // What a schema cannot know.
    for (method, target, body, expected) in [
        ("POST", "/_gateway/sms", "[]", 400),
        ("POST", "/_gateway/sms", r#"{"user":7}"#, 400),
        ("POST", "/_gateway/logout", r#"{"user":7}"#, 400),
        ("POST", "/_gateway/call", r#"{"user":7}"#, 400),
        ("POST", "/_gateway/script", r#"{"script":"after noon sms"}"#, 400),
        ("GET", "/_gateway/nothing", "", 404),
        ("GET", "/_gateway/sms", "", 404),
    ] {
        let (status, answer) = call(&bench.server, method, target, body);
        assert_eq!(status, expected, "{method} {target} {body}: {answer}");
        bench.schema.assert("error", &serde_json::from_str(&answer).unwrap());
    }
}

#[test]
fn the_stream_has_states() {
    let mut bench = Bench::new();
    let mut stream = TcpStream::connect(bench.server.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET /_gateway/stream HTTP/1.1\r\nHost: {}\r\n\r\n", bench.server.address()).unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    let states = lines.filter_map(|line| Some(line.strip_prefix("data: ")?.to_owned()));
    for state in states.take(2) {
        bench.schema.assert("state", &serde_json::from_str(&state).unwrap());
    }
}

/// The name of each event, so that a new one does not compile before it is here and in `events`.
const fn name(event: &GatewayEvent) -> &'static str {
    match event {
        GatewayEvent::LoggedIn { .. } => "logged_in",
        GatewayEvent::LoggedOut { .. } => "logged_out",
        GatewayEvent::Connected { .. } => "connected",
        GatewayEvent::Disconnected { .. } => "disconnected",
        GatewayEvent::Refused { .. } => "refused",
        GatewayEvent::Sent { .. } => "sent",
        GatewayEvent::Buffered { .. } => "buffered",
        GatewayEvent::Requeued { .. } => "requeued",
        GatewayEvent::Subscribed { .. } => "subscribed",
        GatewayEvent::Unsubscribed { .. } => "unsubscribed",
        GatewayEvent::Lost { .. } => "lost",
        GatewayEvent::SessionEnded { .. } => "session_ended",
        GatewayEvent::RateLimited { .. } => "rate_limited",
        GatewayEvent::Answered { .. } => "answered",
    }
}

fn events() -> Vec<GatewayEvent> {
    let connected = |recovery| GatewayEvent::Connected { conn: 1, session: 1, recovery, replayed: 0 };
    let lost = |cause| GatewayEvent::Lost { session: 1, uuids: vec![u64::MAX], cause };
    let id = || "id".to_owned();
    vec![
        GatewayEvent::LoggedIn { oauth: 1, user: 0 },
        GatewayEvent::LoggedOut { oauth: 1 },
        connected(Recovery::Fresh),
        connected(Recovery::Successful),
        connected(Recovery::Failed("WSG-1005".to_owned())),
        GatewayEvent::Disconnected { conn: 1, session: None, code: None },
        GatewayEvent::Disconnected { conn: 1, session: Some(1), code: Some(1006) },
        GatewayEvent::Refused { conn: 1, code: 4400 },
        GatewayEvent::Sent { session: 1, conn: 1, uuid: u64::MAX, replay: true },
        GatewayEvent::Buffered { session: 1, uuid: 1 },
        GatewayEvent::Requeued { session: 1, uuids: vec![1] },
        GatewayEvent::Subscribed { session: 1, id: id(), filters: vec![] },
        GatewayEvent::Unsubscribed { id: id() },
        lost(LossCause::Overflow),
        lost(LossCause::SessionEnded),
        lost(LossCause::Undelivered),
        GatewayEvent::SessionEnded { session: 1 },
        GatewayEvent::RateLimited { user: 0, restarted: true },
        GatewayEvent::Answered { conn: None, method: "GET".to_owned(), path: "/".to_owned(), status: 200 },
    ]
}

#[test]
fn every_event_is_in_the_schema() {
    let mut schema = Schema::load("stand-in.schema.json");
    let mut names = BTreeSet::new();
    for event in events() {
        let value = json!(event);
        schema.assert("event", &value);
        assert_eq!(value["event"], name(&event));
        names.insert(name(&event).to_owned());
    }
    assert_eq!(schema.alternatives("event", "event"), names);
}

#[test]
fn every_resource_that_is_read_is_in_the_schema() {
    let schema = Schema::load("stand-in.schema.json");
    let code = source("gateway/src/server/control.rs");
    let mut found: BTreeSet<String> = BTreeSet::new();
    let (_, looks) = code.split_once("fn look(").unwrap();
    for line in looks.split("\n}\n").next().unwrap().lines().filter(|line| line.starts_with("        \"")) {
        found.extend(quoted(line, "", "        \"", "\u{0}"));
    }
    found.insert("stream".to_owned());
    let resources = schema.text["x-resources"].as_object().unwrap();
    let known = resources.keys().filter_map(|key| key.strip_prefix("GET /_gateway/")).map(str::to_owned);
    assert_eq!(known.collect::<BTreeSet<_>>(), found);
}
