//! The whole client on tokio beside a raw WebSocket loop that only parses a borrowed envelope: the same frames from the
//! same server over loopback, turn by turn in one run. Prints medians and their ratio.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin loopback [FRAMES] [TURNS]`

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use async_tungstenite::tungstenite::protocol::WebSocketConfig;
use async_tungstenite::tungstenite::{self, Message};
use async_tungstenite::{client_async_with_config, tungstenite::client::IntoClientRequest};
use futures_util::StreamExt;
use ringcentral_ws_benches::{DETAILS, message_store};
use ringcentral_ws_tokio::{Client, Config, Event, FixedToken, Runtime, Tokio};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What any client has to read.
#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
}

#[derive(Deserialize)]
struct Payload<'a> {
    uuid: &'a str,
    #[serde(borrow)]
    body: &'a RawValue,
}

fn main() -> io::Result<()> {
    let number = |n: usize, default: usize| std::env::args().nth(n).map_or(Ok(default), |s| s.parse());
    let (Ok(frames), Ok(turns)) = (number(1, 50_000), number(2, 7)) else {
        eprintln!("usage: loopback [FRAMES] [TURNS]");
        std::process::exit(2);
    };
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || serve(&listener, frames));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut raw, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..turns {
        raw.push(runtime.block_on(raw_loop(port, frames)));
        whole.push(runtime.block_on(whole_client(port, frames)));
    }
    let (raw, whole) = (median(raw), median(whole));
    let each = |t: Duration| t.as_nanos() / frames as u128;
    println!("raw loop     {:>6} ns a frame", each(raw));
    println!("this client  {:>6} ns a frame", each(whole));
    println!("ratio        {:>6.2}", whole.as_secs_f64() / raw.as_secs_f64());
    Ok(())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn raw_loop(port: u16, frames: usize) -> Duration {
    let stream = Tokio.connect(([127, 0, 0, 1], port).into()).await.expect("loopback");
    let request = format!("ws://127.0.0.1:{port}/ws").into_client_request().expect("a constant address");
    let config = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(4096);
    let (mut socket, _) = client_async_with_config(request, stream, Some(config)).await.expect("upgrade");
    let _details = socket.next().await;
    let subscribe = r#"[{"messageId":"1"}]"#;
    socket.send(Message::text(subscribe)).await.expect("send");
    let _answer = socket.next().await;
    let began = Instant::now();
    let (mut seen, mut bytes) = (0, 0);
    while seen < frames {
        let Some(Ok(Message::Text(text))) = socket.next().await else { continue };
        let (meta, payload): (Meta<'_>, Payload<'_>) = serde_json::from_str(&text).expect("a notification");
        assert_eq!(meta.kind, "ServerNotification");
        bytes += payload.uuid.len() + payload.body.get().len();
        seen += 1;
    }
    std::hint::black_box(bytes);
    began.elapsed()
}

async fn whole_client(port: u16, frames: usize) -> Duration {
    let server = format!("http://127.0.0.1:{port}").parse().expect("a constant address");
    let config = Config { server, ..Config::default() };
    let started = Client::builder(FixedToken::new("token")).config(config).filters(["/e"]).start();
    let (client, mut events) = started.expect("a valid configuration");
    let mut began = Instant::now();
    let (mut seen, mut bytes) = (0, 0);
    while let Some(event) = events.next().await {
        match event {
            Event::Subscribed(_) => began = Instant::now(),
            Event::Notification(n) => {
                bytes += n.uuid().len() + n.body().len();
                seen += 1;
                if seen == frames {
                    break;
                }
            }
            Event::Closed { reason } => panic!("{reason:?}"),
            _ => {}
        }
    }
    std::hint::black_box(bytes);
    let elapsed = began.elapsed();
    drop(client);
    elapsed
}

/// Answers token calls, and floods every WebSocket that subscribes with frames made beforehand.
fn serve(listener: &TcpListener, frames: usize) {
    let flood = flood(frames);
    for stream in listener.incoming().flatten() {
        // Both kinds of client come in turn, each done before the next.
        let mut first = [0; 4];
        if stream.peek(&mut first).is_ok() {
            let _ = if &first == b"POST" { answer_token(stream) } else { answer_socket(stream, &flood) };
        }
    }
}

fn answer_token(mut stream: TcpStream) -> io::Result<()> {
    let port = stream.local_addr()?.port();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let body = format!(r#"{{"ws_access_token":"t","uri":"ws://127.0.0.1:{port}/ws","expires_in":600}}"#);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn answer_socket(stream: TcpStream, flood: &[u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let Ok(mut socket) = tungstenite::accept(stream) else { return Ok(()) };
    let _ = socket.send(Message::text(DETAILS));
    while let Ok(message) = socket.read() {
        let Ok(text) = message.to_text() else { continue };
        let id = text.split('"').skip_while(|part| *part != "messageId").nth(2).unwrap_or_default();
        let reply = format!(
            r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"sub-1","eventFilters":["/e"]}}]"#
        );
        let _ = socket.send(Message::text(reply));
        // The client may be gone before it read everything: that ends its turn.
        return socket.get_mut().write_all(flood);
    }
    Ok(())
}

/// Text frames of a server: two bytes, a length of two bytes, the text.
fn flood(frames: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for n in 0..frames {
        let text = message_store(1_000_000_000_000_000_000 + n as u64);
        let length = u16::try_from(text.len()).expect("a short frame");
        all.extend_from_slice(&[0x81, 126]);
        all.extend_from_slice(&length.to_be_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    all
}
