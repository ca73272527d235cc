//! The limits that the client is given here, and what follows from them.

use std::time::Duration;

use ringcentral_ws_core::Config;
use ringcentral_ws_driver::IoLimits;

pub(super) const FRAME_BYTES: usize = 32 << 10;
/// Bytes and number of the events that may wait: few, so that reading stops soon, or more than a turn reads.
pub(super) const EVENTS: [(usize, usize); 2] = [(64 << 10, 32), (1 << 20, 1024)];
/// Bytes that the session holds back: a replay, and what comes before its subscription is confirmed.
pub(super) const HELD_BYTES: usize = 64 << 20;
/// What an event weighs at least.
pub(super) const EVENT: usize = 256;
pub(super) const PONG_MAX: usize = 16 << 10;
pub(super) const SOCKET_BUFFER: usize = 4 << 10;
/// What a reader may hold beside whole messages: its buffer, the larger one of a flood (`IoLimits::socket_buffer`), and
/// what came along with the answer to the upgrade.
pub(super) const AHEAD: usize = SOCKET_BUFFER + (64 << 10) + (2 << 10);
/// Frames that a message may have, and those of a turn more.
pub(super) const PARTS: usize = 65_536 + 4096;

pub(super) const UPGRADE: Duration = Duration::from_secs(10);
pub(super) const HANDSHAKE: Duration = Duration::from_secs(15);
pub(super) const REQUEST: Duration = Duration::from_secs(10);
pub(super) const CLOSE: Duration = Duration::from_secs(5);
/// An interval and a time-out: how long nothing may come.
pub(super) const SILENCE: Duration = Duration::from_secs(40);
/// How long a message may stay unfinished: as long as a silence, from one look at the stream to another, and between
/// two looks there are ten seconds at most.
pub(super) const FINISH_BY: Duration = Duration::from_secs(60);
/// While the peer never pauses a poll takes [`POLL`]; so much later than due a timer may act.
pub(super) const SLACK: Duration = Duration::from_secs(5);
pub(super) const POLL: Duration = Duration::from_millis(250);
/// Frames that a poll handles at most; what was read with them waits for the next one.
pub(super) const POLL_FRAMES: usize = 256;

pub(super) fn config() -> Config {
    let mut config = Config { rest_over_websocket: true, request_timeout: REQUEST, ..Config::default() };
    config.handshake_timeout = HANDSHAKE;
    config.close_timeout = CLOSE;
    (config.limits.frame_bytes, config.limits.held_bytes) = (FRAME_BYTES, HELD_BYTES);
    config
}

pub(super) fn io(many: bool) -> IoLimits {
    let (event_bytes, event_queue) = EVENTS[usize::from(many)];
    IoLimits {
        upgrade: UPGRADE,
        socket_buffer: SOCKET_BUFFER,
        event_queue,
        event_bytes,
        pong_max: PONG_MAX,
        ..IoLimits::default()
    }
}
