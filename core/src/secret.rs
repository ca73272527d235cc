//! Secret values, which do not print ([SEC-1](crate::protocol#sec-1)).

use std::fmt;

use url::Url;

/// A token, password or assertion. `Debug` prints `***`; equality is by value.
///
/// ```
/// use ringcentral_ws_core::Secret;
///
/// let token = Secret::from("hunter2");
/// assert_eq!(format!("{token:?}"), "Secret(***)");
/// assert_eq!(token.expose(), "hunter2");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<Box<str>>) -> Self {
        Self(value.into())
    }

    /// The value itself. The caller is responsible for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl From<String> for Secret {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

/// The URL of a connection, whose query contains credentials. `Debug` and `Display` print everything but the query.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Box<Url>);

impl SecretUrl {
    /// Wraps a URL.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self(Box::new(url))
    }

    /// The whole URL with its query.
    #[must_use]
    pub fn expose(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.expose().clone();
        let had_query = shown.query().is_some();
        shown.set_query(None);
        let _ = shown.set_password(None);
        write!(f, "{shown}{}", if had_query { "?***" } else { "" })
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[test]
    fn secrets_do_not_print() {
        let s = Secret::new("hunter2");
        assert!(!format!("{s:?}").contains("hunter2"));
        let u = SecretUrl::new("wss://h/ws?access_token=hunter2&wsc=abc".parse().unwrap());
        assert_eq!(u.to_string(), "wss://h/ws?***");
        assert!(!format!("{u:?}").contains("hunter2"));
    }
}
