//! The line protocol: one JSON object a line, out and in.

use std::collections::BTreeMap;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use ringcentral_ws_core::{
    Backfilled, Body, Close, CloseReason, Event, Filters, Gap, GapCause, ProtocolError, WaitReason,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::args;
use crate::terminal::escape_json;
use crate::{RequestError, Response};

/// One line in the making. `event` always comes first.
#[must_use]
pub struct Line(String);

impl Line {
    /// Begins with `{"event":…`.
    pub fn new(event: &str) -> Self {
        Self(format!("{{\"event\":\"{event}\""))
    }

    /// Adds a field; what cannot be written is `null`.
    pub fn with(mut self, key: &str, value: impl Serialize) -> Self {
        self.0.push_str(",\"");
        self.0.push_str(key);
        self.0.push_str("\":");
        let json = serde_json::to_string(&value).unwrap_or_else(|_| "null".to_owned());
        // Raw JSON may hold line breaks between its tokens, and any text what a terminal obeys (SEC-5).
        self.0.push_str(&escape_json(&json));
        self
    }

    /// The whole line, without a line break.
    #[must_use]
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The line for an event; `None` for those that are not shown.
#[must_use]
pub fn event(event: &Event) -> Option<String> {
    let line = match event {
        Event::Connected { conn, resumption, .. } => {
            Line::new("connected").with("conn", conn.get()).with("resumption", resumption.as_str())
        }
        Event::Subscribed(info) => {
            let disabled: Vec<Value> = info
                .disabled
                .iter()
                .map(|d| json!({ "filter": d.filter, "reason": d.reason, "message": d.message }))
                .collect();
            let line = Line::new("subscribed").with("id", &info.server_id).with("filters", &info.filters);
            let line = line.with("disabled", disabled);
            let problems = info.problems();
            let problems = problems.iter().map(|p| json!({ "problem": p.as_str(), "message": p.to_string() }));
            let problems: Vec<Value> = problems.collect();
            if problems.is_empty() { line } else { line.with("problems", problems) }
        }
        Event::SubscriptionFailed { error, retry_at, .. } => Line::new("error")
            .with("kind", "subscription_failed")
            .with("status", error.status)
            .with("code", &error.code)
            .with("message", error.to_string())
            .with("remedy", if retry_at.is_some() { error.remedy() } else { error.remedy_of_last_attempt() })
            .with("permanent", retry_at.is_none()),
        Event::Unsubscribed { .. } => Line::new("unsubscribed"),
        Event::Notification(n) => Line::new("notification")
            .with("uuid", n.uuid())
            .with("path", n.event())
            .with("timestamp", n.timestamp())
            .with("subscription", n.subscription_id())
            .with("body", RawValue::from_string(n.body().to_owned()).ok()),
        Event::Recovered { conn } => Line::new("recovered").with("conn", conn.get()),
        Event::RecoveryFailed { conn, code } => {
            Line::new("recovery_failed").with("conn", conn.get()).with("code", code)
        }
        Event::Retry { attempt, cause, delay, reason, .. } => {
            let line = Line::new("retry").with("attempt", attempt).with("cause", cause.as_str());
            waits(line, *delay, *reason).with("message", cause.to_string())
        }
        Event::Waiting { reason, delay, .. } => {
            waits(Line::new("waiting"), *delay, *reason).with("message", reason.to_string())
        }
        Event::Gap(lost) => gap(lost),
        Event::Backfill(fetched) => backfill(fetched),
        Event::Disconnected { conn, cause, reason } => {
            let line = Line::new("disconnected").with("conn", conn.get()).with("cause", cause.as_str());
            let line = line.with("message", cause.to_string());
            if let Some(reason) = reason { line.with("reason", reason) } else { line }
        }
        Event::ProtocolError { conn, error: ProtocolError::Transport(what) } => {
            Line::new("protocol_error").with("conn", conn.get()).with("error", "Transport").with("kind", what.as_str())
        }
        Event::ProtocolError { conn, error } => {
            Line::new("protocol_error").with("conn", conn.get()).with("error", format!("{error:?}"))
        }
        Event::Closed { reason } => closed(reason, None),
        _ => return None,
    };
    Some(line.end())
}

/// A record of a filled gap: what it is, and the record as the service wrote it.
#[derive(Serialize)]
struct Record<'a> {
    kind: &'static str,
    id: &'a str,
    body: Option<Box<RawValue>>,
}

/// The gap's bounds, the records, and in words what is missing.
fn backfill(fetched: &Backfilled) -> Line {
    let records = fetched.records.iter().map(|one| Record {
        kind: one.kind().as_str(),
        id: one.id(),
        body: RawValue::from_string(one.json().to_owned()).ok(),
    });
    let missing = fetched.unfilled.iter().map(|one| json!({ "unfilled": one.as_str(), "message": one.to_string() }));
    let line = Line::new("backfill").with("since", fetched.gap.since).with("until", fetched.gap.until);
    let line = line.with("complete", fetched.complete).with("may_repeat", fetched.may_repeat);
    line.with("records", records.collect::<Vec<_>>()).with("unfilled", missing.collect::<Vec<_>>())
}

fn gap(gap: &Gap) -> Line {
    let line = Line::new("gap").with("cause", gap.cause.as_str()).with("after", &gap.after);
    let line = line.with("since", gap.since).with("until", gap.until);
    let line = line.with("certainty", gap.certainty.as_str()).with("message", gap.cause.to_string());
    if let GapCause::RecoveryFailed(code) = &gap.cause { line.with("code", code) } else { line }
}

fn waits(line: Line, delay: Duration, reason: WaitReason) -> Line {
    // More than 2^53 - 1 is not read exactly in every language.
    let delay = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).min((1 << 53) - 1);
    line.with("delay_ms", delay).with("waits_for", reason.as_str())
}

/// The end of the session. `why` says why it was ended, if that was no command.
pub(super) fn closed(reason: &CloseReason, why: Option<&str>) -> Line {
    let line = Line::new("closed");
    let line = match reason {
        CloseReason::Revoked => line.with("reason", "revoked"),
        CloseReason::Detached => line.with("reason", "detached"),
        CloseReason::Permanent(cause) => {
            return line.with("reason", cause.as_str()).with("message", cause.to_string());
        }
        _ => line.with("reason", "other"),
    };
    if let Some(why) = why { line.with("message", why) } else { line }
}

/// The end of the program without the session's own.
pub(super) fn ended(reason: &str, why: &str) -> String {
    Line::new("closed").with("reason", reason).with("message", why).end()
}

/// A line that says that something takes long, and what is waited for.
pub(super) fn progress(what: &str, elapsed: Duration) -> String {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    Line::new("progress").with("elapsed_ms", millis).with("message", what).end()
}

/// The line for the end of a request.
#[must_use]
pub fn response(id: &Value, result: &Result<Response, RequestError>) -> String {
    let line = Line::new("response").with("id", id);
    match result {
        Ok(response) => {
            let mut headers: BTreeMap<&str, String> = BTreeMap::new();
            for (name, value) in response.headers() {
                let value = String::from_utf8_lossy(value.as_bytes());
                let all = headers.entry(name.as_str()).or_default();
                if !all.is_empty() {
                    all.push_str(", ");
                }
                all.push_str(&value);
            }
            let line = line.with("outcome", "response").with("status", response.status().as_u16());
            with_body(line.with("headers", headers), response.body()).with("via", response.via().as_str()).end()
        }
        Err(error) => line.with("outcome", error.as_str()).with("message", error.to_string()).end(),
    }
}

/// JSON as JSON, other text as a string, no body as `null`. Bytes that are no text are only measured.
fn with_body(line: Line, body: &Body) -> Line {
    let bytes = body.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok("") => line.with("body", Value::Null),
        Ok(text) => match serde_json::from_str::<&RawValue>(text) {
            Ok(raw) => line.with("body", raw),
            Err(_) => line.with("body", text),
        },
        Err(_) => line.with("body", Value::Null).with("body_bytes", bytes.len()),
    }
}

/// A line that says that the state file cannot be used, and why; the session is a new one.
#[must_use]
pub fn not_restored(why: &str) -> String {
    Line::new("error").with("kind", "not_restored").with("message", why).end()
}

/// A line for a mistake.
#[must_use]
pub fn error(message: &str) -> String {
    Line::new("error").with("message", message).end()
}

/// A command from stdin.
#[derive(Debug)]
pub enum Command {
    /// `subscribe`
    Subscribe(Filters),
    /// `unsubscribe`
    Unsubscribe,
    /// `request`
    Request {
        /// To be repeated in the answer.
        id: Value,
        /// The call.
        request: Box<http::Request<Body>>,
    },
    /// `recover`
    Recover,
    /// `close`
    Close(Close),
}

#[derive(Deserialize)]
#[serde(tag = "cmd", rename_all = "snake_case")]
enum Raw {
    Subscribe { filters: Vec<String> },
    Unsubscribe {},
    Request(RawRequest),
    Recover {},
    Close { mode: Option<Mode> },
}

#[derive(Deserialize)]
struct RawRequest {
    #[serde(default)]
    id: Value,
    method: Option<String>,
    path: String,
    #[serde(default)]
    query: Value,
    headers: Option<BTreeMap<String, String>>,
    #[serde(default)]
    body: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Revoke,
    Detach,
}

/// Reads a command.
///
/// # Errors
///
/// The id of the request it was for, if it was one, and one line that says why.
pub fn command(line: &str) -> Result<Command, (Option<Value>, String)> {
    let raw: Raw = serde_json::from_str(line).map_err(|error| (None, format!("not a command: {error}")))?;
    Ok(match raw {
        Raw::Subscribe { filters } => {
            let filters = filters.iter().map(|text| args::filter(text)).collect::<Result<Vec<_>, _>>();
            let filters = filters.and_then(|filters| Filters::new(filters).map_err(|error| error.to_string()));
            Command::Subscribe(filters.map_err(|why| (None, why))?)
        }
        Raw::Unsubscribe {} => Command::Unsubscribe,
        Raw::Recover {} => Command::Recover,
        Raw::Close { mode: None | Some(Mode::Revoke) } => Command::Close(Close::Revoke),
        Raw::Close { mode: Some(Mode::Detach) } => Command::Close(Close::Detach),
        Raw::Request(raw) => {
            let id = raw.id.clone();
            match request(raw) {
                Ok(request) => Command::Request { id, request: Box::new(request) },
                Err(why) => return Err((Some(id), why)),
            }
        }
    })
}

fn request(raw: RawRequest) -> Result<http::Request<Body>, String> {
    let mut uri = raw.path;
    let query = query(&raw.query)?;
    if !query.is_empty() {
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(&query);
    }
    let mut builder = http::Request::builder().method(raw.method.as_deref().unwrap_or("GET")).uri(uri);
    for (name, value) in raw.headers.unwrap_or_default() {
        builder = builder.header(name, value);
    }
    let kind = builder.headers_ref().and_then(|headers| headers.get(CONTENT_TYPE));
    let json = kind.is_none_or(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")));
    let typed = kind.is_some();
    let body = match raw.body {
        Value::Null => Body::empty(),
        // Text of another type than JSON is meant as it stands.
        Value::String(text) if !json => Body::from(text),
        other => {
            if !typed {
                builder = builder.header(CONTENT_TYPE, "application/json");
            }
            Body::from(other.to_string())
        }
    };
    builder.body(body).map_err(|error| format!("the request cannot be written: {error}"))
}

/// A query as text, or as an object of texts, numbers and lists of them.
fn query(value: &Value) -> Result<String, String> {
    let fields = match value {
        Value::Null => return Ok(String::new()),
        Value::String(text) => return Ok(text.trim_start_matches('?').to_owned()),
        Value::Object(fields) => fields,
        _ => return Err("`query` is neither an object nor a string".to_owned()),
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (key, value) in fields {
        match value {
            Value::Array(items) => {
                query.extend_pairs(items.iter().map(|item| (key, plain(item))));
            }
            Value::Null => {}
            other => {
                query.append_pair(key, &plain(other));
            }
        }
    }
    Ok(query.finish())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::{
        Cause, Certainty, ConnId, Gap, RequestId, RequestOutcome, Timestamp, UnixMillis, Unreadable, Via,
    };

    use super::*;
    use crate::RequestErrorKind;

    fn asked(line: &str) -> (String, String, String) {
        let Ok(Command::Request { request, .. }) = command(line) else { panic!("{line}") };
        let body = String::from_utf8(request.body().as_bytes().to_vec()).unwrap();
        (request.method().to_string(), request.uri().to_string(), body)
    }

    #[test]
    fn events_are_single_lines() {
        let retry = Event::Retry {
            attempt: 2,
            cause: Cause::SocketLost,
            at: Timestamp::ZERO,
            delay: Duration::from_secs(1),
            reason: WaitReason::Backoff,
        };
        let line = event(&retry).unwrap();
        assert!(line.starts_with(r#"{"event":"retry","attempt":2,"cause":"socket_lost","delay_ms":1000,"#), "{line}");
        let cause = Cause::LoginLimit { message: "60 a minute; 2 wait".into() };
        let waits = Event::Retry {
            attempt: 1,
            cause,
            at: Timestamp::ZERO,
            delay: Duration::from_secs(61),
            reason: WaitReason::LoginLimit,
        };
        assert_eq!(
            event(&waits).unwrap(),
            r#"{"event":"retry","attempt":1,"cause":"login_limit","delay_ms":61000,"waits_for":"login_limit","message":"the login waits: 60 a minute; 2 wait"}"#
        );
        let gap = Gap {
            cause: GapCause::WindowPassed,
            certainty: Certainty::Probable,
            after: None,
            since: UnixMillis(1),
            until: UnixMillis(2),
        };
        let line = r#"{"event":"gap","cause":"window_passed","after":null,"since":1,"until":2,"certainty":"probable","message":""#;
        assert!(event(&Event::Gap(gap)).unwrap().starts_with(line));
        let gone = |reason| {
            let conn = ConnId::from(3);
            event(&Event::Disconnected { conn, cause: Cause::ServerClosed { code: Some(1008) }, reason }).unwrap()
        };
        let line = r#"{"event":"disconnected","conn":3,"cause":"server_closed","message":"the server closed the connection (1008)""#;
        assert_eq!(gone(None), format!("{line}}}"));
        assert_eq!(gone(Some("go\n away".into())), format!(r#"{line},"reason":"go\n away"}}"#));
        let waiting =
            Event::Waiting { reason: WaitReason::AuthBudget, at: Timestamp::ZERO, delay: Duration::from_secs(9) };
        let line = r#"{"event":"waiting","delay_ms":9000,"waits_for":"auth_budget","message":""#;
        assert!(event(&waiting).unwrap().starts_with(line));
        let failed = Event::RecoveryFailed { conn: ConnId::from(3), code: Some("WSG-1003".into()) };
        assert_eq!(event(&failed).unwrap(), r#"{"event":"recovery_failed","conn":3,"code":"WSG-1003"}"#);
        let end = |reason| event(&Event::Closed { reason }).unwrap();
        assert_eq!(end(CloseReason::Detached), r#"{"event":"closed","reason":"detached"}"#);
        assert!(end(CloseReason::Permanent(Cause::Unauthorized)).contains(r#""reason":"unauthorized""#));
        let broken = |error| event(&Event::ProtocolError { conn: ConnId::from(3), error }).unwrap();
        let line = r#"{"event":"protocol_error","conn":3,"error":"Transport","kind":"cut"}"#;
        assert_eq!(broken(ProtocolError::Transport(Unreadable::Cut)), line);
        assert_eq!(broken(ProtocolError::Binary), r#"{"event":"protocol_error","conn":3,"error":"Binary"}"#);
        assert_eq!(event(&Event::SnapshotChanged), None);
        let other = Event::Response { id: RequestId::from(1), outcome: RequestOutcome::Cancelled { sent: true } };
        assert_eq!(event(&other), None, "reported by the call itself");
    }

    #[test]
    fn responses_show_their_way() {
        let reply = http::Response::builder().status(200).header("a", "1").header("a", "2");
        let reply = reply.body(Body::from("{\n\"n\":1.50}")).unwrap();
        let line = response(&json!("x"), &Ok(Response::new(reply, Via::WebSocket)));
        let expected = r#"{"event":"response","id":"x","outcome":"response","status":200,"headers":{"a":"1, 2"},"body":{"n":1.50},"via":"websocket"}"#;
        assert_eq!(line, expected);
        let raw = |body: &'static [u8]| {
            response(&Value::Null, &Ok(Response::new(http::Response::new(Body::from(body)), Via::Https)))
        };
        assert!(raw(b"{\"n\":1.50}").contains(r#""body":{"n":1.50},"#));
        assert!(raw(b"no\njson").contains(r#""body":"no\njson""#));
        assert!(raw(b"\xff\xfe").contains(r#""body":null,"body_bytes":2"#));
        assert!(raw(b"").contains(r#""body":null,"via":"https""#));
        let late = response(&json!(1), &Err(RequestErrorKind::TimedOut { sent: true }.into()));
        assert!(late.starts_with(r#"{"event":"response","id":1,"outcome":"timed_out","#));
    }

    #[test]
    fn commands_are_read() {
        assert!(
            matches!(command(r#"{"cmd":"subscribe","filters":["/a"]}"#), Ok(Command::Subscribe(f)) if f.len() == 1)
        );
        let Ok(Command::Subscribe(named)) = command(r#"{"cmd":"subscribe","filters":["sms"]}"#) else { panic!("sms") };
        assert!(named.iter().any(|filter| filter.ends_with("message-store/instant?type=SMS")), "{named:?}");
        assert!(matches!(command(r#"{"cmd":"unsubscribe"}"#), Ok(Command::Unsubscribe)));
        assert!(matches!(command(r#"{"cmd":"recover"}"#), Ok(Command::Recover)));
        assert!(matches!(command(r#"{"cmd":"close"}"#), Ok(Command::Close(Close::Revoke))));
        assert!(matches!(command(r#"{"cmd":"close","mode":"detach"}"#), Ok(Command::Close(Close::Detach))));
        assert_eq!(asked(r#"{"cmd":"request","id":1,"path":"/p"}"#), ("GET".into(), "/p".into(), String::new()));
        let full = r#"{"cmd":"request","method":"PUT","path":"/p?x=1","query":{"a":"b c","n":[1,2]},"body":{"k":1}}"#;
        assert_eq!(asked(full), ("PUT".into(), "/p?x=1&a=b+c&n=1&n=2".into(), r#"{"k":1}"#.into()));
        let text = r#"{"cmd":"request","method":"POST","path":"/p","query":"q=1","headers":{"Content-Type":"text/plain"},"body":"t"}"#;
        assert_eq!(asked(text), ("POST".into(), "/p?q=1".into(), "t".into()));
        assert_eq!(asked(r#"{"cmd":"request","method":"POST","path":"/p","body":"t"}"#).2, "\"t\"");
    }

    #[test]
    fn mistakes_are_reported() {
        for bad in ["", "x", "{}", r#"{"cmd":"dance"}"#, r#"{"cmd":"close","mode":"x"}"#, r#"{"cmd":"request"}"#] {
            assert!(matches!(command(bad), Err((None, _))), "{bad}");
        }
        assert!(command(r#"{"cmd":"subscribe","filters":[]}"#).unwrap_err().1.contains("at least one"));
        assert!(command(r#"{"cmd":"subscribe","filters":["smss"]}"#).unwrap_err().1.contains("sms, "));
        let (id, why) = command(r#"{"cmd":"request","id":7,"path":"/p","query":5}"#).unwrap_err();
        assert_eq!(id, Some(json!(7)));
        assert!(why.contains("query"));
        assert!(matches!(command(r#"{"cmd":"request","id":7,"path":"/a b"}"#), Err((Some(_), _))));
    }
}
