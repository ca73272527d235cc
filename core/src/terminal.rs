//! Text of the server or of strangers on its way to a terminal (SEC-5).
//!
//! What could move the cursor, change colours, the title or the clipboard, forge a line, turn the direction of reading
//! or hide is written as an escape: all controls (C0, DEL, C1), line and paragraph separators, all format characters
//! (Unicode's category Cf: bidirectional marks, joiners, tags) and the other characters without a shape, such as the
//! Hangul fillers and variation selectors. U+FE0E and U+FE0F alone pass, after a visible character: emoji need them.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text as one line that can be shown: `\n`, `\r`, `\t`, and `\u{202e}` for the others.
///
/// ```
/// # use ringcentral_ws_core::terminal::escape;
/// assert_eq!(escape("two\nlines \u{1b}[31m"), r"two\nlines \u{1b}[31m");
/// ```
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    replace(text, |out, c| {
        // `\n` and its like, else `\u{…}`: a `String` takes all of it.
        let _ = write!(out, "{}", c.escape_default());
    })
}

/// A JSON text as one line that can be shown and says the same: line breaks between tokens are left out, and what
/// [`escape`] would replace is written as JSON's `\u202e`.
#[must_use]
pub fn escape_json(json: &str) -> Cow<'_, str> {
    replace(json, |out, c| {
        // Within a string JSON allows none of these as they are, so this one is between tokens.
        if matches!(c, '\n' | '\r' | '\t') {
            return;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

fn replace(text: &str, mut instead: impl FnMut(&mut String, char)) -> Cow<'_, str> {
    let mut before = None;
    let mut is_hidden = |c: char| {
        let hidden = match c {
            '\u{fe0e}' | '\u{fe0f}' => before.is_none_or(is_unseen),
            _ => is_unseen(c),
        };
        before = Some(c);
        hidden
    };
    let Some(first) = text.char_indices().find(|&(_, c)| is_hidden(c)).map(|(at, _)| at) else {
        return Cow::Borrowed(text);
    };
    let (mut out, rest) = (String::with_capacity(text.len() + 16), &text[first..]);
    out.push_str(&text[..first]);
    for (i, c) in rest.chars().enumerate() {
        // The first one is known already.
        if i == 0 || is_hidden(c) { instead(&mut out, c) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Whether a character acts instead of being seen.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Zl and Zp.
            '\u{2028}' | '\u{2029}'
            // Cf; of what is unassigned, that which Unicode keeps for such characters.
            | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
            | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            // Default_Ignorable_Code_Point without Cf: no shape either. Tags and selectors are in the last one.
            | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-5
    #[test]
    fn what_acts_is_escaped_and_what_is_seen_is_not() {
        for (text, shown) in [
            ("\u{1b}]52;c;aGk=\u{7}", r"\u{1b}]52;c;aGk=\u{7}"),
            ("a\r\nb\tc\0\u{7f}", r"a\r\nb\tc\u{0}\u{7f}"),
            ("\u{9b}31m\u{85}", r"\u{9b}31m\u{85}"),
            ("\u{202e}gpj.exe\u{2069}", r"\u{202e}gpj.exe\u{2069}"),
            ("a\u{200b}b\u{feff}\u{ad}\u{2028}\u{2029}", r"a\u{200b}b\u{feff}\u{ad}\u{2028}\u{2029}"),
            ("\u{e0041}\u{e0100}\u{3164}", r"\u{e0041}\u{e0100}\u{3164}"),
            ("❤\u{fe0f} ok", "❤\u{fe0f} ok"),
            ("\u{fe0f}a\u{fe00}❤\u{fe0f}\u{fe0f}", "\\u{fe0f}a\\u{fe00}❤\u{fe0f}\\u{fe0f}"),
            (r#"Grüße, 世界 \ "x" e\u0301"#, r#"Grüße, 世界 \ "x" e\u0301"#),
            ("עברית\u{3000}ไทย 😀", "עברית\u{3000}ไทย 😀"),
            ("", ""),
        ] {
            assert_eq!(escape(text), shown);
            assert_eq!(escape(&escape(text)), shown, "once is enough");
        }
        assert!(matches!(escape("plain é"), Cow::Borrowed(_)));
    }

    // CLAUSE SEC-5
    #[test]
    fn json_stays_what_it_is_on_one_line() {
        let text = "\u{85}\u{202e}x\u{e0041}\u{7f}❤\u{fe0f}\n";
        let json = format!("{{\r\n\t\"k\u{200b}\" : {},\n\"n\":1.50}}\n", serde_json::to_string(text).unwrap());
        let line = escape_json(&json);
        assert_eq!(line, "{\"k\\u200b\" : \"\\u0085\\u202ex\\udb40\\udc41\\u007f❤\u{fe0f}\\n\",\"n\":1.50}");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["k\u{200b}"], text);
    }
}
