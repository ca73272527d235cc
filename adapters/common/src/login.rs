//! What the built-in credential sources share. What to call, when, and what an answer means is [`api::Login`]'s; here
//! are the clock, the budget of the process, a limiter of the application's, and the application's store.

mod sources;

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ringcentral_ws_api::{
    self as api, ClientApp, ForeignTokens, Identity, LoginCall, LoginLimiter, LoginStep, LoginWait, TokenBudget,
    TokenSet,
};
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, ClockReading, HttpFailure, Secret, Timestamp};

pub use self::sources::FixedToken;
use crate::clock::{Clock, ClockTimes};
use crate::state_file::StateFile;

/// What [`login_sources`](crate::login_sources) names of the logins.
#[doc(hidden)]
pub mod names {
    pub use ringcentral_ws_api::{ClientApp, EnvError, ForeignTokens, Login, LoginLimiter, LoginLimits, TokenSet};
    pub use ringcentral_ws_core::Secret;
}

/// Is given every new set of tokens.
type TokenCallback = Arc<dyn Fn(&TokenSet) + Send + Sync>;

/// A login behind a lock of the adapter's kind, which is held while a call is made: two clients never refresh at once.
pub struct Login<L> {
    app: ClientApp,
    identity: Option<Identity>,
    callback: Option<TokenCallback>,
    limiter: Limiter,
    machine: L,
}

/// What a question for a token leads to.
#[must_use]
pub enum LoginNext {
    /// Make this call, and hand its result to [`Login::answered`].
    Call(Box<Request<Bytes>>),
    /// The answer. New tokens have reached the application's store.
    Done(Result<AccessToken, AuthFailure>),
}

impl fmt::Debug for LoginNext {
    /// The body of a call is secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(request) => write!(f, "Call({})", request.uri().path()),
            Self::Done(answer) => f.debug_tuple("Done").field(answer).finish(),
        }
    }
}

impl<L> Login<L> {
    /// `lock` puts the machine behind the lock.
    pub fn new(machine: api::Login, lock: impl FnOnce(api::Login) -> L) -> Self {
        let (app, identity) = (machine.app().clone(), machine.identity());
        Self { app, identity, callback: None, limiter: Limiter::default(), machine: lock(machine) }
    }

    /// The app it logs in to.
    pub const fn app(&self) -> &ClientApp {
        &self.app
    }

    /// Whose it is, as far as it is known.
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Names the user.
    pub fn set_user(&mut self, user: &str) {
        self.identity = Some(self.app.user_identity(user));
    }

    /// The lock.
    pub const fn machine(&self) -> &L {
        &self.machine
    }

    /// The lock, before it is shared.
    pub const fn machine_mut(&mut self) -> &mut L {
        &mut self.machine
    }

    /// From now on `callback` gets each new set of tokens.
    pub fn on_tokens(&mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) {
        self.callback = Some(Arc::new(callback));
    }

    /// Begins with the login of these files, if they have one, and from now on stores each new one in them. `unshared`
    /// looks into the lock.
    ///
    /// # Errors
    ///
    /// [`ForeignTokens`]: what is stored is of another login.
    pub fn store_in(
        &mut self,
        state: &StateFile,
        unshared: impl FnOnce(&mut L) -> &mut api::Login,
    ) -> Result<(), ForeignTokens> {
        if let Some(tokens) = state.stored_login() {
            unshared(&mut self.machine).set_tokens(&login_aged(tokens), login_now())?;
        }
        let (state, server) = (state.clone(), self.app.server.clone());
        self.on_tokens(move |tokens| state.save_login(&server, tokens));
        Ok(())
    }

    /// From now on `limiter` is asked too.
    pub fn set_limiter(&mut self, limiter: Arc<dyn LoginLimiter>) {
        self.limiter.own = Some(limiter);
    }

    /// A token is asked for; `held` is the one given out last.
    pub fn begin(&self, machine: &mut api::Login, reason: AuthReason, held: Option<&Secret>) -> LoginNext {
        let step = machine.begin(reason, held, &self.limiter, login_now());
        self.next(step)
    }

    /// The result of the call.
    pub fn answered(&self, machine: &mut api::Login, answer: Result<Response<Bytes>, HttpFailure>) -> LoginNext {
        let step = machine.answered(answer, &self.limiter, login_now());
        self.next(step)
    }

    fn next(&self, step: LoginStep) -> LoginNext {
        match step {
            LoginStep::Call(request) => LoginNext::Call(request),
            LoginStep::Failed(failure) => LoginNext::Done(Err(failure)),
            LoginStep::Token { token, issued } => {
                if let (Some(callback), Some(mut issued)) = (&self.callback, issued) {
                    issued.issued_at = Some(login_clock().unix);
                    issued.identity = self.identity.or(issued.identity);
                    callback(&issued);
                }
                LoginNext::Done(Ok(token))
            }
        }
    }
}

impl<L> fmt::Debug for Login<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("app", &self.app).finish_non_exhaustive()
    }
}

/// The limits of a user and app hold for the process.
static BUDGET: TokenBudget = TokenBudget::new();

/// The budget of the process, and beside it a limiter of the application's, which takes the place of the ceiling.
#[derive(Default)]
struct Limiter {
    own: Option<Arc<dyn LoginLimiter>>,
}

impl Limiter {
    fn in_process<'a>(&self, call: &LoginCall<'a>) -> LoginCall<'a> {
        let limits = if self.own.is_some() { call.limits.app_ceiling(None) } else { call.limits };
        let mut call = *call;
        call.limits = limits;
        call
    }
}

impl LoginLimiter for Limiter {
    fn acquire(&self, call: &LoginCall<'_>, now: Timestamp) -> Result<(), LoginWait> {
        let in_process = self.in_process(call);
        BUDGET.acquire(&in_process, now)?;
        let Some(own) = &self.own else { return Ok(()) };
        own.acquire(call, now).inspect_err(|_| BUDGET.give_back(&in_process, now, now))
    }

    fn give_back(&self, call: &LoginCall<'_>, acquired: Timestamp, now: Timestamp) {
        BUDGET.give_back(&self.in_process(call), acquired, now);
        if let Some(own) = &self.own {
            own.give_back(call, acquired, now);
        }
    }

    fn pause(&self, call: &LoginCall<'_>, pause: Duration, now: Timestamp) {
        BUDGET.pause(&self.in_process(call), pause, now);
        if let Some(own) = &self.own {
            own.pause(call, pause, now);
        }
    }
}

/// Logins outlive clients, so they have a clock of their own. It goes on while the machine sleeps, as the server's does.
pub fn login_now() -> Timestamp {
    login_clock().now
}

/// Tokens that were stored, with the age they have now.
pub fn login_aged(tokens: TokenSet) -> TokenSet {
    tokens.aged(login_clock().unix)
}

fn login_clock() -> ClockReading {
    static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock::new(Duration::ZERO, ClockTimes::system));
    CLOCK.reading()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use ringcentral_ws_api::{LoginKind, LoginLimits};
    use ringcentral_ws_core::Phase;

    use super::*;

    /// Writes down what it is asked, and lets so many calls go.
    #[derive(Default)]
    struct Shared {
        said: Mutex<Vec<String>>,
        left: Mutex<usize>,
    }

    impl Shared {
        fn said(&self) -> String {
            std::mem::take(&mut *self.said.lock().unwrap()).join(", ")
        }
    }

    impl LoginLimiter for Shared {
        fn acquire(&self, call: &LoginCall<'_>, _: Timestamp) -> Result<(), LoginWait> {
            self.said.lock().unwrap().push(format!("{:?} for {}", call.kind, call.client_id));
            let mut left = self.left.lock().unwrap();
            let wait = || LoginWait { retry_after: Duration::from_secs(7), message: "the fleet's limit".into() };
            *left = left.checked_sub(1).ok_or_else(wait)?;
            Ok(())
        }

        fn give_back(&self, _: &LoginCall<'_>, _: Timestamp, _: Timestamp) {
            self.said.lock().unwrap().push("give back".to_owned());
            *self.left.lock().unwrap() += 1;
        }

        fn pause(&self, _: &LoginCall<'_>, pause: Duration, _: Timestamp) {
            self.said.lock().unwrap().push(format!("pause {}", pause.as_secs()));
        }
    }

    fn login(server: &str, limits: LoginLimits, limiter: Option<Arc<Shared>>) -> (Login<()>, api::Login) {
        let server = server.parse().unwrap();
        let app = ClientApp { server, client_id: "id".to_owned(), client_secret: None };
        let mut machine = api::Login::jwt(app.clone(), "j");
        machine.set_limits(limits);
        let mut login = Login::new(api::Login::jwt(app, "j"), |_| ());
        if let Some(limiter) = limiter {
            login.set_limiter(limiter);
        }
        (login, machine)
    }

    fn begin(login: &Login<()>, machine: &mut api::Login) -> Result<(), AuthFailure> {
        match login.begin(machine, AuthReason::Missing, None) {
            LoginNext::Call(_) => Ok(()),
            LoginNext::Done(answer) => Err(answer.unwrap_err()),
        }
    }

    fn status(status: u16) -> Result<Response<Bytes>, HttpFailure> {
        Ok(Response::builder().status(status).body(Bytes::new()).unwrap())
    }

    // CLAUSE SEC-1
    #[test]
    fn a_call_does_not_show_its_body() {
        let call = LoginNext::Call(Box::new(Request::post("/token?hunter2").body(Bytes::from("hunter2")).unwrap()));
        assert_eq!(format!("{call:?}"), "Call(/token)");
        let token = AccessToken { secret: "hunter2".into(), expires_in: None, cached: false };
        assert!(!format!("{:?}", LoginNext::Done(Ok(token))).contains("hunter2"));
    }

    // CLAUSE TOK-9
    #[test]
    fn a_limiter_of_the_applications_takes_the_place_of_the_ceiling() {
        let shared = Arc::new(Shared { left: Mutex::new(6), ..Shared::default() });
        let limits = LoginLimits::default().app_ceiling(Some(1));
        let (login, mut machine) = login("https://own.example", limits, Some(Arc::clone(&shared)));
        let new = format!("{:?} for id", LoginKind::New);
        for _ in 0..3 {
            begin(&login, &mut machine).unwrap();
        }
        assert_eq!(shared.said(), [&*new; 3].join(", "), "the ceiling of 1 is not in force");
        let not_sent = HttpFailure { phase: Phase::Dns, not_sent: true, message: "no such host".into() };
        let _ = login.answered(&mut machine, Err(not_sent));
        assert_eq!(shared.said(), "give back");
        *shared.left.lock().unwrap() = 0;
        for _ in 0..9 {
            let failure = begin(&login, &mut machine).unwrap_err();
            assert_eq!((&*failure.message, failure.retry_after), ("the fleet's limit", Some(Duration::from_secs(7))));
        }
        shared.said();
        *shared.left.lock().unwrap() = 9;
        for _ in 0..3 {
            begin(&login, &mut machine).unwrap();
        }
        assert_eq!(shared.said(), [&*new; 3].join(", "), "what it refused, and what was given back, was never taken");
        let failure = begin(&login, &mut machine).unwrap_err();
        assert!(failure.message.contains("for one login") && shared.said().is_empty(), "{failure:?}");
    }

    // CLAUSE TOK-3 TOK-9
    #[test]
    fn it_hears_of_a_pause_and_of_servers_on_this_machine() {
        let shared = Arc::new(Shared { left: Mutex::new(1), ..Shared::default() });
        let (login, mut machine) = login("http://127.0.0.1:1", LoginLimits::default(), Some(Arc::clone(&shared)));
        begin(&login, &mut machine).unwrap();
        shared.said();
        let _ = login.answered(&mut machine, status(429));
        assert_eq!(shared.said(), "pause 60");
        assert!(begin(&login, &mut machine).is_err(), "it is asked on loopback too");
    }
}
