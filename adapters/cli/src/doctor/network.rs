//! The way to the server: names, addresses, the proxy, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{Proxy, Target, tls_to};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::certificate::{describe, ends_soon, refused};
use super::report::{Found, Problem};

/// The longest time of each step on the way.
const LIMIT: Duration = Duration::from_secs(10);

/// The proxy of the environment.
pub(super) fn proxy(target: &Target) -> Found<Option<Proxy>> {
    match Proxy::from_env() {
        Err(error) => {
            Found::bad(Problem::new(error, "correct HTTPS_PROXY or ALL_PROXY in the environment, or unset it"))
        }
        Ok(None) => Found::good(None, "none: HTTPS_PROXY and ALL_PROXY are not set"),
        Ok(Some(proxy)) => match proxy.for_target(target) {
            None => Found::good(None, "none for this server (NO_PROXY, or it is this machine)"),
            Some((host, port)) => {
                let said = format!("{host}:{port}");
                Found::good(Some(proxy), said)
            }
        },
    }
}

/// The addresses of a host.
pub(super) async fn resolve(host: &str, port: u16, is_proxy: bool) -> Found<Vec<SocketAddr>> {
    let (named, where_) = if is_proxy { ("the proxy", "HTTPS_PROXY") } else { ("the server", "RC_SERVER_URL") };
    let mend = format!("check the spelling in {where_}, and the network and DNS of this machine");
    match timeout(LIMIT, lookup_host((host, port))).await {
        Err(_) => Found::bad(Problem::new(format!("no answer about {host} in {} s", LIMIT.as_secs()), mend)),
        Ok(Err(error)) => Found::bad(Problem::new(format!("{named}'s name {host} is not found: {error}"), mend)),
        Ok(Ok(addresses)) => {
            let mut all: Vec<SocketAddr> = Vec::new();
            addresses.for_each(|address| {
                if !all.contains(&address) {
                    all.push(address)
                }
            });
            if all.is_empty() {
                return Found::bad(Problem::new(format!("{host} has no address"), mend));
            }
            let shown: Vec<_> = all.iter().map(|address| address.ip().to_string()).collect();
            Found::good(all, shown.join(", "))
        }
    }
}

/// Tries each address. Gives a stream to one of them.
pub(super) async fn connect(addresses: Vec<SocketAddr>, is_proxy: bool) -> Found<TcpStream> {
    let mut tries = JoinSet::new();
    for address in addresses {
        tries.spawn(async move {
            let began = Instant::now();
            let made = timeout(LIMIT, TcpStream::connect(address)).await;
            (address, made.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())), began.elapsed())
        });
    }
    let (mut live, mut dead) = (Vec::new(), Vec::new());
    let mut stream = None;
    while let Some(ended) = tries.join_next().await {
        let Ok((address, made, took)) = ended else { continue };
        match made {
            Ok(made) => {
                live.push(format!("{address} answers after {:.3} s", took.as_secs_f64()));
                stream.get_or_insert(made);
            }
            Err(error) => dead.push((address, error)),
        }
    }
    let Some(stream) = stream else { return Found::bad(none_answers(&dead, is_proxy)) };
    let problems = dead.iter().map(|(address, error)| {
        let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
        let what = format!("{address} does not answer: {}", plain(error));
        let mend = format!("repair {family} on this machine's network; until then each connection may lose a moment");
        Problem::new(what, mend).minor()
    });
    Found::good(stream, live.join(", ")).but(problems.collect::<Vec<_>>())
}

fn none_answers(dead: &[(SocketAddr, io::Error)], is_proxy: bool) -> Problem {
    let all: Vec<_> = dead.iter().map(|(address, error)| format!("{address}: {}", plain(error))).collect();
    let refused = dead.iter().any(|(_, error)| error.kind() == io::ErrorKind::ConnectionRefused);
    let named = if is_proxy { "HTTPS_PROXY" } else { "RC_SERVER_URL" };
    let mend = if refused {
        format!("nothing listens there: check host and port in {named}")
    } else {
        format!("check {named} and the network; a firewall may have to let this machine through")
    };
    Problem::new(format!("no address answers: {}", all.join("; ")), mend)
}

fn plain(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::TimedOut { "no answer in time".to_owned() } else { error.to_string() }
}

/// Asks the proxy for a tunnel.
pub(super) async fn tunnel(proxy: &Proxy, target: &Target, mut stream: TcpStream) -> Found<TcpStream> {
    let mut tunnel = proxy.tunnel(target);
    let dug = timeout(LIMIT, async {
        stream.write_all(tunnel.request()).await.map_err(|error| tunnel.broken(&error))?;
        let mut byte = [0];
        loop {
            let read = stream.read(&mut byte).await.map_err(|error| tunnel.broken(&error))?;
            if tunnel.take((read > 0).then_some(byte[0]))? {
                return Ok(());
            }
        }
    })
    .await;
    match dug.unwrap_or_else(|_| Err(tunnel.late())) {
        Ok(()) => Found::good(stream, format!("it leads to {}:{}", target.host, target.port)),
        Err(failure) => Found::bad(Problem::new(
            failure.message,
            format!(
                "have the proxy allow CONNECT to {}:{}, put its user and password into HTTPS_PROXY if it asks for them, or \
                 name the host in NO_PROXY",
                target.host, target.port
            ),
        )),
    }
}

/// Shakes hands, and looks at the certificate.
pub(super) async fn tls(
    config: Option<&Arc<ClientConfig>>,
    target: &Target,
    stream: TcpStream,
    again: Option<SocketAddr>,
) -> Found<()> {
    let (config, name) = match tls_to(config, &target.host) {
        Ok(made) => made,
        Err(failure) => return Found::bad(Problem::new(failure.message, "check RC_SERVER_URL")),
    };
    let shaken = shake(&config, name.clone(), stream).await;
    let error = match shaken {
        Ok(chain) => {
            let Some(first) = chain.first() else { return Found::good((), "the server showed no certificate") };
            return Found::good((), describe(first)).but(ends_soon(first));
        }
        Err(error) => error,
    };
    // Once more, only to see whose certificate that is. Nothing is sent.
    let shown = match again {
        Some(address) => look(&config, name, address).await,
        None => None,
    };
    Found::bad(refused(&target.host, &error, shown.as_ref()))
}

type Chain = Vec<CertificateDer<'static>>;

async fn shake(config: &Arc<ClientConfig>, name: ServerName<'static>, stream: TcpStream) -> io::Result<Chain> {
    let stream = timeout(LIMIT, TlsConnector::from(Arc::clone(config)).connect(name, stream)).await;
    let stream = stream.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))?;
    Ok(stream.get_ref().1.peer_certificates().unwrap_or_default().iter().map(|der| der.clone().into_owned()).collect())
}

async fn look(
    config: &ClientConfig,
    name: ServerName<'static>,
    address: SocketAddr,
) -> Option<CertificateDer<'static>> {
    let stream = timeout(LIMIT, TcpStream::connect(address)).await.ok()?.ok()?;
    let provider = Arc::clone(config.crypto_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Onlooker(schemes)));
    shake(&Arc::new(builder.with_no_client_auth()), name, stream).await.ok()?.into_iter().next()
}

/// Accepts every certificate, because the connection ends right after the handshake.
#[derive(Debug)]
struct Onlooker(Vec<SignatureScheme>);

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
    }

    #[test]
    fn a_dead_address_beside_a_live_one_is_named_and_stops_nothing() {
        let live = TcpListener::bind("127.0.0.1:0").unwrap();
        let dead: SocketAddr = {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            format!("[::1]:{port}").parse().unwrap()
        };
        let found = run(connect(vec![dead, live.local_addr().unwrap()], false));
        assert!(found.value.is_some());
        let [problem] = &found.problems[..] else { panic!("{:?}", found.problems) };
        assert!(problem.is_minor && problem.what.contains("[::1]") && problem.mend.contains("IPv6"), "{problem:?}");
    }
}
