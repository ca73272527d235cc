//! Small-scope exhaustion: every sequence of a few operations, from several beginnings.

use super::ops::{Op, Player, Style};
use super::small;
use crate::subject::{Maker, Subject, WithContract};

const ALPHABET: [Op; 12] = [
    Op::Complete { how: 0 },
    Op::Complete { how: 7 },
    Op::Sleep { quarter: 4 },
    Op::Oversleep { seconds: 200 },
    Op::Notify { number: 1, foreign: false },
    Op::Reply { status: 0 },
    Op::Reply { status: 4 },
    Op::Garbage { kind: 0 },
    Op::Lost { code: 0 },
    Op::Subscribe { filters: 1 },
    Op::Request { kind: 0 },
    Op::Resumed,
];

/// Plays all sequences up to this length with the contract checker, and closes after each. Returns how many there were.
#[must_use]
pub fn exhaust(depth: u32) -> usize {
    exhaust_of(&WithContract, depth)
}

/// The same for any session: panics if something is wrong.
pub fn exhaust_of<M: Maker>(maker: &M, depth: u32) -> usize
where
    M::Subject: Clone,
{
    let fresh = Player::with(maker, small(), 1, Style::default());
    let mut handshake = fresh.clone();
    handshake.reach_handshake();
    let mut ready = handshake.clone();
    ready.reach_subscribed();
    let mut lost = ready.clone();
    lost.play(&Op::Lost { code: 0 });
    [fresh, handshake, ready, lost].iter().map(|player| from(player, depth)).sum()
}

fn from<S: Subject + Clone>(player: &Player<S>, depth: u32) -> usize {
    player.clone().close();
    if depth == 0 {
        return 1;
    }
    let next = |op: &Op| {
        let mut player = player.clone();
        player.outputs.clear();
        player.play(op);
        from(&player, depth - 1)
    };
    1 + ALPHABET.iter().map(next).sum::<usize>()
}
