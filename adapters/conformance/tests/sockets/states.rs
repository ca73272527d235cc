//! The state of a client as a value that can be watched, on the async driver and on threads.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use futures_util::{FutureExt, StreamExt};
use ringcentral_ws_api::ClientApp;
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_core::{Close, Config, RetryPolicy, SessionState};
use ringcentral_ws_gateway::{Server, ServerConfig};
use ringcentral_ws_tokio::Tokio;

fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

/// A lost connection is tried again soon; a failed attempt is followed by a wait that can be seen.
fn config() -> Config {
    let (soon, later) = (Duration::from_millis(10), Duration::from_secs(60));
    let retry = RetryPolicy { base: later, socket_lost: soon, server_closed: soon, ..RetryPolicy::default() };
    Config { retry, ..Config::default() }
}

struct Nobody;

impl Wake for Nobody {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn on_the_async_driver() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, jwt) = app(&server);
    let login = ringcentral_ws_driver::Jwt::new(app, jwt);
    let builder = ringcentral_ws_driver::Builder::new(Tokio, login).config(config());
    let (client, _events) = runtime.block_on(async { builder.start() }).unwrap();
    let mut states = client.states();
    let mut all = client.states();
    runtime.block_on(async {
        let began = Instant::now();
        let play = async {
            let ready = states.wait_for(|state| state.is_ready()).await.unwrap();
            assert_eq!((ready.wait(), ready.to_string().as_str()), (None, "connected"));
            // A future that is dropped takes nothing along.
            for _ in 0..3 {
                assert!(states.changed().now_or_never().is_none());
            }
            server.refuse_connections(true);
            server.drop_connections();
            let waiting = states.wait_for(|state| state.failed_attempts() > 0).await.unwrap();
            let (wait, next) = (waiting.wait().unwrap(), waiting.next_try().unwrap());
            assert!(wait <= next.saturating_duration_since(began), "{wait:?}");
            assert!(waiting.to_string().starts_with("waiting: next try in "), "{waiting}");
            assert!(matches!(client.state(), SessionState::Waiting { .. }));
            client.close(Close::Detach).await;
            assert!(states.wait_for(|state| state.is_closed()).await.is_some());
            assert_eq!(states.changed().await, None, "that was the last one");
        };
        tokio::time::timeout(DEADLINE, play).await.expect("it goes on");
        // Who never looked sees the end, and then the end of the stream.
        assert!(all.next().await.unwrap().is_closed());
        assert!(all.next().await.is_none() && all.get().is_closed());
    });
    assert_eq!(client.stats().connections, 1);
}

#[test]
fn dropped_handles_end_it_too() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, jwt) = app(&server);
    let builder = ringcentral_ws_driver::Builder::new(Tokio, ringcentral_ws_driver::Jwt::new(app, jwt));
    let (client, events) = runtime.block_on(async { builder.start() }).unwrap();
    let mut states = client.states();
    drop((client, events));
    let ended = async { while states.changed().await.is_some() {} };
    runtime.block_on(async { tokio::time::timeout(DEADLINE, ended).await }).expect("a watch keeps nothing alive");
    assert!(states.get().is_closed());
    let waker = Waker::from(Arc::new(Nobody));
    assert_eq!(states.poll_next_unpin(&mut Context::from_waker(&waker)), Poll::Ready(None));
}

#[test]
fn on_threads() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, jwt) = app(&server);
    let builder = ringcentral_ws_blocking::Client::builder(ringcentral_ws_blocking::Jwt::new(app, jwt));
    let (client, _events) = builder.config(config()).start().unwrap();
    let mut states = client.states();
    while !states.get().is_ready() {
        states.changed_timeout(DEADLINE).unwrap().unwrap();
    }
    while !matches!(states.changed_timeout(Duration::ZERO), Err(ringcentral_ws_blocking::TimedOut)) {}
    server.refuse_connections(true);
    server.drop_connections();
    let waiting = loop {
        let state = states.changed_timeout(DEADLINE).unwrap().unwrap();
        if state.failed_attempts() > 0 {
            break state;
        }
    };
    assert!(waiting.wait().is_some() && waiting.next_try().is_some());
    client.close(Close::Detach);
    assert!(states.find(|state| state.is_closed()).is_some());
    assert_eq!(states.changed(), None, "that was the last one");
}
