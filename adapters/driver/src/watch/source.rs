//! Where the program's access tokens come from: a JWT, or a login that was kept in a file.

use std::path::Path;

use futures_util::future::BoxFuture;
use ringcentral_ws_adapter::terminal;
use ringcentral_ws_adapter::watch::login_file::LoginFile;
use ringcentral_ws_adapter::watch::start::KeptLogin;
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_core::{AccessToken, AuthFailure, Identity};
use url::Url;

use crate::credentials::{CredentialSource, Jwt, RefreshToken, TokenRequest};
use crate::https::HttpsSender;

/// A login of either kind.
#[derive(Debug)]
pub enum Source {
    /// By the JWT of the environment.
    Jwt(Jwt),
    /// By the tokens of a file.
    Stored {
        /// The login.
        login: RefreshToken,
        /// Its app.
        app: ClientApp,
        /// Where its tokens are kept.
        file: LoginFile,
    },
}

impl Source {
    /// The login of a file, which is written again with each new set of tokens. `name` is the program's.
    ///
    /// # Errors
    ///
    /// One line.
    pub fn of_file(name: &'static str, path: &Path) -> Result<Self, String> {
        let file = LoginFile::claim(path).map_err(|error| error.to_string())?;
        if let Some(notice) = file.notice() {
            terminal::complain(name, &notice);
        }
        let (app, tokens) = file.load()?;
        let owner = tokens.owner_id.clone();
        let mut login = RefreshToken::from_tokens(app.clone(), tokens);
        if let Some(owner) = owner {
            login = login.user(&owner);
        }
        let (kept, of) = (file.clone(), app.clone());
        let login = login.on_tokens(move |tokens| {
            if let Err(error) = kept.save(&of, tokens) {
                terminal::complain(name, &format!("the login cannot be kept, so it is lost at the end: {error}"));
            }
        });
        Ok(Self::Stored { login, app, file })
    }

    /// The app it logs in to.
    #[must_use]
    pub const fn app(&self) -> &ClientApp {
        match self {
            Self::Jwt(jwt) => jwt.app(),
            Self::Stored { app, .. } => app,
        }
    }

    /// With a state file the login by JWT is kept too.
    pub(super) fn keeping(self, kept: Option<KeptLogin>) -> Self {
        let Some(kept) = kept else { return self };
        match self {
            Self::Jwt(mut jwt) => {
                if let Some(token) = kept.token() {
                    jwt = jwt.with_refresh_token(token);
                }
                Self::Jwt(jwt.on_tokens(move |tokens| kept.keep(tokens)))
            }
            stored @ Self::Stored { .. } => stored,
        }
    }

    /// Gives the login back to the server, and forgets it.
    ///
    /// # Errors
    ///
    /// When the server could not be reached or refused it.
    pub async fn revoke(&self, https: &dyn HttpsSender) -> Result<(), AuthFailure> {
        match self {
            Self::Jwt(jwt) => jwt.revoke(https).await,
            Self::Stored { login, file, .. } => {
                login.revoke(https).await?;
                file.remove().map_err(|error| AuthFailure::transient(error.to_string()))
            }
        }
    }
}

impl CredentialSource for Source {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        match self {
            Self::Jwt(jwt) => jwt.access_token(request),
            Self::Stored { login, .. } => login.access_token(request),
        }
    }

    fn server(&self) -> Option<&Url> {
        Some(&self.app().server)
    }

    fn identity(&self) -> Option<Identity> {
        match self {
            Self::Jwt(jwt) => jwt.identity(),
            Self::Stored { login, .. } => login.identity(),
        }
    }
}
