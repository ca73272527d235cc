//! Where in the bytes of a WebSocket a reader is: between two messages or inside one.

/// Longest header of a frame: two bytes, the length in eight, the mask in four.
const LONGEST_HEADER: usize = 14;

/// Follows the frames in what a server sends on one connection, from the first byte on: the answer to the upgrade, then
/// frames. The bytes may be split anywhere; payloads are skipped, so a frame costs the same whatever its size.
///
/// It judges nothing: what breaks RFC 6455 is the business of the WebSocket layer above, which reads the same bytes.
#[derive(Clone, Debug)]
pub struct FrameTracker {
    place: Place,
    /// The last data frame was not the final one of its message.
    fragmented: bool,
    counts: FrameCounts,
}

/// What a [`FrameTracker`] has counted. Frames count once their header is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCounts {
    /// Frames of any kind. It begins anew after its largest value.
    pub frames: u32,
    /// Frames of the data message that is under way, or was the last; control frames between them are no part of it.
    pub parts: u32,
    /// Data messages that are whole. It begins anew after its largest value.
    pub messages: u32,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// In the answer to the upgrade. Its end is an empty line, but lines that come before it may be empty.
    Upgrade { begun: bool, in_line: bool },
    /// So many bytes of a frame's header have come.
    Header { bytes: [u8; LONGEST_HEADER], count: usize },
    /// In the payload of a frame with this first byte.
    Payload { first: u8, left: u64 },
    /// Behind a close frame, after which nothing counts.
    Closed,
}

/// No byte of the next frame has come.
const BETWEEN: Place = Place::Header { bytes: [0; LONGEST_HEADER], count: 0 };

impl Default for FrameTracker {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameTracker {
    /// Before the first byte of the answer to the upgrade.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            place: Place::Upgrade { begun: false, in_line: false },
            fragmented: false,
            counts: FrameCounts { frames: 0, parts: 0, messages: 0 },
        }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counts(&self) -> FrameCounts {
        self.counts
    }

    /// Takes the bytes that were read next.
    pub fn advance(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match &mut self.place {
                Place::Upgrade { .. } => self.skip_upgrade(bytes),
                Place::Header { .. } => self.take_header(bytes),
                Place::Payload { first, left } => {
                    let skipped = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= skipped as u64;
                    if *left == 0 {
                        let first = *first;
                        self.frame_ends(first);
                    }
                    &bytes[skipped..]
                }
                Place::Closed => return,
            };
        }
    }

    /// Whether a data message has begun and not ended. Of a frame whose header is not whole, the first byte counts. A
    /// control frame is no message, whole or not; one in the middle of a fragmented message changes nothing about that.
    #[must_use]
    pub const fn is_in_message(&self) -> bool {
        match self.place {
            Place::Upgrade { .. } => false,
            Place::Header { count: 0, .. } | Place::Closed => self.fragmented,
            Place::Header { bytes: [first, ..], .. } | Place::Payload { first, .. } => {
                self.fragmented || is_data(first)
            }
        }
    }

    /// Whether the last byte was the last of a message, or of a control frame between two messages.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        matches!(self.place, Place::Header { count: 0, .. }) && !self.fragmented
    }

    /// Whether the answer to the upgrade has been read.
    #[must_use]
    pub const fn is_upgraded(&self) -> bool {
        !matches!(self.place, Place::Upgrade { .. })
    }

    fn skip_upgrade<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Place::Upgrade { begun, in_line } = &mut self.place else { return bytes };
        for (at, byte) in bytes.iter().enumerate() {
            match byte {
                b'\n' if *begun && !*in_line => {
                    self.place = BETWEEN;
                    return &bytes[at + 1..];
                }
                b'\n' => *in_line = false,
                b'\r' => {}
                _ => (*begun, *in_line) = (true, true),
            }
        }
        &[]
    }

    fn take_header<'a>(&mut self, taken: &'a [u8]) -> &'a [u8] {
        let Place::Header { bytes, count } = &mut self.place else { return taken };
        // Most come whole, and their frames too.
        if *count == 0
            && let Some((length, left)) = header(taken)
        {
            let (first, rest) = (taken[0], &taken[length..]);
            self.frame_begins(first);
            if let Some(behind) = usize::try_from(left).ok().and_then(|left| rest.get(left..)) {
                self.frame_ends(first);
                return behind;
            }
            self.place = Place::Payload { first, left };
            return rest;
        }
        for (at, byte) in taken.iter().enumerate() {
            bytes[*count] = *byte;
            *count += 1;
            let Some((_, left)) = header(&bytes[..*count]) else { continue };
            let first = bytes[0];
            self.place = Place::Payload { first, left };
            self.frame_begins(first);
            if left == 0 {
                self.frame_ends(first);
            }
            return &taken[at + 1..];
        }
        &[]
    }

    const fn frame_begins(&mut self, first: u8) {
        self.counts.frames = self.counts.frames.wrapping_add(1);
        if is_data(first) {
            self.counts.parts = if self.fragmented { self.counts.parts.saturating_add(1) } else { 1 };
        }
    }

    fn frame_ends(&mut self, first: u8) {
        if is_data(first) {
            self.fragmented = first & 0x80 == 0;
            if !self.fragmented {
                self.counts.messages = self.counts.messages.wrapping_add(1);
            }
        }
        self.place = if first & 0x0f == 8 { Place::Closed } else { BETWEEN };
    }
}

/// Whether a frame with this first byte is part of a data message, which reserved opcodes below 8 would be too.
const fn is_data(first: u8) -> bool {
    first & 0x08 == 0
}

/// The lengths of the header that these bytes begin with and of its payload, if it is whole.
fn header(bytes: &[u8]) -> Option<(usize, u64)> {
    let second = *bytes.get(1)?;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let length = 2 + extended + mask;
    if bytes.len() < length {
        return None;
    }
    let payload = match extended {
        0 => u64::from(second & 0x7f),
        _ => bytes[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    Some((length, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n";

    fn frame(first: u8, mask: bool, payload: usize, widest: bool) -> Vec<u8> {
        let mut bytes = vec![first];
        let masked = if mask { 0x80 } else { 0 };
        match payload {
            _ if widest => {
                bytes.push(masked | 127);
                bytes.extend((payload as u64).to_be_bytes());
            }
            0..126 => bytes.push(masked | payload as u8),
            _ => {
                bytes.push(masked | 126);
                bytes.extend((payload as u16).to_be_bytes());
            }
        }
        bytes.extend(vec![0xa5; if mask { 4 } else { 0 }]);
        // Payloads look like the beginnings of frames.
        bytes.extend([0x01, 0x82, 0x7e, 0xff].iter().cycle().take(payload));
        bytes
    }

    /// For each length a stream may be cut at, whether that is in a message. Written down frame by frame, while the
    /// bytes are made.
    fn sample(rng: &mut fastrand::Rng) -> (Vec<u8>, Vec<bool>) {
        let (mut bytes, mut cut) = (UPGRADE.to_vec(), vec![false; UPGRADE.len() + 1]);
        let (mut open, mut closed) = (false, false);
        for _ in 0..rng.usize(..12) {
            // Valid and invalid ones alike.
            let choice = if rng.u8(..8) == 0 { 8 } else { 4 };
            let opcode = [0, 1, 2, 9, 10, 3, 8, 11][rng.usize(..choice)];
            let first = opcode | if rng.bool() { 0x80 } else { 0 };
            let payload = [0, 1, 5, 125, 126, 300][rng.usize(..6)];
            let one = frame(first, rng.u8(..5) == 0, payload, rng.u8(..5) == 0);
            let within = open || (!closed && opcode < 8);
            cut.extend(vec![within; one.len() - 1]);
            if !closed && opcode < 8 {
                open = first & 0x80 == 0;
            }
            closed |= opcode == 8;
            cut.push(open);
            bytes.extend(one);
        }
        (bytes, cut)
    }

    // CLAUSE FRM-1
    #[test]
    fn every_cut_of_every_split_is_known() {
        let mut rng = fastrand::Rng::with_seed(0x5eed);
        for _ in 0..400 {
            let (bytes, cut) = sample(&mut rng);
            for (end, expected) in cut.iter().enumerate() {
                let mut tracker = FrameTracker::new();
                let mut at = 0;
                while at < end {
                    let most = [1, 3, 40, 5000][rng.usize(..4)];
                    let piece = rng.usize(1..=most).min(end - at);
                    tracker.advance(&bytes[at..at + piece]);
                    at += piece;
                }
                assert_eq!(tracker.is_in_message(), *expected, "{end} of {bytes:02x?}");
                assert!(!(tracker.is_between_messages() && tracker.is_in_message()));
            }
        }
    }

    #[test]
    fn the_largest_length_is_one() {
        let mut tracker = FrameTracker::new();
        tracker.advance(UPGRADE);
        tracker.advance(&[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]);
        assert!(tracker.is_in_message());
    }

    #[test]
    fn the_upgrade_ends_with_its_empty_line_however_lines_end() {
        for head in ["HTTP/1.1 101 X\r\n\r\n", "\r\n\r\nHTTP/1.1 101 X\r\nA: b\r\n\r\n", "HTTP/1.1 101 X\nA: b\n\n"] {
            let mut tracker = FrameTracker::new();
            for byte in head.bytes() {
                assert!(!tracker.is_upgraded(), "{head:?}");
                tracker.advance(&[byte]);
            }
            assert!(tracker.is_upgraded() && !tracker.is_in_message(), "{head:?}");
            // What comes along with it counts.
            let mut whole = FrameTracker::new();
            whole.advance(&[head.as_bytes(), &[0x81]].concat());
            assert!(whole.is_in_message());
        }
    }

    // CLAUSE FRM-4
    #[test]
    fn frames_and_the_parts_of_a_message_are_counted() {
        let mut tracker = FrameTracker::new();
        tracker.advance(UPGRADE);
        let counted = |tracker: &FrameTracker| {
            let counts = tracker.counts();
            (counts.frames, counts.parts, counts.messages)
        };
        for (first, payload, expected) in [
            (0x81, 3, (1, 1, 1)),
            (0x01, 0, (2, 1, 1)),
            (0x89, 2, (3, 1, 1)),
            (0x00, 0, (4, 2, 1)),
            (0x80, 1, (5, 3, 2)),
            (0x82, 300, (6, 1, 3)),
        ] {
            tracker.advance(&frame(first, false, payload, false));
            assert_eq!(counted(&tracker), expected, "after {first:02x}");
        }
        // A message counts as whole with its last byte, a frame with its header.
        tracker.advance(&[0x81, 2, b'a']);
        assert_eq!(counted(&tracker), (7, 1, 3));
        tracker.advance(b"b");
        assert_eq!(counted(&tracker), (7, 1, 4));
    }
}
