//! Settings of the application at their edges.

use crate::common;

use std::sync::Arc;
use std::time::Duration;

use common::{builder, get, server, subscribed, tls_server, until};
use ringcentral_ws_conformance::settings::endless;
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_tokio::bytes::Bytes;
use ringcentral_ws_tokio::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use ringcentral_ws_tokio::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use ringcentral_ws_tokio::rustls::{self, DigitallySignedStruct, SignatureScheme};
use ringcentral_ws_tokio::{
    BoxFuture, Close, Event, HttpFailure, HttpsSender, IoLimits, RequestErrorKind, SessionState, Tokio, http,
    https_client,
};

#[tokio::test]
async fn a_limit_without_end_is_no_limit() {
    let server = server();
    let (client, mut events) = builder(&server).limits(endless()).start().unwrap();
    subscribed(&mut events).await;
    let account = "/restapi/v1.0/account/~";
    for _ in 0..2 {
        assert_eq!(client.request(get(account)).await.unwrap().status(), 200);
    }
    assert_eq!(client.download(get(account)).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_buffer_of_any_size_carries_messages() {
    for size in [0, 1, usize::MAX] {
        let server = server();
        let limits = IoLimits { socket_buffer: size, command_queue: size, ..IoLimits::default() };
        let (_client, mut events) = builder(&server).limits(limits).start().unwrap();
        subscribed(&mut events).await;
    }
}

#[test]
fn with_its_runtime_a_client_ends() {
    let (server, runtime) = (server(), tokio::runtime::Runtime::new().unwrap());
    let (client, mut events) = runtime.block_on(async { builder(&server).start().unwrap() });
    runtime.block_on(subscribed(&mut events));
    assert!(matches!(client.state(), SessionState::Ready { .. }));
    drop(runtime);
    assert_eq!(client.state(), SessionState::Closed);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        while events.next().await.is_some() {}
        let refused = client.request(get("/restapi/v1.0/account/~")).await.unwrap_err();
        assert!(matches!(refused.kind(), RequestErrorKind::Refused(_)), "{refused}");
        client.close(Close::Revoke).await;
    });
}

// CLAUSE HB-4
#[tokio::test]
async fn without_any_slack_the_clock_is_no_alarm() {
    let server = server();
    let limits = IoLimits { clock_slack: Duration::ZERO, longest_sleep: Duration::ZERO, ..IoLimits::default() };
    let (client, mut events) = builder(&server).limits(limits).start().unwrap();
    subscribed(&mut events).await;
    // Each turn of the client reads its clocks.
    for _ in 0..100 {
        assert_eq!(client.request(get("/restapi/v1.0/account/~")).await.unwrap().status(), 200);
    }
    assert!(client.stats().heartbeats < 10, "{:?}", client.stats());
    assert_eq!(client.stats().connections, 1);
}

/// Judges no certificate: it has a bug.
#[derive(Debug)]
struct Broken;

impl ServerCertVerifier for Broken {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        panic!("a bug of the program")
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("no certificate was taken")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("no certificate was taken")
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::RSA_PSS_SHA256]
    }
}

/// Makes calls with settings of its own.
struct Own(Arc<dyn HttpsSender>);

impl HttpsSender for Own {
    fn send(&self, request: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpFailure>> {
        self.0.send(request)
    }
}

#[tokio::test]
async fn a_verifier_that_panics_fails_an_attempt_and_not_the_client() {
    let (server, tls) = tls_server(GatewayConfig::default());
    let mut broken = rustls::ClientConfig::clone(&tls);
    broken.dangerous().set_certificate_verifier(Arc::new(Broken));
    let own = Own(https_client(Tokio, IoLimits::default(), Some(tls)).unwrap());
    let (_client, mut events) = builder(&server).http_client(own).tls(Arc::new(broken)).start().unwrap();
    let cause = until(&mut events, |event| match event {
        Event::Retry { attempt: 2, cause, .. } => Some(cause.to_string()),
        _ => None,
    });
    let cause = cause.await;
    assert!(cause.contains("panicked"), "{cause}");
}
