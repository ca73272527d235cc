//! The driver below its WebSocket: a server that chooses every byte, against a reader of its own.

mod limits;
mod oracle;
mod play;
mod script;
mod wire;

use self::play::Play;
use super::driver::Bytes;

/// Operations of one input.
const MAX_OPS: usize = 120;

/// Does one thing, and says what it says.
pub(super) type Run<'a> = &'a mut dyn FnMut(&mut dyn FnMut() -> bool) -> bool;

/// Bytes as what a server and a network do below the WebSocket layer, one byte each and its operands: frames in any
/// state, floods, answers to upgrades, pieces, pauses, writes that block or fail, ends and cuts. Then a good
/// connection.
///
/// A reader of RFC 6455 that shares no code with the adapters follows the bytes that the client has read. Notifications
/// that were whole before the first unreadable byte are emitted once and in order; what was cut or cannot be read is a
/// gap before the next one, and nothing else is. Memory is within `IoLimits`, as far as the bytes show it, and timers
/// act in time though the peer never pauses. Nothing of it ends the session but `close`, which ends in time too.
pub fn below(data: &[u8]) {
    below_with(data, true, &mut |work| work());
}

/// The same, with a way to measure what the client and its application do: all of it goes through `run`. Without
/// `oracle` the bytes are not followed, which takes memory.
pub fn below_with(data: &[u8], oracle: bool, run: Run<'_>) {
    let mut bytes = Bytes(data);
    let mut play = Play::new(bytes.next(), oracle, run);
    for _ in 0..MAX_OPS {
        if bytes.is_empty() {
            break;
        }
        play.one(&mut bytes);
    }
    play.end(bytes.next());
}
