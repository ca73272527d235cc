//! RFC 6455 as a client reads it, written from the RFC and strict: which messages were whole before the first byte that
//! no reader can make sense of. It shares no code with the adapters.

/// Longest payload of a control frame (5.5).
const CONTROL: u64 = 125;
/// The accept value that never belongs to a request of a test.
pub(super) const WRONG_ACCEPT: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// What the bytes of a connection come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A whole text message.
    Text(String),
    Binary,
    Pong,
    /// A ping that took so many bytes.
    Ping(usize),
    /// A close frame. After it nothing counts. Whether it was in the middle of a message, and whether it was as a close
    /// frame must be.
    Closed {
        cut: bool,
        proper: bool,
    },
    /// The first thing that cannot be read. Nothing after it has a meaning.
    Bad(&'static str),
}

/// Where the reader is.
#[derive(Debug)]
enum Place {
    /// In the answer to the upgrade.
    Head(Vec<u8>),
    /// In the header of a frame.
    Header(Vec<u8>),
    /// In its payload, of which so many bytes are missing.
    Payload { first: u8, masked: bool, left: u64, payload: Vec<u8> },
    /// Behind the end, or in something that is no WebSocket.
    Over,
}

/// A message whose final frame has not come.
#[derive(Debug)]
struct Message {
    text: bool,
    bytes: Vec<u8>,
    /// So many of them are UTF-8 for sure.
    checked: usize,
    /// Frames of it.
    parts: usize,
}

/// A reader of one stream, from its first byte.
#[derive(Debug)]
pub(super) struct Wire {
    place: Place,
    message: Option<Message>,
    /// Largest message that is taken.
    most: usize,
    /// The answer to the upgrade was one.
    upgraded: bool,
    /// Bytes that came behind the end.
    behind: usize,
}

impl Wire {
    pub(super) const fn new(most: usize) -> Self {
        Self { place: Place::Head(Vec::new()), message: None, most, upgraded: false, behind: 0 }
    }

    /// Whether the upgrade was granted, so that this is a WebSocket.
    pub(super) const fn is_upgraded(&self) -> bool {
        self.upgraded
    }

    /// Whether something came after which nothing counts.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.place, Place::Over)
    }

    /// Bytes that came behind that.
    pub(super) const fn behind(&self) -> usize {
        self.behind
    }

    /// Frames of the message that is unfinished.
    pub(super) fn parts(&self) -> usize {
        self.message.as_ref().map_or(0, |message| message.parts)
    }

    /// Whether an end here cuts a message: it has begun, be it with one byte.
    pub(super) fn is_in_message(&self) -> bool {
        let of_data = match &self.place {
            Place::Head(_) | Place::Over => false,
            Place::Header(bytes) => bytes.first().is_some_and(|first| first & 8 == 0),
            Place::Payload { first, .. } => first & 8 == 0,
        };
        self.upgraded && (of_data || self.message.is_some() && !self.is_over())
    }

    /// Takes what was read next.
    pub(super) fn read(&mut self, mut bytes: &[u8], items: &mut Vec<Item>) {
        while let Some((first, rest)) = bytes.split_first() {
            match &mut self.place {
                Place::Over => {
                    self.behind += bytes.len();
                    return;
                }
                Place::Head(head) => {
                    head.push(*first);
                    bytes = rest;
                    if let Some(granted) = granted(head) {
                        self.upgraded = granted;
                        self.place = if granted { Place::Header(Vec::new()) } else { Place::Over };
                    }
                }
                Place::Header(header) => {
                    header.push(*first);
                    bytes = rest;
                    if let Some((masked, left)) = length(header) {
                        let first = header[0];
                        self.begins(first, masked, left, items);
                    }
                }
                Place::Payload { left, payload, .. } => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    payload.extend(&bytes[..count]);
                    *left -= count as u64;
                    bytes = &bytes[count..];
                    self.ends(items);
                }
            }
        }
    }

    fn bad(&mut self, why: &'static str, items: &mut Vec<Item>) {
        self.place = Place::Over;
        items.push(Item::Bad(why));
    }

    fn begins(&mut self, first: u8, masked: bool, left: u64, items: &mut Vec<Item>) {
        if matches!(first & 15, 3..8 | 11..16) {
            return self.bad("a reserved opcode", items);
        }
        if left > self.most as u64 {
            return self.bad("too large", items);
        }
        self.place = Place::Payload { first, masked, left, payload: Vec::new() };
        self.ends(items);
    }

    /// The frame, if it is whole.
    fn ends(&mut self, items: &mut Vec<Item>) {
        let Place::Payload { first, masked, left: 0, payload } = &mut self.place else { return };
        let (first, masked, payload) = (*first, *masked, std::mem::take(payload));
        self.place = Place::Header(Vec::new());
        let (last, opcode) = (first & 0x80 != 0, first & 15);
        if first & 0x70 != 0 {
            return self.bad("reserved bits", items);
        }
        if masked {
            return self.bad("a masked frame", items);
        }
        if opcode >= 8 {
            return self.control(opcode, last, &payload, items);
        }
        if (opcode == 0) != self.message.is_some() {
            return self.bad("no place for this fragment", items);
        }
        let message =
            self.message.get_or_insert(Message { text: opcode == 1, bytes: Vec::new(), checked: 0, parts: 0 });
        message.parts += 1;
        message.bytes.extend(payload);
        let (broken, large) = (message.text && message.is_broken(last), message.bytes.len() > self.most);
        if large || broken {
            return self.bad(if large { "too large" } else { "not UTF-8" }, items);
        }
        if last && let Some(message) = self.message.take() {
            items.push(match String::from_utf8(message.bytes) {
                Ok(text) if message.text => Item::Text(text),
                _ => Item::Binary,
            });
        }
    }

    fn control(&mut self, opcode: u8, last: bool, payload: &[u8], items: &mut Vec<Item>) {
        if !last || payload.len() as u64 > CONTROL {
            return self.bad("a control frame in pieces or too long", items);
        }
        items.push(match opcode {
            9 => Item::Ping(2 + payload.len()),
            10 => Item::Pong,
            _ => {
                self.place = Place::Over;
                let proper = payload.len() != 1 && std::str::from_utf8(payload.get(2..).unwrap_or_default()).is_ok();
                Item::Closed { cut: self.message.is_some(), proper }
            }
        });
    }
}

impl Message {
    /// Whether it can no longer become UTF-8, or is whole and is none.
    fn is_broken(&mut self, whole: bool) -> bool {
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(_) => self.checked = self.bytes.len(),
            Err(error) if error.error_len().is_some() || whole => return true,
            Err(error) => self.checked += error.valid_up_to(),
        }
        false
    }
}

/// Whether the payload is masked, and its length, once the header is whole (5.2).
fn length(header: &[u8]) -> Option<(bool, u64)> {
    let second = *header.get(1)?;
    let (masked, short) = (second & 0x80 != 0, second & 0x7f);
    let wide = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let size = 2 + wide + if masked { 4 } else { 0 };
    if header.len() < size {
        return None;
    }
    let long = header[2..2 + wide].iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    Some((masked, if wide == 0 { u64::from(short) } else { long }))
}

/// Whether the answer grants an upgrade to WebSocket (4.1), once it is whole.
fn granted(head: &[u8]) -> Option<bool> {
    if !head.ends_with(b"\n") {
        return None;
    }
    let Ok(text) = std::str::from_utf8(head) else { return Some(false) };
    let text = text.trim_start_matches(['\r', '\n']);
    if !(text.ends_with("\n\n") || text.ends_with("\n\r\n")) {
        return None;
    }
    let (status, fields) = text.split_once('\n')?;
    let has = |name: &str, value: &str| {
        fields
            .lines()
            .filter_map(|line| line.split_once(':'))
            .any(|(field, held)| field.eq_ignore_ascii_case(name) && held.trim().eq_ignore_ascii_case(value))
    };
    let proven = fields.to_ascii_lowercase().contains("sec-websocket-accept:") && !text.contains(WRONG_ACCEPT);
    Some(status.starts_with("HTTP/1.1 101 ") && has("Upgrade", "websocket") && has("Connection", "Upgrade") && proven)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] =
        b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n";

    fn items(bytes: &[u8], piece: usize) -> (Vec<Item>, bool) {
        let (mut wire, mut items) = (Wire::new(1000), Vec::new());
        [HEAD, bytes].concat().chunks(piece).for_each(|part| wire.read(part, &mut items));
        assert!(wire.is_upgraded());
        (items, wire.is_in_message())
    }

    #[test]
    fn the_examples_of_the_rfc_are_read_in_any_pieces() {
        for piece in [1, 2, 3, 1000] {
            let hello = || Item::Text("Hello".to_owned());
            let read = |bytes: &[u8]| items(bytes, piece);
            assert_eq!(read(&[0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f]), (vec![hello()], false));
            let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
            assert_eq!(read(&masked), (vec![Item::Bad("a masked frame")], false));
            let pieces = [0x01, 3, 0x48, 0x65, 0x6c, 0x89, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x80, 2, 0x6c, 0x6f];
            assert_eq!(read(&pieces), (vec![Item::Ping(7), hello()], false));
            assert_eq!(read(&pieces[..15]), (vec![Item::Ping(7)], true));
            let binary = [&[0x82, 126, 1, 0][..], &[7; 256]].concat();
            assert_eq!(read(&binary), (vec![Item::Binary], false));
            assert_eq!(read(&[0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]), (vec![Item::Bad("too large")], false));
            let close = |cut, proper| Item::Closed { cut, proper };
            assert_eq!(read(&[0x88, 2, 3, 0xe8, 0x81, 0]), (vec![close(false, true)], false));
            assert_eq!(read(&[0x01, 0, 0x88, 1, 3]), (vec![close(true, false)], false));
        }
    }

    #[test]
    fn what_the_rfc_forbids_is_bad_and_ends_the_reading() {
        let cases: [(&[u8], &str); 8] = [
            (&[0xc1, 0], "reserved bits"),
            (&[0x83, 0], "a reserved opcode"),
            (&[0x8b, 0], "a reserved opcode"),
            (&[0x80, 0], "no place for this fragment"),
            (&[0x01, 0, 0x81, 0], "no place for this fragment"),
            (&[0x09, 0], "a control frame in pieces or too long"),
            (&[0x81, 2, 0xc3, 0x28], "not UTF-8"),
            (&[0x01, 1, 0xc3, 0x00, 1, 0x28], "not UTF-8"),
        ];
        for (bytes, why) in cases {
            assert_eq!(items(&[bytes, &[0x81, 0]].concat(), 1), (vec![Item::Bad(why)], false), "{bytes:02x?}");
        }
    }
}
