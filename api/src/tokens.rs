//! The answers of the token service.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use ringcentral_ws_core::classify::{ApiError, Class, lookup};
use ringcentral_ws_core::json::{Text, each_field, number};
use ringcentral_ws_core::{AuthFailure, AuthFailureKind, Identity, Masker, Secret, UnixMillis};

/// Life of an access token whose answer does not say it: the shortest the server gives.
const SHORTEST_LIFE: u64 = 600;
/// Longest token or other text believed, in bytes (SEC-3).
const MAX_TEXT: usize = 64 << 10;

/// The tokens of a login or a refresh.
///
/// A set can be stored: [`Serialize`](serde::Serialize) and [`Deserialize`](serde::Deserialize) write and read it whole.
/// That writes the tokens out on purpose, and who has them is the user: store them where nobody else reads, such as a
/// file of mode 0600. `Debug` does not show them. What a login hands to `on_tokens` knows its age and whose it is, so
/// that a later start counts the time between, and a login of another app or user refuses it.
///
/// ```
/// # use ringcentral_ws_api::TokenSet;
/// # fn store(tokens: &TokenSet) -> Result<(), serde_json::Error> {
/// let json = serde_json::to_string(tokens)?;
/// let again: TokenSet = serde_json::from_str(&json)?;
/// assert_eq!(again, *tokens);
/// # Ok(())
/// # }
/// # let answer = http::Response::new(r#"{"access_token":"a","expires_in":60}"#.into());
/// # store(&TokenSet::parse(&answer).unwrap()).unwrap();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSet {
    /// The access token.
    pub access_token: Secret,
    /// Its life, counted from [`issued_at`](Self::issued_at), or from now if that is not known. Stored in whole seconds.
    pub expires_in: Duration,
    /// The refresh token: for one use only. `None` when the app is not allowed one.
    pub refresh_token: Option<Secret>,
    /// Its life, counted like that of the access token.
    pub refresh_expires_in: Option<Duration>,
    /// The permissions granted.
    pub scope: Option<Box<str>>,
    /// The extension that logged in.
    pub owner_id: Option<Box<str>>,
    /// When they were issued. A credential source says it in what it hands to `on_tokens`. Say it yourself of an answer
    /// that you have just parsed and store for later.
    pub issued_at: Option<UnixMillis>,
    /// Which server and app they were issued for; a login says it of what it got.
    pub app: Option<Identity>,
    /// Whose they are; a login says it of what it got, if it knows.
    pub identity: Option<Identity>,
}

impl TokenSet {
    /// The same as they are at `now`: what they have lived since [`issued_at`](Self::issued_at) is gone from their lives.
    /// A clock that was put back makes them no younger than new.
    #[must_use]
    pub fn aged(mut self, now: UnixMillis) -> Self {
        if let Some(issued) = self.issued_at {
            let age = Duration::from_millis(now.0.saturating_sub(issued.0));
            self.expires_in = self.expires_in.saturating_sub(age);
            self.refresh_expires_in = self.refresh_expires_in.map(|life| life.saturating_sub(age));
            self.issued_at = Some(now);
        }
        self
    }

    /// Reads the answer to one of the token requests.
    ///
    /// # Errors
    ///
    /// A permanent failure when the service refuses the grant or the client: a status 4xx with a word of RFC 6749 or a
    /// code of RingCentral's. Anything else is transient ([BCK-5](ringcentral_ws_core::protocol#bck-5)): 408, 429, 5xx,
    /// an answer that cannot be read, a refusal without a code, which is not the service's own word (it may be a
    /// captive portal's), and one with a word that nobody has agreed on.
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
        let error = ApiError::from_reply_masked(status.as_u16(), response.headers(), response.body(), masker);
        let permanent = status.is_client_error()
            && error.code.as_deref().is_some_and(is_refusal)
            && status != http::StatusCode::REQUEST_TIMEOUT
            && !matches!(error.class(), Class::RateLimited | Class::Transient);
        let kind = if permanent { AuthFailureKind::Permanent } else { refusal(&error) };
        Err(AuthFailure {
            kind,
            message: error.to_string().into(),
            retry_after: if permanent { None } else { error.retry_after },
            code: error.code,
        })
    }

    fn read(body: &[u8]) -> Option<Self> {
        let json = std::str::from_utf8(body).ok()?;
        let (mut access, mut life, mut refresh, mut refresh_life) = (None, None, None, None);
        let (mut scope, mut owner_id) = (None, None);
        let whole = each_field(json, |key, value| {
            // What is too long for a header or for memory is as good as nothing (SEC-3).
            let fits = |text: &Text<'_>| (1..=MAX_TEXT).contains(&text.len());
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
            issued_at: None,
            app: None,
            identity: None,
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
pub(crate) fn refusal(error: &ApiError) -> AuthFailureKind {
    match error.class() {
        Class::RateLimited => AuthFailureKind::RateLimited,
        _ if error.status >= 500 => AuthFailureKind::Unavailable,
        _ => AuthFailureKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    fn reply(status: u16, body: &'static str) -> Result<TokenSet, AuthFailure> {
        TokenSet::parse(&Response::builder().status(status).body(Bytes::from(body)).unwrap())
    }

    #[test]
    fn answers_are_distinguished() {
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
        let long = format!(r#"{{"access_token":"a","scope":"{0}","owner_id":"{0}"}}"#, "x".repeat(MAX_TEXT + 1));
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
        assert_eq!((limited.kind, limited.retry_after), (AuthFailureKind::RateLimited, None));
        let busy = Response::builder().status(503).header(header::RETRY_AFTER, "Sun, 06 Nov 1994 08:51:07 GMT");
        let dated = busy.header(header::DATE, "Sun, 06 Nov 1994 08:49:37 GMT").body(Bytes::new()).unwrap();
        assert_eq!(TokenSet::parse(&dated).unwrap_err().retry_after, Some(Duration::from_secs(90)));
    }
}
