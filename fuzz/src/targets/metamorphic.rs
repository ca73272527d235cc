//! What must make no difference makes none.

use super::ops::{Player, Style, ops};
use super::small;
use crate::subject::{Maker, WithContract};

/// Bytes as operations, played three times: as they are, with a `Timeout` before its time after every input, and with
/// a snapshot taken, written, read and restored after every drain. The outputs are the same.
pub fn metamorphic(data: &[u8]) {
    metamorphic_of(&WithContract, data);
}

pub(super) fn metamorphic_of<M: Maker>(maker: &M, data: &[u8]) {
    let ops = ops(data, 200);
    let run = |style: Style| {
        let mut player = Player::with(maker, small(), 1, style);
        ops.iter().for_each(|op| player.play(op));
        player.close();
        player.outputs
    };
    let plain = run(Style::default());
    assert_eq!(plain, run(Style { early_timeouts: true, ..Style::default() }), "early timeouts change something");
    assert_eq!(plain, run(Style { snapshots: true, ..Style::default() }), "snapshots change something");
}
