//! Shows RingCentral notifications as they come; `--help` says more. Without credentials in the environment it plays
//! a demonstration on a server in this process.

use std::process::ExitCode;

use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_conformance::demo;
use ringcentral_ws_driver::watch::{Host, run, start_runtime};

/// The program's name.
const NAME: &str = "watch-async-std";

fn main() -> ExitCode {
    // The runtime makes itself when it is used first.
    if let Err(status) = start_runtime(NAME, || Ok(())) {
        return ExitCode::from(status);
    }
    let host = Host { name: NAME, runtime: AsyncStd, demo: Box::new(demo::start) };
    ExitCode::from(async_std::task::block_on(run(host, std::env::args_os().skip(1))))
}
