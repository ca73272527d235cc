//! The last frames of all sockets, for the status page.

use std::collections::VecDeque;

/// Frames kept at most.
const MAX_FRAMES: usize = 200;
/// Bytes kept of each.
const MAX_TEXT: usize = 600;

/// Where a frame went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    In,
    Out,
}

#[derive(Debug)]
pub(super) struct KeptFrame {
    pub(super) number: u64,
    pub(super) at_us: u64,
    pub(super) conn: u64,
    pub(super) way: Way,
    /// Length of the whole, in bytes.
    pub(super) len: usize,
    /// The beginning, with its secrets: [`masked`] takes them out.
    start: String,
}

#[derive(Debug, Default)]
pub(super) struct FrameLog {
    frames: VecDeque<KeptFrame>,
    next: u64,
}

impl FrameLog {
    pub(super) fn add(&mut self, at_us: u64, conn: u64, way: Way, text: &str) {
        let end = (0..=text.len().min(MAX_TEXT)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        let start = text[..end].to_owned();
        self.frames.push_back(KeptFrame { number: self.next, at_us, conn, way, len: text.len(), start });
        self.next += 1;
        if self.frames.len() > MAX_FRAMES {
            self.frames.pop_front();
        }
    }

    /// The frames from this number on that are still kept.
    pub(super) fn since(&self, number: u64) -> impl Iterator<Item = &KeptFrame> + '_ {
        let at = self.frames.partition_point(|frame| frame.number < number);
        self.frames.range(at..)
    }
}

impl KeptFrame {
    /// What may be shown of it.
    pub(super) fn shown(&self) -> String {
        let mut shown = masked(&self.start);
        if self.start.len() < self.len {
            shown.push('…');
        }
        shown
    }
}

/// Every token that the stand-in makes begins so.
const TOKEN: &str = "U0pDMDFQ";
/// Members whose text is a secret, whoever made it.
const SECRET_KEYS: [&str; 9] = [
    "access_token",
    "ws_access_token",
    "refresh_token",
    "token",
    "wsc",
    "assertion",
    "client_secret",
    "code_verifier",
    "authorization",
];

/// The text of a frame without secrets, and without characters that play tricks on the eye. The text may be cut anywhere.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((shown, after)) = secret_member(rest) {
            out.push_str(shown);
            out.push('•');
            rest = after;
            continue;
        }
        if rest.starts_with(TOKEN) {
            out.push('•');
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_');
            continue;
        }
        if c.is_control() || is_invisible(c) {
            out.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// If this begins with a member of JSON whose text is a secret: what is shown before it, and what follows it.
fn secret_member(text: &str) -> Option<(&str, &str)> {
    let (key, after) = text.strip_prefix('"')?.split_once('"')?;
    // In a text that holds JSON the quotes are escaped.
    let key = key.trim_end_matches('\\');
    if !SECRET_KEYS.iter().any(|secret| key.eq_ignore_ascii_case(secret)) {
        return None;
    }
    let value = after.trim_start().strip_prefix(':')?.trim_start().trim_start_matches('\\').strip_prefix('"')?;
    let shown = &text[..text.len() - value.len()];
    let mut escaped = false;
    let end = value.find(|c: char| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some((shown, &value[end.unwrap_or(value.len())..]))
}

/// Bidirectional and invisible format characters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[test]
    fn secrets_are_not_shown() {
        for (text, shown) in [
            (r#"{"wsc":{"token":"abc","sequenceNumber":1}}"#, r#"{"wsc":{"token":"•","sequenceNumber":1}}"#),
            (r#"{"wsc" : "a\"b" , "n":1}"#, r#"{"wsc" : "•" , "n":1}"#),
            (r#"{"Authorization":"Bearer x"}"#, r#"{"Authorization":"•"}"#),
            (r#"{"access_token":"cut in the mid"#, r#"{"access_token":"•"#),
            (r#"{"client_secret":""#, r#"{"client_secret":"•"#),
            (r#"{"a":"U0pDMDFQMDF-_8x y","b":"?access_token=U0pDMDFQ"#, r#"{"a":"• y","b":"?access_token=•"#),
            (r#"{"tokens":"not one","token":1}"#, r#"{"tokens":"not one","token":1}"#),
            (r#"{"body":"{\"token\":\"x\",\"a\":1}"}"#, r#"{"body":"{\"token\":\"•"}"#),
            (r#"{"status":{"code":"Setup"}}"#, r#"{"status":{"code":"Setup"}}"#),
            ("\"token", "\"token"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    // CLAUSE SEC-5
    #[test]
    fn nothing_plays_tricks_on_the_eye() {
        assert_eq!(masked("a\u{202e}b\u{1b}[2Jé😀\n"), "a\\u202eb\\u001b[2Jé😀\\u000a");
    }

    #[test]
    fn the_newest_are_kept_and_long_ones_cut() {
        let mut log = FrameLog::default();
        for number in 0..300 {
            log.add(number, 1, Way::Out, &"é".repeat(400));
        }
        let numbers: Vec<u64> = log.since(0).map(|frame| frame.number).collect();
        assert_eq!((numbers.len(), numbers[0]), (200, 100));
        assert_eq!(log.since(299).count(), 1);
        assert_eq!(log.since(300).count(), 0);
        let last = log.since(299).next().unwrap();
        assert_eq!((last.len, last.shown()), (800, "é".repeat(300) + "…"));
    }
}
