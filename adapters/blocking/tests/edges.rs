//! Settings and callbacks of the application at their edges. Alone in its process, because a test counts its threads.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{builder, get, subscribed};
use ringcentral_ws_blocking::{
    Client, FixedToken, HttpFailure, HttpsSender, IoLimits, RequestErrorKind, RequestOptions, bytes::Bytes, http,
};
use ringcentral_ws_conformance::settings::endless;
use ringcentral_ws_gateway::{Server, ServerConfig};

#[test]
fn a_limit_without_end_is_no_limit() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (client, mut events) = builder(&server).limits(endless()).start().unwrap();
    subscribed(&mut events);
    let account = "/restapi/v1.0/account/~";
    for _ in 0..2 {
        assert_eq!(client.request(get(account)).unwrap().status(), 200);
    }
    assert_eq!(client.download(get(account)).unwrap().status(), 200);
}

#[test]
fn a_buffer_of_any_size_carries_messages() {
    for size in [0, 1, usize::MAX] {
        let server = Server::start(ServerConfig::default()).unwrap();
        let (_client, mut events) = builder(&server)
            .limits(IoLimits { socket_buffer: size, command_queue: size, ..IoLimits::default() })
            .start()
            .unwrap();
        subscribed(&mut events);
    }
}

#[test]
fn a_debug_sink_that_panics_is_left_alone() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let lines = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lines);
    let sink = move |_: &str| assert!(counted.fetch_add(1, Ordering::SeqCst) < 2, "nobody reads any more");
    let (_client, mut events) = builder(&server).debug(sink).start().unwrap();
    subscribed(&mut events);
    assert_eq!(lines.load(Ordering::SeqCst), 3);
}

/// Never answers.
struct Deaf;

impl HttpsSender for Deaf {
    fn send(&self, _: http::Request<Bytes>) -> Result<http::Response<Bytes>, HttpFailure> {
        loop {
            std::thread::park();
        }
    }
}

// CLAUSE SEC-3
#[test]
fn calls_that_are_never_answered_do_not_pile_up() {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let (client, _events) = Client::builder(FixedToken::new("token")).http_client(Deaf).start().unwrap();
    let before = threads();
    let mut refused = 0;
    for _ in 0..200 {
        let mut request = get("/restapi/v1.0/account/~");
        let timeout = Some(Duration::from_millis(10));
        request.extensions_mut().insert(RequestOptions { timeout, ..RequestOptions::default() });
        match client.request(request).unwrap_err().into_kind() {
            RequestErrorKind::TimedOut { .. } => {}
            RequestErrorKind::NotSent(_) => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert!((50..150).contains(&refused), "{refused}");
    assert!(threads() < before + 100, "{}", threads());
}
