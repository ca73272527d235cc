//! Records of answers: what is read of each here, and their content as types.

use ringcentral_ws_core::{FetchedRecord, Notification, RecordKind, UnixMillis};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::known::Key;
use crate::payloads::field::{Id, text};
use crate::payloads::{CallRecord, Fax, InstantMessage, Presence, TeamPost, Voicemail};

/// What decides about a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) id: Option<String>,
    /// `SMS`, `Fax` and so on.
    pub(super) kind: Option<String>,
    pub(super) direction: Option<String>,
    /// Of a call.
    pub(super) result: Option<String>,
    pub(super) is_recorded: bool,
    /// A message that is not deleted.
    pub(super) is_alive: bool,
    pub(super) created: Option<UnixMillis>,
    /// The last change; of a call its end.
    pub(super) changed: Option<UnixMillis>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Fields<'a> {
    id: Option<Id>,
    #[serde(rename = "type", deserialize_with = "text")]
    kind: Option<String>,
    #[serde(deserialize_with = "text")]
    direction: Option<String>,
    #[serde(deserialize_with = "text")]
    result: Option<String>,
    #[serde(deserialize_with = "text")]
    availability: Option<String>,
    #[serde(deserialize_with = "text")]
    creation_time: Option<String>,
    #[serde(deserialize_with = "text")]
    last_modified_time: Option<String>,
    #[serde(deserialize_with = "text")]
    start_time: Option<String>,
    #[serde(deserialize_with = "text")]
    duration: Option<String>,
    #[serde(borrow)]
    recording: Option<&'a RawValue>,
    extension: Option<Extension>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Extension {
    id: Option<Id>,
}

impl Head {
    /// What can be read of a record; all of it may be missing.
    pub(super) fn of(json: &str) -> Self {
        let fields: Fields<'_> = serde_json::from_str(json).unwrap_or_default();
        let at = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok());
        let started = at(&fields.start_time);
        let seconds = fields.duration.as_deref().and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let ended = started.map(|at: UnixMillis| UnixMillis(at.0.saturating_add(seconds.saturating_mul(1000))));
        let created = at(&fields.creation_time).or(started);
        Self {
            // A presence is that of its extension.
            id: fields.id.or(fields.extension.and_then(|one| one.id)).map(|id| id.as_str().to_owned()),
            kind: fields.kind,
            direction: fields.direction,
            result: fields.result,
            is_recorded: fields.recording.is_some_and(|raw| raw.get() != "null"),
            is_alive: fields.availability.is_none_or(|word| word == "Alive"),
            created,
            changed: at(&fields.last_modified_time).or(ended).or(created),
        }
    }

    /// When it was changed or made.
    pub(super) fn time(&self) -> Option<UnixMillis> {
        self.changed.or(self.created)
    }

    pub(super) fn key(&self, kind: RecordKind, json: &str) -> Key {
        Key::new(kind.as_str(), self.id.as_deref().unwrap_or(json))
    }
}

/// The kind of record that a notification is about, if it has one's id.
pub(super) fn kind_of(notification: &Notification) -> Option<RecordKind> {
    let path = notification.event().split('?').next().unwrap_or_default();
    let ends = |ends: &[&str]| ends.iter().any(|end| path.ends_with(end));
    if ends(&["/message-store/instant", "/voicemail", "/fax"]) {
        Some(RecordKind::Message)
    } else if ends(&["/team-messaging/v1/posts", "/glip/posts"]) {
        Some(RecordKind::Post)
    } else {
        None
    }
}

/// What a [`FetchedRecord`] says, as a type.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum RecordContent {
    /// An SMS or a pager message.
    InstantMessage(InstantMessage),
    /// A voicemail.
    Voicemail(Voicemail),
    /// A fax.
    Fax(Fax),
    /// A call that is over.
    Call(CallRecord),
    /// A call that goes on.
    ActiveCall(CallRecord),
    /// The presence of an extension.
    Presence(Presence),
    /// A post.
    TeamPost(TeamPost),
    /// Anything else: [`FetchedRecord::json`] has it.
    Other,
}

impl RecordContent {
    /// Reads a record as the type that its kind has. It is copied out, so the record may go.
    ///
    /// ```
    /// use ringcentral_ws_api::RecordContent;
    /// use ringcentral_ws_core::{FetchedRecord, RecordKind};
    ///
    /// let json = r#"{"id":7,"type":"SMS","subject":"Hello"}"#;
    /// let record = FetchedRecord::new(RecordKind::Message, "7".into(), None, json.into());
    /// let RecordContent::InstantMessage(sms) = RecordContent::of(&record) else { panic!() };
    /// assert_eq!(sms.subject.as_deref(), Some("Hello"));
    /// ```
    #[must_use]
    pub fn of(record: &FetchedRecord) -> Self {
        // A derived reader would take a list for the fields in their order.
        if !record.json().trim_start().starts_with('{') {
            return Self::Other;
        }
        let content = match record.kind() {
            RecordKind::Message => match Head::of(record.json()).kind.as_deref() {
                Some("VoiceMail") => record.parse().map(Self::Voicemail),
                Some("Fax") => record.parse().map(Self::Fax),
                _ => record.parse().map(Self::InstantMessage),
            },
            RecordKind::Call => record.parse().map(Self::Call),
            RecordKind::ActiveCall => record.parse().map(Self::ActiveCall),
            RecordKind::Presence => record.parse().map(Self::Presence),
            RecordKind::Post => record.parse().map(Self::TeamPost),
            _ => return Self::Other,
        };
        content.unwrap_or(Self::Other)
    }
}

/// [`RecordContent::of`] as a method of the record.
pub trait FetchedRecordExt {
    /// The content as a type: see [`RecordContent`].
    #[must_use]
    fn content(&self) -> RecordContent;
}

impl FetchedRecordExt for FetchedRecord {
    fn content(&self) -> RecordContent {
        RecordContent::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_decides_is_read_and_nothing_is_insisted_on() {
        let head = Head::of(
            r#"{"id":7,"type":"SMS","direction":"Inbound","creationTime":"1970-01-01T00:00:01Z",
               "lastModifiedTime":"1970-01-01T00:00:02Z","availability":"Deleted"}"#,
        );
        assert_eq!((head.id.as_deref(), head.kind.as_deref(), head.is_alive), (Some("7"), Some("SMS"), false));
        assert_eq!((head.created, head.time()), (Some(UnixMillis(1000)), Some(UnixMillis(2000))));
        let call = Head::of(r#"{"id":"A","startTime":"1970-01-01T00:00:01Z","duration":5,"recording":{"id":1}}"#);
        assert_eq!((call.created, call.time()), (Some(UnixMillis(1000)), Some(UnixMillis(6000))));
        assert!(call.is_recorded && call.is_alive);
        assert_eq!(Head::of(r#"{"extension":{"id":9}}"#).id.as_deref(), Some("9"));
        for odd in ["{}", "[]", "7", r#"{"id":null,"type":null,"recording":null}"#, r#"{"id":{}}"#] {
            let head = Head::of(odd);
            assert!(head.id.is_none() && head.time().is_none() && !head.is_recorded, "{odd}");
        }
    }

    #[test]
    fn a_record_has_the_type_of_its_kind() {
        let content = |kind, json: &str| {
            let record = FetchedRecord::new(kind, "".into(), None, json.into());
            let shown = format!("{:?}", record.content());
            shown.split(['(', ' ']).next().unwrap_or_default().to_owned()
        };
        for (kind, json, name) in [
            (RecordKind::Message, r#"{"type":"SMS"}"#, "InstantMessage"),
            (RecordKind::Message, r#"{"type":"Pager"}"#, "InstantMessage"),
            (RecordKind::Message, r#"{"type":"VoiceMail"}"#, "Voicemail"),
            (RecordKind::Message, r#"{"type":"Fax"}"#, "Fax"),
            (RecordKind::Call, "{}", "Call"),
            (RecordKind::ActiveCall, "{}", "ActiveCall"),
            (RecordKind::Presence, "{}", "Presence"),
            (RecordKind::Post, "{}", "TeamPost"),
            (RecordKind::Post, "[7]", "Other"),
        ] {
            assert_eq!(content(kind, json), name, "{json}");
        }
    }
}
