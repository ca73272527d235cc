//! Shows RingCentral notifications as they come; `--help` tells more. Without credentials in the environment it plays
//! a demonstration on a server in this process.

use std::process::ExitCode;

use ringcentral_ws_async_std::{AsyncStd, Jwt};
use ringcentral_ws_driver::ClientApp;
use ringcentral_ws_driver::Secret;
use ringcentral_ws_driver::watch::{DemoServer, Host, Step, interrupted, run, start_runtime};
use ringcentral_ws_gateway::{Server, ServerConfig};

/// The program's name.
const NAME: &str = "watch-async-std";

fn main() -> ExitCode {
    // The runtime makes itself when it is used first.
    if let Err(status) = start_runtime(NAME, || Ok(())) {
        return ExitCode::from(status);
    }
    let (interrupts, receiver) = async_channel::bounded(1);
    let handler = ctrlc::set_handler(move || {
        interrupted(NAME);
        let _ = interrupts.try_send(());
    });
    let interrupt = async move {
        if handler.is_err() || receiver.recv().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let host = Host {
        name: NAME,
        runtime: AsyncStd,
        interrupt: Box::pin(interrupt),
        demo: Box::new(|| Box::pin(async { start_demo().map_err(|error| error.to_string()) })),
    };
    ExitCode::from(async_std::task::block_on(run(host, std::env::args_os().skip(1))))
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
