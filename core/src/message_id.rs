//! Ids of messages: a tag of the session and a number. They are written and read with every message, so without the
//! formatting machinery.

/// What the message ids of one session begin with: eight hexadecimal digits and a hyphen.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(from = "u32", into = "u32"))]
pub(crate) struct MessageTag {
    /// A heartbeat of the session up to the number of the message. The tag is its end.
    heartbeat: Box<str>,
}

#[cfg(feature = "recorder")]
impl From<u32> for MessageTag {
    fn from(tag: u32) -> Self {
        Self::new(tag)
    }
}

#[cfg(feature = "recorder")]
impl From<MessageTag> for u32 {
    fn from(tag: MessageTag) -> Self {
        Self::from_str_radix(&tag.text()[..TAG - 1], 16).unwrap_or_default()
    }
}

const TAG: usize = 9;
/// The digits of `u64::MAX`.
const DIGITS: usize = 20;
/// What stands around the id of a heartbeat.
const HEARTBEAT: (&str, &str) = (r#"[{"type":"Heartbeat","messageId":""#, r#""}]"#);

impl MessageTag {
    pub(crate) fn new(tag: u32) -> Self {
        Self { heartbeat: format!("{}{tag:08x}-", HEARTBEAT.0).into() }
    }

    fn text(&self) -> &str {
        &self.heartbeat[HEARTBEAT.0.len()..]
    }

    /// The id of message `n`: nothing in it needs an escape.
    pub(crate) fn id(&self, n: u64) -> String {
        let mut text = String::with_capacity(TAG + DIGITS);
        text.push_str(self.text());
        push_number(&mut text, n);
        text
    }

    /// The number in an id of this session.
    pub(crate) fn number(&self, id: &str) -> Option<u64> {
        number(id.strip_prefix(self.text())?)
    }

    /// Heartbeat `n`. By far the most frequent message.
    pub(crate) fn heartbeat(&self, n: u64) -> String {
        let mut text = String::with_capacity(HEARTBEAT.0.len() + TAG + DIGITS + HEARTBEAT.1.len());
        text.push_str(&self.heartbeat);
        push_number(&mut text, n);
        text.push_str(HEARTBEAT.1);
        text
    }

    /// The number of a heartbeat of this session that came back as it was sent, as from most servers.
    pub(crate) fn echo(&self, text: &str) -> Option<u64> {
        number(text.strip_prefix(&*self.heartbeat)?.strip_suffix(HEARTBEAT.1)?)
    }
}

/// Reads a number only as it was written: no sign, and no zero in front.
fn number(text: &str) -> Option<u64> {
    let plain = matches!(text.as_bytes(), b"0" | [b'1'..=b'9', ..]);
    if plain { text.parse().ok() } else { None }
}

/// All pairs of digits.
const PAIRS: &str = "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
                     5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Appends a number in decimal, two digits at a time.
fn push_number(out: &mut String, n: u64) {
    if n >= 100 {
        push_number(out, n / 100);
    }
    let at = (n % 100) as usize * 2;
    if n < 10 {
        out.push_str(&PAIRS[at + 1..at + 2]);
    } else {
        out.push_str(&PAIRS[at..at + 2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back() {
        for (tag, n, text) in [
            (0, 0, "00000000-0"),
            (0x0102_abcd, 7, "0102abcd-7"),
            (u32::MAX, u64::MAX, "ffffffff-18446744073709551615"),
            (0xdead_beef, 1_234_567_890, "deadbeef-1234567890"),
        ] {
            let tag = MessageTag::new(tag);
            assert_eq!(tag.id(n), text);
            assert_eq!(tag.number(text), Some(n));
            let heartbeat = tag.heartbeat(n);
            assert_eq!(heartbeat, format!(r#"[{{"type":"Heartbeat","messageId":"{text}"}}]"#));
            assert_eq!(tag.echo(&heartbeat), Some(n));
        }
    }

    #[test]
    fn other_ids_have_no_number() {
        let tag = MessageTag::new(0x0102_abcd);
        for other in [
            "",
            "-",
            "7",
            "0102abce-7",
            "0102ABCD-7",
            "0102abcd-",
            "0102abcd7",
            "0102abcd-x",
            "0102abcd--1",
            "0102abcd-+7",
            "0102abcd-07",
            "0102abcd-00",
            "0102abcd-7 ",
            "0102abcd-18446744073709551616",
            "0102abc\u{e9}7",
        ] {
            assert_eq!(tag.number(other), None, "{other}");
            assert_eq!(tag.echo(&format!(r#"[{{"type":"Heartbeat","messageId":"{other}"}}]"#)), None, "{other}");
        }
        assert_eq!(tag.echo(r#"[{"type":"Heartbeat","messageId":"0102abcd-7"}] "#), None);
        assert_eq!(tag.echo(r#"[{"type":"Heartbeat","messageId":"0102abcd-"}]"#), None);
    }
}
