//! Limits on calls of the token endpoint: the settings, what a limiter is asked, and what it answers.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use ringcentral_ws_core::{AuthFailure, AuthFailureKind, Secret, Timestamp, is_loopback};
use sha2::{Digest, Sha256};
use url::Url;

use crate::ClientApp;

/// Token calls a minute for an app, unless the settings say otherwise.
const DEFAULT_CEILING: NonZeroU32 = NonZeroU32::new(60).unwrap();

/// The limits that a login keeps on its calls of the token endpoint. Beside them stands one that cannot be set: 5 calls
/// in any 61 s for one login, which is RingCentral's documented limit of 5 a minute for a user and app, and a second
/// for the way.
///
/// # The ceiling for the app
///
/// RingCentral's documentation has a limit for a user and app only. An announcement of its platform team speaks of "5
/// requests per minute per application" for the token endpoint, and of apps suspended for going on beyond it. So there
/// is a ceiling for all logins of one app (server and client id) in a process: by default **60 calls a minute**. 10,000
/// users then log in for the first time in under 3 hours, with refreshes served first. Refreshes alone need one call per
/// user and 48 minutes where an access token lives for an hour: 60 a minute carry 2,880 users, so set it higher for
/// more. Where the service allows less than the ceiling, its 429 and `Retry-After` pause all logins of the app.
///
/// ```
/// # use ringcentral_ws_api::LoginLimits;
/// let fleet = LoginLimits::default().app_ceiling(Some(600));
/// let tested = LoginLimits::default().on_loopback(true);
/// # assert_ne!(fleet, tested);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoginLimits {
    app_ceiling: Option<NonZeroU32>,
    on_loopback: bool,
}

impl Default for LoginLimits {
    /// 60 calls a minute for an app; none for a server on this machine.
    fn default() -> Self {
        Self { app_ceiling: Some(DEFAULT_CEILING), on_loopback: false }
    }
}

impl LoginLimits {
    /// Most token calls of the app in any minute (61 s, to be exact), all logins of the process together; `None`: no
    /// such limit, and this login's calls do not count for others. 0 counts as 1. The logins of one app should agree:
    /// each is held against the number it was given.
    #[must_use]
    pub const fn app_ceiling(mut self, calls_a_minute: Option<u32>) -> Self {
        self.app_ceiling = match calls_a_minute {
            None => None,
            Some(0) => Some(NonZeroU32::MIN),
            Some(calls) => NonZeroU32::new(calls),
        };
        self
    }

    /// Whether the limits hold for a server on this machine too. By default they do not: it is a stand-in.
    #[must_use]
    pub const fn on_loopback(mut self, on_loopback: bool) -> Self {
        self.on_loopback = on_loopback;
        self
    }

    /// The ceiling, in calls a minute.
    #[must_use]
    pub const fn ceiling(&self) -> Option<NonZeroU32> {
        self.app_ceiling
    }

    /// Whether they hold for `server`.
    #[must_use]
    pub fn hold_for(&self, server: &Url) -> bool {
        self.on_loopback || !is_loopback(server)
    }
}

/// Names a login (one user of one app) without giving anything of it away: a hash. The same JWT for the same app has
/// the same key in every process; so have tokens that name the same owner. A refresh token changes with each use, so a
/// login that begins with one keeps the key of the token it began with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginKey([u8; 16]);

impl LoginKey {
    pub(crate) fn new(app: &ClientApp, what: &str, value: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [&app.server.origin().ascii_serialization(), &app.client_id, what, value] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 16];
        key.copy_from_slice(&hash.finalize()[..16]);
        Self(key)
    }

    pub(crate) fn of_secret(app: &ClientApp, what: &str, secret: &Secret) -> Self {
        Self::new(app, what, secret.expose())
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for LoginKey {
    /// In hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LoginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginKey({self})")
    }
}

/// What a token call is for. What comes first here is served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoginKind {
    /// A refresh: it keeps a session of the server's, and with it what a lost connection can recover.
    Refresh,
    /// A new login.
    New,
}

/// A call of the token endpoint that a login is about to make.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LoginCall<'a> {
    /// The server it goes to.
    pub server: &'a Url,
    /// The app's id.
    pub client_id: &'a str,
    /// Whose it is.
    pub login: LoginKey,
    /// What it is for.
    pub kind: LoginKind,
    /// The settings of the login.
    pub limits: LoginLimits,
}

impl<'a> LoginCall<'a> {
    /// A call of this login.
    #[must_use]
    pub const fn new(app: &'a ClientApp, login: LoginKey, kind: LoginKind, limits: LoginLimits) -> Self {
        Self { server: &app.server, client_id: app.client_id.as_str(), login, kind, limits }
    }
}

/// The answer of a limiter that does not allow a call now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginWait {
    /// When to ask again, from now on. A login that comes then should find its turn, if nobody more urgent came.
    pub retry_after: Duration,
    /// One line for people: which limit it is, and what changes it. No secrets.
    pub message: Box<str>,
}

impl From<LoginWait> for AuthFailure {
    fn from(wait: LoginWait) -> Self {
        Self { retry_after: Some(wait.retry_after), ..Self::new(AuthFailureKind::Limited, wait.message) }
    }
}

/// Decides when a call of the token endpoint may be made. [`TokenBudget`](crate::TokenBudget) is the built-in one, for
/// the logins of a process. One of yours can stand beside it in the adapters (`Jwt::limiter`), for instance to share a
/// limit between processes.
///
/// The methods are called from within a login, on the async adapters by a task, so they must not block. A limiter that
/// has to ask a service takes permits in stock elsewhere, hands them out here, and lets a login wait a moment when it
/// has none. It sees all calls, those to a server on this machine too. `now` is the login's clock: it never goes back by
/// much, and says nothing to another process.
pub trait LoginLimiter: Send + Sync {
    /// Takes one call.
    ///
    /// # Errors
    ///
    /// How long to wait. The call is not made, and nothing was taken.
    fn acquire(&self, call: &LoginCall<'_>, now: Timestamp) -> Result<(), LoginWait>;

    /// The call that was taken at `acquired` never left this machine (name lookup, TCP or TLS failed): it counts
    /// against nothing.
    fn give_back(&self, call: &LoginCall<'_>, acquired: Timestamp, now: Timestamp);

    /// The server asked for no calls for so long (`Retry-After`, or 60 s after a 429 without one). Which of its limits
    /// was met is not known.
    fn pause(&self, call: &LoginCall<'_>, pause: Duration, now: Timestamp);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(server: &str, id: &str) -> ClientApp {
        ClientApp { server: server.parse().unwrap(), client_id: id.to_owned(), client_secret: None }
    }

    #[test]
    fn a_key_names_server_app_and_login_and_shows_none_of_them() {
        let key = |server: &str, id: &str, jwt: &str| LoginKey::of_secret(&app(server, id), "jwt", &jwt.into());
        let one = key("https://h.example", "id", "secret");
        assert_eq!(one, key("https://h.example/base", "id", "secret"), "one server");
        for other in [
            key("https://h.example:1", "id", "secret"),
            key("https://h.example", "ids", "ecret"),
            key("https://h.example", "id", "other"),
            LoginKey::new(&app("https://h.example", "id"), "refresh", "secret"),
        ] {
            assert_ne!(one, other);
        }
        let shown = format!("{one:?}");
        assert!(shown.len() == "LoginKey()".len() + 32 && !shown.contains("secret"), "{shown}");
        assert_eq!(one.as_bytes().len(), 16);
    }

    // CLAUSE TOK-9
    #[test]
    fn loopback_is_exempt_by_default_only() {
        for server in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "http://a.localhost"] {
            let server = server.parse().unwrap();
            assert!(!LoginLimits::default().hold_for(&server), "{server}");
            assert!(LoginLimits::default().on_loopback(true).hold_for(&server), "{server}");
        }
        assert!(LoginLimits::default().hold_for(&"https://localhost.example".parse().unwrap()));
        assert!(LoginLimits::default().hold_for(&"data:x".parse().unwrap()));
    }

    // CLAUSE TOK-9
    #[test]
    fn the_ceiling_is_on_by_default_and_settable() {
        let number = |limits: LoginLimits| limits.ceiling().map(NonZeroU32::get);
        let limits = LoginLimits::default();
        assert_eq!(number(limits), Some(60));
        assert_eq!(number(limits.app_ceiling(None)), None);
        assert_eq!(number(limits.app_ceiling(Some(0))), Some(1));
        assert_eq!(number(limits.app_ceiling(Some(600))), Some(600));
    }
}
