//! `--record`: the flight recorder's text in a file, or on a stream.

use std::io::{self, Write};
use std::path::Path;

use ringcentral_ws_core::Event;

use crate::file::{FileError, Holds, PrivateFile};
use crate::terminal::{complain, escape_json};

/// Where the text goes, and whether that went wrong already.
#[derive(Debug, Default)]
pub struct Record {
    to: To,
    failed: bool,
}

#[derive(Debug, Default)]
enum To {
    #[default]
    Nowhere,
    File(PrivateFile),
    Stdout,
    Stderr,
}

impl Record {
    /// To this file, or to none. `-` and `/dev/stdout` are standard output, `/dev/stderr` is standard error.
    ///
    /// # Errors
    ///
    /// [`FileError`]; nothing may be started then.
    pub fn claim(to: Option<&Path>) -> Result<Self, FileError> {
        let to = match to {
            None => To::Nowhere,
            Some(file) if is_stdout(file) => To::Stdout,
            Some(file) if file == Path::new("/dev/stderr") => To::Stderr,
            Some(file) => To::File(PrivateFile::claim_for(file, Holds::Recording)?),
        };
        Ok(Self { to, failed: false })
    }

    /// What the user should know, in one line.
    #[must_use]
    pub fn notice(&self) -> Option<String> {
        if let To::File(file) = &self.to { file.notice() } else { None }
    }

    /// Whether a recording is wanted.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        !matches!(self.to, To::Nowhere)
    }

    /// Whether somebody may want to know how it came to this event.
    #[must_use]
    pub const fn is_trouble(event: &Event) -> bool {
        matches!(
            event,
            Event::Gap(_)
                | Event::RecoveryFailed { .. }
                | Event::SubscriptionFailed { .. }
                | Event::ProtocolError { .. }
                | Event::Closed { .. }
        )
    }

    /// Writes the text: a file then holds nothing else, a stream gets it once more. The first failure is reported; later
    /// ones say nothing new.
    pub fn write(&mut self, name: &str, text: Option<String>) {
        let Some(text) = text else { return };
        let failed = match &self.to {
            To::Nowhere => None,
            To::File(file) => file.write(&text).err().map(|error| error.to_string()),
            To::Stdout => stream(io::stdout().lock(), &text),
            To::Stderr => stream(io::stderr().lock(), &text),
        };
        if let Some(why) = failed
            && !std::mem::replace(&mut self.failed, true)
        {
            complain(name, &format!("the recording cannot be kept: {why}"));
        }
    }
}

/// Whether a recording to this place goes to standard output.
#[must_use]
pub fn is_stdout(file: &Path) -> bool {
    [Path::new("-"), Path::new("/dev/stdout")].contains(&file)
}

/// Whether a recording to this place goes to a stream, and not to a file.
#[must_use]
pub fn is_stream(file: &Path) -> bool {
    is_stdout(file) || file == Path::new("/dev/stderr")
}

/// A stream may be a terminal: what a recording quotes is JSON, and so its escapes are (SEC-5).
fn stream(mut out: impl Write, text: &str) -> Option<String> {
    let mut lines = text.lines();
    let written = lines.try_for_each(|line| writeln!(out, "{}", escape_json(line))).and_then(|()| out.flush());
    written.err().map(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_a_recording() {
        use std::os::unix::fs::PermissionsExt;
        let file = std::env::temp_dir().join(format!("ringcentral-ws-record-{}", std::process::id()));
        let mut record = Record::claim(Some(&file)).unwrap();
        record.write("watch", Some("ringcentral-ws recording 1\nfirst".to_owned()));
        record.write("watch", Some("ringcentral-ws recording 1\nsecond".to_owned()));
        assert!(matches!(Record::claim(Some(&file)), Err(FileError::InUse(_))));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "ringcentral-ws recording 1\nsecond");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
        std::fs::remove_file(&file).unwrap();
    }

    // CLAUSE SEC-4
    #[test]
    fn what_is_no_recording_is_refused_and_stays() {
        let file = std::env::temp_dir().join(format!("ringcentral-ws-no-record-{}", std::process::id()));
        for foreign in ["buy milk\n", r#"{"version":1,"server":"https://h.example/"}"#] {
            std::fs::write(&file, foreign).unwrap();
            let error = Record::claim(Some(&file)).unwrap_err();
            assert!(error.to_string().contains("does not hold a recording"), "{error}");
            assert_eq!(std::fs::read_to_string(&file).unwrap(), foreign);
        }
        std::fs::write(&file, "").unwrap();
        assert!(Record::claim(Some(&file)).is_ok(), "nothing is lost with it");
        std::fs::remove_file(&file).unwrap();
    }

    // CLAUSE SEC-4
    #[test]
    fn streams_are_no_files() {
        let to = |place: &str| Record::claim(Some(Path::new(place))).unwrap().to;
        assert!(matches!((to("-"), to("/dev/stdout"), to("/dev/stderr")), (To::Stdout, To::Stdout, To::Stderr)));
        let record = Record::claim(None).unwrap();
        assert!(!record.is_wanted() && record.notice().is_none());
    }
}
