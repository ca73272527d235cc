//! Where access tokens come from.

mod login;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use ringcentral_ws_adapter::{FixedToken, StateFile};
use ringcentral_ws_api::{ForeignTokens, Identity, source_panicked};
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, Secret};
use url::Url;

pub use self::login::{Jwt, RefreshToken};
use crate::https::HttpsSender;

/// What a [`CredentialSource`] is asked.
pub struct TokenRequest<'a> {
    /// Why a token is needed.
    pub reason: AuthReason,
    /// The last token that this client got. If the reason is [`AuthReason::Refused`], give another one.
    pub held: Option<&'a Secret>,
    /// Makes HTTPS calls.
    pub https: &'a dyn HttpsSender,
}

/// Gives access tokens. One source may serve several clients, and may be called again before it has answered.
///
/// The future runs to its end even if the session does not wait for it any more, so that a new refresh token is not
/// lost. [`Client::close`](crate::Client::close) waits for it, up to `Config::close_timeout`. It is dropped early in
/// two cases: that time has passed, or the last handle of the client was dropped.
pub trait CredentialSource: Send + Sync + 'static {
    /// An access token that is valid now.
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>>;

    /// The server that the credentials belong to. It is used unless the configuration names another one.
    fn server(&self) -> Option<&Url> {
        None
    }

    /// The owner of the tokens (server, app and user), if it is known. Snapshots are bound to it, unless
    /// [`Config::identity`](ringcentral_ws_core::Config::identity) names another owner. Return the same value for the
    /// same user and app each time.
    fn identity(&self) -> Option<Identity> {
        None
    }

    /// Continues the login of these files, and stores each new one in them
    /// ([`Builder::stored_in`](crate::Builder::stored_in)). The default does neither.
    ///
    /// # Errors
    ///
    /// [`ForeignTokens`]: the login in the files is of another server, app or user. Nothing of it is used.
    fn store_in(&mut self, state: &StateFile) -> Result<(), ForeignTokens> {
        let _ = state;
        Ok(())
    }
}

/// Asks a source. A panic in it is a failure like others: the session tries again later.
pub(crate) async fn ask(source: &dyn CredentialSource, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
    // Nothing of the driver is touched by the future but the calls it makes, so no broken state can be seen.
    let asked = AssertUnwindSafe(async { source.access_token(request).await }).catch_unwind().await;
    asked.unwrap_or_else(|_| Err(source_panicked()))
}

impl<T: CredentialSource + ?Sized> CredentialSource for Arc<T> {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        (**self).access_token(request)
    }

    fn server(&self) -> Option<&Url> {
        (**self).server()
    }

    fn identity(&self) -> Option<Identity> {
        (**self).identity()
    }
}

impl CredentialSource for FixedToken {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(async move { self.token(request.reason) })
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::HttpFailure;

    use super::*;

    struct Broken;

    impl CredentialSource for Broken {
        fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
            assert_eq!(request.reason, AuthReason::Missing, "before there is a future");
            Box::pin(async { panic!("in the future") })
        }
    }

    struct NoCalls;

    impl HttpsSender for NoCalls {
        fn send(
            &self,
            _: http::Request<bytes::Bytes>,
        ) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, HttpFailure>> {
            Box::pin(std::future::pending())
        }
    }

    #[test]
    fn a_panic_of_a_source_is_a_failure() {
        for reason in [AuthReason::Missing, AuthReason::Expiring] {
            let request = TokenRequest { reason, held: None, https: &NoCalls };
            let failure = ask(&Broken, request).now_or_never().unwrap().unwrap_err();
            assert!(!failure.is_permanent() && failure.message.contains("panicked"), "{failure:?}");
        }
    }
}
