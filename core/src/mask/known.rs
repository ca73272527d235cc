//! Secrets that are known by their value, in text that strangers wrote (SEC-6).

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use data_encoding::{BASE64_NOPAD, Encoding};
use http::{Request, header};
use url::{Url, form_urlencoded};

use super::by_name::{MASK, cut, hide, is_secret};
use crate::secret::Secret;

/// Most values kept. Tokens change a few times an hour, and an old one is worth nothing.
const MAX_KNOWN: usize = 16;
/// A shorter value is never masked: it would be found in any text.
const SHORTEST: usize = 4;
/// A shorter value is masked only where it stands alone, between characters that are neither letters nor digits.
const SHORTEST_INSIDE: usize = 8;
/// Of a value that was cut off, so many bytes are enough.
const SHORTEST_BEGINNING: usize = 16;

/// Replaces secrets that it knows by `***`, wherever a server or a proxy quotes them.
///
/// A value is found as it is, in large or small letters (names of hosts are made small), percent-encoded (also twice), with the escapes of JSON or with those of HTML, and cut off
/// after 16 bytes or more. What is found stays unread whatever it is called.
///
/// Of short values only so much can be hidden: one of 4 to 7 bytes is masked where it stands alone, between characters
/// that are neither letters nor digits, and one of less than 4 bytes is not masked at all, because masking it would make
/// every text unreadable and show by that what it is. RingCentral's secrets have 20 bytes and more.
///
/// It keeps the 16 values that it learned last.
///
/// ```
/// let mut masker = ringcentral_ws_core::Masker::new();
/// masker.learn("cGFzc3dvcmQ/");
/// assert_eq!(masker.mask("no such token: cGFzc3dvcmQ%2F"), "no such token: ***");
/// ```
#[derive(Clone, Default)]
pub struct Masker {
    /// Shared, so that copies cost little.
    known: Vec<Arc<Secret>>,
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Masker({} known)", self.known.len())
    }
}

impl Masker {
    /// Knows nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { known: Vec::new() }
    }

    /// From now on this value is masked.
    pub fn learn(&mut self, value: &str) {
        if value.len() < SHORTEST {
            return;
        }
        // One that comes again is as good as new.
        let again = self.known.iter().position(|known| known.expose() == value).map(|i| self.known.remove(i));
        if self.known.len() >= MAX_KNOWN {
            self.known.remove(0);
        }
        self.known.push(again.unwrap_or_else(|| Arc::new(value.into())));
    }

    /// The values in the query of a connection's URL, and a password in it.
    pub fn learn_url(&mut self, url: &Url) {
        url.query_pairs().for_each(|(_, value)| self.learn(&value));
        url.password().into_iter().for_each(|password| self.learn(password));
    }

    /// What a request carries to prove who sends it: its `Authorization`, of `Basic` the password too, and the fields of
    /// a form that have the name of a secret.
    pub fn learn_request(&mut self, request: &Request<Bytes>) {
        for name in [header::AUTHORIZATION, header::PROXY_AUTHORIZATION] {
            request.headers().get_all(name).iter().filter_map(|value| value.to_str().ok()).for_each(|value| {
                self.learn_authorization(value);
            });
        }
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded")) {
            for (name, value) in form_urlencoded::parse(request.body()) {
                if is_secret(&name) || name == "code" || name == "code_verifier" {
                    self.learn(&value);
                }
            }
        }
    }

    /// The credentials in the value of an `Authorization` header.
    pub fn learn_authorization(&mut self, value: &str) {
        let (scheme, credentials) = value.trim().split_once(' ').unwrap_or(("", value));
        let credentials = credentials.trim();
        self.learn(credentials);
        if scheme.eq_ignore_ascii_case("basic")
            && let Some(pair) = from_base64(credentials)
            && let Some((_, password)) = pair.split_once(':')
        {
            self.learn(password);
        }
    }

    /// The text with `***` in place of what is known.
    #[must_use]
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let found = self.find(text.as_bytes());
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for range in found {
            out.push_str(&text[end..range.start]);
            out.push_str(MASK);
            // A value that was cut off may end within a character.
            end = (range.end..).find(|&i| text.is_char_boundary(i)).unwrap_or(text.len());
        }
        out.push_str(&text[end..]);
        Cow::Owned(out)
    }

    /// The same for bytes, such as those of a body.
    #[must_use]
    pub fn mask_bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let found = self.find(bytes);
        if found.is_empty() {
            return Cow::Borrowed(bytes);
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut end = 0;
        for range in found {
            out.extend_from_slice(&bytes[end..range.start]);
            out.extend_from_slice(MASK.as_bytes());
            end = range.end;
        }
        out.extend_from_slice(&bytes[end..]);
        Cow::Owned(out)
    }

    /// A frame for a debug log, as [`mask`](crate::mask()) makes it, without the values that are known. What it masks for
    /// its name is known by its value from then on.
    #[must_use]
    pub fn frame(&mut self, text: &str) -> String {
        let Ok(mut value) = serde_json::from_str(text) else { return super::mask(text) };
        hide(&mut value, &mut |hidden| self.learn_authorization(hidden));
        cut(self.mask(&value.to_string()).into_owned())
    }

    /// Where the known values are, in order and apart.
    fn find(&self, text: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        // A look at the first byte alone passes over nearly all of a text that may be as large as a message.
        let mut begins = [false; 256];
        let firsts = self.known.iter().filter_map(|known| known.expose().bytes().next());
        for byte in firsts.chain(*b"%\\&+") {
            begins[usize::from(byte.to_ascii_lowercase())] = true;
            begins[usize::from(byte.to_ascii_uppercase())] = true;
        }
        let mut at = 0;
        while at < text.len() && !self.known.is_empty() {
            if !begins[usize::from(text[at])] {
                at += 1;
                continue;
            }
            let ends = self.known.iter().filter_map(|known| ending(text, at, known.expose().as_bytes()));
            match ends.max() {
                Some(end) => {
                    found.push(at..end);
                    at = end;
                }
                None => at += 1,
            }
        }
        found
    }
}

/// Where the value ends that begins here, whole or enough of it.
fn ending(text: &[u8], at: usize, value: &[u8]) -> Option<usize> {
    // What looks like an escape may be one, or be written so in the value itself.
    [true, false].into_iter().filter_map(|decodes| ending_as(text, at, value, decodes)).max()
}

fn ending_as(text: &[u8], at: usize, value: &[u8], decodes: bool) -> Option<usize> {
    let (mut end, mut matched) = (at, 0);
    for byte in value {
        let Some(length) = written(&text[end..], *byte, decodes) else { break };
        end += length;
        matched += 1;
    }
    let is_whole = matched == value.len();
    let is_apart = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let alone = || is_apart(at.checked_sub(1).and_then(|before| text.get(before))) && is_apart(text.get(end));
    let is_found = match value.len() {
        SHORTEST_INSIDE.. => is_whole || matched >= SHORTEST_BEGINNING,
        _ => is_whole && alone(),
    };
    is_found.then_some(end)
}

/// How many bytes at the beginning of the text stand for this one, if they do.
fn written(text: &[u8], byte: u8, decodes: bool) -> Option<usize> {
    let literal = text.first().is_some_and(|found| found.eq_ignore_ascii_case(&byte)).then_some(1);
    let escaped = || match text.first()? {
        b'%' => percent(text, byte),
        b'\\' => backslash(text, byte),
        b'&' => entity(text, byte),
        b'+' if byte == b' ' => Some(1),
        _ => None,
    };
    if decodes { escaped().or(literal) } else { literal.or_else(escaped) }
}

/// `%2F`, `%252F` and so on.
fn percent(text: &[u8], byte: u8) -> Option<usize> {
    let mut at = 1;
    loop {
        let pair = text.get(at..at + 2)?;
        match hex(pair)? {
            found if found == u32::from(byte) && (byte != b'%' || text.get(at + 2..at + 4) != Some(b"25")) => {
                return Some(at + 2);
            }
            0x25 => at += 2,
            _ => return None,
        }
    }
}

/// `\/`, `\"`, `\\` and `\u002f`.
fn backslash(text: &[u8], byte: u8) -> Option<usize> {
    match text.get(1)? {
        b'u' => (hex(text.get(2..6)?)? == u32::from(byte) && byte.is_ascii()).then_some(6),
        escaped if *escaped == byte && matches!(byte, b'/' | b'"' | b'\\') => Some(2),
        _ => None,
    }
}

/// `&#47;`, `&#x2f;` and the five that have names.
fn entity(text: &[u8], byte: u8) -> Option<usize> {
    let end = text.iter().take(10).position(|byte| *byte == b';')?;
    let name = std::str::from_utf8(&text[1..end]).ok()?;
    let found = match name {
        "amp" => u32::from(b'&'),
        "lt" => u32::from(b'<'),
        "gt" => u32::from(b'>'),
        "quot" => u32::from(b'"'),
        "apos" => u32::from(b'\''),
        _ => match name.strip_prefix("#x").or_else(|| name.strip_prefix("#X")) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => name.strip_prefix('#')?.parse().ok()?,
        },
    };
    (found == u32::from(byte) && byte.is_ascii()).then_some(end + 1)
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
}

/// The text behind base64 of either alphabet, padded or not.
fn from_base64(text: &str) -> Option<String> {
    let bytes = TOLERANT.decode(text.trim_end_matches('=').as_bytes()).ok()?;
    String::from_utf8(bytes).ok()
}

/// Strangers may write the bits that are left over as they like, and use either alphabet.
static TOLERANT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut tolerant = BASE64_NOPAD.specification();
    tolerant.check_trailing_bits = false;
    tolerant.translate.from.push_str("-_");
    tolerant.translate.to.push_str("+/");
    // The standard alphabet and two more letters are one that exists.
    tolerant.encoding().unwrap_or(BASE64_NOPAD)
});

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use super::*;

    fn knowing(values: &[&str]) -> Masker {
        let mut masker = Masker::new();
        values.iter().for_each(|value| masker.learn(value));
        masker
    }

    // CLAUSE SEC-6
    #[test]
    fn a_known_value_is_found_however_it_is_written() {
        let secret = "ab+c/d=e%f\"g\\h&i j";
        let masker = knowing(&[secret]);
        let percent: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let entities: String = secret.bytes().map(|byte| format!("&#{byte};")).collect();
        let escapes: String = secret.bytes().map(|byte| format!("\\u{byte:04X}")).collect();
        let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let twice: String = form_urlencoded::byte_serialize(form.replace('+', "%20").as_bytes()).collect();
        let html = secret.replace('&', "&amp;").replace('"', "&quot;").replace('/', "&#x2F;");
        let json = serde_json::to_string(secret).unwrap();
        let json = json.trim_matches('"').replace('/', "\\/");
        for written in [secret, &percent, &entities, &escapes, &form, &twice, &html, &json] {
            for (before, after) in [("", ""), ("a", "b"), ("token=", "&x=1"), ("é ", " é"), ("%", "%"), ("\\", "&")] {
                let text = format!("{before}{written}{after}");
                assert_eq!(masker.mask(&text), format!("{before}***{after}"), "{text}");
                assert_eq!(*masker.mask_bytes(text.as_bytes()), *masker.mask(&text).as_bytes());
            }
        }
        assert_eq!(masker.mask(&format!("{secret}{secret} {secret}")), "****** ***");
        assert!(matches!(masker.mask("nothing of it, 100 % & more \\ "), Cow::Borrowed(_)));
        assert!(matches!(Masker::new().mask(secret), Cow::Borrowed(_)));
        assert_eq!(format!("{masker:?}"), "Masker(1 known)");
    }

    // CLAUSE SEC-6
    #[test]
    fn what_looks_like_an_escape_may_be_the_value_itself() {
        for secret in ["a%2Fb%25c%", "\\/\\u0041\\\\", "&amp;&#65;&lt;", "100%25%2525"] {
            let masker = knowing(&[secret]);
            let percent: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
            assert_eq!(masker.mask(secret), "***", "{secret}");
            assert_eq!(masker.mask(&percent), "***", "{secret}");
        }
    }

    // CLAUSE SEC-6
    #[test]
    fn a_value_that_was_cut_off_is_found_by_its_beginning() {
        let masker = knowing(&["0123456789abcdefghij"]);
        assert_eq!(masker.mask("0123456789abcde"), "0123456789abcde", "15 bytes");
        assert_eq!(masker.mask("x0123456789abcdef…"), "x***…");
        assert_eq!(masker.mask("0123456789abcdefg-hij"), "***-hij");
        let accents = knowing(&["0123456789abcdefé"]);
        assert_eq!(accents.mask("0123456789abcdefë."), "***.", "never within a character");
    }

    // CLAUSE SEC-6
    #[test]
    fn short_values_are_masked_where_they_stand_alone_and_tiny_ones_never() {
        let masker = knowing(&["abc", "four", "seven77", "eight888"]);
        assert_eq!(masker.mask("abc four"), "abc ***");
        assert_eq!(masker.mask("fourth forefour four4 \"four\" [seven77]"), "fourth forefour four4 \"***\" [***]");
        assert_eq!(masker.mask("aeight888b"), "a***b");
    }

    // CLAUSE SEC-6
    #[test]
    fn it_learns_from_requests_and_addresses() {
        let pair = BASE64.encode(b"id-of-app:s3cret-of-app");
        let form = "grant_type=refresh&assertion=jwt%2Bvalue1&refresh_token=refresh%2Fvalue&code=code-value&client_id=client-id-1";
        let request = Request::post("/token")
            .header("authorization", format!("Basic {pair}"))
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let mut masker = Masker::new();
        masker.learn_request(&request.body(Bytes::from(form)).unwrap());
        let said =
            format!("{pair} s3cret-of-app jwt+value1 jwt%2bvalue1 refresh/value code-value client-id-1 id-of-app");
        assert_eq!(masker.mask(&said), "*** *** *** *** *** *** client-id-1 id-of-app");
        let get = Request::get("/").header("authorization", "Bearer access-token").body(Bytes::from("code=not-a-form"));
        masker.learn_request(&get.unwrap());
        assert_eq!(masker.mask("access-token not-a-form"), "*** not-a-form");
        masker.learn_url(&"wss://u:password@h/ws?access_token=ws%2Btoken1&wsc=handle-1".parse().unwrap());
        assert_eq!(masker.mask("password ws+token1 ws%2Btoken1 handle-1"), "*** *** *** ***");
    }

    // CLAUSE SEC-6
    #[test]
    fn what_a_frame_masks_by_name_is_known_by_value() {
        let mut masker = Masker::new();
        let details =
            r#"[{"wsc":{"token":"handle-one","sequence":1},"headers":{"Authorization":"Bearer bearer-one"}}]"#;
        assert_eq!(
            masker.frame(details),
            r#"[{"headers":{"Authorization":"***"},"wsc":{"sequence":1,"token":"***"}}]"#
        );
        let quoted = masker.frame(r#"[{"message":"no session handle-one for bearer-one"}]"#);
        assert_eq!(quoted, r#"[{"message":"no session *** for ***"}]"#);
        assert_eq!(masker.frame("handle-one"), "(not JSON, 10 bytes)");
    }

    #[test]
    fn so_many_are_kept() {
        let mut masker = Masker::new();
        let value = |n: usize| format!("value-{n:04}");
        (0..MAX_KNOWN).for_each(|n| masker.learn(&value(n)));
        masker.learn(&value(0));
        masker.learn(&value(MAX_KNOWN));
        assert_eq!(masker.known.len(), MAX_KNOWN);
        assert_eq!(masker.mask(&value(1)), value(1), "the oldest went");
        assert_eq!((masker.mask(&value(0)), masker.mask(&value(MAX_KNOWN))), ("***".into(), "***".into()));
    }

    #[test]
    fn base64_is_read_padded_or_not() {
        for text in ["", "f", "fo", "foo", "a:b?>"] {
            let coded = BASE64.encode(text.as_bytes());
            assert_eq!(from_base64(&coded).as_deref(), Some(text));
            assert_eq!(from_base64(coded.trim_end_matches('=')).as_deref(), Some(text));
        }
        assert_eq!(from_base64("Pz8_Pj4-").as_deref(), Some("???>>>"));
        assert_eq!(from_base64("Zh").as_deref(), Some("f"), "whatever the bits left over are");
        assert_eq!(from_base64("a:b"), None);
        assert_eq!(from_base64("//8="), None, "no text");
    }

    // CLAUSE SEC-6
    #[test]
    fn only_what_stands_for_a_character_is_taken_for_it() {
        let masker = knowing(&["a&b<c>d\"e'f"]);
        assert_eq!(masker.mask("a&amp;b&lt;c&gt;d&quot;e&apos;f"), "***");
        assert_eq!(masker.mask("a&lt;b&gt;c&quot;d&apos;e&amp;f"), "a&lt;b&gt;c&quot;d&apos;e&amp;f");
        let masker = knowing(&["eight88 8"]);
        assert_eq!(masker.mask("eight88+8 eigh+88+8"), "*** eigh+88+8");
    }
}
