//! What systems other than Unix do for private files: a file is as private as its folder.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

use super::Access;

pub(super) fn open(path: &Path, access: Access) -> io::Result<File> {
    OpenOptions::new().read(access == Access::Read).write(access == Access::Write).open(path)
}

/// A file that did not exist.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

pub(super) fn is_ours(_: &Metadata) -> bool {
    true
}

/// What it is instead of a file.
pub(super) fn kind(meta: &Metadata) -> &'static str {
    if meta.is_dir() { "folder" } else { "link or device" }
}

pub(super) fn make_private(_: &File) -> io::Result<bool> {
    Ok(false)
}

/// The lock beside the file is all there is: an open file could not be replaced.
pub(super) fn lock(_: &File) -> io::Result<()> {
    Ok(())
}

/// The lock file at this path, which nobody else can open, and which goes with the process.
#[cfg(windows)]
pub(super) fn lock_beside(path: &Path) -> io::Result<File> {
    use std::os::windows::fs::OpenOptionsExt;
    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    const SHARING_VIOLATION: i32 = 32;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).share_mode(0).custom_flags(DELETE_ON_CLOSE);
    options.open(path).map_err(|error| match error.raw_os_error() {
        Some(SHARING_VIOLATION) => io::ErrorKind::WouldBlock.into(),
        _ => error,
    })
}

#[cfg(not(windows))]
pub(super) fn lock_beside(_: &Path) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

/// It is removed when it is closed.
pub(super) fn remove_lock(_: &Path) {}

/// Only the names are compared here.
pub(super) const fn is_same(_: &Path, _: &Path) -> bool {
    false
}
