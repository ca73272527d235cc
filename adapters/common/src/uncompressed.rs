//! In place of `gzip`, when that feature is off: nothing is asked for, and nothing is unpacked.

use bytes::Bytes;
use http::HeaderMap;

/// Does nothing.
pub const fn accept(_: &mut HeaderMap) {}

/// Does nothing.
///
/// # Errors
///
/// None.
#[allow(clippy::unnecessary_wraps, reason = "as the real one")]
pub fn unpack(_: &mut HeaderMap, body: Bytes, _: usize) -> Result<Bytes, String> {
    Ok(body)
}
