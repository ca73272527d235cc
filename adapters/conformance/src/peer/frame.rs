//! Frames of RFC 6455 as bytes: any that can be written, and those that a client may send.

/// The opcodes that RFC 6455 defines.
pub mod opcode {
    /// A further part of a message.
    pub const CONTINUATION: u8 = 0;
    /// A text message, or its first part.
    pub const TEXT: u8 = 1;
    /// A binary message, or its first part.
    pub const BINARY: u8 = 2;
    /// The close frame.
    pub const CLOSE: u8 = 8;
    /// A ping.
    pub const PING: u8 = 9;
    /// A pong.
    pub const PONG: u8 = 10;
}

/// How many bytes state the length of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Seven bits of the second byte.
    Byte,
    /// Two bytes more.
    Two,
    /// Eight bytes more.
    Eight,
}

/// A frame to be written. Nothing is checked: it may break every rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFrame {
    is_final: bool,
    rsv: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    length: Option<u64>,
    width: Option<Width>,
    payload: Vec<u8>,
}

impl RawFrame {
    /// As a server sends it: final, not masked, no reserved bits, with the shortest true length. Four bits of `opcode`
    /// count.
    #[must_use]
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self { is_final: true, rsv: 0, opcode, mask: None, length: None, width: None, payload: payload.into() }
    }

    /// A whole text message, if the payload is UTF-8.
    #[must_use]
    pub fn text(payload: impl Into<Vec<u8>>) -> Self {
        Self::new(opcode::TEXT, payload)
    }

    /// A close frame with this code.
    #[must_use]
    pub fn close(code: u16, reason: &str) -> Self {
        Self::new(opcode::CLOSE, [&code.to_be_bytes()[..], reason.as_bytes()].concat())
    }

    /// Without the bit for the last part of a message.
    #[must_use]
    pub const fn unfinished(mut self) -> Self {
        self.is_final = false;
        self
    }

    /// With these reserved bits: 4 is RSV1, 2 is RSV2, 1 is RSV3.
    #[must_use]
    pub const fn rsv(mut self, bits: u8) -> Self {
        self.rsv = bits;
        self
    }

    /// Masked with this key, which only a client may do.
    #[must_use]
    pub const fn masked(mut self, key: [u8; 4]) -> Self {
        self.mask = Some(key);
        self
    }

    /// With a header that claims this length, however long the payload is.
    #[must_use]
    pub const fn claiming(mut self, length: u64) -> Self {
        self.length = Some(length);
        self
    }

    /// With the length in so many bytes, whether or not it is too large for them.
    #[must_use]
    pub const fn width(mut self, width: Width) -> Self {
        self.width = Some(width);
        self
    }

    /// The bytes of the frame.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let length = self.length.unwrap_or(self.payload.len() as u64);
        let shortest = match length {
            0..126 => Width::Byte,
            126..=0xffff => Width::Two,
            _ => Width::Eight,
        };
        let first = u8::from(self.is_final) << 7 | (self.rsv & 7) << 4 | (self.opcode & 0xf);
        let masked = u8::from(self.mask.is_some()) << 7;
        let big = length.to_be_bytes();
        let mut bytes = vec![first];
        match self.width.unwrap_or(shortest) {
            Width::Byte => bytes.push(masked | (big[7] & 0x7f)),
            Width::Two => bytes.extend([masked | 126, big[6], big[7]]),
            Width::Eight => {
                bytes.push(masked | 127);
                bytes.extend(big);
            }
        }
        let key = self.mask.unwrap_or_default();
        bytes.extend(self.mask.into_iter().flatten());
        bytes.extend(self.payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
        bytes
    }

    /// The frame without its last `missing` bytes, at least one of which stays.
    #[must_use]
    pub fn cut(&self, missing: usize) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes.truncate(bytes.len().saturating_sub(missing).max(1));
        bytes
    }
}

/// A frame of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) opcode: u8,
    pub(super) payload: Vec<u8>,
}

/// Takes the first frame out of what the client sent, if it is whole. The error says which rule it breaks.
pub(super) fn take(buffer: &mut Vec<u8>) -> Result<Option<Received>, String> {
    let [first, second, ..] = buffer[..] else { return Ok(None) };
    let opcode = first & 0xf;
    if first & 0x70 != 0 {
        return Err(format!("reserved bits in {first:#x}"));
    }
    if !matches!(opcode, opcode::TEXT | opcode::BINARY | opcode::CLOSE..=opcode::PONG) || first & 0x80 == 0 {
        return Err(format!("{first:#x} begins neither a whole message nor a control frame"));
    }
    if second & 0x80 == 0 {
        return Err("a frame that is not masked".to_owned());
    }
    let width = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some(header) = buffer.get(..2 + width + 4) else { return Ok(None) };
    let (length, key) = header[2..].split_at(width);
    let length = match width {
        0 => u64::from(second & 0x7f),
        _ => length.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    if opcode >= opcode::CLOSE && length > 125 {
        return Err(format!("a control frame of {length} bytes"));
    }
    let end = usize::try_from(length).ok().and_then(|length| header.len().checked_add(length));
    let Some(masked) = end.and_then(|end| buffer.get(header.len()..end)) else { return Ok(None) };
    let payload: Vec<u8> = masked.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect();
    let taken = header.len() + payload.len();
    buffer.drain(..taken);
    Ok(Some(Received { opcode, payload }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 6455, section 5.7.
    #[test]
    fn frames_are_those_of_the_standard() {
        assert_eq!(RawFrame::text("Hello").bytes(), b"\x81\x05Hello");
        let masked = RawFrame::text("Hello").masked([0x37, 0xfa, 0x21, 0x3d]).bytes();
        assert_eq!(masked, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
        assert_eq!(RawFrame::text("Hel").unfinished().bytes(), b"\x01\x03Hel");
        assert_eq!(RawFrame::new(opcode::CONTINUATION, "lo").bytes(), b"\x80\x02lo");
        assert_eq!(RawFrame::new(opcode::PING, "Hello").bytes(), b"\x89\x05Hello");
        assert_eq!(RawFrame::new(opcode::BINARY, [7; 256]).bytes()[..5], [0x82, 0x7e, 1, 0, 7]);
        assert_eq!(RawFrame::new(opcode::BINARY, [7; 65_536]).bytes()[..11], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
    }

    #[test]
    fn a_frame_may_break_every_rule() {
        assert_eq!(RawFrame::new(0xb, "a").rsv(5).bytes(), b"\xdb\x01a");
        assert_eq!(RawFrame::text("a").claiming(300).bytes(), b"\x81\x7e\x01\x2ca");
        assert_eq!(RawFrame::text("a").width(Width::Two).bytes(), b"\x81\x7e\0\x01a");
        assert_eq!(RawFrame::text("a").width(Width::Eight).cut(2), b"\x81\x7f\0\0\0\0\0\0\0");
        assert_eq!(RawFrame::text("a").cut(9), b"\x81");
        assert_eq!(RawFrame::close(1001, "x").bytes(), b"\x88\x03\x03\xe9x");
    }

    #[test]
    fn what_a_client_sends_is_read_however_it_is_split() {
        for length in [0, 5, 125, 126, 65_535, 65_536] {
            let sent = RawFrame::text(vec![b'x'; length]).masked([1, 2, 3, 4]).bytes();
            let mut buffer = sent[..sent.len() - 1].to_vec();
            assert_eq!(take(&mut buffer), Ok(None));
            buffer.extend([sent[sent.len() - 1], 0x89]);
            assert_eq!(take(&mut buffer), Ok(Some(Received { opcode: 1, payload: vec![b'x'; length] })));
            assert_eq!(buffer, [0x89]);
        }
        assert_eq!(take(&mut Vec::new()), Ok(None));
        let key = [9; 4];
        for bad in [
            RawFrame::text("a"),
            RawFrame::text("a").masked(key).rsv(4),
            RawFrame::text("a").masked(key).unfinished(),
            RawFrame::new(3, "a").masked(key),
            RawFrame::new(opcode::PING, [0; 126]).masked(key),
        ] {
            take(&mut bad.bytes()).unwrap_err();
        }
    }
}
