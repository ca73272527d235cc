//! The status page and its stream.

use crate::net;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use net::{DEADLINE, connect, frame, http, log_in, subscribe};
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::{Value, json};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

fn start() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

fn state(server: &Server) -> Value {
    http(server.address(), "GET", "/_gateway/state", &[], "").json()
}

/// A page that follows the stream.
struct Follower {
    stream: TcpStream,
    /// What has come and was not looked at. A read may end within a character.
    read: Vec<u8>,
}

impl Follower {
    fn new(server: &Server) -> Self {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        let request = format!("GET /_gateway/stream HTTP/1.1\r\nHost: {}\r\n\r\n", server.address());
        stream.write_all(request.as_bytes()).unwrap();
        Self { stream, read: Vec::new() }
    }

    /// The next state of which this holds.
    fn until(&mut self, holds: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        loop {
            assert!(Instant::now() < deadline, "it never came: {}", String::from_utf8_lossy(&self.read));
            while let Some(end) = self.read.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = self.read.drain(..end + 2).collect();
                let event = String::from_utf8(event).unwrap();
                let state = event.split_once("data: ").map(|(_, data)| serde_json::from_str::<Value>(data).unwrap());
                if let Some(state) = state.filter(&holds) {
                    return state;
                }
            }
            let mut bytes = [0; 65_536];
            let read = self.stream.read(&mut bytes).unwrap();
            assert!(read > 0, "the stream ended: {}", String::from_utf8_lossy(&self.read));
            self.read.extend_from_slice(&bytes[..read]);
        }
    }
}

#[tokio::test]
async fn the_state_shows_sessions_faults_frames_and_events() {
    let server = start();
    let authorization = log_in(&server);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    subscribe(&mut socket, &[SMS]).await;
    server.receive_sms(0, "+16505550100", "Hello");
    frame(&mut socket).await;
    let shown = state(&server);
    let session = &shown["sessions"][0];
    assert_eq!(
        (&session["conn"], &session["ledger"]["sent"], &session["left_ms"]),
        (&json!(1), &json!(1), &Value::Null)
    );
    assert!(session["filters"][0].as_str().unwrap().ends_with("instant?type=SMS"));
    assert_eq!((&shown["session_count"], &shown["counters"]["notifications"]), (&json!(1), &json!(1)));
    let ways: Vec<&str> = shown["frames"].as_array().unwrap().iter().map(|f| f["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["out", "in", "out", "out"]);
    assert_eq!(shown["events"][0]["event"]["event"], "logged_in");
    server.overload(503, Duration::from_secs(60));
    server.delay(Duration::from_millis(1));
    server.split(7);
    server.next_http_fails("/never", 500, "", &[]);
    server.duplicate_next(3);
    server.half_open();
    let faults = state(&server)["faults"].clone();
    assert_eq!(
        (&faults["overload"]["status"], &faults["delay_ms"], &faults["split"]),
        (&json!(503), &json!(1), &json!(7))
    );
    assert_eq!((&faults["fail"], &faults["duplicate"], &faults["half_open"]), (&json!(1), &json!(3), &json!(1)));
    server.drop_connections();
    let shown = Follower::new(&server).until(|state| state["faults"]["half_open"] == 0);
    assert_eq!(shown["sessions"][0]["conn"], Value::Null);
    assert!((1..=180_000).contains(&shown["sessions"][0]["left_ms"].as_u64().unwrap()));
}

// CLAUSE SEC-1
#[tokio::test]
async fn no_token_is_shown() {
    let server = start();
    let authorization = log_in(&server);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    let details = frame(&mut socket).await;
    let wsc = details[0]["wsc"]["token"].as_str().unwrap();
    let shown = state(&server);
    assert!(shown["frames"][0]["text"].as_str().unwrap().contains(r#""wsc":{"token":"•""#), "{shown}");
    let shown = shown.to_string();
    for secret in [wsc, authorization.strip_prefix("Bearer ").unwrap(), "gateway-client-secret", "gateway.user-0.jwt"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn the_stream_tells_of_changes_and_each_frame_once() {
    let server = start();
    let authorization = log_in(&server);
    let mut follower = Follower::new(&server);
    assert_eq!(follower.until(|_| true)["connections"], 0);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    let connected = follower.until(|state| state["connections"] == 1);
    server.send_raw("hello");
    let more = follower.until(|state| state["frames"].to_string().contains("hello"));
    let numbers = |state: &Value| -> Vec<u64> {
        state["frames"].as_array().unwrap().iter().map(|frame| frame["number"].as_u64().unwrap()).collect()
    };
    assert_eq!((numbers(&connected), numbers(&more)), (vec![0], vec![1]));
    // Without a change the clock goes on.
    let uptime = more["uptime_ms"].as_u64().unwrap();
    follower.until(|state| state["uptime_ms"].as_u64().unwrap() > uptime);
}

#[test]
fn no_more_than_sixteen_pages_follow() {
    let server = start();
    let mut followers: Vec<Follower> = (0..16).map(|_| Follower::new(&server)).collect();
    followers.iter_mut().for_each(|follower| drop(follower.until(|_| true)));
    assert_eq!(http(server.address(), "GET", "/_gateway/stream", &[], "").status, 503);
    drop(followers);
    let deadline = Instant::now() + DEADLINE;
    let mut last = Follower::new(&server);
    let mut head = [0; 12];
    while last.stream.read_exact(&mut head).is_err() || &head != b"HTTP/1.1 200" {
        assert!(Instant::now() < deadline, "the places were not given back");
        last = Follower::new(&server);
    }
}

#[test]
fn the_page_is_for_this_machine_only() {
    let server = start();
    let page = http(server.address(), "GET", "/_gateway/", &[], "");
    assert_eq!(page.status, 200);
    let head = page.head.to_ascii_lowercase();
    assert!(head.contains("content-type: text/html") && head.contains("frame-ancestors 'none'"), "{head}");
    assert!(page.body.starts_with(b"<!doctype html>"));
    let moved = http(server.address(), "GET", "/_gateway", &[], "");
    assert!(moved.status == 308 && moved.head.to_ascii_lowercase().contains("location: /_gateway/"));
    for strange in [("Origin", "https://example.org"), ("Host", "rebound.example")] {
        for path in ["/_gateway/", "/_gateway/stream", "/_gateway/state", "/_gateway/sessions"] {
            assert_eq!(http(server.address(), "GET", path, &[strange], "").status, 403, "{strange:?} {path}");
        }
    }
    let config = ServerConfig { listen: ([0, 0, 0, 0], 0).into(), ..ServerConfig::default() };
    let open = Server::start(config).unwrap();
    let address = ([127, 0, 0, 1], open.address().port()).into();
    assert_eq!(http(address, "GET", "/_gateway/", &[], "").status, 401, "not there at all");
}
