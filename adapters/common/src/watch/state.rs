//! The session in a file, and the login beside it.

use std::fmt::Display;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringcentral_ws_api::{ClientApp, Identity};
use ringcentral_ws_core::{RestoreError, Secret, Snapshot, UnixMillis};
use serde::{Deserialize, Serialize};

use super::json;
use crate::file::{FileError, Holds, PrivateFile};
use crate::terminal;

/// In place of a session that cannot be used: it makes the next one report a gap. Nobody knows since when: the file may
/// have been written while a loss before it was known and not reported yet, so its time says nothing.
#[must_use]
pub fn lost(app: &ClientApp) -> Snapshot {
    Snapshot::lost(&app.server, UnixMillis(0))
}

/// Says that the session in the file is not continued, and why.
pub fn unusable(program: &str, as_json: bool, why: &str) {
    let why = format!("the state file cannot be used, starting afresh: {why}");
    terminal::complain(program, &why);
    if as_json {
        // Whoever reads stdout may be gone: the first event finds that out.
        let _ = writeln!(io::stdout(), "{}", json::not_restored(&why));
    }
}

/// Where a session and its login are kept: `FILE` and `FILE.login`. No other process can have them at the same time.
#[derive(Clone, Debug)]
pub struct StateFile {
    session: PrivateFile,
    login: PrivateFile,
    turn: Arc<Mutex<Turn>>,
}

/// Most damaged files that are kept: `FILE.bad`, and `FILE.bad.1` to `FILE.bad.8`.
const MOST_KEPT: usize = 9;

/// Whose turn it is with the files.
#[derive(Debug, Default)]
struct Turn {
    /// The session in the file is of somebody else, and this one has no connection yet that would take its place.
    of_another: bool,
    /// The login that is to take its place then.
    login: Option<Secret>,
}

impl StateFile {
    /// Takes the file, whether it exists or not.
    ///
    /// # Errors
    ///
    /// [`FileError`]; nothing may be started then.
    pub fn claim(file: &Path) -> Result<Self, FileError> {
        let session = PrivateFile::claim_for(file, Holds::Session)?;
        let mut login = session.beside_for("login", Holds::Login);
        // What else is wrong with it is said when it is used, and stops nothing.
        if let Err(foreign @ FileError::Foreign(..)) = login.check() {
            return Err(foreign);
        }
        Ok(Self { session, login, turn: Arc::default() })
    }

    /// What the user should know, a line each.
    pub fn notices(&self) -> impl Iterator<Item = String> {
        self.session.notice().into_iter().chain(self.login.notice())
    }

    /// Reads the session of an earlier run. `Ok(None)` when there is none.
    ///
    /// # Errors
    ///
    /// Why it cannot be used, in one line; that never stops a start. What it holds is kept in `FILE.bad` or
    /// `FILE.bad.N`, because the next session takes its place.
    pub fn load(&self) -> Result<Option<Snapshot>, String> {
        let Some(bytes) = self.session.read().map_err(|error| error.to_string())? else { return Ok(None) };
        let read = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_owned());
        let read = read.and_then(|text| Snapshot::from_json(text).map_err(|error| error.to_string()));
        read.map(Some).map_err(|why| if Holds::Session.is_begun(&bytes) { self.keep(why, &bytes) } else { why })
    }

    /// Keeps what a damaged file held. The first name that is free is taken, so that the oldest stay; when none is, the
    /// newest takes the place of the one before it.
    fn keep(&self, why: String, bytes: &[u8]) -> String {
        let kept = |file: &PrivateFile| format!("{why}; what it held is kept in {}", file.path().display());
        let failed = |error: &dyn Display| format!("{why}; what it held cannot be kept: {error}");
        let mut last = None;
        for number in 0..MOST_KEPT {
            let ending = if number == 0 { "bad".to_owned() } else { format!("bad.{number}") };
            let file = self.session.beside_for(&ending, Holds::Session);
            // A link back would keep it until the next session is written.
            if fs::canonicalize(file.path()).is_ok_and(|path| path == self.session.path()) {
                continue;
            }
            match file.read() {
                Ok(Some(old)) if old == bytes => return kept(&file),
                Ok(Some(old)) if Holds::Session.is_begun(&old) => last = Some(file),
                // What somebody else put there stays.
                Ok(Some(old)) if !Holds::Session.fits(&old) => {}
                Ok(_) => return file.write_bytes(bytes).map_or_else(|error| failed(&error), |()| kept(&file)),
                Err(_) => {}
            }
        }
        let Some(last) = last else { return failed(&"all names for it are taken") };
        let in_place = |()| format!("{}, in place of what was kept there", kept(&last));
        last.write_bytes(bytes).map_or_else(|error| failed(&error), in_place)
    }

    /// The session in the file was refused. If it is good and only not of this user, app or server, it stays there until
    /// this login has proven good by a connection: who started with the wrong credentials has lost nothing then.
    pub fn refused(&self, why: &RestoreError) {
        self.turn().of_another = matches!(why, RestoreError::OtherIdentity | RestoreError::OtherServer);
    }

    /// There is a connection: the session in the file may be replaced now.
    pub fn connected(&self) {
        self.turn().of_another = false;
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the session, whole or not at all.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateFile::write`].
    pub fn save(&self, snapshot: &Snapshot) -> Result<(), FileError> {
        let mut turn = self.turn();
        if turn.of_another {
            return Ok(());
        }
        let login = turn.login.take().map_or(Ok(()), |login| self.login.write(login.expose()));
        self.session.write(&snapshot.to_json()).and(login)
    }

    /// The refresh token of an earlier run, if it is for this app and user (TOK-10). Any other fault means that there is
    /// none. A file of an earlier version does not say of which user it is, and is taken at its word.
    ///
    /// # Errors
    ///
    /// One line for people: it is of somebody else.
    pub fn load_login(&self, app: &ClientApp, user: Option<Identity>) -> Result<Option<Secret>, &'static str> {
        let Ok(Some(bytes)) = self.login.read() else { return Ok(None) };
        let Ok(login) = serde_json::from_slice::<Login>(&bytes) else { return Ok(None) };
        if login.server != app.server.as_str() || login.client_id != app.client_id {
            return Err("the login beside the state file is for another server or app, and is not used");
        }
        if login.identity.is_some() && user.is_some() && login.identity != user {
            return Err("the login beside the state file is of another user, and is not used");
        }
        Ok(Some(Secret::new(login.refresh_token)))
    }

    /// Keeps a refresh token for the next run; in place of somebody else's only with the session.
    ///
    /// # Errors
    ///
    /// Those of [`PrivateFile::write`].
    pub fn save_login(&self, app: &ClientApp, user: Option<Identity>, token: &Secret) -> Result<(), FileError> {
        let (server, client_id) = (app.server.as_str().to_owned(), app.client_id.clone());
        let login = Login { server, client_id, identity: user, refresh_token: token.expose().to_owned() };
        // Text and nothing else: it can always be written as JSON.
        let login = Secret::new(serde_json::to_string(&login).unwrap_or_default());
        let mut turn = self.turn();
        if turn.of_another {
            turn.login = Some(login);
            return Ok(());
        }
        turn.login = None;
        self.login.write(login.expose())
    }

    /// Forgets it: the session was revoked, and nothing is left to recover.
    pub fn forget_login(&self) {
        let mut turn = self.turn();
        turn.login = None;
        if !turn.of_another {
            let _ = self.login.remove();
        }
    }
}

/// The login that belongs to the session: only with it the server recovers the session. It is used for the same server,
/// app and user only.
#[derive(Serialize, Deserialize)]
struct Login {
    server: String,
    client_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    refresh_token: String,
}

#[cfg(test)]
mod tests {
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
            let _ = fs::remove_file(&bad);
        }
        let unreadable = [&whole[..30], b"\xff"].concat();
        fs::write(&file, &unreadable).unwrap();
        assert!(state.load().is_err() && fs::read(&bad).unwrap() == unreadable);
        fs::write(&bad, "notes").unwrap();
        assert!(state.load().unwrap_err().ends_with("state.bad.1") && fs::read(&bad).unwrap() == b"notes");
        fs::remove_file(&bad).unwrap();
        fs::remove_file(folder.join("state.bad.1")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("state", &bad).unwrap();
            assert!(state.load().unwrap_err().ends_with("state.bad.1"), "a link back keeps nothing");
            fs::remove_file(&bad).unwrap();
            fs::remove_file(folder.join("state.bad.1")).unwrap();
        }
        state.save(&snapshot).unwrap();
        assert!(state.load().unwrap().is_some());
        let app = |id: &str| ClientApp {
            server: "https://h.example".parse().unwrap(),
            client_id: id.to_owned(),
            client_secret: None,
        };
        let user = |name: &str| Some(app("a").user_identity(name));
        state.save_login(&app("a"), user("u"), &"r".into()).unwrap();
        assert_eq!(state.load_login(&app("a"), user("u")).unwrap().unwrap().expose(), "r");
        assert!(state.load_login(&app("b"), user("u")).is_err(), "another app never sees it");
        assert!(state.load_login(&app("a"), user("v")).unwrap_err().contains("another user"));
        state.save_login(&app("a"), None, &"r".into()).unwrap();
        assert!(state.load_login(&app("a"), user("v")).unwrap().is_some(), "one that does not say whose it is");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "beside them and the lock nothing is left");
        state.forget_login();
        assert_eq!(state.load_login(&app("a"), user("u")).map(|login| login.is_some()), Ok(false));
        drop(state);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }

    // CLAUSE PST-3
    #[test]
    fn each_damaged_file_is_kept_up_to_a_number() {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-kept-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("state");
        let state = StateFile::claim(&file).unwrap();
        let damaged = |number: usize| format!("{{\"version\":{number},\"server\":\"");
        let kept = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
        let load = |number: usize| {
            fs::write(&file, damaged(number)).unwrap();
            state.load().unwrap_err()
        };
        assert!(load(0).ends_with("state.bad"));
        assert!(load(0).ends_with("state.bad"), "what is kept already is not kept again");
        for number in 1..MOST_KEPT {
            assert!(load(number).ends_with(&format!("state.bad.{number}")));
        }
        assert!(load(MOST_KEPT).contains("state.bad.8, in place of what was kept there"));
        assert_eq!((kept("state.bad"), kept("state.bad.7")), (damaged(0), damaged(7)), "the oldest stay");
        assert_eq!((kept("state.bad.8"), kept("state.bad.9")), (damaged(MOST_KEPT), String::new()));
        // What is not ours is left alone, and the next name is taken.
        fs::write(folder.join("state.bad"), "notes").unwrap();
        fs::remove_file(folder.join("state.bad.2")).unwrap();
        assert!(load(20).ends_with("state.bad.2"));
        assert_eq!(kept("state.bad"), "notes");
        drop(state);
        // A process that died while it wrote leaves nothing for ever.
        let left = folder.join("state.bad.3.1-0.rcws.tmp");
        fs::write(&left, "x").unwrap();
        drop(StateFile::claim(&file).unwrap());
        assert!(!left.exists());
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

    // CLAUSE SEC-4
    #[cfg(unix)]
    #[test]
    fn a_refusal_changes_no_mode_and_an_open_login_is_reported() {
        use std::os::unix::fs::PermissionsExt;
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-modes-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, login) = (folder.join("notes"), folder.join("notes.login"));
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let put = |path: &Path, content: &str| {
            fs::write(path, content).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
        };
        for path in [&file, &login] {
            put(path, "buy milk\n");
            assert!(matches!(StateFile::claim(&file), Err(FileError::Foreign(..))));
            assert_eq!(mode(path), 0o644, "{}", path.display());
            fs::remove_file(path).unwrap();
        }
        put(&login, r#"{"server":"https://h.example/","client_id":"c","refresh_token":"r"}"#);
        let state = StateFile::claim(&file).unwrap();
        let notices: Vec<_> = state.notices().collect();
        assert!(notices.len() == 1 && notices[0].contains("notes.login"), "{notices:?}");
        assert_eq!(mode(&login), 0o600);
        drop(state);
        fs::remove_dir_all(&folder).unwrap();
    }
}
