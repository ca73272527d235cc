//! Whether bytes leave this machine.

use std::net::IpAddr;

use url::{Host, Url};

/// Whether an address means this machine: a loopback address, `localhost`, or a name below it (RFC 6761). Nothing is
/// looked up.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    url.host().is_some_and(|host| is_this_machine(&host))
}

pub(crate) fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => is_loopback_host(name.strip_suffix('.').unwrap_or(name)),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The same for a host alone: a name in lower case, as a [`Url`] has it, or an address without brackets.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let address = host.parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE TOK-8
    #[test]
    fn loopback_is_distinguished() {
        let is = |text: &str| is_loopback(&text.parse().unwrap());
        assert!(is("http://127.0.0.1:5") && is("ws://localhost/x") && is("http://[::1]/"));
        assert!(
            is("http://LOCALHOST")
                && is("http://a.localhost")
                && is("http://localhost.")
                && is("http://127.255.255.254")
        );
        assert!(!is("http://h.example") && !is("http://10.0.0.1") && !is("http://localhost.example"));
        assert!(!is("http://xlocalhost") && !is("http://0.0.0.0") && !is("http://[::]") && !is("data:x"));
    }
}
