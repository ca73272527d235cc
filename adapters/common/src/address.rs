//! Where a connection goes to.

use ringcentral_ws_core::{AuthFailure, AuthFailureKind, HttpFailure, Masker, Phase};
use url::{Host, Url};

/// Where to, and whether with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// A name, or an address without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// Whether TLS is spoken.
    pub tls: bool,
}

impl Target {
    /// Reads `https`, `wss`, `http` and `ws` addresses.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
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

/// A step that failed before any byte of a request left.
pub fn not_sent(phase: Phase, message: impl Into<Box<str>>) -> HttpFailure {
    HttpFailure { phase, not_sent: true, message: message.into() }
}

/// A failure whose words may be a stranger's, without the secrets that the call carried.
#[must_use]
pub fn masked(failure: HttpFailure, masker: &Masker) -> HttpFailure {
    HttpFailure { message: masker.mask(&failure.message).into(), ..failure }
}

/// What the session is given when `MAX_LOGINS` questions to the credential source wait already.
#[must_use]
pub(crate) fn source_is_silent() -> AuthFailure {
    AuthFailure::new(
        AuthFailureKind::Limited,
        "earlier logins have not ended, so no other one was begun; look at the network, or at a CredentialSource of your own",
    )
}

/// What the session is given when [`MAX_LEFT_CALLS`](crate::MAX_LEFT_CALLS) calls do not come back.
#[must_use]
pub fn client_is_silent() -> HttpFailure {
    not_sent(
        Phase::Request,
        "earlier calls have not ended, so no other one was begun; look at the network, or at an HTTP client of your own",
    )
}

/// What the session is given when an HTTP client of the application panicked: the request may have run.
#[must_use]
pub fn client_panicked() -> HttpFailure {
    let message = "the HTTP client panicked: this is an error in the program, not in its settings".into();
    HttpFailure { phase: Phase::Request, not_sent: false, message }
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
}
