//! A flood of commands against the stand-in.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringcentral_ws_blocking::{Body, Client, ClientApp, Close, Config, Event, Events, Filter, Jwt, http};
use ringcentral_ws_gateway::{Server, ServerConfig};

/// Nothing here takes this long; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(20);

fn comes(events: &mut Events, wanted: fn(&Event) -> bool) -> bool {
    while let Ok(Some(event)) = events.next_timeout(DEADLINE) {
        if wanted(&event) {
            return true;
        }
    }
    false
}

// CLAUSE HB-3 FRM-4
#[test]
fn a_flood_of_commands_does_not_keep_the_socket_from_its_turn() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let url = server.http_url().parse().unwrap();
    let app = ClientApp { server: url, client_id: app.client_id, client_secret: Some(app.client_secret.into()) };
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let (client, mut events) =
        Client::builder(Jwt::new(app, jwt)).config(config).filters([Filter::sms()]).start().unwrap();
    assert!(comes(&mut events, |event| matches!(event, Event::Subscribed(_))));
    // It is refused, but only after it was read to its end: the callers are faster than the thread that reads it.
    let body = Body::from(format!("{{\"a\":\"{}", "x".repeat(256 << 10)));
    let over = AtomicBool::new(false);
    let came = std::thread::scope(|scope| {
        let flood = || {
            let mut pending = Vec::new();
            while !over.load(Ordering::SeqCst) {
                pending.push(client.start_request(http::Request::post("/restapi/v1.0/a").body(body.clone()).unwrap()));
            }
        };
        (0..2).for_each(|_| drop(scope.spawn(flood)));
        // More than a queue is taken meanwhile.
        for _ in 0..3 {
            let last = client.start_request(http::Request::post("/restapi/v1.0/a").body(body.clone()).unwrap());
            assert!(last.wait().is_err());
        }
        server.receive_sms(0, "+1", "hello");
        let came = comes(&mut events, |event| matches!(event, Event::Notification(_)));
        over.store(true, Ordering::SeqCst);
        came
    });
    assert!(came, "the socket is never read");
    client.close(Close::Revoke);
}
