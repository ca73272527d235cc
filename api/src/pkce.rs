//! Proof Key for Code Exchange (RFC 7636): a login by authorization code that a stolen code cannot complete.

use std::fmt;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::Request;
use ringcentral_ws_core::Secret;
use sha2::{Digest, Sha256};
use url::Url;

use crate::ClientApp;

/// One login by authorization code: made before the user's browser is sent away, used once when it comes back.
#[derive(Clone, PartialEq, Eq)]
pub struct Pkce {
    verifier: Secret,
    challenge: String,
}

impl Pkce {
    /// Makes a verifier of 43 characters from 32 random bytes, which must come from a cryptographic source and be
    /// used for this login only.
    #[must_use]
    pub fn new(random: [u8; 32]) -> Self {
        Self::from_verifier(BASE64URL_NOPAD.encode(&random))
    }

    /// Takes a verifier that was kept, for instance in the user's web session: 43 to 128 unreserved characters.
    #[must_use]
    pub fn from_verifier(verifier: impl Into<Secret>) -> Self {
        let verifier = verifier.into();
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(verifier.expose().as_bytes()));
        Self { verifier, challenge }
    }

    /// The secret half. It leaves only with the exchange.
    #[must_use]
    pub const fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// The public half: the `S256` code challenge.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// Where to send the user's browser. `state` comes back with the code: compare it with what was given here.
    #[must_use]
    pub fn authorize_url(&self, app: &ClientApp, redirect_uri: &str, state: &str) -> Url {
        app.authorize_url(redirect_uri, state, Some(&self.challenge))
    }

    /// Exchanges the code that came back. `redirect_uri` must be the same as before. Read the answer with
    /// [`TokenSet::parse`](crate::TokenSet::parse).
    #[must_use]
    pub fn exchange_request(&self, app: &ClientApp, code: &Secret, redirect_uri: &str) -> Request<Bytes> {
        app.code_request(code, redirect_uri, Some(&self.verifier))
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkce").field("challenge", &self.challenge).finish_non_exhaustive()
    }
}

/// What the browser brought back to the redirect address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Callback {
    /// The user agreed: exchange this within a minute.
    Code(Secret),
    /// The user or the server refused.
    Refused {
        /// The OAuth error, such as `access_denied`.
        error: String,
        /// One line for people, if the server gave one.
        description: Option<String>,
    },
    /// It belongs to another login, or to nobody's: `state` differs, or there is neither code nor error.
    Foreign,
}

impl Callback {
    /// Reads the address the browser was sent back to, which must carry this `state`.
    #[must_use]
    pub fn read(address: &Url, state: &str) -> Self {
        let get = |name: &str| address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if get("state").as_deref() != Some(state) {
            return Self::Foreign;
        }
        match (get("error"), get("code")) {
            (Some(error), _) => Self::Refused { error, description: get("error_description") },
            (None, Some(code)) if !code.is_empty() => Self::Code(Secret::new(code)),
            (None, _) => Self::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let random = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214, 191,
            240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let pkce = Pkce::new(random);
        assert_eq!(pkce.verifier().expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(Pkce::from_verifier(pkce.verifier().clone()), pkce);
    }

    // CLAUSE SEC-1
    #[test]
    fn url_and_exchange_belong_together_and_the_verifier_stays_hidden() {
        let server = "https://h.example".parse().unwrap();
        let app = ClientApp { server, client_id: "id".to_owned(), client_secret: None };
        let pkce = Pkce::new([7; 32]);
        let url = pkce.authorize_url(&app, "http://localhost:1/cb", "s t");
        assert!(url.as_str().contains(&format!("code_challenge={}&code_challenge_method=S256", pkce.challenge())));
        assert!(!url.as_str().contains(pkce.verifier().expose()));
        let exchange = pkce.exchange_request(&app, &"c".into(), "http://localhost:1/cb");
        let form = std::str::from_utf8(exchange.body()).unwrap();
        assert!(form.contains(&format!("code_verifier={}", pkce.verifier().expose())), "{form}");
        assert!(!format!("{pkce:?}").contains(pkce.verifier().expose()));
    }

    #[test]
    fn callbacks_are_distinguished() {
        let read = |query: &str| Callback::read(&format!("http://localhost:1/cb?{query}").parse().unwrap(), "s 1");
        assert_eq!(read("code=a%2Bb&state=s+1"), Callback::Code("a+b".into()));
        let refused = Callback::Refused { error: "access_denied".into(), description: Some("no".into()) };
        assert_eq!(read("error=access_denied&error_description=no&state=s+1"), refused);
        for foreign in ["code=a&state=s2", "code=a", "state=s+1", "code=&state=s+1", ""] {
            assert_eq!(read(foreign), Callback::Foreign, "{foreign}");
        }
    }
}
