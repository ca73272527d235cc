//! Bytes of a server, made of bytes of the fuzzer.

use super::wire::WRONG_ACCEPT;
use crate::targets::driver::Bytes;

/// How a frame says how long it is.
#[derive(Clone, Copy)]
enum Length {
    Shortest,
    Wide,
    Widest,
    /// Longer than what follows by this.
    More(u64),
    Fewer,
    Huge,
}

/// Numbers of the notifications that the fuzzer sends begin here; those of the stand-in at 1.
pub(super) const FORGED: u64 = 1_000_000;

/// A notification that is sent as the fuzzer likes, by its number.
pub(super) fn notification(number: u64, subscription: &str, padding: usize) -> String {
    format!(
        "[{{\"type\":\"ServerNotification\",\"messageId\":\"m\",\"status\":200}},{{\"uuid\":\"forged-{number}\",\"event\":\
         \"/restapi/v1.0/account/1/extension/2/message-store/instant?type=SMS\",\"timestamp\":\
         \"2026-01-01T00:00:00.000Z\",\"subscriptionId\":\"{subscription}\",\"ownerId\":\"2\",\"pad\":\"{}\",\"body\":\
         {{\"n\":{number}}}}}]",
        "x".repeat(padding)
    )
}

/// Where a notification is cut in two: before anything that sets it apart from others.
pub(super) const HALF: usize = 30;
/// What may have been a notification and is no JSON.
pub(super) const RUBBISH: &str = "[{\"type\":\"ServerNotification\",\"status\":200},{\"uuid\":\"forg";
/// What no client knows.
pub(super) const UNKNOWN: &str = "[{\"type\":\"SomethingNew\",\"messageId\":\"m\"},{\"a\":[1,2,3]}]";

/// A server's frame as it should be.
pub(super) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    framed(first, false, Length::Shortest, payload)
}

fn framed(first: u8, masked: bool, length: Length, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mask = if masked { 0x80 } else { 0 };
    let sent = match length {
        Length::More(more) => payload.len() as u64 + more,
        Length::Fewer => (payload.len() as u64).saturating_sub(1),
        Length::Huge => u64::MAX >> 1,
        _ => payload.len() as u64,
    };
    match length {
        Length::Wide if sent < 1 << 16 => push_wide(&mut bytes, mask, sent),
        Length::Widest | Length::Wide | Length::Huge => push_widest(&mut bytes, mask, sent),
        _ if sent < 126 => bytes.push(mask | sent as u8),
        _ if sent < 1 << 16 => push_wide(&mut bytes, mask, sent),
        _ => push_widest(&mut bytes, mask, sent),
    }
    if masked {
        bytes.extend([0; 4]);
    }
    bytes.extend(payload);
    bytes
}

fn push_wide(bytes: &mut Vec<u8>, mask: u8, sent: u64) {
    bytes.push(mask | 126);
    bytes.extend((sent as u16).to_be_bytes());
}

fn push_widest(bytes: &mut Vec<u8>, mask: u8, sent: u64) {
    bytes.push(mask | 127);
    bytes.extend(sent.to_be_bytes());
}

/// A frame in any state, of two bytes: what it is and how it is spoilt. `payload` is made by the caller.
pub(super) fn any_frame(kind: u8, spoilt: u8, payload: &[u8]) -> Vec<u8> {
    const OPCODES: [u8; 16] = [1, 1, 1, 1, 1, 1, 0, 0, 0, 2, 9, 10, 8, 9, 3, 11];
    let last = kind & 0x10 == 0;
    let mut first = OPCODES[usize::from(kind & 15)] | if last { 0x80 } else { 0 };
    // Most frames are good.
    if spoilt >= 0xe0 {
        first |= (spoilt & 7) << 4;
    }
    let length = match spoilt & 0x1f {
        0x08 => Length::Wide,
        0x09 => Length::Widest,
        0x0a => Length::More(1),
        0x0b => Length::Fewer,
        0x0c => Length::Huge,
        0x0d => Length::More(700),
        _ => Length::Shortest,
    };
    framed(first, spoilt & 0x1f == 0x0e, length, payload)
}

/// A pattern that comes again and again.
pub(super) fn flood(kind: u8) -> Vec<u8> {
    match kind % 8 {
        0 => frame(0x89, b""),
        1 => frame(0x89, &[b'p'; 125]),
        2 => frame(0x8a, b"pong"),
        3 => frame(0x81, UNKNOWN.as_bytes()),
        4 => frame(0x00, b""),
        // Signs of life more than frames, so that only the time of the message is over.
        5 => [frame(0x00, b""), frame(0x8a, b"").repeat(30)].concat(),
        6 => frame(0x00, b"x"),
        _ => vec![b'x'],
    }
}

/// An answer to an upgrade, good or not, and what comes along with it.
pub(super) fn upgrade(bytes: &mut Bytes<'_>) -> Vec<u8> {
    let kind = bytes.next();
    let accept = "Sec-WebSocket-Accept: {accept}";
    let good = format!("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{accept}\r\n\r\n");
    let mut answer = match kind % 12 {
        0 | 1 => good.into_bytes(),
        2 => good.replace('\r', "").into_bytes(),
        3 => format!("\r\n{good}").into_bytes(),
        4 => good.replace("Upgrade: ", &format!("{}Upgrade: ", "X-More: yes\r\n".repeat(40))).into_bytes(),
        5 => good.replace(accept, &format!("X-Long: {}\r\n{accept}", "y".repeat(8 << 10))).into_bytes(),
        6 => good.replace("{accept}", WRONG_ACCEPT).into_bytes(),
        7 => good.replace(accept, "X-None: 1").into_bytes(),
        8 => good.replace("101 Switching", "200 OK").into_bytes(),
        9 => format!("HTTP/1.1 101 X\r\nX-Endless: {}", "z".repeat(70 << 10)).into_bytes(),
        10 => good.as_bytes()[..40].to_vec(),
        // Nothing that could be proof.
        _ => bytes.part().iter().copied().filter(|byte| *byte != b'{').collect(),
    };
    answer.extend(if kind & 0x80 == 0 { &[] } else { bytes.part() });
    answer
}
