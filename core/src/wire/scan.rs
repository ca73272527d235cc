//! The short way for the two messages that make up nearly all traffic: notifications and heartbeats. One pass over
//! the bytes, no allocation. Whatever is out of the ordinary (an escape where text is needed, an unusual type, another
//! message) is left to the general reader; what this one accepts, that one accepts too, and reads alike.

use super::message::{Kind, Message, Meta, NotificationFields, Payload};

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
    let rest = text.as_bytes().get(s.at..)?;
    rest.iter().all(|byte| is_space(*byte)).then_some(Message { meta, payload })
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

struct Scanner<'a> {
    text: &'a str,
    /// How much of it was read.
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The first byte that is no space.
    fn next(&mut self) -> Option<u8> {
        loop {
            let byte = self.peek()?;
            self.at += 1;
            if byte > b' ' {
                return Some(byte);
            } else if !is_space(byte) {
                return None;
            }
        }
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.next()? == byte).then_some(())
    }

    /// The fields of an object, each to be consumed by `field`.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &'a str) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        loop {
            let key = self.text()?;
            self.expect(b':')?;
            field(self, key)?;
            match self.next()? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn meta(&mut self) -> Option<Meta<'a>> {
        let mut meta = Meta::default();
        self.object(|s, key| {
            match key {
                "type" => meta.kind = Kind::from_word(s.text()?),
                "messageId" => meta.message_id = Some(s.text()?.into()),
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
        let mut fields = NotificationFields::default();
        self.object(|s, key| {
            match key {
                "uuid" => fields.uuid = Some(s.text()?.into()),
                "event" => fields.event = Some(s.text()?.into()),
                "timestamp" => fields.timestamp = Some(s.text()?.into()),
                "subscriptionId" => fields.subscription_id = Some(s.text()?.into()),
                "ownerId" => fields.owner_id = Some(s.text()?.into()),
                "body" => fields.body = Some(s.value()?).filter(|json| *json != "null"),
                "pn_apns" => return None,
                _ => drop(s.value()?),
            }
            Some(())
        })?;
        Some(fields)
    }

    /// A string without escapes, unquoted.
    fn text(&mut self) -> Option<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        (self.end_of_run()? == b'"').then_some(())?;
        self.text.get(start..self.at - 1)
    }

    /// The byte that ends a run of plain text in a string: a quote, a backslash or a control byte.
    #[inline]
    fn end_of_run(&mut self) -> Option<u8> {
        const ONES: u64 = 0x0101_0101_0101_0101;
        const HIGHS: u64 = 0x8080_8080_8080_8080;
        let mut rest = self.text.as_bytes().get(self.at..)?;
        while let Some((chunk, after)) = rest.split_first_chunk() {
            // Eight bytes at a time: `x - n * ONES & !x & HIGHS` marks bytes below `n`, and the first mark is exact. With
            // one bit turned, a quote is next to the control bytes.
            let word = u64::from_le_bytes(*chunk);
            let (quoted, escaped) = (word ^ (ONES * 0x02), word ^ (ONES * 0x5c));
            let marks = (quoted.wrapping_sub(ONES * 0x21) | escaped.wrapping_sub(ONES)) & !word & HIGHS;
            if marks != 0 {
                let shift = marks.trailing_zeros() & !7;
                self.at = self.text.len() - rest.len() + 1 + (shift / 8) as usize;
                return Some((word >> shift) as u8);
            }
            rest = after;
        }
        self.end_of_last_run(rest)
    }

    /// The same in the last bytes of the frame.
    #[cold]
    fn end_of_last_run(&mut self, rest: &[u8]) -> Option<u8> {
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
        self.at = self.text.len() - rest.len() + 1 + end;
        rest.get(end).copied()
    }

    /// The rest of any string.
    #[inline(never)]
    fn string(&mut self) -> Option<()> {
        match self.end_of_run()? {
            b'"' => Some(()),
            b'\\' => self.escaped_string(),
            _ => None,
        }
    }

    /// The rest of a string, after a backslash.
    #[cold]
    fn escaped_string(&mut self) -> Option<()> {
        loop {
            self.at += match self.text.as_bytes().get(self.at..)? {
                [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 1,
                [b'u', digits @ ..] if digits.first_chunk::<4>()?.iter().all(u8::is_ascii_hexdigit) => 5,
                _ => return None,
            };
            match self.end_of_run()? {
                b'"' => return Some(()),
                b'\\' => {}
                _ => return None,
            }
        }
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    /// The rest of a number.
    fn number(&mut self, first: u8) -> Option<()> {
        if first == b'-' && self.peek()? == b'0' {
            self.at += 1;
        } else if first == b'-' {
            self.digits()?;
        } else if first != b'0' {
            // One digit is enough.
            let _ = self.digits();
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

    fn word(&mut self, rest: &str) -> Option<()> {
        self.text.get(self.at..)?.starts_with(rest).then(|| self.at += rest.len())
    }

    /// Any value, checked to be JSON to its last byte; as text.
    fn value(&mut self) -> Option<&'a str> {
        let mut byte = self.next()?;
        let start = self.at - 1;
        // One bit for each open container, 1 for an object, below a bit that is always set.
        let mut open = 1u64;
        loop {
            match byte {
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' => self.number(byte)?,
                b't' => self.word("rue")?,
                b'f' => self.word("alse")?,
                b'n' => self.word("ull")?,
                b'{' | b'[' => {
                    let object = byte == b'{';
                    byte = self.next()?;
                    if byte != if object { b'}' } else { b']' } {
                        // Deeper ones are left to the general reader.
                        if open.leading_zeros() == 0 {
                            return None;
                        }
                        open = open << 1 | u64::from(object);
                        byte = self.item(byte, object)?;
                        continue;
                    }
                }
                _ => return None,
            }
            // A value has ended: what follows belongs to its container, if there is one.
            loop {
                if open == 1 {
                    return self.text.get(start..self.at);
                }
                let object = open & 1 == 1;
                match self.next()? {
                    b',' => {
                        byte = self.next()?;
                        byte = self.item(byte, object)?;
                        break;
                    }
                    b'}' if object => open >>= 1,
                    b']' if !object => open >>= 1,
                    _ => return None,
                }
            }
        }
    }

    /// The first byte of an item, after its key if it is in an object.
    fn item(&mut self, first: u8, object: bool) -> Option<u8> {
        if !object {
            return Some(first);
        }
        (first == b'"').then_some(())?;
        self.string()?;
        self.expect(b':')?;
        self.next()
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
            "-12",
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
            "-01",
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
        // The innermost one is empty and needs no bit.
        assert!(scan(&nested(64)).is_some() && parse_slowly(&nested(64)).is_ok());
        assert!(scan(&nested(65)).is_none() && parse_slowly(&nested(65)).is_ok());
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
