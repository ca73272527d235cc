//! TLS settings: whose certificates are trusted, and what encrypts.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
#[cfg(not(feature = "platform-verifier"))]
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// The crypto provider of rustls. There is a variant for each feature that is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// ring (feature `ring`). It is used if both are on and none is named.
    #[cfg(feature = "ring")]
    Ring,
    /// AWS-LC (feature `aws-lc-rs`).
    #[cfg(feature = "aws-lc-rs")]
    AwsLcRs,
}

impl Provider {
    /// The provider that is used if none is named.
    #[must_use]
    #[allow(unreachable_code, reason = "which line is the last one depends on the features")]
    pub const fn preferred() -> Option<Self> {
        #[cfg(feature = "ring")]
        return Some(Self::Ring);
        #[cfg(feature = "aws-lc-rs")]
        return Some(Self::AwsLcRs);
        None
    }

    fn make(self) -> CryptoProvider {
        match self {
            #[cfg(feature = "ring")]
            Self::Ring => rustls::crypto::ring::default_provider(),
            #[cfg(feature = "aws-lc-rs")]
            Self::AwsLcRs => rustls::crypto::aws_lc_rs::default_provider(),
        }
    }
}

/// A builder of TLS settings: the crypto provider, and the certificates that are trusted.
///
/// rustls checks every certificate, and there is no way to turn that off. Trusted are the certificates of the features,
/// and those given to [`trust`](Self::trust):
///
/// | feature | trusts |
/// |---|---|
/// | `webpki-roots` (default) | Mozilla's list, as it was when the program was built |
/// | `native-roots` | the certificates of the machine, read when the settings are made |
/// | both of them | either list |
/// | `platform-verifier` | what the operating system's own verifier says, whatever else is on |
///
/// The crypto provider is that of the feature `ring` (default) or `aws-lc-rs`. If both are on it is ring, unless
/// [`provider`](Self::provider) names the other. The process-wide default provider of rustls is neither used nor set.
#[derive(Clone, Debug, Default)]
#[must_use = "nothing happens before build"]
pub struct TlsSettings {
    provider: Option<Provider>,
    trusted: Vec<CertificateDer<'static>>,
}

impl TlsSettings {
    /// The settings of [`default_tls`].
    pub const fn new() -> Self {
        Self { provider: None, trusted: Vec::new() }
    }

    /// Uses this crypto provider.
    pub const fn provider(mut self, provider: Provider) -> Self {
        self.provider = Some(provider);
        self
    }

    /// Trusts a certificate of an authority in DER, such as that of a company or a test server.
    pub fn trust(mut self, certificate: impl Into<Vec<u8>>) -> Self {
        self.trusted.push(CertificateDer::from(certificate.into()));
        self
    }

    /// Trusts one or more certificates in PEM.
    ///
    /// # Errors
    ///
    /// [`TlsError::Certificate`]: there is none, or one cannot be read.
    pub fn trust_pem(mut self, pem: &[u8]) -> Result<Self, TlsError> {
        let before = self.trusted.len();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            self.trusted.push(certificate.map_err(|error| TlsError::Certificate(error.to_string().into()))?);
        }
        if self.trusted.len() == before { Err(TlsError::Certificate("there is none".into())) } else { Ok(self) }
    }

    /// Builds the settings.
    ///
    /// # Errors
    ///
    /// [`TlsError`], which says what to turn on or to change.
    pub fn build(self) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = self.provider.or(Provider::preferred()).ok_or(TlsError::NoProvider)?;
        let provider = Arc::new(provider.make());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::Settings(error.to_string().into()))?;
        let verifier = verifier(self.trusted, provider)?;
        let mut made = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        made.alpn_protocols = spoken();
        Ok(Arc::new(made))
    }
}

#[cfg(feature = "platform-verifier")]
fn verifier(
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::client::danger::ServerCertVerifier>, TlsError> {
    use rustls_platform_verifier::Verifier;
    #[cfg(not(target_os = "android"))]
    let made = Verifier::new_with_extra_roots(trusted, provider);
    #[cfg(target_os = "android")]
    let made = match trusted.is_empty() {
        true => Verifier::new(provider),
        false => return Err(TlsError::Certificate("Android trusts what its settings say, and nothing else".into())),
    };
    Ok(Arc::new(made.map_err(|error| TlsError::Machine(error.to_string().into()))?))
}

#[cfg(not(feature = "platform-verifier"))]
fn verifier(
    trusted: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let mut roots = rustls::RootCertStore::empty();
    #[cfg(feature = "webpki-roots")]
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    #[cfg(feature = "native-roots")]
    {
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() && trusted.is_empty() {
            let why = found.errors.first().map_or_else(|| "there is none".to_owned(), ToString::to_string);
            return Err(TlsError::Machine(why.into()));
        }
    }
    for certificate in trusted {
        roots.add(certificate).map_err(|error| TlsError::Certificate(error.to_string().into()))?;
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    verifier.map_err(|error| TlsError::Settings(error.to_string().into()))
}

/// The TLS settings of a client that is given none. All clients share them. See [`TlsSettings`].
///
/// # Errors
///
/// [`TlsError`], which says what to turn on or to change.
pub fn default_tls() -> Result<Arc<ClientConfig>, TlsError> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(made) = SHARED.get() {
        return Ok(Arc::clone(made));
    }
    let made = TlsSettings::new().build()?;
    Ok(Arc::clone(SHARED.get_or_init(|| made)))
}

/// What is offered in the TLS handshake (ALPN): a server must not choose HTTP/2, which is not spoken here.
fn spoken() -> Vec<Vec<u8>> {
    vec![b"http/1.1".to_vec()]
}

/// The settings for a client: those given, else the default ones. Whatever protocols they offer, connections offer
/// HTTP/1.1 alone. `None` only when there are none and none are
/// `needed`, because the server is this machine and speaks in the clear.
///
/// # Errors
///
/// [`TlsError`], which says what to turn on or to change.
pub fn tls_for(given: Option<Arc<ClientConfig>>, needed: bool) -> Result<Option<Arc<ClientConfig>>, TlsError> {
    let mut tls = match given.map_or_else(default_tls, Ok) {
        Err(_) if !needed => return Ok(None),
        made => made?,
    };
    if tls.alpn_protocols != spoken() {
        // What is behind pointers stays shared, such as the sessions that can be resumed.
        Arc::make_mut(&mut tls).alpn_protocols = spoken();
    }
    Ok(Some(tls))
}

/// Why TLS settings could not be made. The text says which feature or setting to change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsError {
    /// The program was built without a crypto provider.
    NoProvider,
    /// The program was built without a feature that names trusted certificates.
    NoRoots,
    /// The machine's certificates cannot be used.
    Machine(Box<str>),
    /// A given certificate cannot be used.
    Certificate(Box<str>),
    /// rustls refuses the settings.
    Settings(Box<str>),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProvider => f.write_str(
                "built without a crypto provider for TLS: turn on the feature `ring` or `aws-lc-rs`, or give a rustls \
                 `ClientConfig` of yours",
            ),
            Self::NoRoots => f.write_str(
                "built without certificates to trust: turn on the feature `webpki-roots`, `native-roots` or \
                 `platform-verifier`, or give a rustls `ClientConfig` of yours",
            ),
            Self::Machine(why) => write!(
                f,
                "the certificates of this machine cannot be used ({why}): install them (the package is often called \
                 ca-certificates), or use the feature `webpki-roots` instead"
            ),
            Self::Certificate(why) => write!(f, "the certificate to be trusted cannot be used: {why}"),
            Self::Settings(why) => write!(f, "rustls refuses the TLS settings: {why}"),
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-2
    #[test]
    fn the_provider_is_explicit() {
        match default_tls() {
            Ok(config) => assert!(!config.crypto_provider().cipher_suites.is_empty()),
            // What is missing is named.
            Err(TlsError::NoProvider) => assert_eq!(Provider::preferred(), None),
            #[cfg(not(any(feature = "webpki-roots", feature = "platform-verifier")))]
            Err(TlsError::NoRoots) => {}
            Err(error) => assert!(matches!(error, TlsError::Machine(_)), "{error}"),
        }
        assert!(CryptoProvider::get_default().is_none(), "the process default stays unset");
    }

    #[test]
    fn ring_comes_first_and_settings_of_the_user_before_all() {
        #[cfg(feature = "ring")]
        assert_eq!(Provider::preferred(), Some(Provider::Ring));
        #[cfg(all(feature = "aws-lc-rs", not(feature = "ring")))]
        assert_eq!(Provider::preferred(), Some(Provider::AwsLcRs));
        if let Ok(mine) = default_tls() {
            let mine = Arc::new(ClientConfig::clone(&mine));
            let used = tls_for(Some(Arc::clone(&mine)), true).unwrap().unwrap();
            assert!(Arc::ptr_eq(&used, &mine));
        }
    }

    #[test]
    fn connections_offer_the_protocol_that_is_spoken() {
        let Ok(made) = default_tls() else { return };
        assert_eq!(made.alpn_protocols, [b"http/1.1"]);
        for offered in [&[][..], &["h2"], &["h2", "http/1.1"], &["http/1.1", "h2"]] {
            let mut mine = ClientConfig::clone(&made);
            mine.alpn_protocols = offered.iter().map(|name| name.as_bytes().to_vec()).collect();
            let mine = Arc::new(mine);
            let used = tls_for(Some(Arc::clone(&mine)), true).unwrap().unwrap();
            assert_eq!(used.alpn_protocols, [b"http/1.1"], "{offered:?}");
            assert_eq!(mine.alpn_protocols.len(), offered.len(), "another owner's settings stay as they are");
        }
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let none = TlsSettings::new().trust_pem(b"nothing").unwrap_err();
        assert!(none.to_string().contains("there is none"), "{none}");
        let bad = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
        assert!(matches!(TlsSettings::new().trust_pem(bad), Err(TlsError::Certificate(_))));
        let refused = TlsSettings::new().trust(b"x".to_vec()).build().unwrap_err();
        assert!(matches!(refused, TlsError::Certificate(_) | TlsError::NoProvider | TlsError::Machine(_)), "{refused}");
    }
}
