//! Runs the stand-in as a program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringcentral_ws_gateway::program("ringcentral-ws-gateway", std::env::args_os().skip(1))
}
