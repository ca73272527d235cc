//! `--record`: the flight recorder's text in a file.

use std::path::PathBuf;

use ringcentral_ws_core::Event;

use super::state::replace;

/// Where the text goes, and whether that went wrong already.
#[derive(Debug, Default)]
pub struct Record {
    file: Option<PathBuf>,
    failed: bool,
}

impl Record {
    /// For this file, or for none.
    #[must_use]
    pub const fn new(file: Option<PathBuf>) -> Self {
        Self { file, failed: false }
    }

    /// Whether a recording is wanted.
    #[must_use]
    pub const fn is_wanted(&self) -> bool {
        self.file.is_some()
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

    /// Writes the text. The first failure is told; later ones say nothing new.
    pub fn write(&mut self, name: &str, text: Option<String>) {
        let (Some(file), Some(text)) = (self.file.as_deref(), text) else { return };
        if let Err(error) = replace(file, &text)
            && !std::mem::replace(&mut self.failed, true)
        {
            eprintln!("{name}: {} cannot be written: {error}", file.display());
        }
    }
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
        Record::new(Some(file.clone())).write("watch", Some("first".to_owned()));
        Record::new(Some(file.clone())).write("watch", Some("second".to_owned()));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0);
        std::fs::remove_file(&file).unwrap();
    }
}
