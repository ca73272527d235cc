//! Where access tokens come from.

mod login;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ringcentral_ws_adapter::FixedToken;
use ringcentral_ws_api::{Identity, source_panicked};
use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, Secret};
use url::Url;

pub use self::login::{Jwt, RefreshToken};
use crate::https::HttpsSender;

/// A question to a [`CredentialSource`].
pub struct TokenRequest<'a> {
    /// Why a token is wanted.
    pub reason: AuthReason,
    /// The token this client was given last. With [`AuthReason::Refused`] it must not be given again.
    pub held: Option<&'a Secret>,
    /// Makes the calls.
    pub https: &'a dyn HttpsSender,
}

/// Gives access tokens. It is called on a thread of its own and may block; one source may serve several clients.
///
/// The call is run to its end, also when the session has stopped waiting for it, so that a rotated refresh token is not
/// lost: [`Client::close`](crate::Client::close) waits for it, within `Config::close_timeout`. Only that limit, and the
/// drop of the last handle, end its HTTPS calls on the way.
pub trait CredentialSource: Send + Sync + 'static {
    /// An access token that is good now.
    ///
    /// # Errors
    ///
    /// [`AuthFailure`], which says whether trying again can help.
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure>;

    /// The server the credentials are for; used unless the configuration names another.
    fn server(&self) -> Option<&Url> {
        None
    }

    /// Whose the tokens are, if that is known: stored sessions are bound to it, unless
    /// [`Config::identity`](ringcentral_ws_core::Config::identity) names another. It must stay the same while the user and
    /// the app do.
    fn identity(&self) -> Option<Identity> {
        None
    }
}

/// Asks a source. A panic in it is a failure like others: the session tries again later.
pub(crate) fn ask(source: &dyn CredentialSource, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
    // Nothing of the driver is touched by the source but the calls it makes, so no broken state can be seen.
    catch_unwind(AssertUnwindSafe(|| source.access_token(request))).unwrap_or_else(|_| Err(source_panicked()))
}

impl<T: CredentialSource + ?Sized> CredentialSource for Arc<T> {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
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
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        self.token(request.reason)
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use ringcentral_ws_core::HttpFailure;

    use super::*;

    struct Broken;

    impl CredentialSource for Broken {
        fn access_token(&self, _: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
            panic!("a bug of the program")
        }
    }

    impl HttpsSender for Broken {
        fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpFailure> {
            unreachable!("it never calls")
        }
    }

    #[test]
    fn a_panic_of_a_source_is_a_failure() {
        let request = TokenRequest { reason: AuthReason::Missing, held: None, https: &Broken };
        let failure = ask(&Broken, request).unwrap_err();
        assert!(!failure.is_permanent() && failure.message.contains("panicked"), "{failure:?}");
    }
}
