//! The diagram as one SVG file that needs nothing else.

use std::fmt::Write as _;

use ringcentral_ws_core::recorder::Recording;

use super::{COLUMNS, Row, SESSION, Shape, Tone, cut, rows, seconds};

const WIDTH: usize = 1120;
/// Where the life lines are.
const X: [usize; 3] = [110, 590, 1070];
const TOP: usize = 64;
const ROW: usize = 26;
/// Longest label of an arrow, in characters.
const MOST: usize = 62;

const STYLE: &str = "text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2933}\
.time{fill:#7b8794;text-anchor:end;font-size:11px}.name{font-weight:bold;font-size:14px;text-anchor:middle}\
.life{stroke:#cbd2d9;stroke-dasharray:4 3}.head{fill:#f0f4f8;stroke:#9fb3c8}.back{fill:#fff;opacity:.85}\
.l0{stroke:#334e68}.l1{stroke:#9fb3c8}.l2{stroke:#18794e}.l3{stroke:#c0262d}\
.t1{fill:#7b8794}.t2{fill:#18794e}.t3{fill:#c0262d}\
.h0{fill:#334e68}.h1{fill:#9fb3c8}.h2{fill:#18794e}.h3{fill:#c0262d}";

/// The exchange as an SVG image.
#[must_use]
pub fn svg(recording: &Recording) -> String {
    let rows = rows(recording);
    let height = TOP + ROW * rows.len() + 24;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n<title>Sequence diagram of a recorded session</title>\n\
         <style>{STYLE}</style>\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (x, name) in X.iter().zip(COLUMNS) {
        let left = (x.saturating_sub(60)).min(WIDTH - 124);
        let _ = writeln!(
            out,
            "<rect class=\"head\" x=\"{left}\" y=\"12\" width=\"120\" height=\"28\" rx=\"5\"/>\
             <text class=\"name\" x=\"{}\" y=\"31\">{name}</text>\
             <line class=\"life\" x1=\"{x}\" x2=\"{x}\" y1=\"40\" y2=\"{}\"/>",
            left + 60,
            height - 8
        );
    }
    for (i, row) in rows.iter().enumerate() {
        draw(&mut out, row, TOP + i * ROW + 14);
    }
    out + "</svg>\n"
}

fn draw(out: &mut String, row: &Row, y: usize) {
    if let Some(at) = row.at {
        let _ = writeln!(out, "<text class=\"time\" x=\"{}\" y=\"{}\">{}</text>", X[0] - 10, y + 4, seconds(at));
    }
    let tone = match row.tone {
        Tone::Plain => 0,
        Tone::Quiet => 1,
        Tone::Good => 2,
        Tone::Bad => 3,
    };
    match row.shape {
        Shape::Arrow(from, to) => {
            let (x1, x2) = (X[from], X[to]);
            // The tip ends at the life line.
            let (stop, back) = if x2 > x1 { (x2 - 1, x2 - 9) } else { (x2 + 1, x2 + 9) };
            let _ = writeln!(
                out,
                "<line class=\"l{tone}\" x1=\"{x1}\" x2=\"{back}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <path class=\"h{tone}\" d=\"M{stop} {y}L{back} {}V{}Z\"/>\
                 <text class=\"t{tone}\" x=\"{}\" y=\"{}\">{}</text>",
                y - 4,
                y + 4,
                x1.min(x2) + 14,
                y - 5,
                escaped(&cut(&row.label, MOST))
            );
        }
        Shape::Note => note(out, X[SESSION] + 10, y, tone, &cut(&row.label, MOST)),
        Shape::Break => {
            let _ = writeln!(
                out,
                "<line class=\"l{tone}\" stroke-dasharray=\"2 4\" x1=\"{}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>",
                X[0], X[2]
            );
            note(out, X[0] + 14, y, tone, &row.label);
        }
    }
}

fn note(out: &mut String, x: usize, y: usize, tone: usize, label: &str) {
    let width = 8 + 8 * label.chars().count();
    let _ = writeln!(
        out,
        "<rect class=\"back\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"18\"/>\
         <text class=\"t{tone}\" x=\"{x}\" y=\"{}\">{}</text>",
        x - 4,
        y - 9,
        y + 4,
        escaped(label)
    );
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // XML has no control characters at all.
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
