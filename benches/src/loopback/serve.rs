//! What the process of the server does.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;

use async_tungstenite::tungstenite::handshake::derive_accept_key;
use async_tungstenite::tungstenite::protocol::Role;
use async_tungstenite::tungstenite::{Message, WebSocket};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::stream::Stream;
use super::{CUT, flood};

/// Serves until its parent has gone. Prints the port, and the certificate if there is one.
pub(super) fn serve(tls: bool) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let tls = if tls { Some(settings()?) } else { None };
    let certificate = tls.as_ref().map_or("", |(_, certificate)| certificate);
    println!("{} {certificate}", listener.local_addr()?.port());
    std::thread::spawn(|| {
        // The parent holds the other end as long as it lives.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        std::process::exit(0);
    });
    let config = tls.map(|(config, _)| config);
    for stream in listener.incoming() {
        let (stream, config) = (stream?, config.clone());
        // A client that goes ends its thread.
        std::thread::spawn(move || accept(stream, config).and_then(talk));
    }
    Ok(())
}

fn settings() -> io::Result<(Arc<ServerConfig>, String)> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
    let certificate = data_encoding::HEXLOWER.encode(made.cert.der());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key);
    Ok((Arc::new(config.map_err(io::Error::other)?), certificate))
}

fn accept(socket: TcpStream, tls: Option<Arc<ServerConfig>>) -> io::Result<Stream> {
    socket.set_nodelay(true)?;
    let Some(tls) = tls else { return Ok(Stream::Plain(socket)) };
    let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
    Ok(Stream::Server(Box::new(StreamOwned::new(connection, socket))))
}

/// Token calls on one connection, or a WebSocket.
fn talk(mut stream: Stream) -> io::Result<()> {
    let secure = !matches!(stream, Stream::Plain(_));
    loop {
        let head = head(&mut stream)?;
        if head.starts_with("GET /ws") {
            return web_socket(stream, &head);
        }
        let length = value(&head, "content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        io::copy(&mut Read::by_ref(&mut stream).take(length), &mut io::sink())?;
        let (scheme, port) = (if secure { "wss" } else { "ws" }, stream.socket().local_addr()?.port());
        let body = format!(r#"{{"ws_access_token":"t","uri":"{scheme}://127.0.0.1:{port}/ws","expires_in":600}}"#);
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes())?;
    }
}

fn head(stream: &mut Stream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn web_socket(mut stream: Stream, head: &str) -> io::Result<()> {
    let accept = derive_accept_key(value(head, "sec-websocket-key").unwrap_or_default().as_bytes());
    let upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
    stream.write_all(format!("{upgrade}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n").as_bytes())?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    let state = if head.contains("wsc=") { r#""recoveryState":"Successful","# } else { "" };
    let details = format!(
        r#"[{{"type":"ConnectionDetails","messageId":"m","wsc":{{"token":"w","sequence":1}}}},{{{state}"recoveryTimeout":180,"recoveryBufferSize":100,"idleTimeout":1800,"absoluteTimeout":86400,"maxActiveRequests":10}}]"#
    );
    socket.send(Message::text(details)).map_err(io::Error::other)?;
    loop {
        let message = socket.read().map_err(io::Error::other)?;
        let Ok(text) = message.to_text() else { continue };
        if text.contains(r#""Heartbeat""#) {
            socket.send(Message::text(text)).map_err(io::Error::other)?;
            continue;
        }
        if !message.is_text() {
            continue;
        }
        let id = text.split('"').skip_while(|part| *part != "messageId").nth(2).unwrap_or_default();
        let filter = text.split('"').find(|part| part.starts_with("/flood/") || *part == CUT).unwrap_or("/quiet");
        let reply = format!(
            r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{{"id":"sub-1","status":"Active","eventFilters":["{filter}"]}}]"#
        );
        socket.send(Message::text(reply)).map_err(io::Error::other)?;
        if filter == CUT {
            return socket.get_ref().socket().shutdown(Shutdown::Both);
        }
        if let Some((count, size)) = filter.strip_prefix("/flood/").and_then(|rest| rest.split_once('/')) {
            let number = |text: &str| text.parse().map_err(io::Error::other);
            socket.get_mut().write_all(&flood(number(count)?, number(size)?))?;
        }
    }
}
