//! A server in a process of its own, so that what a client costs is measured alone: it answers token calls, speaks
//! WebSocket with or without TLS, and does what the filters ask of it.

mod child;
mod frames;
mod serve;
mod stream;

pub use self::child::{Server, serve_if_asked};
pub use self::frames::{flood, notification, notification_of};
pub use self::stream::Stream;

/// The filter that asks for so many notifications of this size, in bytes.
#[must_use]
pub fn flood_filter(count: usize, size: usize) -> String {
    format!("/flood/{count}/{size}")
}

/// The filter that makes the server cut the connection behind its answer.
pub const CUT: &str = "/cut";
