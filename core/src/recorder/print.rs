//! Inputs and outputs as lines.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, header};

use super::scrub::{self, body_size, quoted};
use crate::body::Body;
use crate::classify::{ApiError, Cause};
use crate::config::SessionLimits;
use crate::gap::GapCause;
use crate::input::{AuthFailure, AuthFailureKind, Frame, HttpFailure, Input, OpenFailure, Phase};
use crate::json::{Text, each_field};
use crate::mask::{Names, mask_code};
use crate::output::{
    Action, CloseReason, Event, Output, ProtocolError, Purpose, RequestOutcome, SubscriptionInfo, Wait,
};
use crate::session::RequestOptions;
use crate::time::Timestamp;
use crate::wire::parse;

/// Longest line for people that is kept, in characters.
const MAX_MESSAGE: usize = 120;

/// Seconds, without zeros at the end.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

pub(crate) fn duration(d: Duration) -> String {
    time(Timestamp::ZERO.after(d))
}

fn optional(key: &str, d: Option<Duration>) -> String {
    d.map_or(String::new(), |d| format!(" {key}={}", duration(d)))
}

fn message(text: &str) -> String {
    quoted(&text.chars().take(MAX_MESSAGE).collect::<String>())
}

pub(crate) const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Dns => "dns",
        Phase::Tcp => "tcp",
        Phase::Tls => "tls",
        Phase::Request => "request",
        Phase::Response => "response",
    }
}

/// An input, without its time.
pub(crate) fn input(input: &Input<'_>, names: &mut Names, limits: &SessionLimits) -> String {
    match input {
        Input::Authorized { id, token } => {
            let mut secret = names.secret(token.secret.expose());
            if http::HeaderValue::from_str(token.secret.expose()).is_err() {
                // As unusable as the secret is.
                secret.push('\n');
            }
            let cached = if token.cached { " cached" } else { "" };
            format!("authorized {id}{}{cached} {}", optional("life", token.expires_in), quoted(&secret))
        }
        Input::AuthorizeFailed { id, failure } => auth_failure(&id.to_string(), failure),
        Input::HttpResponse { id, response } => {
            let body = scrub::body(response.body(), names);
            let (status, headers) = (response.status().as_u16(), scrub::headers(response.headers()));
            format!("http {id} {status} {headers} {body}").trim_end().to_owned()
        }
        Input::HttpFailed { id, failure: HttpFailure { phase: at, not_sent, message: text } } => {
            let sent = if *not_sent { " not-sent" } else { "" };
            format!("http-failed {id} {}{sent} {}", phase(*at), message(text))
        }
        Input::Opened { conn } => format!("opened {conn}"),
        Input::OpenFailed { conn, failure: OpenFailure { phase: at, status, retry_after, message: text } } => {
            let status = status.map_or(String::new(), |status| format!(" status={status}"));
            let wait = optional("retry-after", *retry_after);
            format!("open-failed {conn} {}{status}{wait} {}", phase(*at), message(text))
        }
        Input::Frame { conn, frame } => match frame {
            Frame::Text(text) if text.len() > limits.frame_bytes => format!("too-large {conn} {}", text.len()),
            Frame::Text(text) => match parse(text) {
                Ok(message) => format!("text {conn} {}", scrub::frame(&message, names, limits.headers)),
                // The places of its secrets are unknown.
                Err(_) => format!("unreadable {conn} {}", text.len()),
            },
            Frame::Binary(bytes) => format!("binary {conn} {}", bytes.len()),
            Frame::Control => format!("control {conn}"),
            Frame::TooLarge(size) => format!("too-large {conn} {size}"),
            Frame::Unreadable(what) => format!("unreadable-bytes {conn} {}", what.as_str()),
        },
        Input::Closed { conn, close } => {
            let code = close.code.map_or(String::new(), |code| format!(" code={code}"));
            format!("closed {conn}{code} {}", message(&scrub::line(&close.reason)))
        }
        Input::SendBlocked { conn } => format!("send-blocked {conn}"),
        Input::SendReady { conn } => format!("send-ready {conn}"),
        Input::NetworkChanged { online } => format!("network {}", if *online { "on" } else { "off" }),
        Input::Unread { conn } => format!("unread {conn}"),
        Input::Resumed => "resumed".to_owned(),
        Input::Timeout => "timeout".to_owned(),
    }
}

fn auth_failure(id: &str, failure: &AuthFailure) -> String {
    let kind = match failure.kind {
        AuthFailureKind::Permanent => " permanent".to_owned(),
        AuthFailureKind::Network { phase: at, not_sent } => {
            let sent = if not_sent { " not-sent" } else { "" };
            format!(" network={}{sent}", phase(at))
        }
        AuthFailureKind::RateLimited => " rate-limited".to_owned(),
        AuthFailureKind::Unavailable => " unavailable".to_owned(),
        AuthFailureKind::Limited => " limited".to_owned(),
        AuthFailureKind::Other => String::new(),
    };
    let wait = optional("retry-after", failure.retry_after);
    let code =
        failure.code.as_deref().map_or(String::new(), |code| format!(" code={}", mask_code(code).replace(' ', "_")));
    format!("authorize-failed {id}{kind}{wait}{code} {}", message(&scrub::line(&failure.message)))
}

/// A REST call: of its headers and its body what decides the way it goes.
pub(crate) fn request(request: &Request<Body>, names: &mut Names) -> String {
    let options = RequestOptions::of(request);
    let mut out = format!("request {}{}", request.method(), optional("timeout", options.timeout));
    if options.repeat_if_safe {
        out += " repeat";
    }
    if options.over_https {
        out += " https";
    }
    out += &format!(" {} {}", quoted(&uri(request.uri(), names)), kept_headers(request.headers()));
    let body = request.body().as_bytes();
    if !body.is_empty() {
        let json = matches!(body.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'{' | b'"'))
            && serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok();
        let kind = match std::str::from_utf8(body) {
            Err(_) => "binary",
            Ok(_) if json => "json",
            Ok(_) => "text",
        };
        out += &format!(" {kind} {}", body_size(body));
    }
    out
}

/// Only these decide anything.
fn kept_headers(headers: &HeaderMap) -> String {
    let mut kept = HeaderMap::new();
    for name in [header::CONTENT_TYPE, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            kept.insert(name, value.clone());
        }
    }
    scrub::headers(&kept)
}

fn uri(uri: &http::Uri, names: &mut Names) -> String {
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let host = uri.authority().map(|host| match host.as_str().rsplit_once('@') {
        Some((_, host)) => host,
        None => host.as_str(),
    });
    match (uri.scheme_str(), host) {
        (Some(scheme), Some(host)) => format!("{scheme}://{host}{}", names.path(path)),
        (None, Some(host)) => host.to_owned(),
        _ => names.path(path),
    }
}

/// An output.
pub(crate) fn output(output: &Output, names: &mut Names) -> String {
    match output {
        Output::Action(action) => self::action(action, names),
        Output::Event(event) => self::event(event, names),
        Output::Wait(Wait::Until { at, reason }) => format!("wait {} {reason:?}", time(*at)),
        Output::Wait(Wait::ForInput) => "wait".to_owned(),
        Output::Wait(Wait::Finished) => "finished".to_owned(),
    }
}

fn action(action: &Action, names: &mut Names) -> String {
    match action {
        Action::Authorize { id, reason, .. } => format!("authorize {id} {reason:?}"),
        Action::Http { id, request, .. } => http(&id.to_string(), request, names),
        Action::AbortHttp { id } => format!("abort-http {id}"),
        Action::Open { conn, url } => format!("open {conn} {}", names.url(url.expose().as_str()).unwrap_or_default()),
        Action::Send { conn, text, purpose } => {
            let purpose = match purpose {
                Purpose::Heartbeat => "heartbeat".to_owned(),
                Purpose::Request(id) => format!("request {id}"),
                other => format!("{other:?}").to_lowercase(),
            };
            format!("send {conn} {purpose} {}", sent(text, names))
        }
        Action::Resubscribe { conn, text } => format!("resubscribe {conn} {}", sent(text, names)),
        Action::Close { conn, code, reason } => format!("close {conn} {code} {reason}"),
        Action::Drop { conn } => format!("drop {conn}"),
    }
}

fn http(id: &str, request: &Request<Bytes>, names: &mut Names) -> String {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(|token| names.secret(token));
    let (method, uri) = (request.method(), uri(request.uri(), names));
    format!("http {id} {method} {uri} bearer={} {}", bearer.unwrap_or_default(), body_size(request.body()))
        .trim_end()
        .to_owned()
}

/// Number, method, path, and filters or size of a message.
fn sent(text: &str, names: &mut Names) -> String {
    let Ok(message) = parse(text) else { return scrub::size(text) };
    let mut out = message.meta.message_id.as_deref().unwrap_or_default().to_owned();
    let mut path = String::new();
    let first = text.get(1..).unwrap_or_default();
    each_field(first, |key, value| match (key, Text::from_raw(value)) {
        ("method", Some(method)) => out += &format!(" {}", &*method),
        ("path", Some(text)) => path = names.path(&text),
        _ => {}
    });
    if !path.is_empty() {
        out += &format!(" {path}");
    }
    match message.payload {
        crate::wire::Payload::Json(raw) if raw.get().starts_with(r#"{"eventFilters""#) => {
            out += &format!(" {}", scrub::json(raw.get(), names));
        }
        crate::wire::Payload::Json(raw) => out += &format!(" {}", body_size(raw.get().as_bytes())),
        _ => {}
    }
    out
}

fn event(event: &Event, names: &mut Names) -> String {
    match event {
        Event::Connected { conn, resumption, details } => {
            let limits = details.limits();
            let all = [
                ("buffer", limits.recovery_buffer_size),
                ("window", limits.recovery_timeout),
                ("idle", limits.idle_timeout),
                ("absolute", limits.absolute_timeout),
                ("requests", limits.max_active_requests),
            ];
            let limits = all.into_iter().filter_map(|(key, n)| Some(format!(" {key}={}", n?)));
            format!("connected {conn} {}{}", resumption.as_str(), limits.collect::<String>())
        }
        Event::Subscribed(info) => subscribed(info, names),
        Event::SubscriptionFailed { id, error, retry_at, .. } => {
            let again = retry_at.map_or("never".to_owned(), time);
            format!("subscription-failed {id} {} again={again}", refusal(error))
        }
        Event::Unsubscribed { id } => format!("unsubscribed {id}"),
        Event::Notification(n) => {
            let body = scrub::notification_body(n.body(), names);
            format!("notification {} {} {body}", quoted(n.uuid()), quoted(&names.path(n.event())))
        }
        Event::Recovered { conn } => format!("recovered {conn}"),
        Event::RecoveryFailed { conn, code } => format!("recovery-failed {conn} {}", or_dash(code.as_deref())),
        Event::Retry { attempt, cause, at, reason, .. } => {
            format!("retry {attempt} {} at={} for={}", self::cause(cause), time(*at), reason.as_str())
        }
        Event::Waiting { reason, at, .. } => format!("waiting at={} for={}", time(*at), reason.as_str()),
        Event::Gap(gap) => {
            let code =
                if let GapCause::RecoveryFailed(code) = &gap.cause { or_dash(code.as_deref()) } else { or_dash(None) };
            let after = quoted(gap.after.as_deref().unwrap_or("-"));
            format!("gap {} {code} after={after} since={} until={}", gap.cause.as_str(), gap.since.0, gap.until.0)
        }
        // A session makes none.
        Event::Backfill(fetched) => format!("backfill {}", fetched.records.len()),
        Event::Response { id, outcome } => format!("response {id} {}", self::outcome(outcome, names)),
        Event::Disconnected { conn, cause, .. } => format!("disconnected {conn} {}", self::cause(cause)),
        Event::ProtocolError { conn, error } => match error {
            ProtocolError::TooLarge(size) => format!("protocol-error {conn} TooLarge {size}"),
            ProtocolError::Transport(what) => format!("protocol-error {conn} Transport {}", what.as_str()),
            other => format!("protocol-error {conn} {other:?}"),
        },
        Event::SnapshotChanged => "snapshot".to_owned(),
        Event::Closed { reason: CloseReason::Permanent(cause) } => format!("ended {}", self::cause(cause)),
        Event::Closed { reason } => format!("ended {reason:?}").to_lowercase(),
    }
}

fn subscribed(info: &SubscriptionInfo, names: &mut Names) -> String {
    let filters: Vec<String> = info.filters.iter().map(|filter| names.path(filter)).collect();
    let disabled: Vec<String> = info.disabled.iter().map(|one| names.path(&one.filter)).collect();
    let list = |items: Vec<String>| serde_json::to_string(&items).unwrap_or_default();
    let life = info.expires_in.map_or(String::new(), |life| format!(" life={life}"));
    let server = names.secret(&info.server_id);
    format!("subscribed {} as={server}{life} {} disabled={}", info.id, list(filters), list(disabled))
}

fn refusal(error: &ApiError) -> String {
    format!("{} {}", error.status, or_dash(error.code.as_deref()))
}

/// A code, or that there was none.
fn or_dash(code: Option<&str>) -> Box<str> {
    code.map_or_else(|| "-".into(), mask_code)
}

fn cause(cause: &Cause) -> String {
    let more = match cause {
        Cause::ServerClosed { code } => code.map(|code| code.to_string()),
        Cause::ConnectFailed { phase: at, .. } | Cause::Network { phase: at, .. } => Some(phase(*at).to_owned()),
        Cause::UpgradeRefused { status } => Some(status.to_string()),
        Cause::TokenCall(error) | Cause::Forbidden(error) => Some(refusal(error)),
        Cause::Credentials { code, .. } | Cause::ConnectionError { code } => {
            code.as_deref().map(|code| mask_code(code).into())
        }
        Cause::RateLimited { retry_after } => Some(duration(*retry_after)),
        Cause::Unavailable { retry_after } => retry_after.map(duration),
        Cause::SocketLost
        | Cause::HandshakeTimeout
        | Cause::HeartbeatTimeout
        | Cause::MalformedWsc
        | Cause::IdleTimeout
        | Cause::AbsoluteTimeout
        | Cause::Renewal
        | Cause::TooManyBadFrames
        | Cause::NoAuthorization
        | Cause::TokenUnreadable
        | Cause::InsecureUri
        | Cause::ForeignUri { .. }
        | Cause::LoginLimit { .. }
        | Cause::Unauthorized
        | Cause::TokenRefused
        | Cause::Evicted
        | Cause::Closed
        | Cause::SocketTimeout => None,
    };
    more.map_or_else(|| cause.as_str().to_owned(), |more| format!("{}({more})", cause.as_str()))
}

fn outcome(outcome: &RequestOutcome, names: &mut Names) -> String {
    match outcome {
        RequestOutcome::Response { response, via } => {
            let (status, body) = (response.status().as_u16(), scrub::body(response.body(), names));
            format!("{status} via={} {} {body}", via.as_str(), scrub::headers(response.headers())).trim_end().to_owned()
        }
        RequestOutcome::NotSent(cause) => format!("not-sent {}", self::cause(cause)),
        RequestOutcome::Unknown(cause) => format!("unknown {}", self::cause(cause)),
        RequestOutcome::TimedOut { sent } => format!("timed-out sent={sent}"),
        RequestOutcome::Cancelled { sent } => format!("cancelled sent={sent}"),
    }
}
