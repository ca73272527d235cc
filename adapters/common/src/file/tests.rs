//! Everything in folders of its own; no device of the machine is ever named.

use std::time::Duration;

use super::*;

/// A folder that goes with the test.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ringcentral-ws-file-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        Self(fs::canonicalize(folder).unwrap())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(file: &Path) -> String {
    fs::read_to_string(file).unwrap()
}

// CLAUSE SEC-4
#[test]
fn a_file_is_written_whole_and_leaves_nothing_beside_it() {
    let place = Place::new("whole");
    let file = PrivateFile::claim(&place.at("state")).unwrap();
    assert_eq!(file.read().unwrap(), None);
    for content in ["a long first content", "second"] {
        file.write(content).unwrap();
        assert_eq!(file.read().unwrap().unwrap(), content.as_bytes());
        assert_eq!(place.names(), ["state", "state.rcws.lock"]);
    }
    let login = file.beside("login");
    login.write("login").unwrap();
    drop(file);
    assert!(matches!(PrivateFile::claim(&place.at("state")), Err(FileError::InUse(_))), "the login is under the lock");
    login.remove().unwrap();
    login.remove().unwrap();
    drop(login);
    assert_eq!(place.names(), ["state"]);
}

// CLAUSE SEC-4
#[test]
fn one_has_it_at_a_time() {
    let place = Place::new("lock");
    let path = place.at("state");
    for exists in [false, true] {
        let first = PrivateFile::claim(&path).unwrap();
        let error = PrivateFile::claim(&path).unwrap_err().to_string();
        assert!(error.contains("in use by another process") && !error.contains('\n'), "{exists}: {error}");
        first.write("content").unwrap();
        assert!(matches!(PrivateFile::claim(&path), Err(FileError::InUse(_))), "the lock outlives a write");
    }
    // What a killed process leaves locks nobody out; what is not ours to remove stays.
    fs::write(place.at("state.rcws.lock"), "a note").unwrap();
    drop(PrivateFile::claim(&path).unwrap());
    assert_eq!(text(&place.at("state.rcws.lock")), "a note");
}

// CLAUSE SEC-4
#[test]
fn a_file_that_is_too_large_is_left_alone() {
    let place = Place::new("large");
    let path = place.at("video");
    let file = File::create(&path).unwrap();
    system::make_private(&file).unwrap();
    file.set_len(MAX_BYTES).unwrap();
    drop(PrivateFile::claim(&path).unwrap());
    file.set_len(MAX_BYTES + 1).unwrap();
    let error = PrivateFile::claim(&path).unwrap_err();
    assert!(matches!(error, FileError::TooLarge(_)) && error.to_string().contains("64 MiB"), "{error}");
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_BYTES + 1);
    file.set_len(0).unwrap();
    let claimed = PrivateFile::claim(&path).unwrap();
    file.set_len(MAX_BYTES + 1).unwrap();
    assert!(matches!(claimed.read(), Err(FileError::TooLarge(_))), "it has grown since");
}

// CLAUSE SEC-4
#[test]
fn what_cannot_be_renamed_to_is_written_in_place() {
    let place = Place::new("busy");
    let path = place.at("state");
    let refused: [Disk; 4] = [
        Disk { rename: |_, _| Err(ErrorKind::ResourceBusy.into()), ..DISK },
        Disk { rename: |_, _| Err(ErrorKind::CrossesDevices.into()), ..DISK },
        Disk { create: |_| Err(ErrorKind::PermissionDenied.into()), ..DISK },
        Disk { create: |_| Err(ErrorKind::ReadOnlyFilesystem.into()), ..DISK },
    ];
    for disk in refused {
        let file = PrivateFile::claim(&path).unwrap();
        let kept = matches!(file.write_by("new", disk), Err(FileError::Write(..)));
        assert!(kept && !path.exists(), "what does not exist is not made in place");
        file.write("a long first content").unwrap();
        let same = File::open(&path).unwrap();
        file.write_by("new", disk).unwrap();
        assert_eq!(text(&path), "new");
        assert_eq!(same.metadata().unwrap().len(), 3, "it is the same file");
        assert_eq!(place.names(), ["state", "state.rcws.lock"]);
        fs::remove_file(&path).unwrap();
    }
}

// CLAUSE SEC-4
#[test]
fn a_write_that_fails_keeps_what_was_there() {
    let place = Place::new("full");
    let file = PrivateFile::claim(&place.at("state")).unwrap();
    file.write("old").unwrap();
    for disk in [
        Disk { create: |_| Err(ErrorKind::StorageFull.into()), ..DISK },
        Disk { rename: |_, _| Err(ErrorKind::Other.into()), ..DISK },
    ] {
        assert!(file.write_by("new", disk).unwrap_err().to_string().contains("cannot be written"));
        assert_eq!(text(&place.at("state")), "old");
        assert_eq!(place.names(), ["state", "state.rcws.lock"]);
    }
}

// CLAUSE SEC-1
#[test]
fn what_the_dead_left_half_written_is_removed() {
    let place = Place::new("left");
    let left = ["state.1.rcws.tmp", "state.login.22.rcws.tmp", "state.1-0.rcws.tmp", "state.login.22-15.rcws.tmp"];
    let kept = ["other.1.rcws.tmp", "state.20241124.tmp", "state.rcws.tmp", "state.x-1.rcws.tmp"];
    left.iter().chain(&kept).for_each(|name| fs::write(place.at(name), "").unwrap());
    fs::create_dir(place.at("state.7.rcws.tmp")).unwrap();
    drop(PrivateFile::claim(&place.at("state")).unwrap());
    assert!(left.iter().all(|name| !place.at(name).exists()));
    assert!(kept.iter().all(|name| place.at(name).exists()));
    assert!(place.at("state.7.rcws.tmp").is_dir());
}

#[cfg(unix)]
mod unix {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    fn mode(file: &Path) -> u32 {
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    }

    fn set_mode(file: &Path, mode: u32) {
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn fifo(path: &Path) {
        mkfifoat(CWD, path, Mode::from_raw_mode(0o600)).unwrap();
    }

    /// On a thread of its own, so that one that hangs is a failure and not a wait.
    fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let (sender, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || sender.send(work()));
        done.recv_timeout(Duration::from_secs(60)).expect("it neither hangs nor panics")
    }

    // CLAUSE SEC-4
    #[test]
    fn links_stay_and_their_target_is_written() {
        let place = Place::new("links");
        fs::create_dir(place.at("data")).unwrap();
        let target = place.at("data/session");
        symlink("data/session", place.at("one")).unwrap();
        symlink(place.at("one"), place.at("two")).unwrap();
        for dangling in [true, false] {
            let file = PrivateFile::claim(&place.at("two")).unwrap();
            assert_eq!(file.path(), target);
            for path in [place.at("one"), target.clone()] {
                assert!(matches!(PrivateFile::claim(&path), Err(FileError::InUse(_))), "{dangling}: {path:?}");
            }
            file.write("content").unwrap();
            file.beside("login").write("login").unwrap();
            assert_eq!((text(&target), text(&place.at("data/session.login"))), ("content".into(), "login".into()));
            assert!(["one", "two"].iter().all(|link| fs::symlink_metadata(place.at(link)).unwrap().is_symlink()));
            assert_eq!(mode(&target), 0o600);
        }
        symlink("here", place.at("there")).unwrap();
        symlink("there", place.at("here")).unwrap();
        let error = PrivateFile::claim(&place.at("here")).unwrap_err();
        assert!(error.to_string().contains("circle"), "{error}");
        symlink("nowhere/session", place.at("lost")).unwrap();
        assert!(matches!(PrivateFile::claim(&place.at("lost")), Err(FileError::Open(..))));
    }

    // CLAUSE SEC-4
    #[test]
    fn nothing_but_a_regular_file_is_opened_or_replaced() {
        let place = Place::new("kinds");
        fifo(&place.at("fifo"));
        symlink("fifo", place.at("link")).unwrap();
        fs::create_dir(place.at("folder")).unwrap();
        let _socket = UnixListener::bind(place.at("socket")).unwrap();
        for (name, kind) in [("fifo", "FIFO"), ("link", "FIFO"), ("folder", "folder"), ("socket", "socket")] {
            let before = fs::metadata(place.at(name)).unwrap().file_type();
            let path = place.at(name);
            let error = in_time(move || PrivateFile::claim(&path)).unwrap_err().to_string();
            assert!(error.contains(kind) && error.contains("regular file") && !error.contains('\n'), "{error}");
            // The same for one that comes later.
            let state = PrivateFile::claim(&place.at("state")).unwrap();
            let late = place.at("state.late");
            fs::rename(place.at(name), &late).unwrap();
            let beside = state.beside("late");
            let (read, written, removed) = in_time(move || (beside.read(), beside.write("secret"), beside.remove()));
            assert!(read.is_err() && written.is_err() && removed.is_err(), "{name}");
            assert_eq!(fs::metadata(&late).unwrap().file_type(), before);
            fs::rename(late, place.at(name)).unwrap();
        }
        assert_eq!(place.names(), ["fifo", "folder", "link", "socket"]);
    }

    // CLAUSE SEC-4
    #[test]
    fn a_lock_that_is_no_file_does_not_hang() {
        let place = Place::new("odd-lock");
        fifo(&place.at("state.rcws.lock"));
        let path = place.at("state");
        let error = in_time(move || PrivateFile::claim(&path)).unwrap_err();
        assert!(error.to_string().contains("cannot be locked"), "{error}");
        assert_eq!(place.names(), ["state.rcws.lock"]);
    }

    // CLAUSE SEC-4
    #[test]
    fn a_file_that_others_can_read_is_made_private_and_that_is_said() {
        let place = Place::new("modes");
        let path = place.at("state");
        for (open, is_open) in [(0o600, false), (0o640, true), (0o604, true), (0o666, true)] {
            fs::write(&path, "content").unwrap();
            set_mode(&path, open);
            let file = PrivateFile::claim(&path).unwrap();
            let notice = file.notice();
            assert_eq!((mode(&path), notice.is_some()), (0o600, is_open), "{open:o}");
            assert!(notice.is_none_or(|line| line.contains("private now") && !line.contains('\n')));
            set_mode(&path, open);
            file.write("new").unwrap();
            assert_eq!(mode(&path), 0o600);
            set_mode(&path, open);
            file.write_by("in place", Disk { rename: |_, _| Err(ErrorKind::ResourceBusy.into()), ..DISK }).unwrap();
            assert_eq!((mode(&path), text(&path).as_str()), (0o600, "in place"));
        }
    }

    // CLAUSE SEC-4
    #[test]
    fn a_file_of_another_user_is_refused() {
        let place = Place::new("owner");
        let path = place.at("state");
        fs::write(&path, "content").unwrap();
        if !rustix::process::geteuid().is_root() {
            return;
        }
        std::os::unix::fs::chown(&path, Some(1), None).unwrap();
        let error = PrivateFile::claim(&path).unwrap_err();
        assert!(matches!(error, FileError::NotOurs(_)) && error.to_string().contains("another user"), "{error}");
        assert_eq!(place.names(), ["state"]);
    }

    // CLAUSE SEC-4
    #[test]
    fn where_the_folder_cannot_be_written_the_file_is() {
        let place = Place::new("read-only");
        let path = place.at("state");
        fs::write(&path, "content").unwrap();
        set_mode(&path, 0o600);
        set_mode(&place.0, 0o500);
        // Root may write anywhere: there the injected faults above have to do.
        if File::create(place.at("probe")).is_err() {
            let file = PrivateFile::claim(&path).unwrap();
            assert!(matches!(PrivateFile::claim(&path), Err(FileError::InUse(_))));
            file.write("new").unwrap();
            assert_eq!((text(&path).as_str(), place.names().len()), ("new", 1));
            let error = PrivateFile::claim(&place.at("other")).unwrap_err();
            assert!(matches!(error, FileError::Unlockable(..)), "{error}");
            set_mode(&path, 0o200);
            drop(file);
            assert!(matches!(PrivateFile::claim(&path), Err(FileError::Open(..))), "unreadable");
        }
        set_mode(&place.0, 0o700);
    }

    // CLAUSE SEC-1
    #[test]
    fn what_lies_in_the_way_of_the_temporary_file_gets_nothing_and_stays() {
        let place = Place::new("way");
        let (path, other) = (place.at("state"), place.at("other"));
        fs::write(&other, "").unwrap();
        let file = PrivateFile::claim(&path).unwrap();
        let way = beside(&path, &format!("{}-0.{TEMPORARY}", std::process::id()));
        symlink(&other, &way).unwrap();
        file.write("secret").unwrap();
        assert_eq!((text(&path).as_str(), text(&other).as_str()), ("secret", ""));
        assert!(fs::symlink_metadata(&way).unwrap().is_symlink());
        assert_eq!(mode(&path), 0o600);
    }
}
