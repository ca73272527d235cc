//! The messages of a gap and of other events: which calls list them, and which were given already.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use ringcentral_ws_api::payloads::{InstantMessage, MessageList};
use ringcentral_ws_api::{FetchedRecordExt, Message, NotificationExt};
use ringcentral_ws_core::{Event, Gap};
use serde::de::DeserializeOwned;

use crate::call_error::CallError;
use crate::query::with_query;
use crate::response::Response;

/// Most pages, each of 1000 messages unless the server chooses less.
const MOST_PAGES: u32 = 100;
/// Messages that are remembered as given. A gap's query lists at most 1000 on a page.
const MOST_GIVEN: usize = 4096;

/// The calls that list what came in during a gap.
#[derive(Debug)]
pub struct Missed<M> {
    query: String,
    page: u32,
    found: Vec<M>,
}

impl Missed<InstantMessage> {
    /// Those of SMS, from the first page.
    #[must_use]
    pub fn sms(gap: &Gap) -> Self {
        Self { query: gap.missed_sms_query(), page: 1, found: Vec::new() }
    }
}

impl Missed<Message> {
    /// Those of messages of any kind, from the first page.
    #[must_use]
    pub fn messages(gap: &Gap) -> Self {
        Self { query: gap.message_store_query() + "&direction=Inbound", page: 1, found: Vec::new() }
    }
}

impl<M: DeserializeOwned + Clone + Into<Message>> Missed<M> {
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
        let list: MessageList<M> = response.error_for_status()?.json()?;
        let more = list.has_more() && !list.records.is_empty();
        self.found.extend(list.records);
        self.page += 1;
        if more && self.page > MOST_PAGES { Err(CallError::TooLong) } else { Ok(more) }
    }

    /// The messages, the oldest first, without those that the user sent. One that two pages have comes once: the list
    /// moves when a message comes in meanwhile.
    #[must_use]
    pub fn into_messages(self) -> Vec<M> {
        let mut ids = BTreeSet::new();
        let mut keep = |one: &M| {
            let message: Message = one.clone().into();
            !message.is_own() && message.id().is_none_or(|id| ids.insert(id.clone()))
        };
        self.found.into_iter().rev().filter(|one| keep(one)).collect()
    }
}

/// The messages that are in an event itself, without those that the user sent.
#[must_use]
pub fn messages_in(event: &Event) -> Vec<Message> {
    let mut found: Vec<_> = match event {
        Event::Notification(notification) => Message::of_payload(notification.payload()).into_iter().collect(),
        Event::Backfill(fetched) => {
            fetched.records.iter().filter_map(|record| Message::of_record(record.content())).collect()
        }
        _ => Vec::new(),
    };
    found.retain(|message| !message.is_own());
    found
}

/// The same of SMS and pager messages alone.
#[must_use]
pub fn sms_in(event: &Event) -> Vec<InstantMessage> {
    messages_in(event).into_iter().filter_map(Message::into_instant).collect()
}

/// What was given of a client's messages, and for which event: around a gap the list has what was notified.
#[derive(Debug, Default)]
pub struct Given(Mutex<Option<Box<Memory>>>);

#[derive(Debug, Default)]
struct Memory {
    /// By id: the state of the message, and the event that gave it last.
    of: BTreeMap<Box<str>, (Box<str>, Box<str>)>,
    /// The oldest first.
    order: VecDeque<Box<str>>,
}

impl Given {
    /// Takes away what another event has given. A notification gives a message again that is in another state by now, a
    /// list does not. The same event gives the same again, and a message without an id is always given.
    #[must_use]
    pub fn new_of<M: Clone + Into<Message>>(&self, event: &Event, mut messages: Vec<M>) -> Vec<M> {
        let Some(source) = source(event) else { return messages };
        let is_list = !matches!(event, Event::Notification(_));
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = memory.get_or_insert_default();
        messages.retain(|one| {
            let message: Message = one.clone().into();
            let Some(id) = message.id() else { return true };
            memory.gives(id.as_str(), &format!("{:?}", message.state()), &source, is_list)
        });
        messages
    }
}

impl Memory {
    fn gives(&mut self, id: &str, state: &str, source: &str, is_list: bool) -> bool {
        if let Some((last, by)) = self.of.get_mut(id) {
            let is_known = **by != *source && (is_list || **last == *state);
            if !is_known {
                (*last, *by) = (state.into(), source.into());
            }
            return !is_known;
        }
        self.of.insert(id.into(), (state.into(), source.into()));
        self.order.push_back(id.into());
        if self.order.len() > MOST_GIVEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.of.remove(&oldest);
        }
        true
    }
}

/// What makes an event this one and no other.
fn source(event: &Event) -> Option<String> {
    let of_gap = |gap: &Gap| format!("{} {} {} {:?}", gap.cause.as_str(), gap.since.0, gap.until.0, gap.after);
    match event {
        Event::Notification(notification) => Some(notification.uuid().to_owned()),
        Event::Gap(gap) => Some(of_gap(gap)),
        Event::Backfill(fetched) => Some(of_gap(&fetched.gap)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_api::payloads::Voicemail;
    use ringcentral_ws_core::{Backfilled, Body, FetchedRecord, GapCause, Notification, RecordKind, UnixMillis, Via};

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
        let mut missed = Missed::sms(&gap());
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
        let mut missed = Missed::sms(&gap());
        let next = || page(r#"{"records":[{"id":3}],"navigation":{"nextPage":{"uri":"u"}}}"#);
        for _ in 1..MOST_PAGES {
            assert!(missed.answered(next()).unwrap());
        }
        assert!(matches!(missed.answered(next()), Err(CallError::TooLong)));
        assert!(!Missed::sms(&gap()).answered(page(r#"{"navigation":{"nextPage":{}}}"#)).unwrap(), "an empty page");
        assert!(matches!(Missed::sms(&gap()).answered(page("{")), Err(CallError::Body(_))));
    }

    fn message(kind: &str, uuid: &str, id: u32, more: &str) -> Event {
        let event = format!("/restapi/v1.0/account/1/extension/2/{kind}");
        let text = format!(r#"{{"uuid":"{uuid}","event":"{event}","body":{{"id":{id}{more}}}}}"#);
        Event::Notification(Notification::from_json(&text).unwrap())
    }

    #[test]
    fn an_event_gives_messages_of_every_kind() {
        let kinds = |event: &Event| messages_in(event).iter().map(Message::kind).collect::<Vec<_>>();
        assert_eq!(kinds(&message("message-store/instant?type=SMS", "a", 1, "")), ["SMS"]);
        assert_eq!(kinds(&message("message-store/instant", "a", 1, r#","type":"Pager""#)), ["Pager"]);
        assert_eq!(kinds(&message("voicemail", "a", 1, "")), ["VoiceMail"]);
        assert_eq!(kinds(&message("fax", "a", 1, "")), ["Fax"]);
        assert!(kinds(&message("fax", "a", 1, r#","direction":"Outbound""#)).is_empty());
        assert!(kinds(&message("presence", "a", 1, "")).is_empty());
        let record = |id: &str, json: &str| FetchedRecord::new(RecordKind::Message, id.into(), None, json.into());
        let records = vec![record("1", r#"{"id":1,"type":"Fax"}"#), record("2", r#"{"id":2,"type":"SMS"}"#)];
        let fetched = Event::Backfill(Box::new(Backfilled::new(gap(), records, Vec::new())));
        assert_eq!((kinds(&fetched), sms_in(&fetched).len()), (vec!["Fax", "SMS"], 1));
        let mut missed = Missed::messages(&gap());
        assert!(missed.path().ends_with("&perPage=1000&direction=Inbound&page=1"), "{}", missed.path());
        let twice = r#"{"records":[{"id":2,"type":"VoiceMail"},{"id":1},{"id":1},{"subject":"a"}]}"#;
        assert!(!missed.answered(page(twice)).unwrap());
        assert_eq!(missed.into_messages().iter().map(Message::kind).collect::<Vec<_>>(), ["SMS", "SMS", "VoiceMail"]);
    }

    #[test]
    fn what_one_event_gave_another_one_does_not() {
        let given = Given::default();
        let count = |event: &Event| given.new_of(event, messages_in(event)).len();
        let first = message("voicemail", "a", 1, r#","vmTranscriptionStatus":"InProgress""#);
        assert_eq!((count(&first), count(&first)), (1, 1), "the same event again, as a second look");
        assert_eq!(count(&message("voicemail", "b", 1, r#","vmTranscriptionStatus":"InProgress""#)), 0);
        assert_eq!(count(&message("voicemail", "c", 1, r#","vmTranscriptionStatus":"Completed""#)), 1, "news of it");
        let list = vec![Message::of_payload(ringcentral_ws_api::Payload::Voicemail(Voicemail::default())).unwrap()];
        assert_eq!(given.new_of(&Event::Gap(gap()), list).len(), 1, "no id");
        let done = r#"{"id":1,"type":"VoiceMail","vmTranscriptionStatus":"Failed"}"#;
        let list = vec![serde_json::from_str::<Message>(done).unwrap()];
        assert!(given.new_of(&Event::Gap(gap()), list).is_empty(), "a list has no news of it");
        let listed = || [message("fax", "x", 3, ""), message("fax", "x", 4, "")].iter().flat_map(messages_in).collect();
        assert_eq!(count(&message("fax", "d", 4, "")), 1);
        let ids = |messages: Vec<Message>| messages.iter().map(|one| one.id().unwrap().to_string()).collect::<Vec<_>>();
        assert_eq!(ids(given.new_of(&Event::Gap(gap()), listed())), ["3"]);
        assert_eq!(ids(given.new_of(&Event::Gap(gap()), listed())), ["3"]);
        let later = Gap { until: UnixMillis(1_700_000_400_000), ..gap() };
        assert!(given.new_of(&Event::Gap(later), listed()).is_empty());
        let without = || vec![Message::from(InstantMessage::default())];
        assert_eq!(given.new_of(&first, without()).len() + given.new_of(&Event::Gap(gap()), without()).len(), 2);
        for n in 0..=u32::try_from(MOST_GIVEN).unwrap() {
            assert_eq!(count(&message("fax", &format!("n{n}"), 10 + n, "")), 1);
        }
        assert_eq!(given.0.lock().unwrap().as_ref().unwrap().of.len(), MOST_GIVEN);
    }
}
