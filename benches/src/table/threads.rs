//! Notifications over loopback on threads.

use std::io::{Read, Write};
use std::net::TcpStream;

use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::{Message, WebSocket};
use ringcentral_ws_blocking::{Builder, Event, FixedToken};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::{Cost, Meter, QUEUE};
use crate::loopback::{Server, Stream, flood_filter};
use crate::raw::{UPGRADE, Work, buffered, subscription};

fn subscribed(server: &Server, filter: &str, buffer: usize) -> WebSocket<Stream> {
    let socket = TcpStream::connect(("127.0.0.1", server.port)).expect("a server");
    socket.set_nodelay(true).expect("a socket");
    let mut stream = match server.tls() {
        None => Stream::Plain(socket),
        Some(tls) => {
            let name = ServerName::try_from("127.0.0.1").expect("a good name");
            let connection = ClientConnection::new(tls, name).expect("good settings");
            Stream::Client(Box::new(StreamOwned::new(connection, socket)))
        }
    };
    stream.write_all(UPGRADE.as_bytes()).expect("a server");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("an answer");
        head.push(byte[0]);
    }
    let mut socket = WebSocket::from_raw_socket(stream, Role::Client, Some(buffered(buffer)));
    let _details = socket.read().expect("the first message");
    socket.send(Message::text(subscription(filter))).expect("a server");
    socket
}

/// A loop that reads the socket and no more.
///
/// # Panics
///
/// If the server does not do its part; so do the others.
#[must_use]
pub fn socket(server: &Server, count: usize, size: usize) -> Cost {
    let mut stream = subscribed(server, &flood_filter(count, size), 4096).into_inner();
    let (meter, mut left, mut piece) = (Meter::start(), count * size, vec![0; 64 << 10]);
    while left > 0 {
        left = left.saturating_sub(stream.read(&mut piece).expect("more"));
    }
    meter.each(count)
}

/// A loop over a WebSocket with this read buffer.
#[must_use]
pub fn raw(server: &Server, count: usize, size: usize, work: Work, buffer: usize) -> Cost {
    let mut socket = subscribed(server, &flood_filter(count, size), buffer);
    let meter = Meter::start();
    let _answer = socket.read();
    let mut bytes = 0;
    for _ in 0..count {
        let Ok(Message::Text(text)) = socket.read() else { panic!("no notification") };
        bytes += work.on(&text);
    }
    std::hint::black_box(bytes);
    meter.each(count)
}

/// The same loop on a thread of its own, whose messages go through a channel to the thread that wants them.
#[must_use]
pub fn queued(server: &Server, count: usize, size: usize, buffer: usize) -> Cost {
    let mut socket = subscribed(server, &flood_filter(count, size), buffer);
    let meter = Meter::start();
    let (to, from) = std::sync::mpsc::sync_channel(QUEUE);
    let reader = std::thread::spawn(move || {
        let _answer = socket.read();
        for _ in 0..count {
            let Ok(Message::Text(text)) = socket.read() else { panic!("no notification") };
            std::hint::black_box(Work::Parse.on(&text));
            to.send(text).expect("a receiver");
        }
    });
    let (seen, bytes) = from.into_iter().fold((0, 0), |(seen, bytes), text| (seen + 1, bytes + text.len()));
    reader.join().expect("a reader");
    assert_eq!(seen, count);
    std::hint::black_box(bytes);
    meter.each(count)
}

/// This client.
#[must_use]
pub fn ours(server: &Server, count: usize, size: usize) -> Cost {
    let mut builder = Builder::new(FixedToken::new("token"));
    if let Some(tls) = server.tls() {
        builder = builder.tls(tls);
    }
    let started = builder.config(server.config()).filters([flood_filter(count, size)]).start();
    let (_client, events) = started.expect("a good configuration");
    let (mut meter, mut left, mut bytes) = (Meter::start(), count, 0);
    for event in events {
        match event {
            Event::Connected { .. } => meter = Meter::start(),
            Event::Notification(n) => {
                bytes += n.uuid().len() + n.body().len();
                left -= 1;
                if left == 0 {
                    break;
                }
            }
            _ => {}
        }
    }
    std::hint::black_box(bytes);
    meter.each(count)
}
