//! The program that replays what a flight recorder kept, and draws it.

mod diagram;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use ringcentral_ws_core::recorder::{Recording, ReplayError};

pub use self::diagram::{Glyphs, svg, text};
use crate::terminal::complain;

/// Exit status at the first difference, or when there is nothing to replay.
const DIFFERS: u8 = 1;
/// Exit status for bad usage, a file that cannot be read, or one that is no recording.
const USAGE: u8 = 2;

const HELP: &str = "\
Replays a recording of the flight recorder into a session and compares every output, and draws the exchange.

Usage: {name} [--diagram] [--ascii] [--width N] [--svg OUT] FILE

  FILE        what `flight_record()` gave, or the option `--record FILE` wrote; `-` is stdin
  --diagram   print a sequence diagram: application, session, server
  --ascii     the same without box drawing
  --width N   width of a line of the diagram (default 150, at least 80)
  --svg OUT   write the diagram as an SVG image

The recording should come from this version of the library: another one may rightly do otherwise.

Exit status: 0 when the session did what was recorded, 1 at the first difference or when there is nothing to replay,
2 for bad usage, a file that cannot be read, or one that is no recording.
";

/// What to do with a recording.
#[derive(Debug)]
pub struct Options {
    /// The file; `-` is stdin.
    pub file: PathBuf,
    /// How to draw it on stdout, if at all.
    pub glyphs: Option<Glyphs>,
    /// Characters of a line of the drawing.
    pub width: usize,
    /// Where the drawing goes as an SVG image.
    pub svg: Option<PathBuf>,
}

/// Characters of a line of the drawing, if nothing else is said.
pub const WIDTH: usize = 150;

/// Runs the program; `args` are without its name. Returns the exit status.
pub fn run(name: &str, args: impl IntoIterator<Item = OsString>) -> u8 {
    match parse(args) {
        Ok(Some(options)) => replay(name, &options),
        Ok(None) => u8::from(io::stdout().write_all(HELP.replace("{name}", name).as_bytes()).is_err()),
        Err(why) => {
            complain(name, &format!("{why}; --help shows what there is"));
            USAGE
        }
    }
}

fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, lexopt::Error> {
    let (mut file, mut glyphs, mut width, mut svg) = (None, None, WIDTH, None);
    let mut parser = lexopt::Parser::from_args(args);
    while let Some(arg) = parser.next()? {
        match arg {
            Long("diagram") => drop(glyphs.get_or_insert(Glyphs::UTF8)),
            Long("ascii") => glyphs = Some(Glyphs::ASCII),
            Long("width") => width = parser.value()?.parse()?,
            Long("svg") => svg = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            Value(name) if file.is_none() => file = Some(name.into()),
            other => return Err(other.unexpected()),
        }
    }
    let file = file.ok_or("which FILE?")?;
    Ok(Some(Options { file, glyphs, width, svg }))
}

/// Replays and draws a recording, as `options` say. Returns the exit status.
#[must_use]
pub fn replay(name: &str, options: &Options) -> u8 {
    let recording = match read(&options.file).and_then(|recording| draw(options, &recording).map(|()| recording)) {
        Ok(recording) => recording,
        Err(why) => {
            complain(name, &why);
            return USAGE;
        }
    };
    let own = env!("CARGO_PKG_VERSION");
    if recording.version() != own {
        complain(name, &format!("recorded by version {}, replayed by {own}", recording.version()));
    }
    // Output by hand: a closed pipe must not be a panic.
    let mut out = io::stdout().lock();
    match recording.replay() {
        Ok(done) => {
            let _ = writeln!(
                out,
                "same outputs: {} inputs, {} outputs, {} checkpoints",
                done.inputs, done.outputs, done.checkpoints
            );
            if done.skipped > 0 {
                let _ = writeln!(out, "{} lines came before the first checkpoint, or after a gap", done.skipped);
            }
            0
        }
        Err(error) => {
            let _ = writeln!(out, "{error}");
            if let ReplayError::Differs { .. } = error {
                let _ = writeln!(out, "(the first difference; what follows was not compared)");
            }
            DIFFERS
        }
    }
}

fn read(file: &Path) -> Result<Recording, String> {
    let (name, bytes) = if file.as_os_str() == "-" {
        ("stdin".to_owned(), io::read_to_string(io::stdin()).map(String::into_bytes))
    } else {
        (file.display().to_string(), std::fs::read(file))
    };
    let bytes = bytes.map_err(|error| format!("{name}: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{name}: not UTF-8, so no recording"))?;
    Recording::parse(&text).map_err(|error| format!("{name}: {error}"))
}

/// Draws what was asked for.
fn draw(options: &Options, recording: &Recording) -> Result<(), String> {
    if let Some(out) = &options.svg {
        std::fs::write(out, svg(recording)).map_err(|error| format!("{}: {error}", out.display()))?;
    }
    if let Some(glyphs) = options.glyphs {
        // A pager that was closed is no failure.
        let _ = io::stdout().write_all(text(recording, glyphs, options.width).as_bytes());
    }
    Ok(())
}
