//! Whether the server can be reached at all: a wrong address must not look like patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringcentral_ws_blocking::core::{AccessToken, AuthFailure, Cause, Event, HttpFailure, Phase};
use ringcentral_ws_blocking::http::{Request, Response};
use ringcentral_ws_blocking::{CredentialSource, HttpsSender, Jwt, TokenRequest};

/// Attempts in a row that may fail on the way to the server before the first connection.
const ATTEMPTS: u32 = 3;

/// Watches the first attempts.
pub(crate) struct Reach {
    login: Arc<Login>,
    failed: u32,
    connected: bool,
}

/// The credentials, and whether their last call got through to a server.
pub(crate) struct Login {
    pub(crate) jwt: Jwt,
    unreached: AtomicBool,
}

impl Reach {
    pub(crate) fn new(jwt: Jwt) -> Self {
        Self { login: Arc::new(Login { jwt, unreached: AtomicBool::new(false) }), failed: 0, connected: false }
    }

    pub(crate) fn login(&self) -> Arc<Login> {
        Arc::clone(&self.login)
    }

    /// The line to end with, once it is clear that the server cannot be reached.
    pub(crate) fn on(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Connected { .. } => self.connected = true,
            Event::Retry { cause, .. } if !self.connected => {
                self.failed = if self.is_unreached(cause) { self.failed + 1 } else { 0 };
                if self.failed == ATTEMPTS {
                    let server = self.login.jwt.app().server.origin().ascii_serialization();
                    return Some(format!(
                        "{server} cannot be reached, {ATTEMPTS} attempts failed ({cause}): check RC_SERVER_URL and the network"
                    ));
                }
            }
            _ => {}
        }
        None
    }

    fn is_unreached(&self, cause: &Cause) -> bool {
        match cause {
            Cause::ConnectFailed { phase, .. } | Cause::Network { phase, .. } => is_on_the_way(*phase),
            Cause::Credentials { .. } => self.login.unreached.load(Ordering::Relaxed),
            _ => false,
        }
    }
}

fn is_on_the_way(phase: Phase) -> bool {
    matches!(phase, Phase::Dns | Phase::Tcp | Phase::Tls)
}

/// Calls that are watched.
struct Calls<'a>(&'a dyn HttpsSender, &'a AtomicBool);

impl HttpsSender for Calls<'_> {
    fn send(&self, request: Request<bytes::Bytes>) -> Result<Response<bytes::Bytes>, HttpFailure> {
        let result = self.0.send(request);
        self.1.store(result.as_ref().is_err_and(|failure| is_on_the_way(failure.phase)), Ordering::Relaxed);
        result
    }
}

impl CredentialSource for Login {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        let calls = Calls(request.https, &self.unreached);
        self.jwt.access_token(TokenRequest { https: &calls, ..request })
    }

    fn server(&self) -> Option<&url::Url> {
        self.jwt.server()
    }
}
