//! Lines for people on a terminal: the local time, colours, and the width.

use std::io::{IsTerminal as _, Stdout};

use jiff::ZonedDateTime;
use ringcentral_ws_adapter::watch::program::Dress;

/// What stands before the lines of an event but its first.
const BEFORE_MORE: usize = 17;
/// What stands before what does not fit on a line: the text of an event begins there.
const BEFORE_REST: usize = 25;
/// Narrower terminals break lines as they like.
const NARROWEST: usize = 50;

/// How `tail` shows its lines; `None` where the output is no terminal, and lines stay as other programs read them.
pub(crate) fn dress(out: &Stdout) -> Option<Dress> {
    out.is_terminal().then_some(on_terminal)
}

fn on_terminal(line: &str) -> String {
    let has_colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    shown(line, &ZonedDateTime::now().strftime("%H:%M:%S").to_string(), width(), has_colours)
}

#[cfg(unix)]
fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

#[cfg(not(unix))]
const fn width() -> Option<usize> {
    None
}

fn shown(line: &str, time: &str, width: Option<usize>, has_colours: bool) -> String {
    let line = format!("{time}  {line}");
    let broken: Vec<_> = line.lines().enumerate().map(|(at, line)| fitted(line, at, width)).collect();
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
        "notification" => "1;36",
        _ => return None,
    })
}

/// The line in pieces that fit, broken at spaces, else before slashes, where there are some. `at` is its place in the event.
fn fitted(line: &str, at: usize, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| *width >= NARROWEST) else { return line.to_owned() };
    let indent = if at == 0 { BEFORE_REST } else { BEFORE_MORE + 2 };
    let mut pieces = Vec::new();
    let mut rest = line.to_owned();
    while let Some((end, _)) = rest.char_indices().nth(width) {
        let least = rest.char_indices().nth(indent).map_or(0, |(index, _)| index);
        // A path is broken before a slash.
        let place = [' ', '/'].iter().find_map(|c| rest[..end].rfind(*c).filter(|place| *place > least));
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

    #[test]
    fn a_line_has_its_time_and_one_coloured_word() {
        assert_eq!(
            shown("connected      (connection 1)", TIME, None, false),
            "12:34:56  connected      (connection 1)"
        );
        assert_eq!(
            shown("connected      (connection 1)", TIME, None, true),
            "12:34:56  \u{1b}[32mconnected\u{1b}[0m      (connection 1)"
        );
        assert_eq!(shown("retry          x", TIME, None, true), "12:34:56  \u{1b}[33mretry\u{1b}[0m          x");
        assert_eq!(shown("unsubscribed", TIME, None, true), "12:34:56  unsubscribed");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = "retry          attempt 1 failed: the server refused the WebSocket with HTTP 503; next in 12.0 s";
        let event =
            format!("{long}\n{:17}/restapi/v1.0/account/809646016/extension/62264425016/message-store/instant", "");
        for width in [50, 60, 80, 120] {
            let shown = shown(&event, TIME, Some(width), false);
            assert!(shown.lines().all(|line| line.chars().count() <= width), "{width}: {shown}");
            let joined: String = shown.split_whitespace().collect();
            let expected: String = format!("{TIME}{event}").split_whitespace().collect();
            assert_eq!(joined, expected, "nothing is lost");
        }
        assert!(shown(long, TIME, Some(80), false).lines().nth(1).unwrap().starts_with(&" ".repeat(BEFORE_REST)));
    }
}
