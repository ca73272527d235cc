//! HTTPS calls without their I/O: which address may be called, what is written about a call, and how it fails.

use std::fmt::Display;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use ringcentral_ws_core::{HttpFailure, Masker, Phase, is_loopback};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use url::Url;

use crate::address::{Target, masked, not_sent};
use crate::content::lost;
use crate::trace;

/// Credentials do not travel in the clear unasked.
const PLAIN: &str = "plain http goes to this machine only: use https; on a test network a client permits it with \
                     `Config::allow_insecure`, and calls outside of a session need an `HttpsSender` of your own";

/// For people.
pub const TOO_MANY_PROVISIONAL: &str = "the server sent one provisional answer after the other";

/// A call under way.
pub struct Call {
    method: Method,
    target: Target,
    path: String,
    /// Knows the secrets of the request.
    masker: Masker,
}

impl Call {
    /// Begins a call; plain HTTP leaves this machine only with `allow_insecure`.
    ///
    /// # Errors
    ///
    /// [`HttpFailure`] when the address cannot be called.
    pub fn of(request: &Request<Bytes>, allow_insecure: bool) -> Result<Self, HttpFailure> {
        let bad = |why: &str| not_sent(Phase::Dns, why);
        let url = Url::parse(&request.uri().to_string()).map_err(|_| bad("the request has no absolute address"))?;
        let target = Target::of(&url).ok_or_else(|| bad("the address is neither http nor https"))?;
        if !target.tls && !allow_insecure && !is_loopback(&url) {
            return Err(bad(PLAIN));
        }
        let mut masker = Masker::new();
        masker.learn_request(request);
        Ok(Self { method: request.method().clone(), target, path: request.uri().path().to_owned(), masker })
    }

    /// Where it goes.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Writes down how it went, up to the head of the answer. The words of a failure may be a proxy's that quotes what
    /// it was sent, so they are masked.
    ///
    /// # Errors
    ///
    /// Those of the call.
    pub fn ended<T>(
        &self,
        answer: Result<T, HttpFailure>,
        status: impl FnOnce(&T) -> StatusCode,
    ) -> Result<T, HttpFailure> {
        let answer = answer.map_err(|failure| masked(failure, &self.masker));
        let shown = answer.as_ref().map(status).map_err(|failure| &*failure.message);
        trace::http(&self.method, &self.target, &self.path, shown);
        answer
    }
}

/// A request of which something may have left.
fn unanswered(message: impl Into<Box<str>>) -> HttpFailure {
    HttpFailure { phase: Phase::Request, not_sent: false, message: message.into() }
}

/// No head of an answer came in time.
#[must_use]
pub fn head_is_late() -> HttpFailure {
    unanswered("no answer in time")
}

/// The connection ended before the head of an answer.
pub fn ended_early(error: impl Display) -> HttpFailure {
    unanswered(format!("the connection ended before the answer: {error}"))
}

/// The server answers, but only provisionally.
#[must_use]
pub fn too_many_provisional() -> HttpFailure {
    unanswered(TOO_MANY_PROVISIONAL)
}

/// The body of an answer did not end in time.
#[must_use]
pub fn body_is_late() -> HttpFailure {
    lost("the answer did not end in time")
}

/// The body of an answer has more bytes than `limit`.
#[must_use]
pub fn body_is_too_large(limit: usize) -> HttpFailure {
    lost(&format!("the answer is larger than {limit} bytes"))
}

/// The body of an answer ended too early.
pub fn body_broke_off(error: impl Display) -> HttpFailure {
    lost(&format!("the answer broke off: {error}"))
}

/// The addresses of a host were not found, or not in time.
#[must_use]
pub fn not_found(host: &str, error: Option<&io::Error>) -> HttpFailure {
    let message = match error {
        Some(error) => format!("{host} was not found: {error}"),
        None => format!("looking up {host} took too long"),
    };
    not_sent(Phase::Dns, message)
}

/// What a TLS connection to `host` is made with.
///
/// # Errors
///
/// [`HttpFailure`] when there are no settings, or the host cannot have a certificate.
pub fn tls_to(
    tls: Option<&Arc<ClientConfig>>,
    host: &str,
) -> Result<(Arc<ClientConfig>, ServerName<'static>), HttpFailure> {
    let tls = tls.ok_or_else(|| tls_failed(host, &io::Error::other("the program has no TLS settings")))?;
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_| tls_failed(host, &io::Error::other("the host cannot have a certificate")))?;
    Ok((Arc::clone(tls), name))
}

/// The TLS handshake with `host` failed; a time-out is what took too long.
#[must_use]
pub fn tls_failed(host: &str, error: &io::Error) -> HttpFailure {
    let message = match error.kind() {
        io::ErrorKind::TimedOut => format!("the TLS handshake with {host} took too long"),
        _ => format!("no TLS connection to {host}: {error}"),
    };
    not_sent(Phase::Tls, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str, allow_insecure: bool) -> Result<Target, String> {
        let call = Call::of(&Request::get(uri).body(Bytes::new()).unwrap(), allow_insecure);
        call.map(|call| call.target().clone()).map_err(|failure| {
            assert!(failure.not_sent && failure.phase == Phase::Dns);
            failure.message.into()
        })
    }

    // CLAUSE TOK-8
    #[test]
    fn a_call_in_the_clear_stays_on_this_machine_unless_it_is_allowed() {
        assert!(call("https://h.example/p", false).unwrap().tls);
        assert!(!call("http://127.0.0.1:8/p", false).unwrap().tls);
        let refused = call("http://h.example/p", false).unwrap_err();
        assert!(refused.contains("use https") && refused.contains("allow_insecure"), "{refused}");
        assert!(call("http://h.example/p", true).is_ok());
        assert!(call("/p", true).unwrap_err().contains("no absolute address"));
        assert!(call("ftp://h.example/p", true).unwrap_err().contains("neither http nor https"));
    }

    // CLAUSE SEC-1
    #[test]
    fn a_failure_does_not_quote_the_secrets_of_the_request() {
        let request = Request::get("https://h.example/p").header("Authorization", "Bearer hunter2hunter2");
        let call = Call::of(&request.body(Bytes::new()).unwrap(), false).unwrap();
        let quoted = ended_early("403 for hunter2hunter2");
        let failure = call.ended(Err::<(), _>(quoted), |()| StatusCode::OK).unwrap_err();
        assert!(failure.message.starts_with("the connection ended") && !failure.message.contains("hunter2"));
    }
}
