//! The way of a REST request: over the socket when that is on and possible, else over HTTPS (REQ-5, REQ-6).

use http::{HeaderMap, HeaderValue, Request, Uri, header};
use url::Url;

use crate::body::Body;
use crate::error::InvalidReason;
use crate::loopback::is_loopback;
use crate::session::Session;
use crate::session::requests::options::RequestOptions;

pub(super) const USER_AGENT: &str = "x-user-agent";
/// Longest address that the `http` crate holds, in bytes.
const MAX_URI: usize = 65_534;

impl Session {
    /// REQ-5 and REQ-6. `true`: only HTTPS will do.
    pub(super) fn route(&self, request: &Request<Body>) -> Result<bool, InvalidReason> {
        let uri = request.uri();
        if !uri.path().starts_with('/') {
            return Err(InvalidReason::RelativePath);
        }
        if !self.is_own_server(uri) {
            return Err(InvalidReason::ForeignHost);
        }
        if !self.is_allowed(&self.config.server, "https", "http") {
            return Err(InvalidReason::Insecure);
        }
        let length = uri.path_and_query().map_or(0, |path| path.as_str().len());
        if self.config.server.as_str().len() + length > MAX_URI {
            return Err(InvalidReason::TooLong);
        }
        if !self.config.rest_over_websocket || needs_https(request) {
            return Ok(true);
        }
        let body = request.body().as_bytes();
        if body.is_empty() || is_object_or_string(body) { Ok(false) } else { Err(InvalidReason::Body) }
    }

    fn is_own_server(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else { return uri.authority().is_none() };
        let server = &self.config.server;
        let port = uri.port_u16().or(match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        });
        scheme == server.scheme()
            && server.host_str().is_some_and(|own| own.eq_ignore_ascii_case(host))
            && port == server.port_or_known_default()
    }

    /// The absolute address of a path on the server. The path was checked, or is a constant.
    pub(crate) fn rest_uri(&self, path_and_query: &str) -> Uri {
        let origin = self.config.server.origin().ascii_serialization();
        format!("{origin}{path_and_query}").parse().unwrap_or_default()
    }

    /// TLS, or a host that the bytes do not leave the machine for, or a setting that says so (TOK-8).
    pub(crate) fn is_allowed(&self, url: &Url, secure: &str, plain: &str) -> bool {
        let plain_may = || is_loopback(url) || self.config.allow_insecure;
        url.has_host() && (url.scheme() == secure || url.scheme() == plain && plain_may())
    }

    pub(crate) fn add_user_agent(&self, headers: &mut HeaderMap) {
        if !headers.contains_key(USER_AGENT)
            && let Ok(value) = HeaderValue::from_str(&self.config.user_agent)
        {
            headers.insert(USER_AGENT, value);
        }
    }
}

/// Without what belongs to the connection, which the caller's headers cannot know.
pub(super) fn own_headers(request: &Request<Body>) -> HeaderMap {
    let mut headers = request.headers().clone();
    for name in [header::AUTHORIZATION, header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers
}

/// REQ-5: what cannot travel over the socket.
fn needs_https(request: &Request<Body>) -> bool {
    let path = request.uri().path();
    let binary_path = path.split('/').any(|segment| matches!(segment, "content" | "profile-image"));
    let media = |name| request.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let (sent, desired) = (media(header::CONTENT_TYPE), media(header::ACCEPT));
    let is_json = |media: &str| media.to_ascii_lowercase().contains("json");
    let body = request.body().as_bytes();
    let other_body = !body.is_empty() && (!sent.is_empty() && !is_json(sent) || std::str::from_utf8(body).is_err());
    let other_wanted = !desired.is_empty() && !is_json(desired) && !desired.contains("*/*");
    let asked = RequestOptions::of(request).over_https;
    asked || path.starts_with("/restapi/oauth/") || binary_path || other_body || other_wanted
}

/// REQ-6.
fn is_object_or_string(body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    matches!(first, Some(b'{' | b'"')) && serde_json::from_slice::<&serde_json::value::RawValue>(body).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::requests::options::OverHttps;

    // CLAUSE REQ-5
    #[test]
    fn some_requests_need_https() {
        let plain = || Request::get("/restapi/v1.0/account/~");
        let needs =
            |request: http::request::Builder, body: &'static [u8]| needs_https(&request.body(body.into()).unwrap());
        assert!(!needs(plain(), b"") && !needs(plain().header("content-type", "application/json"), b"{}"));
        assert!(needs(plain().extension(OverHttps), b""));
        assert!(needs(plain().extension(RequestOptions::new().over_https()), b""));
        assert!(!needs(plain().extension(RequestOptions::new().repeatable()), b""));
        assert!(needs(plain().header("content-type", "multipart/form-data; boundary=b"), b"--b"));
        assert!(needs(plain(), b"\xff") && needs(plain().header("accept", "audio/mpeg"), b""));
        assert!(needs(Request::post("/restapi/oauth/token"), b""));
        assert!(needs(Request::get("/restapi/v1.0/account/~/extension/~/message-store/1/content/1"), b""));
    }
}
