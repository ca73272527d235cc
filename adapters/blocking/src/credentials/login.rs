//! JWT and refresh-token logins.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use ringcentral_ws_core::oauth::{ClientApp, TokenSet};
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, Secret};
use url::Url;

use super::{CredentialSource, TokenRequest};

/// A cached token is given to another client only while it has this much life left.
const WORTH_GIVING: Duration = Duration::from_secs(60);

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
        self.0.tokens.get_mut().unwrap_or_else(PoisonError::into_inner).refresh = Some(token.into());
        self
    }

    /// The app it logs in to.
    #[must_use]
    pub const fn app(&self) -> &ClientApp {
        &self.0.app
    }

    /// Calls `callback` with each new set of tokens, for instance to keep the refresh token for the next run. It is
    /// called on the thread that asked for them.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.callback = Some(Arc::new(callback));
        self
    }
}

impl RefreshToken {
    /// Starts from `token`.
    #[must_use]
    pub fn new(app: ClientApp, token: impl Into<Secret>) -> Self {
        Self(Login::new(app, None, Some(token.into())))
    }

    /// Calls `callback` with each new set of tokens. The refresh token in it replaces the one before. It is called on
    /// the thread that asked for them.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.callback = Some(Arc::new(callback));
        self
    }
}

impl CredentialSource for Jwt {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        self.0.answer(&request)
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app.server)
    }
}

impl CredentialSource for RefreshToken {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        self.0.answer(&request)
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app.server)
    }
}

impl Login {
    fn new(app: ClientApp, jwt: Option<Secret>, refresh: Option<Secret>) -> Self {
        Self { app, jwt, callback: None, tokens: Mutex::new(Tokens { access: None, refresh }) }
    }

    fn answer(&self, request: &TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
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
        let set = self.renew(&mut tokens, request)?;
        if let Some(callback) = &self.callback {
            callback(&set);
        }
        tokens.access = Some((set.access_token.clone(), Instant::now() + set.expires_in));
        if set.refresh_token.is_some() {
            tokens.refresh = set.refresh_token;
        }
        Ok(AccessToken { secret: set.access_token, expires_in: Some(set.expires_in) })
    }

    fn renew(&self, tokens: &mut Tokens, request: &TokenRequest<'_>) -> Result<TokenSet, AuthFailure> {
        if let Some(refresh) = &tokens.refresh {
            match call(request, self.app.refresh_request(refresh)) {
                Err(failure) if failure.permanent && self.jwt.is_some() => tokens.refresh = None,
                done => return done,
            }
        }
        match &self.jwt {
            Some(jwt) => call(request, self.app.jwt_request(jwt)),
            None => Err(AuthFailure {
                permanent: true,
                code: None,
                message: "no refresh token is left: the user must log in again".into(),
                retry_after: None,
            }),
        }
    }
}

fn call(asked: &TokenRequest<'_>, request: Request<Bytes>) -> Result<TokenSet, AuthFailure> {
    match asked.https.send(request) {
        Ok(answer) => TokenSet::parse(&answer),
        Err(failure) => Err(AuthFailure { permanent: false, code: None, message: failure.message, retry_after: None }),
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("app", &self.app).finish_non_exhaustive()
    }
}
