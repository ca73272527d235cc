//! From a host name to a stream, with a deadline for each step.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_core::{HttpFailure, Phase};
use rustls::ClientConfig;
use url::{Host, Url};

use crate::limits::IoLimits;
use crate::proxy::Proxy;
use crate::runtime::{Runtime, within};
use crate::tls::{Transport, encrypt};

/// Where to, and whether with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl Target {
    /// Reads `https`, `wss`, `http` and `ws` addresses.
    pub(crate) fn of(url: &Url) -> Option<Self> {
        let tls = match url.scheme() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return None,
        };
        let host = match url.host()? {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let port = url.port().unwrap_or(if tls { 443 } else { 80 });
        Some(Self { host, port, tls })
    }
}

/// Whether an address means this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => is_loopback_host(name),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The same for a host alone: a name, or an address without brackets.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

/// A step that failed before any byte of a request left.
pub(crate) fn not_sent(phase: Phase, message: impl Into<Box<str>>) -> HttpFailure {
    HttpFailure { phase, not_sent: true, message: message.into() }
}

pub(crate) async fn dial<R: Runtime>(
    runtime: &R,
    limits: &IoLimits,
    tls: &Arc<ClientConfig>,
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
    tls: &Arc<ClientConfig>,
    target: &Target,
    stream: R::Stream,
) -> Result<Transport<R::Stream>, HttpFailure> {
    let host = &target.host;
    if !target.tls {
        return Ok(Transport::Plain(stream));
    }
    match within(runtime, limit, encrypt(Arc::clone(tls), host, stream)).await {
        Some(Ok(stream)) => Ok(stream),
        Some(Err(error)) => Err(not_sent(Phase::Tls, tls_message(host, &error))),
        None => Err(not_sent(Phase::Tls, format!("the TLS handshake with {host} took too long"))),
    }
}

fn tls_message(host: &str, error: &io::Error) -> String {
    format!("no TLS connection to {host}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        let of = |text: &str| Target::of(&text.parse().unwrap());
        assert_eq!(of("wss://h.example/ws?x=1").unwrap(), Target { host: "h.example".into(), port: 443, tls: true });
        assert_eq!(of("http://[::1]:81").unwrap(), Target { host: "::1".into(), port: 81, tls: false });
        assert_eq!(of("ftp://h"), None);
    }

    // CLAUSE TOK-8
    #[test]
    fn loopback_is_told_apart() {
        let is = |text: &str| is_loopback(&text.parse().unwrap());
        assert!(is("http://127.0.0.1:5") && is("ws://localhost/x") && is("http://[::1]/"));
        assert!(!is("http://h.example") && !is("http://10.0.0.1") && !is("http://localhost.example"));
    }
}
