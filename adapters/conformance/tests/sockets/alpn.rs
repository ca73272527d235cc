//! A server that speaks HTTP/2 with whoever offers it, and TLS settings that offer it.

use crate::harness;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use harness::{Async, wait_for};
use ringcentral_ws_conformance::DEADLINE;
use ringcentral_ws_core::Config;
use ringcentral_ws_driver::bytes::Bytes;
use ringcentral_ws_driver::rustls::ClientConfig;
use ringcentral_ws_driver::{Builder, FixedToken, IoLimits, Runtime, https_client};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The protocol of a connection, and the first line of the request on it.
type Call = (Option<String>, String);

struct Server {
    address: SocketAddr,
    certificate: Vec<u8>,
    calls: Receiver<Call>,
}

impl Server {
    fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = made.cert.der().to_vec();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, calls) = channel();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, sender) = (Arc::clone(&config), sender.clone());
                std::thread::spawn(move || serve(address, stream, config, &sender));
            }
        });
        Self { address, certificate, calls }
    }

    fn next(&self, name: &str, offered: &[&str]) -> Call {
        self.calls.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("{name}, {offered:?}: no call came"))
    }
}

fn serve(address: SocketAddr, stream: TcpStream, config: Arc<ServerConfig>, calls: &Sender<Call>) -> io::Result<()> {
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let protocol = stream.conn.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    let first = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let speaks_http2 = protocol.as_deref() == Some("h2");
    let _ = calls.send((protocol, first));
    if speaks_http2 {
        // Empty settings: all that a client of HTTP/1.1 gets to see.
        stream.write_all(b"\0\0\0\x04\0\0\0\0\0")?;
    } else {
        let token = format!(r#"{{"uri":"wss://{address}/ws","ws_access_token":"once","expires_in":600}}"#);
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", token.len());
        stream.write_all(&[head.as_bytes(), token.as_bytes()].concat())?;
    }
    stream.conn.send_close_notify();
    stream.flush()
}

/// Settings of the application's that trust the server and offer these protocols.
fn offering(server: &Server, offered: &[&str]) -> Arc<ClientConfig> {
    let mut tls = ClientConfig::clone(&harness::trusting(&server.certificate));
    tls.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(tls)
}

const OFFERS: [&[&str]; 3] = [&["h2", "http/1.1"], &["h2"], &[]];

/// An HTTPS call, then the two of a connection: one for a token, and the upgrade.
fn check<C>(name: &str, call: impl Fn(&Server, Arc<ClientConfig>), connect: impl Fn(&Server, Arc<ClientConfig>) -> C) {
    let spoken = Some("http/1.1".to_owned());
    for offered in OFFERS {
        // A server of its own: the client before may try again until it is gone.
        let server = &Server::start();
        call(server, offering(server, offered));
        assert_eq!(server.next(name, offered), (spoken.clone(), "GET /call HTTP/1.1".to_owned()), "{offered:?}");
        let _client = connect(server, offering(server, offered));
        let (protocol, first) = server.next(name, offered);
        assert_eq!((protocol, &*first), (spoken.clone(), "POST /restapi/oauth/wstoken HTTP/1.1"), "{name} {offered:?}");
        let (protocol, first) = server.next(name, offered);
        assert!(protocol == spoken && first.starts_with("GET /ws?"), "{name} {offered:?}: {protocol:?} {first}");
    }
}

fn config(server: &Server) -> Config {
    Config { server: format!("https://{}", server.address).parse().unwrap(), ..Config::default() }
}

fn get(server: &Server) -> http::Request<Bytes> {
    http::Request::get(format!("https://{}/call", server.address)).body(Bytes::new()).unwrap()
}

fn asynchronous<R: Runtime>(Async { name, runtime, block }: Async<R>) {
    let call = |server: &Server, tls| {
        let https = https_client(runtime.clone(), IoLimits::default(), Some(tls)).unwrap();
        assert_eq!(wait_for(block, https.send(get(server))).unwrap().status(), 200, "{name}");
    };
    let connect = |server: &Server, tls| {
        let builder = Builder::new(runtime.clone(), FixedToken::new("token")).config(config(server)).tls(tls);
        wait_for(block, async { builder.start() }).unwrap()
    };
    check(name, call, connect);
}

#[test]
fn tokio_speaks_what_it_offers() {
    asynchronous(harness::on_tokio());
}

#[test]
fn smol_speaks_what_it_offers() {
    asynchronous(harness::on_smol());
}

#[test]
fn async_std_speaks_what_it_offers() {
    asynchronous(harness::on_async_std());
}

#[test]
fn threads_speak_what_they_offer() {
    use ringcentral_ws_blocking::{Client, FixedToken, IoLimits, https_client};
    let call = |server: &Server, tls| {
        let https = https_client(IoLimits::default(), Some(tls)).unwrap();
        assert_eq!(https.send(get(server)).unwrap().status(), 200);
    };
    let connect = |server: &Server, tls| {
        let builder = Client::builder(FixedToken::new("token")).config(config(server)).tls(tls);
        builder.start().unwrap()
    };
    check("blocking", call, connect);
}
