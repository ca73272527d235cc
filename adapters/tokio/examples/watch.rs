//! Shows RingCentral notifications as they come; `--help` tells more. Without credentials in the environment it plays
//! a demonstration on a server in this process.

use std::process::ExitCode;

use ringcentral_ws_driver::ClientApp;
use ringcentral_ws_driver::Secret;
use ringcentral_ws_driver::watch::{DemoServer, Host, Step, interrupted, run, start_runtime};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_tokio::{Jwt, Tokio};

/// The program's name.
const NAME: &str = "watch";

fn main() -> ExitCode {
    let runtime = start_runtime(NAME, || tokio::runtime::Builder::new_multi_thread().enable_all().build());
    runtime.map_or_else(ExitCode::from, |runtime| runtime.block_on(watch()))
}

async fn watch() -> ExitCode {
    // On a thread of its own: a stream that nobody reads may stop those of the runtime.
    let (interrupts, receiver) = tokio::sync::oneshot::channel();
    let mut interrupts = Some(interrupts);
    let handler = ctrlc::set_handler(move || {
        interrupted(NAME);
        let _ = interrupts.take().map(|interrupts| interrupts.send(()));
    });
    let interrupt = async move {
        if handler.is_err() || receiver.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let host = Host {
        name: NAME,
        runtime: Tokio,
        interrupt: Box::pin(interrupt),
        demo: Box::new(|| Box::pin(async { start_demo().map_err(|error| error.to_string()) })),
    };
    ExitCode::from(run(host, std::env::args_os().skip(1)).await)
}

fn start_demo() -> Result<DemoServer, Box<dyn std::error::Error>> {
    let server = Server::start(ServerConfig::default())?;
    let (app, jwt) = server.with_gateway(|gateway, _| {
        let config = gateway.config();
        (config.app.clone(), config.users[0].jwt.clone())
    });
    let app = ClientApp {
        server: server.http_url().parse()?,
        client_id: app.client_id,
        client_secret: Some(Secret::new(app.client_secret)),
    };
    let perform = move |step| match step {
        Step::Sms(text) => drop(server.receive_sms(0, "+16505550100", text)),
        Step::Cut => server.drop_connections(),
        Step::Restart => server.restart(),
    };
    Ok(DemoServer { credentials: Jwt::new(app, jwt), perform: Box::new(perform) })
}
