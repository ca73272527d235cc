//! The session in a file.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ringcentral_ws_core::Snapshot;

/// Largest file read, in bytes.
const MAX_BYTES: u64 = 8 << 20;

/// Reads the session of an earlier run. `Ok(None)` when there is none; an error says why it cannot be used, which
/// never stops a start.
pub(super) fn load(file: &Path) -> Result<Option<Snapshot>, String> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Ok(meta) if meta.len() > MAX_BYTES => return Err("it is far too large".to_owned()),
        _ => {}
    }
    let text = fs::read_to_string(file).map_err(|error| error.to_string())?;
    Snapshot::from_json(&text).map(Some).map_err(|error| error.to_string())
}

/// Writes the session, whole or not at all: into a file beside it that then takes its place. Only the owner may read
/// it.
pub(super) fn save(file: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary: PathBuf = file.with_file_name(name);
    let written = write(&temporary, &snapshot.to_json()).and_then(|()| fs::rename(&temporary, file));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
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
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
        fs::remove_dir_all(&folder).unwrap();
    }
}
