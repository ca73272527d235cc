//! What Unix does for private files.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};

use super::Access;

/// Read and written by the owner alone.
const PRIVATE: u32 = 0o600;

/// How often a lock file is opened anew because its owner removed it meanwhile.
const TRIES: u32 = 64;

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // A FIFO that took the place of the file would stop the program, a link lead elsewhere, a terminal become ours.
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::NOCTTY;
    options.mode(PRIVATE).custom_flags(flags.bits() as i32);
    options
}

pub(super) fn open(path: &Path, access: Access) -> io::Result<File> {
    options().read(access == Access::Read).write(access == Access::Write).open(path)
}

/// A file that did not exist.
pub(super) fn create(path: &Path) -> io::Result<File> {
    options().write(true).create_new(true).open(path)
}

pub(super) fn is_ours(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw()
}

/// What it is instead of a file.
pub(super) fn kind(meta: &Metadata) -> &'static str {
    let kind = meta.file_type();
    if kind.is_dir() {
        "folder"
    } else if kind.is_fifo() {
        "FIFO"
    } else if kind.is_socket() {
        "socket"
    } else if kind.is_symlink() {
        "link that leads in a circle"
    } else {
        "device"
    }
}

/// Whether both names exist and are of the same file, as hard links are.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    let of = |path: &Path| fs::metadata(path).map(|meta| (meta.dev(), meta.ino()));
    of(one).is_ok_and(|one| of(other).is_ok_and(|other| one == other))
}

/// Whether others could read or write it before. The error means that they still can.
pub(super) fn make_private(file: &File) -> io::Result<bool> {
    let exposed = |file: &File| file.metadata().map(|meta| meta.mode() & 0o077 != 0);
    if !exposed(file)? {
        return Ok(false);
    }
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    if exposed(file)? { Err(io::Error::other("the mode stays as it was")) } else { Ok(true) }
}

/// `WouldBlock` when another has it.
pub(super) fn lock(file: &File) -> io::Result<()> {
    flock(file, FlockOperation::NonBlockingLockExclusive).map_err(io::Error::from)
}

/// The locked lock file at this path. Its owner removes it at the end; then the lock of the removed file is worth
/// nothing, and the next one counts.
pub(super) fn lock_beside(path: &Path) -> io::Result<File> {
    for _ in 0..TRIES {
        if fs::symlink_metadata(path).is_ok_and(|meta| !meta.is_file()) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let file = options().read(true).write(true).create(true).truncate(false).open(path)?;
        let ours = file.metadata()?;
        if !ours.is_file() || !is_ours(&ours) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        lock(&file)?;
        let there = fs::symlink_metadata(path);
        if there.is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
            return Ok(file);
        }
    }
    Err(ErrorKind::WouldBlock.into())
}

pub(super) fn remove_lock(path: &Path) {
    let _ = fs::remove_file(path);
}
