//! The port in a browser: builds the module, serves the demo page and a stand-in for RingCentral's servers on the
//! loopback interface. With `--check` it drives the page in a headless Chromium and says whether all is well.

mod backend;
mod check;
/// That of the stand-in's status page.
#[allow(dead_code, reason = "each has its part")]
#[path = "../../../../../gateway/examples/status-page/chromium.rs"]
mod chromium;
mod pages;

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::Value;
use tungstenite as ws;

/// What the examples here report: one line for people.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "\
Builds the WebAssembly module and serves the demo page on the loopback interface.

Usage: browser-demo [--port N] [--check [--chromium PROGRAM]]

  --port N            port of the page [any free port]
  --check             drive the page in a headless Chromium, then end
  --chromium PROGRAM  the browser to use [chromium]";

struct Options {
    port: u16,
    check: bool,
    chromium: PathBuf,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("browser-demo: {why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("browser-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> std::result::Result<Option<Options>, String> {
    let mut options = Options { port: 0, check: false, chromium: "chromium".into() };
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--port" => {
                let port = args.next().and_then(|port| port.parse().ok());
                options.port = port.ok_or("--port needs a number below 65536")?;
            }
            "--check" => options.check = true,
            "--chromium" => options.chromium = args.next().ok_or("--chromium needs a program")?.into(),
            "-h" | "--help" => return Ok(None),
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<()> {
    let module = std::fs::read(build()?)?;
    let mut config = ServerConfig::default();
    if options.check {
        // The check connects more often in a minute than a page does.
        config.gateway.ws_token.rate_limit = None;
    }
    let gateway = Arc::new(Server::start(config)?);
    let pages = pages::Pages::start(options.port, module, Arc::clone(&gateway))?;
    if options.check {
        return check::run(&options.chromium, &gateway, &pages.url());
    }
    println!("Open {} in a browser. Ctrl-C ends it.", pages.url());
    println!("The stand-in is {}.", gateway.http_url());
    loop {
        std::thread::park();
    }
}

/// Builds the module by the cargo that runs this, and returns where it is.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo)
        .args(["build", "--release", "--lib", "--target", "wasm32-unknown-unknown"])
        .args(["--package", env!("CARGO_PKG_NAME"), "--message-format", "json-render-diagnostics"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = build.stdout.take().ok_or("cargo has no output")?;
    let mut module = None;
    for message in serde_json::Deserializer::from_reader(BufReader::new(stdout)).into_iter::<Value>() {
        let message = message?;
        let files = message["filenames"].as_array().into_iter().flatten();
        let mut paths = files.filter_map(Value::as_str).filter(|file| file.ends_with(".wasm"));
        module = paths.next().map(|path| Path::new(path).to_path_buf()).or(module);
    }
    if !build.wait()?.success() {
        return Err("the module was not built; is the target there? `rustup target add wasm32-unknown-unknown`".into());
    }
    module.ok_or_else(|| "cargo built no module".into())
}
