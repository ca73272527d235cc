//! Messages: SMS, voicemail, fax, and changes of the message store.

use serde::Deserialize;

use super::field::{Id, count, list, text};

/// An SMS or pager message: filter `message-store/instant?type=SMS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct InstantMessage {
    /// The message.
    pub id: Option<Id>,
    /// Who sent it.
    pub from: Option<Person>,
    /// To whom.
    #[serde(deserialize_with = "list")]
    pub to: Vec<Person>,
    /// `Inbound` or `Outbound`.
    #[serde(deserialize_with = "text")]
    pub direction: Option<String>,
    /// `Read` or `Unread`.
    #[serde(deserialize_with = "text")]
    pub read_status: Option<String>,
    /// Such as `Received` or `Delivered`.
    #[serde(deserialize_with = "text")]
    pub message_status: Option<String>,
    /// `Alive`, `Deleted` or `Purged`.
    #[serde(deserialize_with = "text")]
    pub availability: Option<String>,
    /// `Normal` or `High`.
    #[serde(deserialize_with = "text")]
    pub priority: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "text")]
    pub creation_time: Option<String>,
    /// When it was changed last.
    #[serde(deserialize_with = "text")]
    pub last_modified_time: Option<String>,
    /// Its parts; download them by their `uri`.
    #[serde(deserialize_with = "list")]
    pub attachments: Vec<Attachment>,
    /// `SMS` or `Pager`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// The text.
    #[serde(deserialize_with = "text")]
    pub subject: Option<String>,
    /// The thread it belongs to.
    pub conversation: Option<Conversation>,
    /// Whose message store it is in.
    pub owner: Option<Owner>,
    /// `Create`, if given.
    #[serde(deserialize_with = "text")]
    pub event_type: Option<String>,
}

/// A voicemail: filter `voicemail`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Voicemail {
    /// The message.
    pub id: Option<Id>,
    /// Who sent it.
    pub from: Option<Person>,
    /// To whom.
    #[serde(deserialize_with = "list")]
    pub to: Vec<Person>,
    /// `Inbound` or `Outbound`.
    #[serde(deserialize_with = "text")]
    pub direction: Option<String>,
    /// `Read` or `Unread`.
    #[serde(deserialize_with = "text")]
    pub read_status: Option<String>,
    /// Such as `Received` or `Delivered`.
    #[serde(deserialize_with = "text")]
    pub message_status: Option<String>,
    /// `Alive`, `Deleted` or `Purged`.
    #[serde(deserialize_with = "text")]
    pub availability: Option<String>,
    /// `Normal` or `High`.
    #[serde(deserialize_with = "text")]
    pub priority: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "text")]
    pub creation_time: Option<String>,
    /// When it was changed last.
    #[serde(deserialize_with = "text")]
    pub last_modified_time: Option<String>,
    /// Its parts; download them by their `uri`.
    #[serde(deserialize_with = "list")]
    pub attachments: Vec<Attachment>,
    /// `VoiceMail`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// Such as `Completed` or `NotAvailable`.
    #[serde(deserialize_with = "text")]
    pub vm_transcription_status: Option<String>,
    /// Whose message store it is in.
    pub owner: Option<Owner>,
}

impl Voicemail {
    /// The number that sent it, in E.164. `None` if the number is withheld, or it came from an extension.
    ///
    /// ```
    /// # use ringcentral_ws_api::payloads::Voicemail;
    /// let message: Voicemail = serde_json::from_str(r#"{"from":{"phoneNumber":"+16505550100"}}"#)?;
    /// assert_eq!(message.sender(), Some("+16505550100"));
    /// assert_eq!(Voicemail::default().sender(), None);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.from.as_ref()?.phone_number.as_deref()
    }
}

/// A fax: filter `fax?direction=Inbound`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Fax {
    /// The message.
    pub id: Option<Id>,
    /// Who sent it.
    pub from: Option<Person>,
    /// To whom.
    #[serde(deserialize_with = "list")]
    pub to: Vec<Person>,
    /// `Inbound` or `Outbound`.
    #[serde(deserialize_with = "text")]
    pub direction: Option<String>,
    /// `Read` or `Unread`.
    #[serde(deserialize_with = "text")]
    pub read_status: Option<String>,
    /// Such as `Received` or `Delivered`.
    #[serde(deserialize_with = "text")]
    pub message_status: Option<String>,
    /// `Alive`, `Deleted` or `Purged`.
    #[serde(deserialize_with = "text")]
    pub availability: Option<String>,
    /// `Normal` or `High`.
    #[serde(deserialize_with = "text")]
    pub priority: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "text")]
    pub creation_time: Option<String>,
    /// When it was changed last.
    #[serde(deserialize_with = "text")]
    pub last_modified_time: Option<String>,
    /// Its parts; download them by their `uri`.
    #[serde(deserialize_with = "list")]
    pub attachments: Vec<Attachment>,
    /// `Fax`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// The subject; often the number.
    #[serde(deserialize_with = "text")]
    pub subject: Option<String>,
    /// `High` or `Low`.
    #[serde(deserialize_with = "text")]
    pub fax_resolution: Option<String>,
    /// Pages.
    #[serde(deserialize_with = "count")]
    pub fax_page_count: Option<u64>,
    /// Whose message store it is in.
    pub owner: Option<Owner>,
}

impl Fax {
    /// The number that sent it, in E.164. `None` if the number is withheld, or it came from an extension.
    ///
    /// ```
    /// # use ringcentral_ws_api::payloads::Fax;
    /// let message: Fax = serde_json::from_str(r#"{"from":{"phoneNumber":"+16505550100"}}"#)?;
    /// assert_eq!(message.sender(), Some("+16505550100"));
    /// assert_eq!(Fax::default().sender(), None);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.from.as_ref()?.phone_number.as_deref()
    }
}

/// Something changed in a message store: filter `message-store`. It says how many, not what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MessageStoreChange {
    /// The account.
    pub account_id: Option<Id>,
    /// Whose message store.
    pub extension_id: Option<Id>,
    /// When.
    #[serde(deserialize_with = "text")]
    pub last_updated: Option<String>,
    /// What, by type of message.
    #[serde(deserialize_with = "list")]
    pub changes: Vec<MessageChange>,
    /// Whose message store it is in.
    pub owner: Option<Owner>,
}

/// Changes of one type of message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct MessageChange {
    /// Such as `SMS`, `VoiceMail`, `Fax` or `Pager`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// New messages.
    #[serde(deserialize_with = "count")]
    pub new_count: Option<u64>,
    /// Changed messages.
    #[serde(deserialize_with = "count")]
    pub updated_count: Option<u64>,
    /// Their ids, if given.
    #[serde(deserialize_with = "list")]
    pub new_message_ids: Vec<Id>,
    /// Their ids, if given.
    #[serde(deserialize_with = "list")]
    pub updated_message_ids: Vec<Id>,
}

/// A sender or recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Person {
    /// In E.164.
    #[serde(deserialize_with = "text")]
    pub phone_number: Option<String>,
    /// The short number.
    #[serde(deserialize_with = "text")]
    pub extension_number: Option<String>,
    /// The extension, if it is one of the account.
    pub extension_id: Option<Id>,
    /// The name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    /// Such as `Orange, CA`.
    #[serde(deserialize_with = "text")]
    pub location: Option<String>,
    /// Whether this recipient is the owner of the message.
    pub target: Option<bool>,
    /// What became of it for this recipient.
    #[serde(deserialize_with = "text")]
    pub message_status: Option<String>,
}

/// A part of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Attachment {
    /// The part.
    pub id: Option<Id>,
    /// Where to download it.
    #[serde(deserialize_with = "text")]
    pub uri: Option<String>,
    /// Such as `Text`, `AudioRecording` or `RenderedDocument`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// Its media type.
    #[serde(deserialize_with = "text")]
    pub content_type: Option<String>,
    /// Length of a recording, in seconds.
    #[serde(deserialize_with = "count")]
    pub vm_duration: Option<u64>,
    /// Bytes.
    #[serde(deserialize_with = "count")]
    pub size: Option<u64>,
    /// The name of the file.
    #[serde(deserialize_with = "text")]
    pub file_name: Option<String>,
}

/// A thread of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Conversation {
    /// The thread.
    pub id: Option<Id>,
    /// Its resource.
    #[serde(deserialize_with = "text")]
    pub uri: Option<String>,
}

/// Whose message it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Owner {
    /// The extension.
    pub extension_id: Option<Id>,
    /// Such as `User` or `Department`.
    #[serde(deserialize_with = "text")]
    pub extension_type: Option<String>,
    /// The name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
}
