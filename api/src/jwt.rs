//! Whose a JWT is, as far as it can be read.

use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;

/// Longest JWT whose subject is looked for, in bytes.
const MAX_JWT: usize = 64 << 10;

/// What a JWT says about its user.
#[derive(Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    #[serde(default)]
    pub(crate) iss: Option<String>,
}

impl Claims {
    /// `None` for what is no JWT or names no subject. The signature is not looked at.
    pub(crate) fn read(jwt: &str) -> Option<Self> {
        let mut parts = jwt.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || jwt.len() > MAX_JWT {
            return None;
        }
        let claims =
            serde_json::from_slice::<Self>(&BASE64URL_NOPAD.decode(payload.trim_end_matches('=').as_bytes()).ok()?)
                .ok()?;
        (!claims.sub.is_empty()).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::Secret;

    use super::*;
    use crate::ClientApp;

    fn app(server: &str, id: &str) -> ClientApp {
        ClientApp { server: server.parse().unwrap(), client_id: id.to_owned(), client_secret: None }
    }

    fn jwt(payload: &str, signature: &str) -> Secret {
        let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        format!("{}.{}.{signature}", part(r#"{"alg":"RS256"}"#), part(payload)).into()
    }

    // CLAUSE TOK-10
    #[test]
    fn a_jwt_issued_again_for_the_same_user_has_the_same_identity() {
        let app = app("https://h.example", "id");
        let of = |payload: &str, signature: &str| app.jwt_identity(&jwt(payload, signature));
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
        let of = |text: &str| app.jwt_identity(&text.into());
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
}
