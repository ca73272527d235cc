//! Compressed answers, within the limit that holds for plain ones.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use http::{HeaderMap, HeaderValue, header};

/// Most members that a body may be made of. Servers send one; each costs time, also when it is empty.
const MAX_MEMBERS: usize = 16;

/// Asks for compression unless the caller has asked for an encoding.
pub fn accept(headers: &mut HeaderMap) {
    if !headers.contains_key(header::ACCEPT_ENCODING) && !headers.contains_key(header::RANGE) {
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    }
}

/// Unpacks a body if it is packed; `limit` is its largest size unpacked. The headers then describe what is returned.
///
/// # Errors
///
/// One line for people, when it cannot be read or is larger than `limit`.
pub fn unpack(headers: &mut HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, String> {
    let packed = headers.get(header::CONTENT_ENCODING).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"gzip"));
    if !packed || body.is_empty() {
        return Ok(body);
    }
    let (mut plain, mut rest, mut members) = (Vec::new(), &body[..], 0);
    while !rest.is_empty() {
        members += 1;
        if members > MAX_MEMBERS {
            return Err(format!("the compressed answer has more than {MAX_MEMBERS} parts"));
        }
        let most = u64::try_from(limit - plain.len()).unwrap_or(u64::MAX).saturating_add(1);
        let mut member = GzDecoder::new(rest).take(most);
        let read = member.read_to_end(&mut plain);
        read.map_err(|error| format!("the compressed answer cannot be read: {error}"))?;
        if plain.len() > limit {
            return Err(format!("the answer is larger than {limit} bytes"));
        }
        rest = member.into_inner().into_inner();
    }
    headers.remove(header::CONTENT_ENCODING);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(plain.len()));
    Ok(plain.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(plain: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    // CLAUSE SEC-3
    #[test]
    fn answers_are_unpacked_within_the_limit() {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        let bomb = packed(&vec![0; 1_000_000]);
        assert!(bomb.len() < 2_000);
        assert!(unpack(&mut headers, bomb.clone(), 999_999).unwrap_err().contains("999999 bytes"));
        assert!(unpack(&mut headers, bomb.slice(..500), 1_000_000).unwrap_err().contains("cannot be read"));
        assert_eq!(unpack(&mut headers, bomb, 1_000_000).unwrap().len(), 1_000_000);
        assert_eq!(
            (headers.get(header::CONTENT_ENCODING), headers[header::CONTENT_LENGTH].as_bytes()),
            (None, &b"1000000"[..])
        );
        let plain = Bytes::from_static(b"plain");
        assert_eq!(unpack(&mut headers, plain.clone(), 1).unwrap(), plain, "only what says so is packed");
        let mut asked = HeaderMap::new();
        accept(&mut asked);
        assert_eq!(asked[header::ACCEPT_ENCODING], "gzip");
    }

    // CLAUSE SEC-3
    #[test]
    fn members_are_joined_and_bounded() {
        let mut headers = HeaderMap::new();
        let mut unpack = |members: usize, one: &Bytes, limit| {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            super::unpack(&mut headers, one.repeat(members).into(), limit)
        };
        let word = packed(b"word");
        assert_eq!(unpack(2, &word, 8).unwrap(), "wordword");
        assert!(unpack(2, &word, 7).unwrap_err().contains("7 bytes"));
        assert_eq!(unpack(MAX_MEMBERS, &word, 1000).unwrap().len(), 4 * MAX_MEMBERS);
        assert!(unpack(MAX_MEMBERS + 1, &word, 1000).unwrap_err().contains("16 parts"));
        // As many as the limit of a body allows: it costs nothing to refuse them.
        assert!(unpack(700_000, &packed(b""), 16 << 20).unwrap_err().contains("16 parts"));
    }
}
