//! WebSocket frames as a server reads and writes them, of which it needs little.

/// What a client sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromClient {
    Text(String),
    Pong,
    Close,
    Other,
}

/// A server's frame: unmasked and whole.
pub(crate) fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..126 => out.push(len as u8),
        len @ 126..0x1_0000 => {
            out.push(126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(payload);
    out
}

pub(crate) fn close(code: u16, reason: &str) -> Vec<u8> {
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend(reason.bytes().take(100));
    frame(8, &payload)
}

/// Takes one frame of a client off the front; `None` when it is not whole yet. Clients here do not fragment.
pub(crate) fn take(buffer: &mut Vec<u8>) -> Option<FromClient> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    let (len, mut at) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?), 10),
        len => (u64::from(len), 2),
    };
    let len = usize::try_from(len).ok()?;
    let mask: Option<[u8; 4]> = if second & 0x80 == 0 { None } else { Some(buffer.get(at..at + 4)?.try_into().ok()?) };
    at += if mask.is_some() { 4 } else { 0 };
    let mut payload = buffer.get(at..at + len)?.to_vec();
    buffer.drain(..at + len);
    if let Some(mask) = mask {
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
    }
    Some(match first & 0x0f {
        1 => FromClient::Text(String::from_utf8_lossy(&payload).into_owned()),
        8 => FromClient::Close,
        10 => FromClient::Pong,
        _ => FromClient::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whole_and_in_pieces() {
        for len in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(len);
            let mut wire = frame(1, text.as_bytes());
            // A client masks; zeros change nothing.
            let head = wire.len() - len;
            wire[1] |= 0x80;
            wire.splice(head..head, [0; 4]);
            wire.push(0x88);
            let mut part = wire[..head + 4 + len / 2].to_vec();
            if len > 1 {
                assert_eq!(take(&mut part), None);
            }
            assert_eq!(take(&mut wire), Some(FromClient::Text(text)));
            assert_eq!(wire, [0x88]);
            assert_eq!(take(&mut wire), None);
        }
    }
}
