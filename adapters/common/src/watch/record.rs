//! `--record`: the flight recorder's text in a file.

use std::path::{Path, PathBuf};

use ringcentral_ws_core::Event;

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
        if let Err(error) = write(file, &text)
            && !std::mem::replace(&mut self.failed, true)
        {
            eprintln!("{name}: {} cannot be written: {error}", file.display());
        }
    }
}

/// In one step, so that a crash leaves the text before or this one.
fn write(file: &Path, text: &str) -> std::io::Result<()> {
    let mut next = file.as_os_str().to_owned();
    next.push(".new");
    std::fs::write(&next, text)?;
    std::fs::rename(&next, file)
}
