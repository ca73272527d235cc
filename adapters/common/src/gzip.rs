//! Compressed answers, within the limit that holds for plain ones.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderValue, header};

/// Asks for compression unless the caller has wishes of its own.
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
    let mut plain = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(&body[..]).take(most).read_to_end(&mut plain);
    read.map_err(|error| format!("the compressed answer cannot be read: {error}"))?;
    if plain.len() > limit {
        return Err(format!("the answer is larger than {limit} bytes"));
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
}
