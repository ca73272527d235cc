//! The way of debug lines; frames come masked (SEC-1).

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringcentral_ws_core::mask;

use crate::terminal::{escape, escape_json};
use crate::trace;

/// Where debug lines go, beside `tracing` (target `ringcentral_ws::frames`, level trace).
pub type DebugSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes debug lines; does nothing when nobody listens. A sink that panics, as `println` does when nobody reads any
/// more, is not called again.
#[derive(Default)]
pub struct Debug {
    sink: Option<DebugSink>,
    broken: AtomicBool,
}

impl Debug {
    /// Writes to `sink`, if there is one.
    #[must_use]
    pub const fn new(sink: Option<DebugSink>) -> Self {
        Self { sink, broken: AtomicBool::new(false) }
    }

    /// One frame, masked. `direction` is an arrow.
    pub fn frame(&self, direction: &str, text: &str) {
        self.note(|| format!("{direction} {}", escape_json(&mask(text))));
    }

    /// One line about the connection, which must hold no secret. It is escaped (SEC-5).
    pub fn note(&self, line: impl FnOnce() -> String) {
        let sink = self.sink.as_ref().filter(|_| !self.broken.load(Ordering::Relaxed));
        if sink.is_none() && !trace::wants_frames() {
            return;
        }
        let line = line();
        let line = escape(&line);
        trace::frame(&line);
        // Nothing of the driver is touched by the sink, so no broken state can be seen.
        if sink.is_some_and(|sink| catch_unwind(AssertUnwindSafe(|| sink(&line))).is_err()) {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debug").field("sink", &self.sink.is_some()).finish()
    }
}
