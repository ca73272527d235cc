//! The OAuth calls a credential source needs, as plain requests and answers, and [`Login`], which makes them at the
//! right time.

mod budget;
#[cfg(test)]
mod crowd_tests;
mod env;
mod identity;
mod limiter;
mod line;
mod login;
#[cfg(test)]
mod login_tests;
mod pkce;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use url::{Url, form_urlencoded};

pub use self::budget::TokenBudget;
pub use self::env::EnvError;
pub use self::identity::{Identity, NotAnIdentity};
pub use self::limiter::{LoginCall, LoginKey, LoginKind, LoginLimiter, LoginLimits, LoginWait};
pub use self::login::{Login, LoginStep, fixed_token, source_panicked};
pub use self::pkce::{Callback, Pkce};
use crate::classify::{ApiErrorInfo, Class, lookup};
use crate::input::{AuthFailure, AuthFailureKind};
use crate::mask::Masker;
use crate::secret::Secret;
use crate::wire::{MAX_HANDLE, Text, each_field, number};

/// Life of an access token that does not tell it: the shortest the server gives.
const SHORTEST_LIFE: u64 = 600;
/// Floor for the next try after a 429 without `Retry-After`.
const RATE_PENALTY: Duration = Duration::from_secs(60);

/// An app as registered with RingCentral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientApp {
    /// The server, such as `https://platform.ringcentral.com`.
    pub server: Url,
    /// The app's id.
    pub client_id: String,
    /// Its secret; `None` for a public client, which sends its id in the form instead.
    pub client_secret: Option<Secret>,
}

impl ClientApp {
    /// Logs in with a JWT. Each login is a new session, which cannot recover an older one.
    #[must_use]
    pub fn jwt_request(&self, jwt: &Secret) -> Request<Bytes> {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        self.request("token", &[("grant_type", grant), ("assertion", jwt.expose())])
    }

    /// Exchanges a refresh token. The session stays the same, so recovery works.
    #[must_use]
    pub fn refresh_request(&self, refresh: &Secret) -> Request<Bytes> {
        self.request("token", &[("grant_type", "refresh_token"), ("refresh_token", refresh.expose())])
    }

    /// Exchanges an authorization code; `verifier` is the PKCE code verifier.
    #[must_use]
    pub fn code_request(&self, code: &Secret, redirect_uri: &str, verifier: Option<&Secret>) -> Request<Bytes> {
        let mut form =
            vec![("grant_type", "authorization_code"), ("code", code.expose()), ("redirect_uri", redirect_uri)];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier.expose())));
        self.request("token", &form)
    }

    /// Revokes an access or refresh token and with it the session.
    #[must_use]
    pub fn revoke_request(&self, token: &Secret) -> Request<Bytes> {
        self.request("revoke", &[("token", token.expose())])
    }

    /// Where to send a user's browser; `challenge` is the PKCE `S256` code challenge.
    #[must_use]
    pub fn authorize_url(&self, redirect_uri: &str, state: &str, challenge: Option<&str>) -> Url {
        let mut url = self.endpoint("authorize");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code").append_pair("client_id", &self.client_id);
            query.append_pair("redirect_uri", redirect_uri).append_pair("state", state);
            if let Some(challenge) = challenge {
                query.append_pair("code_challenge", challenge).append_pair("code_challenge_method", "S256");
            }
        }
        url
    }

    /// Knows the app's secret, also as it is sent. Teach it the secrets of a login with
    /// [`Masker::learn_request`], and give it to [`TokenSet::parse_masked`].
    #[must_use]
    pub fn masker(&self) -> Masker {
        let mut masker = Masker::new();
        if let Some(secret) = &self.client_secret {
            masker.learn(secret.expose());
            masker.learn(&self.basic(secret));
        }
        if let Some(password) = self.server.password() {
            masker.learn(password);
        }
        masker
    }

    fn basic(&self, secret: &Secret) -> String {
        base64(format!("{}:{}", self.client_id, secret.expose()).as_bytes())
    }

    fn endpoint(&self, name: &str) -> Url {
        let mut url = self.server.clone();
        let path = format!("{}/restapi/oauth/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        // These fail only for addresses that cannot have a user, which is what is wanted.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url
    }

    fn request(&self, name: &str, form: &[(&str, &str)]) -> Request<Bytes> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let secret = self.client_secret.as_ref().filter(|secret| !secret.expose().is_empty());
        if secret.is_none() {
            body.append_pair("client_id", &self.client_id);
        }
        let mut request = Request::new(Bytes::from(body.finish()));
        *request.method_mut() = Method::POST;
        // An address that is no URI has none to call either; the driver reports it.
        *request.uri_mut() = self.endpoint(name).as_str().parse::<Uri>().unwrap_or_default();
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = secret
            && let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", self.basic(secret)))
        {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        request
    }
}

/// Base64 for URLs, without padding.
fn base64_url(bytes: &[u8]) -> String {
    base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// Standard base64 with padding, as in `Basic` credentials.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for i in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// The tokens of a login or a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    /// The access token.
    pub access_token: Secret,
    /// Its life from now.
    pub expires_in: Duration,
    /// The refresh token: for one use only. `None` when the app is not allowed one.
    pub refresh_token: Option<Secret>,
    /// Its life from now.
    pub refresh_expires_in: Option<Duration>,
    /// The permissions granted.
    pub scope: Option<Box<str>>,
    /// The extension that logged in.
    pub owner_id: Option<Box<str>>,
}

impl TokenSet {
    /// Reads the answer to one of the token requests.
    ///
    /// # Errors
    ///
    /// A permanent failure when the service refuses the grant or the client: a status 4xx with a word of RFC 6749 or a
    /// code of RingCentral's. Anything else is transient (BCK-5): 408, 429, 5xx, an answer that cannot be read, a
    /// refusal without a code, which is not the service's own word (it may be a captive portal's), and one with a word
    /// that nobody has agreed on.
    ///
    /// The failure has the server's words in it. A server that quotes the request gives its secrets away with them:
    /// [`parse_masked`](Self::parse_masked) knows them.
    pub fn parse(response: &Response<Bytes>) -> Result<Self, AuthFailure> {
        Self::parse_masked(response, &Masker::new())
    }

    /// The same, with `***` in place of the secrets that `masker` knows wherever the server quotes them.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_masked(response: &Response<Bytes>, masker: &Masker) -> Result<Self, AuthFailure> {
        let status = response.status();
        if status.is_success() {
            let mut set = Self::read(response.body())
                .ok_or_else(|| AuthFailure::transient("the answer of the token service could not be read"))?;
            for shown in [&mut set.scope, &mut set.owner_id].into_iter().flatten() {
                *shown = masker.mask(shown).into();
            }
            return Ok(set);
        }
        let error = ApiErrorInfo::from_reply_masked(status.as_u16(), response.headers(), response.body(), masker);
        let permanent = status.is_client_error()
            && error.code.as_deref().is_some_and(is_refusal)
            && status != http::StatusCode::REQUEST_TIMEOUT
            && !matches!(error.class(), Class::RateLimited | Class::Transient);
        let floor = (error.class() == Class::RateLimited).then_some(RATE_PENALTY);
        let kind = if permanent { AuthFailureKind::Permanent } else { refusal(&error) };
        Err(AuthFailure {
            kind,
            message: error.to_string().into(),
            retry_after: if permanent { None } else { error.retry_after.or(floor) },
            code: error.code,
        })
    }

    fn read(body: &[u8]) -> Option<Self> {
        let json = std::str::from_utf8(body).ok()?;
        let (mut access, mut life, mut refresh, mut refresh_life) = (None, None, None, None);
        let (mut scope, mut owner_id) = (None, None);
        let whole = each_field(json, |key, value| {
            // What is too long for a header or for memory is as good as nothing (SEC-3).
            let fits = |text: &Text<'_>| (1..=MAX_HANDLE).contains(&text.len());
            let text = || Text::from_raw(value).filter(fits).map(|text| text.boxed());
            match key {
                "access_token" => access = text(),
                "expires_in" => life = number(value),
                "refresh_token" => refresh = text(),
                "refresh_token_expires_in" => refresh_life = number(value),
                "scope" => scope = text(),
                "owner_id" => owner_id = text(),
                _ => {}
            }
        });
        let set = Self {
            access_token: Secret::new(access?),
            expires_in: Duration::from_secs(life.unwrap_or(SHORTEST_LIFE)),
            refresh_token: refresh.map(Secret::new),
            refresh_expires_in: refresh_life.map(Duration::from_secs),
            scope,
            owner_id,
        };
        whole.then_some(set)
    }
}

/// Words of refusal: RFC 6749, section 5.2, and one of 4.1.2.1.
const REFUSALS: [&str; 7] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
];

/// Whether the code of an error is a word of refusal or a code of RingCentral's, such as `OAU-213`, known or not.
fn is_refusal(code: &str) -> bool {
    let is_numbered = |(area, number): (&str, &str)| {
        let (area, number) = (area.as_bytes(), number.as_bytes());
        let both = !area.is_empty() && !number.is_empty();
        both && area.iter().all(u8::is_ascii_uppercase) && number.iter().all(u8::is_ascii_digit)
    };
    REFUSALS.contains(&code) || lookup(code).is_some() || code.split_once('-').is_some_and(is_numbered)
}

/// What a refusal that may pass is.
fn refusal(error: &ApiErrorInfo) -> AuthFailureKind {
    match error.class() {
        Class::RateLimited => AuthFailureKind::RateLimited,
        _ if error.status >= 500 => AuthFailureKind::Unavailable,
        _ => AuthFailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(secret: Option<&str>) -> ClientApp {
        ClientApp {
            server: "https://u:p@h.example/base/?q#f".parse().unwrap(),
            client_id: "id&1".to_owned(),
            client_secret: secret.map(Secret::from),
        }
    }

    fn reply(status: u16, body: &'static str) -> Result<TokenSet, AuthFailure> {
        TokenSet::parse(&Response::builder().status(status).body(Bytes::from(body)).unwrap())
    }

    #[test]
    fn base64_pads() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }

    // CLAUSE SEC-1
    #[test]
    fn requests_hide_the_secret() {
        let request = app(Some("s3cret")).jwt_request(&Secret::new("j+t"));
        assert_eq!(request.uri(), "https://h.example/base/restapi/oauth/token");
        assert_eq!(request.method(), Method::POST);
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        assert_eq!(request.headers()[header::AUTHORIZATION], "Basic aWQmMTpzM2NyZXQ=");
        assert_eq!(
            &request.body()[..],
            b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=j%2Bt"
        );
        assert!(!format!("{:?}{:?}", app(Some("s3cret")), request.headers()).contains("s3cret"));
    }

    #[test]
    fn public_clients_name_themselves() {
        let public = app(None);
        let request = public.code_request(&"c".into(), "http://l/", Some(&"v".into()));
        assert!(!request.headers().contains_key(header::AUTHORIZATION));
        let form =
            b"grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2Fl%2F&code_verifier=v&client_id=id%261";
        assert_eq!(&request.body()[..], form);
        assert_eq!(&public.revoke_request(&"t".into()).body()[..], b"token=t&client_id=id%261");
        let refresh = b"grant_type=refresh_token&refresh_token=r&client_id=id%261";
        assert_eq!(&public.refresh_request(&"r".into()).body()[..], refresh);
        assert_eq!(
            public.authorize_url("http://l/", "s t", Some("ch")).as_str(),
            "https://h.example/base/restapi/oauth/authorize?response_type=code&client_id=id%261&\
             redirect_uri=http%3A%2F%2Fl%2F&state=s+t&code_challenge=ch&code_challenge_method=S256"
        );
    }

    #[test]
    fn answers_are_told_apart() {
        let set = reply(200, r#"{"access_token":"a","expires_in":"3600","refresh_token":"r","owner_id":7}"#).unwrap();
        assert_eq!((set.expires_in.as_secs(), set.owner_id.as_deref()), (3600, Some("7")));
        assert!(!format!("{set:?}").contains("\"a\""));
        for (status, body) in [
            (400, r#"{"error":"invalid_grant"}"#),
            (401, r#"{"error":"invalid_client"}"#),
            (400, r#"{"errors":[{"errorCode":"OAU-213"}]}"#),
            (401, r#"{"errorCode":"OAU-123"}"#),
            (400, r#"{"errorCode":"OAU-999","error":"a_new_word"}"#),
            (403, r#"{"errorCode":"InsufficientPermissions"}"#),
        ] {
            let failure = reply(status, body).unwrap_err();
            assert!(failure.is_permanent() && failure.code.is_some(), "{body}");
        }
        for word in REFUSALS {
            for (status, permanent) in [(400, true), (401, true), (408, false), (429, false), (500, false)] {
                let answer = Response::builder().status(status).body(Bytes::from(format!(r#"{{"error":"{word}"}}"#)));
                let failure = TokenSet::parse(&answer.unwrap()).unwrap_err();
                assert_eq!((failure.is_permanent(), failure.code.as_deref()), (permanent, Some(word)), "{status}");
            }
        }
        // A word that RFC 6749 does not have may mean anything: `temporarily_unavailable` does.
        for status in [400, 401, 403] {
            for word in ["a_new_word", "temporarily_unavailable", "slow_down", "", "-5", "OAU-"] {
                let answer = Response::builder().status(status).body(Bytes::from(format!(r#"{{"error":"{word}"}}"#)));
                assert!(!TokenSet::parse(&answer.unwrap()).unwrap_err().is_permanent(), "{status} {word}");
            }
        }
        let long = format!(r#"{{"access_token":"a","scope":"{0}","owner_id":"{0}"}}"#, "x".repeat(MAX_HANDLE + 1));
        let set = TokenSet::parse(&Response::new(Bytes::from(long.clone()))).unwrap();
        assert!(set.scope.is_none() && set.owner_id.is_none());
        let long = long.replace("scope", "access_token");
        assert!(!TokenSet::parse(&Response::new(Bytes::from(long))).unwrap_err().is_permanent());
        for (status, body) in
            [(403, "<html>"), (404, ""), (200, "{}"), (200, "<html>"), (302, ""), (408, ""), (500, ""), (503, "x")]
        {
            assert!(!reply(status, body).unwrap_err().is_permanent(), "{status}");
        }
        let limited = reply(429, "").unwrap_err();
        assert_eq!((limited.kind, limited.retry_after), (AuthFailureKind::RateLimited, Some(RATE_PENALTY)));
        let busy = Response::builder().status(503).header(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:51:07 GMT");
        let dated = busy.header(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT").body(Bytes::new()).unwrap();
        assert_eq!(TokenSet::parse(&dated).unwrap_err().retry_after, Some(Duration::from_secs(90)));
    }
}
