//! The server of the `watch` programs' demonstration: the stand-in, in the same process.

use ringcentral_ws_adapter::watch::demo::{DemoServer, Step};
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_core::Secret;
use ringcentral_ws_gateway::{Server, ServerConfig};

/// Starts it.
///
/// # Errors
///
/// One line.
pub fn start() -> Result<DemoServer, String> {
    let server = Server::start(ServerConfig::default()).map_err(|error| error.to_string())?;
    let (app, jwt) = server.with_gateway(|gateway, _| {
        let config = gateway.config();
        (config.app.clone(), config.users[0].jwt.clone())
    });
    let app = ClientApp {
        server: server.http_url().parse().map_err(|error| format!("{error}"))?,
        client_id: app.client_id,
        client_secret: Some(Secret::new(app.client_secret)),
    };
    let perform = move |step| match step {
        Step::Sms(text) => drop(server.receive_sms(0, "+16505550100", text)),
        Step::Cut => server.drop_connections(),
        Step::Restart => server.restart(),
    };
    Ok(DemoServer { app, jwt: Secret::new(jwt), perform: Box::new(perform) })
}
