//! Notifications over loopback on an async runtime.

use async_tungstenite::tungstenite::Message;
use futures_rustls::TlsConnector;
use futures_util::future::LocalBoxFuture;
use futures_util::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use ringcentral_ws_driver::rustls::pki_types::ServerName;
use ringcentral_ws_driver::{Builder, Client, Event, Events, Filters, FixedToken, Resumption, Runtime};

use super::channel::Channel;
use super::{Cost, Meter, QUEUE};
use crate::loopback::{CUT, Server, flood_filter};
use crate::raw::{UPGRADE, Work, buffered, receive, subscribed};

/// Runs a future to its end on a runtime.
pub type Run<'a> = &'a dyn Fn(LocalBoxFuture<'_, Cost>) -> Cost;

trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

async fn dial<R: Runtime + Default>(server: &Server) -> Box<dyn Duplex> {
    let stream = R::default().connect(([127, 0, 0, 1], server.port).into()).await.expect("a server");
    let Some(tls) = server.tls() else { return Box::new(stream) };
    let name = ServerName::try_from("127.0.0.1").expect("a good name");
    Box::new(TlsConnector::from(tls).connect(name, stream).await.expect("a good certificate"))
}

/// A loop that reads the socket and no more.
pub async fn socket<R: Runtime + Default>(server: &Server, count: usize, size: usize) -> Cost {
    let stream = dial::<R>(server).await;
    let mut stream = subscribed(stream, &flood_filter(count, size), buffered(4096)).await.into_inner();
    let (meter, mut left, mut piece) = (Meter::start(), count * size, vec![0; 64 << 10]);
    while left > 0 {
        left = left.saturating_sub(stream.read(&mut piece).await.expect("more"));
    }
    meter.each(count)
}

/// A loop over a WebSocket with this read buffer.
pub async fn raw<R: Runtime + Default>(server: &Server, count: usize, size: usize, work: Work, buffer: usize) -> Cost {
    let stream = dial::<R>(server).await;
    let mut socket = subscribed(stream, &flood_filter(count, size), buffered(buffer)).await;
    let meter = Meter::start();
    std::hint::black_box(receive(&mut socket, count, work).await);
    meter.each(count)
}

/// The same loop in a task of its own, whose messages go through a channel to the task that wants them.
pub async fn queued<R: Channel + Default>(server: &Server, count: usize, size: usize, buffer: usize) -> Cost {
    let stream = dial::<R>(server).await;
    let mut socket = subscribed(stream, &flood_filter(count, size), buffered(buffer)).await;
    let meter = Meter::start();
    let (to, mut from) = R::channel(QUEUE);
    let reader = async move {
        let _answer = socket.next().await;
        for _ in 0..count {
            let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("no notification") };
            std::hint::black_box(Work::Parse.on(&text));
            R::send(&to, text).await;
        }
    };
    R::default().spawn(Box::pin(reader)).expect("a runtime");
    let (mut seen, mut bytes) = (0, 0);
    while let Some(text) = R::next(&mut from).await {
        bytes += text.len();
        seen += 1;
    }
    assert_eq!(seen, count);
    std::hint::black_box(bytes);
    meter.each(count)
}

/// A client that subscribes to `filter`.
pub fn start<R: Runtime + Default>(server: &Server, filter: &str) -> (Client<R>, Events) {
    let mut builder = Builder::new(R::default(), FixedToken::new("token"));
    if let Some(tls) = server.tls() {
        builder = builder.tls(tls);
    }
    let mut config = server.config();
    config.rest_over_websocket = true;
    builder.config(config).filters([filter]).start().expect("a good configuration")
}

/// This client.
pub async fn ours<R: Runtime + Default>(server: &Server, count: usize, size: usize) -> Cost {
    let (_client, mut events) = start::<R>(server, &flood_filter(count, size));
    let (mut meter, mut left, mut bytes) = (Meter::start(), count, 0);
    while left > 0 {
        match events.next().await.expect("more") {
            Event::Connected { .. } => meter = Meter::start(),
            Event::Notification(n) => {
                bytes += n.uuid().len() + n.body().len();
                left -= 1;
            }
            _ => {}
        }
    }
    std::hint::black_box(bytes);
    meter.each(count)
}

/// Requests over a WebSocket, one after the other, by a loop that parses the answers.
pub async fn raw_requests<R: Runtime + Default>(server: &Server, count: usize) -> Cost {
    let mut socket = subscribed(dial::<R>(server).await, "/quiet", buffered(4096)).await;
    let _answer = socket.next().await;
    let meter = Meter::start();
    for n in 0..count {
        let text = format!(r#"[{{"type":"ClientRequest","messageId":"{n}","method":"GET","path":"/restapi/v1.0/a"}}]"#);
        socket.send(Message::text(text)).await.expect("a server");
        let Some(Ok(Message::Text(text))) = socket.next().await else { panic!("no answer") };
        let answer: (&serde_json::value::RawValue, &serde_json::value::RawValue) =
            serde_json::from_str(&text).expect("an answer");
        std::hint::black_box(answer);
    }
    meter.each(count)
}

/// The same by this client.
pub async fn our_requests<R: Runtime + Default>(server: &Server, count: usize) -> Cost {
    let (client, mut events) = start::<R>(server, "/quiet");
    while !matches!(events.next().await, Some(Event::Subscribed(_))) {}
    let meter = Meter::start();
    for _ in 0..count {
        std::hint::black_box(client.get("/restapi/v1.0/a").await.expect("an answer"));
    }
    meter.each(count)
}

/// A connection made anew, as little as it takes: a call for a token, a dial, the upgrade and the first message.
pub async fn raw_reconnects<R: Runtime + Default>(server: &Server, count: usize) -> Cost {
    let meter = Meter::start();
    for _ in 0..count {
        let mut stream = dial::<R>(server).await;
        let call = "POST /restapi/oauth/wstoken HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(call.as_bytes()).await.expect("a server");
        let mut piece = [0; 4096];
        assert!(stream.read(&mut piece).await.expect("an answer") > 0);
        let mut stream = dial::<R>(server).await;
        stream.write_all(UPGRADE.as_bytes()).await.expect("a server");
        let mut text = Vec::new();
        while !text.ends_with(b"}]") {
            let read = stream.read(&mut piece).await.expect("an answer");
            text.extend_from_slice(&piece[..read]);
        }
    }
    meter.each(count)
}

/// The same by this client, after the server cut the connection. The waits before an attempt cost nothing here.
pub async fn our_reconnects<R: Runtime + Default>(server: &Server, count: usize) -> Cost {
    let (client, mut events) = start::<R>(server, "/quiet");
    while !matches!(events.next().await, Some(Event::Subscribed(_))) {}
    let meter = Meter::start();
    for _ in 0..count {
        client.subscribe(Filters::new([CUT]).expect("a good filter")).await.expect("accepted");
        let recovered = |event: &Event| matches!(event, Event::Connected { resumption: Resumption::Recovered, .. });
        while !recovered(&events.next().await.expect("more")) {}
    }
    meter.each(count)
}
