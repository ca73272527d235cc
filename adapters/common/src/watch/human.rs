//! Events for people.

use ringcentral_ws_core::{
    Cause, Certainty, CloseReason, Event, ProtocolError, Resumption, SubscriptionInfo, WaitReason,
};

use crate::terminal::{escape, escape_json};

/// Most characters of a notification's content.
const SHOWN: usize = 160;

/// What stands before all lines of an event but its first.
const INDENT: &str = "\n                 ";

/// The lines for an event, each escaped (SEC-5); `None` for those that are not shown.
#[must_use]
pub fn event(event: &Event) -> Option<String> {
    let lines = match event {
        Event::Subscribed(info) => subscribed(info),
        Event::Notification(n) => vec![format!("notification   {}", n.event()), short(n.body())],
        other => vec![line(other)?],
    };
    Some(lines.iter().map(|line| escape(line)).collect::<Vec<_>>().join(INDENT))
}

/// One more line of the same event.
pub(super) fn more(lines: &str, line: &str) -> String {
    format!("{lines}{INDENT}{line}")
}

fn subscribed(info: &SubscriptionInfo) -> Vec<String> {
    let count = info.filters.len();
    let mut lines = vec![format!("subscribed     {count} filter{}", if count == 1 { "" } else { "s" })];
    lines.extend(info.filters.iter().map(ToString::to_string));
    let refused = info.disabled.iter();
    lines.extend(refused.map(|off| format!("refused: {} ({}: {})", off.filter, off.reason, off.message)));
    lines.extend(info.problems().iter().map(|problem| format!("NOT DELIVERED: {problem}")));
    lines
}

fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Connected { conn, resumption, .. } => {
            let how = match resumption {
                Resumption::Fresh => "a new session",
                Resumption::Recovered => "the session goes on",
                Resumption::Lost => "the session before it is lost",
            };
            format!("connected      (connection {conn}, {how})")
        }
        Event::SubscriptionFailed { error, delay: Some(delay), .. } => {
            format!("not subscribed {error}; next in {:.1} s", delay.as_secs_f64())
        }
        Event::SubscriptionFailed { error, .. } => format!("not subscribed {error}; {}", error.remedy()),
        Event::Unsubscribed { .. } => "unsubscribed".to_owned(),
        Event::Recovered { .. } => "recovered      nothing was lost; what was missed follows".to_owned(),
        Event::RecoveryFailed { code: Some(code), .. } => {
            format!("not recovered  the server could not continue the session ({code})")
        }
        Event::RecoveryFailed { .. } => "not recovered  too much time has passed".to_owned(),
        Event::Retry { cause: cause @ Cause::LoginLimit { .. }, delay, .. } => {
            format!("waiting        {cause}; next in {:.1} s", delay.as_secs_f64())
        }
        Event::Retry { cause, delay, .. } => {
            format!("retry          {cause}; next try in {:.1} s", delay.as_secs_f64())
        }
        Event::Waiting { reason: WaitReason::Backoff, delay, .. } => {
            format!("waiting        next in {:.1} s", delay.as_secs_f64())
        }
        Event::Waiting { reason, delay, .. } => {
            format!("waiting        {:.1} s: {reason}", delay.as_secs_f64())
        }
        Event::Gap(gap) if gap.since.0 == 0 => {
            format!("GAP            notifications since an unknown time {} lost: {}", lost(gap.certainty), gap.cause)
        }
        Event::Gap(gap) => {
            let length = gap.until.0.saturating_sub(gap.since.0);
            format!(
                "GAP            notifications of {:.1} s {} lost: {}",
                length as f64 / 1000.0,
                lost(gap.certainty),
                gap.cause
            )
        }
        Event::Backfill(fetched) => format!("backfill       {fetched}"),
        Event::Disconnected { cause, reason: Some(reason), .. } => format!("disconnected   {cause}: {reason}"),
        Event::Disconnected { cause, .. } => format!("disconnected   {cause}"),
        Event::ProtocolError { error: ProtocolError::Transport(what), .. } => {
            format!("protocol error bytes that are no whole message: {}", what.as_str())
        }
        Event::ProtocolError { error, .. } => format!("protocol error {error:?}"),
        Event::Closed { reason } => match reason {
            CloseReason::Revoked => "closed         no session is left on the server".to_owned(),
            CloseReason::Detached => "closed         the session can be continued".to_owned(),
            _ => "closed".to_owned(),
        },
        _ => return None,
    })
}

fn lost(certainty: Certainty) -> &'static str {
    match certainty {
        Certainty::Possible => "may be",
        Certainty::Probable => "are probably",
        Certainty::Certain => "are",
    }
}

/// What a notification says: the text of a message if it has one, else the start of its JSON.
pub(super) fn short(json: &str) -> String {
    #[derive(serde::Deserialize)]
    struct Message {
        subject: String,
    }
    let message = serde_json::from_str::<Message>(json);
    // Quoted, so that nobody takes what a stranger wrote for what this program says.
    let quoted = |message: Message| escape(&format!("{:?}", message.subject)).into_owned();
    cut(&message.map_or_else(|_| escape_json(json).into_owned(), quoted))
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(SHOWN).collect();
    cut.push('…');
    cut
}

/// What a person can do about a permanent failure.
#[must_use]
pub fn advice(cause: &Cause) -> &'static str {
    match cause {
        Cause::Credentials { .. } => {
            "; check RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and RC_USER_JWT (or the RINGCENTRAL_ names)"
        }
        Cause::Unauthorized | Cause::NoAuthorization => "; check that the app and the user are active",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringcentral_ws_core::{Filters, SubscriptionId, Timestamp};

    use super::*;

    // CLAUSE TOK-9
    #[test]
    fn a_login_that_waits_is_said_to_wait_and_for_what() {
        let message = "60 token calls a minute for one app; 2 wait before this one".into();
        let (at, delay) = (Timestamp::ZERO, Duration::from_millis(61_000));
        let retry = |cause| event(&Event::Retry { attempt: 1, cause, at, delay, reason: WaitReason::Backoff }).unwrap();
        assert_eq!(
            retry(Cause::LoginLimit { message }),
            "waiting        the login waits: 60 token calls a minute for one app; 2 wait before this one; next in 61.0 s"
        );
        assert!(retry(Cause::SocketLost).starts_with("retry          the connection was lost; next try in "));
    }

    fn info() -> SubscriptionInfo {
        SubscriptionInfo {
            id: SubscriptionId::from(1),
            server_id: "s".into(),
            requested: Filters::new(["/a"]).unwrap(),
            filters: vec!["/a".into()],
            disabled: Vec::new(),
            expires_in: None,
            status: Some("Active".into()),
            transport: Some("WebSocket".into()),
        }
    }

    fn shown(info: SubscriptionInfo) -> Vec<String> {
        event(&Event::Subscribed(Box::new(info))).unwrap().split(INDENT).map(str::to_owned).collect()
    }

    #[test]
    fn a_subscription_that_is_as_it_should_be_has_its_filters_only() {
        assert_eq!(shown(info()), ["subscribed     1 filter", "/a"]);
        assert_eq!(shown(SubscriptionInfo { status: None, transport: None, ..info() }).len(), 2);
    }

    #[test]
    fn a_subscription_that_is_not_active_is_said_to_be_so() {
        for status in ["Blacklisted", "Suspended"] {
            let lines = shown(SubscriptionInfo { status: Some(status.into()), ..info() });
            let line = format!("NOT DELIVERED: the subscription is {status} and not active");
            assert!(lines.len() == 3 && lines[2].starts_with(&line), "{lines:?}");
        }
    }

    #[test]
    fn a_subscription_without_filters_is_said_to_have_none() {
        let lines = shown(SubscriptionInfo { filters: Vec::new(), ..info() });
        assert!(lines[1].starts_with("NOT DELIVERED: the subscription has no event filter"), "{lines:?}");
    }

    #[test]
    fn a_subscription_of_another_transport_is_said_to_deliver_elsewhere() {
        let lines = shown(SubscriptionInfo { transport: Some("WebHook".into()), ..info() });
        assert!(lines[2].starts_with("NOT DELIVERED: the subscription delivers by WebHook"), "{lines:?}");
    }
}
