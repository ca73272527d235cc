//! How a file begins that is ours to replace.

/// What a file is for.
///
/// A file fits if it begins as one that this program writes, whatever comes after that: it may be of an older or newer
/// format, or damaged. One without content fits as well, and one of which only the beginning is left. White space
/// between the tokens of JSON does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A snapshot: `{"version":1,"server":"`, with any number.
    Session,
    /// A login: `{"server":"`.
    Login,
    /// A recording of the flight recorder: `ringcentral-ws recording `.
    Recording,
    /// Ids of what was handled: `{"handled":[`.
    Handled,
}

/// How much of a file is looked at, in bytes.
pub(super) const READ: u64 = 256;

impl Holds {
    /// For people.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Login => "login",
            Self::Recording => "recording",
            Self::Handled => "list of what was handled",
        }
    }

    /// How it begins; `1` is any number.
    const fn marker(self) -> &'static [u8] {
        match self {
            Self::Session => br#"{"version":1,"server":""#,
            Self::Login => br#"{"server":""#,
            Self::Recording => b"ringcentral-ws recording ",
            Self::Handled => br#"{"handled":["#,
        }
    }

    /// Whether a file that begins like this may be replaced.
    #[must_use]
    pub fn fits(self, start: &[u8]) -> bool {
        is_blank(start) || self.begins(start)
    }

    /// Whether there is something in it that began as what it is for.
    #[must_use]
    pub fn is_begun(self, content: &[u8]) -> bool {
        !is_blank(content) && self.begins(content)
    }

    fn begins(self, start: &[u8]) -> bool {
        let ignores_space = self != Self::Recording;
        let mut start = start.iter().filter(|byte| !(ignores_space && byte.is_ascii_whitespace())).peekable();
        for expected in self.marker() {
            // What is torn off here began well.
            let Some(byte) = start.next() else { return true };
            let is_number = self == Self::Session && *expected == b'1';
            if is_number && byte.is_ascii_digit() {
                while start.next_if(|byte| byte.is_ascii_digit()).is_some() {}
            } else if byte != expected {
                return false;
            }
        }
        true
    }
}

/// Nothing is in it. A file whose content never reached the disk is full of zeros.
fn is_blank(content: &[u8]) -> bool {
    content.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::{ClockReading, Config, Session};

    use super::*;

    const ALL: [Holds; 4] = [Holds::Session, Holds::Login, Holds::Recording, Holds::Handled];

    // CLAUSE SEC-4
    #[test]
    fn ours_are_known_by_their_beginning_however_much_of_it_is_left() {
        let session = || Session::new(Config::default(), 1, ClockReading::default());
        let snapshot = session().snapshot().unwrap().to_json();
        let recording = "ringcentral-ws recording 1\nmade-by 0.1.0\n".to_owned();
        let spaced = snapshot.replacen(':', " :\n ", 2).replacen(',', ",\r\n\t", 1);
        let newer = snapshot.replacen(":1,", ":207,", 1);
        for (holds, whole) in [
            (Holds::Session, snapshot),
            (Holds::Session, spaced),
            (Holds::Session, newer),
            (Holds::Login, r#"{"server":"https://h.example/","client_id":"c","refresh_token":"r"}"#.to_owned()),
            (Holds::Recording, recording),
            (Holds::Handled, r#"{"handled":["3062"]}"#.to_owned()),
        ] {
            for end in 0..whole.len() {
                assert!(holds.fits(&whole.as_bytes()[..end]), "{holds:?} cut at {end}: {whole}");
                assert_eq!(holds.is_begun(&whole.as_bytes()[..end]), end > 0);
            }
            let others = ALL.iter().filter(|other| other.fits(whole.as_bytes())).count();
            assert_eq!(others, 1, "{holds:?} is no other: {whole}");
        }
        for blank in [&b""[..], b"\n", b"\0\0\0\0", b" \t\r\n"] {
            assert!(ALL.iter().all(|holds| holds.fits(blank) && !holds.is_begun(blank)));
        }
    }

    // CLAUSE SEC-4
    #[test]
    fn what_others_wrote_is_never_ours() {
        for foreign in [
            "buy milk\n",
            "{}",
            "[]",
            "null",
            r#"{"name":"x","version":1}"#,
            r#"{"version":1}"#,
            r#"{"version":"1.0.0","server":"x"}"#,
            r#"{"version":1,"services":{}}"#,
            r#"{"version":1.5,"server":"x"}"#,
            r#"{"version":1,"server":1}"#,
            r#"{"servers":["x"]}"#,
            r#"{"server":{"port":1}}"#,
            "ringcentral-wsrecording 1",
            "ringcentral-ws  recording 1",
            "\u{feff}{\"version\":1,\"server\":\"x\"}",
            "\u{0}\u{0}x",
        ] {
            assert!(ALL.iter().all(|holds| !holds.fits(foreign.as_bytes())), "{foreign}");
        }
    }
}
