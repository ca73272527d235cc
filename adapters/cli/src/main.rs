//! The command `ringcentral-ws`; `--help` says more.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringcentral_ws_cli::main(std::env::args_os())
}
