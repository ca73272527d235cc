//! From a host name to a stream, with a deadline for each step.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_adapter::{IoLimits, Target, not_sent};
use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::ClientConfig;

use crate::proxy::Proxy;
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
    match within(runtime, limits.tcp, proxy.tunnel(&mut stream, target)).await {
        None => Err(not_sent(Phase::Tcp, format!("the proxy {host}:{port} did not answer in time"))),
        Some(Err(why)) => Err(not_sent(Phase::Tcp, why)),
        Some(Ok(())) => finish(runtime, limits.tls, tls, target, stream).await,
    }
}

/// A TCP stream to a host.
async fn reach<R: Runtime>(runtime: &R, limits: &IoLimits, host: &str, port: u16) -> Result<R::Stream, HttpFailure> {
    let lookup = within(runtime, limits.dns, runtime.resolve(host, port)).await;
    let addresses = match lookup {
        None => return Err(not_sent(Phase::Dns, format!("looking up {host} took too long"))),
        Some(Err(error)) => return Err(not_sent(Phase::Dns, format!("{host} was not found: {error}"))),
        Some(Ok(addresses)) => addresses,
    };
    let mut failure = not_sent(Phase::Dns, format!("{host} has no address"));
    let mut left = limits.tcp;
    for (i, address) in addresses.iter().enumerate() {
        // Each address gets an equal share of what is left, so that a dead one cannot use up the time of the rest.
        let share = left / u32::try_from(addresses.len() - i).unwrap_or(u32::MAX);
        left = left.saturating_sub(share);
        match within(runtime, share, runtime.connect(*address)).await {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => failure = not_sent(Phase::Tcp, format!("{address}: {error}")),
            None => failure = not_sent(Phase::Tcp, format!("{address} did not answer in time")),
        }
    }
    Err(failure)
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
