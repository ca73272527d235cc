//! Events for people.

use ringcentral_ws_core::{
    Backfilled, Cause, Certainty, CloseReason, Event, ProtocolError, Resumption, SubscriptionInfo, WaitReason,
};

use crate::terminal::{escape, escape_json};

/// Most characters of a notification's content.
const SHOWN: usize = 160;

/// Most records of a gap that are shown.
const RECORDS: usize = 20;

/// What stands before all lines of an event but its first.
const INDENT: &str = "\n                 ";

/// The lines for an event, each escaped (SEC-5); `None` for those that are not shown.
#[must_use]
pub fn event(event: &Event) -> Option<String> {
    let lines = match event {
        Event::Subscribed(info) => subscribed(info),
        Event::Notification(n) => vec![format!("notification   {}", n.event()), short(n.body())],
        Event::Backfill(fetched) => backfill(fetched),
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

/// What was fetched after a gap, each record as a notification is shown, and what was not. In capitals is what the service
/// would give to somebody.
fn backfill(fetched: &Backfilled) -> Vec<String> {
    let count = fetched.records.len();
    let since = fetched.gap.since;
    let from = if since.0 > 0 { format!("from {since} ") } else { String::new() };
    let plural = if count == 1 { "" } else { "s" };
    let mut lines =
        vec![format!("backfill       {count} record{plural} fetched of the time {from}to {}", fetched.gap.until)];
    lines.extend(fetched.records.iter().take(RECORDS).map(|record| short(record.json())));
    if count > RECORDS {
        lines.push(format!("… and {} more; --json shows all", count - RECORDS));
    }
    if fetched.may_repeat {
        lines.push("some may have been delivered before".to_owned());
    }
    lines.extend(fetched.unfilled.iter().map(|missing| {
        let not = if missing.is_lost_for_everybody() { "not fetched" } else { "NOT FETCHED" };
        format!("{not}: {missing}")
    }));
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
        Event::SubscriptionFailed { error, .. } => {
            format!("not subscribed {error}; {}", error.remedy_of_last_attempt())
        }
        Event::Unsubscribed { .. } => "unsubscribed".to_owned(),
        Event::Recovered { .. } => "recovered      what was missed follows".to_owned(),
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
        Event::Disconnected { cause, reason: Some(reason), .. } => format!("disconnected   {cause}: {reason}"),
        Event::Disconnected { cause, .. } => format!("disconnected   {cause}"),
        Event::ProtocolError { error: ProtocolError::Transport(what), .. } => {
            format!("protocol error bytes that are no whole message: {}", what.as_str())
        }
        Event::ProtocolError { error, .. } => format!("protocol error {error:?}"),
        Event::Closed { reason } => match reason {
            CloseReason::Revoked => {
                "closed         the session has ended, and its subscription if the server could be reached".to_owned()
            }
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

    use ringcentral_ws_core::{
        FetchedRecord, Filters, Gap, GapCause, RecordKind, SubscriptionId, Timestamp, Unfilled, UnixMillis,
    };

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

    fn fetched(records: usize, unfilled: &[Unfilled]) -> Vec<String> {
        let cause = GapCause::WindowPassed;
        let (since, until) = (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_300_000));
        let gap = Gap { certainty: cause.certainty(), cause, after: None, since, until };
        let sms = |n| format!(r#"{{"id":{n},"subject":"{n}\n\u001b[2J"}}"#);
        let record = |n| FetchedRecord::new(RecordKind::Message, Box::default(), None, sms(n).into());
        let mut records: Vec<_> = (0..records).map(record).collect();
        let call = format!("{{\n\"id\":\"{}\"}}", "7".repeat(500));
        records.push(FetchedRecord::new(RecordKind::Call, "c".into(), None, call.into()));
        let shown = event(&Event::Backfill(Box::new(Backfilled::new(gap, records, unfilled.to_vec())))).unwrap();
        shown.split(INDENT).map(str::to_owned).collect()
    }

    #[test]
    fn what_was_fetched_is_shown_and_what_was_not() {
        let refused = Unfilled::Refused { what: RecordKind::Call, status: 403, code: None };
        let lines = fetched(1, &[Unfilled::CallTransitions, refused]);
        let time = "the time from 2023-11-14T22:13:20.000Z to 2023-11-14T22:18:20.000Z";
        assert_eq!(lines[0], format!("backfill       2 records fetched of {time}"));
        assert_eq!(lines[1], r#""0\n\u{1b}[2J""#);
        assert!(lines[2].starts_with(r#"{"id":"777"#) && lines[2].ends_with('…'), "{lines:?}");
        assert_eq!(lines[2].chars().count(), SHOWN + 1);
        assert_eq!(
            lines[3..],
            ["not fetched: the steps of calls", "NOT FETCHED: calls of the log: refused with HTTP 403"]
        );
        assert_eq!(fetched(0, &[])[0], format!("backfill       1 record fetched of {time}"));
    }

    #[test]
    fn of_many_records_some_are_shown_and_the_others_counted() {
        assert_eq!(fetched(19, &[]).len(), 21);
        let lines = fetched(499, &[Unfilled::DeletedMessages]);
        assert_eq!(lines.len(), 1 + RECORDS + 2);
        assert_eq!(
            lines[RECORDS + 1..],
            ["… and 480 more; --json shows all", "not fetched: messages that were deleted meanwhile"]
        );
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
