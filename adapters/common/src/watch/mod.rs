//! What the `watch` programs have in common: all but the loop, which waits, and so differs.

pub mod args;
pub mod demo;
pub mod human;
pub mod json;
pub mod reach;
pub mod record;
pub mod state;

/// Longest command line on stdin, in bytes.
pub const MAX_LINE: u64 = 32 << 20;

/// Exit status for bad usage.
pub const USAGE: u8 = 2;
/// Exit status after a permanent error.
pub const FAILED: u8 = 1;
