//! In place of `gzip`, when that feature is off: nothing is asked for, and nothing is unpacked.

use bytes::Bytes;
use http::HeaderMap;

pub(crate) const fn accept(_: &mut HeaderMap) {}

#[allow(clippy::unnecessary_wraps, reason = "as the real one")]
pub(crate) fn unpack(_: &mut HeaderMap, body: Bytes, _: usize) -> Result<Bytes, String> {
    Ok(body)
}
