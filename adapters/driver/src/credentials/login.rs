//! JWT and refresh-token logins: the shared piece behind a lock, and the calls it asks for.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::lock::Mutex;
use ringcentral_ws_adapter::{Login, LoginNext, login_now};
use ringcentral_ws_api::{self as api, ClientApp, EnvError, Identity, LoginLimiter, LoginLimits, TokenSet};
use ringcentral_ws_core::{AccessToken, AuthFailure, Secret};
use url::Url;

use super::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;

type Shared = Login<Mutex<api::Login>>;

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
        Self(Login::new(api::Login::jwt(app, jwt), Mutex::new))
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
        api::Login::from_vars(get).map(|login| Self(Login::new(login, Mutex::new)))
    }

    /// Tries this refresh token, kept from an earlier run, before the JWT. With it a restart can recover.
    #[must_use]
    pub fn with_refresh_token(mut self, token: impl Into<Secret>) -> Self {
        self.0.machine_mut().get_mut().set_refresh_token(token);
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
    pub async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        revoke(&self.0, https).await
    }

    /// Calls `callback` with each new set of tokens, for instance to keep the refresh token for the next run. It is
    /// called from the driver's task and must not block.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.on_tokens(callback);
        self
    }

    /// The limits that its token calls keep, in place of the default ones: how many the logins of one app make in a
    /// minute, and whether a server on this machine is exempt. [`LoginLimits`] says what they are and where they come
    /// from. Give all logins of an app the same.
    #[must_use]
    pub fn login_limits(mut self, limits: LoginLimits) -> Self {
        self.0.machine_mut().get_mut().set_limits(limits);
        self
    }

    /// A limiter of yours in place of the ceiling for the app, for instance one that several processes share. It is
    /// asked on loopback too. The 5 calls a minute for this login, and the pauses that the server asks for, are kept
    /// beside it.
    #[must_use]
    pub fn limiter(mut self, limiter: Arc<dyn LoginLimiter>) -> Self {
        self.0.set_limiter(limiter);
        self
    }
}

impl RefreshToken {
    /// Starts from `token`. Name its user with [`user`](Self::user) where sessions are stored.
    #[must_use]
    pub fn new(app: ClientApp, token: impl Into<Secret>) -> Self {
        Self(Login::new(api::Login::refresh_token(app, token), Mutex::new))
    }

    /// Whose token it is, by a name that stays the same: the `owner_id` that came with it, or a name that the program has
    /// for its users. Stored sessions are bound to it. A token does not say it, and is another one after each use; without
    /// this [`new`](Self::new) continues the session of any user.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        self.0.set_user(user);
        self
    }

    /// Starts from the answer to a login, such as the exchange of an authorization code
    /// ([`Pkce`](ringcentral_ws_api::Pkce)). Its access token is used first.
    #[must_use]
    pub fn from_tokens(app: ClientApp, tokens: TokenSet) -> Self {
        Self(Login::new(api::Login::from_tokens(app, tokens, login_now()), Mutex::new))
    }

    /// Ends the login on the server, and with it every session made with it. No more tokens are given.
    ///
    /// # Errors
    ///
    /// When the server could not be told; the tokens are kept then.
    pub async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        revoke(&self.0, https).await
    }

    /// Calls `callback` with each new set of tokens. The refresh token in it replaces the one before. It is called
    /// from the driver's task and must not block.
    #[must_use]
    pub fn on_tokens(mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.0.on_tokens(callback);
        self
    }

    /// The limits that its token calls keep, in place of the default ones: how many the logins of one app make in a
    /// minute, and whether a server on this machine is exempt. [`LoginLimits`] says what they are and where they come
    /// from. Give all logins of an app the same.
    #[must_use]
    pub fn login_limits(mut self, limits: LoginLimits) -> Self {
        self.0.machine_mut().get_mut().set_limits(limits);
        self
    }

    /// A limiter of yours in place of the ceiling for the app, for instance one that several processes share. It is
    /// asked on loopback too. The 5 calls a minute for this login, and the pauses that the server asks for, are kept
    /// beside it.
    #[must_use]
    pub fn limiter(mut self, limiter: Arc<dyn LoginLimiter>) -> Self {
        self.0.set_limiter(limiter);
        self
    }
}

impl CredentialSource for Jwt {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(answer(&self.0, request))
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app().server)
    }

    fn identity(&self) -> Option<Identity> {
        self.0.identity()
    }
}

impl CredentialSource for RefreshToken {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(answer(&self.0, request))
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.0.app().server)
    }

    fn identity(&self) -> Option<Identity> {
        self.0.identity()
    }
}

async fn answer(login: &Shared, asked: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
    let mut machine = login.machine().lock().await;
    let mut next = login.begin(&mut machine, asked.reason, asked.held);
    loop {
        match next {
            LoginNext::Call(request) => next = login.answered(&mut machine, asked.https.send(*request).await),
            LoginNext::Done(answer) => return answer,
        }
    }
}

async fn revoke(login: &Shared, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
    let mut machine = login.machine().lock().await;
    let Some(request) = machine.revoke() else { return Ok(()) };
    machine.revoked(https.send(request).await)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use bytes::Bytes;
    use futures_util::FutureExt;
    use http::{Request, Response};
    use ringcentral_ws_api::{LoginCall, LoginWait};
    use ringcentral_ws_core::{AuthFailureKind, AuthReason, HttpFailure, Phase, Timestamp};

    use super::*;

    /// Answers from a script and keeps what was asked.
    #[derive(Default)]
    struct Script {
        answers: Mutex<VecDeque<&'static str>>,
        asked: Mutex<Vec<String>>,
    }

    impl Script {
        fn new(answers: &[&'static str]) -> Self {
            Self { answers: Mutex::new(answers.iter().copied().collect()), ..Self::default() }
        }

        fn asked(&self) -> usize {
            self.asked.lock().unwrap().len()
        }
    }

    impl HttpsSender for Script {
        fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
            self.asked.lock().unwrap().push(String::from_utf8(request.body().to_vec()).unwrap());
            let answer = self.answers.lock().unwrap().pop_front();
            let answer = answer.map(|body| Response::new(body.into()));
            let gone = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "refused".into() };
            Box::pin(async move { answer.ok_or(gone) })
        }
    }

    const FIRST: &str = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
    const SECOND: &str = r#"{"access_token":"a2","expires_in":3600,"refresh_token":"r2"}"#;

    fn app(server: &str) -> ClientApp {
        ClientApp { server: server.parse().unwrap(), client_id: "id".to_owned(), client_secret: Some("cs".into()) }
    }

    fn ask(source: &impl CredentialSource, https: &Script, held: Option<&str>) -> Result<String, AuthFailure> {
        let held = held.map(Secret::from);
        let request = TokenRequest { reason: AuthReason::Expiring, held: held.as_ref(), https };
        let answer = source.access_token(request).now_or_never().expect("a scripted answer");
        answer.map(|token| token.secret.expose().to_owned())
    }

    /// How many of ten sources get a token, and the failure of the first that gets none.
    fn logins(source: impl Fn(u32) -> Jwt) -> (usize, String) {
        let https = Script::new(&[FIRST; 10]);
        let mut message = String::new();
        for n in 0..10 {
            match ask(&source(n), &https, None) {
                Ok(_) => {}
                Err(failure) => {
                    assert!(failure.kind == AuthFailureKind::Limited && failure.retry_after.is_some(), "{failure:?}");
                    message = failure.message.into();
                    break;
                }
            }
        }
        (https.asked(), message)
    }

    // CLAUSE TOK-9
    #[test]
    fn the_limits_of_a_login_and_of_an_app_are_settable() {
        let jwt = |host: &str, n: u32| Jwt::new(app(host), format!("j{n}"));
        let (made, message) = logins(|_| jwt("https://one.example", 0));
        assert!(made == 5 && message.contains("for one login"), "{made}: {message}");
        assert_eq!(logins(|n| jwt("https://many.example", n)).0, 10, "each login its own limit");
        let three = LoginLimits::default().app_ceiling(Some(3));
        let (made, message) = logins(|n| jwt("https://three.example", n).login_limits(three));
        assert!(made == 3 && message.contains("LoginLimits::app_ceiling"), "{made}: {message}");
        assert_eq!(logins(|n| jwt("http://localhost:1", n).login_limits(three)).0, 10, "a stand-in has none");
        let there = three.on_loopback(true);
        assert_eq!(logins(|n| jwt("http://localhost:2", n).login_limits(there)).0, 3, "unless it is to have one");
        let refresh = RefreshToken::new(app("http://localhost:2"), "r").login_limits(there);
        assert!(ask(&refresh, &Script::new(&[FIRST]), None).is_err(), "all logins of the app");
    }

    /// Lets so many go.
    struct Few(Mutex<usize>);

    impl LoginLimiter for Few {
        fn acquire(&self, _: &LoginCall<'_>, _: Timestamp) -> Result<(), LoginWait> {
            let mut left = self.0.lock().unwrap();
            let wait = || LoginWait { retry_after: Duration::from_secs(1), message: "the fleet's".into() };
            *left = left.checked_sub(1).ok_or_else(wait)?;
            Ok(())
        }

        fn give_back(&self, _: &LoginCall<'_>, _: Timestamp, _: Timestamp) {
            *self.0.lock().unwrap() += 1;
        }

        fn pause(&self, _: &LoginCall<'_>, _: Duration, _: Timestamp) {}
    }

    // CLAUSE TOK-2 TOK-9
    #[test]
    fn a_limiter_of_the_users_is_asked() {
        let few = Arc::new(Few(Mutex::new(2)));
        let own = |n| Jwt::new(app("http://localhost:3"), format!("j{n}")).limiter(few.clone());
        assert_eq!(logins(own), (2, "the fleet's".to_owned()));
        *few.0.lock().unwrap() = 1;
        let source = RefreshToken::new(app("https://own.example"), "r").limiter(few.clone());
        let unreachable = Script::new(&[]);
        for _ in 0..9 {
            let failure = ask(&source, &unreachable, None).unwrap_err();
            assert!(matches!(failure.kind, AuthFailureKind::Network { .. }), "given back each time: {failure:?}");
        }
    }

    #[test]
    fn clients_share_one_login_and_rotated_tokens_are_handed_out() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let source = RefreshToken::new(app("https://localhost"), "r0").on_tokens(move |set| {
            sink.lock().unwrap().extend(set.refresh_token.as_ref().map(|token| token.expose().to_owned()));
        });
        let https = Script::new(&[FIRST, SECOND]);
        for (held, got) in [(None, "a1"), (None, "a1"), (Some("a1"), "a2"), (Some("a1"), "a2")] {
            assert_eq!(ask(&source, &https, held).unwrap(), got);
        }
        assert_eq!(https.asked(), 2);
        assert_eq!(*seen.lock().unwrap(), ["r1", "r2"]);
        assert!(!format!("{source:?}").contains("cs"), "no secret in Debug");
    }

    #[test]
    fn two_questions_make_one_call() {
        let source = Jwt::new(app("https://localhost"), "j");
        let https = Script::new(&[FIRST]);
        let machine = source.0.machine().try_lock().unwrap();
        let request = || TokenRequest { reason: AuthReason::Missing, held: None, https: &https };
        let mut both =
            Box::pin(futures_util::future::join(source.access_token(request()), source.access_token(request())));
        assert!(both.as_mut().now_or_never().is_none(), "one at a time");
        drop(machine);
        let (one, two) = both.now_or_never().unwrap();
        assert_eq!((one.unwrap().secret, https.asked()), (two.unwrap().secret, 1));
    }
}
