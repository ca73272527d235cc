//! JWT and refresh-token logins.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::lock::Mutex;
use http::Request;
use ringcentral_ws_core::oauth::{ClientApp, TokenSet};
use ringcentral_ws_core::{AccessToken, ApiErrorInfo, AuthFailure, AuthReason, HttpFailure, Secret};
use url::Url;

use super::{CredentialSource, TokenRequest, limit};
use crate::https::HttpsSender;

/// A cached token is given to another client only while it has this much life left.
const WORTH_GIVING: Duration = Duration::from_secs(60);

/// Longest life a server is believed: clocks end somewhere.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 86_400);

/// Told of every new set of tokens.
type TokenCallback = Arc<dyn Fn(&TokenSet) + Send + Sync>;

/// Logs in with a JWT, once; from then on it refreshes. A new login is a new session on the server, which cannot
/// recover the notifications of the old one, so the JWT is used again only when the refresh token is refused.
#[derive(Debug)]
pub struct Jwt(Login);

/// Lives on a refresh token alone, as an app does that a user has logged in to. Each refresh gives a new refresh
/// token and spends the old one: keep the new one, see [`RefreshToken::on_tokens`].
#[derive(Debug)]
pub struct RefreshToken(Login);

struct Login {
    app: ClientApp,
    jwt: Option<Secret>,
    callback: Option<TokenCallback>,
    /// Locked while a call is made: two clients never refresh at once.
    tokens: Mutex<Tokens>,
}

#[derive(Default)]
struct Tokens {
    access: Option<(Secret, Instant)>,
    refresh: Option<Secret>,
}

impl Jwt {
    /// Logs in to `app` with `jwt`.
    #[must_use]
    pub fn new(app: ClientApp, jwt: impl Into<Secret>) -> Self {
        Self(Login::new(app, Some(jwt.into()), None))
    }

    /// Tries this refresh token, kept from an earlier run, before the JWT. With it a restart can recover.
    #[must_use]
    pub fn with_refresh_token(mut self, token: impl Into<Secret>) -> Self {
        self.0.tokens.get_mut().refresh = Some(token.into());
        self
    }

    /// Ends the login on the server, and with it every session made with it. The next token is a new login.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        self.0.revoke(https).await
    }

    #[cfg(feature = "watch")]
    pub(crate) const fn app(&self) -> &ClientApp {
        &self.0.app
    }

    /// Calls `callback` with each new set of tokens, for instance to keep the refresh token for the next run. It is
    /// called from the driver's task and must not block.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.callback = Some(Arc::new(callback));
        self
    }
}

impl RefreshToken {
    /// Starts from the answer to a login, such as the exchange of an authorization code
    /// ([`Pkce`](ringcentral_ws_core::oauth::Pkce)). Its access token is used first.
    #[must_use]
    pub fn from_tokens(app: ClientApp, tokens: TokenSet) -> Self {
        let mut login = Login::new(app, None, tokens.refresh_token);
        login.tokens.get_mut().access = Some((tokens.access_token, Instant::now() + tokens.expires_in));
        Self(login)
    }

    /// Ends the login on the server, and with it every session made with it. No more tokens are given.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        self.0.revoke(https).await
    }

    /// Starts from `token`.
    #[must_use]
    pub fn new(app: ClientApp, token: impl Into<Secret>) -> Self {
        Self(Login::new(app, None, Some(token.into())))
    }

    /// Calls `callback` with each new set of tokens. The refresh token in it replaces the one before. It is called
    /// from the driver's task and must not block.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.callback = Some(Arc::new(callback));
        self
    }
}

impl CredentialSource for Jwt {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(self.0.answer(request))
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app.server)
    }
}

impl CredentialSource for RefreshToken {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(self.0.answer(request))
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app.server)
    }
}

impl Login {
    fn new(app: ClientApp, jwt: Option<Secret>, refresh: Option<Secret>) -> Self {
        Self { app, jwt, callback: None, tokens: Mutex::new(Tokens { access: None, refresh }) }
    }

    async fn answer(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        let mut tokens = self.tokens.lock().await;
        // Another client may have renewed the token meanwhile; renewing it again would kill that one.
        if let Some((token, until)) = &tokens.access {
            let left = until.saturating_duration_since(Instant::now());
            if request.held != Some(token) && left > WORTH_GIVING {
                return Ok(AccessToken { secret: token.clone(), expires_in: Some(left) });
            }
        }
        if request.reason == AuthReason::Refused {
            tokens.access = None;
        }
        let refreshed = match &tokens.refresh {
            Some(refresh) => Some(self.call(&request, self.app.refresh_request(refresh)).await),
            None => None,
        };
        let set = match (refreshed, &self.jwt) {
            (Some(Err(failure)), Some(jwt)) if failure.permanent => {
                tokens.refresh = None;
                self.call(&request, self.app.jwt_request(jwt)).await?
            }
            (Some(result), _) => result?,
            (None, Some(jwt)) => self.call(&request, self.app.jwt_request(jwt)).await?,
            (None, None) => return Err(nothing_left()),
        };
        Ok(self.store(&mut tokens, set))
    }

    async fn call(&self, asked: &TokenRequest<'_>, request: Request<Bytes>) -> Result<TokenSet, AuthFailure> {
        limit::take(&self.app)?;
        TokenSet::parse(&asked.https.send(request).await.map_err(unreachable)?)
    }

    async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        let mut tokens = self.tokens.lock().await;
        let held = tokens.refresh.as_ref().or(tokens.access.as_ref().map(|(token, _)| token));
        let Some(token) = held else { return Ok(()) };
        let response = https.send(self.app.revoke_request(token)).await.map_err(unreachable)?;
        match ApiErrorInfo::from_response(&response) {
            // Gone already.
            Some(error) if !matches!(error.status, 400 | 401) => Err(AuthFailure {
                permanent: false,
                message: error.to_string().into(),
                retry_after: error.retry_after,
                code: error.code,
            }),
            _ => {
                *tokens = Tokens::default();
                Ok(())
            }
        }
    }

    fn store(&self, tokens: &mut Tokens, set: TokenSet) -> AccessToken {
        if let Some(callback) = &self.callback {
            callback(&set);
        }
        let life = set.expires_in.min(LONGEST_LIFE);
        tokens.access = Some((set.access_token.clone(), Instant::now() + life));
        if set.refresh_token.is_some() {
            tokens.refresh = set.refresh_token;
        }
        AccessToken { secret: set.access_token, expires_in: Some(life) }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("app", &self.app).finish_non_exhaustive()
    }
}

fn unreachable(failure: HttpFailure) -> AuthFailure {
    AuthFailure { permanent: false, code: None, message: failure.message, retry_after: None }
}

fn nothing_left() -> AuthFailure {
    AuthFailure {
        permanent: true,
        code: None,
        message: "no refresh token is left: the user must log in again".into(),
        retry_after: None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex as StdMutex;

    use futures_util::FutureExt;
    use http::Response;
    use ringcentral_ws_core::Phase;

    use super::*;

    /// Answers from a script and keeps what was asked.
    #[derive(Default)]
    struct Script {
        answers: StdMutex<VecDeque<(u16, &'static str)>>,
        asked: StdMutex<Vec<String>>,
    }

    impl Script {
        fn new(answers: &[(u16, &'static str)]) -> Self {
            Self { answers: StdMutex::new(answers.iter().copied().collect()), ..Self::default() }
        }

        fn grants(&self) -> Vec<String> {
            let kind = |form: &String| {
                let grant = form.split('&').next().unwrap_or_default();
                let token = form.split("refresh_token=").nth(1).unwrap_or_default();
                if grant.contains("jwt") { "jwt".to_owned() } else { format!("refresh {token}") }
            };
            self.asked.lock().unwrap().iter().map(kind).collect()
        }
    }

    impl HttpsSender for Script {
        fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
            self.asked.lock().unwrap().push(String::from_utf8(request.body().to_vec()).unwrap());
            let answer = self.answers.lock().unwrap().pop_front();
            let answer = answer.map(|(status, body)| Response::builder().status(status).body(body.into()).unwrap());
            let gone = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "refused".into() };
            Box::pin(async move { answer.ok_or(gone) })
        }
    }

    const FIRST: &str = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
    const SECOND: &str = r#"{"access_token":"a2","expires_in":3600,"refresh_token":"r2"}"#;
    const GONE: &str = r#"{"error":"invalid_grant"}"#;

    /// On loopback, where no limit is shared between tests.
    fn app() -> ClientApp {
        let server = "https://localhost".parse().unwrap();
        ClientApp { server, client_id: "id".to_owned(), client_secret: Some("cs".into()) }
    }

    fn ask(
        source: &impl CredentialSource,
        https: &Script,
        reason: AuthReason,
        held: Option<&str>,
    ) -> Result<String, AuthFailure> {
        let held = held.map(Secret::from);
        let request = TokenRequest { reason, held: held.as_ref(), https };
        let answer = source.access_token(request).now_or_never().expect("a scripted answer");
        answer.map(|token| token.secret.expose().to_owned())
    }

    // CLAUSE TOK-4
    #[test]
    fn refresh_comes_before_a_new_login() {
        let source = Jwt::new(app(), "j");
        let https = Script::new(&[(200, FIRST), (200, SECOND)]);
        assert_eq!(ask(&source, &https, AuthReason::Missing, None).unwrap(), "a1");
        assert_eq!(ask(&source, &https, AuthReason::Refused, Some("a1")).unwrap(), "a2");
        assert_eq!(https.grants(), ["jwt", "refresh r1"]);
        let down = ask(&source, &https, AuthReason::Expiring, Some("a2")).unwrap_err();
        assert!(!down.permanent, "an unreachable server does not cost the session");
        assert_eq!(https.grants()[2], "refresh r2");
    }

    #[test]
    fn a_life_beyond_the_end_of_time_is_no_trouble() {
        let source = Jwt::new(app(), "j");
        let https = Script::new(&[(200, r#"{"access_token":"a1","expires_in":1e300}"#)]);
        assert_eq!(ask(&source, &https, AuthReason::Missing, None).unwrap(), "a1");
    }

    #[test]
    fn a_refused_refresh_token_falls_back_to_the_jwt() {
        let source = Jwt::new(app(), "j").with_refresh_token("old");
        let https = Script::new(&[(400, GONE), (200, FIRST)]);
        assert_eq!(ask(&source, &https, AuthReason::Missing, None).unwrap(), "a1");
        assert_eq!(https.grants(), ["refresh old", "jwt"]);
        let busy = Script::new(&[(503, "")]);
        assert!(!ask(&source, &busy, AuthReason::Expiring, Some("a1")).unwrap_err().permanent);
        assert_eq!(busy.grants(), ["refresh r1"], "a busy server is no refusal");
    }

    #[test]
    fn clients_share_one_login() {
        let source = Jwt::new(app(), "j");
        let https = Script::new(&[(200, FIRST), (200, SECOND)]);
        assert_eq!(ask(&source, &https, AuthReason::Missing, None).unwrap(), "a1");
        assert_eq!(ask(&source, &https, AuthReason::Missing, None).unwrap(), "a1");
        assert_eq!(ask(&source, &https, AuthReason::Refused, Some("a1")).unwrap(), "a2");
        assert_eq!(ask(&source, &https, AuthReason::Refused, Some("a1")).unwrap(), "a2");
        assert_eq!(https.grants().len(), 2);
    }

    #[test]
    fn a_login_begins_with_its_tokens_and_can_be_revoked() {
        let reply = Response::new(Bytes::from_static(FIRST.as_bytes()));
        let source = RefreshToken::from_tokens(app(), TokenSet::parse(&reply).unwrap());
        let https = Script::new(&[(503, ""), (200, "")]);
        assert_eq!(ask(&source, &https, AuthReason::Missing, None).unwrap(), "a1");
        assert!(source.revoke(&https).now_or_never().unwrap().is_err());
        source.revoke(&https).now_or_never().unwrap().unwrap();
        assert_eq!(*https.asked.lock().unwrap(), ["token=r1", "token=r1"]);
        assert!(ask(&source, &https, AuthReason::Missing, None).unwrap_err().permanent, "the user must log in again");
    }

    #[test]
    fn sources_share_the_limit_of_their_app() {
        let server = "https://limited.example".parse().unwrap();
        let app = ClientApp { server, client_id: "id".to_owned(), client_secret: None };
        let https = Script::new(&[(200, FIRST); 9]);
        for _ in 0..5 {
            ask(&Jwt::new(app.clone(), "j"), &https, AuthReason::Missing, None).unwrap();
        }
        let refused = ask(&Jwt::new(app.clone(), "j"), &https, AuthReason::Missing, None).unwrap_err();
        assert!(!refused.permanent && refused.retry_after > Some(Duration::from_secs(50)), "{refused:?}");
        assert_eq!(https.grants().len(), 5, "no call was made");
    }

    #[test]
    fn rotated_tokens_are_handed_out() {
        let seen = Arc::new(StdMutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let source = RefreshToken::new(app(), "r0").on_tokens(move |set| {
            sink.lock().unwrap().extend(set.refresh_token.as_ref().map(|token| token.expose().to_owned()));
        });
        let https = Script::new(&[(200, FIRST), (200, SECOND), (400, GONE)]);
        for (held, got) in [(None, "a1"), (Some("a1"), "a2")] {
            assert_eq!(ask(&source, &https, AuthReason::Expiring, held).unwrap(), got);
        }
        assert_eq!(*seen.lock().unwrap(), ["r1", "r2"]);
        assert!(ask(&source, &https, AuthReason::Expiring, Some("a2")).unwrap_err().permanent);
        assert!(!format!("{source:?}").contains("cs"), "no secret in Debug");
    }
}
