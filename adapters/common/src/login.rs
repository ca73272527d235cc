//! What the built-in credential sources share. What to call, when, and what an answer means is [`oauth::Login`]'s; here
//! are the clock, the budget of the process, and the application's store.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use ringcentral_ws_core::oauth::{self, ClientApp, LoginStep, TokenBudget, TokenSet};
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, HttpFailure, Secret, Timestamp};

use crate::clock::{Clock, ClockTimes};

/// Told of every new set of tokens.
type TokenCallback = Arc<dyn Fn(&TokenSet) + Send + Sync>;

/// A login behind a lock of the adapter's kind, which is held while a call is made: two clients never refresh at once.
pub struct Login<L> {
    app: ClientApp,
    callback: Option<TokenCallback>,
    machine: L,
}

/// What a question for a token leads to.
#[derive(Debug)]
#[must_use]
pub enum LoginNext {
    /// Make this call, and hand its result to [`Login::answered`].
    Call(Box<Request<Bytes>>),
    /// The answer. New tokens have reached the application's store.
    Done(Result<AccessToken, AuthFailure>),
}

impl<L> Login<L> {
    /// `lock` puts the machine behind the lock.
    pub fn new(machine: oauth::Login, lock: impl FnOnce(oauth::Login) -> L) -> Self {
        Self { app: machine.app().clone(), callback: None, machine: lock(machine) }
    }

    /// The app it logs in to.
    pub const fn app(&self) -> &ClientApp {
        &self.app
    }

    /// The lock.
    pub const fn machine(&self) -> &L {
        &self.machine
    }

    /// The lock, before it is shared.
    pub const fn machine_mut(&mut self) -> &mut L {
        &mut self.machine
    }

    /// From now on `callback` is told of each new set of tokens.
    pub fn on_tokens(&mut self, callback: impl Fn(&TokenSet) + Send + Sync + 'static) {
        self.callback = Some(Arc::new(callback));
    }

    /// Somebody wants a token; `held` is the one they were given last.
    pub fn begin(&self, machine: &mut oauth::Login, reason: AuthReason, held: Option<&Secret>) -> LoginNext {
        let step = machine.begin(reason, held, &mut budget(), login_now());
        self.next(step)
    }

    /// The result of the call.
    pub fn answered(&self, machine: &mut oauth::Login, answer: Result<Response<Bytes>, HttpFailure>) -> LoginNext {
        let step = machine.answered(answer, &mut budget(), login_now());
        self.next(step)
    }

    fn next(&self, step: LoginStep) -> LoginNext {
        match step {
            LoginStep::Call(request) => LoginNext::Call(request),
            LoginStep::Failed(failure) => LoginNext::Done(Err(failure)),
            LoginStep::Token { token, issued } => {
                if let (Some(callback), Some(issued)) = (&self.callback, issued) {
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

/// The token endpoint's limits hold for the process.
fn budget() -> MutexGuard<'static, TokenBudget> {
    static BUDGET: Mutex<TokenBudget> = Mutex::new(TokenBudget::new());
    BUDGET.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Logins outlive clients, so they have a clock of their own. It goes on while the machine sleeps, as the server's does.
pub fn login_now() -> Timestamp {
    static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock::new(Duration::ZERO, ClockTimes::system));
    CLOCK.reading().now
}
