//! The way of debug lines; frames come masked (SEC-1).

use std::fmt;
use std::sync::Arc;

use ringcentral_ws_core::mask;

use crate::trace;

/// Where debug lines go, beside `tracing` (target `ringcentral_ws::frames`, level trace).
pub type DebugSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes debug lines; does nothing when nobody listens.
#[derive(Clone, Default)]
pub struct Debug {
    sink: Option<DebugSink>,
}

impl Debug {
    /// Writes to `sink`, if there is one.
    #[must_use]
    pub const fn new(sink: Option<DebugSink>) -> Self {
        Self { sink }
    }

    /// One frame, masked. `direction` is an arrow.
    pub fn frame(&self, direction: &str, text: &str) {
        self.note(|| format!("{direction} {}", mask(text)));
    }

    /// One line about the connection, which must hold no secret.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.sink.is_none() && !trace::wants_frames() {
            return;
        }
        let line = line();
        trace::frame(&line);
        if let Some(sink) = &self.sink {
            sink(&line);
        }
    }
}

impl fmt::Debug for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debug").field("sink", &self.sink.is_some()).finish()
    }
}
