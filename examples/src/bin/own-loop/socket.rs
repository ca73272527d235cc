//! The socket of the loop: name, TCP, TLS, WebSocket.

use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use ringcentral_ws::rustls::pki_types::ServerName;
use ringcentral_ws::rustls::{ClientConnection, StreamOwned};
use ringcentral_ws::{OpenFailure, Phase, SecretUrl, default_tls};
use tungstenite::{Error as WsError, HandshakeError, WebSocket, client};

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// The WebSocket, and its TCP connection for the time-out of each read.
pub(crate) struct Socket(pub(crate) WebSocket<Box<dyn Stream>>, pub(crate) TcpStream);

/// Opens it.
pub(crate) fn open(url: &SecretUrl) -> Result<Socket, Box<dyn Error>> {
    let host = url.expose().host_str().unwrap_or_default();
    let tcp = TcpStream::connect((host, url.expose().port_or_known_default().unwrap_or(443)))?;
    tcp.set_read_timeout(Some(Duration::from_secs(30)))?;
    tcp.set_write_timeout(Some(Duration::from_secs(30)))?;
    let clone = tcp.try_clone()?;
    let stream: Box<dyn Stream> = if url.expose().scheme() == "wss" {
        let tls = ClientConnection::new(default_tls()?, ServerName::try_from(host.to_owned())?)?;
        Box::new(StreamOwned::new(tls, tcp))
    } else {
        Box::new(tcp)
    };
    match client(url.expose().as_str(), stream) {
        Ok((socket, _)) => Ok(Socket(socket, clone)),
        Err(HandshakeError::Failure(error)) => Err(error.into()),
        Err(HandshakeError::Interrupted(_)) => Err("the server did not answer".into()),
    }
}

/// As if the server had seen the token, because it may have.
pub(crate) fn failure(error: &(dyn Error + 'static)) -> OpenFailure {
    let status = match error.downcast_ref() {
        Some(WsError::Http(answer)) => Some(answer.status().as_u16()),
        _ => None,
    };
    OpenFailure { phase: Phase::Response, status, retry_after: None, message: error.to_string().into() }
}
