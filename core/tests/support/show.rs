//! Outputs as lines.

use ringcentral_ws_core::*;

use super::EPOCH;

pub fn output(output: &Output) -> String {
    match output {
        Output::Action(a) => action(a),
        Output::Event(e) => event(e),
        Output::Wait(Wait::Until { at, reason }) => format!("wait {at} {reason:?}"),
        Output::Wait(Wait::ForInput) => "wait".into(),
        Output::Wait(Wait::Finished) => "finished".into(),
    }
}

fn action(action: &Action) -> String {
    match action {
        Action::Authorize { reason, .. } => format!("authorize {reason:?}"),
        Action::Http { request, .. } => format!("http {} {}", request.method(), request.uri()),
        Action::AbortHttp { .. } => "abort http".into(),
        Action::Open { conn, url } => {
            let keys: Vec<String> = url.expose().query_pairs().map(|(k, v)| format!("{k}={v}")).collect();
            format!("open {conn} {} {}", url.expose().host_str().unwrap_or_default(), keys.join(" "))
        }
        Action::Send { conn, text, purpose } => match purpose {
            Purpose::Heartbeat => format!("send {conn} heartbeat"),
            Purpose::Request(id) => format!("send {conn} request {id}: {}", call(text)),
            purpose => format!("send {conn} {purpose:?}: {}", call(text)),
        },
        Action::Resubscribe { conn, text } => format!("resubscribe {conn}: {}", call(text)),
        Action::Close { conn, code, reason } => format!("close {conn} {code} {reason}"),
        Action::Drop { conn } => format!("drop {conn}"),
    }
}

/// Method, path, query, filters or body of a message.
fn call(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut shown = format!("{} {}", value[0]["method"].as_str().unwrap(), value[0]["path"].as_str().unwrap());
    if let Some(query) = value[0].get("query") {
        shown += &format!(" query={query}");
    }
    match value.get(1).map(|body| (body, body.get("eventFilters"))) {
        Some((_, Some(filters))) => shown += &format!(" {filters}"),
        Some((body, None)) => shown += &format!(" body={body}"),
        None => {}
    }
    shown
}

/// Seconds since the session was made, by the wall clock.
fn unix(at: UnixMillis) -> String {
    format!("{:.3}", (at.0 as f64 - EPOCH.0 as f64) / 1000.0)
}

fn event(event: &Event) -> String {
    match event {
        Event::Connected { conn, resumption, .. } => format!("connected {conn} {}", resumption.as_str()),
        Event::Subscribed(info) => {
            let disabled: Vec<&str> = info.disabled.iter().map(|d| &*d.filter).collect();
            format!("subscribed #{} as {} disabled {disabled:?}", info.id, info.server_id)
        }
        Event::SubscriptionFailed { id, error, retry_at, .. } => {
            let again = retry_at.map_or("never".to_owned(), |at| at.to_string());
            format!(
                "subscription #{id} failed: {} {}; again {again}",
                error.status,
                error.code.as_deref().unwrap_or("-")
            )
        }
        Event::Unsubscribed { id } => format!("unsubscribed #{id}"),
        Event::Notification(n) => format!("notification {}", n.uuid()),
        Event::Recovered { conn } => format!("recovered {conn}"),
        Event::RecoveryFailed { conn, code } => {
            format!("recovery failed {conn} {}", code.as_deref().unwrap_or("-"))
        }
        Event::Retry { attempt, cause, at, reason, .. } => {
            format!("retry {attempt} after {} at {at}, {}", cause.as_str(), reason.as_str())
        }
        Event::Waiting { reason, at, .. } => format!("waiting until {at}, {}", reason.as_str()),
        Event::Gap(gap) => {
            let (after, since, until) = (gap.after.as_deref().unwrap_or("-"), unix(gap.since), unix(gap.until));
            let (certainty, cause) = (gap.certainty.as_str(), gap.cause.as_str());
            format!("gap {certainty} {cause} after {after} since {since} until {until}")
        }
        Event::Response { id, outcome } => format!("response {id}: {}", self::outcome(outcome)),
        Event::Disconnected { conn, cause, .. } => format!("disconnected {conn} {}", cause.as_str()),
        Event::ProtocolError { conn, error } => format!("protocol error {conn} {error:?}"),
        Event::SnapshotChanged => "snapshot changed".into(),
        Event::Closed { reason } => match reason {
            CloseReason::Permanent(cause) => format!("closed: {}", cause.as_str()),
            other => format!("closed: {other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn outcome(outcome: &RequestOutcome) -> String {
    match outcome {
        RequestOutcome::Response { response, via } => {
            let body = String::from_utf8_lossy(response.body());
            format!("{} via {} {body}", response.status().as_u16(), via.as_str()).trim_end().to_owned()
        }
        RequestOutcome::NotSent(cause) => format!("not sent, {}", cause.as_str()),
        RequestOutcome::Unknown(cause) => format!("unknown, {}", cause.as_str()),
        RequestOutcome::TimedOut { sent } => format!("timed out, sent {sent}"),
        RequestOutcome::Cancelled { sent } => format!("cancelled, sent {sent}"),
        other => format!("{other:?}"),
    }
}

pub fn state(state: SessionState) -> String {
    match state {
        SessionState::Waiting { attempt, until, reason } => {
            format!("waiting, attempt {attempt}, until {until}, {}", reason.as_str())
        }
        SessionState::Ready { conn } => format!("ready {conn}"),
        other => format!("{other:?}").to_lowercase(),
    }
}

/// The counters that are not zero.
pub fn counters(debug: &str) -> String {
    let inside = debug.split_once('{').map_or("", |(_, rest)| rest.trim_end_matches([' ', '}']));
    inside.split(',').map(str::trim).filter(|c| !c.ends_with(": 0")).collect::<Vec<_>>().join(", ")
}
