//! A recording as a sequence diagram: application, session, server. As text or as SVG.

mod label;
mod svg;
mod text;

use ringcentral_ws_core::Timestamp;
use ringcentral_ws_core::recorder::{EntryKind, Recording};

pub use self::svg::svg;
pub use self::text::{Glyphs, text};

/// Who takes part, from left to right.
pub(crate) const COLUMNS: [&str; 3] = ["application", "session", "server"];
const APP: usize = 0;
const SESSION: usize = 1;
const SERVER: usize = 2;

/// How a row is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Quiet,
    Good,
    Bad,
}

/// What a row shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// From one column to a neighbour.
    Arrow(usize, usize),
    /// Beside the session.
    Note,
    /// Lines are missing here.
    Break,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    /// The time, where it is another than in the row above.
    pub(crate) at: Option<Timestamp>,
    pub(crate) shape: Shape,
    pub(crate) label: String,
    pub(crate) tone: Tone,
}

/// The rows of a recording: heartbeats that were answered one after the other are one row, waits are none.
pub(crate) fn rows(recording: &Recording) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut now, mut shown) = (None, None);
    for entry in recording.entries() {
        if let EntryKind::Input(at) = entry.kind {
            now = Some(at);
        }
        let Some((shape, label, tone)) = label::row(entry) else { continue };
        let at = now.filter(|_| shape != Shape::Break && now != shown);
        shown = now;
        rows.push(Row { at, shape, label, tone });
    }
    fold_heartbeats(rows)
}

fn is(row: &Row, shape: &Shape, label: &str) -> bool {
    row.shape == *shape && row.label == label
}

/// `timer`, the heartbeat, and its echo: the routine of a quiet connection.
fn fold_heartbeats(rows: Vec<Row>) -> Vec<Row> {
    let mut folded: Vec<Row> = Vec::with_capacity(rows.len());
    let (mut i, mut count) = (0, 0);
    while i < rows.len() {
        let from = i + usize::from(is(&rows[i], &Shape::Note, label::TIMER));
        let beat = rows.get(from).is_some_and(|row| is(row, &Shape::Arrow(SESSION, SERVER), label::HEARTBEAT))
            && rows.get(from + 1).is_some_and(|row| is(row, &Shape::Arrow(SERVER, SESSION), label::HEARTBEAT));
        if !beat {
            (count, i) = (0, i + 1);
            folded.push(rows[i - 1].clone());
            continue;
        }
        count += 1;
        if count > 1 {
            folded.pop();
        }
        let at = rows[i].at.or(rows[from].at);
        let label = if count == 1 { "heartbeat, answered".to_owned() } else { format!("{count} heartbeats, answered") };
        folded.push(Row { at, shape: Shape::Note, label, tone: Tone::Quiet });
        i = from + 2;
    }
    folded
}

/// Seconds with three decimals.
pub(crate) fn seconds(at: Timestamp) -> String {
    let millis = at.as_micros() / 1_000;
    format!("{}.{:03}", millis / 1_000, millis % 1_000)
}

/// At most this many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}
