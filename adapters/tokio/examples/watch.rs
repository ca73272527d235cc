//! Shows RingCentral notifications as they come; `--help` says more. Without credentials in the environment it plays
//! a demonstration on a server in this process.

use std::process::ExitCode;

use ringcentral_ws_conformance::demo;
use ringcentral_ws_driver::watch::{Host, run, start_runtime};
use ringcentral_ws_tokio::Tokio;

/// The program's name.
const NAME: &str = "watch";

fn main() -> ExitCode {
    let runtime = start_runtime(NAME, || tokio::runtime::Builder::new_multi_thread().enable_all().build());
    runtime.map_or_else(ExitCode::from, |runtime| runtime.block_on(watch()))
}

async fn watch() -> ExitCode {
    let host = Host { name: NAME, runtime: Tokio, demo: Box::new(demo::start) };
    ExitCode::from(run(host, std::env::args_os().skip(1)).await)
}
