//! What the page receives: actions to carry out and events, as JSON objects. The words are those of `watch --json`.

use std::time::Duration;

use http::HeaderMap;
use ringcentral_ws_core::{
    Action, AuthReason, CloseReason, Event, Gap, GapCause, Notification, RequestOutcome, SubscriptionInfo, Timestamp,
};
use serde_json::{Value, json};

/// Milliseconds of the page's clock.
pub(crate) fn millis(at: Timestamp) -> f64 {
    at.as_micros() as f64 / 1000.0
}

/// At most 2^53 - 1: more is not read exactly by the page.
fn whole_millis(delay: Duration) -> u64 {
    u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).min((1 << 53) - 1)
}

pub(crate) fn action(action: Action) -> Value {
    match action {
        Action::Authorize { id, reason, .. } => {
            json!({ "action": "authorize", "id": id.get(), "refused": reason == AuthReason::Refused })
        }
        Action::Http { id, request, .. } => {
            let body = String::from_utf8_lossy(request.body());
            json!({
                "action": "fetch",
                "id": id.get(),
                "method": request.method().as_str(),
                "url": request.uri().to_string(),
                "headers": headers(request.headers()),
                "body": if body.is_empty() { Value::Null } else { json!(body) },
            })
        }
        Action::AbortHttp { id } => json!({ "action": "abort", "id": id.get() }),
        Action::Open { conn, url } => {
            json!({ "action": "open", "conn": conn.get(), "url": url.expose().as_str() })
        }
        Action::Send { conn, text, .. } | Action::Resubscribe { conn, text } => {
            json!({ "action": "send", "conn": conn.get(), "text": text })
        }
        Action::Close { conn, code, reason } => {
            json!({ "action": "close", "conn": conn.get(), "code": code, "reason": reason })
        }
        Action::Drop { conn } => json!({ "action": "drop", "conn": conn.get() }),
    }
}

/// Pairs, as `fetch` takes them and as a header may come twice.
fn headers(headers: &HeaderMap) -> Vec<(&str, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

pub(crate) fn event(event: &Event) -> Value {
    match event {
        Event::Connected { conn, resumption, .. } => {
            json!({ "event": "connected", "conn": conn.get(), "resumption": resumption.as_str() })
        }
        Event::Subscribed(info) => subscribed(info),
        Event::SubscriptionFailed { error, retry_at, .. } => json!({
            "event": "subscription_failed",
            "status": error.status,
            "code": error.code,
            "message": error.to_string(),
            "remedy": if retry_at.is_some() { error.remedy() } else { error.remedy_of_last_attempt() },
            "permanent": retry_at.is_none(),
        }),
        Event::Unsubscribed { .. } => json!({ "event": "unsubscribed" }),
        Event::Notification(n) => notification(n),
        Event::Recovered { conn } => json!({ "event": "recovered", "conn": conn.get() }),
        Event::RecoveryFailed { conn, code } => {
            json!({ "event": "recovery_failed", "conn": conn.get(), "code": code })
        }
        Event::Waiting { reason, delay, .. } => json!({
            "event": "waiting",
            "waits_for": reason.as_str(),
            "message": reason.to_string(),
            "delay_ms": whole_millis(*delay),
        }),
        Event::Retry { attempt, cause, delay, reason, .. } => json!({
            "event": "retry",
            "attempt": attempt,
            "cause": cause.as_str(),
            "message": cause.to_string(),
            "waits_for": reason.as_str(),
            "delay_ms": whole_millis(*delay),
        }),
        Event::Gap(lost) => gap(lost),
        Event::Response { id, outcome } => response(id.get(), outcome),
        Event::Disconnected { conn, cause, reason } => json!({
            "event": "disconnected",
            "conn": conn.get(),
            "cause": cause.as_str(),
            "message": cause.to_string(),
            "reason": reason,
        }),
        Event::ProtocolError { conn, error } => {
            json!({ "event": "protocol_error", "conn": conn.get(), "error": format!("{error:?}") })
        }
        Event::SnapshotChanged => json!({ "event": "snapshot_changed" }),
        Event::Closed { reason } => closed(reason),
        // A new kind of event, which this port does not know.
        _ => json!({ "event": "other" }),
    }
}

fn subscribed(info: &SubscriptionInfo) -> Value {
    let disabled = info.disabled.iter();
    let disabled: Vec<Value> =
        disabled.map(|d| json!({ "filter": d.filter, "reason": d.reason, "message": d.message })).collect();
    json!({ "event": "subscribed", "id": info.server_id, "filters": info.filters, "disabled": disabled })
}

fn notification(n: &Notification) -> Value {
    json!({
        "event": "notification",
        "uuid": n.uuid(),
        "path": n.event(),
        "timestamp": n.timestamp(),
        "subscription": n.subscription_id(),
        "body": n.parse::<Value>().unwrap_or(Value::Null),
    })
}

fn gap(gap: &Gap) -> Value {
    let code = if let GapCause::RecoveryFailed(code) = &gap.cause { code.as_deref() } else { None };
    json!({
        "event": "gap",
        "cause": gap.cause.as_str(),
        "certainty": gap.certainty.as_str(),
        "message": gap.cause.to_string(),
        "code": code,
        "after": gap.after,
        "since": gap.since,
        "until": gap.until,
    })
}

fn response(id: u64, outcome: &RequestOutcome) -> Value {
    let (word, message) = match outcome {
        RequestOutcome::Response { response, via } => {
            return json!({
                "event": "response",
                "id": id,
                "outcome": "response",
                "status": response.status().as_u16(),
                "headers": headers(response.headers()),
                "body": String::from_utf8_lossy(response.body()),
                "via": via.as_str(),
            });
        }
        RequestOutcome::NotSent(cause) => ("not_sent", cause.to_string()),
        RequestOutcome::Unknown(cause) => ("unknown", cause.to_string()),
        RequestOutcome::TimedOut { .. } => ("timed_out", "no answer in time".to_owned()),
        RequestOutcome::Cancelled { .. } => ("cancelled", "cancelled".to_owned()),
        _ => ("unknown", "ended in a way that this port does not know".to_owned()),
    };
    json!({ "event": "response", "id": id, "outcome": word, "message": message })
}

fn closed(reason: &CloseReason) -> Value {
    match reason {
        CloseReason::Revoked => json!({ "event": "closed", "reason": "revoked" }),
        CloseReason::Detached => json!({ "event": "closed", "reason": "detached" }),
        CloseReason::Permanent(cause) => {
            json!({ "event": "closed", "reason": cause.as_str(), "message": cause.to_string() })
        }
        _ => json!({ "event": "closed", "reason": "other" }),
    }
}
