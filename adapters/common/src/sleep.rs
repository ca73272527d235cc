//! Threads that wait for a change of something that is locked.

use std::sync::{Condvar, MutexGuard, PoisonError};
use std::time::Instant;

/// Waits for a change, up to this time; `None` is no limit. What is locked comes back after a change, or for no reason:
/// look again. `true`: the time had passed before.
pub(crate) fn wait_until<'a, T>(
    changed: &Condvar,
    locked: MutexGuard<'a, T>,
    until: Option<Instant>,
) -> (MutexGuard<'a, T>, bool) {
    let Some(until) = until else { return (changed.wait(locked).unwrap_or_else(PoisonError::into_inner), false) };
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return (locked, true);
    }
    (changed.wait_timeout(locked, left).unwrap_or_else(PoisonError::into_inner).0, false)
}
