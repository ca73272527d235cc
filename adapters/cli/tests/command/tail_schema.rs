//! `docs/schema/tail.schema.json`: it has every event and word of the code, and what `tail` writes is as it says.

use crate::common;

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use common::schema::{Schema, quoted, repository, source};
use common::{Running, program_for, server};
use http::Response as HttpResponse;
use ringcentral_ws_adapter::watch::json;
use ringcentral_ws_adapter::{RequestErrorKind, Response};
use ringcentral_ws_core::{
    Backfilled, Body, Cause, Certainty, CloseReason, Event, FetchedRecord, Filters, Gap, GapCause, ProtocolError,
    RecordKind, SubscriptionInfo, Timestamp, Unfilled, UnixMillis, Unreadable, Via, WaitReason,
};
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::{Value, json};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const STRANGER: &str = "+16505550100";

fn schema() -> Schema {
    Schema::load("tail.schema.json")
}

/// Every line of these is as the schema says; gives the events that were seen.
fn checked(schema: &mut Schema, lines: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).expect(line);
        schema.assert("output", &value);
        let event = value["event"].as_str().unwrap();
        assert!(line.starts_with(&format!("{{\"event\":\"{event}\"")), "`event` comes first: {line}");
        seen.insert(event.to_owned());
    }
    seen
}

/// All places that make lines.
fn makers() -> String {
    let mut text = String::new();
    for folder in
        ["adapters/common/src/watch", "adapters/driver/src/watch", "adapters/blocking/examples/watch-blocking"]
    {
        for file in std::fs::read_dir(repository(folder)).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text + &source("adapters/driver/src/watch.rs") + &source("adapters/cli/src/tail.rs")
}

fn snake(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(c.to_lowercase());
    }
    snake
}

/// The variants of an enum, which stand at four spaces.
fn variants(file: &str, head: &str) -> BTreeSet<String> {
    let text = source(file);
    let (_, body) = text.split_once(head).unwrap_or_else(|| panic!("no {head} in {file}"));
    let body = body.split("\n}").next().unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let lines = lines.filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()));
    lines.map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect()).collect()
}

#[test]
fn every_event_and_command_of_the_code_is_in_the_schema() {
    let schema = schema();
    let made = quoted(&makers(), "", "Line::new(\"", "\u{0}");
    assert_eq!(schema.alternatives("output", "event"), made);
    let commands = variants("adapters/common/src/watch/json.rs", "enum Raw {");
    assert_eq!(schema.alternatives("command", "cmd"), commands.iter().map(|name| snake(name)).collect::<BTreeSet<_>>());
}

#[test]
fn every_word_of_the_code_is_in_the_schema() {
    let schema = schema();
    let words = |file: &str, from: &str| {
        let text = source(file);
        let (_, text) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {file}"));
        quoted(text, "fn as_str", "=> \"", "\n    }\n")
    };
    let event = "core/src/output/event.rs";
    for (pointer, found) in [
        ("/$defs/cause", words("core/src/classify/cause.rs", "impl Cause")),
        ("/$defs/waits_for", words(event, "impl WaitReason")),
        ("/$defs/connected/properties/resumption", words(event, "impl Resumption")),
        (
            "/$defs/backfill/properties/records/items/properties/kind",
            words("core/src/backfilled.rs", "impl RecordKind"),
        ),
        ("/$defs/gap/properties/cause", words("core/src/gap.rs", "impl GapCause")),
        ("/$defs/gap/properties/certainty", words("core/src/gap.rs", "impl Certainty")),
        (
            "/$defs/backfill/properties/unfilled/items/properties/unfilled",
            words("core/src/backfilled.rs", "impl Unfilled"),
        ),
        (
            "/$defs/subscribed/properties/problems/items/properties/problem",
            words("core/src/output/subscription.rs", "impl SubscriptionProblem"),
        ),
        ("/$defs/response/properties/via", words("core/src/output/outcome.rs", "impl Via")),
        (
            "/$defs/protocol_error/properties/kind",
            quoted(&source("core/src/input.rs"), "unreadable_words! {", " = \"", "\n}\n"),
        ),
    ] {
        assert!(!found.is_empty(), "{pointer}");
        assert_eq!(schema.words(pointer), found, "{pointer}");
    }
    let outcomes = words("adapters/common/src/request.rs", "impl RequestError");
    assert_eq!(schema.words("/$defs/no_response/properties/outcome"), outcomes);
    let errors = schema.words("/$defs/protocol_error/properties/error");
    let errors: BTreeSet<_> = errors.iter().map(|it| it.split('(').next().unwrap().to_owned()).collect();
    assert_eq!(errors, variants(event, "pub enum ProtocolError {"));
    let text = makers();
    let kinds: BTreeSet<_> = ["subscription_failed", "not_restored"].map(str::to_owned).into();
    assert_eq!(schema.words("/$defs/error/properties/kind"), kinds);
    let written = quoted(&text, "", "\"error\").with(\"kind\", \"", "\u{0}");
    let written: BTreeSet<_> = written.into_iter().chain(quoted(&text, "", ".with(\"kind\", \"", "\u{0}")).collect();
    assert_eq!(written, kinds, "a new kind of error");
    let reasons = schema.words("/$defs/closed/properties/reason");
    let mut found = quoted(&text, "fn closed(", "\"reason\", \"", "\n}\n");
    found.extend(quoted(&text, "", ".fail(\"", "\u{0}"));
    found.insert("ended".to_owned());
    assert_eq!(reasons, found);
}

fn lost(cause: GapCause, after: Option<&str>) -> Gap {
    let certainty = cause.certainty();
    Gap { cause, certainty, after: after.map(Box::from), since: UnixMillis(0), until: UnixMillis(u64::MAX) }
}

fn gap(cause: GapCause, after: Option<&str>) -> Event {
    Event::Gap(lost(cause, after))
}

fn backfill(records: &[&str], unfilled: &[Unfilled], may_repeat: bool) -> Event {
    let record = |json: &&str| FetchedRecord::new(RecordKind::Message, Box::default(), None, Box::from(*json));
    let records = records.iter().map(record).collect();
    let fetched = Backfilled::new(lost(GapCause::WindowPassed, None), records, unfilled.to_vec());
    Event::Backfill(Box::new(fetched.repeating(may_repeat)))
}

fn subscription(status: &str, filters: &[&str]) -> Event {
    let disabled = ringcentral_ws_core::DisabledFilter { filter: "/a".into(), reason: "r".into(), message: "m".into() };
    Event::Subscribed(Box::new(SubscriptionInfo {
        id: 1.into(),
        server_id: "id".into(),
        requested: Filters::new(["/a"]).unwrap(),
        filters: filters.iter().map(|filter| Box::from(*filter)).collect(),
        disabled: vec![disabled],
        expires_in: None,
        status: Some(status.into()),
        transport: Some("PubNub".into()),
    }))
}

/// One of each kind that a test can make, with and without what may be absent.
fn made() -> Vec<Event> {
    let conn = 7.into();
    let cause = || Cause::ServerClosed { code: Some(1001) };
    let (at, delay) = (Timestamp::ZERO, Duration::MAX);
    let broken = |error| Event::ProtocolError { conn, error };
    vec![
        subscription("Active", &["/a"]),
        subscription("Suspended", &[]),
        Event::Unsubscribed { id: 1.into() },
        gap(GapCause::WindowPassed, None),
        gap(GapCause::RecoveryFailed(None), Some("1")),
        gap(GapCause::RecoveryFailed(Some("WSG-1005".into())), None),
        backfill(&[], &[], false),
        backfill(&[], &[Unfilled::NoList("/a\nb".into()), Unfilled::TooMany(RecordKind::Call)], true),
        backfill(&["{\r\n\"subject\" :\n\"a\u{2028}b\"\n}\n", "{}"], &[], false),
        backfill(&["{}"], &[Unfilled::Refused { what: RecordKind::Post, status: 403, code: None }], false),
        Event::Recovered { conn },
        Event::RecoveryFailed { conn, code: None },
        Event::Retry { attempt: 1, cause: cause(), at, delay, reason: WaitReason::Backoff },
        Event::Waiting { reason: WaitReason::LastChance, at, delay },
        Event::Waiting { reason: WaitReason::LoginLimit, at, delay },
        Event::Waiting { reason: WaitReason::SubscriptionLimit, at, delay },
        Event::Disconnected { conn, cause: cause(), reason: None },
        Event::Disconnected { conn, cause: cause(), reason: Some("bye".into()) },
        broken(ProtocolError::TooLarge(usize::MAX)),
        broken(ProtocolError::Transport(Unreadable::Utf8)),
        Event::Closed { reason: CloseReason::Detached },
        Event::Closed { reason: CloseReason::Permanent(Cause::Unauthorized) },
    ]
}

#[test]
fn every_line_that_the_code_makes_is_as_the_schema_says() {
    let mut schema = schema();
    let shown = made().iter().map(|event| json::event(event).unwrap()).collect::<Vec<_>>().join("\n");
    checked(&mut schema, &shown);
    assert_eq!(Certainty::Possible.as_str(), "possible");
    let answer = |body: &'static [u8], via| Response::new(HttpResponse::new(Body::from(body)), via);
    for result in [
        Ok(answer(b"{}", Via::Https)),
        Ok(answer(b"\xff", Via::WebSocket)),
        Err(RequestErrorKind::TimedOut { sent: true }.into()),
        Err(RequestErrorKind::NotSent(Cause::Closed).into()),
    ] {
        checked(&mut schema, &json::response(&json!({ "any": [1] }), &result));
    }
    // The others need a session, and are made below.
    let made: BTreeSet<String> = made().iter().map(|event| format!("{event:?}")).collect();
    let made: BTreeSet<String> = made.iter().map(|it| it.split(['(', ' ']).next().unwrap().to_owned()).collect();
    let of_a_session = ["Connected", "Notification", "SubscriptionFailed", "Response", "SnapshotChanged"];
    let all: BTreeSet<String> = made.into_iter().chain(of_a_session.map(str::to_owned)).collect();
    assert_eq!(variants("core/src/output/event.rs", "pub enum Event {"), all, "a new event: make it here");
}

#[test]
fn what_the_schema_takes_as_a_command_is_one() {
    let mut schema = schema();
    for good in [
        json!({ "cmd": "subscribe", "filters": ["sms", SMS] }),
        json!({ "cmd": "unsubscribe" }),
        json!({ "cmd": "recover" }),
        json!({ "cmd": "close" }),
        json!({ "cmd": "close", "mode": "detach" }),
        json!({ "cmd": "request", "path": "/p" }),
        json!({ "cmd": "request", "id": [1], "method": "PUT", "path": "/p", "query": { "a": [1, "b", true] },
                "headers": { "a": "b" }, "body": null }),
        json!({ "cmd": "request", "path": "/p", "query": "a=b", "body": "text" }),
    ] {
        schema.assert("command", &good);
        assert!(json::command(&good.to_string()).is_ok(), "{good}");
    }
    for bad in [
        json!({}),
        json!({ "cmd": "dance" }),
        json!({ "cmd": "subscribe" }),
        json!({ "cmd": "subscribe", "filters": [] }),
        json!({ "cmd": "subscribe", "filters": "sms" }),
        json!({ "cmd": "close", "mode": "x" }),
        json!({ "cmd": "request", "id": 1 }),
        json!({ "cmd": "request", "path": "/p", "query": 5 }),
        json!({ "cmd": "request", "path": "/p", "headers": { "a": 1 } }),
    ] {
        assert!(schema.check("command", &bad).is_err(), "{bad}");
        assert!(json::command(&bad.to_string()).is_err(), "{bad}");
    }
}

fn tail<'a>(server: &Server, more: impl IntoIterator<Item = &'a str>) -> Running {
    let mut command = program_for(server, &["tail", "--json"]);
    Running::start(command.args(more).stdin(Stdio::piped()))
}

/// A session with all that may happen to it.
fn story(server: &Server) -> String {
    let mut tail = tail(server, ["sms"]);
    assert_eq!(tail.event("connected")["resumption"], "fresh");
    tail.event("subscribed");
    server.receive_sms(0, STRANGER, "one\u{2028}\u{1b}[2J");
    tail.event("notification");
    for (id, line) in [
        (json!("a"), json!({ "cmd": "request", "id": "a", "path": "/restapi/v1.0/account/~/extension/~" })),
        (json!(null), json!({ "cmd": "request", "path": "/restapi/v1.0/_large/3" })),
        (json!(2), json!({ "cmd": "request", "id": 2, "path": "/restapi/v1.0/_error/404/CMN-102" })),
        (json!(3), json!({ "cmd": "request", "id": 3, "path": "/a b" })),
    ] {
        tail.say(&line.to_string());
        assert_eq!(tail.event("response")["id"], id);
    }
    tail.say("dance");
    assert_eq!(tail.event("error")["kind"], Value::Null);
    tail.say(&json!({ "cmd": "subscribe", "filters": ["sms", "voicemail"] }).to_string());
    assert_eq!(tail.event("subscribed")["disabled"].as_array().map(Vec::len), Some(1));
    server.send_raw("neither JSON nor anything else");
    tail.event("protocol_error");
    tail.event("gap");
    server.drop_connections();
    tail.event("disconnected");
    tail.event("recovered");
    // What fails before anything left the machine is tried again soon.
    server.refuse_connections(true);
    server.restart();
    tail.event("retry");
    server.refuse_connections(false);
    assert_eq!(tail.event("connected")["resumption"], "lost");
    tail.event("recovery_failed");
    assert_eq!(tail.event("gap")["cause"], "recovery_failed");
    tail.event("subscribed");
    tail.say(r#"{"cmd":"subscribe","filters":["presence"]}"#);
    assert_eq!(tail.event("error")["kind"], "subscription_failed");
    tail.say(r#"{"cmd":"unsubscribe"}"#);
    tail.event("unsubscribed");
    tail.say(r#"{"cmd":"close"}"#);
    assert_eq!(tail.event("closed")["reason"], "revoked");
    tail.all.clone()
}

/// A session that the server forgets while an SMS comes in, which is fetched: all that was written.
fn filled(server: &Server) -> String {
    let mut tail = tail(server, ["--backfill", "sms"]);
    tail.event("subscribed");
    let id = common::lose_session_and_sms(server);
    assert_eq!(tail.event("gap")["cause"], "recovery_failed");
    let fetched = tail.event("backfill");
    assert_eq!((&fetched["complete"], &fetched["may_repeat"]), (&json!(true), &json!(false)), "{fetched}");
    let records = fetched["records"].as_array().unwrap();
    let ids: Vec<String> = records.iter().map(|record| record["body"]["id"].to_string()).collect();
    assert_eq!((ids, &records[0]["body"]["subject"]), (vec![id.clone()], &json!(common::MISSED)), "once");
    assert_eq!((&records[0]["kind"], &records[0]["id"]), (&json!("message"), &json!(id)));
    tail.say(r#"{"cmd":"close"}"#);
    tail.event("closed");
    assert_eq!(tail.all.matches(common::MISSED).count(), 1, "{}", tail.all);
    tail.all.clone()
}

/// A session that is kept in a file, which is damaged before it is used again.
fn kept_and_damaged(server: &Server, schema: &mut Schema) -> BTreeSet<String> {
    let file = std::env::temp_dir().join(format!("ringcentral-ws-schema-{}.state", std::process::id()));
    let detached = |mut tail: Running| {
        tail.event("connected");
        tail.say(r#"{"cmd":"close","mode":"detach"}"#);
        assert_eq!(tail.event("closed")["reason"], "detached");
        tail.all.clone()
    };
    let mut all = detached(tail(server, ["--state", file.to_str().unwrap(), "sms"]));
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    all += &detached(tail(server, ["--state", file.to_str().unwrap(), "sms"]));
    assert!(all.contains("not_restored"), "{all}");
    let folder = file.parent().unwrap();
    let ours = |path: &std::path::Path| path.to_str().is_some_and(|path| path.starts_with(file.to_str().unwrap()));
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| ours(path)) {
        std::fs::remove_file(path).unwrap();
    }
    checked(schema, &all)
}

#[test]
fn what_tail_writes_is_as_the_schema_says() {
    let mut config = ServerConfig::default();
    config.gateway.disabled_filters = vec!["voicemail".to_owned()];
    config.gateway.invalid_filters = vec!["/presence".to_owned()];
    config.gateway.ws_token.rate_limit = None;
    let server = Server::start(config).unwrap();
    let mut schema = schema();
    let mut seen = checked(&mut schema, &story(&server));
    seen.extend(checked(&mut schema, &filled(&common::server())));

    // The login takes the one call of this minute, so the token waits.
    let mut slow = tail(&server, ["--auth-calls", "1", "sms"]);
    slow.event("waiting");
    slow.say(r#"{"cmd":"close"}"#);
    slow.event("closed");
    seen.extend(checked(&mut schema, &slow.all));

    seen.extend(kept_and_damaged(&server, &mut schema));

    server.stall_connections(true);
    let mut unanswered = tail(&server, ["sms"]);
    unanswered.event("progress");
    seen.extend(checked(&mut schema, &unanswered.all));
    drop(unanswered);
    server.stall_connections(false);
    assert_eq!(seen, schema.alternatives("output", "event"), "each was really written");
}

#[test]
fn the_end_is_as_the_schema_says_whatever_it_is() {
    let mut schema = schema();
    let server = server();
    let mut command = program_for(&server, &["tail", "--json", "sms"]);
    let (_, out, _) = common::finish(command.env("RC_APP_CLIENT_SECRET", "wrong"));
    checked(&mut schema, &out);
    server.refuse_connections(true);
    let (_, out, _) = common::finish(&mut program_for(&server, &["tail", "--json", "sms"]));
    checked(&mut schema, &out);
    server.refuse_connections(false);
    let mut refused = program_for(&server, &["tail", "--json", "/no/such/filter"]);
    let mut config = ServerConfig::default();
    config.gateway.known_filters_only = true;
    let strict = Server::start(config).unwrap();
    let (status, out, _) = common::finish(refused.envs(strict.env()));
    assert_eq!(status, 1);
    checked(&mut schema, &out);
}
