//! Whose a stored session or login is (TOK-10).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use url::Url;

use super::ClientApp;
use crate::secret::Secret;

/// First in every hash, so that it is never that of another purpose.
const DOMAIN: &str = "ringcentral-ws identity 1";
/// Longest JWT whose subject is looked for, in bytes.
const MAX_JWT: usize = 64 << 10;

/// Whose a session is: a hash of the server, the app and the user, which gives none of them away. A stored session is
/// bound to it ([`Config::identity`](crate::Config::identity)), so that another user's program does not continue it.
///
/// ```
/// # use ringcentral_ws_core::oauth::{ClientApp, Identity};
/// # let server = "https://platform.ringcentral.com".parse()?;
/// let app = ClientApp { server, client_id: "id".to_owned(), client_secret: None };
/// assert_eq!(Identity::of_user(&app, "62219004"), Identity::of_user(&app, "62219004"));
/// assert_ne!(Identity::of_user(&app, "62219004"), Identity::of_user(&app, "62220004"));
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(u128);

impl Identity {
    /// Of the user that a JWT is for. That is its subject (`sub`, with its issuer `iss`) where it can be read, so a JWT
    /// that is issued again for the same user has the same identity; of any other text it is the whole of it. The
    /// signature is not checked: it says who the program means to be, and the server decides whether that is so.
    #[must_use]
    pub fn of_jwt(app: &ClientApp, jwt: &Secret) -> Self {
        let jwt = jwt.expose().trim();
        match Claims::read(jwt) {
            Some(claims) => Self::new(app, &["subject", &claims.iss.unwrap_or_default(), &claims.sub]),
            None => Self::new(app, &["jwt", jwt]),
        }
    }

    /// Of a user by a name that stays the same: `owner_id` of a token answer ([`TokenSet`](super::TokenSet)), or one that
    /// the program has for its users.
    #[must_use]
    pub fn of_user(app: &ClientApp, user: &str) -> Self {
        Self::new(app, &["user", user])
    }

    /// The same for who has no [`ClientApp`].
    #[must_use]
    pub fn named(server: &Url, client_id: &str, user: &str) -> Self {
        Self::hash(server, client_id, &["user", user])
    }

    fn new(app: &ClientApp, parts: &[&str]) -> Self {
        Self::hash(&app.server, &app.client_id, parts)
    }

    fn hash(server: &Url, client_id: &str, parts: &[&str]) -> Self {
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

/// What a JWT says about its user.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(default)]
    iss: Option<String>,
}

impl Claims {
    fn read(jwt: &str) -> Option<Self> {
        let mut parts = jwt.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || jwt.len() > MAX_JWT {
            return None;
        }
        let claims = serde_json::from_slice::<Self>(&unbase64_url(payload)?).ok()?;
        (!claims.sub.is_empty()).then_some(claims)
    }
}

/// Reads base64 for URLs, with or without padding.
fn unbase64_url(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        let mut bits = 0;
        for (i, letter) in chunk.iter().enumerate() {
            let six = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            bits |= u32::from(six) << (18 - 6 * i);
        }
        // A single letter at the end holds no byte.
        let whole = chunk.len().checked_sub(1).filter(|whole| *whole > 0)?;
        bytes.extend_from_slice(&bits.to_be_bytes()[1..=whole]);
    }
    Some(bytes)
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
    use super::super::base64_url;
    use super::*;

    fn app(server: &str, id: &str) -> ClientApp {
        ClientApp { server: server.parse().unwrap(), client_id: id.to_owned(), client_secret: None }
    }

    fn jwt(payload: &str, signature: &str) -> Secret {
        let part = |text: &str| base64_url(text.as_bytes());
        format!("{}.{}.{signature}", part(r#"{"alg":"RS256"}"#), part(payload)).into()
    }

    // CLAUSE TOK-10
    #[test]
    fn a_jwt_issued_again_for_the_same_user_has_the_same_identity() {
        let app = app("https://h.example", "id");
        let of = |payload: &str, signature: &str| Identity::of_jwt(&app, &jwt(payload, signature));
        let first = of(r#"{"sub":"4711","iss":"i","exp":1}"#, "s1");
        assert_eq!(first, of(r#"{"exp":2,"iss":"i","jti":"j","sub":"4711"}"#, "s2"));
        for other in [
            r#"{"sub":"4712","iss":"i"}"#,
            r#"{"sub":"4711","iss":"j"}"#,
            r#"{"sub":"4711"}"#,
            r#"{"sub":"i4711","iss":""}"#,
            r#"{"sub":"","iss":"i"}"#,
            r#"{"sub":4711,"iss":"i"}"#,
            r#"{"sub":"4711","sub":"4711","iss":"i"}"#,
            r#"{"iss":"i"}"#,
            "4711",
        ] {
            assert_ne!(first, of(other, "s1"), "{other}");
        }
    }

    // CLAUSE TOK-10
    #[test]
    fn what_is_no_jwt_is_taken_whole() {
        let app = app("https://h.example", "id");
        let of = |text: &str| Identity::of_jwt(&app, &text.into());
        let good = jwt(r#"{"sub":"4711"}"#, "s");
        let good = good.expose();
        let (head, rest) = good.split_once('.').unwrap();
        let payload = rest.split('.').next().unwrap();
        let unreadable = ["", "opaque", "a.b", "gateway.user-0.jwt", "a.b.c.d", "a.!!!.c", "a.AAAAA.c"];
        let odd = [format!("{good}.x"), format!("{head}.{payload}"), format!("{head}.x{payload}.s")];
        let all: Vec<&str> = unreadable.into_iter().chain(odd.iter().map(String::as_str)).collect();
        for (i, text) in all.iter().enumerate() {
            assert_ne!(of(text), of(good), "{text}");
            all[..i].iter().for_each(|before| assert_ne!(of(text), of(before), "{text} {before}"));
        }
        assert_eq!(of(" opaque\n"), of("opaque"), "as it stands in a file or a variable");
        assert_eq!(of(&format!("{head}.{payload}==.s")), of(good), "padding is no part of it");
        let long = jwt(&format!(r#"{{"sub":"4711","x":"{}"}}"#, "x".repeat(MAX_JWT)), "s");
        assert_ne!(of(long.expose()), of(good));
    }

    // CLAUSE TOK-10 SEC-1
    #[test]
    fn it_names_server_app_and_user_and_shows_none_of_them() {
        let user = |server: &str, id: &str, user: &str| Identity::of_user(&app(server, id), user);
        let one = user("https://h.example", "id", "hunter2");
        assert_eq!(one, user("https://h.example/base", "id", "hunter2"), "one server");
        assert_eq!(one, Identity::named(&"https://h.example".parse().unwrap(), "id", "hunter2"));
        for other in [
            user("https://h.example:1", "id", "hunter2"),
            user("http://h.example", "id", "hunter2"),
            user("https://h.example", "idh", "unter2"),
            user("https://h.example", "id", "hunter3"),
            Identity::of_jwt(&app("https://h.example", "id"), &"hunter2".into()),
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
