//! From a host name to a stream, with a deadline for each step.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use ringcentral_ws_adapter::{IoLimits, Proxy, Target, Tunnel, not_sent};
use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::ClientConfig;

use crate::reach::reach;
use crate::runtime::{Runtime, within};
use crate::tls::{Transport, encrypt};

pub(crate) async fn dial<R: Runtime>(
    runtime: &R,
    limits: &IoLimits,
    tls: Option<&Arc<ClientConfig>>,
    proxy: Option<&Proxy>,
    target: &Target,
) -> Result<Transport<R::Stream>, HttpFailure> {
    let Some((proxy, (host, port))) = proxy.and_then(|proxy| Some((proxy, proxy.for_target(target)?))) else {
        let stream = reach(runtime, limits, &target.host, target.port).await?;
        return finish(runtime, limits.tls, tls, target, stream).await;
    };
    let mut stream = reach(runtime, limits, host, port).await?;
    let mut tunnel = proxy.tunnel(target);
    match within(runtime, limits.tcp, dig(&mut tunnel, &mut stream)).await {
        None => Err(tunnel.late()),
        Some(Err(failure)) => Err(failure),
        Some(Ok(())) => finish(runtime, limits.tls, tls, target, stream).await,
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
    limit: Duration,
    tls: Option<&Arc<ClientConfig>>,
    target: &Target,
    stream: R::Stream,
) -> Result<Transport<R::Stream>, HttpFailure> {
    let host = &target.host;
    if !target.tls {
        return Ok(Transport::Plain(stream));
    }
    let Some(tls) = tls else {
        return Err(not_sent(Phase::Tls, format!("no TLS connection to {host}: the program has no TLS settings")));
    };
    match within(runtime, limit, encrypt(Arc::clone(tls), host, stream)).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => Err(not_sent(Phase::Tls, tls_message(host, &error))),
        None => Err(not_sent(Phase::Tls, format!("the TLS handshake with {host} took too long"))),
    }
}

fn tls_message(host: &str, error: &io::Error) -> String {
    format!("no TLS connection to {host}: {error}")
}
