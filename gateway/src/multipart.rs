//! Bodies of several parts, as calls with attachments take them, read.

use crate::text;

/// One part: its headers, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) is_file: bool,
    pub(crate) body: &'a [u8],
}

impl Part<'_> {
    /// Whether it holds the members of the call, as JSON, and is no attachment. Some clients give it a file's name.
    pub(crate) fn is_request(&self) -> bool {
        let is_json = self.content_type.as_deref().is_some_and(|kind| kind.starts_with("application/json"));
        is_json && (!self.is_file || matches!(self.name.as_deref(), Some("json" | "request" | "request.json")))
    }
}

/// Parts a body may have.
const MAX_PARTS: usize = 100;

/// The parts of a body with this `Content-Type`; `None` if it is not multipart, or broken.
pub(crate) fn parse<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let kind = content_type.split(';').next()?.trim();
    if !["multipart/form-data", "multipart/mixed"].iter().any(|known| kind.eq_ignore_ascii_case(known)) {
        return None;
    }
    let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty())?;
    let mark = format!("--{boundary}");
    // What stands before the first mark is no part.
    let mut rest = after_mark(body, mark.as_bytes(), find(body, mark.as_bytes())?)?;
    let inner = format!("\r\n{mark}");
    let mut parts = Vec::new();
    while let Some(content) = rest {
        let end = find(content, inner.as_bytes())?;
        if parts.len() == MAX_PARTS {
            return None;
        }
        parts.push(part(&content[..end])?);
        rest = after_mark(content, inner.as_bytes(), end)?;
    }
    Some(parts)
}

/// What follows the mark at `at`: the next part, or `Some(None)` after the last mark.
fn after_mark<'a>(body: &'a [u8], mark: &[u8], at: usize) -> Option<Option<&'a [u8]>> {
    let rest = body.get(at + mark.len()..)?;
    if rest.starts_with(b"--") {
        return Some(None);
    }
    rest.strip_prefix(b"\r\n").map(Some)
}

fn part(content: &[u8]) -> Option<Part<'_>> {
    let (head, body) = match content.strip_prefix(b"\r\n") {
        Some(body) => (&content[..0], body),
        None => {
            let end = find(content, b"\r\n\r\n")?;
            (&content[..end], &content[end + 4..])
        }
    };
    let head = std::str::from_utf8(head).ok()?;
    let headers: Vec<(String, String)> = head
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let disposition = text::lookup(&headers, "content-disposition").unwrap_or_default();
    Some(Part {
        name: parameter(disposition, "name"),
        content_type: text::lookup(&headers, "content-type").map(str::to_owned),
        is_file: parameter(disposition, "filename").is_some_and(|name| !name.is_empty()),
        body,
    })
}

/// A parameter of a header, with or without quotes.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (value, tail) = match after.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let end = after.find(';').unwrap_or(after.len());
                (after[..end].trim().to_owned(), &after[end..])
            }
        };
        if name.trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        rest = tail.split_once(';')?.1;
    }
}

/// The text up to the closing quote, and what follows that.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORM: &str = "multipart/form-data; charset=utf-8; boundary=\"b 1\"";

    #[test]
    fn parts_are_read_as_clients_write_them() {
        let body = b"preamble\r\n--b 1\r\nContent-Disposition: form-data; name=\"json\"\r\n\
            Content-Type: application/json\r\n\r\n{}\r\n--b 1\r\n\
            content-disposition: form-data; name=\"attachment\"; filename=\"a;\\\"b\\\".pdf\"\r\n\r\n\x00--b\r\n\r\n--b 1\r\n\
            \r\nbare\r\n--b 1--\r\n";
        let parts = parse(FORM, body).unwrap();
        let json = Part {
            name: Some("json".to_owned()),
            content_type: Some("application/json".to_owned()),
            is_file: false,
            body: b"{}",
        };
        assert_eq!(parts[0], json);
        let file = (parts[1].name.as_deref(), parts[1].is_file, parts[1].body);
        assert_eq!(file, (Some("attachment"), true, &b"\x00--b\r\n"[..]));
        assert_eq!((parts[2].name.as_deref(), parts[2].body), (None, &b"bare"[..]));
        assert_eq!(parts.len(), 3);
    }

    #[test]
    fn what_is_broken_has_no_parts() {
        for (content_type, body) in [
            ("application/json", "{}"),
            ("multipart/form-data", "--b--"),
            (FORM, ""),
            (FORM, "--b 1"),
            (FORM, "--b 1\r\n\r\ncut"),
            (FORM, "--b 1\r\nno end of a head\r\n--b 1--"),
        ] {
            assert_eq!(parse(content_type, body.as_bytes()), None, "{content_type}: {body}");
        }
        assert_eq!(parse(FORM, b"--b 1--"), Some(Vec::new()));
        let many = "--b 1\r\n\r\n\r\n".repeat(MAX_PARTS + 1) + "--b 1--";
        assert_eq!(parse(FORM, many.as_bytes()), None);
    }
}
