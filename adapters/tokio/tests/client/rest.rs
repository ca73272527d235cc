//! REST calls over the socket under drops, and the same calls over HTTPS.

use crate::common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use common::*;
use ringcentral_ws_gateway::{GatewayConfig, Server};
use ringcentral_ws_tokio::{Body, Client, Close, Config, Multipart, Part, RequestErrorKind, Via, http};
use serde_json::Value;

const WORKERS: u64 = 40;
const EACH: u64 = 250;

/// How the calls came out.
#[derive(Debug, Default)]
struct Tally {
    socket: AtomicU64,
    https: AtomicU64,
    unknown: AtomicU64,
    not_sent: AtomicU64,
}

async fn work(client: Client, worker: u64, tally: Arc<Tally>) {
    for n in 0..EACH {
        let tag = worker * EACH + n;
        match client.request(get(&format!("/restapi/v1.0/_echo?n={tag}"))).await {
            Ok(reply) => {
                let echo: Value = serde_json::from_slice(reply.body().as_bytes()).unwrap();
                assert_eq!(echo["query"][0][1], tag.to_string(), "the answer to another call");
                let by_socket = reply.extensions().get::<Via>() == Some(&Via::WebSocket);
                let way = if by_socket { &tally.socket } else { &tally.https };
                way.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => match error.kind() {
                RequestErrorKind::Unknown(_) => drop(tally.unknown.fetch_add(1, Ordering::Relaxed)),
                RequestErrorKind::NotSent(_) => drop(tally.not_sent.fetch_add(1, Ordering::Relaxed)),
                _ => panic!("{error:?}"),
            },
        }
    }
}

/// Cuts all connections now and then, until it has to stop; returns how often.
fn saw(server: Arc<Server>, stop: Receiver<()>) -> std::thread::JoinHandle<u32> {
    std::thread::spawn(move || {
        let mut drops = 0;
        let mut random = fastrand::Rng::with_seed(7);
        let mut pause = || Duration::from_millis(random.u64(60..200));
        while stop.recv_timeout(pause()) == Err(RecvTimeoutError::Timeout) {
            drops += 1;
            server.drop_connections();
        }
        drops
    })
}

// CLAUSE REQ-2 REQ-3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_calls_under_drops_end_once_each() {
    let mut gateway = GatewayConfig::default();
    gateway.ws_token.rate_limit = None;
    gateway.reply_delay = Duration::from_millis(2);
    let (server, tls) = tls_server(gateway);
    let server = Arc::new(server);
    let mut config = Config { rest_over_websocket: true, ..config() };
    config.retry.auth_calls_per_minute = 10_000;
    config.retry.attempts_per_minute = 10_000;
    let (client, mut events) = builder(&server).tls(tls).config(config).start().unwrap();
    subscribed(&mut events).await;
    let drain = tokio::spawn(async move { while events.next().await.is_some() {} });
    let tally = Arc::new(Tally::default());
    let (stop, stopped) = channel();
    let saw = saw(Arc::clone(&server), stopped);
    let workers: Vec<_> = (0..WORKERS).map(|w| tokio::spawn(work(client.clone(), w, Arc::clone(&tally)))).collect();
    for worker in workers {
        tokio::time::timeout(6 * DEADLINE, worker).await.expect("all calls end").unwrap();
    }
    drop(stop);
    let drops = saw.join().unwrap();
    let count = |n: &AtomicU64| n.load(Ordering::Relaxed);
    let (socket, https) = (count(&tally.socket), count(&tally.https));
    let (unknown, not_sent) = (count(&tally.unknown), count(&tally.not_sent));
    assert_eq!(socket + https + unknown + not_sent, WORKERS * EACH);
    assert_eq!(client.stats().requests, WORKERS * EACH, "none was made twice");
    let seen = server.observations();
    assert!(seen.max_active_requests <= 10 && seen.active_requests_exceeded == 0, "{seen:?}");
    assert!(socket > WORKERS * EACH / 4 && unknown > 0, "{tally:?}");
    println!(
        "{socket} over the socket, {https} over HTTPS, {unknown} unknown, {not_sent} not sent; {drops} drops; at most {} \
         active",
        seen.max_active_requests,
    );
    client.close(Close::Revoke).await;
    tokio::time::timeout(DEADLINE, drain).await.unwrap().unwrap();
}

/// What a caller sees, without what differs by the way: links are absolute over HTTPS only, and each way has headers
/// of its own.
fn seen(server: &Server, reply: &http::Response<Body>) -> (u16, Value) {
    let text = String::from_utf8_lossy(reply.body().as_bytes()).replace(&server.http_url(), "");
    let mut body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    if let Some(fields) = body.as_object_mut() {
        fields.remove("headers");
    }
    (reply.status().as_u16(), body)
}

// CLAUSE REQ-5
#[tokio::test]
async fn both_ways_give_the_same_answers() {
    let (server, tls) = tls_server(GatewayConfig::default());
    let mut ways = Vec::new();
    for rest_over_websocket in [true, false] {
        let config = Config { rest_over_websocket, ..config() };
        let (client, mut events) = builder(&server).tls(Arc::clone(&tls)).config(config).start().unwrap();
        subscribed(&mut events).await;
        let mut answers = Vec::new();
        let body = r#"{"text":"héllo \"x\",--Boundary"}"#;
        for (method, path, body) in [
            ("GET", "/restapi/v1.0/account/~", ""),
            ("GET", "/restapi/v1.0/account/~/extension/~", ""),
            ("GET", "/restapi/v1.0/account/~/extension/~/message-store?perPage=2&type=SMS", ""),
            ("GET", "/restapi/v1.0/_echo?a=1&a=2&b=%20%26", ""),
            ("POST", "/restapi/v1.0/_echo", body),
            ("PUT", "/restapi/v1.0/_echo", body),
            ("DELETE", "/restapi/v1.0/_empty", ""),
            ("GET", "/restapi/v1.0/_error/403/CMN-401", ""),
            ("GET", "/restapi/v1.0/_error/503", ""),
            ("GET", "/restapi/v1.0/no/such/thing", ""),
        ] {
            let request = http::Request::builder().method(method).uri(path).header("X-Own", "1").body(Body::from(body));
            let reply = client.request(request.unwrap()).await.unwrap();
            let via = if rest_over_websocket { Via::WebSocket } else { Via::Https };
            assert_eq!(reply.extensions().get::<Via>(), Some(&via), "{path}");
            answers.push((method, path, seen(&server, &reply)));
        }
        let multipart = http::Request::post("/restapi/v1.0/_echo")
            .header("Content-Type", "multipart/form-data; boundary=b")
            .body(Body::from("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"));
        let reply = client.request(multipart.unwrap()).await.unwrap();
        assert_eq!(reply.extensions().get::<Via>(), Some(&Via::Https));
        answers.push(("POST", "multipart", seen(&server, &reply)));
        client.close(Close::Revoke).await;
        ways.push(answers);
    }
    assert_eq!(ways[0], ways[1]);
    assert_eq!(ways[0][6].2.0, 204);
}

// CLAUSE REQ-5
#[tokio::test]
async fn the_client_names_itself_and_a_form_of_parts_never_goes_over_the_socket() {
    let (server, tls) = tls_server(GatewayConfig::default());
    let echo = |reply: &http::Response<Body>| serde_json::from_slice::<Value>(reply.body().as_bytes()).unwrap();
    let name_in = |echo: &Value| {
        let headers = echo["headers"].as_array().unwrap().iter();
        let mut named = headers.filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case("x-user-agent"));
        let name = named.next().unwrap()[1].as_str().unwrap().to_owned();
        assert!(named.next().is_none(), "once");
        name
    };
    for rest_over_websocket in [true, false] {
        let config = Config { rest_over_websocket, ..config() };
        let (client, mut events) = builder(&server).tls(Arc::clone(&tls)).config(config.clone()).start().unwrap();
        subscribed(&mut events).await;
        let via = if rest_over_websocket { Via::WebSocket } else { Via::Https };
        for own in [None, Some("mine/1")] {
            let mut request = get("/restapi/v1.0/_echo");
            if let Some(own) = own {
                request.headers_mut().insert("x-user-agent", http::HeaderValue::from_static(own));
            }
            let reply = client.request(request).await.unwrap();
            assert_eq!(reply.extensions().get::<Via>(), Some(&via));
            assert_eq!(name_in(&echo(&reply)), own.unwrap_or(&config.user_agent));
        }
        let fax = Multipart::new()
            .part(Part::json("json", r#"{"to":[{"phoneNumber":"+16505550100"}]}"#))
            .part(Part::file("attachment", "ü.txt", "text/plain", "--one line\r\n--\r\n"));
        let (content_type, body) = fax.encode().unwrap();
        let over_socket = server.observations().requests;
        let reply = client.request(fax.post("/restapi/v1.0/_echo").unwrap()).await.unwrap();
        assert_eq!(reply.extensions().get::<Via>(), Some(&Via::Https));
        assert_eq!(server.observations().requests, over_socket, "not over the socket");
        let echo = echo(&reply);
        assert_eq!(echo["body"].as_str().unwrap().as_bytes(), &body.as_bytes()[..]);
        assert!(echo["headers"].to_string().contains(content_type.to_str().unwrap()), "{echo}");
        client.close(Close::Revoke).await;
    }
}
