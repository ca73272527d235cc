//! The session in a file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ringcentral_ws_core::oauth::ClientApp;
use ringcentral_ws_core::{Secret, Snapshot, UnixMillis};
use serde::{Deserialize, Serialize};

/// Largest file read, in bytes.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the session of an earlier run. `Ok(None)` when there is none.
///
/// # Errors
///
/// Why it cannot be used, in one line; that never stops a start.
pub fn load(file: &Path) -> Result<Option<Snapshot>, String> {
    sweep(file);
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(meta) if meta.len() > MAX_BYTES => return Err("it is far too large".to_owned()),
        _ => {}
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    Snapshot::from_json(&text).map(Some).map_err(|error| error.to_string())
}

/// In place of a session that cannot be used: it makes the next one tell a gap. Nobody knows since when: the file may
/// have been written while a loss before it was known and not told yet, so its time says nothing.
#[must_use]
pub fn lost(app: &ClientApp) -> Snapshot {
    Snapshot::lost(&app.server, UnixMillis(0))
}

/// Removes what processes left that died while they wrote: it is secret, and nobody would ever use it.
fn sweep(file: &Path) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_left = |other: &str| {
        let rest = other.strip_prefix(&name).and_then(|rest| rest.strip_suffix(TEMPORARY)?.strip_suffix('.'));
        let rest = rest.map(|rest| rest.strip_prefix(".login").unwrap_or(rest));
        rest.and_then(|rest| rest.strip_prefix('.')).is_some_and(|pid| pid.parse::<u32>().is_ok())
    };
    for left in fs::read_dir(folder).into_iter().flatten().flatten() {
        if left.file_name().to_str().is_some_and(is_left) {
            let _ = fs::remove_file(left.path());
        }
    }
}

/// Writes the session, whole or not at all: into a file beside it that then takes its place. Only the owner may read
/// it.
///
/// # Errors
///
/// Those of the file system; what was there before is still there.
pub fn save(file: &Path, snapshot: &Snapshot) -> io::Result<()> {
    replace(file, &snapshot.to_json())
}

/// The login that belongs to the session: only with it the server recovers the session. It lies beside the state
/// file, in `FILE.login`, and is used for the same server and app only.
#[derive(Serialize, Deserialize)]
struct Login {
    server: String,
    client_id: String,
    refresh_token: String,
}

/// The refresh token of an earlier run, if it is for this app. Any fault means that there is none.
#[must_use]
pub fn load_login(file: &Path, app: &ClientApp) -> Option<Secret> {
    let login: Login = serde_json::from_str(&fs::read_to_string(beside(file, "login")).ok()?).ok()?;
    let same = login.server == app.server.as_str() && login.client_id == app.client_id;
    same.then(|| Secret::new(login.refresh_token))
}

/// Keeps a refresh token for the next run.
///
/// # Errors
///
/// Those of the file system.
pub fn save_login(file: &Path, app: &ClientApp, token: &Secret) -> io::Result<()> {
    let (server, client_id) = (app.server.as_str().to_owned(), app.client_id.clone());
    let login = Login { server, client_id, refresh_token: token.expose().to_owned() };
    replace(&beside(file, "login"), &serde_json::to_string(&login).map_err(io::Error::other)?)
}

/// Forgets it: the session was revoked, and nothing is left to recover.
pub fn forget_login(file: &Path) {
    let _ = fs::remove_file(beside(file, "login"));
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{ending}"));
    file.with_file_name(name)
}

pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    replace_by(file, text, |from, to| fs::rename(from, to))
}

/// How the name of a temporary file ends, after the number of its process: like no other program's.
const TEMPORARY: &str = "rcws.tmp";

/// How often a save begins anew because its temporary file is gone.
const TRIES: u32 = 3;

fn replace_by(file: &Path, text: &str, mut rename: impl FnMut(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    let temporary = beside(file, &format!("{}.{TEMPORARY}", std::process::id()));
    let mut written = Ok(());
    for _ in 0..TRIES {
        written = write(&temporary, text).and_then(|()| rename(&temporary, file));
        // A process that starts meanwhile takes it for one that the dead left, see `sweep`.
        if written.as_ref().map_err(io::Error::kind) != Err(io::ErrorKind::NotFound) {
            break;
        }
    }
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    // Whatever lies there, a link included, is not to get the secret.
    let _ = fs::remove_file(file);
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(file)?;
    // Not synced: that would cost a disk write for each notification, and a file torn by a power cut is survived.
    out.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::{ClockReading, Config, Session};

    use super::*;

    // CLAUSE SEC-1
    #[cfg(unix)]
    #[test]
    fn what_lies_in_the_way_of_the_temporary_file_gets_nothing() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-way-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, other) = (folder.join("state"), folder.join("other"));
        fs::write(&other, "").unwrap();
        symlink(&other, beside(&file, &format!("{}.{TEMPORARY}", std::process::id()))).unwrap();
        replace(&file, "secret").unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "", "nothing is written through a link");
        let meta = fs::symlink_metadata(&file).unwrap();
        assert!(meta.is_file() && meta.permissions().mode().trailing_zeros() >= 6, "only the owner may read it");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_start_beside_it_does_not_spoil_a_save() {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-beside-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("state.login");
        let mut starts = 1;
        let moved = replace_by(&file, "secret", |from, to| {
            if starts > 0 {
                starts -= 1;
                sweep(&folder.join("state"));
            }
            fs::rename(from, to)
        });
        assert_eq!(
            (moved.map_err(|error| error.kind()), fs::read_to_string(&file).unwrap().as_str()),
            (Ok(()), "secret")
        );
        fs::remove_dir_all(&folder).unwrap();
    }

    // CLAUSE SEC-1
    #[test]
    fn what_the_dead_left_half_written_is_removed() {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-left-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (left, kept) = (
            ["state.1.rcws.tmp", "state.login.22.rcws.tmp"],
            ["other.1.rcws.tmp", "state.20241124.tmp", "state.rcws.tmp"],
        );
        left.iter().chain(&kept).for_each(|name| fs::write(folder.join(name), "").unwrap());
        assert_eq!(load(&folder.join("state")).unwrap().map(|_| ()), None);
        assert!(left.iter().all(|name| !folder.join(name).exists()));
        assert!(kept.iter().all(|name| folder.join(name).exists()));
        fs::remove_dir_all(&folder).unwrap();
    }

    // CLAUSE PST-3
    #[test]
    fn damaged_files_are_named_and_survived() {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-watch-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("state");
        assert_eq!(load(&file).unwrap().map(|_| ()), None);
        let snapshot = Session::new(Config::default(), 1, ClockReading::default()).snapshot().unwrap();
        save(&file, &snapshot).unwrap();
        assert!(load(&file).unwrap() == Some(snapshot.clone()));
        let whole = fs::read(&file).unwrap();
        for cut in 0..whole.len() {
            fs::write(&file, &whole[..cut]).unwrap();
            assert!(load(&file).is_err(), "cut at {cut}");
        }
        fs::write(&file, b"\xff\x00").unwrap();
        assert!(load(&file).is_err());
        save(&file, &snapshot).unwrap();
        assert!(load(&file).unwrap().is_some());
        let app = |id: &str| ClientApp {
            server: "https://h.example".parse().unwrap(),
            client_id: id.to_owned(),
            client_secret: None,
        };
        save_login(&file, &app("a"), &"r".into()).unwrap();
        assert_eq!(load_login(&file, &app("a")).unwrap().expose(), "r");
        assert!(load_login(&file, &app("b")).is_none(), "another app never sees it");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no temporary file is left");
        forget_login(&file);
        assert!(load_login(&file, &app("a")).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
