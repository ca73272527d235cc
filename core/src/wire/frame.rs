//! One text frame.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::message::{Kind, MAX_TOKEN, Malformed, Message, Meta, NotificationFields, Payload, Wsc};
use super::scan::scan;
use crate::json::{Text, each_field, number};
use crate::secret::Secret;

impl Wsc {
    fn from_raw(raw: &RawValue) -> Option<Self> {
        let (mut token, mut sequence) = (None, None);
        each_field(raw.get(), |key, value| match key {
            "token" => token = Text::from_raw(value).filter(|text| (1..=MAX_TOKEN).contains(&text.len())),
            "sequence" => sequence = number(value),
            _ => {}
        });
        Some(Self { token: Secret::new(token?.boxed()), sequence: sequence? })
    }
}

impl<'a> Meta<'a> {
    /// Reads field by field; what has the wrong type is left out.
    fn tolerant(raw: &'a RawValue) -> Result<Self, Malformed> {
        if !raw.get().starts_with('{') {
            return Err(Malformed);
        }
        let mut meta = Meta::default();
        each_field(raw.get(), |key, value| match key {
            "type" => meta.kind = Text::from_raw(value).map_or(Kind::Unknown, |word| Kind::from_word(&word)),
            "messageId" => meta.message_id = Text::from_raw(value),
            "status" => meta.status = value.get().parse().ok(),
            "wsc" => meta.wsc = Wsc::from_raw(value),
            "headers" => meta.headers = Some(value.get()),
            _ => {}
        });
        Ok(meta)
    }
}

impl<'a> NotificationFields<'a> {
    /// Reads field by field; what has the wrong type is left out.
    fn tolerant(json: &'a str, envelope: bool) -> Self {
        let mut fields = Self::default();
        let mut inner = None;
        each_field(json, |key, value| match key {
            "uuid" => fields.uuid = Text::from_raw(value),
            "event" => fields.event = Text::from_raw(value),
            "timestamp" => fields.timestamp = Text::from_raw(value),
            "subscriptionId" => fields.subscription_id = Text::from_raw(value),
            "ownerId" => fields.owner_id = Text::from_raw(value),
            "body" => fields.body = Some(value.get()).filter(|json| *json != "null"),
            "pn_apns" if envelope => inner = Some(Self::tolerant(value.get(), false)),
            _ => {}
        });
        match inner {
            Some(inner) => fields.or(inner),
            None => fields,
        }
    }
}

/// The first two elements, unread.
struct FirstTwo;

impl<'de> Visitor<'de> for FirstTwo {
    type Value = (Option<&'de RawValue>, Option<&'de RawValue>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let two = (seq.next_element()?, seq.next_element()?);
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(two)
    }
}

/// Reads one text frame: JSON, else the strict multipart form.
pub(crate) fn parse(text: &str) -> Result<Message<'_>, Malformed> {
    scan(text).map_or_else(|| parse_slowly(text), Ok)
}

/// The general reader: what has the wrong type costs only its field.
pub(super) fn parse_slowly(text: &str) -> Result<Message<'_>, Malformed> {
    json(text).or_else(|_| multipart(text))
}

fn json(text: &str) -> Result<Message<'_>, Malformed> {
    let mut array = serde_json::Deserializer::from_str(text);
    let (first, second) = array.deserialize_seq(FirstTwo).map_err(|_| Malformed)?;
    array.end().map_err(|_| Malformed)?;
    let meta = Meta::tolerant(first.ok_or(Malformed)?)?;
    let payload = match second {
        Some(raw) if meta.kind == Kind::ServerNotification && raw.get().starts_with('{') => {
            Payload::Notification(NotificationFields::tolerant(raw.get(), true))
        }
        other => Payload::json(other),
    };
    Ok(Message { meta, payload })
}

fn multipart(text: &str) -> Result<Message<'_>, Malformed> {
    let inside = text.trim_ascii_start().strip_prefix('[').ok_or(Malformed)?;
    let mut stream = serde_json::Deserializer::from_str(inside).into_iter::<&RawValue>();
    let first = stream.next().ok_or(Malformed)?.map_err(|_| Malformed)?;
    let rest = inside.get(stream.byte_offset()..).ok_or(Malformed)?;
    let body = rest.strip_prefix(',').and_then(|rest| rest.strip_suffix(']')).ok_or(Malformed)?;
    if body.strip_prefix("--").is_none_or(str::is_empty) {
        return Err(Malformed);
    }
    Ok(Message { meta: Meta::tolerant(first)?, payload: Payload::Multipart(body) })
}
