//! The control resources under `/_gateway/`, by which other processes script the server.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::server::refusals::{Refusals, Refuse};
use crate::server::shared::Shared;
use crate::{CallPlan, ConnectionTimeout, Fate, HttpRequest, HttpResponse, MessageKind, Receipt};

/// The members of a request, with defaults.
struct ControlRequest(Value);

impl ControlRequest {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    fn number(&self, name: &str, default: u64) -> u64 {
        self.0.get(name).and_then(Value::as_u64).unwrap_or(default)
    }

    fn small<T: TryFrom<u64>>(&self, name: &str, default: T) -> T {
        self.0.get(name).and_then(Value::as_u64).and_then(|n| T::try_from(n).ok()).unwrap_or(default)
    }

    fn ms(&self, default: u64) -> Duration {
        Duration::from_millis(self.number("ms", default))
    }
}

pub(super) fn answer(request: &HttpRequest, refuse: &Refusals, shared: &Arc<Shared>) -> HttpResponse {
    let (path, query) = request.path_and_query();
    let name = path.trim_start_matches("/_gateway/");
    let members = match request.body.as_slice() {
        [] => Value::Null,
        body => match serde_json::from_slice(body) {
            Ok(members @ Value::Object(_)) => members,
            _ => return respond(400, &json!({"error": "the body must be a JSON object or absent"})),
        },
    };
    let control = ControlRequest(members);
    let answer = match (request.method.as_str(), name) {
        ("GET", _) => look(name, query, shared),
        ("POST", "refuse") => refuse_for(&control, refuse),
        ("POST", "stall") => stall_for(&control, shared),
        ("POST", _) => happen(name, &control, shared).or_else(|| fault(name, &control, shared)),
        _ => None,
    };
    match answer {
        Some(Ok(value)) => respond(200, &value),
        Some(Err(message)) => respond(400, &json!({"error": message})),
        None => respond(404, &json!({"error": "no such control resource"})),
    }
}

type Answer = Option<Result<Value, &'static str>>;

fn done() -> Answer {
    Some(Ok(json!({"done": true})))
}

fn look(name: &str, query: &str, shared: &Shared) -> Answer {
    let value = match name {
        "observations" => shared.call(|g, _| json!(g.observations())),
        "events" => {
            let query = crate::text::pairs(query);
            let since: u64 = crate::text::lookup(&query, "since").and_then(|n| n.parse().ok()).unwrap_or(0);
            // It may be given back, and more than 2^53 - 1 is not read exactly in every language.
            let since = since.min((1 << 53) - 1);
            shared.call(|g, _| {
                let events: Vec<_> = g.events_since(since).collect();
                let next = events.last().map_or(since, |(number, _)| number + 1);
                json!({"next": next, "events": events.iter().map(|(_, event)| event).collect::<Vec<_>>()})
            })
        }
        "connections" => shared.call(|g, _| {
            let connections = g.connections().map(|conn| json!({"conn": conn, "session": g.session_of(conn)}));
            json!(connections.collect::<Vec<_>>())
        }),
        "subscriptions" => shared.call(|g, _| {
            let subscriptions = g.subscriptions().map(|(id, filters)| json!({"id": id, "eventFilters": filters}));
            json!(subscriptions.collect::<Vec<_>>())
        }),
        "credentials" => shared.call(|g, _| {
            let config = g.config();
            json!({
                "server": config.base_url,
                "client_id": config.app.client_id,
                "client_secret": config.app.client_secret,
                "jwt": config.users.first().map(|user| &user.jwt),
            })
        }),
        _ => return None,
    };
    Some(Ok(value))
}

/// Things that happen to users.
fn happen(name: &str, control: &ControlRequest, shared: &Shared) -> Answer {
    let user = control.small("user", 0usize);
    let from = control.text("from").unwrap_or(if name == "pager" { "101" } else { "+16505550100" });
    let text = control.text("text").unwrap_or("Hello");
    let take_in = |kind| {
        let (id, receipts) = shared.call(|g, now| g.receive(user, kind, from, text, now));
        (Some(id), receipts)
    };
    let (id, receipts) = match name {
        "notify" => {
            let Some(event) = control.text("event") else { return Some(Err("event is missing")) };
            let body = control.0.get("body").map_or_else(|| "{}".to_owned(), Value::to_string);
            (None, shared.call(|g, now| g.notify(event, &body, now)))
        }
        "sms" => take_in(MessageKind::Sms),
        "voicemail" => take_in(MessageKind::VoiceMail),
        "fax" => take_in(MessageKind::Fax),
        "pager" => take_in(MessageKind::Pager),
        "call" => match shared.call(|g, now| g.call(user, &call_plan(control, from), now)) {
            Some((id, receipts)) => (Some(id), receipts),
            None => return Some(Err("there is no such user")),
        },
        _ => return None,
    };
    Some(Ok(json!({"id": id, "receipts": receipts.iter().map(receipt).collect::<Vec<_>>()})))
}

/// Of the members `outbound`, `answered`, `recorded`, `voicemail`, `ring_ms` and `talk_ms`.
fn call_plan(control: &ControlRequest, other: &str) -> CallPlan {
    let flag = |name: &str, default: bool| control.0.get(name).and_then(Value::as_bool).unwrap_or(default);
    let plan = if flag("outbound", false) { CallPlan::outbound(other) } else { CallPlan::inbound(other) };
    let time = |name: &str| Duration::from_millis(control.number(name, 0));
    let mut plan = plan.ringing(time("ring_ms")).talking(time("talk_ms"));
    if flag("recorded", false) {
        plan = plan.recorded();
    }
    match control.text("voicemail") {
        Some(text) => plan.voicemail(text),
        None if flag("answered", true) => plan,
        None => plan.missed(),
    }
}

fn receipt(receipt: &Receipt) -> Value {
    let (fate, dropped) = match receipt.fate {
        Fate::Sent { .. } => ("sent", None),
        Fate::Buffered { dropped } => ("buffered", dropped),
    };
    json!({
        "session": receipt.session,
        "conn": receipt.conn,
        "uuid": receipt.uuid.to_string(),
        "fate": fate,
        "dropped": dropped.map(|uuid| uuid.to_string()),
    })
}

/// Things that go wrong.
fn fault(name: &str, control: &ControlRequest, shared: &Shared) -> Answer {
    match name {
        "drop" => shared.drop_connections(),
        "halfopen" => shared.half_open(),
        "restart" => shared.call(|g, now| g.restart(now)),
        "close" => {
            let (code, reason) = (control.small("code", 1001), control.text("reason").unwrap_or(""));
            shared.call(|g, now| g.close_all(code, reason, now));
        }
        "timeout" => {
            let kind = match control.text("kind") {
                Some("idle") => ConnectionTimeout::Idle,
                Some("absolute") => ConnectionTimeout::Absolute,
                _ => return Some(Err("kind must be idle or absolute")),
            };
            shared.call(|g, now| g.force_timeout(None, kind, now));
        }
        "overload" => {
            let retry_after = control.0.get("retry_after").and_then(Value::as_bool).unwrap_or(true);
            shared.call(|g, now| g.overload(control.small("status", 503), control.ms(10_000), retry_after, now));
        }
        "delay" => shared.set_delay(control.ms(0)),
        "split" => shared.set_split(control.small("bytes", 0)),
        "duplicate" => shared.call(|g, _| g.duplicate_next(control.small("count", 1))),
        "raw" => {
            let Some(text) = control.text("text") else { return Some(Err("text is missing")) };
            shared.call(|g, now| g.send_raw(None, text, now));
        }
        "fail" => return Some(fail(control, shared)),
        "expire-tokens" => shared.call(|g, now| g.expire_access_tokens(now)),
        "logout" => shared.call(|g, now| g.log_out(control.small("user", 0), now)),
        _ => return None,
    }
    done()
}

fn fail(control: &ControlRequest, shared: &Shared) -> Result<Value, &'static str> {
    let path = control.text("path").ok_or("path is missing")?;
    let body = match control.0.get("body") {
        None => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let mut response = HttpResponse::new(control.small("status", 500), body);
    if let Some(Value::Object(headers)) = control.0.get("headers") {
        for (name, value) in headers {
            response = response.header(name, value.as_str().unwrap_or_default());
        }
    }
    shared.call(|g, _| g.fail_next(path, response));
    Ok(json!({"done": true}))
}

/// Nobody could call it back through a listener that is gone, so it ends by itself.
fn refuse_for(control: &ControlRequest, refuse: &Refusals) -> Answer {
    let pause = control.ms(5000);
    let _ = refuse.send(Refuse { on: true, done: None });
    let refuse = refuse.clone();
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        let _ = refuse.send(Refuse { on: false, done: None });
    });
    done()
}

fn stall_for(control: &ControlRequest, shared: &Arc<Shared>) -> Answer {
    let pause = control.ms(5000);
    shared.stall.send_replace(true);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep(pause).await;
        shared.stall.send_replace(false);
    });
    done()
}

fn respond(status: u16, value: &Value) -> HttpResponse {
    HttpResponse::new(status, value.to_string()).header("Content-Type", "application/json")
}
