//! JWT and refresh-token logins: the shared piece behind a lock, and the calls it asks for.

use std::sync::{Mutex, MutexGuard, PoisonError};

use ringcentral_ws_adapter::{Login, LoginNext, StateFile, login_sources};
use ringcentral_ws_api::{self as api, ForeignTokens, Identity};
use ringcentral_ws_core::{AccessToken, AuthFailure};
use url::Url;

use super::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;

type Lock = Mutex<api::Login>;

login_sources!(
    lock: Lock,
    unshared: |lock| Lock::get_mut(lock).unwrap_or_else(PoisonError::into_inner),
    callback: "It is called on the thread of the login. The session goes on meanwhile, but has no new token until it \
               returns.",
    names: "# use ringcentral_ws_blocking::{Jwt, TokenSet};"
);

/// What is left for a source that logs in: its calls.
macro_rules! source {
    ($source:ident) => {
        impl $source {
            /// Ends the login on the server, and with it every session made with it. For the next token a [`Jwt`] logs
            /// in anew; a [`RefreshToken`] has no more tokens to give.
            ///
            /// # Errors
            ///
            /// When the server could not be reached or refused it; the tokens are kept then.
            pub fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
                revoke(&self.0, https)
            }
        }

        impl CredentialSource for $source {
            fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
                answer(&self.0, &request)
            }

            fn server(&self) -> Option<&Url> {
                Some(&self.0.app().server)
            }

            fn identity(&self) -> Option<Identity> {
                self.0.identity()
            }

            fn store_in(&mut self, state: &StateFile) -> Result<(), ForeignTokens> {
                self.0.store_in(state, |lock| Lock::get_mut(lock).unwrap_or_else(PoisonError::into_inner))
            }
        }
    };
}

source!(Jwt);
source!(RefreshToken);

fn machine(login: &Login<Lock>) -> MutexGuard<'_, api::Login> {
    login.machine().lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(login: &Login<Lock>, asked: &TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
    let mut machine = machine(login);
    let mut next = login.begin(&mut machine, asked.reason, asked.held);
    loop {
        match next {
            LoginNext::Call(request) => next = login.answered(&mut machine, asked.https.send(*request)),
            LoginNext::Done(answer) => return answer,
        }
    }
}

fn revoke(login: &Login<Lock>, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
    let mut machine = machine(login);
    let Some(request) = machine.revoke() else { return Ok(()) };
    machine.revoked(https.send(request))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::{Request, Response};
    use ringcentral_ws_api::ClientApp;
    use ringcentral_ws_core::{AuthReason, HttpFailure};

    use super::*;

    /// Gives tokens, and counts.
    #[derive(Default)]
    struct Server(AtomicUsize);

    impl HttpsSender for Server {
        fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let tokens = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
            Ok(Response::new(tokens.into()))
        }
    }

    #[test]
    fn two_questions_make_one_call() {
        let server = "https://localhost".parse().unwrap();
        let source = Jwt::new(ClientApp { server, client_id: "id".to_owned(), client_secret: None }, "j");
        let (https, start) = (Server::default(), Barrier::new(2));
        let ask = || {
            start.wait();
            source.access_token(TokenRequest { reason: AuthReason::Missing, held: None, https: &https })
        };
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(ask);
            (ask(), other.join().unwrap())
        });
        assert_eq!((one.unwrap().secret, https.0.into_inner()), (two.unwrap().secret, 1));
    }
}
