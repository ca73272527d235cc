//! Operations that fit the state, with the contract checker.

use super::ops::{Player, Style, ops};
use super::small;
use crate::subject::{Maker, WithContract};

/// Bytes as operations of a driver, a server and an application. Ends with `close`, which must end everything.
pub fn session(data: &[u8]) {
    session_of(&WithContract, data);
}

pub(super) fn session_of<M: Maker>(maker: &M, data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut config = small();
    config.rest_over_websocket = first & 1 == 0;
    config.auto_recover = first & 2 == 0;
    let style = Style { snapshots: true, ..Style::default() };
    let mut player = Player::with(maker, config, u64::from(first >> 2), style);
    for op in ops(rest, 300) {
        player.play(&op);
    }
    player.close();
}
