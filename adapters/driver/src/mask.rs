//! The way of debug lines; frames come masked (SEC-1).

use std::sync::Arc;

use ringcentral_ws_core::mask;

/// Where debug lines go, beside `tracing` (target `ringcentral_ws::frames`, level trace).
pub(crate) type DebugSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes debug lines; does nothing when nobody listens.
#[derive(Clone, Default)]
pub(crate) struct Debug {
    pub(crate) sink: Option<DebugSink>,
}

impl Debug {
    fn on(&self) -> bool {
        self.sink.is_some() || tracing::enabled!(target: "ringcentral_ws::frames", tracing::Level::TRACE)
    }

    pub(crate) fn frame(&self, direction: &str, text: &str) {
        if self.on() {
            self.write(&format!("{direction} {}", mask(text)));
        }
    }

    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        if self.on() {
            self.write(&line());
        }
    }

    fn write(&self, line: &str) {
        tracing::trace!(target: "ringcentral_ws::frames", "{line}");
        if let Some(sink) = &self.sink {
            sink(line);
        }
    }
}
