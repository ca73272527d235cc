//! From a host name to a stream: blocking, with a deadline for each step, and with a way to end it from outside.

use std::io::{self, Read, Write};

use ringcentral_ws_adapter::{Net, Target, Tunnel, tls_failed, tls_to};
use ringcentral_ws_core::HttpFailure;
use rustls::{ClientConnection, StreamOwned};

use crate::abort::Abort;
use crate::reach::reach;
use crate::tcp::{Stream, Tcp, deadline};

/// Connects. The stream has the deadline of its last step, which the caller replaces.
pub(crate) fn dial(net: &Net, target: &Target, abort: &Abort) -> Result<Stream, HttpFailure> {
    let Some((proxy, (host, port))) = net.proxy.as_ref().and_then(|proxy| Some((proxy, proxy.for_target(target)?)))
    else {
        return encrypt(net, target, reach(&net.limits, &target.host, target.port, abort)?);
    };
    let mut tcp = reach(&net.limits, host, port, abort)?;
    tcp.deadline = Some(deadline(net.limits.tcp));
    dig(&mut proxy.tunnel(target), &mut tcp)?;
    encrypt(net, target, tcp)
}

/// Asks the proxy at the other end for a tunnel.
fn dig(tunnel: &mut Tunnel, stream: &mut Tcp) -> Result<(), HttpFailure> {
    let failed = |tunnel: &Tunnel, error: &io::Error| {
        if error.kind() == io::ErrorKind::TimedOut { tunnel.late() } else { tunnel.broken(error) }
    };
    stream.write_all(tunnel.request()).map_err(|error| failed(tunnel, &error))?;
    let mut byte = [0];
    loop {
        let read = match stream.read(&mut byte) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(|error| failed(tunnel, &error))?,
        };
        if tunnel.take((read > 0).then_some(byte[0]))? {
            return Ok(());
        }
    }
}

fn encrypt(net: &Net, target: &Target, mut tcp: Tcp) -> Result<Stream, HttpFailure> {
    let host = &target.host;
    tcp.deadline = Some(deadline(net.limits.tls));
    if !target.tls {
        return Ok(Stream::Plain(tcp));
    }
    let (tls, name) = tls_to(net.tls.as_ref(), host)?;
    let failed = |error: io::Error| tls_failed(host, &error);
    let connection = ClientConnection::new(tls, name).map_err(|error| failed(io::Error::other(error)));
    let mut connection = connection?;
    while connection.is_handshaking() {
        connection.complete_io(&mut tcp).map_err(failed)?;
    }
    Ok(Stream::Tls(Box::new(StreamOwned::new(connection, tcp))))
}
