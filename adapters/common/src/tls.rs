//! TLS settings.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

/// The TLS settings used when none are given: Mozilla's root certificates, rustls with the ring provider. The
/// process-wide default provider is neither used nor set. All clients share one copy.
#[must_use]
pub fn default_tls() -> Arc<ClientConfig> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| Arc::new(make())))
}

fn make() -> ClientConfig {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring offers TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-2
    #[test]
    fn the_provider_is_explicit() {
        let config = default_tls();
        assert!(!config.crypto_provider().cipher_suites.is_empty());
        assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "the process default stays unset");
    }
}
