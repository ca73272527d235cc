//! One text frame, read in one pass.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::message::{Kind, MAX_TOKEN, Malformed, Message, Meta, NotificationFields, Payload, Wsc};
use super::scan::scan;
use crate::json::{Key, Text, each_field, number};
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

impl<'de> Deserialize<'de> for Meta<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MetaVisitor;

        impl<'de> Visitor<'de> for MetaVisitor {
            type Value = Meta<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut meta = Meta::default();
                while let Some(Key(key)) = map.next_key()? {
                    match &*key {
                        b"type" => {
                            let word = map.next_value::<Scalar<'de>>()?.into_text();
                            meta.kind = word.map_or(Kind::Unknown, |word| Kind::from_word(&word));
                        }
                        b"messageId" => meta.message_id = map.next_value::<Scalar<'de>>()?.into_text(),
                        b"status" => meta.status = map.next_value::<Scalar<'de>>()?.into_status(),
                        b"wsc" => meta.wsc = map.next_value::<Option<&'de RawValue>>()?.and_then(Wsc::from_raw),
                        b"headers" => meta.headers = map.next_value::<Option<&'de RawValue>>()?.map(RawValue::get),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(meta)
            }
        }

        deserializer.deserialize_map(MetaVisitor)
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

/// Reads an object straight into the fields; `envelope` says whether `pn_apns` is looked into.
struct FieldsSeed {
    envelope: bool,
}

impl<'de> DeserializeSeed<'de> for FieldsSeed {
    /// Nothing for `null` and `""`.
    type Value = Option<NotificationFields<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for FieldsSeed {
    type Value = Option<NotificationFields<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a notification")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
        if v.is_empty() { Ok(None) } else { Err(E::custom("text")) }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = NotificationFields::default();
        let mut inner = None;
        while let Some(Key(key)) = map.next_key()? {
            match &*key {
                b"uuid" => fields.uuid = map.next_value::<Scalar<'de>>()?.into_text(),
                b"event" => fields.event = map.next_value::<Scalar<'de>>()?.into_text(),
                b"timestamp" => fields.timestamp = map.next_value::<Scalar<'de>>()?.into_text(),
                b"subscriptionId" => fields.subscription_id = map.next_value::<Scalar<'de>>()?.into_text(),
                b"ownerId" => fields.owner_id = map.next_value::<Scalar<'de>>()?.into_text(),
                b"body" => fields.body = map.next_value::<Option<&'de RawValue>>()?.map(RawValue::get),
                b"pn_apns" if self.envelope => inner = map.next_value_seed(Self { envelope: false })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Some(match inner {
            Some(inner) => fields.or(inner),
            None => fields,
        }))
    }
}

/// A value of the kinds the protocol uses for scalars. Any other kind is an error here and sends the frame
/// through the tolerant reader.
enum Scalar<'a> {
    Null,
    Text(Text<'a>),
    Int(u64),
}

impl<'a> Scalar<'a> {
    fn into_text(self) -> Option<Text<'a>> {
        match self {
            Self::Null => None,
            Self::Text(text) => Some(text),
            Self::Int(n) => Some(n.to_string().into()),
        }
    }

    fn into_status(self) -> Option<u16> {
        match self {
            Self::Int(n) => u16::try_from(n).ok(),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a whole number or null")
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Scalar::Null)
            }

            fn visit_u64<E: Error>(self, v: u64) -> Result<Self::Value, E> {
                Ok(Scalar::Int(v))
            }

            fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(v.into()))
            }

            fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Scalar::Text(v.to_owned().into()))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Reads the array in one pass: the type in element 1 decides how element 2 is read.
struct Typed;

impl<'de> Visitor<'de> for Typed {
    type Value = Message<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let meta: Meta<'de> = seq.next_element()?.ok_or_else(|| A::Error::custom("empty"))?;
        let payload = if meta.kind == Kind::ServerNotification {
            let fields = seq.next_element_seed(FieldsSeed { envelope: true })?.flatten();
            fields.map_or(Payload::None, Payload::Notification)
        } else {
            Payload::json(seq.next_element()?)
        };
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Message { meta, payload })
    }
}

/// The first two elements, unread.
struct Untyped;

impl<'de> Visitor<'de> for Untyped {
    type Value = (Option<&'de RawValue>, Option<&'de RawValue>);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let first = seq.next_element::<&'de RawValue>()?;
        let second = if first.is_some() { seq.next_element::<&'de RawValue>()? } else { None };
        if second.is_some() {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
        }
        Ok((first, second))
    }
}

/// Reads one array and nothing after it.
fn read<'a, V: Visitor<'a>>(text: &'a str, visitor: V) -> Result<V::Value, Malformed> {
    let mut de = serde_json::Deserializer::from_str(text);
    let value = de.deserialize_seq(visitor).map_err(|_| Malformed)?;
    de.end().map_err(|_| Malformed)?;
    Ok(value)
}

/// Reads one text frame: JSON, else the strict multipart form.
pub(crate) fn parse(text: &str) -> Result<Message<'_>, Malformed> {
    scan(text).map_or_else(|| parse_slowly(text), Ok)
}

/// The general reader.
pub(super) fn parse_slowly(text: &str) -> Result<Message<'_>, Malformed> {
    read(text, Typed).or_else(|_| tolerant(text)).or_else(|_| multipart(text))
}

fn tolerant(text: &str) -> Result<Message<'_>, Malformed> {
    let (first, second) = read(text, Untyped)?;
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
