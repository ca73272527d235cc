//! The session in a file, and the login beside it.

use std::path::Path;

use ringcentral_ws_core::oauth::ClientApp;
use ringcentral_ws_core::{Secret, Snapshot, UnixMillis};
use serde::{Deserialize, Serialize};

use crate::file::{FileError, Holds, PrivateFile};

/// In place of a session that cannot be used: it makes the next one tell a gap. Nobody knows since when: the file may
/// have been written while a loss before it was known and not told yet, so its time says nothing.
#[must_use]
pub fn lost(app: &ClientApp) -> Snapshot {
    Snapshot::lost(&app.server, UnixMillis(0))
}

/// Where a session and its login are kept: `FILE` and `FILE.login`. No other process can have them at the same time.
#[derive(Clone, Debug)]
pub struct StateFile {
    session: PrivateFile,
    login: PrivateFile,
}

impl StateFile {
    /// Takes the file, whether it exists or not.
    ///
    /// # Errors
    ///
    /// [`FileError`]; nothing may be started then.
    pub fn claim(file: &Path) -> Result<Self, FileError> {
        let session = PrivateFile::claim_for(file, Holds::Session)?;
        let login = session.beside_for("login", Holds::Login);
        // What else is wrong with it is said when it is used, and stops nothing.
        if let Err(foreign @ FileError::Foreign(..)) = login.check() {
            return Err(foreign);
        }
        Ok(Self { session, login })
    }

    /// What the user should know, in one line.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        self.session.notice()
    }

    /// Reads the session of an earlier run. `Ok(None)` when there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in one line; that never stops a start. What it holds is kept in `FILE.bad`, because the
    /// next session takes its place.
    pub fn load(&self) -> Result<Option<Snapshot>, String> {
        let Some(bytes) = self.session.read().map_err(|error| error.to_string())? else { return Ok(None) };
        let read = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_owned());
        let read = read.and_then(|text| Snapshot::from_json(text).map_err(|error| error.to_string()));
        read.map(Some).map_err(|why| if Holds::Session.is_begun(&bytes) { self.keep(why, &bytes) } else { why })
    }

    fn keep(&self, why: String, bytes: &[u8]) -> String {
        let bad = self.session.beside_for("bad", Holds::Session);
        match bad.write_bytes(bytes) {
            Ok(()) => format!("{why}; what it held is kept in {}", bad.path().display()),
            Err(error) => format!("{why}; what it held cannot be kept: {error}"),
        }
    }

    /// Writes the session, whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateFile::write`].
    pub fn save(&self, snapshot: &Snapshot) -> Result<(), FileError> {
        self.session.write(&snapshot.to_json())
    }

    /// The refresh token of an earlier run, if it is for this app. Any fault means that there is none.
    #[must_use]
    pub fn load_login(&self, app: &ClientApp) -> Option<Secret> {
        let login: Login = serde_json::from_slice(&self.login.read().ok()??).ok()?;
        let same = login.server == app.server.as_str() && login.client_id == app.client_id;
        same.then(|| Secret::new(login.refresh_token))
    }

    /// Keeps a refresh token for the next run.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateFile::write`].
    pub fn save_login(&self, app: &ClientApp, token: &Secret) -> Result<(), FileError> {
        let (server, client_id) = (app.server.as_str().to_owned(), app.client_id.clone());
        let login = Login { server, client_id, refresh_token: token.expose().to_owned() };
        // Text and nothing else: it can always be written as JSON.
        self.login.write(&serde_json::to_string(&login).unwrap_or_default())
    }

    /// Forgets it: the session was revoked, and nothing is left to recover.
    pub fn forget_login(&self) {
        let _ = self.login.remove();
    }
}

/// The login that belongs to the session: only with it the server recovers the session. It is used for the same server
/// and app only.
#[derive(Serialize, Deserialize)]
struct Login {
    server: String,
    client_id: String,
    refresh_token: String,
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ringcentral_ws_core::{ClockReading, Config, Session};

    use super::*;

    // CLAUSE PST-3
    #[test]
    fn damaged_files_are_named_and_survived() {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-watch-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("state");
        let state = StateFile::claim(&file).unwrap();
        assert_eq!(state.load().unwrap().map(|_| ()), None);
        let snapshot = Session::new(Config::default(), 1, ClockReading::default()).snapshot().unwrap();
        state.save(&snapshot).unwrap();
        assert!(state.load().unwrap() == Some(snapshot.clone()));
        let whole = fs::read(&file).unwrap();
        let bad = folder.join("state.bad");
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            let why = state.load().unwrap_err();
            assert_eq!(why.contains("kept in"), cut > 0, "cut at {cut}: {why}");
            assert_eq!(fs::read(&bad).unwrap_or_default(), &whole[..cut]);
        }
        let unreadable = [&whole[..30], b"\xff"].concat();
        fs::write(&file, &unreadable).unwrap();
        assert!(state.load().is_err() && fs::read(&bad).unwrap() == unreadable);
        fs::write(&bad, "notes").unwrap();
        assert!(state.load().unwrap_err().contains("cannot be kept") && fs::read(&bad).unwrap() == b"notes");
        fs::remove_file(&bad).unwrap();
        state.save(&snapshot).unwrap();
        assert!(state.load().unwrap().is_some());
        let app = |id: &str| ClientApp {
            server: "https://h.example".parse().unwrap(),
            client_id: id.to_owned(),
            client_secret: None,
        };
        state.save_login(&app("a"), &"r".into()).unwrap();
        assert_eq!(state.load_login(&app("a")).unwrap().expose(), "r");
        assert!(state.load_login(&app("b")).is_none(), "another app never sees it");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "beside them and the lock nothing is left");
        state.forget_login();
        assert!(state.load_login(&app("a")).is_none());
        drop(state);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    // CLAUSE SEC-4
    #[test]
    fn what_is_not_ours_is_refused_and_stays() {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-foreign-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, login) = (folder.join("notes"), folder.join("notes.login"));
        let refused = |path: &Path| {
            let error = StateFile::claim(&file).unwrap_err();
            assert!(matches!(&error, FileError::Foreign(refused, _) if refused.ends_with(path.file_name().unwrap())));
            let error = error.to_string();
            assert!(
                error.contains("left as it is") && error.contains("another name") && !error.contains('\n'),
                "{error}"
            );
        };
        for foreign in ["buy milk\n", r#"{"version":1,"services":{}}"#, "{}", r#"{"server":"x","client_id":"y"}"#] {
            fs::write(&file, foreign).unwrap();
            refused(&file);
            assert_eq!(fs::read_to_string(&file).unwrap(), foreign);
            fs::remove_file(&file).unwrap();
            // A new session, but the login beside it would take the place of something.
            if !foreign.contains("client_id") {
                fs::write(&login, foreign).unwrap();
                refused(&login);
                assert_eq!(fs::read_to_string(&login).unwrap(), foreign);
                fs::remove_file(&login).unwrap();
            }
        }
        // Also when it comes later.
        let state = StateFile::claim(&file).unwrap();
        let snapshot = Session::new(Config::default(), 1, ClockReading::default()).snapshot().unwrap();
        state.save(&snapshot).unwrap();
        fs::write(&file, "buy milk\n").unwrap();
        fs::write(&login, "buy bread\n").unwrap();
        assert!(matches!(state.save(&snapshot), Err(FileError::Foreign(..))));
        state.forget_login();
        assert_eq!(fs::read(&file).unwrap(), b"buy milk\n");
        assert_eq!(fs::read(&login).unwrap(), b"buy bread\n");
        drop(state);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "the lock is gone");
        fs::remove_dir_all(&folder).unwrap();
    }
}
