//! Who may use the control resources: programs, and pages of this machine. Any web page can make a browser send
//! requests to a loopback address, by a form (the browser then names the page's `Origin`) or by a name of its own that
//! leads there (then that name is the `Host`).

use std::net::IpAddr;

use hyper::http::uri::{Authority, Uri};

use crate::HttpRequest;

/// Whether a request comes from a page of another machine. `own` is the base URL of this server.
pub(super) fn is_foreign(request: &HttpRequest, own: &str) -> bool {
    let own = own.parse::<Uri>().ok();
    let own = own.as_ref().and_then(Uri::host);
    let all = |name: &'static str| {
        request.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    };
    let here = |authority: &str| authority.parse::<Authority>().is_ok_and(|it| is_here(it.host(), own));
    // What has no host, such as `null`, may be a page of anybody.
    let from_here = |origin: &str| origin.split_once("://").is_some_and(|(_, authority)| here(authority));
    !all("Host").all(here) || !all("Origin").all(from_here)
}

fn is_here(host: &str, own: Option<&str>) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = address.is_ok_and(|address| address.is_loopback());
    is_loopback
        || host == "localhost"
        || host.ends_with(".localhost")
        || own.is_some_and(|own| own.eq_ignore_ascii_case(&host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_machine_are_from_here() {
        let own = "https://gateway.test:8443";
        for (name, value, foreign) in [
            ("Host", "127.0.0.1:80", false),
            ("Host", "127.8.8.8", false),
            ("Host", "[::1]:80", false),
            ("Host", "LOCALHOST:1", false),
            ("Host", "app.localhost.", false),
            ("Host", "gateway.test:8443", false),
            ("Host", "rebound.example:80", true),
            ("Host", "127.0.0.1.example", true),
            ("Host", "localhost.example", true),
            ("Host", "notlocalhost", true),
            ("Host", "10.0.0.1", true),
            ("Host", "", true),
            ("Origin", "http://localhost:3000", false),
            ("Origin", "http://127.0.0.1:3000", false),
            ("origin", "http://[::1]", false),
            ("Origin", "https://gateway.test", false),
            ("Origin", "https://example.org", true),
            ("Origin", "https://localhost@example.org", true),
            ("Origin", "null", true),
            ("Origin", "file://", true),
            ("Accept", "https://example.org", false),
        ] {
            let request = HttpRequest::new("POST", "/_gateway/drop").header(name, value);
            assert_eq!(is_foreign(&request, own), foreign, "{name}: {value}");
            let second = HttpRequest::new("POST", "/").header("Host", "localhost").header("Origin", "http://localhost");
            assert_eq!(is_foreign(&second.header(name, value), own), foreign, "{name}: {value}");
        }
    }
}
