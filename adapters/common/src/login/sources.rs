//! The credential sources as far as both halves have the same: all but the calls they make.

use ringcentral_ws_api::fixed_token;
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, Secret};

/// One access token, managed elsewhere. When it is refused or expires the session ends. It does not say whose it is:
/// name the user in [`Config::identity`](ringcentral_ws_core::Config::identity) where sessions are stored.
#[derive(Clone, Debug)]
pub struct FixedToken(Secret);

impl FixedToken {
    /// Uses this token.
    #[must_use]
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(token.into())
    }

    /// The token, unless it was refused or has expired.
    ///
    /// # Errors
    ///
    /// [`AuthFailure`], a permanent one: there is no other token.
    #[doc(hidden)]
    pub fn token(&self, reason: AuthReason) -> Result<AccessToken, AuthFailure> {
        fixed_token(&self.0, reason)
    }
}

/// Defines `Jwt` and `RefreshToken`, which log in: how they are made, and their settings. The half implements its
/// `CredentialSource` for them, and makes the calls.
///
/// `lock` holds the [`Login`](ringcentral_ws_api::Login) while a call is made; `unshared` looks into a lock that
/// nobody else has yet; `callback` says where the callback of `on_tokens` is called, and `names` brings what the example
/// there uses.
#[doc(hidden)]
#[macro_export]
macro_rules! login_sources {
    (lock: $lock:ty, unshared: $unshared:expr, callback: $called:literal, names: $names:literal) => {
        /// Logs in with a JWT, once; from then on it refreshes. A new login is a new session on the server, which
        /// cannot recover the notifications of the old one, so the JWT is used again only when the refresh token is
        /// refused.
        #[derive(Debug)]
        pub struct Jwt($crate::Login<$lock>);

        /// Lives on a refresh token alone, as an app does that a user has logged in to. Each refresh gives a new
        /// refresh token and spends the old one: keep the new one, see [`RefreshToken::on_tokens`].
        #[derive(Debug)]
        pub struct RefreshToken($crate::Login<$lock>);

        impl Jwt {
            /// Logs in to `app` with `jwt`.
            #[must_use]
            pub fn new(app: $crate::login_names::ClientApp, jwt: impl Into<$crate::login_names::Secret>) -> Self {
                Self($crate::Login::new($crate::login_names::Login::jwt(app, jwt), <$lock>::new))
            }

            /// Reads `RC_SERVER_URL`, `RC_APP_CLIENT_ID`, `RC_APP_CLIENT_SECRET` and `RC_USER_JWT`, each also in the
            /// spelling of the SDKs: `RINGCENTRAL_SERVER_URL`, `RINGCENTRAL_CLIENT_ID`,
            /// `RINGCENTRAL_CLIENT_SECRET`, `RINGCENTRAL_JWT_TOKEN`. Empty counts as not set; without a server it is
            /// production.
            ///
            /// # Errors
            ///
            /// When nothing or only a part is set, or the server is no address.
            pub fn from_env() -> Result<Self, $crate::login_names::EnvError> {
                Self::from_vars(|name| std::env::var(name).ok())
            }

            /// The same, from a lookup of yours.
            ///
            /// # Errors
            ///
            /// As [`Jwt::from_env`].
            pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, $crate::login_names::EnvError> {
                $crate::login_names::Login::from_vars(get).map(|login| Self($crate::Login::new(login, <$lock>::new)))
            }

            /// The same, from pairs of name and value, such as those of the stand-in server (`server.env()`).
            ///
            /// # Errors
            ///
            /// As [`Jwt::from_env`].
            pub fn from_pairs<K, V>(
                pairs: impl IntoIterator<Item = (K, V)>,
            ) -> Result<Self, $crate::login_names::EnvError>
            where
                K: Into<String>,
                V: Into<String>,
            {
                let login = $crate::login_names::Login::from_pairs(pairs)?;
                Ok(Self($crate::Login::new(login, <$lock>::new)))
            }

            /// Tries this refresh token, kept from an earlier run, before the JWT. With it a restart can recover.
            #[must_use]
            pub fn with_refresh_token(mut self, token: impl Into<$crate::login_names::Secret>) -> Self {
                ($unshared)(self.0.machine_mut()).set_refresh_token(token);
                self
            }

            /// Begins with these tokens, kept from an earlier run by [`on_tokens`](Self::on_tokens). While their access
            /// token is good a restart needs no call of the token service; then it refreshes, and the JWT is used only
            /// when the refresh token is refused.
            ///
            /// # Errors
            ///
            /// [`ForeignTokens`](ringcentral_ws_api::ForeignTokens): they were stored for another server, app or user.
            /// Nothing of them is used.
            pub fn with_tokens(
                mut self,
                tokens: $crate::login_names::TokenSet,
            ) -> Result<Self, $crate::login_names::ForeignTokens> {
                let machine = ($unshared)(self.0.machine_mut());
                machine.set_tokens(&$crate::login_aged(tokens), $crate::login_now())?;
                Ok(self)
            }

            /// The app it logs in to.
            #[must_use]
            pub const fn app(&self) -> &$crate::login_names::ClientApp {
                self.0.app()
            }
        }

        impl RefreshToken {
            /// Starts from `token`. Name its user with [`user`](Self::user) where sessions are stored.
            #[must_use]
            pub fn new(app: $crate::login_names::ClientApp, token: impl Into<$crate::login_names::Secret>) -> Self {
                Self($crate::Login::new($crate::login_names::Login::refresh_token(app, token), <$lock>::new))
            }

            /// Whose token it is, by a name that stays the same: the `owner_id` that came with it, or a name that the
            /// program has for its users. Stored sessions are bound to it. A token does not say it, and is another one
            /// after each use; without this [`new`](Self::new) continues the session of any user.
            #[must_use]
            pub fn user(mut self, user: &str) -> Self {
                self.0.set_user(user);
                self
            }

            /// Starts from the answer to a login, such as the exchange of an authorization code
            /// ([`Pkce`](ringcentral_ws_api::Pkce)), or from tokens kept by [`on_tokens`](Self::on_tokens). Their access
            /// token is used first, while it is good. Tokens that were stored for another server or app are not used: the
            /// session ends, and says so.
            #[must_use]
            pub fn from_tokens(app: $crate::login_names::ClientApp, tokens: $crate::login_names::TokenSet) -> Self {
                let tokens = $crate::login_aged(tokens);
                let login = $crate::login_names::Login::from_tokens(app, tokens, $crate::login_now());
                Self($crate::Login::new(login, <$lock>::new))
            }
        }

        $crate::login_sources!(settings of Jwt, $unshared, $called, $names);
        $crate::login_sources!(settings of RefreshToken, $unshared, $called, $names);
    };
    (settings of $source:ident, $unshared:expr, $called:literal, $names:literal) => {
        impl $source {
            /// Calls `callback` with each new set of tokens, to keep it for the next run: it replaces the one before,
            /// whose refresh token is spent.
            #[doc = $called]
            ///
            /// The callback comes before any use: no session and no other client has the new access token until it
            /// returns. The service lets a spent refresh token work for up to an hour while what came of it is unused, and
            /// for seconds after that. So make the set durable before the callback returns, in a file that is never half
            /// written: a program that is killed at any moment then has tokens that work. If the set cannot be written,
            /// return all the same: this run goes on with it, and the next set is handed over too.
            ///
            /// ```no_run
            #[doc = $names]
            /// use std::io::{self, Write};
            /// use std::path::{Path, PathBuf};
            ///
            /// fn keep(path: &Path, tokens: &TokenSet) -> io::Result<()> {
            ///     let new = path.with_extension("new");
            ///     let mut file = std::fs::File::create(&new)?; // On Unix with mode 0600: these are secrets.
            ///     file.write_all(&serde_json::to_vec(tokens)?)?;
            ///     file.sync_all()?;
            ///     std::fs::rename(new, path)
            /// }
            ///
            /// let path = PathBuf::from("tokens.json");
            /// let mut login = Jwt::from_env()?;
            /// if let Ok(kept) = std::fs::read(&path) {
            ///     login = login.with_tokens(serde_json::from_slice(&kept)?)?;
            /// }
            /// let login = login.on_tokens(move |tokens| {
            ///     if let Err(error) = keep(&path, tokens) {
            ///         eprintln!("the tokens cannot be kept, so the next start logs in anew: {error}");
            ///     }
            /// });
            /// # Ok::<(), Box<dyn std::error::Error>>(())
            /// ```
            #[must_use]
            pub fn on_tokens(mut self, callback: impl Fn(&$crate::login_names::TokenSet) + Send + Sync + 'static) -> Self {
                self.0.on_tokens(callback);
                self
            }

            /// The limits that its token calls keep, in place of the default ones: how many the logins of one app make
            /// in a minute, and whether a server on this machine is exempt.
            /// [`LoginLimits`](ringcentral_ws_api::LoginLimits) says what they are and where they come from.
            /// Give all logins of an app the same.
            #[must_use]
            pub fn login_limits(mut self, limits: $crate::login_names::LoginLimits) -> Self {
                ($unshared)(self.0.machine_mut()).set_limits(limits);
                self
            }

            /// A limiter of yours in place of the ceiling for the app, for instance one that several processes share.
            /// It is asked on loopback too. The 5 calls a minute for this login, and the pauses that the server asks
            /// for, are kept beside it.
            #[must_use]
            pub fn limiter(mut self, limiter: std::sync::Arc<dyn $crate::login_names::LoginLimiter>) -> Self {
                self.0.set_limiter(limiter);
                self
            }
        }
    };
}

#[cfg(test)]
#[allow(unreachable_pub, dead_code, reason = "the sources are public where a half defines them")]
mod tests {
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex, PoisonError};
    use std::time::Duration;

    use bytes::Bytes;
    use http::{Request, Response};
    use ringcentral_ws_api::{self as api, ClientApp, LoginCall, LoginLimiter, LoginLimits, LoginWait};
    use ringcentral_ws_core::{AuthFailureKind, HttpFailure, Phase, Timestamp};

    use super::*;
    use crate::{Login, LoginNext};

    type Lock = Mutex<api::Login>;

    fn unshared(lock: &mut Lock) -> &mut api::Login {
        lock.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    crate::login_sources!(lock: Lock, unshared: unshared, callback: "It is called by the test.", names: "");

    /// Answers from a script, from its end, and keeps what was asked.
    #[derive(Default)]
    struct Script {
        answers: RefCell<Vec<&'static str>>,
        asked: RefCell<Vec<Bytes>>,
    }

    impl Script {
        fn new(answers: &[&'static str]) -> Self {
            Self { answers: RefCell::new(answers.to_vec()), ..Self::default() }
        }

        fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
            self.asked.borrow_mut().push(request.into_body());
            let gone = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "refused".into() };
            self.answers.borrow_mut().pop().map(|body| Response::new(body.into())).ok_or(gone)
        }

        fn asked(&self) -> usize {
            self.asked.borrow().len()
        }
    }

    const FIRST: &str = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
    const SECOND: &str = r#"{"access_token":"a2","expires_in":3600,"refresh_token":"r2"}"#;

    fn app(server: &str) -> ClientApp {
        ClientApp { server: server.parse().unwrap(), client_id: "id".to_owned(), client_secret: Some("cs".into()) }
    }

    fn ask(login: &Login<Lock>, script: &Script, held: Option<&str>) -> Result<String, AuthFailure> {
        let (mut machine, held) = (login.machine().lock().unwrap(), held.map(Secret::from));
        let mut next = login.begin(&mut machine, AuthReason::Expiring, held.as_ref());
        loop {
            next = match next {
                LoginNext::Call(request) => login.answered(&mut machine, script.send(*request)),
                LoginNext::Done(answer) => return answer.map(|token| token.secret.expose().to_owned()),
            };
        }
    }

    /// How many of ten sources get a token, and the failure of the first that gets none.
    fn logins(source: impl Fn(u32) -> Jwt) -> (usize, String) {
        let script = Script::new(&[FIRST; 10]);
        let mut message = String::new();
        for n in 0..10 {
            if let Err(failure) = ask(&source(n).0, &script, None) {
                assert!(failure.kind == AuthFailureKind::Limited && failure.retry_after.is_some(), "{failure:?}");
                message = failure.message.into();
                break;
            }
        }
        (script.asked(), message)
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
        assert!(ask(&refresh.0, &Script::new(&[FIRST]), None).is_err(), "all logins of the app");
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
        for _ in 0..9 {
            let failure = ask(&source.0, &Script::new(&[]), None).unwrap_err();
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
        let script = Script::new(&[SECOND, FIRST]);
        for (held, got) in [(None, "a1"), (None, "a1"), (Some("a1"), "a2"), (Some("a1"), "a2")] {
            assert_eq!(ask(&source.0, &script, held).unwrap(), got);
        }
        assert_eq!(script.asked(), 2);
        assert_eq!(*seen.lock().unwrap(), ["r1", "r2"]);
        assert!(!format!("{source:?}").contains("cs"), "no secret in Debug");
    }

    #[test]
    fn tokens_are_kept_before_they_are_used_and_a_restart_begins_with_them() {
        let store = Arc::new(Mutex::new(Vec::<String>::new()));
        let keep = |store: &Arc<Mutex<Vec<String>>>| {
            let store = Arc::clone(store);
            move |tokens: &api::TokenSet| store.lock().unwrap().push(serde_json::to_string(tokens).unwrap())
        };
        let kept = || serde_json::from_str::<api::TokenSet>(store.lock().unwrap().last().unwrap()).unwrap();
        let jwt = || Jwt::new(app("https://localhost"), "j").on_tokens(keep(&store));
        let script = Script::new(&[SECOND, FIRST]);
        let source = jwt();
        {
            let mut machine = source.0.machine().lock().unwrap();
            let LoginNext::Call(call) = source.0.begin(&mut machine, AuthReason::Missing, None) else { panic!() };
            let next = source.0.answered(&mut machine, script.send(*call));
            assert_eq!(store.lock().unwrap().len(), 1, "kept before anybody has the token");
            assert!(matches!(next, LoginNext::Done(Ok(_))));
        }
        let restarted = jwt().with_tokens(kept()).unwrap();
        assert_eq!(ask(&restarted.0, &script, None).unwrap(), "a1");
        assert_eq!((script.asked(), store.lock().unwrap().len()), (1, 1), "no call of the token service");
        assert_eq!(ask(&restarted.0, &script, Some("a1")).unwrap(), "a2");
        assert!(script.asked.borrow()[1].windows(16).any(|part| part == b"refresh_token=r1"));
        let restarted = RefreshToken::from_tokens(app("https://localhost"), kept());
        assert_eq!(ask(&restarted.0, &script, None).unwrap(), "a2");
        assert_eq!(restarted.0.identity(), jwt().0.identity(), "the sessions stay this user's");
        let other = Jwt::new(app("https://localhost"), "k").with_tokens(kept());
        assert_eq!(other.unwrap_err(), api::ForeignTokens::User);
        assert_eq!(script.asked(), 2);
    }

    #[test]
    fn tokens_that_were_stored_long_ago_are_renewed_first() {
        let mut tokens = api::TokenSet::parse(&Response::new(Bytes::from(FIRST))).unwrap();
        tokens.issued_at = Some(ringcentral_ws_core::UnixMillis(1_700_000_000_000));
        let script = Script::new(&[SECOND]);
        let source = Jwt::new(app("https://localhost"), "j").with_tokens(tokens).unwrap();
        assert_eq!(ask(&source.0, &script, None).unwrap(), "a2");
        assert!(script.asked.borrow()[0].windows(16).any(|part| part == b"refresh_token=r1"));
    }
}
