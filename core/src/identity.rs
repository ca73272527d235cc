//! Whose a stored session or login is ([TOK-10](crate::protocol#tok-10)).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use url::Url;

/// First in every hash, so that it is never that of another purpose.
const DOMAIN: &str = "ringcentral-ws identity 1";

/// Whose a session is: a hash of the server, the app and the user, which gives none of them away. A stored session is
/// bound to it ([`Config::identity`](crate::Config::identity)), so that another user's program does not continue it.
///
/// ```
/// # use ringcentral_ws_core::Identity;
/// # let server = "https://platform.ringcentral.com".parse()?;
/// let one = Identity::named(&server, "client-id", "62219004");
/// assert_eq!(one, Identity::named(&server, "client-id", "62219004"));
/// assert_ne!(one, Identity::named(&server, "client-id", "62220004"));
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(u128);

impl Identity {
    /// Of a user by a name that stays the same: `owner_id` of a token answer, or one that the program has for its
    /// users.
    #[must_use]
    pub fn named(server: &Url, client_id: &str, user: &str) -> Self {
        Self::of_parts(server, client_id, &["user", user])
    }

    /// Of a user whose name has several parts, such as the issuer and the subject of a JWT. Other parts, or the same in
    /// another order or cut elsewhere, are another user.
    #[must_use]
    pub fn of_parts(server: &Url, client_id: &str, parts: &[&str]) -> Self {
        let server = server.origin().ascii_serialization();
        let mut hash = Sha256::new();
        for part in [DOMAIN, &server, client_id].into_iter().chain(parts.iter().copied()) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut half = [0; 16];
        half.copy_from_slice(&hash.finalize()[..16]);
        Self(u128::from_be_bytes(half))
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({self})")
    }
}

/// The text is not the 32 hexadecimal digits of an [`Identity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnIdentity;

impl fmt::Display for NotAnIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an identity is 32 hexadecimal digits, as its Display writes them")
    }
}

impl std::error::Error for NotAnIdentity {}

impl FromStr for Identity {
    type Err = NotAnIdentity;

    fn from_str(text: &str) -> Result<Self, NotAnIdentity> {
        let digits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        number.map(Self).ok_or(NotAnIdentity)
    }
}

impl Serialize for Identity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Identity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE TOK-10 SEC-1
    #[test]
    fn it_names_server_app_and_user_and_shows_none_of_them() {
        let url = |server: &str| server.parse::<Url>().unwrap();
        let user = |server: &str, id: &str, user: &str| Identity::named(&url(server), id, user);
        let one = user("https://h.example", "id", "hunter2");
        assert_eq!(one, user("https://h.example/base", "id", "hunter2"), "one server");
        for other in [
            user("https://h.example:1", "id", "hunter2"),
            user("http://h.example", "id", "hunter2"),
            user("https://h.example", "idh", "unter2"),
            user("https://h.example", "id", "hunter3"),
            Identity::of_parts(&url("https://h.example"), "id", &["jwt", "hunter2"]),
            Identity::of_parts(&url("https://h.example"), "id", &["user", "hunter", "2"]),
        ] {
            assert_ne!(one, other);
        }
        let shown = format!("{one} {one:?}");
        assert!(shown.len() == 32 + 1 + "Identity()".len() + 32 && !shown.contains("hunter2"), "{shown}");
        // Stored sessions hold it in this form.
        assert_eq!(one.to_string(), "248dd2c428d569953a112f006dab770d");
    }

    // CLAUSE PST-3 TOK-10
    #[test]
    fn its_text_is_read_back_and_nothing_else_is() {
        let one = Identity(0x0123_4567_89ab_cdef);
        let text = "00000000000000000123456789abcdef";
        assert_eq!((one.to_string().as_str(), text.parse()), (text, Ok(one)));
        assert_eq!(serde_json::from_str::<Identity>(&serde_json::to_string(&one).unwrap()).unwrap(), one);
        for bad in ["", "+0000000000000000123456789abcdef", &text[1..], &format!("{text}0"), &text.to_uppercase(), "é"]
        {
            assert_eq!(bad.parse::<Identity>(), Err(NotAnIdentity), "{bad}");
            assert!(serde_json::from_str::<Identity>(&serde_json::to_string(bad).unwrap()).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Identity>("7").is_err());
    }
}
