//! `tail`: the program `watch`, which the examples of the runtimes are too.

use jiff::ZonedDateTime;
use ringcentral_ws_adapter::watch::{USAGE, complain};
use ringcentral_ws_driver::watch::{Host, run_with, start_runtime};
use ringcentral_ws_tokio::Tokio;

use crate::args::TailArgs;
use crate::demo;

const NAME: &str = "ringcentral-ws tail";

/// Runs it to its end, and returns the exit status.
pub(crate) fn run(args: TailArgs) -> u8 {
    let options = match args.options().checked() {
        Ok(options) => options,
        Err(why) => return complain(NAME, &why, USAGE),
    };
    let runtime = start_runtime(NAME, || tokio::runtime::Builder::new_multi_thread().enable_all().build());
    let host = Host { name: NAME, runtime: Tokio, demo: Box::new(demo::start) };
    runtime.map_or_else(|status| status, |runtime| runtime.block_on(run_with(host, options, Some(time))))
}

/// The local time.
fn time() -> String {
    ZonedDateTime::now().strftime("%H:%M:%S").to_string()
}
