//! What a program keeps in files so that its next start continues (PST-2, SEC-4).

mod attempt;
mod once;
mod running;

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringcentral_ws_api::TokenSet;
use ringcentral_ws_core::{Secret, Snapshot, UnixMillis};
use serde::{Deserialize, Serialize};
use url::Url;

pub use self::attempt::Attempt;
pub use self::once::Once;
pub(crate) use self::running::Running;
use crate::file::{FileError, Holds, PrivateFile};
use crate::foreign::StateNames;

/// Ids that are remembered. A gap's query lists at most 1000 messages.
const MOST_HANDLED: usize = 4096;
/// The longest id, in bytes; of a longer one the beginning counts.
const LONGEST_ID: usize = 256;

/// The files that let a program continue after a restart: the session in `FILE`, its login in `FILE.login`, and what it
/// has handled in `FILE.handled`.
///
/// The files are this user's, can be read by nobody else (mode 0600), and are locked until the last clone is dropped: a
/// second process gets [`FileError::InUse`]. Each is written whole or not at all, and synced to the disk, which takes
/// some milliseconds. So call [`save`](Self::save) and [`is_first`](Self::is_first) where that may be waited for; a task
/// that takes events may.
///
/// `Builder::stored_in` continues what is in the files and stores the login in them. So the next client of a process
/// continues where the last one ended, as the next process does. There is one client at a time: the next may be started
/// when [`Closed`](ringcentral_ws_core::Event::Closed) was taken from the events of the last, or those were dropped.
///
/// The session is for the program to store, because only the program knows when it has done its work for the events
/// before:
///
/// ```
/// # use ringcentral_ws_adapter::{StateFile, file::FileError};
/// # use ringcentral_ws_core::{Event, Snapshot};
/// # fn take(event: Event, state: &StateFile, snapshot: Option<Snapshot>) -> Result<(), FileError> {
/// match event {
///     Event::SnapshotChanged => state.save(snapshot)?, // `client.snapshot()`
///     other => println!("{other}"),
/// }
/// # Ok(())
/// # }
/// ```
///
/// Clones are the same files.
#[derive(Clone, Debug)]
pub struct StateFile(Arc<Files>);

#[derive(Debug)]
struct Files {
    session: PrivateFile,
    login: PrivateFile,
    handled: PrivateFile,
    /// Why a stored session or login is not continued.
    problems: Vec<String>,
    turn: Mutex<Turn>,
}

#[derive(Debug)]
struct Turn {
    handled: Handled,
    /// Ids whose call is under way in this process.
    running: Vec<Box<str>>,
    /// Those of them whose call did not run yet: they are not in the file.
    waiting: Vec<Box<str>>,
    /// A login that could not be stored.
    failed: Option<FileError>,
    /// A client has the session.
    is_running: bool,
}

/// The file of the login. It begins as [`Holds::Login`] wants it.
#[derive(Serialize, Deserialize)]
struct Login {
    server: String,
    tokens: TokenSet,
}

/// The file of the ids.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Handled {
    /// The oldest first.
    handled: VecDeque<Box<str>>,
    /// Those of them whose call was begun, and whose end was not noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    begun: Vec<Box<str>>,
}

impl StateFile {
    /// Takes the files and reads them. They need not exist; their folder must.
    ///
    /// A session or login that cannot be read stops nothing: [`problems`](Self::problems) says so, what the session
    /// file held is kept in `FILE.bad`, and the client begins with a [`Gap`](ringcentral_ws_core::Gap).
    ///
    /// # Errors
    ///
    /// [`FileError`]: another process has them, or one is no file of this program or user.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let session = PrivateFile::claim_for(path.as_ref(), Holds::Session)?;
        let mut login = session.beside_for("login", Holds::Login);
        let mut handled = session.beside_for("handled", Holds::Handled);
        login.check()?;
        handled.check()?;
        let mut problems: Vec<_> = session.notice().into_iter().chain(login.notice()).collect();
        // A client reads both again. Here they are read for what is to be said of them.
        problems.extend(read_session(&session)?.and_then(Result::err));
        if matches!(read_login(&login)?, Some(Err(_))) {
            problems.push(format!("{} cannot be read: the client logs in anew", login.path().display()));
        }
        let bytes = handled.read()?.unwrap_or_default();
        let known = serde_json::from_slice::<Handled>(&bytes);
        if known.is_err() && Holds::Handled.is_begun(&bytes) {
            problems.push(format!("{} cannot be read: what was handled is not known", handled.path().display()));
        }
        let turn = Turn {
            handled: known.unwrap_or_default(),
            running: Vec::new(),
            waiting: Vec::new(),
            failed: None,
            is_running: false,
        };
        let turn = Mutex::new(turn);
        Ok(Self(Arc::new(Files { session, login, handled, problems, turn })))
    }

    /// What the user should know, a line each: a file that could not be read, or that others could read until now.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0.problems
    }

    /// Stores the session, or does nothing for `None`. Call it whenever
    /// [`Event::SnapshotChanged`](ringcentral_ws_core::Event::SnapshotChanged) comes, with `client.snapshot()`, before
    /// you take the next event.
    ///
    /// # Errors
    ///
    /// [`FileError`]: the session could not be stored, or a login that came since the last call could not. What was
    /// stored before is still there.
    pub fn save(&self, snapshot: Option<Snapshot>) -> Result<(), FileError> {
        // Its lock is not held while the disk works: a login may come meanwhile.
        let failed = self.turn().failed.take();
        let saved = snapshot.map_or(Ok(()), |snapshot| self.0.session.write(&snapshot.to_json()));
        failed.map_or(saved, Err)
    }

    /// Whether this id is seen for the first time, also by all runs before, and remembers it. It is on the disk when
    /// this returns, so what is done after it is done at most once, even if the process is killed.
    ///
    /// The last 4096 ids are remembered, of each the first 256 bytes.
    ///
    /// ```
    /// # use ringcentral_ws_adapter::{StateFile, file::FileError};
    /// # fn answer(id: &str, state: &StateFile) -> Result<(), FileError> {
    /// if state.is_first(id)? {
    ///     // Answer it. If that did not run, `state.forget(id)?`.
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// For a call of the REST API take [`once`](Self::once), which does both and says how it ended. For what is to be done
    /// at least once, ask [`has`](Self::has) before and call this after it.
    ///
    /// # Errors
    ///
    /// [`FileError`]: it could not be stored, and is not remembered.
    pub fn is_first(&self, id: impl AsRef<str>) -> Result<bool, FileError> {
        let id = counted(id.as_ref());
        let mut turn = self.turn();
        if turn.has(id) {
            return Ok(false);
        }
        let mut handled = turn.handled.clone();
        handled.add(id);
        self.save_handled(&mut turn, handled)?;
        Ok(true)
    }

    /// Whether this id is remembered. It notes nothing.
    ///
    /// ```
    /// # use ringcentral_ws_adapter::{StateFile, file::FileError};
    /// # fn answer(id: &str, state: &StateFile) -> Result<(), FileError> {
    /// if !state.has(id) {
    ///     // Answer it: twice, if the process is killed before the next line.
    ///     state.is_first(id)?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn has(&self, id: impl AsRef<str>) -> bool {
        self.turn().has(counted(id.as_ref()))
    }

    /// Takes back what [`is_first`](Self::is_first) has noted, because what was to be done did not run: the id is first
    /// again, on the disk too when this returns. Of an id that is not remembered it does nothing.
    ///
    /// It brings nothing back by itself. The next gap lists the message again, so a program that cannot go on ends with
    /// an error, and its next start begins with such a gap.
    ///
    /// # Errors
    ///
    /// [`FileError`]: it could not be stored, and the id is still remembered.
    pub fn forget(&self, id: impl AsRef<str>) -> Result<(), FileError> {
        let id = counted(id.as_ref());
        let mut turn = self.turn();
        if !turn.has(id) {
            return Ok(());
        }
        let mut handled = turn.handled.clone();
        handled.remove(id);
        self.save_handled(&mut turn, handled)
    }

    /// Stores the ids, and remembers them if that succeeds.
    fn save_handled(&self, turn: &mut Turn, handled: Handled) -> Result<(), FileError> {
        let mut file = handled.clone();
        turn.waiting.iter().for_each(|id| file.remove(id));
        // Text alone: it can always be written as JSON.
        self.0.handled.write(&serde_json::to_string(&file).unwrap_or_default())?;
        turn.handled = handled;
        Ok(())
    }

    /// Takes the note of a call under way back on the disk, or writes it again. An error changes nothing.
    fn waits(&self, id: &str, waits: bool) -> Result<(), FileError> {
        let mut turn = self.turn();
        let before = turn.waiting.clone();
        turn.waiting.retain(|one| **one != *id);
        if waits {
            turn.waiting.push(id.into());
        }
        let handled = turn.handled.clone();
        let saved = self.save_handled(&mut turn, handled);
        if saved.is_err() {
            turn.waiting = before;
        }
        saved
    }

    /// The names of the files of the session and of the login.
    #[doc(hidden)]
    #[must_use]
    pub fn names(&self) -> StateNames {
        let name = |file: &PrivateFile| file.path().display().to_string();
        StateNames { session: name(&self.0.session), login: name(&self.0.login) }
    }

    /// The session to continue on this server: that of the file as it is now, or one that begins with a gap if it cannot
    /// be read. `None` when there is none.
    ///
    /// The file is read each time, so a client never continues less than the program has stored: a session that is
    /// older, or new, would not know what it has missed.
    pub(crate) fn stored_session(&self, server: &Url) -> Option<Snapshot> {
        match read_session(&self.0.session) {
            Ok(None) => None,
            Ok(Some(Ok(snapshot))) => Some(snapshot),
            Ok(Some(Err(_))) | Err(_) => Some(Snapshot::lost(server, UnixMillis(0))),
        }
    }

    /// The login of the file as it is now. Without it the client logs in anew.
    pub(crate) fn stored_login(&self) -> Option<TokenSet> {
        read_login(&self.0.login).ok()??.ok()
    }

    /// Stores a login. A failure comes from the next call of `save`.
    #[doc(hidden)]
    pub fn save_login(&self, server: &Url, tokens: &TokenSet) {
        let login = Login { server: server.to_string(), tokens: tokens.clone() };
        let text = Secret::new(serde_json::to_string(&login).unwrap_or_default());
        if let Err(error) = self.0.login.write(text.expose()) {
            self.turn().failed = Some(error);
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The session, if there is one, or why it cannot be continued; then what the file held is kept, because the next session
/// takes its place.
fn read_session(file: &PrivateFile) -> Result<Option<Result<Snapshot, String>>, FileError> {
    let Some(bytes) = file.read()?.filter(|bytes| Holds::Session.is_begun(bytes)) else { return Ok(None) };
    let text = std::str::from_utf8(&bytes).map_err(|_| "it is not UTF-8".to_owned());
    let read = text.and_then(|text| Snapshot::from_json(text).map_err(|error| error.to_string()));
    Ok(Some(read.map_err(|why| {
        let bad = file.beside_for("bad", Holds::Session);
        let kept = match bad.write_bytes(&bytes) {
            Ok(()) => format!("what it held is kept in {}", bad.path().display()),
            Err(error) => format!("what it held cannot be kept: {error}"),
        };
        format!("{} cannot be continued: {why}; {kept}", file.path().display())
    })))
}

/// The login, if there is one, or that it cannot be read.
fn read_login(file: &PrivateFile) -> Result<Option<serde_json::Result<TokenSet>>, FileError> {
    let bytes = file.read()?.filter(|bytes| Holds::Login.is_begun(bytes));
    Ok(bytes.map(|bytes| serde_json::from_slice::<Login>(&bytes).map(|login| login.tokens)))
}

impl Turn {
    fn has(&self, id: &str) -> bool {
        self.handled.handled.iter().any(|known| &**known == id)
    }
}

impl Handled {
    fn add(&mut self, id: &str) {
        self.handled.push_back(id.into());
        while self.handled.len() > MOST_HANDLED
            && let Some(oldest) = self.handled.pop_front()
        {
            self.end(&oldest);
        }
    }

    fn remove(&mut self, id: &str) {
        self.handled.retain(|known| &**known != id);
        self.end(id);
    }

    fn end(&mut self, id: &str) {
        self.begun.retain(|known| &**known != id);
    }
}

/// The part of an id that counts.
fn counted(id: &str) -> &str {
    let end = (0..=LONGEST_ID.min(id.len())).rev().find(|at| id.is_char_boundary(*at));
    &id[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use ringcentral_ws_core::{ClockReading, Config, Session};

    use super::*;

    pub(super) struct Folder(pub(super) PathBuf);

    impl Folder {
        pub(super) fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("ringcentral-ws-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        pub(super) fn file(&self) -> PathBuf {
            self.0.join("state")
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn server() -> Url {
        "https://h.example".parse().unwrap()
    }

    fn tokens() -> TokenSet {
        let answer = http::Response::new(r#"{"access_token":"a","expires_in":60,"refresh_token":"r"}"#.into());
        TokenSet::parse(&answer).unwrap()
    }

    // CLAUSE PST-2 SEC-4
    #[test]
    fn what_was_stored_comes_back_and_is_locked() {
        let folder = Folder::new("state-file");
        let state = StateFile::open(folder.file()).unwrap();
        assert!(state.problems().is_empty());
        assert!(state.stored_session(&server()).is_none() && state.stored_login().is_none());
        let snapshot = Session::new(Config::default(), 1, ClockReading::default()).snapshot().unwrap();
        state.save(Some(snapshot.clone())).unwrap();
        state.save(None).unwrap();
        state.save_login(&server(), &tokens());
        assert!(matches!(StateFile::open(folder.file()), Err(FileError::InUse(_))));
        let clone = state.clone();
        drop(state);
        assert!(matches!(StateFile::open(folder.file()), Err(FileError::InUse(_))), "a clone has it");
        drop(clone);
        let state = StateFile::open(folder.file()).unwrap();
        assert!(state.stored_session(&server()) == Some(snapshot) && state.stored_login() == Some(tokens()));
        assert!(!format!("{state:?}").contains("\"r\""), "no secret in Debug");
    }

    // CLAUSE PST-2
    #[test]
    fn what_is_stored_last_comes_back_in_the_same_process() {
        let folder = Folder::new("state-file-again");
        let state = StateFile::open(folder.file()).unwrap();
        for seed in [1, 2] {
            let snapshot = Session::new(Config::default(), seed, ClockReading::default()).snapshot();
            state.save(snapshot.clone()).unwrap();
            state.save_login(&server(), &tokens());
            let clone = state.clone();
            assert!(clone.stored_session(&server()) == snapshot && state.stored_session(&server()) == snapshot);
            assert!(clone.stored_login() == Some(tokens()) && state.stored_login() == Some(tokens()));
        }
        fs::write(folder.file(), r#"{"version":1,"server":"#).unwrap();
        let lost = Some(Snapshot::lost(&server(), UnixMillis(0)));
        assert!(state.stored_session(&server()) == lost && state.stored_session(&server()) == lost);
        for file in ["state", "state.login"] {
            fs::remove_file(folder.0.join(file)).unwrap();
        }
        assert!(state.stored_session(&server()).is_none() && state.stored_login().is_none(), "they were deleted");
    }

    // CLAUSE PST-3
    #[test]
    fn what_cannot_be_read_is_a_gap_and_a_line() {
        let folder = Folder::new("state-file-bad");
        fs::write(folder.file(), r#"{"version":1,"server":"#).unwrap();
        fs::write(folder.0.join("state.login"), r#"{"server":"h"#).unwrap();
        fs::write(folder.0.join("state.handled"), r#"{"handled":["#).unwrap();
        let state = StateFile::open(folder.file()).unwrap();
        assert_eq!(state.problems().iter().filter(|line| line.contains("cannot be")).count(), 3, "{state:?}");
        assert!(state.stored_session(&server()).is_some() && state.stored_login().is_none());
        assert!(state.is_first("1").unwrap());
        assert!(fs::read_to_string(folder.0.join("state.bad")).unwrap().starts_with(r#"{"version":1"#));
        drop(state);
        fs::write(folder.0.join("state.handled"), "buy milk\n").unwrap();
        assert!(matches!(StateFile::open(folder.file()), Err(FileError::Foreign(..))));
        assert_eq!(fs::read_to_string(folder.0.join("state.handled")).unwrap(), "buy milk\n");
    }

    #[test]
    fn an_id_is_first_once_over_restarts_and_old_ones_are_forgotten() {
        let folder = Folder::new("state-file-ids");
        let state = StateFile::open(folder.file()).unwrap();
        assert!(state.is_first("a").unwrap() && !state.is_first("a").unwrap());
        let long = "é".repeat(LONGEST_ID);
        assert!(state.is_first(&long).unwrap() && !state.is_first(format!("{long}x")).unwrap());
        drop(state);
        let state = StateFile::open(folder.file()).unwrap();
        assert!(!state.is_first("a").unwrap() && !state.is_first(&long).unwrap());
        state.turn().handled.handled.extend((0..MOST_HANDLED - 2).map(|n| n.to_string().into()));
        assert!(!state.is_first("a").unwrap(), "as many as are kept");
        assert!(state.is_first("b").unwrap());
        assert!(state.is_first("a").unwrap(), "the oldest has gone");
        assert_eq!(state.turn().handled.handled.len(), MOST_HANDLED);
    }

    #[test]
    fn what_is_forgotten_is_first_again_over_restarts() {
        let folder = Folder::new("state-file-forget");
        let state = StateFile::open(folder.file()).unwrap();
        let long = "é".repeat(LONGEST_ID);
        for id in ["a", "b", &long] {
            assert!(!state.has(id) && state.is_first(id).unwrap() && state.has(id), "{id}");
        }
        state.forget("a").unwrap();
        state.forget(format!("{long}x")).unwrap();
        state.forget("never").unwrap();
        assert!(!state.has("a") && state.has("b") && !state.has(&long));
        drop(state);
        let state = StateFile::open(folder.file()).unwrap();
        assert!(!state.has("a") && state.has("b") && !state.has(&long));
        assert!(state.is_first("a").unwrap() && !state.is_first("b").unwrap());
        fs::write(folder.0.join("state.handled"), "buy milk\n").unwrap();
        assert!(matches!(state.forget("a"), Err(FileError::Foreign(..))) && state.has("a"), "it stays");
    }

    #[test]
    fn a_login_that_cannot_be_stored_is_reported_by_save() {
        let folder = Folder::new("state-file-full");
        let state = StateFile::open(folder.file()).unwrap();
        fs::write(folder.0.join("state.login"), "buy bread\n").unwrap();
        state.save_login(&server(), &tokens());
        assert!(matches!(state.save(None), Err(FileError::Foreign(..))));
        assert!(state.save(None).is_ok(), "once");
    }
}
