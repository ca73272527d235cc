//! A login that lives on: which token to give, which call to make for one, and what its answer means.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ringcentral_ws_core::classify::ApiError;
use ringcentral_ws_core::{
    AccessToken, AuthFailure, AuthFailureKind, AuthReason, HttpFailure, Identity, Masker, Secret, Timestamp,
};

use crate::tokens::refusal;
use crate::{ClientApp, ForeignTokens, LoginCall, LoginKey, LoginKind, LoginLimiter, LoginLimits, TokenSet};

/// A cached token is given to another client only while it has this much life left, or a fifth of its life.
const WORTH_GIVING: Duration = Duration::from_secs(60);
/// Longest life a server is believed: clocks end somewhere.
const LONGEST_LIFE: Duration = Duration::from_secs(366 * 86_400);
/// How long the other logins of an app wait after a 429 that does not say it.
const RATE_PENALTY: Duration = Duration::from_secs(60);

/// What is to be done about a question for a token.
#[derive(Clone)]
#[must_use]
pub enum LoginStep {
    /// Give this token.
    Token {
        /// The token, with the life it has left.
        token: AccessToken,
        /// What the server has just issued, if this is no token given before. Its refresh token, if there is one,
        /// replaces the one kept so far, which is spent.
        issued: Option<Box<TokenSet>>,
    },
    /// Make this call and hand its result to [`Login::answered`].
    Call(Box<Request<Bytes>>),
    /// No token can be had now.
    Failed(AuthFailure),
}

impl fmt::Debug for LoginStep {
    /// The body of a call is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token { token, issued } => {
                f.debug_struct("Token").field("token", token).field("issued", issued).finish()
            }
            Self::Call(request) => write!(f, "Call({})", request.uri().path()),
            Self::Failed(failure) => f.debug_tuple("Failed").field(failure).finish(),
        }
    }
}

/// A login to one app by a JWT, by a refresh token, or by both, without I/O and without a clock.
///
/// It refreshes as long as there is a refresh token: that keeps the server's session, and with it what a lost
/// connection can recover. The JWT makes a new session and so is used only when there is no refresh token, or when the
/// server refuses the one there is. An unreachable or busy server refuses nothing. A refusal whose word nobody has
/// agreed on leads to the JWT too, and the refresh token is kept.
///
/// One question is answered at a time: whoever shares a `Login` between clients locks it from [`begin`](Self::begin)
/// until the step is no call any more, so that two never refresh at once. A question that is given up on the way is no
/// harm: the next `begin` starts anew.
///
/// ```
/// # use ringcentral_ws_api::{ClientApp, Login, LoginLimiter, LoginStep};
/// # use ringcentral_ws_core::{AccessToken, AuthFailure, AuthFailureKind, AuthReason, HttpFailure, Timestamp};
/// # fn ask(
/// #     login: &mut Login, limiter: &dyn LoginLimiter, clock: impl Fn() -> Timestamp,
/// #     send: impl Fn(http::Request<bytes::Bytes>) -> Result<http::Response<bytes::Bytes>, HttpFailure>,
/// # ) -> Result<AccessToken, AuthFailure> {
/// let mut step = login.begin(AuthReason::Missing, None, limiter, clock());
/// loop {
///     match step {
///         LoginStep::Call(request) => step = login.answered(send(*request), limiter, clock()),
///         LoginStep::Token { token, issued: _ } => return Ok(token),
///         LoginStep::Failed(failure) => return Err(failure),
///     }
/// }
/// # }
/// ```
pub struct Login {
    app: ClientApp,
    jwt: Option<Secret>,
    held: Option<Held>,
    refresh: Option<Secret>,
    /// Why it began without the tokens it was given.
    foreign: Option<ForeignTokens>,
    call: Call,
    key: LoginKey,
    identity: Option<Identity>,
    limits: LoginLimits,
    /// When the limiter let the last call go.
    acquired: Timestamp,
}

struct Held {
    token: Secret,
    until: Timestamp,
    worth_giving: Duration,
}

/// The call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    None,
    Refresh,
    Jwt,
}

impl Login {
    /// Logs in with a JWT.
    #[must_use]
    pub fn jwt(app: ClientApp, jwt: impl Into<Secret>) -> Self {
        let jwt = jwt.into();
        let key = LoginKey::of_secret(&app, "jwt", &jwt);
        let identity = Some(app.jwt_identity(&jwt));
        Self { jwt: Some(jwt), identity, ..Self::bare(app, key) }
    }

    /// Lives on this refresh token alone. Whose it is the token does not say: see [`set_user`](Self::set_user).
    #[must_use]
    pub fn refresh_token(app: ClientApp, token: impl Into<Secret>) -> Self {
        let token = token.into();
        let key = LoginKey::of_secret(&app, "refresh", &token);
        Self { refresh: Some(token), ..Self::bare(app, key) }
    }

    /// Starts from the answer to a login, such as the exchange of an authorization code, or from a stored set; `tokens`
    /// are as old as they are at `now` ([`TokenSet::aged`]). Their access token is used first. Tokens that are stored for
    /// another server or app are not used, and the first question for one fails and says so.
    #[must_use]
    pub fn from_tokens(app: ClientApp, tokens: TokenSet, now: Timestamp) -> Self {
        let key = match (&tokens.owner_id, &tokens.refresh_token) {
            (Some(owner), _) => LoginKey::new(&app, "owner", owner),
            (None, Some(refresh)) => LoginKey::of_secret(&app, "refresh", refresh),
            (None, None) => LoginKey::of_secret(&app, "access", &tokens.access_token),
        };
        let mut login = Self::bare(app, key);
        if let Some(owner) = &tokens.owner_id {
            login.set_user(owner);
        }
        login.identity = tokens.identity.or(login.identity);
        login.foreign = login.set_tokens(&tokens, now).err();
        login
    }

    fn bare(app: ClientApp, key: LoginKey) -> Self {
        let (limits, acquired) = (LoginLimits::default(), Timestamp::ZERO);
        let (jwt, held, refresh, foreign) = (None, None, None, None);
        Self { app, jwt, held, refresh, foreign, call: Call::None, key, identity: None, limits, acquired }
    }

    /// The limits that its calls keep, in place of the default ones.
    pub fn set_limits(&mut self, limits: LoginLimits) {
        self.limits = limits;
    }

    /// The name that a limiter knows it by.
    #[must_use]
    pub const fn key(&self) -> LoginKey {
        self.key
    }

    /// Names the user in a way that stays the same, for what is stored of their sessions: refresh tokens change with each
    /// use. `user` is the `owner_id` of the token answers, or a name that the program has for its users.
    pub fn set_user(&mut self, user: &str) {
        self.identity = Some(self.app.user_identity(user));
    }

    /// Whose sessions these are, as far as it is known: of the JWT, of the answer it began with, or of
    /// [`set_user`](Self::set_user).
    #[must_use]
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Tries this refresh token, kept from an earlier run, before the JWT. With it a restart can recover.
    pub fn set_refresh_token(&mut self, token: impl Into<Secret>) {
        self.refresh = Some(token.into());
    }

    /// Begins with these tokens, kept from an earlier run: the access token is given while it is good, then the refresh
    /// token is used, and the JWT only after both. `tokens` are as old as they are at `now` ([`TokenSet::aged`]).
    ///
    /// # Errors
    ///
    /// They were issued to another login than this; nothing of them is used. A set that does not say whose it is, such
    /// as one just parsed, is taken for this login's.
    pub fn set_tokens(&mut self, tokens: &TokenSet, now: Timestamp) -> Result<(), ForeignTokens> {
        if tokens.app.is_some_and(|app| app != self.app.identity()) {
            return Err(ForeignTokens::App);
        }
        if tokens.identity.zip(self.identity).is_some_and(|(theirs, ours)| theirs != ours) {
            return Err(ForeignTokens::User);
        }
        self.keep(tokens, now);
        Ok(())
    }

    /// The app it logs in to.
    #[must_use]
    pub const fn app(&self) -> &ClientApp {
        &self.app
    }

    /// A token is asked for: `reason` says why, `given` is the one given out last. With
    /// [`AuthReason::Refused`] that one is not given again. `limiter` says whether a call may be made
    /// now; one that may not is the failure [`AuthFailureKind::Limited`](ringcentral_ws_core::AuthFailureKind::Limited).
    pub fn begin(
        &mut self,
        reason: AuthReason,
        given: Option<&Secret>,
        limiter: &dyn LoginLimiter,
        now: Timestamp,
    ) -> LoginStep {
        self.call = Call::None;
        // Another client may have renewed the token meanwhile; renewing it again would kill that one.
        if let Some(held) = &self.held {
            let left = held.until.since(now);
            if given != Some(&held.token) && left > held.worth_giving {
                let token = AccessToken { secret: held.token.clone(), expires_in: Some(left), cached: true };
                return LoginStep::Token { token, issued: None };
            }
        }
        if reason == AuthReason::Refused {
            self.held = None;
        }
        self.next_call(limiter, now)
    }

    /// The result of the call that the last step asked for, at `now`.
    pub fn answered(
        &mut self,
        result: Result<Response<Bytes>, HttpFailure>,
        limiter: &dyn LoginLimiter,
        now: Timestamp,
    ) -> LoginStep {
        let call = std::mem::replace(&mut self.call, Call::None);
        if call != Call::None && result.as_ref().is_err_and(|failure| failure.not_sent) {
            limiter.give_back(&self.asks_for(call), self.acquired, now);
        }
        let status = result.as_ref().map_or(0, |response| response.status().as_u16());
        let masker = self.masker();
        let result = result.map_err(|failure| masked(failure, &masker));
        let failure = match result.and_then(|response| TokenSet::parse_masked(&response, &masker)) {
            Ok(tokens) => return self.issued(tokens, now),
            Err(failure) => failure,
        };
        let penalty = (failure.kind == AuthFailureKind::RateLimited).then_some(RATE_PENALTY);
        if let Some(pause) = failure.retry_after.or(penalty) {
            limiter.pause(&self.asks_for(call), pause, now);
        }
        if call == Call::Refresh && is_grant_refused(&failure) {
            // It is worth nothing any more; presenting it again cannot help.
            self.refresh = None;
            if self.jwt.is_some() {
                return self.next_call(limiter, now);
            }
        }
        // Whatever it means, it may stay so, and there is another way.
        let unclear = matches!(status, 400 | 401) && failure.code.is_some() && !failure.is_permanent();
        if let Some(jwt) = self.jwt.as_ref().filter(|_| call == Call::Refresh && unclear) {
            let request = self.app.jwt_request(jwt);
            return self.make(Call::Jwt, request, limiter, now);
        }
        LoginStep::Failed(failure)
    }

    /// The call that ends the login on the server, and with it every session made with it; `None` when there is
    /// nothing to end. Hand the result to [`revoked`](Self::revoked).
    #[must_use]
    pub fn revoke(&self) -> Option<Request<Bytes>> {
        let token = self.refresh.as_ref().or(self.held.as_ref().map(|held| &held.token))?;
        Some(self.app.revoke_request(token))
    }

    /// The result of the call of [`revoke`](Self::revoke). The next token is a new login.
    ///
    /// # Errors
    ///
    /// When the server could not be reached or refused it; the tokens are kept then.
    pub fn revoked(&mut self, result: Result<Response<Bytes>, HttpFailure>) -> Result<(), AuthFailure> {
        let masker = self.masker();
        let response = result.map_err(|failure| masked(failure, &masker))?;
        let status = response.status().as_u16();
        // 400 and 401: gone already.
        if status >= 400 && !matches!(status, 400 | 401) {
            let error = ApiError::from_reply_masked(status, response.headers(), response.body(), &masker);
            return Err(AuthFailure {
                retry_after: error.retry_after,
                code: error.code.clone(),
                ..AuthFailure::new(refusal(&error), error.to_string())
            });
        }
        (self.held, self.refresh) = (None, None);
        Ok(())
    }

    /// Knows all secrets of the login as it stands: what its calls carry, and the token that was given last.
    #[must_use]
    pub fn masker(&self) -> Masker {
        let mut masker = self.app.masker();
        let secrets = [self.jwt.as_ref(), self.refresh.as_ref(), self.held.as_ref().map(|held| &held.token)];
        secrets.into_iter().flatten().for_each(|secret| masker.learn(secret.expose()));
        masker
    }

    fn next_call(&mut self, limiter: &dyn LoginLimiter, now: Timestamp) -> LoginStep {
        let (call, request) = match (&self.refresh, &self.jwt) {
            (Some(refresh), _) => (Call::Refresh, self.app.refresh_request(refresh)),
            (None, Some(jwt)) => (Call::Jwt, self.app.jwt_request(jwt)),
            (None, None) => return LoginStep::Failed(nothing_left(self.foreign)),
        };
        self.make(call, request, limiter, now)
    }

    fn make(&mut self, call: Call, request: Request<Bytes>, limiter: &dyn LoginLimiter, now: Timestamp) -> LoginStep {
        if let Err(wait) = limiter.acquire(&self.asks_for(call), now) {
            return LoginStep::Failed(wait.into());
        }
        (self.call, self.acquired) = (call, now);
        LoginStep::Call(Box::new(request))
    }

    const fn asks_for(&self, call: Call) -> LoginCall<'_> {
        let kind = if matches!(call, Call::Refresh) { LoginKind::Refresh } else { LoginKind::New };
        LoginCall::new(&self.app, self.key, kind, self.limits)
    }

    fn issued(&mut self, mut tokens: TokenSet, now: Timestamp) -> LoginStep {
        let owner = tokens.owner_id.as_deref().map(|owner| self.app.user_identity(owner));
        (tokens.app, tokens.identity) = (Some(self.app.identity()), self.identity.or(owner));
        let life = self.keep(&tokens, now);
        let token = AccessToken { secret: tokens.access_token.clone(), expires_in: Some(life), cached: false };
        LoginStep::Token { token, issued: Some(Box::new(tokens)) }
    }

    fn keep(&mut self, tokens: &TokenSet, now: Timestamp) -> Duration {
        let life = tokens.expires_in.min(LONGEST_LIFE);
        let worth_giving = WORTH_GIVING.min(life / 5);
        self.held = Some(Held { token: tokens.access_token.clone(), until: now.after(life), worth_giving });
        if tokens.refresh_token.is_some() {
            self.refresh.clone_from(&tokens.refresh_token);
        }
        life
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("app", &self.app).finish_non_exhaustive()
    }
}

/// One access token that is managed elsewhere: what to answer to a question for one.
///
/// # Errors
///
/// A permanent failure when the server refused it.
pub fn fixed_token(token: &Secret, reason: AuthReason) -> Result<AccessToken, AuthFailure> {
    if reason == AuthReason::Refused {
        return Err(AuthFailure::permanent(
            "the access token was refused, and there is no other: start again with a new one",
        ));
    }
    Ok(AccessToken { secret: token.clone(), expires_in: None, cached: true })
}

/// What the session is given when a credential source panicked: it tries again later.
#[must_use]
pub fn source_panicked() -> AuthFailure {
    AuthFailure::transient(
        "the program's CredentialSource panicked: this is an error in the program, not in its settings",
    )
}

/// A failure of a call whose words may be a proxy's.
fn masked(failure: HttpFailure, masker: &Masker) -> AuthFailure {
    let message = masker.mask(&failure.message).into();
    HttpFailure { message, ..failure }.into()
}

/// Whether the server refused the refresh token itself, and not the app that presents it.
fn is_grant_refused(failure: &AuthFailure) -> bool {
    failure.is_permanent() && !matches!(failure.code.as_deref(), Some("invalid_client" | "OAU-146" | "OAU-153"))
}

fn nothing_left(foreign: Option<ForeignTokens>) -> AuthFailure {
    let left = "no refresh token is left: the user must log in again";
    AuthFailure::permanent(foreign.map_or_else(|| left.to_owned(), |foreign| foreign.to_string()))
}
