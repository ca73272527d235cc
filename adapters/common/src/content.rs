//! Downloads without their I/O: where they may go, how they follow redirects, and how they end too early.

use std::fmt;
use std::io;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use ringcentral_ws_core::{Body, CommandError, HttpFailure, InvalidReason, OverHttps, Phase, is_loopback};
use url::Url;

use crate::address::not_sent;
use crate::request::{RequestError, RequestErrorKind};

/// Where RingCentral keeps content.
pub const CONTENT_HOST: &str = "ringcentral.com";

/// Why a download ended too early. The bytes before it are correct: ask for the rest with the header of
/// [`range`](Self::range).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DownloadError {
    /// No byte arrived within `IoLimits::download_read`.
    Stalled {
        /// Bytes received.
        received: u64,
    },
    /// The connection ended in the middle of the body.
    BrokenOff {
        /// Bytes received.
        received: u64,
        /// One line for people.
        message: Box<str>,
    },
    /// The client was closed or dropped, and the download with it.
    ClientEnded {
        /// Bytes received.
        received: u64,
    },
}

impl DownloadError {
    /// How many bytes were received before.
    #[must_use]
    pub const fn received(&self) -> u64 {
        match self {
            Self::Stalled { received } | Self::BrokenOff { received, .. } | Self::ClientEnded { received } => *received,
        }
    }

    /// The download error inside of an [`io::Error`], if there is one.
    #[must_use]
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// The `Range` header of a request for the rest. A server that supports it answers 206.
    #[must_use]
    pub fn range(&self) -> HeaderValue {
        HeaderValue::try_from(format!("bytes={}-", self.received())).unwrap_or(HeaderValue::from_static("bytes=0-"))
    }
}

impl From<DownloadError> for io::Error {
    fn from(error: DownloadError) -> Self {
        Self::other(error)
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stalled { received } => write!(f, "the download stalled after {received} bytes"),
            Self::BrokenOff { received, message } => {
                write!(f, "the download broke off after {received} bytes: {message}")
            }
            Self::ClientEnded { received } => write!(f, "the client ended after {received} bytes of a download"),
        }
    }
}

impl std::error::Error for DownloadError {}

/// Hosts beside the server's own that downloads may go to, each with its subdomains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentHosts {
    /// The server of the session.
    pub server: Url,
    /// Names.
    pub hosts: Vec<String>,
    /// Whether plain HTTP may leave this machine.
    pub allow_insecure: bool,
}

impl ContentHosts {
    /// Whether a download may go to this address: its host is trusted and the connection is encrypted, because the
    /// access token goes with it.
    #[must_use]
    pub fn allow(&self, url: &Url) -> bool {
        if url.origin() == self.server.origin() {
            return true;
        }
        let Some(host) = url.host_str() else { return false };
        let plain_ok = url.scheme() == "http" && (self.allow_insecure || is_loopback(url));
        let below = |name: &String| {
            let name = name.to_ascii_lowercase();
            host.strip_suffix(name.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'))
        };
        (url.scheme() == "https" || plain_ok) && self.hosts.iter().any(below)
    }

    /// Splits a download into the request for the Session, which has only a path, and the host that its call goes to.
    ///
    /// # Errors
    ///
    /// [`RequestErrorKind::Refused`]: the host is neither the server nor a content host.
    pub fn streamed(&self, mut request: Request<Body>) -> Result<(Request<Body>, Streamed), RequestError> {
        let mut origin = None;
        if request.uri().authority().is_some() {
            let address = Url::parse(&request.uri().to_string()).ok().filter(|url| self.allow(url));
            let Some(address) = address else {
                let refused = CommandError::Invalid(request, InvalidReason::ForeignHost);
                return Err(RequestErrorKind::Refused(Box::new(refused)).into());
            };
            origin = address.origin().ascii_serialization().parse().ok();
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse().unwrap_or_default();
        }
        request.extensions_mut().insert(OverHttps);
        Ok((request, Streamed { origin }))
    }
}

/// What the server says the body's length is.
#[must_use]
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Where a call goes whose answer is streamed.
#[derive(Clone, Debug)]
pub struct Streamed {
    /// The scheme and authority to ask, if it is not the server's.
    origin: Option<Uri>,
}

impl Streamed {
    /// Sends the call to the host it is for.
    pub fn readdress(&self, request: &mut Request<Bytes>) {
        let Some(origin) = self.origin.clone() else { return };
        let mut parts = request.uri().clone().into_parts();
        let origin = origin.into_parts();
        (parts.scheme, parts.authority) = (origin.scheme, origin.authority);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
}

/// The calls that a download makes one after the other: redirects of GET and HEAD are followed, to the server itself
/// and to content hosts.
#[derive(Debug)]
pub struct Redirects {
    url: Url,
    follows: bool,
    left: usize,
    /// The server has answered a call already.
    answered: bool,
}

impl Redirects {
    /// Begins with this request, and follows `most` redirects.
    ///
    /// # Errors
    ///
    /// When its address cannot be read.
    pub fn new<T>(request: &Request<T>, most: usize) -> Result<Self, HttpFailure> {
        let url = Url::parse(&request.uri().to_string()).map_err(|_| bad("the address cannot be read"))?;
        let follows = matches!(*request.method(), Method::GET | Method::HEAD);
        Ok(Self { url, follows, left: most, answered: false })
    }

    /// The next call to make.
    ///
    /// # Errors
    ///
    /// When it would go to a host that must not see the access token.
    pub fn next<T: Clone>(&self, request: &Request<T>, content: &ContentHosts) -> Result<Request<T>, HttpFailure> {
        if !content.allow(&self.url) {
            let origin = self.url.origin().ascii_serialization();
            return Err(self.failed(bad(&format!("downloads do not go to {origin}: it is no content host"))));
        }
        let mut next = request.clone();
        *next.uri_mut() = self.url.as_str().parse().map_err(|_| self.failed(bad("the address cannot be written")))?;
        Ok(next)
    }

    /// Whether its answer leads elsewhere; then there is a next call.
    ///
    /// # Errors
    ///
    /// When it leads nowhere, or has led on too often.
    pub fn follow<T>(&mut self, answer: &Response<T>) -> Result<bool, HttpFailure> {
        let redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) && self.follows;
        let Some(location) = answer.headers().get(header::LOCATION).filter(|_| redirect) else { return Ok(false) };
        self.answered = true;
        self.left = self.left.checked_sub(1).ok_or_else(|| lost("the server redirects too often"))?;
        let location = String::from_utf8_lossy(location.as_bytes());
        self.url = self.url.join(&location).map_err(|_| lost("the server redirects to what is no address"))?;
        Ok(true)
    }

    /// Why the call that was made came to nothing. After a redirect the request as a whole has left (REQ-3).
    #[must_use]
    pub fn failed(&self, failure: HttpFailure) -> HttpFailure {
        HttpFailure { not_sent: failure.not_sent && !self.answered, ..failure }
    }
}

fn bad(why: &str) -> HttpFailure {
    not_sent(Phase::Dns, why)
}

/// A failure while the answer was read.
#[must_use]
pub fn lost(why: &str) -> HttpFailure {
    HttpFailure { phase: Phase::Response, not_sent: false, message: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_trusted_hosts_only() {
        let server = "https://platform.ringcentral.com".parse().unwrap();
        let content = ContentHosts { server, hosts: vec!["ringcentral.com".into()], allow_insecure: false };
        let allow = |url: &str| content.allow(&url.parse().unwrap());
        assert!(allow("https://media.ringcentral.com/x") && allow("https://platform.ringcentral.com/x"));
        assert!(allow("https://a.b.RingCentral.com/x") && allow("https://ringcentral.com/"));
        for foreign in [
            "http://media.ringcentral.com/",
            "https://media.ringcentral.com.example/",
            "https://notringcentral.com/",
            "https://user@h.example/ringcentral.com",
            "ftp://media.ringcentral.com/",
        ] {
            assert!(!allow(foreign), "{foreign}");
        }
    }

    // CLAUSE SEC-1
    #[test]
    fn redirects_end_and_never_leave_trusted_hosts() {
        let server: Url = "https://platform.ringcentral.com".parse().unwrap();
        let content = ContentHosts { server, hosts: vec![CONTENT_HOST.into()], allow_insecure: false };
        let request = Request::get("https://platform.ringcentral.com/a").body(Bytes::new()).unwrap();
        let to = |status: u16, location: &str| {
            Response::builder().status(status).header(header::LOCATION, location).body(()).unwrap()
        };
        let mut redirects = Redirects::new(&request, 2).unwrap();
        assert!(redirects.follow(&to(302, "/b?c=1")).unwrap());
        assert_eq!(redirects.next(&request, &content).unwrap().uri(), "https://platform.ringcentral.com/b?c=1");
        assert!(redirects.follow(&to(307, "https://media.ringcentral.com/x")).unwrap());
        assert_eq!(redirects.next(&request, &content).unwrap().uri(), "https://media.ringcentral.com/x");
        assert!(!redirects.follow(&to(200, "/b")).unwrap() && !redirects.follow(&Response::new(())).unwrap());
        assert!(redirects.follow(&to(302, "/again")).unwrap_err().message.contains("too often"));
        let mut foreign = Redirects::new(&request, 2).unwrap();
        assert!(foreign.follow(&to(302, "https://h.example/")).unwrap());
        let refused = foreign.next(&request, &content).unwrap_err();
        assert!(!refused.not_sent && refused.message.contains("https://h.example: it is no content host"));
        assert!(!foreign.failed(bad("no such host")).not_sent, "the server has answered once");
        assert!(Redirects::new(&request, 2).unwrap().failed(bad("no such host")).not_sent);
        let post = Request::post("https://platform.ringcentral.com/a").body(Bytes::new()).unwrap();
        assert!(!Redirects::new(&post, 2).unwrap().follow(&to(302, "/b")).unwrap(), "as it is");
    }

    #[test]
    fn errors_say_how_to_go_on() {
        let error = DownloadError::BrokenOff { received: 7, message: "reset".into() };
        assert_eq!((error.received(), error.range()), (7, HeaderValue::from_static("bytes=7-")));
        assert!(error.to_string().contains("after 7 bytes"));
    }
}
