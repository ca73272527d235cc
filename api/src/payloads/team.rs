//! Posts of team messaging.

use serde::Deserialize;

use super::field::{Id, list, text};
use super::message::Attachment;

/// A post: filter `/team-messaging/v1/posts`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct TeamPost {
    /// The post.
    pub id: Option<Id>,
    /// The chat it is in.
    pub group_id: Option<Id>,
    /// `TextMessage`, `PersonJoined` or `PersonsAdded`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// `PostAdded`, `PostChanged` or `PostRemoved`.
    #[serde(deserialize_with = "text")]
    pub event_type: Option<String>,
    /// What it says.
    #[serde(deserialize_with = "text")]
    pub text: Option<String>,
    /// Who wrote it.
    pub creator_id: Option<Id>,
    /// Who was added to the chat.
    #[serde(deserialize_with = "list")]
    pub added_person_ids: Vec<Id>,
    /// When it was written.
    #[serde(deserialize_with = "text")]
    pub creation_time: Option<String>,
    /// When it was changed last.
    #[serde(deserialize_with = "text")]
    pub last_modified_time: Option<String>,
    /// Files, notes, tasks and cards.
    #[serde(deserialize_with = "list")]
    pub attachments: Vec<Attachment>,
    /// Who and what is mentioned.
    #[serde(deserialize_with = "list")]
    pub mentions: Vec<Mention>,
    /// Title of a post by an integration.
    #[serde(deserialize_with = "text")]
    pub title: Option<String>,
    /// Its activity line.
    #[serde(deserialize_with = "text")]
    pub activity: Option<String>,
    /// Its icon.
    #[serde(deserialize_with = "text")]
    pub icon_uri: Option<String>,
    /// Its emoji.
    #[serde(deserialize_with = "text")]
    pub icon_emoji: Option<String>,
}

/// Something a post mentions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Mention {
    /// What.
    pub id: Option<Id>,
    /// Such as `Person`, `Team` or `File`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
}
