//! The messages of all users.

use std::collections::BTreeMap;

/// What a stored message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    /// A text message; `text` is its subject.
    Sms,
    /// A voicemail; its recording is available over HTTPS only.
    VoiceMail,
}

impl MessageKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sms => "SMS",
            Self::VoiceMail => "VoiceMail",
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: MessageKind,
    pub(crate) inbound: bool,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) created_ms: u64,
    pub(crate) modified_ms: u64,
    pub(crate) read: bool,
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
}
