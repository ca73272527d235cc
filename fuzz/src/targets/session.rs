//! Operations that fit the state, with the contract checker.

use super::ops::{Player, Style, ops};
use super::small;

/// Bytes as operations of a driver, a server and an application. Ends with `close`, which must end everything.
pub fn session(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let mut config = small();
    config.rest_over_websocket = first & 1 == 0;
    config.auto_recover = first & 2 == 0;
    let mut player = Player::new(config, u64::from(first >> 2), Style { snapshots: true, ..Style::default() });
    for op in ops(rest, 300) {
        player.play(&op);
    }
    player.close();
}
