//! Tolerant reading of JSON pieces: text, numbers, the fields of an object, the items of an array.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Text of a message: a slice of the frame unless it held escapes. A JSON number is text too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text of a JSON string or number; anything else has none.
    pub fn from_raw(raw: &'a RawValue) -> Option<Self> {
        let json = raw.get();
        match json.as_bytes().first()? {
            b'"' if !json.contains('\\') => json.get(1..json.len() - 1).map(Self::from),
            // Read as bytes, because half a surrogate pair is legal JSON and no legal `str`.
            b'"' => serde_json::from_str::<Key<'_>>(json)
                .ok()
                .map(|key| Self(Cow::Owned(String::from_utf8_lossy(&key.0).into_owned()))),
            b'-' | b'0'..=b'9' => Some(Self::from(json)),
            _ => None,
        }
    }

    /// An owned copy.
    pub fn boxed(&self) -> Box<str> {
        Box::from(&*self.0)
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'a> From<&'a str> for Text<'a> {
    fn from(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }
}

impl From<String> for Text<'_> {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

/// As much of a text as is kept: the server's may be as large as a message (SEC-3).
pub(crate) fn beginning(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let cut = (0..=bytes).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    text.get(..cut).unwrap_or_default()
}

/// A whole number, also one written as a string or with a fraction. Never negative.
pub fn number(raw: &RawValue) -> Option<u64> {
    let text = Text::from_raw(raw)?;
    let text = text.trim();
    text.parse().ok().or_else(|| {
        let value: f64 = text.parse().ok()?;
        // The cast saturates, and the guard keeps NaN and negatives out.
        (value >= 0.0 && value.is_finite()).then_some(value as u64)
    })
}

/// The bytes of an object's key, or of a string that may hold half a surrogate pair.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_bytes<E: Error>(self, v: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(v)))
            }

            fn visit_bytes<E: Error>(self, v: &[u8]) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(v.to_vec())))
            }

            fn visit_borrowed_str<E: Error>(self, v: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(v.as_bytes())))
            }

            fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(v.as_bytes().to_vec())))
            }
        }

        deserializer.deserialize_bytes(KeyVisitor)
    }
}

/// Gives every field of a JSON object to `f`, in order. `false` when it is no object or breaks off; what came
/// before the break was given.
pub fn each_field<'a>(json: &'a str, f: impl FnMut(&str, &'a RawValue)) -> bool {
    struct Fields<F>(F);

    impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Fields<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Key(key)) = map.next_key()? {
                let value = map.next_value::<&'de RawValue>()?;
                (self.0)(&String::from_utf8_lossy(&key), value);
            }
            Ok(())
        }
    }

    serde_json::Deserializer::from_str(json).deserialize_map(Fields(f)).is_ok()
}

/// Gives every item of a JSON array to `f`, in order. `false` when it is no array or breaks off.
pub(crate) fn each_item<'a>(json: &'a str, f: impl FnMut(&'a RawValue)) -> bool {
    struct Items<F>(F);

    impl<'de, F: FnMut(&'de RawValue)> Visitor<'de> for Items<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
            while let Some(item) = seq.next_element::<&'de RawValue>()? {
                (self.0)(item);
            }
            Ok(())
        }
    }

    serde_json::Deserializer::from_str(json).deserialize_seq(Items(f)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn text_is_borrowed_unless_escaped() {
        assert!(matches!(Text::from_raw(raw(r#""abc""#)).unwrap().0, Cow::Borrowed("abc")));
        assert_eq!(&*Text::from_raw(raw(r#""a\/b\u00e9""#)).unwrap(), "a/bé");
        assert_eq!(&*Text::from_raw(raw("123456789012345678901234567890")).unwrap(), "123456789012345678901234567890");
        assert!(Text::from_raw(raw(r#""\ud800""#)).is_some());
        assert_eq!(&*Text::from_raw(raw(r#""""#)).unwrap(), "");
        assert!(["null", "true", "[]", "{}"].iter().all(|json| Text::from_raw(raw(json)).is_none()));
    }

    #[test]
    fn numbers_are_read_leniently() {
        assert_eq!(number(raw("60")), Some(60));
        assert_eq!(number(raw(r#"" 60 ""#)), Some(60));
        assert_eq!(number(raw("60.0")), Some(60));
        assert_eq!(number(raw("1e300")), Some(u64::MAX));
        assert!(["-1", "null", r#""x""#, r#""NaN""#, "[1]", "1e999"].iter().all(|json| number(raw(json)).is_none()));
    }

    #[test]
    fn fields_before_a_break_are_given() {
        let mut seen = Vec::new();
        assert!(!each_field(r#"{"a\u0062":1,"\ud800":2,"c":"#, |key, value| seen.push((key.to_owned(), value.get()))));
        assert_eq!(seen[0], ("ab".to_owned(), "1"));
        assert_eq!(seen.len(), 2);
        assert!(!each_field("[1]", |_, _| ()));
        assert!(!each_item("{}", |_| ()));
    }
}
