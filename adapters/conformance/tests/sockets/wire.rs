//! What the adapters' HTTPS clients put on the wire, byte by byte.

use crate::harness;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::mpsc::channel;

use harness::{Async, wait_for};
use ringcentral_ws_conformance::{DEADLINE, fake};
use ringcentral_ws_core::HttpFailure;
use ringcentral_ws_driver::bytes::Bytes;
use ringcentral_ws_driver::{IoLimits, Runtime, https_client};

type Answer = Result<http::Response<Bytes>, HttpFailure>;
type Send = Box<dyn Fn(http::Request<Bytes>) -> Answer>;

fn on<R: Runtime>(Async { name, runtime, block }: Async<R>) -> (&'static str, Send) {
    let https = https_client(runtime, IoLimits::default(), None).unwrap();
    (name, Box::new(move |request| wait_for(block, https.send(request))))
}

/// The HTTPS client of each adapter.
fn clients() -> Vec<(&'static str, Send)> {
    let https = ringcentral_ws_blocking::https_client(IoLimits::default(), None).unwrap();
    vec![
        on(harness::on_tokio()),
        on(harness::on_smol()),
        on(harness::on_async_std()),
        ("blocking", Box::new(move |request| https.send(request))),
    ]
}

/// A server that answers with what came: the head, and so many bytes more.
fn echo(body: usize) -> SocketAddr {
    fake::listen(move |head, mut stream| {
        let mut seen = head.as_bytes().to_vec();
        let mut rest = vec![0; body];
        stream.read_exact(&mut rest)?;
        seen.extend(rest);
        write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", seen.len())?;
        stream.write_all(&seen)?;
        stream.shutdown(Shutdown::Write)
    })
}

/// What a request looks like on the wire: its first line, the values of the headers that frame it, and its body.
fn on_the_wire(answer: Answer) -> (String, [Vec<String>; 3], String) {
    let seen = String::from_utf8(answer.unwrap().into_body().to_vec()).unwrap();
    let (head, body) = seen.split_once("\r\n\r\n").unwrap();
    let (first, headers) = head.split_once("\r\n").unwrap();
    let values = ["host", "content-length", "transfer-encoding"].map(|name| {
        let lines = headers.split("\r\n").filter_map(|line| line.split_once(": "));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
    });
    (first.to_owned(), values, body.to_owned())
}

#[test]
fn a_method_with_a_meaning_for_a_body_says_that_there_is_none() {
    let address = echo(0);
    for (name, send) in clients() {
        for (method, length) in
            [("POST", &["0"][..]), ("PUT", &["0"]), ("PATCH", &["0"]), ("GET", &[]), ("DELETE", &[]), ("OPTIONS", &[])]
        {
            let request = http::Request::builder().method(method).uri(format!("http://{address}/p?q=1"));
            let (first, [host, given, encoding], body) = on_the_wire(send(request.body(Bytes::new()).unwrap()));
            assert_eq!(first, format!("{method} /p?q=1 HTTP/1.1"), "{name}");
            assert_eq!(
                (host, given.as_slice()),
                (vec![address.to_string()], &length.iter().map(ToString::to_string).collect::<Vec<_>>()[..]),
                "{name} {method}"
            );
            assert!(encoding.is_empty() && body.is_empty(), "{name} {method}: {encoding:?} {body:?}");
        }
    }
}

#[test]
fn a_body_has_its_length_whatever_the_caller_says() {
    let address = echo(3);
    for (name, send) in clients() {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let request = http::Request::builder().method(method).uri(format!("http://{address}/p"));
            let request = request.header("Host", "h.example").header("Content-Length", "99");
            let request = request.header("Transfer-Encoding", "chunked").body(Bytes::from_static(b"abc")).unwrap();
            let (_, seen, body) = on_the_wire(send(request));
            assert_eq!(
                (seen, &*body),
                ([vec![address.to_string()], vec!["3".to_owned()], vec![]], "abc"),
                "{name} {method}"
            );
        }
    }
}

#[test]
fn an_empty_body_is_empty_whatever_the_caller_says() {
    let address = echo(0);
    for (name, send) in clients() {
        for (method, length) in [("POST", Some("0")), ("GET", None)] {
            let request = http::Request::builder().method(method).uri(format!("http://{address}/p"));
            let request = request.header("Content-Length", "99").header("Transfer-Encoding", "chunked");
            let (_, [_, given, encoding], body) = on_the_wire(send(request.body(Bytes::new()).unwrap()));
            assert_eq!(
                (given.first().map(|s| &**s), given.len(), encoding.len(), body.len()),
                (length, usize::from(length.is_some()), 0, 0),
                "{name} {method}"
            );
        }
    }
}

#[test]
fn the_call_for_a_websocket_token_says_that_it_has_no_body() {
    let (seen, heads) = channel();
    let address = fake::listen(move |head, mut stream| {
        let _ = seen.send(head.to_owned());
        stream.write_all(b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    });
    let app = ringcentral_ws_api::ClientApp {
        server: format!("http://{address}").parse().unwrap(),
        client_id: "id".to_owned(),
        client_secret: None,
    };
    let check = |name: &str| {
        let head = heads.recv_timeout(DEADLINE).unwrap();
        assert!(head.starts_with("POST /restapi/oauth/wstoken HTTP/1.1\r\n"), "{name}: {head}");
        assert!(head.to_ascii_lowercase().contains("\r\ncontent-length: 0\r\n"), "{name}: {head}");
    };
    let config = ringcentral_ws_core::Config { server: app.server.clone(), ..Default::default() };
    let token = ringcentral_ws_driver::FixedToken::new("token");
    let builder = ringcentral_ws_driver::Builder::new(harness::on_tokio().runtime, token).config(config.clone());
    let started = wait_for(|work| harness::TOKIO.block_on(work), async { builder.start() }).unwrap();
    check("tokio");
    drop(started);
    let token = ringcentral_ws_blocking::FixedToken::new("token");
    let started = ringcentral_ws_blocking::Client::builder(token).config(config).start().unwrap();
    check("blocking");
    drop(started);
}
