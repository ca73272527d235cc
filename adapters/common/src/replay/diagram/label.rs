//! What one line of a recording says, in a few words.

use ringcentral_ws_core::recorder::{Entry, EntryKind};
use serde_json::Value;

use super::{APP, SERVER, SESSION, Shape, Tone};

pub(crate) const TIMER: &str = "timer";
pub(crate) const HEARTBEAT: &str = "heartbeat";

const FROM_APP: Shape = Shape::Arrow(APP, SESSION);
const TO_APP: Shape = Shape::Arrow(SESSION, APP);
const FROM_SERVER: Shape = Shape::Arrow(SERVER, SESSION);
const TO_SERVER: Shape = Shape::Arrow(SESSION, SERVER);

/// The row of a line; nothing for one that is no exchange.
pub(crate) fn row(entry: &Entry) -> Option<(Shape, String, Tone)> {
    match entry.kind {
        EntryKind::Checkpoint => None,
        EntryKind::Forgotten => Some((Shape::Break, "lines were forgotten here".to_owned(), Tone::Bad)),
        EntryKind::Input(_) => Some(input(&entry.text)),
        EntryKind::Output => output(&entry.text),
    }
}

/// The first word, and the rest.
fn split(text: &str) -> (&str, &str) {
    text.split_once(' ').unwrap_or((text, ""))
}

/// Up to where JSON or a token begins.
fn words(text: &str) -> &str {
    let end = [" {", " [", " \"", " bearer="].iter().filter_map(|begin| text.find(begin)).min();
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

fn input(text: &str) -> (Shape, String, Tone) {
    let (verb, rest) = split(text);
    match verb {
        "timeout" => (Shape::Note, TIMER.to_owned(), Tone::Quiet),
        "resumed" => (Shape::Note, "woke up, or the clock jumped".to_owned(), Tone::Plain),
        "network" => (Shape::Note, format!("network {rest}"), Tone::Plain),
        "control" | "send-blocked" | "send-ready" => (Shape::Note, verb.replace('-', " "), Tone::Quiet),
        "authorized" => (FROM_APP, "access token".to_owned(), Tone::Plain),
        "authorize-failed" => (FROM_APP, format!("the login failed: {}", quoted(rest)), Tone::Bad),
        "subscribe" => (FROM_APP, format!("subscribe {rest}"), Tone::Plain),
        "request" => (FROM_APP, format!("request {} {}", split(rest).0, quoted(rest)), Tone::Plain),
        "connect" | "unsubscribe" | "recover" | "close" | "cancel" => (FROM_APP, text.to_owned(), Tone::Plain),
        "http" => answer(rest),
        "http-failed" | "open-failed" => (FROM_SERVER, format!("{} {}", words(text), quoted(rest)), Tone::Bad),
        "opened" => (FROM_SERVER, format!("connection {rest} open"), Tone::Plain),
        "closed" => (
            FROM_SERVER,
            format!("connection {} {}", words(&rest.replacen(' ', " closed ", 1)), quoted(rest)),
            Tone::Bad,
        ),
        "text" => frame(split(rest).1),
        _ => (FROM_SERVER, text.to_owned(), Tone::Bad),
    }
}

/// The JSON string at the end of a line.
fn quoted(text: &str) -> String {
    let string = text.find('"').and_then(|at| {
        let mut values = serde_json::Deserializer::from_str(text.get(at..)?).into_iter::<String>();
        values.next()?.ok()
    });
    string.unwrap_or_default()
}

fn answer(rest: &str) -> (Shape, String, Tone) {
    let (id, rest) = split(rest);
    let status = split(rest).0;
    let code = rest.split_once("\"errorCode\":").map_or(String::new(), |(_, code)| format!(" {}", quoted(code)));
    let what = if rest.contains("\"ws_access_token\"") { " WebSocket token" } else { "" };
    let tone = if status.starts_with('2') { Tone::Plain } else { Tone::Bad };
    (FROM_SERVER, format!("answer {id}: {status}{code}{what}"), tone)
}

fn frame(json: &str) -> (Shape, String, Tone) {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let (meta, body) = (&value[0], &value[1]);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let code = text(&body["errorCode"]);
    let status = &meta["status"];
    let (label, tone) = match meta["type"].as_str().unwrap_or_default() {
        "Heartbeat" => (HEARTBEAT.to_owned(), Tone::Quiet),
        "ServerNotification" => {
            let (uuid, body_text) = (text(&body["uuid"]), text(&body["body"]));
            (format!("notification {uuid} {} {body_text}", text(&body["event"])), Tone::Good)
        }
        "ConnectionDetails" => {
            let (state, code) = (text(&body["recoveryState"]), text(&body["recoveryErrorCode"]));
            (format!("ConnectionDetails {state} {code}"), if state == "Failed" { Tone::Bad } else { Tone::Plain })
        }
        "ClientRequest" => {
            let bad = status.as_u64().is_some_and(|status| status >= 400);
            let tone = if bad { Tone::Bad } else { Tone::Plain };
            (format!("reply {} to {} {code}", status, text(&meta["messageId"])), tone)
        }
        other => (format!("{other} {code}"), Tone::Bad),
    };
    (FROM_SERVER, label.trim_end().to_owned(), tone)
}

fn output(text: &str) -> Option<(Shape, String, Tone)> {
    let (verb, rest) = split(text);
    let tone = match verb {
        "wait" | "snapshot" | "accepted" => return None,
        "notification" | "recovered" | "subscribed" | "connected" => Tone::Good,
        "gap"
        | "disconnected"
        | "recovery-failed"
        | "subscription-failed"
        | "protocol-error"
        | "retry"
        | "ended"
        | "refused"
        | "drop" => Tone::Bad,
        _ => Tone::Plain,
    };
    Some(match verb {
        "authorize" => (TO_APP, format!("access token, please: {}", split(rest).1.to_lowercase()), tone),
        "http" => {
            let (id, call) = split(rest);
            (TO_SERVER, format!("call {id}: {}", words(call)), tone)
        }
        "send" => {
            let (_, what) = split(rest);
            let heartbeat = what.starts_with("heartbeat");
            let label = if heartbeat { HEARTBEAT.to_owned() } else { what.to_owned() };
            (TO_SERVER, label, if heartbeat { Tone::Quiet } else { tone })
        }
        "resubscribe" => (TO_SERVER, format!("subscribe again {}", split(rest).1), tone),
        "open" => {
            let (conn, url) = split(rest);
            let resumes = if url.contains("wsc=") { ", to resume" } else { "" };
            (TO_SERVER, format!("open connection {conn}{resumes} {}", split_query(url)), tone)
        }
        "close" | "drop" | "abort-http" => (TO_SERVER, text.to_owned(), tone),
        "notification" => {
            let uuid = quoted(rest);
            let event = rest.split_once("\" ").map(|(_, rest)| quoted(rest)).unwrap_or_default();
            (TO_APP, format!("notification {uuid} {event}"), tone)
        }
        "finished" => (Shape::Note, "finished".to_owned(), Tone::Quiet),
        _ => (TO_APP, text.to_owned(), tone),
    })
}

fn split_query(url: &str) -> &str {
    url.split_once('?').map_or(url, |(url, _)| url)
}
