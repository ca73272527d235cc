#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod args;
mod demo;
mod doctor;
mod login;
mod tail;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use ringcentral_ws_adapter::replay;
use ringcentral_ws_adapter::terminal::complain;
use ringcentral_ws_adapter::watch::interrupt::on_interrupt;
use ringcentral_ws_adapter::watch::{FAILED, USAGE};

use self::args::{Args, Command, ReplayArgs};

/// The command's name.
pub(crate) const NAME: &str = "ringcentral-ws";

/// Runs the command. `args` begin with the program's name.
///
/// Returns the exit status: 0 after an orderly end, 1 when something failed for good, 2 for bad usage, and for `doctor`
/// 128 and the number of the signal that interrupted it.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => return ExitCode::from(shown(&error)),
    };
    match args.command {
        Command::Tail(args) => ExitCode::from(tail::run(args)),
        Command::Login(args) => ExitCode::from(login::run(&args)),
        Command::Doctor(args) => ExitCode::from(doctor::run(args)),
        Command::Replay(args) => ExitCode::from(replayed(args)),
        Command::StandIn { args } => stand_in(args),
        Command::Completions { shell } => ExitCode::from(completions(shell)),
        Command::Man => ExitCode::from(manual()),
    }
}

/// Help and version go to stdout; a mistake goes to stderr in one line, as those of all commands here.
fn shown(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        return u8::from(write!(io::stdout(), "{error}").is_err());
    }
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = write!(io::stderr(), "{error}");
        return USAGE;
    }
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let reason = lines.iter().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let reason: Vec<&str> = reason.map(|line| line.trim_start_matches("error: ")).collect();
    complain(NAME, &format!("{}; --help shows what there is", reason.join(" ")));
    USAGE
}

/// The first process of a container gets only signals that it handles, so the end is asked for here.
fn stand_in(args: Vec<OsString>) -> ExitCode {
    const NAME: &str = "ringcentral-ws stand-in";
    on_interrupt(NAME, || std::process::exit(0));
    ringcentral_ws_gateway::program(NAME, args)
}

fn replayed(args: ReplayArgs) -> u8 {
    let glyphs = match (args.diagram, args.ascii) {
        (_, true) => Some(replay::Glyphs::ASCII),
        (true, false) => Some(replay::Glyphs::UTF8),
        (false, false) => None,
    };
    let options = replay::Options { file: args.file, glyphs, width: args.width, svg: args.svg };
    replay::replay("ringcentral-ws replay", &options)
}

fn completions(shell: clap_complete::Shell) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), NAME, &mut script);
    written(&script)
}

fn manual() -> u8 {
    page().map_or(FAILED, |page| written(&page))
}

/// One page for all: the command's, then the sections of each of its commands.
fn page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    let mut command = Args::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands() {
        writeln!(page, ".SH \"COMMAND {}\"", sub.get_name().to_uppercase())?;
        let sub = clap_mangen::Man::new(sub.clone());
        sub.render_synopsis_section(&mut page)?;
        sub.render_description_section(&mut page)?;
        sub.render_options_section(&mut page)?;
        sub.render_extra_section(&mut page)?;
    }
    Ok(page)
}

fn written(text: &[u8]) -> u8 {
    if io::stdout().write_all(text).is_ok() { 0 } else { FAILED }
}
