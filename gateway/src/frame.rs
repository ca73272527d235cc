//! Frames of the client, parsed once.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

/// `[meta]` or `[meta, body]`.
#[derive(Debug)]
pub(crate) struct ClientFrame<'a> {
    pub(crate) meta: Meta<'a>,
    pub(crate) body: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Meta<'a> {
    #[serde(rename = "type", borrow)]
    pub(crate) kind: Cow<'a, str>,
    /// Kept as it was written: the echo must not change it.
    #[serde(rename = "messageId", borrow, default)]
    pub(crate) id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(crate) method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) path: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(crate) query: Option<Value>,
    #[serde(default)]
    pub(crate) headers: Option<Value>,
}

impl<'a> ClientFrame<'a> {
    /// The `messageId` as it was written, quotes and escapes included.
    pub(crate) fn id(&self) -> Option<&'a str> {
        self.meta.id.map(RawValue::get)
    }

    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for ClientFrame<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements;
        impl<'de> Visitor<'de> for Elements {
            type Value = ClientFrame<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of a meta object and at most one body")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let missing = || serde::de::Error::invalid_length(0, &self);
                let meta = seq.next_element()?.ok_or_else(missing)?;
                let body = seq.next_element()?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(ClientFrame { meta, body })
            }
        }
        deserializer.deserialize_seq(Elements)
    }
}

/// Members of a JSON object as pairs of text: arrays repeat the key, as a query string does.
pub(crate) fn object_pairs(value: Option<&Value>) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let Some(Value::Object(object)) = value else { return pairs };
    for (key, value) in object {
        match value {
            Value::Array(values) => pairs.extend(values.iter().map(|v| (key.clone(), scalar(v)))),
            other => pairs.push((key.clone(), scalar(other))),
        }
    }
    pairs
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_as_written() {
        let text = r#"[{"type":"Heartbeat","messageId":"a\/1 \u0041"}]"#;
        let frame = ClientFrame::parse(text).unwrap();
        assert_eq!(frame.meta.id.unwrap().get(), r#""a\/1 \u0041""#);
        assert!(frame.body.is_none());
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        for bad in ["", "[]", "{}", "[1]", "[{}]", "[{\"type\":1}]", "[{\"type\":\"x\"}", "null"] {
            assert!(ClientFrame::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn query_arrays_repeat_their_key() {
        let value: Value = serde_json::from_str(r#"{"a":["x",1],"b":true}"#).unwrap();
        let pairs = object_pairs(Some(&value));
        let expected = [("a", "x"), ("a", "1"), ("b", "true")];
        assert_eq!(pairs, expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }
}
