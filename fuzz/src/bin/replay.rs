//! Replays what a flight recorder kept; see `--help`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use ringcentral_ws_core::recorder::{Recording, ReplayError};
use ringcentral_ws_fuzz::{Glyphs, cli, svg, text};

const HELP: &str = "\
Replays a recording of the flight recorder into a session and compares every output, and draws the exchange.

usage: replay [--diagram] [--ascii] [--width N] [--svg OUT] FILE

  FILE        what `flight_record()` gave, or `watch --record FILE` wrote; `-` is stdin
  --diagram   print a sequence diagram: application, session, server
  --ascii     the same without box drawing
  --width N   width of a line of the diagram (default 150, at least 80)
  --svg OUT   write the diagram as an SVG image

The recording should come from this version of the library: another one may rightly do otherwise.

Exit status: 0 when the session did what was recorded, 1 at the first difference or when there is nothing to replay,
2 for bad usage, a file that cannot be read, or one that is no recording.
";

#[derive(Default)]
struct Options {
    file: Option<PathBuf>,
    glyphs: Option<Glyphs>,
    width: usize,
    svg: Option<PathBuf>,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options { width: 150, ..Options::default() };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("diagram") => drop(options.glyphs.get_or_insert(Glyphs::UTF8)),
            Long("ascii") => options.glyphs = Some(Glyphs::ASCII),
            Long("width") => options.width = parser.value()?.parse()?,
            Long("svg") => options.svg = Some(parser.value()?.into()),
            Long("help") | Short('h') => return Ok(None),
            Value(file) if options.file.is_none() => options.file = Some(file.into()),
            other => return Err(other.unexpected()),
        }
    }
    if options.file.is_none() {
        return Err("which FILE?".into());
    }
    Ok(Some(options))
}

fn read(options: &Options) -> Result<Recording, String> {
    let file = options.file.clone().unwrap_or_default();
    let (name, bytes) = if file.as_os_str() == "-" {
        ("stdin".to_owned(), io::read_to_string(io::stdin()).map(String::into_bytes))
    } else {
        (file.display().to_string(), std::fs::read(&file))
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

fn main() -> ExitCode {
    let options = match cli::options(HELP, options) {
        Ok(options) => options,
        Err(end) => return end,
    };
    let recording = match read(&options).and_then(|recording| draw(&options, &recording).map(|()| recording)) {
        Ok(recording) => recording,
        Err(why) => {
            eprintln!("replay: {why}");
            return ExitCode::from(2);
        }
    };
    let own = env!("CARGO_PKG_VERSION");
    if recording.version() != own {
        eprintln!("replay: recorded by version {}, replayed by {own}", recording.version());
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
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(out, "{error}");
            if let ReplayError::Differs { .. } = error {
                let _ = writeln!(out, "(the first difference; what follows was not compared)");
            }
            ExitCode::FAILURE
        }
    }
}
