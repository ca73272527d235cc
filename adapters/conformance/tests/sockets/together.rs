//! Several runtimes in one process, at once; futures dropped at any moment.

use crate::harness;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use harness::{TOKIO, wait_for};
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_core::{Body, Close, Config, Event};
use ringcentral_ws_driver::{Builder, Client, Events, Jwt, Runtime};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_smol::Smol;
use ringcentral_ws_tokio::Tokio;

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const PRESENCE: &str = "/restapi/v1.0/account/~/extension/~/presence";

fn login(server: &Server) -> Jwt {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    Jwt::new(ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

fn text(event: &Event) -> Option<String> {
    let Event::Notification(n) = event else { return None };
    let body: serde_json::Value = serde_json::from_str(n.body()).unwrap();
    body["subject"].as_str().map(str::to_owned)
}

async fn subscribed(events: &mut Events) {
    while let Some(event) = events.next().await {
        if matches!(event, Event::Subscribed(_)) {
            return;
        }
    }
    panic!("it ended");
}

/// One program that uses two runtimes: a client on each, one source of credentials, one server, both fed from either.
#[test]
fn two_runtimes_share_a_process() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let jwt = Arc::new(login(&server));
    let on_tokio = TOKIO.block_on(async { Builder::new(Tokio, Arc::clone(&jwt)).filters([SMS]).start() }).unwrap();
    let on_smol = Builder::new(Smol::default(), Arc::clone(&jwt)).filters([SMS]).start().unwrap();
    let ((first, mut ones), (second, mut others)) = (on_tokio, on_smol);
    // Handles and events may be used from any executor: only the driver's task needs its own.
    smol::block_on(subscribed(&mut ones));
    TOKIO.block_on(subscribed(&mut others));
    server.receive_sms(0, "+1", "both");
    for events in [&mut ones, &mut others] {
        smol::block_on(async { while text(&events.next().await.expect("it goes on")).is_none_or(|t| t != "both") {} });
    }
    let get = || http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    assert_eq!(smol::block_on(first.request(get())).unwrap().status(), 200);
    assert_eq!(TOKIO.block_on(second.request(get())).unwrap().status(), 200);
    smol::block_on(first.close(Close::Revoke));
    TOKIO.block_on(second.close(Close::Revoke));
    assert_eq!(server.observations().token_calls, 1, "one login served both");
}

/// Cut short at a random moment.
async fn hurried<R: Runtime, T>(runtime: &R, micros: u64, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    match select(work, runtime.sleep(Duration::from_micros(micros))).await {
        Either::Left((done, _)) => Some(done),
        Either::Right(_) => None,
    }
}

async fn futures_are_dropped<R: Runtime>(runtime: R) {
    const MESSAGES: usize = 60;
    let server = Server::start(ServerConfig::default()).unwrap();
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let builder = Builder::new(runtime.clone(), login(&server)).filters([SMS]).config(config);
    let (client, mut events): (Client<R>, Events) = builder.start().unwrap();
    subscribed(&mut events).await;
    let (mut random, mut seen) = (fastrand::Rng::with_seed(7), Vec::new());
    for n in 0..MESSAGES {
        server.receive_sms(0, "+1", &n.to_string());
        let get = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
        let _ = hurried(&runtime, random.u64(..3_000), client.request(get)).await;
        if let Some(Some(event)) = hurried(&runtime, random.u64(..1_000), events.next()).await {
            seen.extend(text(&event));
        }
        let filters = ringcentral_ws_core::Filters::new([SMS, PRESENCE]).unwrap();
        let _ = hurried(&runtime, random.u64(..500), client.subscribe(filters)).await;
    }
    while seen.len() < MESSAGES {
        seen.extend(text(&events.next().await.expect("it goes on")));
    }
    let expected: Vec<String> = (0..MESSAGES).map(|n| n.to_string()).collect();
    assert_eq!(seen, expected, "each once and in order, whatever was dropped");
    let get = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    assert_eq!(client.request(get).await.unwrap().status(), 200);
    let _ = hurried(&runtime, 50, client.close(Close::Revoke)).await;
    while !matches!(events.next().await, Some(Event::Closed { .. })) {
        // A close that was asked for goes on when its future is dropped; ask again if it was dropped too early.
        client.close(Close::Revoke).await;
    }
}

#[test]
fn dropped_futures_lose_nothing() {
    fn in_time(work: impl Future<Output = ()> + Send + 'static, block: fn(BoxFuture<'_, ()>)) {
        let (sender, done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            wait_for(block, work);
            sender.send(())
        });
        done.recv_timeout(DEADLINE).expect("it ends in time, without a panic");
    }
    in_time(futures_are_dropped(Tokio), |work| TOKIO.block_on(work));
    in_time(futures_are_dropped(Smol::default()), |work| smol::block_on(work));
    in_time(futures_are_dropped(AsyncStd), |work| async_std::task::block_on(work));
}
