//! What doctor has begun on the server, so that it can be ended when somebody interrupts it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ringcentral_ws_core::Close;
use ringcentral_ws_driver::watch::Source;
use ringcentral_ws_driver::{Client, HttpsSender};
use ringcentral_ws_tokio::Tokio;
use tokio::time::timeout;

/// The end in order may take so long. A server that does not answer is given up then.
const LIMIT: Duration = Duration::from_secs(5);

/// The login, and what gives it back.
type Login = (Arc<Source>, Arc<dyn HttpsSender>);

/// What is on the server now.
#[derive(Default)]
pub(super) struct Made {
    session: Mutex<Option<Client<Tokio>>>,
    login: Mutex<Option<Login>>,
    logs_in: AtomicBool,
}

impl Made {
    /// A session was started. The handle that is kept does not end when the session's owner drops it: see
    /// [`forget_session`](Self::forget_session).
    pub(super) fn session(&self, client: &Client<Tokio>) {
        *locked(&self.session) = Some(client.clone());
    }

    /// The session is over, or its connection is to be cut.
    pub(super) fn forget_session(&self) {
        *locked(&self.session) = None;
    }

    /// A login may follow.
    pub(super) fn login(&self, source: &Arc<Source>, https: &Arc<dyn HttpsSender>) {
        *locked(&self.login) = Some((Arc::clone(source), Arc::clone(https)));
    }

    /// Whether the answer to a login is awaited. Without it nobody knows what to give back.
    pub(super) fn logs_in(&self, now: bool) {
        self.logs_in.store(now, Ordering::Relaxed);
    }

    /// The login was given back.
    pub(super) fn forget_login(&self) {
        *locked(&self.login) = None;
    }

    /// Ends the session and gives the login back, unless a file keeps it. `false` when something may be left, because the
    /// server did not answer in time, or refused it.
    pub(super) async fn end(&self) -> bool {
        let session = locked(&self.session).take();
        let login = locked(&self.login).take();
        let end = async {
            if let Some(client) = session {
                client.close(Close::Revoke).await;
            }
            match login {
                Some((source, https)) => match &*source {
                    Source::Jwt(jwt) => jwt.revoke(&*https).await.is_ok(),
                    Source::Stored { .. } => true,
                },
                None => true,
            }
        };
        timeout(LIMIT, end).await.unwrap_or(false) && !self.logs_in.load(Ordering::Relaxed)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
