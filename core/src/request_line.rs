//! Which request an error is about.

use std::fmt;

use http::{Method, Request};

/// Most characters of a path that are kept.
const SHOWN: usize = 200;

/// The method and the path of a request, which name it in errors. Without scheme, host and query: the query may have what
/// a user wrote, or a key.
///
/// ```
/// # use ringcentral_ws_core::RequestLine;
/// let request = http::Request::post("/restapi/v1.0/account/~/extension/~/sms?key=secret").body(())?;
/// assert_eq!(RequestLine::of(&request).to_string(), "POST /restapi/v1.0/account/~/extension/~/sms");
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLine {
    method: Method,
    path: Box<str>,
}

impl RequestLine {
    /// That of a request. Of a path of more than 200 characters the beginning is kept.
    #[must_use]
    pub fn of<T>(request: &Request<T>) -> Self {
        let shown = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        let path = request.uri().path().chars().take(SHOWN).map(shown).collect::<String>().into();
        Self { method: request.method().clone(), path }
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The path.
    #[must_use]
    pub const fn path(&self) -> &str {
        &self.path
    }

    /// Whether the request changes nothing on the server (GET, HEAD, OPTIONS), and so may be made again.
    #[must_use]
    pub fn is_read(&self) -> bool {
        is_read(&self.method)
    }
}

/// Whether requests with this method change nothing on the server.
#[doc(hidden)]
#[must_use]
pub fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

impl fmt::Display for RequestLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE SEC-1
    #[test]
    fn a_line_has_neither_host_nor_query() {
        let line = |method: &str, uri: &str| {
            let request = Request::builder().method(method).uri(uri).body(()).unwrap();
            RequestLine::of(&request)
        };
        let get = line("GET", "https://user:hunter2@h.example/a/b?key=hunter2");
        assert_eq!((get.to_string().as_str(), get.is_read()), ("GET /a/b", true));
        assert!(!line("DELETE", "/a").is_read() && line("HEAD", "/a").is_read());
        assert_eq!(line("GET", &format!("/{}", "a".repeat(500))).path().len(), SHOWN);
        assert_eq!(line("GET", "/\u{202e}a").path(), "/?a");
    }
}
