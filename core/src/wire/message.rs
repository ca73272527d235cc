//! What a text frame says, as slices of it.

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::value::RawValue;

use crate::json::{Text, each_field, each_item};
use crate::secret::Secret;

/// A frame that is neither a JSON array with an object in front nor the multipart form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Longest token kept, in bytes, be it for recovery or access: it is part of an address, or of a header.
pub(crate) const MAX_TOKEN: usize = 64 << 10;

/// One frame.
#[derive(Clone, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) meta: Meta<'a>,
    pub(crate) payload: Payload<'a>,
}

/// What `meta.type` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    ConnectionDetails,
    ServerNotification,
    ClientRequest,
    Heartbeat,
    Error,
    /// A word from the future, or none.
    #[default]
    Unknown,
}

impl Kind {
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "ConnectionDetails" => Self::ConnectionDetails,
            "ServerNotification" => Self::ServerNotification,
            "ClientRequest" => Self::ClientRequest,
            "Heartbeat" => Self::Heartbeat,
            "Error" => Self::Error,
            _ => Self::Unknown,
        }
    }
}

/// Element 1 of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meta<'a> {
    pub(crate) kind: Kind,
    pub(crate) message_id: Option<Text<'a>>,
    pub(crate) status: Option<u16>,
    pub(crate) wsc: Option<Wsc>,
    /// As JSON text.
    pub(crate) headers: Option<&'a str>,
}

impl Meta<'_> {
    /// The headers that are well formed, at most `max` of them.
    pub(crate) fn headers_map(&self, max: usize) -> HeaderMap {
        let mut map = HeaderMap::new();
        let Some(raw) = self.headers else { return map };
        let mut add = |name: &str, value: &RawValue| {
            if map.len() < max
                && let Some(text) = Text::from_raw(value)
                && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
                && let Ok(value) = HeaderValue::from_bytes(text.as_bytes())
            {
                // Fails only beyond the map's own capacity.
                let _ = map.try_append(name, value);
            }
        };
        each_field(raw, |name, value| {
            if value.get().starts_with('[') {
                each_item(value.get(), |item| add(name, item));
            } else {
                add(name, value);
            }
        });
        map
    }
}

/// `wsc`, which the service calls the session context: the recovery token, and its place among its successors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wsc {
    /// The recovery token; secret, because it opens the session's notifications. At most 64 KiB; a longer one is none.
    pub token: Secret,
    /// Grows with every new recovery token of one connection.
    pub sequence: u64,
}

/// Element 2 of a message.
#[derive(Clone, Debug)]
pub(crate) enum Payload<'a> {
    /// Absent, `null` or `""`.
    None,
    /// The object of a `ServerNotification`.
    Notification(NotificationFields<'a>),
    /// The JSON of any other message, and of a notification that is no object.
    Json(&'a RawValue),
    /// Raw multipart text, from its first boundary to its last.
    Multipart(&'a str),
}

impl<'a> Payload<'a> {
    pub(super) fn json(raw: Option<&'a RawValue>) -> Self {
        match raw {
            Some(raw) if !matches!(raw.get(), "null" | "\"\"") => Self::Json(raw),
            _ => Self::None,
        }
    }
}

/// Element 2 of a notification, as slices of the frame.
#[derive(Clone, Debug, Default)]
pub(crate) struct NotificationFields<'a> {
    pub(crate) uuid: Option<Text<'a>>,
    pub(crate) event: Option<Text<'a>>,
    pub(crate) timestamp: Option<Text<'a>>,
    pub(crate) subscription_id: Option<Text<'a>>,
    pub(crate) owner_id: Option<Text<'a>>,
    /// As JSON text.
    pub(crate) body: Option<&'a str>,
}

impl NotificationFields<'_> {
    /// Fills what is missing from the object inside a push envelope.
    pub(super) fn or(self, inner: Self) -> Self {
        Self {
            uuid: self.uuid.or(inner.uuid),
            event: self.event.or(inner.event),
            timestamp: self.timestamp.or(inner.timestamp),
            subscription_id: self.subscription_id.or(inner.subscription_id),
            owner_id: self.owner_id.or(inner.owner_id),
            body: self.body.or(inner.body),
        }
    }
}
