//! C14: whatever happened before, once everything works the session is ready, or closed.

use ringcentral_ws_core::SessionState;

use super::ops::{Player, Style, ops};
use super::small;
use crate::subject::{Maker, WithContract};

/// Bytes as operations; then all goes well.
pub fn heal(data: &[u8]) {
    heal_of(&WithContract, data);
}

pub(super) fn heal_of<M: Maker>(maker: &M, data: &[u8]) {
    let mut player = Player::with(maker, small(), 1, Style::default());
    for op in ops(data, 200) {
        player.play(&op);
    }
    player.reach_subscribed();
    assert!(
        matches!(player.state(), SessionState::Ready { .. } | SessionState::Closed),
        "C14: it is {:?}",
        player.state()
    );
    player.close();
}
