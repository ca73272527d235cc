//! A message of any kind.

use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::Value;

use super::{Attachment, Fax, Id, InstantMessage, Payload, Person, Voicemail};
use crate::RecordContent;

/// A message of a message store, whatever its kind. `Client::messages_of` gives those of an event.
///
/// ```
/// use ringcentral_ws_api::Message;
///
/// let text = r#"{"id":7,"type":"VoiceMail","from":{"phoneNumber":"+16505550100"}}"#;
/// let message: Message = serde_json::from_str(text)?;
/// assert_eq!((message.kind(), message.sender()), ("VoiceMail", Some("+16505550100")));
/// match message {
///     Message::Sms(sms) => println!("{}", sms.text()),
///     Message::Voicemail(voicemail) => println!("{} parts", voicemail.attachments.len()),
///     other => println!("{}", other.kind()),
/// }
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// An SMS or MMS. A message whose kind is missing or not known is one too.
    Sms(InstantMessage),
    /// A message between extensions.
    Pager(InstantMessage),
    /// A voicemail.
    Voicemail(Voicemail),
    /// A fax.
    Fax(Fax),
}

/// The fields that all kinds have.
struct Common<'a> {
    id: Option<&'a Id>,
    from: Option<&'a Person>,
    to: &'a [Person],
    direction: Option<&'a str>,
    availability: Option<&'a str>,
    attachments: &'a [Attachment],
}

macro_rules! common {
    ($message:expr) => {
        Common {
            id: $message.id.as_ref(),
            from: $message.from.as_ref(),
            to: &$message.to,
            direction: $message.direction.as_deref(),
            availability: $message.availability.as_deref(),
            attachments: &$message.attachments,
        }
    };
}

impl Message {
    fn common(&self) -> Common<'_> {
        match self {
            Self::Sms(message) | Self::Pager(message) => common!(message),
            Self::Voicemail(message) => common!(message),
            Self::Fax(message) => common!(message),
        }
    }

    /// The service's word for its kind: `SMS`, `Pager`, `VoiceMail` or `Fax`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sms(_) => "SMS",
            Self::Pager(_) => "Pager",
            Self::Voicemail(_) => "VoiceMail",
            Self::Fax(_) => "Fax",
        }
    }

    /// Its id in the message store. `None` if the server left it out.
    #[must_use]
    pub fn id(&self) -> Option<&Id> {
        self.common().id
    }

    /// The number that sent it, in E.164. `None` if the number is withheld, or it came from an extension.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.common().from?.phone_number.as_deref()
    }

    /// Who sent it, with a name or extension if there is one.
    #[must_use]
    pub fn author(&self) -> Option<&Person> {
        self.common().from
    }

    /// The number of its first recipient, in E.164: of an incoming message the user's own.
    #[must_use]
    pub fn recipient(&self) -> Option<&str> {
        self.common().to.first()?.phone_number.as_deref()
    }

    /// The text of an SMS or pager message, and the subject of a fax. Empty if there is none, as with a voicemail.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Sms(message) | Self::Pager(message) => message.text(),
            Self::Voicemail(_) => "",
            Self::Fax(fax) => fax.subject.as_deref().unwrap_or_default(),
        }
    }

    /// Its parts, such as the recording of a voicemail or the pages of a fax; `Client::download` takes their `uri`.
    #[must_use]
    pub fn attachments(&self) -> &[Attachment] {
        self.common().attachments
    }

    /// Whether the user sent it: an outgoing message, or one to the number that it came from.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.common().direction == Some("Outbound") || (self.sender().is_some() && self.sender() == self.recipient())
    }

    /// What may change of a message so that it is worth another look: whether it is deleted, and of a voicemail whether
    /// its transcription is done.
    #[must_use]
    pub fn state(&self) -> (Option<&str>, Option<&str>) {
        let transcription = match self {
            Self::Voicemail(voicemail) => voicemail.vm_transcription_status.as_deref(),
            _ => None,
        };
        (self.common().availability.filter(|word| *word != "Alive"), transcription)
    }

    /// The SMS or pager message, if it is one.
    #[must_use]
    pub fn into_instant(self) -> Option<InstantMessage> {
        match self {
            Self::Sms(message) | Self::Pager(message) => Some(message),
            Self::Voicemail(_) | Self::Fax(_) => None,
        }
    }

    /// The message of a notification. `None` if it is about something else.
    #[must_use]
    pub fn of_payload(payload: Payload) -> Option<Self> {
        match payload {
            Payload::InstantMessage(message) => Some(message.into()),
            Payload::Voicemail(voicemail) => Some(Self::Voicemail(voicemail)),
            Payload::Fax(fax) => Some(Self::Fax(fax)),
            _ => None,
        }
    }

    /// The message of a record that was fetched. `None` if it is something else.
    #[must_use]
    pub fn of_record(content: RecordContent) -> Option<Self> {
        match content {
            RecordContent::InstantMessage(message) => Some(message.into()),
            RecordContent::Voicemail(voicemail) => Some(Self::Voicemail(voicemail)),
            RecordContent::Fax(fax) => Some(Self::Fax(fax)),
            _ => None,
        }
    }
}

impl From<InstantMessage> for Message {
    fn from(message: InstantMessage) -> Self {
        if message.kind.as_deref() == Some("Pager") { Self::Pager(message) } else { Self::Sms(message) }
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let message = match value.get("type").and_then(Value::as_str) {
            Some("VoiceMail") => serde_json::from_value(value).map(Self::Voicemail),
            Some("Fax") => serde_json::from_value(value).map(Self::Fax),
            _ => serde_json::from_value::<InstantMessage>(value).map(Self::from),
        };
        message.map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, more: &str) -> Message {
        let from = r#""from":{"phoneNumber":"+1"},"to":[{"phoneNumber":"+2"}],"attachments":[{"uri":"u"}]"#;
        serde_json::from_str(&format!(r#"{{"id":7,"type":"{kind}","subject":"s",{from}{more}}}"#)).unwrap()
    }

    #[test]
    fn every_kind_has_the_same_questions() {
        for (kind, text) in [("SMS", "s"), ("Pager", "s"), ("VoiceMail", ""), ("Fax", "s")] {
            let message = read(kind, "");
            assert_eq!((message.kind(), message.text()), (kind, text));
            assert_eq!((message.sender(), message.recipient()), (Some("+1"), Some("+2")));
            assert_eq!((message.id().unwrap().as_str(), message.attachments()[0].uri.as_deref()), ("7", Some("u")));
            assert!(
                message.author().is_some() && !message.is_own() && read(kind, r#","direction":"Outbound""#).is_own()
            );
            assert_eq!(message.state(), (None, None));
            assert_eq!(read(kind, r#","availability":"Deleted""#).state(), (Some("Deleted"), None));
            assert_eq!(message.into_instant().is_some(), ["SMS", "Pager"].contains(&kind));
        }
        let done = read("VoiceMail", r#","vmTranscriptionStatus":"Completed","availability":"Alive""#);
        assert_eq!(done.state(), (None, Some("Completed")));
        assert_eq!(read("New", "").kind(), "SMS");
        assert!(serde_json::from_str::<Message>("{}").is_ok_and(|one| one.id().is_none() && one.sender().is_none()));
        assert!(serde_json::from_str::<Message>(r#"{"subject":{}}"#).is_err());
    }
}
