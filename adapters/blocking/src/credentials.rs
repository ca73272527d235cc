//! Where access tokens come from.

mod env;
mod login;

use std::sync::Arc;

use ringcentral_ws_core::{AccessToken, AuthFailure, AuthReason, Secret};
use url::Url;

pub use self::env::EnvError;
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
/// lost. Only the end of the client ends its HTTPS calls.
pub trait CredentialSource: Send + Sync + 'static {
    /// An access token that is good now.
    ///
    /// # Errors
    ///
    /// [`AuthFailure`], which tells whether trying again can help.
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure>;

    /// The server the credentials are for; used unless the configuration names another.
    fn server(&self) -> Option<&Url> {
        None
    }
}

impl<T: CredentialSource + ?Sized> CredentialSource for Arc<T> {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        (**self).access_token(request)
    }

    fn server(&self) -> Option<&Url> {
        (**self).server()
    }
}

/// One access token, managed elsewhere. When it is refused or expires the session ends.
#[derive(Clone, Debug)]
pub struct FixedToken(Secret);

impl FixedToken {
    /// Uses this token.
    #[must_use]
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(token.into())
    }
}

impl CredentialSource for FixedToken {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        if request.reason == AuthReason::Refused {
            return Err(AuthFailure {
                permanent: true,
                code: None,
                message: "the access token was refused, and there is no other: start again with a new one".into(),
                retry_after: None,
            });
        }
        Ok(AccessToken { secret: self.0.clone(), expires_in: None })
    }
}
