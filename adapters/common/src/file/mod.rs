//! Files that hold a session, a login or a recording (SEC-4).
//!
//! Such a file is a regular one of this user, which nobody else can read, and one process has it at a time. Links are
//! followed to their target first; then the target is what is checked, locked and written. Nothing else is ever opened
//! or replaced: no device, no FIFO, no folder, no file of another user.
//!
//! - **Lock**: advisory, on `FILE.rcws.lock` beside it and on the file itself, for as long as the [`PrivateFile`]
//!   lives. Where the folder cannot be written, the lock on the file alone counts. A process that is killed leaves the
//!   empty lock file behind, which locks nobody out.
//! - **Mode**: new files get 0600. An older one that others can read is made private, and [`PrivateFile::notice`] says
//!   so, because what it held may be known; where that has no effect the file is refused.
//! - **Writing**: into a temporary file beside it, which is synced and then renamed. A file that cannot be renamed to
//!   or has no room beside it (mounted alone, a read-only folder) is written in place; only there a crash can tear it.
//! - **Reading**: at most [`MAX_BYTES`].
//! - **Content**: what a file is for is known by how it begins ([`Holds`]). One that begins otherwise is somebody else's,
//!   named by mistake: it is refused and stays as it is.

mod error;
mod holds;
#[cfg(not(unix))]
#[path = "other.rs"]
mod system;
#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::error::FileError;
pub use self::holds::Holds;

/// Largest file that is read, in bytes: 64 MiB, as for a snapshot.
pub const MAX_BYTES: u64 = 64 << 20;

/// Most links followed to one file.
const MAX_LINKS: u32 = 40;

/// How the name of a temporary file ends, after the number of its process: like no other program's.
const TEMPORARY: &str = "rcws.tmp";

/// How the name of a lock file ends.
const LOCK: &str = "rcws.lock";

/// A regular file of this user that only this user can read, locked until all clones are dropped.
#[derive(Clone, Debug)]
pub struct PrivateFile {
    /// After all links.
    path: PathBuf,
    /// Others could read it.
    exposed: bool,
    /// Anything, if nothing is said.
    holds: Option<Holds>,
    lock: Arc<Lock>,
}

impl PrivateFile {
    /// Takes the file, whether it exists or not. It is not created.
    ///
    /// # Errors
    ///
    /// [`FileError`]: it is in use, is not a file for this, or the file system refuses.
    pub fn claim(path: &Path) -> Result<Self, FileError> {
        Self::claim_as(path, None)
    }

    /// What is refused stays as it is, its mode included: that is changed last.
    fn claim_as(path: &Path, holds: Option<Holds>) -> Result<Self, FileError> {
        let path = resolve(path).map_err(|error| FileError::open(path, error))?;
        // A device may act when it is opened: it is looked at before.
        let exists = look(&path)?;
        let mut lock = Lock { beside: lock_beside(&path, exists)?, itself: None };
        let mut exposed = false;
        if let Some(file) = open(&path, Access::Read)? {
            system::lock(&file).map_err(|error| FileError::lock(&path, error))?;
            // Every fault is known at the start.
            if file.metadata().map_err(|error| FileError::open(&path, error))?.len() > MAX_BYTES {
                return Err(FileError::TooLarge(path));
            }
            check_content(&path, &file, holds)?;
            exposed = make_private(&path, &file)?;
            lock.itself = Some(file);
        }
        sweep(&path);
        Ok(Self { path, exposed, holds, lock: Arc::new(lock) })
    }

    /// The same for this content.
    ///
    /// # Errors
    ///
    /// Those of [`claim`](Self::claim), and [`FileError::Foreign`]: it holds something else.
    pub fn claim_for(path: &Path, holds: Holds) -> Result<Self, FileError> {
        Self::claim_as(path, Some(holds))
    }

    /// The file `NAME.ending` in the same folder, under the same lock. It is checked when it is used.
    #[must_use]
    pub fn beside(&self, ending: &str) -> Self {
        Self { path: beside(&self.path, ending), exposed: false, holds: None, lock: Arc::clone(&self.lock) }
    }

    /// The same for this content.
    #[must_use]
    pub fn beside_for(&self, ending: &str, holds: Holds) -> Self {
        Self { holds: Some(holds), ..self.beside(ending) }
    }

    /// Finds out whether it holds what it is for, or nothing yet, and makes it private.
    ///
    /// # Errors
    ///
    /// [`FileError`]: [`Foreign`](FileError::Foreign) if it holds something else.
    pub fn check(&mut self) -> Result<(), FileError> {
        let path = resolve(&self.path).map_err(|error| FileError::open(&self.path, error))?;
        let Some(file) = open(&path, Access::Read)? else { return Ok(()) };
        check_content(&path, &file, self.holds)?;
        self.exposed |= make_private(&path, &file)?;
        Ok(())
    }

    /// Before each change: another file may have taken its place.
    fn check_again(&self, path: &Path) -> Result<(), FileError> {
        open(path, Access::Read)?.map_or(Ok(()), |file| check_content(path, &file, self.holds))
    }

    /// What the user should know, in one line: others could read the file.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        let path = self.path.display();
        self.exposed.then(|| format!("others could read {path}; it is private now, but its secrets may be known"))
    }

    /// Where it is, after all links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The whole content; `None` when there is no file.
    ///
    /// # Errors
    ///
    /// [`FileError`], also for more than [`MAX_BYTES`].
    pub fn read(&self) -> Result<Option<Vec<u8>>, FileError> {
        let path = resolve(&self.path).map_err(|error| FileError::open(&self.path, error))?;
        let Some(file) = open(&path, Access::Read)? else { return Ok(None) };
        make_private(&path, &file)?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| FileError::open(&path, error))?;
        if bytes.len() as u64 > MAX_BYTES { Err(FileError::TooLarge(path)) } else { Ok(Some(bytes)) }
    }

    /// Writes the whole content.
    ///
    /// # Errors
    ///
    /// [`FileError`]; then the old content is still there, except when a write in place has failed.
    pub fn write(&self, text: &str) -> Result<(), FileError> {
        self.write_by(text, DISK)
    }

    /// The same for content that may be no text.
    ///
    /// # Errors
    ///
    /// Those of [`write`](Self::write).
    pub fn write_bytes(&self, bytes: &[u8]) -> Result<(), FileError> {
        self.write_by(bytes, DISK)
    }

    /// Removes it, if it is there and a file for this.
    ///
    /// # Errors
    ///
    /// [`FileError`]; then it is still there.
    pub fn remove(&self) -> Result<(), FileError> {
        let path = resolve(&self.path).map_err(|error| FileError::write(&self.path, error))?;
        self.check_again(&path)?;
        if look(&path)? { fs::remove_file(&path).map_err(|error| FileError::write(&path, error)) } else { Ok(()) }
    }

    fn write_by(&self, content: impl AsRef<[u8]>, disk: Disk) -> Result<(), FileError> {
        let path = resolve(&self.path).map_err(|error| FileError::write(&self.path, error))?;
        let exists = look(&path)?;
        if exists {
            self.check_again(&path)?;
        }
        let content = content.as_ref();
        match by_rename(&path, content, disk) {
            Err(error) if exists && needs_place(&error) => in_place(&path, content),
            written => written.map_err(|error| FileError::write(&path, error)),
        }
    }
}

/// The steps that a file system can refuse; tests put others in their place.
#[derive(Clone, Copy)]
struct Disk {
    create: fn(&Path) -> io::Result<File>,
    rename: fn(&Path, &Path) -> io::Result<()>,
}

const DISK: Disk = Disk { create: system::create, rename: |from, to| fs::rename(from, to) };

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// The path behind all links, with the folder as the system names it. A link to nothing leads to a name that is free.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_symlink() => path = folder(&path).join(fs::read_link(&path)?),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            Err(error) => return Err(error),
        }
    }
    let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
    Ok(fs::canonicalize(folder(&path))?.join(name))
}

/// Whether two names lead to the same file, whether it exists or not.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    if let (Ok(one), Ok(other)) = (resolve(one), resolve(other))
        && one == other
    {
        return true;
    }
    system::is_same(one, other)
}

/// The name `FILE.ending` of a file that belongs to this one; links of this one are followed.
#[must_use]
pub fn beside_target(path: &Path, ending: &str) -> PathBuf {
    beside(&resolve(path).unwrap_or_else(|_| path.to_owned()), ending)
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(ending);
    file.with_file_name(name)
}

/// Whether the file exists; an error when what is there is no file of this user. Nothing is opened.
fn look(path: &Path) -> Result<bool, FileError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => check(path, &meta).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(FileError::open(path, error)),
    }
}

fn check(path: &Path, meta: &fs::Metadata) -> Result<(), FileError> {
    if !meta.is_file() {
        return Err(FileError::NotRegular(path.to_owned(), system::kind(meta)));
    }
    if system::is_ours(meta) { Ok(()) } else { Err(FileError::NotOurs(path.to_owned())) }
}

/// The file if there is one. What was looked at before may have been exchanged since, so what counts is checked on the
/// open file.
fn open(path: &Path, access: Access) -> Result<Option<File>, FileError> {
    if !look(path)? {
        return Ok(None);
    }
    let file = match system::open(path, access) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| FileError::open(path, error))?,
    };
    check(path, &file.metadata().map_err(|error| FileError::open(path, error))?)?;
    Ok(Some(file))
}

/// Whether others could read it until now.
fn make_private(path: &Path, file: &File) -> Result<bool, FileError> {
    system::make_private(file).map_err(|error| FileError::Exposed(path.to_owned(), error))
}

/// Only the beginning is read.
fn check_content(path: &Path, file: &File, holds: Option<Holds>) -> Result<(), FileError> {
    let Some(holds) = holds else { return Ok(()) };
    let mut start = Vec::new();
    file.take(holds::READ).read_to_end(&mut start).map_err(|error| FileError::open(path, error))?;
    if holds.fits(&start) { Ok(()) } else { Err(FileError::Foreign(path.to_owned(), holds.name())) }
}

/// What `by_rename` cannot do there and a write in place can.
fn needs_place(error: &io::Error) -> bool {
    use ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), ResourceBusy | CrossesDevices | PermissionDenied | ReadOnlyFilesystem)
}

fn by_rename(path: &Path, content: &[u8], disk: Disk) -> io::Result<()> {
    let (temporary, mut out) = create_temporary(path, disk)?;
    let written = out.write_all(content).and_then(|()| out.sync_data());
    drop(out);
    let renamed = written.and_then(|()| (disk.rename)(&temporary, path));
    if renamed.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

/// A new file: what has its name already, a link included, is left alone.
fn create_temporary(path: &Path, disk: Disk) -> io::Result<(PathBuf, File)> {
    let pid = std::process::id();
    let mut last = ErrorKind::AlreadyExists.into();
    for number in 0..16 {
        let temporary = beside(path, &format!("{pid}-{number}.{TEMPORARY}"));
        match (disk.create)(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn in_place(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let Some(mut file) = open(path, Access::Write)? else {
        return Err(FileError::write(path, ErrorKind::NotFound.into()));
    };
    make_private(path, &file)?;
    // Shortened last: what is torn is then no JSON any more, and is seen to be damaged.
    let written = file.write_all(content).and_then(|()| file.set_len(content.len() as u64));
    written.and_then(|()| file.sync_data()).map_err(|error| FileError::write(path, error))
}

/// Removes the temporary files of processes that died while they wrote: they are secret, and nobody would ever use
/// them. Under the lock, so none is of a process that lives.
fn sweep(path: &Path) {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return };
    let is_left = |other: &str| {
        let rest = other.strip_prefix(name).and_then(|rest| rest.strip_suffix(TEMPORARY)?.strip_suffix('.'));
        let named = |rest| [".login", ".handled"].iter().find_map(|kind| str::strip_prefix(rest, kind));
        let rest = rest.map(|rest| named(rest).or(after_bad(rest)).unwrap_or(rest));
        let pid = rest.and_then(|rest| rest.strip_prefix('.')?.split('-').next());
        pid.is_some_and(|pid| pid.parse::<u32>().is_ok())
    };
    for left in fs::read_dir(folder(path)).into_iter().flatten().flatten() {
        if left.file_name().to_str().is_some_and(is_left) && look(&left.path()).is_ok() {
            let _ = fs::remove_file(left.path());
        }
    }
}

/// What comes after `.bad` or `.bad.N`.
fn after_bad(ending: &str) -> Option<&str> {
    let rest = ending.strip_prefix(".bad")?;
    let numbered = rest.strip_prefix('.').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    Some(numbered.filter(|rest| rest.starts_with('.')).unwrap_or(rest))
}

/// The locks of one file.
#[derive(Debug)]
struct Lock {
    /// Removed at the end.
    beside: Option<(PathBuf, File)>,
    /// The file itself: what processes share that see it in different folders, as a file mounted alone.
    itself: Option<File>,
}

/// `None` where the folder cannot be written: there the file is written in place, and its own lock is enough.
fn lock_beside(path: &Path, exists: bool) -> Result<Option<(PathBuf, File)>, FileError> {
    let lock = beside(path, LOCK);
    match system::lock_beside(&lock) {
        Ok(file) => Ok(Some((lock, file))),
        Err(error) if exists && needs_place(&error) => Ok(None),
        Err(error) => Err(FileError::lock(path, error)),
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.itself.take());
        if let Some((path, file)) = &self.beside {
            // Before it is unlocked. What somebody wrote into it is not for us to remove.
            if file.metadata().is_ok_and(|meta| meta.len() == 0) {
                system::remove_lock(path);
            }
        }
    }
}
