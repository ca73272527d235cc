//! How values are written in JSON that others read, where serde has no form of its own or not the right one.
//!
//! Numbers: many languages hold them as doubles, which are exact up to 2^53 - 1 only.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserializer, Serializer};

/// The greatest number that every reader of JSON sees as it was written.
pub(crate) const MAX_EXACT: u64 = (1 << 53) - 1;

/// A number as a number where every reader sees it exactly, else as text.
pub(crate) mod exact {
    use super::{Deserializer, Either, MAX_EXACT, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        if *number > MAX_EXACT { serializer.collect_str(number) } else { serializer.serialize_u64(*number) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

/// A number that means the same when it is cut off at [`MAX_EXACT`].
pub(crate) mod bounded {
    use serde::Deserialize as _;

    use super::{Deserializer, MAX_EXACT, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64((*number).min(MAX_EXACT))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::deserialize(deserializer).map(|number| number.min(MAX_EXACT))
    }
}

/// A URL as text.
#[cfg(feature = "recorder")]
pub(crate) mod url {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use url::Url;

    pub(crate) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(url.as_str())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Url, D::Error> {
        Url::parse(&String::deserialize(deserializer)?).map_err(|_| D::Error::custom("an address"))
    }
}

/// A secret that was replaced by its name: it is written as it is.
#[cfg(feature = "recorder")]
pub(crate) mod named_secret {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::secret::Secret;

    pub(crate) fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::from)
    }
}

/// The same of what may be missing.
#[cfg(feature = "recorder")]
pub(crate) mod named_secret_option {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use crate::secret::Secret;

    pub(crate) fn serialize<S: Serializer>(secret: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(Secret::expose).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Secret::from))
    }
}

struct Either;

impl Visitor<'_> for Either {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a number as text")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        // Without the text: it may be a secret that stands in the wrong place.
        text.parse().map_err(|_| E::custom("text that is no number"))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Exact(#[serde(with = "exact")] u64);

    #[test]
    fn what_a_double_does_not_hold_is_text() {
        for (number, json) in [
            (0, "0"),
            (MAX_EXACT, "9007199254740991"),
            (MAX_EXACT + 1, r#""9007199254740992""#),
            (u64::MAX, r#""18446744073709551615""#),
        ] {
            assert_eq!(serde_json::to_string(&Exact(number)).unwrap(), json);
            assert_eq!(serde_json::from_str::<Exact>(json).unwrap(), Exact(number));
        }
        assert_eq!(
            serde_json::from_str::<Exact>("9007199254740993").unwrap(),
            Exact(MAX_EXACT + 2),
            "as it was written"
        );
        for bad in [r#""""#, r#""-1""#, "-1", "null", r#""18446744073709551616""#] {
            assert!(serde_json::from_str::<Exact>(bad).is_err(), "{bad}");
        }
    }

    #[cfg(feature = "recorder")]
    #[test]
    fn a_secret_that_may_be_missing_is_read_as_it_was_written() {
        #[derive(Serialize, Deserialize)]
        struct Named(#[serde(with = "named_secret_option")] Option<crate::secret::Secret>);

        for (secret, json) in [(Some("name"), r#""name""#), (None, "null")] {
            assert_eq!(serde_json::to_string(&Named(secret.map(Into::into))).unwrap(), json);
            let Named(read) = serde_json::from_str(json).unwrap();
            assert_eq!(read.as_ref().map(crate::secret::Secret::expose), secret);
        }
    }
}
