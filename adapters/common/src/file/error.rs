//! What can be wrong with a private file.

use std::io;
use std::path::{Path, PathBuf};
use std::{error, fmt};

/// Why a file cannot hold a session, a login or a recording. `Display` is one line that also says what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum FileError {
    /// Another process has it.
    InUse(PathBuf),
    /// It is no regular file but this.
    NotRegular(PathBuf, &'static str),
    /// It belongs to another user.
    NotOurs(PathBuf),
    /// Others can read it, and that could not be changed.
    Exposed(PathBuf, io::Error),
    /// It holds something else than a session, a login or a recording, whichever it was named for.
    Foreign(PathBuf, &'static str),
    /// It has more than [`MAX_BYTES`](super::MAX_BYTES).
    TooLarge(PathBuf),
    /// It cannot be locked.
    Unlockable(PathBuf, io::Error),
    /// It cannot be opened or read.
    Open(PathBuf, io::Error),
    /// It cannot be written.
    Write(PathBuf, io::Error),
}

impl FileError {
    pub(super) fn open(path: &Path, error: io::Error) -> Self {
        Self::Open(path.to_owned(), error)
    }

    pub(super) fn lock(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::WouldBlock {
            Self::InUse(path.to_owned())
        } else {
            Self::Unlockable(path.to_owned(), error)
        }
    }

    pub(super) fn write(path: &Path, error: io::Error) -> Self {
        Self::Write(path.to_owned(), error)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => {
                write!(f, "{} is in use by another process: end it, or give each its own file", path.display())
            }
            Self::NotRegular(path, kind) => {
                write!(f, "{} is a {kind}: give the name of a regular file", path.display())
            }
            Self::NotOurs(path) => {
                write!(f, "{} belongs to another user: give the name of a file of your own", path.display())
            }
            Self::Exposed(path, error) => write!(
                f,
                "others can read {}, and it cannot be made private ({error}): put it on a file system with permissions",
                path.display()
            ),
            Self::Foreign(path, what) => write!(
                f,
                "{} does not hold a {what} of this program, so it is left as it is: give another name, or remove it",
                path.display()
            ),
            Self::TooLarge(path) => write!(
                f,
                "{} has more than {} MiB, so it is not from here: remove it, or give another name",
                path.display(),
                super::MAX_BYTES >> 20
            ),
            Self::Unlockable(path, error) => {
                let path = path.display();
                write!(f, "{path} cannot be locked ({error}): put it in a folder of yours that has locks")
            }
            Self::Open(path, error) => {
                write!(f, "{} cannot be read ({error}): remove it, or give another name", path.display())
            }
            Self::Write(path, error) => write!(f, "{} cannot be written: {error}", path.display()),
        }
    }
}

impl error::Error for FileError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Exposed(_, error) | Self::Unlockable(_, error) | Self::Open(_, error) | Self::Write(_, error) => {
                Some(error)
            }
            Self::InUse(_) | Self::NotRegular(..) | Self::NotOurs(_) | Self::Foreign(..) | Self::TooLarge(_) => None,
        }
    }
}
