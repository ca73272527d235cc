//! Recordings: what a user sends in, and what the flight recorder itself writes.

use ringcentral_ws_core::recorder::{MIN_LIMIT, Options, Recording, ReplayError};

use super::{MAX_LEN, session};
use crate::recorded::Recordings;
use crate::{Glyphs, svg, text};

/// What a recording begins with.
const TITLE: &[u8] = b"ringcentral-ws recording";
/// A line becomes a row of the picture, with its frame: so many bytes for a line at most, however short it is.
const BYTES_OF_A_ROW: usize = 4 << 10;

/// Bytes that begin as a recording does are read, drawn and replayed as one. Any others are played as the target
/// `session` does, with a flight recorder in a ring of a size the first byte says; what it kept must replay.
pub fn recording(data: &[u8]) {
    if data.len() > MAX_LEN {
        return;
    }
    if data.starts_with(TITLE) {
        if let Ok(text) = std::str::from_utf8(data) {
            foreign(text);
        }
    } else if let Some((first, operations)) = data.split_first() {
        own(usize::from(*first), operations);
    }
}

/// Nothing a file says makes a panic, or a picture out of proportion.
fn foreign(source: &str) {
    let Ok(recording) = Recording::parse(source) else { return };
    let limit = (recording.entries().len() + 1) * BYTES_OF_A_ROW + 8 * source.len();
    for glyphs in [Glyphs::ASCII, Glyphs::UTF8] {
        let drawn = text(&recording, glyphs, 80).len();
        assert!(drawn <= limit, "{drawn} bytes drawn");
    }
    let drawn = svg(&recording).len();
    assert!(drawn <= limit, "{drawn} bytes of SVG");
    let _ = recording.replay();
}

/// What was recorded comes again.
fn own(size: usize, operations: &[u8]) {
    let options = Options { limit: MIN_LIMIT + (size >> 1) * 512, keep_bodies: size & 1 == 1 };
    let maker = Recordings::new(options);
    session::session_of(&maker, operations);
    for dump in maker.take() {
        assert!(dump.len() <= options.limit, "{} bytes in a ring of {}", dump.len(), options.limit);
        let recording = Recording::parse(&dump).unwrap_or_else(|error| panic!("{error}\n{dump}"));
        match recording.replay() {
            // In a small ring the lines of one call with all it brings about can be more than there is room for.
            Ok(_) | Err(ReplayError::NoCheckpoint) => {}
            Err(error) => panic!("{error}\n{dump}"),
        }
    }
}
