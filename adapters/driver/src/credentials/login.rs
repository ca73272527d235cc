//! JWT and refresh-token logins: the shared piece behind a lock, and the calls it asks for.

use futures_util::future::BoxFuture;
use futures_util::lock::Mutex;
use ringcentral_ws_adapter::{Login, LoginNext, StateFile, login_sources};
use ringcentral_ws_api::{self as api, ForeignTokens, Identity};
use ringcentral_ws_core::{AccessToken, AuthFailure};
use url::Url;

use super::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;

type Lock = Mutex<api::Login>;

login_sources!(
    lock: Lock,
    unshared: Lock::get_mut,
    callback: "It is called in the client's task, which does nothing else meanwhile. Up to some 100 ms for a file and \
               its `sync_all` are fine. Do not wait for a network or a person: heartbeats wait too.",
    names: "# use ringcentral_ws_driver::{Jwt, TokenSet};"
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
            pub async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
                revoke(&self.0, https).await
            }
        }

        impl CredentialSource for $source {
            fn access_token<'a>(
                &'a self,
                request: TokenRequest<'a>,
            ) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
                Box::pin(answer(&self.0, request))
            }

            fn server(&self) -> Option<&Url> {
                Some(&self.0.app().server)
            }

            fn identity(&self) -> Option<Identity> {
                self.0.identity()
            }

            fn store_in(&mut self, state: &StateFile) -> Result<(), ForeignTokens> {
                self.0.store_in(state, Lock::get_mut)
            }
        }
    };
}

source!(Jwt);
source!(RefreshToken);

async fn answer(login: &Login<Lock>, asked: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
    let mut machine = login.machine().lock().await;
    let mut next = login.begin(&mut machine, asked.reason, asked.held);
    loop {
        match next {
            LoginNext::Call(request) => next = login.answered(&mut machine, asked.https.send(*request).await),
            LoginNext::Done(answer) => return answer,
        }
    }
}

async fn revoke(login: &Login<Lock>, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
    let mut machine = login.machine().lock().await;
    let Some(request) = machine.revoke() else { return Ok(()) };
    machine.revoked(https.send(request).await)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use futures_util::FutureExt;
    use http::{Request, Response};
    use ringcentral_ws_api::ClientApp;
    use ringcentral_ws_core::{AuthReason, HttpFailure};

    use super::*;

    /// Gives tokens, and counts.
    #[derive(Default)]
    struct Server(AtomicUsize);

    impl HttpsSender for Server {
        fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let tokens = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
            Box::pin(std::future::ready(Ok(Response::new(tokens.into()))))
        }
    }

    #[test]
    fn two_questions_make_one_call() {
        let server = "https://localhost".parse().unwrap();
        let source = Jwt::new(ClientApp { server, client_id: "id".to_owned(), client_secret: None }, "j");
        let https = Server::default();
        let machine = source.0.machine().try_lock().unwrap();
        let request = || TokenRequest { reason: AuthReason::Missing, held: None, https: &https };
        let mut both =
            Box::pin(futures_util::future::join(source.access_token(request()), source.access_token(request())));
        assert!(both.as_mut().now_or_never().is_none(), "one at a time");
        drop(machine);
        let (one, two) = both.now_or_never().unwrap();
        assert_eq!((one.unwrap().secret, https.0.into_inner()), (two.unwrap().secret, 1));
    }
}
