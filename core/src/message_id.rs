//! Ids of messages: a tag of the session and a number. They are written and read with every message, so without the
//! formatting machinery.

/// What the message ids of one session begin with: eight hexadecimal digits and a hyphen.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(from = "u32", into = "u32"))]
pub(crate) struct MessageTag([u8; TAG]);

#[cfg(feature = "recorder")]
impl From<u32> for MessageTag {
    fn from(tag: u32) -> Self {
        Self::new(tag)
    }
}

#[cfg(feature = "recorder")]
impl From<MessageTag> for u32 {
    fn from(tag: MessageTag) -> Self {
        let digits = std::str::from_utf8(&tag.0[..TAG - 1]).unwrap_or_default();
        Self::from_str_radix(digits, 16).unwrap_or_default()
    }
}

const TAG: usize = 9;
/// The digits of `u64::MAX`.
const DIGITS: usize = 20;

impl MessageTag {
    pub(crate) const fn new(tag: u32) -> Self {
        let mut text = [b'-'; TAG];
        let mut i = 0;
        while i < TAG - 1 {
            text[i] = b"0123456789abcdef"[(tag >> (28 - 4 * i) & 15) as usize];
            i += 1;
        }
        Self(text)
    }

    /// The id of message `n`: nothing in it needs an escape.
    pub(crate) fn id(&self, n: u64) -> String {
        let mut text = Vec::with_capacity(TAG + DIGITS);
        self.write(n, &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Appends the id of message `n`.
    pub(crate) fn write(&self, mut n: u64, out: &mut Vec<u8>) {
        let mut digits = [0; DIGITS];
        let mut at = digits.len();
        loop {
            at -= 1;
            digits[at] = b'0' + (n % 10) as u8;
            n /= 10;
            if n == 0 {
                break;
            }
        }
        out.extend_from_slice(&self.0);
        out.extend_from_slice(&digits[at..]);
    }

    /// The number in an id of this session.
    pub(crate) fn number(&self, id: &str) -> Option<u64> {
        let (tag, number) = id.split_at_checked(TAG)?;
        if tag.as_bytes() == self.0 { number.parse().ok() } else { None }
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
        }
    }

    #[test]
    fn other_ids_have_no_number() {
        let tag = MessageTag::new(0x0102_abcd);
        for other in
            ["", "-", "7", "0102abce-7", "0102abcd-", "0102abcd7", "0102abcd-x", "0102abcd--1", "0102abc\u{e9}7"]
        {
            assert_eq!(tag.number(other), None, "{other}");
        }
    }
}
