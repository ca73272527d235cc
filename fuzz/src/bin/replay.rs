//! Replays what a flight recorder kept; see `--help`. The same as `ringcentral-ws replay`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(ringcentral_ws_adapter::replay::run("replay", std::env::args_os().skip(1)))
}
