//! Small encoders and decoders: identifiers, times, JSON strings, query strings.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

/// The one source of variety: a SplitMix64 generator that starts from the configured seed.
#[derive(Debug, Clone)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub(crate) fn uuid(&mut self) -> String {
        let (a, b) = (self.next(), self.next());
        let mut uuid = String::with_capacity(36);
        for (before, value, digits) in
            [("", a >> 32, 8), ("-", a >> 16, 4), ("-4", a, 3), ("-a", b >> 48, 3), ("-", b, 12)]
        {
            uuid.push_str(before);
            push_digits(&mut uuid, value, digits, 16);
        }
        uuid
    }
}

/// A bijective scrambling of 64 bits; also serves as the check sum of the tokens we hand out.
pub(crate) fn mix(value: u64) -> u64 {
    let mut z = value;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Turns the bytes of a token into the alphabet that real tokens use.
pub(crate) fn token_text(plain: &str) -> String {
    data_encoding::BASE64URL_NOPAD.encode(plain.as_bytes())
}

/// A token that says two numbers behind its prefix.
pub(crate) fn numbered_token(prefix: &str, a: u64, b: u64) -> String {
    let mut plain = String::with_capacity(prefix.len() + 32);
    plain.push_str(prefix);
    push_digits(&mut plain, a, 16, 16);
    push_digits(&mut plain, b, 16, 16);
    token_text(&plain)
}

/// The reverse of [`token_text`]; `None` for anything we cannot have made.
pub(crate) fn token_plain(text: &str) -> Option<String> {
    let bytes = data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Decodes `Authorization: Basic` credentials into user and password.
pub(crate) fn basic_credentials(header: &str) -> Option<(String, String)> {
    let encoded = strip_scheme(header, "Basic")?;
    let bytes = data_encoding::BASE64.decode(encoded.as_bytes()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// The credential of an authorization header whose scheme matches, whatever its case.
pub(crate) fn strip_scheme<'a>(header: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = header.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

/// Appends `text` as a JSON string, quotes included.
pub(crate) fn push_json(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Whether `text` needs no escape in a JSON string. Eight bytes at a time, the last eight as they come: in each of these
/// words a byte that needs one sets its highest bit, or that of a byte above it.
pub(crate) fn is_plain(text: &str) -> bool {
    const ONES: u64 = u64::MAX / 255;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let marks = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        (below(word, 0x20) | below(word ^ (ONES * 0x22), 1) | below(word ^ (ONES * 0x5c), 1)) & (ONES << 7)
    };
    let bytes = text.as_bytes();
    match bytes.last_chunk() {
        Some(last) => bytes.as_chunks().0.iter().fold(marks(last), |all, word| all | marks(word)) == 0,
        None => !bytes.iter().any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)),
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_json(&mut out, text);
    out
}

/// A UTC time with milliseconds; `suffix` is `Z` or `+0000`.
pub(crate) fn push_iso(out: &mut String, unix_ms: u64, suffix: &str) {
    let (year, month, day) = civil(unix_ms / 86_400_000);
    let ms = unix_ms % 86_400_000;
    let mut text = *b"yyyy-mm-ddThh:mm:ss.000";
    for (value, place) in [
        (year, 0..4),
        (month, 5..7),
        (day, 8..10),
        (ms / 3_600_000, 11..13),
        (ms / 60_000 % 60, 14..16),
        (ms / 1000 % 60, 17..19),
        (ms % 1000, 20..23),
    ] {
        fill(&mut text[place], value, 10);
    }
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
    out.push_str(suffix);
}

/// Appends the last `digits` (at most 20) digits of a number to base 10 or 16; cheaper than the formatting machinery.
pub(crate) fn push_digits(out: &mut String, value: u64, digits: usize, base: u64) {
    let mut buffer = [b'0'; 20];
    let start = buffer.len() - digits.min(buffer.len());
    fill(&mut buffer[start..], value, base);
    out.push_str(std::str::from_utf8(&buffer[start..]).unwrap_or_default());
}

/// Fills this place with the last digits of a number to base 10 or 16.
fn fill(place: &mut [u8], mut value: u64, base: u64) {
    for byte in place.iter_mut().rev() {
        // Without a division by what the compiler does not know.
        let (rest, digit) = if base == 16 { (value >> 4, value & 15) } else { (value / 10, value % 10) };
        *byte = b"0123456789abcdef"[digit as usize];
        value = rest;
    }
}

/// All pairs of digits.
const PAIRS: &str = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
                     5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Appends a number in decimal, two digits at a time.
pub(crate) fn push_number(out: &mut String, value: u64) {
    if value >= 100 {
        push_number(out, value / 100);
    }
    let at = (value % 100) as usize * 2;
    if value < 10 {
        out.push_str(&PAIRS[at + 1..at + 2]);
    } else {
        out.push_str(&PAIRS[at..at + 2]);
    }
}

/// [`push_iso`] into a new string, in the `Z` form.
pub(crate) fn iso(unix_ms: u64) -> String {
    let mut out = String::with_capacity(24);
    push_iso(&mut out, unix_ms, "Z");
    out
}

/// The value of an HTTP `Date` header.
pub(crate) fn http_date(unix_ms: u64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

/// Day number since 1970-01-01 to a calendar date, counting in 400-year eras that begin on 1 March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Milliseconds since 1970 of a time in ISO 8601, such as `2025-08-20T22:23:55.169Z`; without a time of day or a zone
/// midnight and UTC. `None` for what is no such time, or before 1970.
pub(crate) fn parse_iso(text: &str) -> Option<u64> {
    let digits = |range: std::ops::Range<usize>| -> Option<u64> {
        let part = text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse().ok()
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let separators = (text.get(4..5)?, text.get(7..8)?) == ("-", "-");
    if !separators || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let day_ms = days(year, month, day)?.checked_mul(86_400_000)?;
    let Some(rest) = text.get(10..).filter(|rest| !rest.is_empty()) else { return Some(day_ms) };
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    let separators = (rest.get(..1)?, rest.get(3..4)?, rest.get(6..7)?) == ("T", ":", ":");
    if !separators || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut ms = day_ms + ((hour * 60 + minute) * 60 + second) * 1000;
    let mut zone = rest.get(9..)?;
    if let Some(fraction) = zone.strip_prefix('.') {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        ms += format!("{:0<3}", &fraction[..end]).get(..3).filter(|_| end > 0)?.parse::<u64>().ok()?;
        zone = &fraction[end..];
    }
    let offset = match zone {
        "" | "Z" | "z" => return Some(ms),
        zone => {
            let hhmm = zone.get(1..)?.replace(':', "");
            let number: u64 = hhmm.parse().ok().filter(|_| hhmm.len() == 4)?;
            (number / 100 * 60 + number % 100) * 60_000
        }
    };
    match zone.get(..1)? {
        "+" => ms.checked_sub(offset),
        "-" => Some(ms + offset),
        _ => None,
    }
}

/// The number of a calendar date since 1970-01-01; the reverse of [`civil`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (era * 146_097 + of_era).checked_sub(719_468)
}

/// The pairs of a query string or a form.
pub(crate) fn pairs(query: &str) -> Vec<(String, String)> {
    if query.contains(['%', '+']) {
        let decoded = form_urlencoded::parse(query.as_bytes());
        return decoded.map(|(key, value)| (key.into_owned(), value.into_owned())).collect();
    }
    // There is nothing to decode.
    let pieces = query.split('&').filter(|piece| !piece.is_empty());
    let pairs = pieces.map(|piece| piece.split_once('=').unwrap_or((piece, "")));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The first value of `key`.
pub(crate) fn lookup<'a>(pairs: &'a [(String, String)], key: &str) -> Option<&'a str> {
    pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_the_service_prints_them() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso(1_755_728_635_169), "2025-08-20T22:23:55.169Z");
        assert_eq!(iso(1_709_208_000_001), "2024-02-29T12:00:00.001Z");
        let mut out = String::new();
        push_iso(&mut out, 1_599_515_402_737, "+0000");
        assert_eq!(out, "2020-09-07T21:50:02.737+0000");
        assert_eq!(http_date(1_755_728_635_169), "Wed, 20 Aug 2025 22:23:55 GMT");
    }

    #[test]
    fn times_are_read_as_they_are_printed() {
        for ms in [0, 1_755_728_635_169, 1_709_208_000_001, 951_782_400_000, 4_102_444_799_999] {
            assert_eq!(parse_iso(&iso(ms)), Some(ms));
        }
        for (text, ms) in [
            ("2025-08-20", 1_755_648_000_000),
            ("2025-08-20T22:23:55Z", 1_755_728_635_000),
            ("2025-08-20T22:23:55.1", 1_755_728_635_100),
            ("2025-08-21T00:23:55.1699999+02:00", 1_755_728_635_169),
            ("2025-08-20T15:23:55-0700", 1_755_728_635_000),
        ] {
            assert_eq!(parse_iso(text), Some(ms), "{text}");
        }
        for bad in [
            "",
            "now",
            "2025",
            "2025-13-01",
            "2025-08-20T",
            "2025-08-20T22:23",
            "2025-08-20 22:23:55",
            "2025-08-20T22:23:55.Z",
            "2025-08-20T22:23:55+2",
            "2025-08-20T22:23:55é",
            "1969-12-31",
            "+025-08-20",
        ] {
            assert_eq!(parse_iso(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_are_printed_as_the_formatter_does() {
        for value in [0, 9, 10, 99, 100, 12_345, u64::MAX] {
            let mut out = String::new();
            push_number(&mut out, value);
            assert_eq!(out, value.to_string());
        }
        let mut out = String::new();
        push_digits(&mut out, 0xabc, 12, 16);
        assert_eq!(out, "000000000abc");
    }

    #[test]
    fn json_strings_survive_a_parser() {
        for text in ["", "plain", "q\"b\\s/\n\r\t\u{1}", "\u{1f600},--Boundary"] {
            assert_eq!(serde_json::from_str::<String>(&json(text)).unwrap(), text);
        }
    }

    #[test]
    fn what_needs_an_escape_is_found_anywhere() {
        for len in 0..20 {
            let plain: String = "a\u{e9}\u{7f} ~!#[]z".chars().cycle().take(len).collect();
            assert!(is_plain(&plain), "{plain}");
            for (at, _) in plain.char_indices() {
                for bad in ["\"", "\\", "\u{1f}", "\0"] {
                    let text = format!("{}{bad}{}", &plain[..at], &plain[at..]);
                    assert!(!is_plain(&text), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn pairs_are_read_alike_with_and_without_escapes() {
        for query in ["", "&", "a=b", "a=b&&c", "=", "a==b&=c&", "a=\u{e9}&b=/?#"] {
            let general = form_urlencoded::parse(query.as_bytes()).into_owned();
            assert_eq!(pairs(query), general.collect::<Vec<_>>(), "{query}");
        }
        assert_eq!(pairs("a+b=%2B"), [("a b".to_owned(), "+".to_owned())]);
    }

    #[test]
    fn basic_credentials_are_read() {
        let header = "basic aWQ6c2VjOnJldA==";
        assert_eq!(basic_credentials(header), Some(("id".into(), "sec:ret".into())));
        assert_eq!(basic_credentials("Bearer x"), None);
        assert_eq!(basic_credentials("Basic !!!"), None);
    }
}
