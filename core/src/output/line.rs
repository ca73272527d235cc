//! Events as one line each for people: no secrets, no bodies, and nothing that a terminal acts on (SEC-1, SEC-5).

use std::fmt;
use std::time::Duration;

use super::SubscriptionInfo;
use super::event::{CloseReason, Event, ProtocolError, Resumption};
use super::outcome::{RequestOutcome, Via};
use crate::classify::ApiError;
use crate::input::Unreadable;
use crate::terminal::escape;

/// Most disabled filters that a line names.
const NAMED: usize = 3;

/// One line for people, such as `attempt 2 failed: the connection was lost; next try in 1.5 s`. It has no secrets and no
/// bodies, and the server's texts in it are escaped, so it may be written to a terminal or a log. Its words may change
/// between versions.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = match self {
            Self::Connected { conn, resumption, .. } => {
                let how = match resumption {
                    Resumption::Fresh => "a new session",
                    Resumption::Recovered => "the session continues",
                    Resumption::Lost => "a new session, the one before is lost",
                };
                format!("connected: {how} (connection {conn})")
            }
            Self::Subscribed(info) => subscribed(info),
            Self::SubscriptionFailed { error, delay, .. } => refused(error, *delay),
            Self::Unsubscribed { .. } => "unsubscribed: no more notifications come".to_owned(),
            Self::Notification(n) => {
                format!("notification: {} ({}, {} bytes)", n.event(), n.uuid(), n.body().len())
            }
            Self::Recovered { .. } => "recovered: what was missed follows".to_owned(),
            Self::RecoveryFailed { code: Some(code), .. } => {
                format!("not recovered: the server could not continue the session ({code})")
            }
            Self::RecoveryFailed { code: None, .. } => {
                "not recovered: the connection was away for longer than the server keeps a session".to_owned()
            }
            Self::Retry { attempt, cause, delay, .. } => {
                format!("attempt {attempt} failed: {cause}; next try in {}", seconds(*delay))
            }
            Self::Waiting { reason, delay, .. } => format!("waiting for {}: {reason}", seconds(*delay)),
            Self::Gap(gap) => format!("gap: {gap}"),
            Self::Backfill(fetched) => format!("backfill: {fetched}"),
            Self::Response { id, outcome } => format!("request {id}: {outcome}"),
            Self::Disconnected { cause, reason: Some(reason), .. } => format!("disconnected: {cause}: {reason}"),
            Self::Disconnected { cause, reason: None, .. } => format!("disconnected: {cause}"),
            Self::ProtocolError { error, .. } => format!("protocol error: {error}"),
            Self::SnapshotChanged => "the snapshot changed".to_owned(),
            Self::Closed { reason } => format!("closed: {reason}"),
        };
        f.write_str(&escape(&line))
    }
}

fn seconds(d: Duration) -> String {
    format!("{:.1} s", d.as_secs_f64())
}

fn subscribed(info: &SubscriptionInfo) -> String {
    let plural = if info.filters.len() == 1 { "" } else { "s" };
    let mut line = format!("subscribed to {} filter{plural}", info.filters.len());
    if !info.disabled.is_empty() {
        line += &format!("; the server disabled {}", info.disabled.len());
        for (i, off) in info.disabled.iter().take(NAMED).enumerate() {
            line += &format!("{} {} ({})", if i == 0 { ":" } else { "," }, off.filter, off.reason);
        }
    }
    for problem in info.problems() {
        line += &format!("; {problem}");
    }
    line
}

fn refused(error: &ApiError, delay: Option<Duration>) -> String {
    let end = || error.remedy_of_last_attempt().to_owned();
    let next = delay.map_or_else(end, |delay| format!("next try in {}", seconds(delay)));
    format!("not subscribed: {error}; {next}")
}

/// How the request ended, in a few words; of a response its status.
impl fmt::Display for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ran = |sent: bool| if sent { "it may have run" } else { "it was not sent" };
        match self {
            Self::Response { response, via } => write!(f, "HTTP {} over {via}", response.status().as_u16()),
            Self::NotSent(cause) => write!(f, "not sent: {cause}"),
            Self::Unknown(cause) => write!(f, "no answer, it may have run: {cause}"),
            Self::TimedOut { sent } => write!(f, "not answered in time; {}", ran(*sent)),
            Self::Cancelled { sent } => write!(f, "cancelled; {}", ran(*sent)),
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WebSocket => "the WebSocket",
            Self::Https => "HTTPS",
        })
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Binary => f.write_str("a binary message, which the protocol does not have"),
            Self::Malformed => f.write_str("a message that is neither JSON nor the multipart form"),
            Self::TooLarge(size) => write!(f, "a message of {size} bytes, which is above the limit"),
            Self::Transport(what) => what.fmt(f),
            Self::ServerError => f.write_str("the server reported an error that answers no request"),
            Self::Unexpected => f.write_str("ConnectionDetails came when none were due"),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "a text message that is not UTF-8",
            Self::ReservedBits => "a WebSocket frame with reserved bits",
            Self::Opcode => "a WebSocket frame with an unknown opcode",
            Self::Masked => "a masked WebSocket frame, which a server must not send",
            Self::Fragment => "a fragment of a message out of place",
            Self::Control => "a control frame that breaks the rules of WebSocket",
            Self::Cut => "the connection ended in the middle of a message",
            Self::Other => "bytes that break the rules of WebSocket",
        })
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Revoked => {
                f.write_str("the application ended the session, and its subscription if the server could be reached")
            }
            Self::Detached => f.write_str("the application left the session, which can be continued from its snapshot"),
            Self::Permanent(cause) => {
                let why = cause.to_string();
                write!(f, "it cannot go on: {why}")?;
                match cause.remedy().filter(|remedy| !why.contains(remedy)) {
                    Some(remedy) => write!(f, "; {remedy}"),
                    None => Ok(()),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;
    use crate::classify::Cause;
    use crate::filters::{DisabledFilter, Filters};
    use crate::gap::{Gap, GapCause};
    use crate::ids::{ConnId, RequestId, SubscriptionId};
    use crate::output::WaitReason;
    use crate::time::{Timestamp, UnixMillis};

    fn info(disabled: usize, status: &str) -> Event {
        let off = DisabledFilter { filter: "/f".into(), reason: "WithoutPermission".into(), message: "m".into() };
        Event::Subscribed(Box::new(SubscriptionInfo {
            id: SubscriptionId(1),
            server_id: "s".into(),
            requested: Filters::new(["/restapi/v1.0/account/~/presence"]).unwrap(),
            filters: vec!["/a".into()],
            disabled: vec![off; disabled],
            expires_in: None,
            status: Some(status.into()),
            transport: None,
        }))
    }

    // CLAUSE SEC-5
    #[test]
    fn every_event_is_a_line_that_a_stranger_understands() {
        let (conn, at, delay) = (ConnId(3), Timestamp::ZERO, Duration::from_millis(1_500));
        let error =
            || Box::new(ApiError::from_reply(400, &HeaderMap::new(), br#"{"errorCode":"SUB-505","message":"m"}"#));
        let failed = |delay| Event::SubscriptionFailed { id: SubscriptionId(1), error: error(), retry_at: None, delay };
        let cause = GapCause::Restored;
        let gap = Gap { certainty: cause.certainty(), cause, after: None, since: UnixMillis(0), until: UnixMillis(0) };
        let response = |outcome| Event::Response { id: RequestId(2), outcome };
        let reason = Some("two\nlines \u{1b}[31m".into());
        let events = [
            (info(0, "Active"), "subscribed to 1 filter"),
            (info(1, "Active"), "subscribed to 1 filter; the server disabled 1: /f (WithoutPermission)"),
            (info(0, "Suspended"), "subscribed to 1 filter; the subscription is Suspended and not active"),
            (failed(Some(delay)), "not subscribed: HTTP 400 SUB-505: m; next try in 1.5 s"),
            (Event::RecoveryFailed { conn, code: Some("WSG-1".into()) }, "not recovered: the server could not"),
            (
                Event::Retry { attempt: 2, cause: Cause::SocketLost, at, delay, reason: WaitReason::Backoff },
                "attempt 2 failed: the connection was lost; next try in 1.5 s",
            ),
            (
                Event::Waiting { reason: WaitReason::RetryAfter, at, delay },
                "waiting for 1.5 s: the server asked to wait",
            ),
            (Event::Gap(gap), "gap: notifications to 1970-01-01T00:00:00.000Z may be lost: what came after"),
            (response(RequestOutcome::TimedOut { sent: true }), "request 2: not answered in time; it may have run"),
            (
                Event::Disconnected { conn, cause: Cause::SocketLost, reason },
                r"disconnected: the connection was lost: two\nlines \u{1b}[31m",
            ),
            (Event::ProtocolError { conn, error: ProtocolError::TooLarge(9) }, "protocol error: a message of 9 bytes"),
            (
                Event::Closed { reason: CloseReason::Permanent(Cause::Evicted) },
                "closed: it cannot go on: the server ended",
            ),
        ];
        let refused = |code: &str, message: &str| {
            let cause = Cause::Credentials { code: Some(code.into()), message: message.into() };
            Event::Closed { reason: CloseReason::Permanent(cause) }.to_string()
        };
        assert_eq!(
            refused("OAU-146", "HTTP 401 OAU-146: Client authentication is required"),
            "closed: it cannot go on: the login failed: HTTP 401 OAU-146: Client authentication is required; check the \
             client id and secret"
        );
        assert_eq!(refused("NEW-1", "no"), "closed: it cannot go on: the login failed (NEW-1): no");
        let denied = Event::Closed { reason: CloseReason::Permanent(Cause::Forbidden(error())) }.to_string();
        assert_eq!(denied.matches(error().remedy()).count(), 1, "{denied}");
        for (event, start) in events {
            let line = event.to_string();
            assert!(line.starts_with(start) && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn a_subscription_that_is_not_tried_again_promises_no_attempt() {
        let line = |status, body: &[u8]| {
            let error = Box::new(ApiError::from_reply(status, &HeaderMap::new(), body));
            let id = SubscriptionId(1);
            (
                error.remedy().to_owned(),
                Event::SubscriptionFailed { id, error, retry_at: None, delay: None }.to_string(),
            )
        };
        for (status, body) in
            [(403, &b""[..]), (400, br#"{"errorCode":"SUB-508"}"#), (404, br#"{"errorCode":"CMN-102"}"#)]
        {
            let (remedy, shown) = line(status, body);
            assert!(shown.ends_with(&format!("; {remedy}")), "{shown}");
        }
        for (status, body) in [(401, &b""[..]), (429, b""), (503, b""), (403, br#"{"errorCode":"SUB-505"}"#)] {
            let (_, shown) = line(status, body);
            assert!(shown.ends_with("; it is not tried again, because no subscription is wanted any more"), "{shown}");
        }
    }

    // CLAUSE SEC-1
    #[test]
    fn no_line_shows_a_body() {
        let response = Box::new(http::Response::new(bytes::Bytes::from_static(b"hunter2")));
        let event =
            Event::Response { id: RequestId(2), outcome: RequestOutcome::Response { response, via: Via::Https } };
        assert_eq!(event.to_string(), "request 2: HTTP 200 over HTTPS");
    }
}
