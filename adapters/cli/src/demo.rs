//! The server of the demonstration, and of other trials: the stand-in, in this process.

use ringcentral_ws_adapter::watch::demo::{DemoServer, Step};
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_core::Secret;
use ringcentral_ws_gateway::{Server, ServerConfig};

/// Starts a server for the demonstration.
///
/// # Errors
///
/// One line.
pub(crate) fn start() -> Result<DemoServer, String> {
    let server = Server::start(ServerConfig::default()).map_err(|error| error.to_string())?;
    let (app, jwt) = (app_of(&server)?, Secret::new(server.jwt(0)));
    let perform = move |step| match step {
        Step::Sms(text) => drop(server.receive_sms(0, "+16505550100", text)),
        Step::Cut => server.drop_connections(),
        Step::Restart => server.restart(),
    };
    Ok(DemoServer { app, jwt, perform: Box::new(perform) })
}

/// The app that a stand-in knows.
///
/// # Errors
///
/// One line.
pub(crate) fn app_of(server: &Server) -> Result<ClientApp, String> {
    Ok(ClientApp {
        server: server.http_url().parse().map_err(|error| format!("{error}"))?,
        client_id: server.client_id(),
        client_secret: Some(Secret::new(server.client_secret())),
    })
}
