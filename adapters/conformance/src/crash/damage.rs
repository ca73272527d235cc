//! What can be wrong with the files.

use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// Where the login lies.
pub(super) fn login(state: &Path) -> PathBuf {
    state.with_file_name("state.login")
}

pub(super) fn content(file: &Path) -> Option<Vec<u8>> {
    fs::read(file).ok()
}

/// Which file was damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damaged {
    State,
    Login,
}

/// By which a session is known.
const BEGINNING: &[u8] = b"{\"version\":1,\"server\":\"";

/// Does one of many kinds of damage.
pub(super) fn damage(state: &Path, rng: &mut Rng) -> Damaged {
    let Some(whole) = content(state) else { return Damaged::State };
    let cut = rng.usize(..whole.len().max(1));
    // What does not begin as a session is refused, and no damage to one.
    let middle = cut.max(BEGINNING.len()).min(whole.len());
    let newer = String::from_utf8_lossy(&whole).replacen("\"version\":1", "\"version\":2", 1).into_bytes();
    match rng.u64(..10) {
        0 => {
            let _ = fs::remove_file(state);
        }
        1 => {
            let _ = fs::remove_file(login(state));
            return Damaged::Login;
        }
        2 => {
            // It may be missing or short already: the life before may have died before it wrote one.
            let whole = content(&login(state)).unwrap_or_default();
            write(&login(state), &whole[..cut.min(20).min(whole.len())]);
            return Damaged::Login;
        }
        3 => write(state, b""),
        4 => write(state, &[BEGINNING, b"\xff\xfe\0not JSON"].concat()),
        5 => write(state, &newer),
        6 => write(state, &[BEGINNING, b"\"}"].concat()),
        // Overwritten in the middle, as by a bad block.
        7 => write(state, &[&whole[..middle], b"\0\0\0\0", whole.get(middle + 4..).unwrap_or_default()].concat()),
        _ => write(state, &whole[..cut]),
    }
    Damaged::State
}

fn write(file: &Path, bytes: &[u8]) {
    fs::write(file, bytes).expect("a file that can be written");
    // Damaged, but as private as it was: that others could read it would be reported too.
    #[cfg(unix)]
    fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
}
