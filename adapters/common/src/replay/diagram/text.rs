//! The diagram for a terminal.

use std::fmt::Write as _;

use ringcentral_ws_core::recorder::Recording;

use super::{COLUMNS, Row, SESSION, Shape, cut, rows, seconds};

/// Width of the time, its blank included.
const TIME: usize = 13;

/// What lines are made of.
#[derive(Clone, Copy, Debug)]
pub struct Glyphs {
    life: char,
    line: char,
    right: char,
    left: char,
    more: &'static str,
}

impl Glyphs {
    /// Box drawing.
    pub const UTF8: Self = Self { life: '│', line: '─', right: '▶', left: '◀', more: "…" };
    /// Nothing but ASCII.
    pub const ASCII: Self = Self { life: '|', line: '-', right: '>', left: '<', more: "~" };
}

/// The exchange as lines of text. `width` is that of a line, in characters; it is never below 80.
#[must_use]
pub fn text(recording: &Recording, glyphs: Glyphs, width: usize) -> String {
    let span = (width.max(80) - TIME - 1) / 2;
    let mut out = String::new();
    let mut head = " ".repeat(TIME);
    for (i, name) in COLUMNS.iter().enumerate() {
        let at = TIME + i * span;
        // Centred on its line, but for the first and the last.
        let begin = at.saturating_sub([0, name.len() / 2, name.len() - 1][i]);
        head.truncate(begin);
        let _ = write!(head, "{}{name}", " ".repeat(begin - head.len()));
    }
    let _ = writeln!(out, "{head}");
    for row in rows(recording) {
        let at = row.at.map_or(String::new(), seconds);
        let _ = writeln!(out, "{at:>w$} {}", line(&row, glyphs, span).trim_end(), w = TIME - 1);
    }
    out
}

fn line(row: &Row, g: Glyphs, span: usize) -> String {
    let mut cells: Vec<char> = vec![' '; 2 * span + 1];
    for i in 0..COLUMNS.len() {
        cells[i * span] = g.life;
    }
    let label = |most: usize| -> Vec<char> {
        let text: String = row.label.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        cut(&text, most).replace('…', g.more).chars().collect()
    };
    match row.shape {
        Shape::Arrow(from, to) => {
            let (begin, end) = (from.min(to) * span, from.max(to) * span);
            cells[begin + 1..end].fill(g.line);
            let at = if to > from { end - 1 } else { begin + 1 };
            cells[at] = if to > from { g.right } else { g.left };
            let label = label(span - 7);
            let begin = begin + 4;
            cells[begin - 1] = ' ';
            cells[begin..begin + label.len()].copy_from_slice(&label);
            cells[begin + label.len()] = ' ';
        }
        Shape::Note => {
            let label = label(span - 4);
            let begin = SESSION * span + 2;
            cells[begin..begin + label.len()].copy_from_slice(&label);
        }
        Shape::Break => {
            let label = label(2 * span - 8);
            cells.fill(g.line);
            cells[3] = ' ';
            cells[4..4 + label.len()].copy_from_slice(&label);
            cells[4 + label.len()] = ' ';
        }
    }
    cells.into_iter().collect()
}
