//! JWT and refresh-token logins. What to call, when, and what an answer means is [`oauth::Login`]'s; here are the
//! lock, the clock and the calls.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringcentral_ws_core::oauth::{self, ClientApp, EnvError, LoginStep, TokenBudget, TokenSet};
use ringcentral_ws_core::{AccessToken, AuthFailure, Secret, Timestamp};
use url::Url;

use super::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;
use ringcentral_ws_adapter::{Clock, ClockTimes};

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
    callback: Option<TokenCallback>,
    /// Locked while a call is made: two clients never refresh at once.
    machine: Mutex<oauth::Login>,
}

impl Jwt {
    /// Logs in to `app` with `jwt`.
    #[must_use]
    pub fn new(app: ClientApp, jwt: impl Into<Secret>) -> Self {
        Self(Login::new(oauth::Login::jwt(app, jwt)))
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
        oauth::Login::from_vars(get).map(|login| Self(Login::new(login)))
    }

    /// Tries this refresh token, kept from an earlier run, before the JWT. With it a restart can recover.
    #[must_use]
    pub fn with_refresh_token(mut self, token: impl Into<Secret>) -> Self {
        self.0.machine.get_mut().unwrap_or_else(PoisonError::into_inner).set_refresh_token(token);
        self
    }

    /// The app it logs in to.
    #[must_use]
    pub const fn app(&self) -> &ClientApp {
        &self.0.app
    }

    /// Ends the login on the server, and with it every session made with it. The next token is a new login.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        self.0.revoke(https)
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
        Self(Login::new(oauth::Login::refresh_token(app, token)))
    }

    /// Starts from the answer to a login, such as the exchange of an authorization code
    /// ([`Pkce`](ringcentral_ws_core::oauth::Pkce)). Its access token is used first.
    #[must_use]
    pub fn from_tokens(app: ClientApp, tokens: TokenSet) -> Self {
        Self(Login::new(oauth::Login::from_tokens(app, tokens, now())))
    }

    /// Ends the login on the server, and with it every session made with it. No more tokens are given.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        self.0.revoke(https)
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
    fn new(machine: oauth::Login) -> Self {
        Self { app: machine.app().clone(), callback: None, machine: Mutex::new(machine) }
    }

    fn answer(&self, asked: &TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        let mut machine = self.lock();
        let mut step = machine.begin(asked.reason, asked.held, &mut budget(), now());
        loop {
            match step {
                LoginStep::Call(request) => {
                    let answer = asked.https.send(*request);
                    step = machine.answered(answer, &mut budget(), now());
                }
                LoginStep::Token { token, issued } => {
                    if let (Some(callback), Some(issued)) = (&self.callback, issued) {
                        callback(&issued);
                    }
                    return Ok(token);
                }
                LoginStep::Failed(failure) => return Err(failure),
            }
        }
    }

    fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        let mut machine = self.lock();
        let Some(request) = machine.revoke() else { return Ok(()) };
        machine.revoked(https.send(request))
    }

    fn lock(&self) -> MutexGuard<'_, oauth::Login> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("app", &self.app).finish_non_exhaustive()
    }
}

/// The token endpoint's limits hold for the process.
fn budget() -> MutexGuard<'static, TokenBudget> {
    static BUDGET: Mutex<TokenBudget> = Mutex::new(TokenBudget::new());
    BUDGET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logins outlive clients, so they have a clock of their own. It goes on while the machine sleeps, as the server's does.
fn now() -> Timestamp {
    static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock::new(Duration::ZERO, ClockTimes::system));
    CLOCK.reading().now
}
