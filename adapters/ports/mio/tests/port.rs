//! The worked example at work: subscribe, receive, lose the connection, recover, call, close.

use std::time::Duration;

use ringcentral_ws_api::ClientApp;
use ringcentral_ws_core::{Body, Close, Config, Event, Filters, RequestOutcome, RetryPolicy};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_port_mio::Port;

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

#[test]
fn the_worked_example_works() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let app = ClientApp {
        server: server.http_url().parse().unwrap(),
        client_id: app.client_id,
        client_secret: Some(app.client_secret.into()),
    };
    let retry = RetryPolicy { socket_lost: Duration::from_millis(50), ..RetryPolicy::default() };
    let mut port = Port::new(app, jwt.into(), Config { retry, ..Config::default() }, 7).unwrap();
    let now = port.now();
    port.session.subscribe(Filters::new([SMS]).unwrap(), now).unwrap();
    port.session.connect(now).unwrap();

    let mut received = Vec::new();
    let mut on_event = |port: &mut Port, event: Event| {
        let now = port.now();
        received.push(match event {
            Event::Connected { resumption, .. } => format!("connected {}", resumption.as_str()),
            Event::Subscribed(_) => {
                server.receive_sms(0, "+16505550100", "one");
                "subscribed".to_owned()
            }
            Event::Notification(n) => {
                let subject = n.parse::<serde_json::Value>().unwrap()["subject"].as_str().unwrap().to_owned();
                if subject == "one" {
                    server.drop_connections();
                    server.receive_sms(0, "+16505550100", "two");
                } else {
                    let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
                    port.session.request(request, now).unwrap();
                }
                subject
            }
            Event::Disconnected { cause, .. } => format!("disconnected {}", cause.as_str()),
            Event::Recovered { .. } => "recovered".to_owned(),
            Event::Response { outcome: RequestOutcome::Response { response, .. }, .. } => {
                port.session.close(Close::Revoke, now).unwrap();
                format!("response {}", response.status().as_u16())
            }
            Event::Closed { reason } => format!("closed {reason:?}"),
            Event::SnapshotChanged => return,
            other => panic!("{other:?}"),
        });
    };
    while port.turn(&mut on_event).unwrap() {}
    let expected = [
        "connected fresh",
        "subscribed",
        "one",
        "disconnected socket_lost",
        "connected recovered",
        "recovered",
        "two",
        "response 200",
        "disconnected closed",
        "closed Revoked",
    ];
    assert_eq!(received, expected);
}
