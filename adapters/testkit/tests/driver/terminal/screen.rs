//! A terminal of 80 columns that remembers what was seen on it.

use std::time::Duration;

use ringcentral_ws_adapter::watch::paint::cells;

pub(crate) const WIDTH: usize = 80;

/// Goes back to the beginning of the line, and empties it.
const ERASE: &str = "\r\u{1b}[2K";

/// Something that was seen.
enum Seen {
    /// A line that stays.
    Line(String, Duration),
    /// A state of the status line, and since when it was so.
    Status(String, Duration),
}

/// What a person sees.
#[derive(Default)]
pub(crate) struct Screen {
    seen: Vec<Seen>,
    /// The line that the cursor is on.
    last: String,
    /// Each change of the screen: when, and the status line behind it.
    changes: Vec<(Duration, String)>,
}

impl Screen {
    /// What the program writes.
    pub(crate) fn write(&mut self, text: &str, now: Duration) {
        for piece in text.split_inclusive('\n') {
            let piece = match piece.strip_prefix(ERASE) {
                Some(rest) => {
                    self.last.clear();
                    rest
                }
                None => piece,
            };
            assert!(!piece.contains(['\r', '\u{1b}']), "nothing else is done to the terminal: {piece:?}");
            match piece.strip_suffix('\n') {
                Some(line) => self.seen.push(Seen::Line(std::mem::take(&mut self.last) + line, now)),
                None => self.last.push_str(piece),
            }
        }
        if !self.last.is_empty() {
            self.seen.push(Seen::Status(self.last.clone(), now));
        }
        self.changes.push((now, self.last.clone()));
    }

    /// What the terminal shows of a key, where the cursor is.
    pub(crate) fn key(&mut self, shown: &str, now: Duration) {
        self.last.push_str(shown);
        self.seen.push(Seen::Status(self.last.clone(), now));
    }

    /// The status line as it is now.
    pub(crate) fn status(&self) -> &str {
        &self.last
    }

    /// How many lines there are.
    pub(crate) fn lines(&self) -> usize {
        self.seen.iter().filter(|seen| matches!(seen, Seen::Line(..))).count()
    }

    /// Whether this was seen at any time.
    pub(crate) fn has_shown(&self, part: &str) -> bool {
        self.seen.iter().any(|(Seen::Line(line, _) | Seen::Status(line, _))| line.contains(part))
    }

    /// No line was broken by the terminal, no status line is left among the others, and while something was waited for
    /// no second went by without a change.
    pub(crate) fn check(&self) {
        for seen in &self.seen {
            let (Seen::Line(line, _) | Seen::Status(line, _)) = seen;
            assert!(cells(line) <= WIDTH, "{line}");
            let is_status = line.starts_with('[');
            assert!(matches!(seen, Seen::Status(..)) == is_status, "a line is broken: {line}");
        }
        for pair in self.changes.windows(2) {
            let [(since, status), (until, _)] = pair else { unreachable!() };
            let is_waiting = !status.is_empty() && !status.starts_with("[listening");
            let silence = *until - *since;
            assert!(!is_waiting || silence <= Duration::from_secs(1), "{silence:?} of silence behind {status}");
        }
    }

    /// All that was seen for this long, in order; keys too. Of several states of the status line in a row the first and
    /// the last are shown.
    pub(crate) fn transcript(&self, least: Duration) -> String {
        let mut text = String::new();
        let mut row: Vec<&str> = Vec::new();
        for (at, seen) in self.seen.iter().enumerate() {
            match seen {
                Seen::Status(status, since) => {
                    let next = self.seen[at + 1..].iter().find_map(|seen| match seen {
                        Seen::Status(other, _) if other == status => None,
                        Seen::Status(_, until) | Seen::Line(_, until) => Some(*until),
                    });
                    let is_short = next.is_some_and(|next| next - *since < least) && !status.ends_with("^C");
                    if !is_short && row.last() != Some(&status.as_str()) {
                        row.push(status);
                    }
                }
                Seen::Line(line, _) => {
                    show_row(&mut text, &mut row);
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        show_row(&mut text, &mut row);
        text
    }
}

fn show_row(text: &mut String, row: &mut Vec<&str>) {
    let middle = row.len().saturating_sub(2);
    let shown = row.iter().enumerate().filter(|(at, _)| middle < 2 || *at == 0 || *at == row.len() - 1);
    for (at, status) in shown {
        if middle >= 2 && at > 0 {
            text.push_str("    ⋮\n");
        }
        text.push_str(status);
        text.push('\n');
    }
    row.clear();
}
