//! The body of a REST request.

use std::fmt;

use bytes::Bytes;
use serde::Serialize;

/// The body of a REST request: bytes, which clones share. `Debug` shows how many there are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(Bytes);

impl Body {
    /// No body.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Bytes::new())
    }

    /// `value` as JSON. Set the header `Content-Type: application/json` beside it; the methods `post` and `put` of a
    /// client do.
    ///
    /// ```
    /// use ringcentral_ws_core::Body;
    ///
    /// let body = Body::json(&serde_json::json!({ "text": "hello" }))?;
    /// assert_eq!(body.as_bytes(), r#"{"text":"hello"}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The value cannot be written as JSON, for example a map whose keys are no strings.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self(serde_json::to_vec(value)?.into()))
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// Whether there is no body.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Body {
    /// Shows the length only: a body may hold what a user wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(bytes)
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Self(Bytes::from_static(bytes))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Body {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_hides_content() {
        let body = Body::from("hello".to_owned());
        assert_eq!(format!("{body:?}"), "Body(5 bytes)");
        assert_eq!(body, Body::from(&b"hello"[..]));
        assert_eq!(Body::json(&["a"]).unwrap(), Body::from(r#"["a"]"#));
        assert!(Body::json(&std::collections::BTreeMap::from([(["a"], 1)])).is_err(), "a key is no string");
        assert!(Body::default().is_empty() && Body::empty().as_bytes().is_empty());
    }
}
