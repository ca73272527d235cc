//! A program that links both crypto providers, and a server whose certificate comes from an authority of its own.

use std::time::Duration;

use ringcentral_ws_api::{ClientApp, Filter};
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_core::{Body, Close, Event};
use ringcentral_ws_driver::rustls::crypto::CryptoProvider;
use ringcentral_ws_driver::{Builder, Provider, Runtime, TlsSettings, default_tls};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_tokio::Tokio;

fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

fn settings(server: &Server) -> TlsSettings {
    TlsSettings::new().trust_pem(server.ca_pem().expect("it has TLS").as_bytes()).unwrap()
}

async fn on_tokio(server: &Server, provider: Provider) {
    let (app, jwt) = app(server);
    let tls = settings(server).provider(provider).build().unwrap();
    let login = ringcentral_ws_driver::Jwt::new(app, jwt);
    let (client, mut events) = Builder::new(Tokio, login).filters([Filter::sms()]).tls(tls).start().unwrap();
    let limit = Tokio.sleep(DEADLINE);
    let seen = async {
        while let Some(event) = events.next().await {
            match event {
                Event::Subscribed(_) => drop(server.receive_sms(0, "+1", "hello")),
                Event::Notification(_) => return true,
                Event::Retry { cause, .. } => panic!("{cause}"),
                _ => {}
            }
        }
        false
    };
    tokio::select! { seen = seen => assert!(seen), () = limit => panic!("nothing came") }
    let get = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    assert_eq!(client.request(get).await.unwrap().status(), 200);
    client.close(Close::Revoke).await;
}

fn on_threads(server: &Server, provider: ringcentral_ws_blocking::Provider) {
    let (app, jwt) = app(server);
    let tls = settings(server).provider(provider).build().unwrap();
    let login = ringcentral_ws_blocking::Jwt::new(app, jwt);
    let builder = ringcentral_ws_blocking::Client::builder(login).filters([Filter::sms()]).tls(tls);
    let (client, mut events) = builder.start().unwrap();
    loop {
        match events.next_timeout(DEADLINE).unwrap().expect("it goes on") {
            Event::Subscribed(_) => drop(server.receive_sms(0, "+1", "hello")),
            Event::Notification(_) => break,
            Event::Retry { cause, .. } => panic!("{cause}"),
            _ => {}
        }
    }
    let get = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    assert_eq!(client.request(get).unwrap().status(), 200);
    client.close(Close::Revoke);
}

fn made_by(settings: TlsSettings) -> String {
    format!("{:?}", settings.build().unwrap().crypto_provider().secure_random)
}

// CLAUSE SEC-2
#[test]
fn both_providers_work_in_one_program() {
    assert_eq!(made_by(TlsSettings::new()), made_by(TlsSettings::new().provider(Provider::Ring)), "ring comes first");
    assert_ne!(made_by(TlsSettings::new()), made_by(TlsSettings::new().provider(Provider::AwsLcRs)));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    for provider in [Provider::Ring, Provider::AwsLcRs] {
        runtime.block_on(on_tokio(&server, provider));
        on_threads(&server, provider);
    }
    assert!(CryptoProvider::get_default().is_none(), "the process default is still for others to choose");
    // Whom to trust was said by the private authority alone.
    let (app, jwt) = app(&server);
    let builder = ringcentral_ws_blocking::Client::builder(ringcentral_ws_blocking::Jwt::new(app, jwt));
    let (_client, mut events) = builder.tls(default_tls().unwrap()).start().unwrap();
    let cause = loop {
        if let Event::Retry { cause, .. } = events.next_timeout(DEADLINE).unwrap().expect("it goes on") {
            break cause.to_string();
        }
    };
    assert!(cause.contains("certificate"), "{cause}");
    runtime.shutdown_timeout(Duration::from_secs(5));
}
