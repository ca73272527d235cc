//! Where the WebSocket may be, and which hosts may be shown a recovery token (TOK-8).

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use crate::classify::Cause;
use crate::config::Config;
use crate::loopback::is_this_machine;

/// RingCentral's own hosts are this one and those below.
const RINGCENTRAL: &str = "ringcentral.com";
/// Letters shown of a host: the longest name that DNS has.
const MAX_SHOWN: usize = 253;

/// Why a host may be connected to. A recovery token that a host of one kind gave is shown to none of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostKind {
    /// It is that of the REST server, or both are this machine.
    Server,
    /// It is RingCentral's.
    RingCentral,
    /// This entry of the settings names it.
    Listed(Box<str>),
}

impl HostKind {
    /// The kind of the host in the address of a WebSocket.
    pub(crate) fn of(uri: &Url, config: &Config) -> Result<Self, Cause> {
        let plain = uri.scheme() == "ws";
        let Some(host) = uri.host().filter(|_| plain || uri.scheme() == "wss") else { return Err(Cause::InsecureUri) };
        let kind = Self::of_host(&host, &config.server, &config.websocket_hosts);
        let kind = kind.ok_or_else(|| Cause::ForeignUri { host: shown(&host) })?;
        let near = config.server.scheme() == "http" && config.server.host().is_some_and(|own| is_this_machine(&own));
        let plain_ok = config.allow_insecure || near && is_this_machine(&host);
        if plain && !plain_ok { Err(Cause::InsecureUri) } else { Ok(kind) }
    }

    pub(crate) fn of_host(host: &Host<&str>, server: &Url, listed: &[String]) -> Option<Self> {
        // First, so that the hosts of the service are one kind where the REST server is one of them.
        if let Host::Domain(name) = host
            && (rootless(name) == RINGCENTRAL || is_below(name, RINGCENTRAL))
        {
            return Some(Self::RingCentral);
        }
        let is_own = |own: Host<&str>| is_same(&own, host) || is_this_machine(&own) && is_this_machine(host);
        if server.host().is_some_and(is_own) {
            return Some(Self::Server);
        }
        let listed = listed.iter().find(|entry| matches(entry, host))?;
        Some(Self::Listed(listed.as_str().into()))
    }
}

/// Whether an entry of the settings names this host.
fn matches(entry: &str, host: &Host<&str>) -> bool {
    let parse = |name: &str| Host::parse(name).ok().or_else(|| name.parse::<Ipv6Addr>().ok().map(Host::Ipv6));
    match (entry.strip_prefix('.'), host) {
        (Some(above), Host::Domain(name)) => match parse(above) {
            Some(Host::Domain(above)) => is_below(name, rootless(&above)),
            _ => false,
        },
        (Some(_), _) => false,
        (None, _) => parse(entry).is_some_and(|own| match &own {
            Host::Domain(name) => is_same(&Host::Domain(name.as_str()), host),
            Host::Ipv4(address) => is_same(&Host::Ipv4(*address), host),
            Host::Ipv6(address) => is_same(&Host::Ipv6(*address), host),
        }),
    }
}

fn is_same(one: &Host<&str>, other: &Host<&str>) -> bool {
    match (one, other) {
        (Host::Domain(one), Host::Domain(other)) => rootless(one) == rootless(other),
        _ => one == other,
    }
}

/// Names in addresses are in lower case and in ASCII already. `above` has no dot at its end.
fn is_below(name: &str, above: &str) -> bool {
    rootless(name).strip_suffix(above).is_some_and(|head| head.len() > 1 && head.ends_with('.'))
}

/// Without the dot of the root, which names the same host.
fn rootless(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

fn shown(host: &Host<&str>) -> Box<str> {
    host.to_string().chars().take(MAX_SHOWN).collect::<String>().into()
}

impl fmt::Display for HostKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::RingCentral => f.write_str("ringcentral"),
            Self::Listed(entry) => write!(f, "={entry}"),
        }
    }
}

impl FromStr for HostKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match (text, text.strip_prefix('=')) {
            ("server", _) => Ok(Self::Server),
            ("ringcentral", _) => Ok(Self::RingCentral),
            (_, Some(entry)) => Ok(Self::Listed(entry.into())),
            _ => Err("a kind of host"),
        }
    }
}

impl Serialize for HostKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(server: &str, uri: &str, hosts: &[&str], allow_insecure: bool) -> String {
        let websocket_hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let config = Config { server: server.parse().unwrap(), websocket_hosts, allow_insecure, ..Config::default() };
        let Ok(uri) = Url::parse(uri) else { return "unreadable".to_owned() };
        match HostKind::of(&uri, &config) {
            Ok(kind) => kind.to_string(),
            Err(Cause::ForeignUri { host }) => format!("foreign {host}"),
            Err(cause) => cause.as_str().to_owned(),
        }
    }

    const PRODUCTION: &str = "https://platform.ringcentral.com";
    const OWN: &str = "https://rc.corp.example:8443/base";

    // CLAUSE TOK-8
    #[test]
    fn hosts_of_the_service_and_of_the_server_are_taken() {
        for (server, uri, kind) in [
            (PRODUCTION, "wss://platform.ringcentral.com/ws", "ringcentral"),
            (PRODUCTION, "wss://a.b.ringcentral.com:8443/ws?x=1", "ringcentral"),
            (PRODUCTION, "wss://ringcentral.com/ws", "ringcentral"),
            (PRODUCTION, "WSS://WS.RingCentral.COM./ws", "ringcentral"),
            (PRODUCTION, "wss://user:pw@ws.ringcentral.com/ws", "ringcentral"),
            (OWN, "wss://ws.ringcentral.com/ws", "ringcentral"),
            (OWN, "wss://rc.corp.example/ws", "server"),
            (OWN, "wss://RC.corp.example.:9/ws", "server"),
            ("https://b\u{fc}cher.example", "wss://xn--bcher-kva.example/ws", "server"),
            ("https://192.0.2.7", "wss://192.0.2.7:1/ws", "server"),
            ("https://[2001:db8::1]", "wss://[2001:db8:0::1]/ws", "server"),
            ("http://127.0.0.1:1", "ws://127.0.0.1:2/ws", "server"),
            ("http://127.0.0.1:1", "ws://localhost/ws", "server"),
            ("http://localhost", "ws://[::1]/ws", "server"),
            ("https://localhost", "wss://127.0.0.1/ws", "server"),
        ] {
            assert_eq!(of(server, uri, &[], false), kind, "{server} {uri}");
        }
    }

    // CLAUSE TOK-8
    #[test]
    fn no_other_host_is_taken_whatever_it_looks_like() {
        for (server, uri, host) in [
            (PRODUCTION, "wss://evil.example/ws", "evil.example"),
            (PRODUCTION, "wss://evilringcentral.com/ws", "evilringcentral.com"),
            (PRODUCTION, "wss://ringcentral.com.evil.example/ws", "ringcentral.com.evil.example"),
            (PRODUCTION, "wss://ringcentral.com@evil.example/ws", "evil.example"),
            (PRODUCTION, "wss://ringcentral.com:443@evil.example/ws", "evil.example"),
            (PRODUCTION, "wss://evil.example#.ringcentral.com/ws", "evil.example"),
            (PRODUCTION, "wss://evil.example?.ringcentral.com/ws", "evil.example"),
            (PRODUCTION, "wss://evil.example\\.ringcentral.com/ws", "evil.example"),
            (PRODUCTION, "wss://evil.example%2f.ringcentral.com/ws", "unreadable"),
            (PRODUCTION, "wss://ringcentral.c\u{43e}m/ws", "ringcentral.xn--cm-fmc"),
            (PRODUCTION, "wss://ringcentral.com../ws", "ringcentral.com.."),
            (PRODUCTION, "wss://.ringcentral.com/ws", ".ringcentral.com"),
            (PRODUCTION, "wss://com/ws", "com"),
            (PRODUCTION, "wss://127.0.0.1/ws", "127.0.0.1"),
            (PRODUCTION, "ws://127.0.0.1/ws", "127.0.0.1"),
            (PRODUCTION, "wss://0x7f.1/ws", "127.0.0.1"),
            (PRODUCTION, "wss://[::1]/ws", "[::1]"),
            (OWN, "wss://sub.rc.corp.example/ws", "sub.rc.corp.example"),
            (OWN, "wss://corp.example/ws", "corp.example"),
            ("https://127.0.0.1", "wss://127.0.0.1.evil.example/ws", "127.0.0.1.evil.example"),
            ("http://localhost", "ws://localhost.evil.example/ws", "localhost.evil.example"),
            ("https://192.0.2.7", "wss://192.0.2.8/ws", "192.0.2.8"),
        ] {
            let stated = of(server, uri, &[], false);
            assert!(stated == format!("foreign {host}") || stated == host, "{server} {uri}: {stated}");
            assert_eq!(of(server, uri, &[], true), stated, "plain or not: {uri}");
        }
    }

    // CLAUSE TOK-8
    #[test]
    fn plain_is_for_a_plain_server_on_this_machine_or_by_name() {
        for (server, uri, insecure, kind) in [
            (PRODUCTION, "ws://ws.ringcentral.com/ws", false, "insecure_uri"),
            (PRODUCTION, "ws://ws.ringcentral.com/ws", true, "ringcentral"),
            (PRODUCTION, "https://ws.ringcentral.com/ws", true, "insecure_uri"),
            (PRODUCTION, "file:///ws", true, "insecure_uri"),
            (PRODUCTION, "data:ws", true, "insecure_uri"),
            ("https://127.0.0.1", "ws://127.0.0.1/ws", false, "insecure_uri"),
            ("https://127.0.0.1", "ws://127.0.0.1/ws", true, "server"),
            ("http://127.0.0.1", "ws://ws.ringcentral.com/ws", false, "insecure_uri"),
            ("http://h.example", "ws://h.example/ws", false, "insecure_uri"),
            ("http://h.example", "ws://h.example/ws", true, "server"),
        ] {
            assert_eq!(of(server, uri, &[], insecure), kind, "{server} {uri} {insecure}");
        }
    }

    // CLAUSE TOK-8
    #[test]
    fn listed_hosts_are_exact_or_all_below() {
        for (entry, host, taken) in [
            ("ws.example", "ws.example", true),
            ("WS.Example.", "ws.example", true),
            ("b\u{fc}cher.example", "xn--bcher-kva.example", true),
            ("ws.example", "a.ws.example", false),
            ("ws.example", "ws.example.evil", false),
            (".example", "ws.example", true),
            (".example", "a.b.example.", true),
            (".example", "example", false),
            (".example", "evilexample", false),
            (".0.0.1", "10.0.0.1", false),
            ("10.0.0.1", "10.0.0.1", true),
            ("10.0.0.1", "10.0.0.2", false),
            ("[2001:db8::1]", "[2001:db8::1]", true),
            ("2001:db8::1", "[2001:db8::1]", true),
            ("ws.example:443", "ws.example", false),
            ("https://ws.example", "ws.example", false),
            ("*.example", "ws.example", false),
            ("*", "ws.example", false),
            (".", "ws.example", false),
            ("", "ws.example", false),
        ] {
            let stated = of(PRODUCTION, &format!("wss://{host}/ws"), &["other.example.net", entry], false);
            let expected = if taken { format!("={entry}") } else { format!("foreign {host}") };
            assert_eq!(stated, expected, "{entry} {host}");
        }
        assert_eq!(of(PRODUCTION, "ws://ws.example/ws", &["ws.example"], false), "insecure_uri");
        assert_eq!(of(PRODUCTION, "ws://ws.example/ws", &["ws.example"], true), "=ws.example");
    }

    #[test]
    fn a_kind_is_read_back() {
        for kind in [HostKind::Server, HostKind::RingCentral, HostKind::Listed(".server".into())] {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        assert!("x".parse::<HostKind>().is_err());
    }

    #[test]
    fn a_long_host_is_cut() {
        let stated = of(PRODUCTION, &format!("wss://{}.example/ws", "x".repeat(400)), &[], false);
        assert!(stated.len() <= "foreign ".len() + MAX_SHOWN, "{stated}");
    }
}
