//! Standard output: a terminal with a status line, or lines for other programs.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Instant;

use super::paint::{Painter, Status, fitted};
use crate::terminal;

/// What stands before a line on a terminal, 8 columns wide.
pub type Time = fn() -> String;

/// Standard output of the program.
#[derive(Debug)]
pub(super) struct Screen {
    is_json: bool,
    began: Instant,
    time: Option<Time>,
    /// If it is a terminal and the lines are for people.
    painter: Option<Painter>,
    has_failed: bool,
}

impl Screen {
    pub(super) fn new(is_json: bool, began: Instant, time: Option<Time>) -> Self {
        let painter = (!is_json && io::stdout().is_terminal()).then(|| Painter::new(has_colours()));
        Self { is_json, began, time, painter, has_failed: false }
    }

    /// Whether there is a status line: on a terminal that can move its cursor and knows its width.
    pub(super) fn has_status(&self) -> bool {
        self.painter.is_some() && !is_dumb() && width().is_some()
    }

    pub(super) const fn has_failed(&self) -> bool {
        self.has_failed
    }

    pub(super) fn line(&mut self, line: &str) -> io::Result<()> {
        let seconds = || format!("{:>6.1} s", self.began.elapsed().as_secs_f64());
        if self.is_json {
            return self.write(&format!("{line}\n"));
        }
        let Some(painter) = &mut self.painter else {
            let line = format!("{}  {line}\n", seconds());
            return self.write(&line);
        };
        let time = self.time.map_or_else(seconds, |time| time());
        let text = painter.event(line, &time, width());
        self.write(&text)
    }

    pub(super) fn paragraph(&mut self, text: &str) -> io::Result<()> {
        let text = match &mut self.painter {
            Some(painter) => painter.paragraph(text, width()),
            None => format!("\n{text}\n"),
        };
        self.write(&text)
    }

    pub(super) fn status(&mut self, status: Option<Status>) -> io::Result<()> {
        let Some(painter) = &mut self.painter else { return Ok(()) };
        let text = painter.status(status, width());
        self.write(&text)
    }

    /// Something else may be written to the terminal meanwhile.
    pub(super) fn aside(&mut self, write: impl FnOnce()) {
        let status =
            self.painter.as_ref().map(|painter| painter.drawn().to_owned()).filter(|status| !status.is_empty());
        if status.is_some() {
            terminal::clear();
        }
        write();
        if let Some(status) = status {
            // That it cannot be written the next line finds out.
            let _ = self.write(&status);
        }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        let written = match &self.painter {
            Some(painter) => terminal::show(text, painter.drawn()),
            None => {
                let mut out = io::stdout().lock();
                out.write_all(text.as_bytes()).and_then(|()| out.flush())
            }
        };
        self.has_failed |= written.is_err();
        written
    }
}

/// From now on complaints on a terminal are broken so that they fit.
pub fn fit_complaints() {
    terminal::fit_complaints(|line| fitted(line, 2, width_of(&io::stderr())));
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term == "dumb")
}

/// See <https://no-color.org>.
fn has_colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && !is_dumb()
}

/// Columns of the terminal that standard output is; those of the environment if they are fewer, or all that is known.
fn width() -> Option<usize> {
    width_of(&io::stdout())
}

#[cfg(unix)]
fn width_of(stream: &impl std::os::fd::AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok();
    let of_terminal = size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
    [of_terminal, of_environment()].into_iter().flatten().min()
}

/// The status line needs more than the width there.
#[cfg(not(unix))]
fn width_of<T>(_: &T) -> Option<usize> {
    None
}

#[cfg(unix)]
fn of_environment() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|width| *width > 0)
}
