//! What a driver thinks.

use ringcentral_ws_core::SessionState;

use crate::events::Load;

/// Events that may wait for the application while a connection is still being made.
const HANDSHAKE_BACKLOG: usize = 256;

/// Whether messages must wait for the application. While a connection is being made they need not: they cause few
/// events, and leaving them unread would fail the attempt. Nor while an answer over the socket is awaited, perhaps
/// by the loop that would take the events (REQ-10). The limit in bytes holds always.
#[must_use]
pub const fn must_pause(load: Load, state: SessionState, answer_awaited: bool) -> bool {
    if !load.is_full {
        return false;
    }
    if load.is_heavy || !matches!(state, SessionState::Ready { .. }) {
        return load.is_heavy || load.backlog >= HANDSHAKE_BACKLOG;
    }
    !answer_awaited
}
