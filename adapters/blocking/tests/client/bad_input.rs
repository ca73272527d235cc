//! What servers and proxies can do wrong to calls and downloads: each has a clear error, and nothing hangs.

use crate::common;

use std::io::{self, Read};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{DEADLINE, get, subscribed, tls_server, until};
use ringcentral_ws_blocking::{
    ApiError, Body, Client, Close, CommandError, Config, Download, DownloadError, Event, Events, FixedToken,
    HttpFailure, HttpsSender, InvalidReason, IoLimits, Phase, Proxy, RequestErrorKind, bytes::Bytes, http,
};
use ringcentral_ws_conformance::fake::{self, BROKEN_ANSWERS};
use ringcentral_ws_conformance::settings::{network, strict};

/// A client of the bad server. It never gets a connection, so everything goes over HTTP.
fn bad() -> (Client, Events) {
    let server = format!("http://{}", fake::bad_server()).parse().unwrap();
    let config = Config { server, ..Config::default() };
    Client::builder(FixedToken::new("token")).config(config).limits(strict()).start().unwrap()
}

/// What was read, and how it ended.
fn read_all(mut body: impl Read) -> (Vec<u8>, Result<(), DownloadError>) {
    let mut all = Vec::new();
    let end = body.read_to_end(&mut all).map(drop);
    (all, end.map_err(|error| DownloadError::of(&error).expect("a typed error").clone()))
}

#[test]
fn broken_answers_are_distinguished() {
    let (client, _events) = bad();
    let cut_off = ("/cut-off", Phase::Response, "broke off");
    for (path, phase, part) in BROKEN_ANSWERS.into_iter().chain([cut_off]) {
        let (may_have_run, reported, message) = network(client.request(get(path)));
        assert!(may_have_run && reported == phase && message.contains(part), "{path}: {reported:?} {message}");
    }
    let packed = client.request(get("/gzip")).unwrap();
    assert_eq!(packed.body().as_bytes(), &b"unpacked"[..]);
    let ok = client.request(get("/ok")).unwrap();
    assert_eq!(ok.body().as_bytes(), &b"ok"[..], "the client goes on");
}

#[test]
fn downloads_report_where_they_ended() {
    let (client, _events) = bad();
    for (path, stalls) in [("/truncated", false), ("/stalled", true)] {
        let mut body = client.download(get(path)).unwrap().into_body();
        let (all, end) = read_all(&mut body);
        let error = end.unwrap_err();
        assert_eq!(
            (&all[..], error.received(), error.range().to_str().unwrap()),
            (&b"0123456789"[..], 10, "bytes=10-")
        );
        assert_eq!(matches!(error, DownloadError::Stalled { .. }), stalls, "{error}");
        assert_eq!(read_all(&mut body).1, Err(error), "no clean end after it");
    }
    let (_, end) = read_all(client.download(get("/cut-off")).unwrap().into_body());
    assert!(matches!(end, Err(DownloadError::BrokenOff { .. })), "a reset is no end: {end:?}");
    let packed = client.download(get("/gzip")).unwrap();
    assert_eq!(packed.status().as_u16(), 503, "no compression is asked for");
}

// CLAUSE SEC-1
#[test]
fn downloads_follow_redirects_to_trusted_hosts_only() {
    let (client, _events) = bad();
    assert_eq!(read_all(client.download(get("/redirect")).unwrap().into_body()), (b"ok".to_vec(), Ok(())));
    assert_eq!(client.request(get("/redirect")).unwrap().status().as_u16(), 302, "only downloads follow");
    for (path, part) in [("/redirect-foreign", "no content host"), ("/redirect-loop", "too often")] {
        let (_, _, message) = network(client.download(get(path)));
        assert!(message.contains(part), "{message}");
    }
    let refused = client.download(get("/nothing")).unwrap();
    assert_eq!(ApiError::from_response(&refused).unwrap().status, 503);
    let refused = client.download(get("https://h.example/x")).unwrap_err();
    let RequestErrorKind::Refused(why) = refused.kind() else { panic!() };
    assert!(matches!(&**why, CommandError::Invalid(_, InvalidReason::ForeignHost)), "{why}");
    // Another origin, named by its address, is a content host when the application says so; the token goes along.
    let other = fake::bad_server();
    let server = format!("http://{}", fake::bad_server()).parse().unwrap();
    let config = Config { server, ..Config::default() };
    let builder = Client::builder(FixedToken::new("token")).config(config).content_hosts(["127.0.0.1"]);
    let (client, _events) = builder.start().unwrap();
    let (all, end) = read_all(client.download(get(&format!("http://{other}/redirect"))).unwrap().into_body());
    assert_eq!((&all[..], end), (&b"ok"[..], Ok(())));
}

#[test]
fn downloads_end_with_the_client() {
    for close in [true, false] {
        let server = format!("http://{}", fake::bad_server()).parse().unwrap();
        let config = Config { server, ..Config::default() };
        let (client, events) = Client::builder(FixedToken::new("token")).config(config).start().unwrap();
        // One is read all the time, one waits in a read of what never comes, one is left unread.
        let busy = client.download(get("/large")).unwrap().into_body();
        let mut waiting = client.download(get("/stalled")).unwrap().into_body();
        let mut unread = client.download(get("/large")).unwrap().into_body();
        let (reads, read) = channel();
        let both = [busy, {
            waiting.read_exact(&mut [0; 10]).unwrap();
            waiting
        }]
        .map(|mut body| {
            let reads = reads.clone();
            std::thread::spawn(move || {
                let _ = reads.send(());
                let error = io::copy(&mut body, &mut io::sink()).unwrap_err();
                (DownloadError::of(&error).cloned(), body.received())
            })
        });
        for _ in 0..2 {
            read.recv_timeout(DEADLINE).unwrap();
        }
        if close {
            client.close(Close::Detach);
        } else {
            drop((client, events));
        }
        for reader in both {
            let (error, received) = reader.join().unwrap();
            assert_eq!(error, Some(DownloadError::ClientEnded { received }));
        }
        if close {
            assert_eq!(read_all(&mut unread), (Vec::new(), Err(DownloadError::ClientEnded { received: 0 })));
        }
    }
}

/// Reads nothing of its own; bodies come as the program makes them.
struct Mine;

impl HttpsSender for Mine {
    fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpFailure> {
        Ok(http::Response::new(Bytes::from_static(b"whole")))
    }

    fn stream(&self, request: http::Request<Bytes>) -> Result<http::Response<Download>, HttpFailure> {
        if request.uri().path() == "/whole" {
            return Ok(self.send(request)?.map(|body| Download::from_reader(io::Cursor::new(body))));
        }
        Ok(http::Response::new(Download::from_reader(io::repeat(b'x'))))
    }
}

#[test]
fn an_http_client_of_the_users_may_stream() {
    let (client, _events) = Client::builder(FixedToken::new("token")).http_client(Mine).start().unwrap();
    let whole = client.download(get("/whole")).unwrap().into_body();
    assert_eq!(read_all(whole), (b"whole".to_vec(), Ok(())));
    let mut endless = client.download(get("/endless")).unwrap().into_body();
    endless.read_exact(&mut [0; 100]).unwrap();
    client.close(Close::Detach);
    assert_eq!(read_all(endless).1, Err(DownloadError::ClientEnded { received: 100 }));
}

#[test]
fn certificates_and_proxies_are_judged() {
    let (server, trusting) = tls_server();
    let account = || get("/restapi/v1.0/account/~");
    let config = Config { server: server.http_url().parse().unwrap(), ..Config::default() };
    let start = |proxy| Client::builder(FixedToken::new("t")).config(config.clone()).proxy(proxy);
    let (client, _events) = start(None).start().unwrap();
    let (may_have_run, phase, message) = network(client.request(account()));
    assert!(!may_have_run && phase == Phase::Tls && message.contains("certificate"), "{message}");

    let refusing = Proxy::new(&fake::refusing_proxy().to_string()).unwrap();
    let (client, _events) = start(Some(refusing)).start().unwrap();
    let (may_have_run, phase, message) = network(client.request(account()));
    assert!(!may_have_run && phase == Phase::Tcp && message.contains("HTTP/1.0 403 Forbidden"), "{message}");

    let silent =
        Proxy::new(&fake::listen(|_, mut stream| io::copy(&mut stream, &mut io::sink()).map(drop)).to_string());
    let limits = IoLimits { tcp: Duration::from_millis(100), ..IoLimits::default() };
    let (client, _events) = start(Some(silent.unwrap())).limits(limits).start().unwrap();
    let (may_have_run, phase, message) = network(client.request(account()));
    assert!(!may_have_run && phase == Phase::Tcp && message.contains("did not answer in time"), "{message}");

    let tunnels = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&tunnels);
    let proxy = fake::proxy(move |target| sink.lock().unwrap().push(target.to_owned()));
    let (client, mut events) = trusting.proxy(Some(Proxy::new(&proxy.to_string()).unwrap())).start().unwrap();
    subscribed(&mut events);
    server.receive_sms(0, "+1", "through");
    let text = until(&mut events, |event| match event {
        Event::Notification(n) => Some(n.body().to_owned()),
        _ => None,
    });
    assert!(text.contains("through"));
    assert_eq!(
        client
            .request(http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap())
            .unwrap()
            .status()
            .as_u16(),
        200
    );
    client.close(Close::Revoke);
    let tunnels = tunnels.lock().unwrap();
    assert!(tunnels.len() >= 2 && tunnels.iter().all(|target| *target == server.address().to_string()), "{tunnels:?}");
}
