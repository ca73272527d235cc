//! The messages of all users.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a stored message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// A text message; `text` is its subject.
    Sms,
    /// A voicemail; its recording is available over HTTPS only.
    VoiceMail,
    /// A fax; its pages are available over HTTPS only. `text` is its subject.
    Fax,
    /// A message between extensions of the account; it comes from an extension number.
    Pager,
}

impl MessageKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::VoiceMail => "VoiceMail",
            Self::Fax => "Fax",
            Self::Pager => "Pager",
        }
    }

    /// Whether the content is text, which the subject shows.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Sms | Self::Pager)
    }
}

/// What became of a message. One that is deleted can be had back; one that is purged has lost its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Availability {
    Alive,
    Deleted,
    Purged,
}

impl Availability {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alive => "Alive",
            Self::Deleted => "Deleted",
            Self::Purged => "Purged",
        }
    }
}

/// Who a message is from or to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum Party {
    #[serde(rename = "phoneNumber")]
    Phone(String),
    #[serde(rename = "extensionNumber")]
    Extension(String),
}

impl Party {
    /// A party as messages of this kind name it.
    pub(crate) fn of(kind: MessageKind, number: &str) -> Self {
        match kind {
            MessageKind::Pager => Self::Extension(number.to_owned()),
            MessageKind::Sms | MessageKind::VoiceMail | MessageKind::Fax => Self::Phone(number.to_owned()),
        }
    }

    pub(crate) fn number(&self) -> &str {
        match self {
            Self::Phone(number) | Self::Extension(number) => number,
        }
    }
}

/// A document of a fax, without its bytes: they are filler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) content_type: String,
    pub(crate) len: u64,
}

/// What a fax has beside what every message has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fax {
    pub(crate) resolution: String,
    pub(crate) pages: u32,
    pub(crate) documents: Vec<Document>,
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    pub(crate) inbound: bool,
    pub(crate) status: &'static str,
    pub(crate) from: Party,
    pub(crate) to: Vec<Party>,
    pub(crate) text: String,
    pub(crate) fax: Option<Fax>,
    pub(crate) created_ms: u64,
    pub(crate) modified_ms: u64,
    pub(crate) read: bool,
    pub(crate) availability: Availability,
}

/// The messages of all users, each user's newest up to a limit.
#[derive(Debug, Default)]
pub(crate) struct MessageStore {
    pub(crate) users: BTreeMap<usize, BTreeMap<u64, Message>>,
    next: u64,
}

/// Message ids start here, to look like real ones.
const FIRST_ID: u64 = 3_062_991_514_000;

impl MessageStore {
    pub(crate) fn insert(&mut self, user: usize, message: Message, capacity: usize) -> u64 {
        self.next += 1;
        let id = FIRST_ID + self.next;
        let store = self.users.entry(user).or_default();
        store.insert(id, message);
        if store.len() > capacity {
            store.pop_first();
        }
        id
    }

    pub(crate) fn get(&self, user: usize, id: u64) -> Option<&Message> {
        self.users.get(&user)?.get(&id)
    }

    pub(crate) fn get_mut(&mut self, user: usize, id: u64) -> Option<&mut Message> {
        self.users.get_mut(&user)?.get_mut(&id)
    }
}
