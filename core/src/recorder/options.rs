//! How much a recording holds, and of what.

/// The first words of a recording.
pub(super) const TITLE: &str = "ringcentral-ws recording";
/// Fewest bytes a recorder holds; less would hardly have room for a checkpoint.
pub const MIN_LIMIT: usize = 16 << 10;
/// Most bytes a recorder holds.
pub const MAX_LIMIT: usize = 16 << 20;

/// How a flight recorder records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most bytes of a dump, from [`MIN_LIMIT`] to [`MAX_LIMIT`]; what lies outside is moved inside. Default 32 KiB:
    /// about an hour of a quiet connection.
    pub limit: usize,
    /// Whether the content of notifications is kept. Default off.
    pub keep_bodies: bool,
}

impl From<usize> for Options {
    /// So many bytes.
    fn from(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { limit: 32 << 10, keep_bodies: false }
    }
}
