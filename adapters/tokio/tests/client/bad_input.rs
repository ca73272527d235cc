//! What callers, servers and proxies can do wrong: each has a clear error, and nothing hangs.

use crate::common;

use std::sync::{Arc, Mutex};

use common::*;
use ringcentral_ws_conformance::fake::{self, BROKEN_ANSWERS};
use ringcentral_ws_conformance::settings::{network, strict};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_tokio::{
    ApiError, Body, Client, Close, CommandError, Config, DownloadError, Events, FixedToken, InvalidReason, Phase,
    Proxy, RequestErrorKind, http, with_query,
};

/// A client of the bad server. It never gets a connection, so everything goes over HTTP.
fn bad() -> (Client, Events) {
    let server = format!("http://{}", fake::bad_server()).parse().unwrap();
    Client::builder(FixedToken::new("token")).config(Config { server, ..config() }).limits(strict()).start().unwrap()
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.expect("nothing hangs")
}

#[tokio::test]
async fn mistakes_of_the_caller_are_refused() {
    let server = server();
    let config = Config { rest_over_websocket: true, ..config() };
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    subscribed(&mut events).await;
    let post = |body: &'static str| http::Request::post("/restapi/v1.0/_echo").body(Body::from(body)).unwrap();
    let absolute = get("https://h.example/restapi/v1.0/account/~");
    for (request, reason) in [
        (post("[1]"), InvalidReason::Body),
        (post("null"), InvalidReason::Body),
        (post("{\"a\":"), InvalidReason::Body),
        (get("restapi"), InvalidReason::RelativePath),
        (absolute, InvalidReason::ForeignHost),
        (get("http://127.0.0.1:1/restapi/v1.0/account/~"), InvalidReason::ForeignHost),
    ] {
        let uri = request.uri().clone();
        let refused = in_time(client.request(request)).await.unwrap_err();
        let RequestErrorKind::Refused(why) = refused.kind() else { panic!("{uri}: {refused:?}") };
        let CommandError::Invalid(back, reported) = &**why else { panic!("{why:?}") };
        assert_eq!((*reported, back.uri()), (reason, &uri), "the request is handed back");
        assert!(!refused.may_have_run());
    }
    assert!(in_time(client.download(get("https://media.ringcentral.com.example/x"))).await.is_err());
    assert!(http::Request::get("/a").header("x", "1\r\nHost: h.example").body(()).is_err());
    assert!(http::Request::get("/a\r\nX: y").body(()).is_err());
    let path = with_query("/restapi/v1.0/_echo?a=1", [("b", "x y\r\nHost: h.example"), ("c", "&=ü")]);
    let reply = in_time(client.request(get(&path))).await.unwrap();
    let echo: serde_json::Value = serde_json::from_slice(reply.body().as_bytes()).unwrap();
    assert_eq!(echo["query"], serde_json::json!([["a", "1"], ["b", "x y\r\nHost: h.example"], ["c", "&=ü"]]));
    let limited = in_time(client.request(get("/restapi/v1.0/_error/429/CMN-301"))).await.unwrap();
    let error = ApiError::from_response(&limited).unwrap();
    assert!(error.is_retryable() && error.error_code() == Some("CMN-301"), "{error}");
    client.close(Close::Revoke).await;
}

#[tokio::test]
async fn broken_answers_are_distinguished() {
    let (client, _events) = bad();
    for (path, phase, part) in BROKEN_ANSWERS {
        let (may_have_run, reported, message) = network(in_time(client.request(get(path))).await);
        assert!(may_have_run && reported == phase && message.contains(part), "{path}: {reported:?} {message}");
    }
    let packed = in_time(client.request(get("/gzip"))).await.unwrap();
    assert_eq!(packed.body().as_bytes(), &b"unpacked"[..]);
    let ok = in_time(client.request(get("/ok"))).await.unwrap();
    assert_eq!(ok.body().as_bytes(), &b"ok"[..], "the client goes on");
}

#[tokio::test]
async fn downloads_report_where_they_ended() {
    let (client, _events) = bad();
    for (path, stalls) in [("/truncated", false), ("/stalled", true)] {
        let mut body = in_time(client.download(get(path))).await.unwrap().into_body();
        assert_eq!(&in_time(body.chunk()).await.unwrap().unwrap()[..], b"0123456789");
        let error = in_time(body.chunk()).await.unwrap().unwrap_err();
        assert_eq!((error.received(), error.range().to_str().unwrap()), (10, "bytes=10-"));
        assert_eq!(matches!(error, DownloadError::Stalled { .. }), stalls, "{error}");
        assert!(in_time(body.chunk()).await.is_none());
    }
    let mut body = in_time(client.download(get("/cut-off"))).await.unwrap().into_body();
    let error = loop {
        match in_time(body.chunk()).await.expect("a reset is no end") {
            Ok(chunk) => assert!(chunk.len() <= 10),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, DownloadError::BrokenOff { .. }), "{error}");
    let mut followed = in_time(client.download(get("/redirect"))).await.unwrap();
    assert_eq!(&followed.body_mut().chunk().await.unwrap().unwrap()[..], b"ok");
    let as_is = in_time(client.request(get("/redirect"))).await.unwrap();
    assert_eq!(as_is.status().as_u16(), 302, "only downloads follow");
    for (path, part) in [("/redirect-foreign", "no content host"), ("/redirect-loop", "too often")] {
        let (_, _, message) = network(in_time(client.download(get(path))).await);
        assert!(message.contains(part), "{message}");
    }
    let refused = in_time(client.download(get("/nothing"))).await.unwrap();
    assert_eq!(ApiError::from_response(&refused).unwrap().status, 503);
}

#[tokio::test]
async fn certificates_and_proxies_are_judged() {
    let (server, tls) = tls_server(GatewayConfig::default());
    let config = Config { server: server.http_url().parse().unwrap(), ..config() };
    let start = |proxy| Client::builder(FixedToken::new("t")).config(config.clone()).proxy(proxy);
    let (client, _events) = start(None).start().unwrap();
    let (may_have_run, phase, message) = network(in_time(client.request(get("/restapi/v1.0/account/~"))).await);
    assert!(!may_have_run && phase == Phase::Tls && message.contains("certificate"), "{message}");

    let refusing = Proxy::new(&fake::refusing_proxy().to_string()).unwrap();
    let (client, _events) = start(Some(refusing)).tls(Arc::clone(&tls)).start().unwrap();
    let (may_have_run, phase, message) = network(in_time(client.request(get("/restapi/v1.0/account/~"))).await);
    assert!(!may_have_run && phase == Phase::Tcp && message.contains("HTTP/1.0 403 Forbidden"), "{message}");

    let tunnels = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&tunnels);
    let proxy = fake::proxy(move |target| sink.lock().unwrap().push(target.to_owned()));
    let proxy = Proxy::new(&proxy.to_string()).unwrap();
    let (client, mut events) = builder(&server).tls(tls).proxy(Some(proxy)).start().unwrap();
    subscribed(&mut events).await;
    server.receive_sms(0, "+1", "through");
    assert_eq!(text(&mut events).await, "through");
    assert_eq!(in_time(client.request(get("/restapi/v1.0/account/~"))).await.unwrap().status().as_u16(), 200);
    client.close(Close::Revoke).await;
    let tunnels = tunnels.lock().unwrap();
    assert!(tunnels.len() >= 2 && tunnels.iter().all(|target| *target == server.address().to_string()), "{tunnels:?}");
}

#[tokio::test]
async fn downloads_end_with_the_client() {
    for close in [true, false] {
        let (client, events) = bad();
        let mut body = in_time(client.download(get("/large"))).await.unwrap().into_body();
        assert!(in_time(body.chunk()).await.unwrap().is_ok());
        if close {
            in_time(client.close(Close::Detach)).await;
        } else {
            drop((client, events));
        }
        let error = in_time(async {
            loop {
                match body.chunk().await.expect("it is not the end of the body") {
                    Ok(_) => {}
                    Err(error) => break error,
                }
            }
        });
        let error = error.await;
        assert_eq!(error, DownloadError::ClientEnded { received: body.received() });
        assert!(in_time(body.chunk()).await.is_none());
    }
}
