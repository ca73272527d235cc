//! How lines look on a terminal: fitted to its width, coloured, and with a status line below them.

use unicode_width::UnicodeWidthChar as _;

use crate::terminal::ERASE;

/// What stands before the lines of an event but its first.
const BEFORE_MORE: usize = 17;
/// What stands before what does not fit on a line: the text of an event begins there.
const BEFORE_REST: usize = 25;
/// Narrower terminals break lines as they like.
const NARROWEST: usize = 50;
/// Narrower ones have no status line.
const NARROWEST_STATUS: usize = 20;
/// Columns that the status line leaves free: the terminal shows a Ctrl-C as `^C` there.
const FREE: usize = 3;

/// The status line: what is waited for, and what there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Such as `waiting: next try in 12 s`.
    pub state: String,
    /// Such as `4 events, 0 gaps, 1 reconnect`.
    pub counts: String,
}

/// Turns lines into what a terminal is sent.
#[derive(Clone, Debug, Default)]
pub struct Painter {
    has_colours: bool,
    status: Option<Status>,
    /// The status line as it stands on the terminal; empty without one.
    drawn: String,
}

impl Painter {
    /// A painter that has drawn nothing yet.
    #[must_use]
    pub const fn new(has_colours: bool) -> Self {
        Self { has_colours, status: None, drawn: String::new() }
    }

    /// An event: erases the status line, shows the lines behind the time, and draws the status line again.
    #[must_use]
    pub fn event(&mut self, lines: &str, time: &str, width: Option<usize>) -> String {
        let lines = shown(lines, time, width, self.has_colours);
        self.above(&lines, width)
    }

    /// A paragraph of its own, with an empty line before it.
    #[must_use]
    pub fn paragraph(&mut self, text: &str, width: Option<usize>) -> String {
        let text = fitted(text, 0, width);
        self.above(&format!("\n{text}"), width)
    }

    /// Another status line, or none.
    #[must_use]
    pub fn status(&mut self, status: Option<Status>, width: Option<usize>) -> String {
        self.status = status;
        let before = std::mem::take(&mut self.drawn);
        self.drawn = self.draw(width);
        if before == self.drawn {
            return String::new();
        }
        let erase = if before.is_empty() { "" } else { ERASE };
        format!("{erase}{}", self.drawn)
    }

    /// The status line as it stands on the terminal; empty without one.
    #[must_use]
    pub fn drawn(&self) -> &str {
        &self.drawn
    }

    fn above(&mut self, lines: &str, width: Option<usize>) -> String {
        let erase = if self.drawn.is_empty() { "" } else { ERASE };
        self.drawn = self.draw(width);
        format!("{erase}{lines}\n{}", self.drawn)
    }

    fn draw(&self, width: Option<usize>) -> String {
        let room = width.filter(|width| *width >= NARROWEST_STATUS).map(|width| width - FREE);
        let (Some(Status { state, counts }), Some(room)) = (&self.status, room) else { return String::new() };
        let whole = format!("[{state} | {counts}]");
        let text = if cells(&whole) <= room { whole } else { format!("[{}]", cut(state, room - 2)) };
        if self.has_colours { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text }
    }
}

/// Columns that the text takes; a character of East Asia takes two.
#[must_use]
pub fn cells(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Where the text must end to take no more than this many columns; `None` if all of it fits.
fn end_within(text: &str, room: usize) -> Option<usize> {
    let mut taken = 0;
    text.char_indices().find_map(|(index, c)| {
        taken += c.width().unwrap_or(0);
        (taken > room).then_some(index)
    })
}

fn cut(text: &str, room: usize) -> String {
    if end_within(text, room).is_none() {
        return text.to_owned();
    }
    let end = end_within(text, room.saturating_sub(1)).unwrap_or(text.len());
    format!("{}…", &text[..end])
}

fn shown(line: &str, time: &str, width: Option<usize>, has_colours: bool) -> String {
    let line = format!("{time}  {line}");
    let broken: Vec<_> = line.lines().enumerate().map(|(at, line)| event_line(line, at, width)).collect();
    let text = broken.join("\n");
    let Some(colour) = colour(&line[time.len()..]).filter(|_| has_colours) else { return text };
    // The time and the first word; what the server wrote stays as it is.
    let word = text[time.len()..].trim_start();
    let begins = text.len() - word.len();
    let ends = begins + word.find("  ").or_else(|| word.find(' ')).unwrap_or(word.len());
    format!("{}\u{1b}[{colour}m{}\u{1b}[0m{}", &text[..begins], &text[begins..ends], &text[ends..])
}

/// The colour of an event, by its first word.
fn colour(line: &str) -> Option<&'static str> {
    Some(match line.split_whitespace().next()? {
        "GAP" | "not" => "1;31",
        "disconnected" | "retry" | "waiting" | "protocol" => "33",
        "connected" | "subscribed" | "recovered" => "32",
        "notification" | "backfill" => "1;36",
        _ => return None,
    })
}

/// `at` is the line's place in the event.
fn event_line(line: &str, at: usize, width: Option<usize>) -> String {
    fitted(line, if at == 0 { BEFORE_REST } else { BEFORE_MORE + 2 }, width)
}

/// The line in pieces that fit, broken at spaces, else before slashes, where there are some; all but the first are
/// indented.
#[must_use]
pub fn fitted(line: &str, indent: usize, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width >= NARROWEST) else { return line.to_owned() };
    let mut pieces = Vec::new();
    let mut rest = line.to_owned();
    while let Some(end) = end_within(&rest, width) {
        let least = end_within(&rest, indent).unwrap_or(0);
        // A path is broken before a slash. A space just behind what fits is a place as well.
        let fits = if rest[end..].starts_with(' ') { end + 1 } else { end };
        let places = [rest[..fits].rfind(' '), rest[..end].rfind('/')];
        let place = places.into_iter().flatten().find(|place| *place > least);
        let (piece, left) = rest.split_at(place.unwrap_or(end));
        let left = format!("{:indent$}{}", "", left.trim_start());
        pieces.push(piece.trim_end().to_owned());
        rest = left;
    }
    pieces.push(rest);
    pieces.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "12:34:56";

    fn status() -> Status {
        Status { state: "waiting: next try in 12 s".to_owned(), counts: "4 events, 0 gaps, 1 reconnect".to_owned() }
    }

    #[test]
    fn a_line_has_its_time_and_one_coloured_word() {
        let line = "connected      (connection 1)";
        assert_eq!(shown(line, TIME, None, false), "12:34:56  connected      (connection 1)");
        let coloured = "12:34:56  \u{1b}[32mconnected\u{1b}[0m      (connection 1)";
        assert_eq!(shown(line, TIME, None, true), coloured);
        assert_eq!(shown("retry          x", TIME, None, true), "12:34:56  \u{1b}[33mretry\u{1b}[0m          x");
        assert_eq!(shown("unsubscribed", TIME, None, true), "12:34:56  unsubscribed");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "retry          the server refused the WebSocket with HTTP 503, which is far; next try in 12.0 s";
        let path = "/restapi/v1.0/account/809646016/extension/62264425016/message-store/instant";
        let wide = "你好，世界".repeat(40);
        let event = format!("{long}\n{:17}{path}\n{:17}{wide}", "", "");
        for width in [50, 51, 60, 80, 120] {
            let shown = shown(&event, TIME, Some(width), false);
            assert!(shown.lines().all(|line| cells(line) <= width), "{width}: {shown}");
            let joined: String = shown.split_whitespace().collect();
            let expected: String = format!("{TIME}{event}").split_whitespace().collect();
            assert_eq!(joined, expected, "nothing is lost");
        }
        assert!(shown(long, TIME, Some(80), false).lines().nth(1).unwrap().starts_with(&" ".repeat(BEFORE_REST)));
    }

    #[test]
    fn a_line_that_just_fits_stays_whole() {
        let words = "aaaa ".repeat(16);
        let words = words.trim_end();
        assert_eq!(fitted(words, 0, Some(79)), words);
        let broken = fitted(&format!("{words} b"), 2, Some(79));
        assert_eq!(broken, format!("{words}\n  b"));
    }

    #[test]
    fn the_status_line_gives_way_to_an_event_and_comes_back() {
        let mut painter = Painter::new(false);
        assert_eq!(painter.event("connected", TIME, Some(80)), "12:34:56  connected\n");
        let line = "[waiting: next try in 12 s | 4 events, 0 gaps, 1 reconnect]";
        assert_eq!(painter.status(Some(status()), Some(80)), line);
        assert_eq!(painter.status(Some(status()), Some(80)), "", "what stands there is not drawn again");
        assert_eq!(painter.event("connected", TIME, Some(80)), format!("{ERASE}12:34:56  connected\n{line}"));
        assert_eq!(painter.paragraph("A scene.", Some(80)), format!("{ERASE}\nA scene.\n{line}"));
        assert_eq!((painter.status(None, Some(80)), painter.drawn()), (ERASE.to_owned(), ""));
        assert_eq!(painter.event("closed", TIME, Some(80)), "12:34:56  closed\n");
    }

    #[test]
    fn the_status_line_fits_with_room_for_what_is_typed() {
        let wide = Status { state: "等待".repeat(30), ..status() };
        for has_colours in [false, true] {
            for width in 20..100 {
                for status in [status(), wide.clone()] {
                    let mut painter = Painter::new(has_colours);
                    let drawn = painter.status(Some(status), Some(width));
                    let plain = drawn.replace("\u{1b}[2m", "").replace("\u{1b}[0m", "");
                    assert!(cells(&plain) <= width - FREE && plain.ends_with(']'), "{width}: {plain}");
                }
            }
        }
        assert_eq!(Painter::new(true).status(Some(status()), Some(19)), "");
        assert_eq!(Painter::new(true).status(Some(status()), None), "");
        assert_eq!(Painter::new(false).status(Some(status()), Some(30)), "[waiting: next try in 12 s]");
    }
}
