//! A stand-in server and a client for it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use ringcentral_ws_blocking::ClientApp;
use ringcentral_ws_blocking::{Body, Builder, Client, Event, Events, Filter, Jwt, TlsSettings, http};
use ringcentral_ws_gateway::{Server, ServerConfig};

/// Nothing here takes this long; it only turns a hang into a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

pub(crate) fn builder(server: &Server) -> Builder {
    let (app, jwt) = app(server);
    Client::builder(Jwt::new(app, jwt)).filters([Filter::sms()])
}

/// A server with TLS, and a client that trusts its certificate authority.
pub(crate) fn tls_server() -> (Server, Builder) {
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    let tls = TlsSettings::new().trust(server.ca_der().unwrap().to_vec()).build().unwrap();
    let builder = builder(&server).tls(tls);
    (server, builder)
}

pub(crate) fn get(path: &str) -> http::Request<Body> {
    http::Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) fn until<T>(events: &mut Events, mut found: impl FnMut(&Event) -> Option<T>) -> T {
    loop {
        let event = events.next_timeout(DEADLINE).expect("an event").expect("it goes on");
        if let Some(found) = found(&event) {
            return found;
        }
    }
}

pub(crate) fn subscribed(events: &mut Events) {
    until(events, |event| matches!(event, Event::Subscribed(_)).then_some(()));
}
