//! From a host name to a stream, with a deadline for each step.

use std::io;

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use ringcentral_ws_adapter::{Net, Target, Tunnel, tls_failed, tls_to};
use ringcentral_ws_core::HttpFailure;

use crate::reach::reach;
use crate::runtime::{Runtime, within};
use crate::tls::{Transport, encrypt};

pub(crate) async fn dial<R: Runtime>(
    runtime: &R,
    net: &Net,
    target: &Target,
) -> Result<Transport<R::Stream>, HttpFailure> {
    let Some((proxy, (host, port))) = net.proxy.as_ref().and_then(|proxy| Some((proxy, proxy.for_target(target)?)))
    else {
        let stream = reach(runtime, &net.limits, &target.host, target.port).await?;
        return finish(runtime, net, target, stream).await;
    };
    let mut stream = reach(runtime, &net.limits, host, port).await?;
    let mut tunnel = proxy.tunnel(target);
    match within(runtime, net.limits.tcp, dig(&mut tunnel, &mut stream)).await {
        None => Err(tunnel.late()),
        Some(Err(failure)) => Err(failure),
        Some(Ok(())) => finish(runtime, net, target, stream).await,
    }
}

/// Asks the proxy at the other end for a tunnel.
async fn dig<S>(tunnel: &mut Tunnel, stream: &mut S) -> Result<(), HttpFailure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(tunnel.request()).await.map_err(|error| tunnel.broken(&error))?;
    stream.flush().await.map_err(|error| tunnel.broken(&error))?;
    let mut byte = [0];
    loop {
        let read = stream.read(&mut byte).await.map_err(|error| tunnel.broken(&error))?;
        if tunnel.take((read > 0).then_some(byte[0]))? {
            return Ok(());
        }
    }
}

async fn finish<R: Runtime>(
    runtime: &R,
    net: &Net,
    target: &Target,
    stream: R::Stream,
) -> Result<Transport<R::Stream>, HttpFailure> {
    let host = &target.host;
    if !target.tls {
        return Ok(Transport::Plain(stream));
    }
    let (tls, name) = tls_to(net.tls.as_ref(), host)?;
    let encrypted = within(runtime, net.limits.tls, encrypt(tls, name, stream)).await;
    encrypted.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into())).map_err(|error| tls_failed(host, &error))
}
