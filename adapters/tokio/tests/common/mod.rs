//! A stand-in server and a client for it.
#![allow(dead_code, reason = "each test file uses its part")]

use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};
use ringcentral_ws_tokio::ClientApp;
use ringcentral_ws_tokio::{Body, Builder, Client, Event, Events, Filter, Jwt, NotificationExt, Payload, http, rustls};

/// Nothing here takes this long; it only turns a hang into a failure.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits until something is so, while the tasks of this thread go on.
pub(crate) async fn until_so(what: &str, is_so: impl Fn() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(2));
    let looks = async {
        while !is_so() {
            look.tick().await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, looks).await.is_ok(), "in vain: {what}");
}

pub(crate) fn server() -> Server {
    server_with(GatewayConfig::default())
}

pub(crate) fn server_with(gateway: GatewayConfig) -> Server {
    Server::start(ServerConfig { gateway, ..ServerConfig::default() }).unwrap()
}

/// A server with TLS, and settings that trust its certificate authority alone.
pub(crate) fn tls_server(gateway: GatewayConfig) -> (Server, Arc<rustls::ClientConfig>) {
    let server = Server::start(ServerConfig { tls: true, gateway, ..ServerConfig::default() }).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from(server.ca_der().unwrap().to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    (server, Arc::new(tls.with_root_certificates(roots).with_no_client_auth()))
}

pub(crate) fn get(path: &str) -> http::Request<Body> {
    http::Request::get(path).body(Body::empty()).unwrap()
}

pub(crate) fn app(server: &Server) -> ClientApp {
    let client_secret = Some(server.client_secret().into());
    ClientApp { server: server.http_url().parse().unwrap(), client_id: server.client_id(), client_secret }
}

pub(crate) fn credentials(server: &Server) -> Jwt {
    Jwt::new(app(server), server.jwt(0))
}

pub(crate) use ringcentral_ws_conformance::settings::quick as config;

pub(crate) fn builder(server: &Server) -> Builder {
    Client::builder(credentials(server)).filters([Filter::sms()]).config(config())
}

/// Takes events up to the first for which `found` gives something.
pub(crate) async fn until<T>(events: &mut Events, mut found: impl FnMut(&Event) -> Option<T>) -> T {
    let search = async {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            if let Some(found) = found(&event) {
                return found;
            }
            seen.push(format!("{event:?}"));
        }
        panic!("the events ended after {seen:#?}");
    };
    tokio::time::timeout(DEADLINE, search).await.expect("an event")
}

pub(crate) async fn subscribed(events: &mut Events) -> String {
    until(events, |e| if let Event::Subscribed(info) = e { Some(info.server_id.to_string()) } else { None }).await
}

/// The text of the next SMS. A gap on the way is a failure.
pub(crate) async fn text(events: &mut Events) -> String {
    until(events, |e| match e {
        Event::Notification(n) => match n.payload() {
            Payload::InstantMessage(sms) => Some(sms.subject.unwrap()),
            other => panic!("{other:?}"),
        },
        Event::Gap(gap) => panic!("{gap:?}"),
        _ => None,
    })
    .await
}

pub(crate) async fn closed(events: &mut Events) -> String {
    let reason = until(events, |e| if let Event::Closed { reason } = e { Some(format!("{reason:?}")) } else { None });
    let reason = reason.await;
    assert!(tokio::time::timeout(DEADLINE, events.next()).await.expect("the end").is_none());
    reason
}
