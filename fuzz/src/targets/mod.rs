//! The fuzz targets as functions of bytes. Each panics if, and only if, something is wrong.

mod below;
mod differential;
mod driver;
mod exhaust;
mod heal;
mod metamorphic;
mod ops;
mod recording;
mod session;

use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::{ClockReading, Config, Frame, Input, Session, Snapshot, Timestamp, UnixMillis};

pub use self::below::{below, below_with};
pub use self::differential::{differ, differential};
pub use self::driver::driver;
pub use self::exhaust::{exhaust, exhaust_of};
pub use self::heal::heal;
pub use self::metamorphic::metamorphic;
pub use self::recording::recording;
pub use self::session::session;
use crate::subject::{Maker, WithContract};
use crate::targets::ops::{Player, Style};

/// Inputs longer than this add nothing but time.
const MAX_LEN: usize = 64 << 10;

/// Bytes as frames of a connection in each of its states: text if they are UTF-8, split at line ends, else binary.
pub fn frame(data: &[u8]) {
    frame_of(&WithContract, data);
}

/// Plays bytes as the target of this name does, with any session: `frame`, `session`, `heal` or `metamorphic`. Panics
/// if something is wrong.
pub fn replay<M: Maker>(maker: &M, target: &str, data: &[u8]) {
    match target {
        "frame" => frame_of(maker, data),
        "session" => session::session_of(maker, data),
        "heal" => heal::heal_of(maker, data),
        "metamorphic" => metamorphic::metamorphic_of(maker, data),
        other => panic!("{other} cannot be played with another session"),
    }
}

fn frame_of<M: Maker>(maker: &M, data: &[u8]) {
    if data.len() > MAX_LEN {
        return;
    }
    for ready in [false, true] {
        let mut player = Player::with(maker, small(), 1, Style::default());
        player.reach_handshake();
        if ready {
            player.reach_subscribed();
        }
        for part in data.split(|byte| *byte == b'\n').take(64) {
            let Some(conn) = player.conn else { break };
            let frame = std::str::from_utf8(part).map_or(Frame::Binary(part), Frame::Text);
            player.give(&Input::Frame { conn, frame });
        }
        player.close();
    }
}

/// Bytes as a snapshot: read, restored, and used.
pub fn snapshot(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if text.len() > MAX_LEN {
        return;
    }
    let Ok(snapshot) = Snapshot::from_json(text) else { return };
    let clock = ClockReading { now: Timestamp::from_secs(1), unix: UnixMillis(1_800_000_000_000) };
    // What nobody here ever wrote may say more than is kept; from then on nothing changes (C13).
    let Ok(plain) = Session::restore(small(), snapshot, 1, clock) else { return };
    let Some(snapshot) = plain.snapshot() else { panic!("a session at rest has no snapshot") };
    let Ok(mut session) = Checked::restore(small(), snapshot, 1, clock) else { return };
    assert!(session.snapshot().is_some(), "a session at rest has a snapshot");
    let _ = session.connect(clock.now);
    let mut player = Player::around(session, clock.now, Style::default());
    player.reach_subscribed();
    player.close();
}

/// Small limits, so that short inputs reach them.
fn small() -> Config {
    let mut config = Config { rest_over_websocket: true, ..Config::default() };
    config.limits.queued_requests = 3;
    config.limits.active_requests = 2;
    config.limits.held_notifications = 2;
    config.limits.held_bytes = 600;
    config.limits.bad_frames = 3;
    config.limits.frame_bytes = 16 << 10;
    config
}
