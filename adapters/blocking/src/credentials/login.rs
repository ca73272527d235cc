//! JWT and refresh-token logins: the shared piece behind a lock, and the calls it asks for.

use std::sync::{Mutex, PoisonError};

use ringcentral_ws_adapter::{Login, LoginNext, login_now};
use ringcentral_ws_core::oauth::{self, ClientApp, EnvError, TokenSet};
use ringcentral_ws_core::{AccessToken, AuthFailure, Secret};
use url::Url;

use super::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;

type Shared = Login<Mutex<oauth::Login>>;

/// Logs in with a JWT, once; from then on it refreshes. A new login is a new session on the server, which cannot
/// recover the notifications of the old one, so the JWT is used again only when the refresh token is refused.
#[derive(Debug)]
pub struct Jwt(Shared);

/// Lives on a refresh token alone, as an app does that a user has logged in to. Each refresh gives a new refresh
/// token and spends the old one: keep the new one, see [`RefreshToken::on_tokens`].
#[derive(Debug)]
pub struct RefreshToken(Shared);

impl Jwt {
    /// Logs in to `app` with `jwt`.
    #[must_use]
    pub fn new(app: ClientApp, jwt: impl Into<Secret>) -> Self {
        Self(Login::new(oauth::Login::jwt(app, jwt), Mutex::new))
    }

    /// Reads `RC_SERVER_URL`, `RC_APP_CLIENT_ID`, `RC_APP_CLIENT_SECRET` and `RC_USER_JWT`, each also in the spelling
    /// of the SDKs: `RINGCENTRAL_SERVER_URL`, `RINGCENTRAL_CLIENT_ID`, `RINGCENTRAL_CLIENT_SECRET`,
    /// `RINGCENTRAL_JWT_TOKEN`. Empty counts as not set; without a server it is production.
    ///
    /// # Errors
    ///
    /// When nothing or only a part is set, or the server is no address.
    pub fn from_env() -> Result<Self, EnvError> {
        Self::from_vars(|name| std::env::var(name).ok())
    }

    /// The same, from a lookup of yours.
    ///
    /// # Errors
    ///
    /// As [`Jwt::from_env`].
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        oauth::Login::from_vars(get).map(|login| Self(Login::new(login, Mutex::new)))
    }

    /// Tries this refresh token, kept from an earlier run, before the JWT. With it a restart can recover.
    #[must_use]
    pub fn with_refresh_token(mut self, token: impl Into<Secret>) -> Self {
        self.0.machine_mut().get_mut().unwrap_or_else(PoisonError::into_inner).set_refresh_token(token);
        self
    }

    /// The app it logs in to.
    #[must_use]
    pub const fn app(&self) -> &ClientApp {
        self.0.app()
    }

    /// Ends the login on the server, and with it every session made with it. The next token is a new login.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        revoke(&self.0, https)
    }

    /// Calls `callback` with each new set of tokens, for instance to keep the refresh token for the next run. It is
    /// called on the thread that asked for them.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.on_tokens(callback);
        self
    }
}

impl RefreshToken {
    /// Starts from `token`.
    #[must_use]
    pub fn new(app: ClientApp, token: impl Into<Secret>) -> Self {
        Self(Login::new(oauth::Login::refresh_token(app, token), Mutex::new))
    }

    /// Starts from the answer to a login, such as the exchange of an authorization code
    /// ([`Pkce`](ringcentral_ws_core::oauth::Pkce)). Its access token is used first.
    #[must_use]
    pub fn from_tokens(app: ClientApp, tokens: TokenSet) -> Self {
        Self(Login::new(oauth::Login::from_tokens(app, tokens, login_now()), Mutex::new))
    }

    /// Ends the login on the server, and with it every session made with it. No more tokens are given.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        revoke(&self.0, https)
    }

    /// Calls `callback` with each new set of tokens. The refresh token in it replaces the one before. It is called on
    /// the thread that asked for them.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.on_tokens(callback);
        self
    }
}

impl CredentialSource for Jwt {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        answer(&self.0, &request)
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app().server)
    }
}

impl CredentialSource for RefreshToken {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        answer(&self.0, &request)
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app().server)
    }
}

fn answer(login: &Shared, asked: &TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
    let mut machine = login.machine().lock().unwrap_or_else(PoisonError::into_inner);
    let mut next = login.begin(&mut machine, asked.reason, asked.held);
    loop {
        match next {
            LoginNext::Call(request) => next = login.answered(&mut machine, asked.https.send(*request)),
            LoginNext::Done(answer) => return answer,
        }
    }
}

fn revoke(login: &Shared, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
    let mut machine = login.machine().lock().unwrap_or_else(PoisonError::into_inner);
    let Some(request) = machine.revoke() else { return Ok(()) };
    machine.revoked(https.send(request))
}
