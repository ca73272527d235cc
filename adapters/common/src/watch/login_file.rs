//! A login in a file of the user's: the app, and the tokens of a login by authorization code.

use std::env;
use std::path::Path;

use ringcentral_ws_api::{ClientApp, TokenSet};
use ringcentral_ws_core::Secret;
use serde::{Deserialize, Serialize};

use crate::file::{FileError, Holds, PrivateFile};

/// The file, which no other process can have at the same time: a refresh token is good for one use.
#[derive(Clone, Debug)]
pub struct LoginFile(PrivateFile);

/// Its content. The app's secret is not in it.
#[derive(Serialize, Deserialize)]
struct Content {
    // This one stays first: a file that begins otherwise is not replaced (SEC-4).
    server: String,
    client_id: String,
    tokens: TokenSet,
}

impl LoginFile {
    /// Takes the file, whether it exists or not.
    ///
    /// # Errors
    ///
    /// [`FileError`]: it is in use, holds something else, or the file system refuses.
    pub fn claim(file: &Path) -> Result<Self, FileError> {
        PrivateFile::claim_for(file, Holds::Login).map(Self)
    }

    /// What the user should know, in one line.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.0.notice()
    }

    /// The app, with the secret that the environment has of it, and its tokens.
    ///
    /// # Errors
    ///
    /// One line that says what to do.
    pub fn load(&self) -> Result<(ClientApp, TokenSet), String> {
        let path = self.0.path().display();
        let read = self.0.read().map_err(|error| error.to_string())?;
        let bytes = read.ok_or_else(|| format!("{path} does not exist: `ringcentral-ws login {path}` makes it"))?;
        let content = serde_json::from_slice::<Content>(&bytes);
        let unreadable = || format!("{path} holds no login that can be read: log in again");
        let Content { server, client_id, tokens } = content.map_err(|_| unreadable())?;
        let server = server.parse().map_err(|_| unreadable())?;
        Ok((ClientApp { server, client_id, client_secret: secret_of_env() }, tokens))
    }

    /// Writes them, whole or not at all, in a file of mode 0600.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateFile::write`].
    pub fn save(&self, app: &ClientApp, tokens: &TokenSet) -> Result<(), FileError> {
        let content =
            Content { server: app.server.to_string(), client_id: app.client_id.clone(), tokens: tokens.clone() };
        // Text and numbers: it can always be written as JSON.
        let text = Secret::new(serde_json::to_string(&content).unwrap_or_default());
        self.0.write(text.expose())
    }

    /// Removes it: its login has ended.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateFile::remove`].
    pub fn remove(&self) -> Result<(), FileError> {
        self.0.remove()
    }
}

/// The app's secret in the environment, if it has one.
#[must_use]
pub fn secret_of_env() -> Option<Secret> {
    ["RC_APP_CLIENT_SECRET", "RINGCENTRAL_CLIENT_SECRET"]
        .into_iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.trim().is_empty()))
        .map(|value| Secret::new(value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-4
    #[test]
    fn a_login_is_kept_in_private_and_comes_back() {
        let folder = env::temp_dir().join(format!("ringcentral-ws-login-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("login");
        let file = LoginFile::claim(&path).unwrap();
        assert!(file.load().unwrap_err().contains("ringcentral-ws login"));
        let app = ClientApp {
            server: "https://h.example".parse().unwrap(),
            client_id: "c".to_owned(),
            client_secret: Some("s3cret".into()),
        };
        let answer = http::Response::new(r#"{"access_token":"a","expires_in":60,"refresh_token":"r"}"#.into());
        let tokens = TokenSet::parse(&answer).unwrap();
        file.save(&app, &tokens).unwrap();
        assert!(!std::fs::read_to_string(&path).unwrap().contains("s3cret"));
        assert!(LoginFile::claim(&path).is_err(), "it is in use");
        let (loaded, kept) = file.load().unwrap();
        assert_eq!((loaded.server, loaded.client_id, kept), (app.server, app.client_id, tokens));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        std::fs::write(&path, r#"{"server":"https://h.example","#).unwrap();
        assert!(file.load().unwrap_err().contains("log in again"));
        file.remove().unwrap();
        drop(file);
        std::fs::write(&path, "buy milk\n").unwrap();
        assert!(matches!(LoginFile::claim(&path), Err(FileError::Foreign(..))));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
