//! The short way for the two messages that make up nearly all traffic: notifications and heartbeats. One pass over
//! the bytes, no allocation. Whatever is out of the ordinary (an escape where text is needed, an unusual type, another
//! message) is left to the general reader; what this one accepts, that one accepts too, and reads alike.

use super::message::{Kind, Message, Meta, NotificationFields, Payload};
use crate::json::Text;

/// Deepest nesting taken; serde_json stops there too.
const MAX_DEPTH: usize = 120;

/// Reads a frame, or leaves it to the general reader.
pub(super) fn scan(text: &str) -> Option<Message<'_>> {
    let mut s = Scanner { text, at: 0 };
    s.expect(b'[')?;
    let meta = s.meta()?;
    let payload = match meta.kind {
        Kind::ServerNotification => {
            s.expect(b',')?;
            Payload::Notification(s.notification()?)
        }
        Kind::Heartbeat => Payload::None,
        _ => return None,
    };
    s.expect(b']')?;
    s.space();
    (s.at == text.len()).then_some(Message { meta, payload })
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.space();
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// `true` after a comma, `false` after the closing byte.
    fn more(&mut self, close: u8) -> Option<bool> {
        self.space();
        let byte = self.peek()?;
        self.at += 1;
        match byte {
            b',' => Some(true),
            _ if byte == close => Some(false),
            _ => None,
        }
    }

    /// The fields of an object, each to be consumed by `field`.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        loop {
            self.space();
            let key = self.plain_string()?;
            self.expect(b':')?;
            self.space();
            field(self, key)?;
            if !self.more(b'}')? {
                return Some(());
            }
        }
    }

    fn meta(&mut self) -> Option<Meta<'a>> {
        let mut meta = Meta::default();
        self.object(|s, key| {
            match key {
                "type" => meta.kind = Kind::from_word(s.plain_string()?),
                "messageId" => meta.message_id = Some(Text::from(s.plain_string()?)),
                "status" => meta.status = Some(s.value()?.parse().ok()?),
                "headers" => meta.headers = Some(s.value()?),
                // Rare, and for the general reader.
                "wsc" => return None,
                _ => drop(s.value()?),
            }
            Some(())
        })?;
        Some(meta)
    }

    fn notification(&mut self) -> Option<NotificationFields<'a>> {
        self.space();
        let mut fields = NotificationFields::default();
        self.object(|s, key| {
            match key {
                "uuid" => fields.uuid = Some(s.plain_string()?.into()),
                "event" => fields.event = Some(s.plain_string()?.into()),
                "timestamp" => fields.timestamp = Some(s.plain_string()?.into()),
                "subscriptionId" => fields.subscription_id = Some(s.plain_string()?.into()),
                "ownerId" => fields.owner_id = Some(s.plain_string()?.into()),
                "body" => fields.body = Some(s.value()?).filter(|json| *json != "null"),
                "pn_apns" => return None,
                _ => drop(s.value()?),
            }
            Some(())
        })?;
        Some(fields)
    }

    /// A string without escapes, unquoted.
    fn plain_string(&mut self) -> Option<&'a str> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        self.at = start;
        (self.end_of_run()? == b'"').then_some(())?;
        let inside = self.text.get(start..self.at)?;
        self.at += 1;
        Some(inside)
    }

    /// Moves to the next byte that ends a run of plain text in a string: a quote, a backslash or a control byte.
    fn end_of_run(&mut self) -> Option<u8> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        let mut rest = self.text.as_bytes().get(self.at..)?;
        // Eight bytes at a time: `x - ONES & !x & HIGHS` marks zero bytes, and the first mark is exact.
        while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let zero = |x: u64| x.wrapping_sub(ONES) & !x & HIGHS;
            let control = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
            let marks = zero(word ^ (ONES * 0x22)) | zero(word ^ (ONES * 0x5c)) | control;
            if marks != 0 {
                let shift = marks.trailing_zeros() & !7;
                self.at = self.text.len() - rest.len() + (shift / 8) as usize;
                return Some((word >> shift) as u8);
            }
            rest = after;
        }
        for (i, byte) in rest.iter().enumerate() {
            if let b'"' | b'\\' | 0..=0x1f = byte {
                self.at = self.text.len() - rest.len() + i;
                return Some(*byte);
            }
        }
        None
    }

    /// Any string.
    fn string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.end_of_run()? {
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                b'\\' => self.escape()?,
                _ => return None,
            }
        }
    }

    fn escape(&mut self) -> Option<()> {
        let bytes = self.text.as_bytes();
        self.at += 2;
        match bytes.get(self.at - 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => {
                let digits = bytes.get(self.at..self.at + 4)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())
            }
            _ => None,
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits()?,
            _ => return None,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Some(())
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(word).then(|| self.at += word.len())
    }

    /// Any value, checked to be JSON to its last byte; as text.
    fn value(&mut self) -> Option<&'a str> {
        self.space();
        let start = self.at;
        // One bit for each open container: 1 for an object.
        let (mut open, mut depth) = (0u128, 0);
        loop {
            self.space();
            match self.peek()? {
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number()?,
                b't' => self.word("true")?,
                b'f' => self.word("false")?,
                b'n' => self.word("null")?,
                byte @ (b'{' | b'[') => {
                    self.at += 1;
                    self.space();
                    let close = if byte == b'{' { b'}' } else { b']' };
                    if self.peek()? == close {
                        self.at += 1;
                    } else if depth == MAX_DEPTH {
                        return None;
                    } else {
                        open = open << 1 | u128::from(byte == b'{');
                        depth += 1;
                        self.key_if(byte == b'{')?;
                        continue;
                    }
                }
                _ => return None,
            }
            // A value has ended: what follows belongs to its container, if there is one.
            loop {
                if depth == 0 {
                    return self.text.get(start..self.at);
                }
                let object = open & 1 == 1;
                if self.more(if object { b'}' } else { b']' })? {
                    self.key_if(object)?;
                    break;
                }
                open >>= 1;
                depth -= 1;
            }
        }
    }

    fn key_if(&mut self, object: bool) -> Option<()> {
        if object {
            self.space();
            if self.peek()? != b'"' {
                return None;
            }
            self.string()?;
            self.expect(b':')?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::parse_slowly;
    use super::*;

    fn notification(body: &str) -> String {
        format!(
            r#" [ {{"type":"ServerNotification","messageId":"7","x":[],"status":200,"headers":{{"a":"b"}}}} , {{"uuid":"7","body":{body}}}] "#
        )
    }

    #[test]
    fn json_is_taken_and_what_is_not_is_left() {
        let good = [
            "{}",
            "[]",
            "null",
            "true",
            "false",
            "0",
            "-0",
            "12.5e-7",
            "1E+2",
            r#""""#,
            r#""a\"b\\\/\b\f\n\r\tA""#,
            r#"{"a":{"b":[1,2,{"c":null}]},"":""}"#,
            "[ [ ] , { } ]",
            r#""€ 12345678 𝄞""#,
            "\t1\n",
        ];
        for body in good {
            let text = notification(body);
            let message = scan(&text).unwrap_or_else(|| panic!("{body}"));
            let Payload::Notification(fields) = message.payload else { panic!("{body}") };
            assert_eq!(fields.body.unwrap_or("null"), body.trim());
        }
        let bad = [
            "",
            "{",
            "[",
            "[1,]",
            "[,1]",
            "{,}",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1,}"#,
            "{1:2}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "nul",
            "tru",
            r#"""#,
            r#""\x""#,
            r#""\u12g4""#,
            "\"\u{1}\"",
            "\"12345678\u{1f}\"",
            "]",
            "1 2",
            "[1}",
            r#"{"a":1]"#,
        ];
        for body in bad {
            let text = notification(body);
            assert!(scan(&text).is_none(), "{body}");
            assert!(parse_slowly(&text).is_err(), "{body}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |n: usize| notification(&format!("{}{}", "[".repeat(n), "]".repeat(n)));
        assert!(scan(&nested(MAX_DEPTH)).is_some());
        assert!(parse_slowly(&nested(MAX_DEPTH)).is_ok());
        assert!(scan(&nested(MAX_DEPTH + 2)).is_none());
    }

    #[test]
    fn both_readers_agree() {
        let frames = [
            notification(r#"{"a":"\u00e9"}"#),
            r#"[{"type":"Heartbeat","messageId":"a-1"}]"#.to_owned(),
            r#"[{"type":"Heartbeat","messageId":"é"}]"#.to_owned(),
            r#"[{"type":"Heartbeat","messageId":""}]"#.to_owned(),
            r#"[{"type":"Heartbeat","messageId":"a","messageId":"b"}]"#.to_owned(),
            r#"[{"type":"Heartbeat","messageId":"a","x":{"y":"z"}}]"#.to_owned(),
            r#"[{"messageId":"a-1","type":"Heartbeat","messageId":"b"}]"#.to_owned(),
        ];
        for text in frames {
            assert_eq!(format!("{:?}", scan(&text)), format!("{:?}", parse_slowly(&text).ok()), "{text}");
        }
        let left = [
            r#"[{"type":"Heartbeat","messageId":"a\/1"}]"#,
            r#"[{"type":"Heartbeat","messageId":1}]"#,
            r#"[{"type":"ServerNotification"},{"uuid":7}]"#,
            r#"[{"type":"ServerNotification"},{"uuid":null}]"#,
            r#"[{"type":"ServerNotification","wsc":{"token":"t","sequence":2}},{}]"#,
            r#"[{"type":"ServerNotification"}]"#,
            r#"[{"type":"Heartbeat"},1]"#,
            r#"[{"type":"Heartbeat"}]x"#,
            r#"[{"type":"ClientRequest"}]"#,
        ];
        for text in left {
            assert!(scan(text).is_none(), "{text}");
        }
    }
}
