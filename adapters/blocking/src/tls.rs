//! TLS settings.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

/// The TLS settings used when none are given: Mozilla's root certificates, rustls with the ring provider. The
/// process-wide default provider is neither used nor set. All clients share one copy.
#[must_use]
pub fn default_tls() -> Arc<ClientConfig> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    let make = || {
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let versions = versions.expect("ring offers TLS 1.2 and 1.3");
        Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
    };
    Arc::clone(SHARED.get_or_init(make))
}
