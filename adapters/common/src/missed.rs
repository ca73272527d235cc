//! The SMS of a gap and of other events: which calls list them.

use ringcentral_ws_api::payloads::{InstantMessage, MessageList};
use ringcentral_ws_api::{FetchedRecordExt, NotificationExt, RecordContent};
use ringcentral_ws_core::{Event, Gap};

use crate::call_error::CallError;
use crate::query::with_query;
use crate::response::Response;

/// Most pages, each of 1000 messages unless the server chooses less.
const MOST_PAGES: u32 = 100;

/// The calls that list the SMS which came in during a gap.
#[derive(Debug)]
pub struct MissedSms {
    query: String,
    page: u32,
    found: Vec<InstantMessage>,
}

impl MissedSms {
    /// Begins with the first page.
    #[must_use]
    pub fn new(gap: &Gap) -> Self {
        Self { query: gap.missed_sms_query(), page: 1, found: Vec::new() }
    }

    /// The path of the next GET request.
    #[must_use]
    pub fn path(&self) -> String {
        with_query(&self.query, [("page", self.page.to_string())])
    }

    /// Takes its response. `true` when another page follows.
    ///
    /// # Errors
    ///
    /// [`CallError`]: the list cannot be had.
    pub fn answered(&mut self, response: Response) -> Result<bool, CallError> {
        let list: MessageList = response.error_for_status()?.json()?;
        let more = list.has_more() && !list.records.is_empty();
        self.found.extend(list.records);
        self.page += 1;
        if more && self.page > MOST_PAGES { Err(CallError::TooLong) } else { Ok(more) }
    }

    /// The messages, the oldest first, without those that the user sent.
    #[must_use]
    pub fn into_messages(self) -> Vec<InstantMessage> {
        self.found.into_iter().rev().filter(|sms| !sms.is_own()).collect()
    }
}

/// The SMS that are in an event itself, without those that the user sent.
#[must_use]
pub fn sms_in(event: &Event) -> Vec<InstantMessage> {
    let mut found = match event {
        Event::Notification(notification) => Vec::from_iter(notification.sms()),
        Event::Backfill(fetched) => {
            let sms = |content| if let RecordContent::InstantMessage(sms) = content { Some(sms) } else { None };
            fetched.records.iter().filter_map(|record| sms(record.content())).collect()
        }
        _ => Vec::new(),
    };
    found.retain(|sms| !sms.is_own());
    found
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::{Body, GapCause, Notification, UnixMillis, Via};

    use super::*;

    fn page(body: &str) -> Response {
        Response::new(http::Response::new(Body::from(body)), Via::Https)
    }

    fn gap() -> Gap {
        let cause = GapCause::WindowPassed;
        let (since, until) = (UnixMillis(1_700_000_000_000), UnixMillis(1_700_000_300_000));
        Gap { certainty: cause.certainty(), cause, after: None, since, until }
    }

    #[test]
    fn all_pages_are_read_and_the_oldest_comes_first() {
        let mut missed = MissedSms::new(&gap());
        assert!(missed.path().ends_with("&messageType=SMS&direction=Inbound&page=1"), "{}", missed.path());
        let own = r#"{"id":2,"from":{"phoneNumber":"+1"},"to":[{"phoneNumber":"+1"}]}"#;
        let first = page(&format!(r#"{{"records":[{{"id":3}},{own}],"navigation":{{"nextPage":{{"uri":"u"}}}}}}"#));
        assert!(missed.answered(first).unwrap() && missed.path().ends_with("&page=2"));
        assert!(!missed.answered(page(r#"{"records":[{"id":1}],"navigation":{}}"#)).unwrap());
        let ids: Vec<_> = missed.into_messages().into_iter().map(|sms| sms.id.unwrap().to_string()).collect();
        assert_eq!(ids, ["1", "3"]);
    }

    #[test]
    fn the_sms_of_a_notification_is_its_own_unless_the_user_sent_it() {
        let event = |event: &str, from: &str| {
            let body = format!(r#"{{"id":1,"from":{{"phoneNumber":"{from}"}},"to":[{{"phoneNumber":"+2"}}]}}"#);
            let text = format!(r#"{{"uuid":"u","event":"/restapi/v1.0/account/1/extension/2/{event}","body":{body}}}"#);
            Event::Notification(Notification::from_json(&text).unwrap())
        };
        let sms = sms_in(&event("message-store/instant?type=SMS", "+1"));
        assert_eq!(sms.iter().map(InstantMessage::sender).collect::<Vec<_>>(), [Some("+1")]);
        assert!(sms_in(&event("message-store/instant?type=SMS", "+2")).is_empty(), "its own");
        assert!(sms_in(&event("presence", "+1")).is_empty() && sms_in(&Event::SnapshotChanged).is_empty());
        assert!(sms_in(&Event::Gap(gap())).is_empty(), "a call lists them");
    }

    #[test]
    fn a_list_without_an_end_is_an_error() {
        let mut missed = MissedSms::new(&gap());
        let next = || page(r#"{"records":[{"id":3}],"navigation":{"nextPage":{"uri":"u"}}}"#);
        for _ in 1..MOST_PAGES {
            assert!(missed.answered(next()).unwrap());
        }
        assert!(matches!(missed.answered(next()), Err(CallError::TooLong)));
        assert!(!MissedSms::new(&gap()).answered(page(r#"{"navigation":{"nextPage":{}}}"#)).unwrap(), "an empty page");
        assert!(matches!(MissedSms::new(&gap()).answered(page("{")), Err(CallError::Body(_))));
    }
}
