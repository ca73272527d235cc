//! What goes to the `tracing` crate. Without the feature `tracing` all of this does nothing.

#[cfg(feature = "tracing")]
mod target {
    pub(super) const FRAMES: &str = "ringcentral_ws::frames";
}

/// Whether anybody listens for frames.
#[must_use]
pub fn wants_frames() -> bool {
    #[cfg(feature = "tracing")]
    return tracing::enabled!(target: target::FRAMES, tracing::Level::TRACE);
    #[cfg(not(feature = "tracing"))]
    false
}

/// A masked frame, or a note about the connection.
pub fn frame(line: &str) {
    #[cfg(feature = "tracing")]
    tracing::trace!(target: target::FRAMES, "{line}");
    #[cfg(not(feature = "tracing"))]
    let _ = line;
}

/// An HTTPS call that has ended. `call` is its method, host and path, without a query.
pub fn http(call: &str, result: Result<http::StatusCode, &str>) {
    #[cfg(feature = "tracing")]
    match result {
        Ok(status) => tracing::debug!(target: "ringcentral_ws::http", "{call} -> {status}"),
        Err(why) => tracing::debug!(target: "ringcentral_ws::http", "{call} failed: {why}"),
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (call, result);
}
