//! Proxies: a tunnel by CONNECT for everything, HTTPS and WebSocket alike.

use std::fmt;
use std::io;

use ringcentral_ws_core::{HttpFailure, Masker, Phase, Secret, is_loopback_host};
use url::Url;

use crate::address::{Target, not_sent};

/// Longest answer of a proxy, in bytes.
const MAX_HEAD: usize = 16 << 10;

/// An HTTP proxy for HTTPS calls and the WebSocket (`CONNECT`), and the hosts that are reached without it.
///
/// ```
/// use ringcentral_ws_adapter::Proxy;
///
/// let proxy = Proxy::new("http://user:password@proxy.example:3128")?.except(["intranet.example"]);
/// # Ok::<(), ringcentral_ws_adapter::ProxyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    host: String,
    port: u16,
    /// The value of `Proxy-Authorization`.
    authorization: Option<Secret>,
    direct: Vec<String>,
    loopback: bool,
}

/// Why a proxy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyError {
    /// It is not an address. An address looks like `http://user:password@proxy.example:3128`.
    Address,
    /// Its scheme is not `http`. TLS to the proxy and SOCKS are not supported. Data is encrypted all the same: TLS runs
    /// inside of the tunnel.
    Scheme,
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "the proxy's address is not one; expected, for example, http://proxy.example:3128",
            Self::Scheme => "the proxy's address must begin with http://",
        })
    }
}

impl std::error::Error for ProxyError {}

impl Proxy {
    /// Reads `http://host:port`, with `user:password@` if the proxy asks for it. The default port is 80. Every host is
    /// reached through it, loopback included, except those that [`except`](Self::except) names.
    ///
    /// # Errors
    ///
    /// [`ProxyError`]: it is not such an address.
    pub fn new(address: &str) -> Result<Self, ProxyError> {
        let whole = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let url = Url::parse(&whole).map_err(|_| ProxyError::Address)?;
        if url.scheme() != "http" {
            return Err(ProxyError::Scheme);
        }
        let target = Target::of(&url).ok_or(ProxyError::Address)?;
        let plain = |text: &str| percent_decode(text);
        let authorization = (!url.username().is_empty()).then(|| {
            let pair = format!("{}:{}", plain(url.username()), plain(url.password().unwrap_or_default()));
            Secret::new(format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes())))
        });
        Ok(Self { host: target.host, port: target.port, authorization, direct: Vec::new(), loopback: true })
    }

    /// Hosts that are reached without the proxy, each with its subdomains; `*` means all.
    #[must_use]
    pub fn except<I>(mut self, hosts: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let clean =
            |host: I::Item| host.as_ref().trim().trim_start_matches("*.").trim_start_matches('.').to_lowercase();
        self.direct.extend(hosts.into_iter().map(clean).filter(|host| !host.is_empty()));
        self
    }

    /// The proxy of the environment: `HTTPS_PROXY`, else `ALL_PROXY`, except for the hosts of `NO_PROXY`; all also in
    /// small letters. `None` if no proxy is named. Loopback is always reached without it.
    ///
    /// # Errors
    ///
    /// [`ProxyError`]: the value of the variable is not a usable address.
    pub fn from_env() -> Result<Option<Self>, ProxyError> {
        Self::read(|name| std::env::var(name).ok())
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let get =
            |names: &[&str]| names.iter().find_map(|name| variable(name).filter(|value| !value.trim().is_empty()));
        let Some(address) = get(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) else { return Ok(None) };
        let except = get(&["NO_PROXY", "no_proxy"]).unwrap_or_default();
        let proxy = Self::new(address.trim())?.except(except.split(','));
        Ok(Some(Self { loopback: false, ..proxy }))
    }

    /// The proxy to connect to for a target; `None` if the target itself is to be connected to.
    #[must_use]
    pub fn for_target(&self, target: &Target) -> Option<(&str, u16)> {
        let host = target.host.to_ascii_lowercase();
        let below =
            |name: &String| host.strip_suffix(name.as_str()).is_some_and(|head| head.is_empty() || head.ends_with('.'));
        let named = |name: &String| {
            let (name_only, port) = name.rsplit_once(':').unwrap_or((name, ""));
            name == "*" || below(name) || port.parse() == Ok(target.port) && below(&name_only.to_owned())
        };
        let direct = self.direct.iter().any(named) || !self.loopback && is_loopback_host(&host);
        (!direct).then_some((&*self.host, self.port))
    }

    /// Begins to ask for a tunnel to `target`, on a stream to the proxy.
    #[must_use]
    pub fn tunnel(&self, target: &Target) -> Tunnel {
        let host = if target.host.contains(':') { format!("[{}]", target.host) } else { target.host.clone() };
        let to = format!("{host}:{}", target.port);
        let mut masker = Masker::new();
        let login = self.authorization.as_ref().map(|value| {
            masker.learn_authorization(value.expose());
            format!("Proxy-Authorization: {}\r\n", value.expose())
        });
        let request = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{}\r\n", login.unwrap_or_default());
        Tunnel {
            proxy: format!("the proxy {}:{}", self.host, self.port),
            to,
            request: request.into(),
            masker,
            head: Vec::new(),
        }
    }
}

/// Which proxy a client uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyChoice {
    /// What [`Proxy::from_env`] says.
    Environment,
    /// This one, or none.
    Given(Option<Proxy>),
}

impl ProxyChoice {
    /// The proxy, if there is one.
    ///
    /// # Errors
    ///
    /// [`ProxyError`] when the environment names none that can be used.
    pub fn resolve(self) -> Result<Option<Proxy>, ProxyError> {
        match self {
            Self::Environment => Proxy::from_env(),
            Self::Given(proxy) => Ok(proxy),
        }
    }
}

/// A tunnel that is asked for: send [`request`](Self::request), then hand over the answer byte by byte, because what
/// follows its head belongs to the tunnel. All its failures are of the phase `Tcp`, and nothing was sent to the target.
pub struct Tunnel {
    proxy: String,
    to: String,
    request: Secret,
    /// Knows what is secret in the request, which a proxy may quote.
    masker: Masker,
    head: Vec<u8>,
}

impl Tunnel {
    /// What to send.
    #[must_use]
    pub fn request(&self) -> &[u8] {
        self.request.expose().as_bytes()
    }

    /// Takes the next byte of the answer, `None` at its end. `true` when the tunnel stands.
    ///
    /// # Errors
    ///
    /// When the proxy refuses, or answers with what is no answer.
    pub fn take(&mut self, byte: Option<u8>) -> Result<bool, HttpFailure> {
        let Some(byte) = byte else { return Err(self.failed("ended the connection without an answer")) };
        self.head.push(byte);
        if self.head.ends_with(b"\r\n\r\n") || self.head.ends_with(b"\n\n") {
            return match judge(&self.head, &self.masker) {
                Ok(()) => Ok(true),
                Err(why) => Err(self.failed(&format!("refused {}: {why}", self.to))),
            };
        }
        if self.head.len() >= MAX_HEAD { Err(self.failed("answers without an end")) } else { Ok(false) }
    }

    /// The failure when the connection to the proxy breaks.
    #[must_use]
    pub fn broken(&self, error: &io::Error) -> HttpFailure {
        self.failed(&format!("ended the connection: {error}"))
    }

    /// The failure when the answer takes too long.
    #[must_use]
    pub fn late(&self) -> HttpFailure {
        self.failed("did not answer in time")
    }

    fn failed(&self, what: &str) -> HttpFailure {
        not_sent(Phase::Tcp, format!("{} {what}", self.proxy))
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("to", &self.to).finish_non_exhaustive()
    }
}

/// Whether the answer opens the tunnel; if not, its status line.
fn judge(head: &[u8], masker: &Masker) -> Result<(), String> {
    let line = String::from_utf8_lossy(head.split(|byte| *byte == b'\n').next().unwrap_or_default());
    // Before it is cut, and a secret with it.
    let line = masker.mask(&line);
    let line: String = line.chars().filter(|c| !c.is_control()).take(100).collect();
    let mut words = line.split_ascii_whitespace();
    let (version, status) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match status.parse::<u16>() {
        Ok(200..=299) if version.starts_with("HTTP/1.") => Ok(()),
        Ok(407) => Err(format!("{line} (put a user and a password into its address)")),
        _ => Err(if line.is_empty() { "no HTTP answer".to_owned() } else { line }),
    }
}

fn percent_decode(text: &str) -> String {
    // As one value of a form: a literal plus stays one, and an ampersand does not end it.
    let form = format!("v={}", text.replace('+', "%2B").replace('&', "%26"));
    url::form_urlencoded::parse(form.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str, port: u16) -> Target {
        Target { host: host.to_owned(), port, tls: true }
    }

    fn from(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        Proxy::read(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_environment_is_read() {
        assert_eq!(from(&[]), Ok(None));
        assert_eq!(from(&[("HTTPS_PROXY", " ")]), Ok(None));
        assert_eq!(from(&[("https_proxy", "socks5://p:1")]), Err(ProxyError::Scheme));
        assert_eq!(from(&[("HTTPS_PROXY", "http://")]), Err(ProxyError::Address));
        let proxy = from(&[("HTTPS_PROXY", "p.example:3128"), ("NO_PROXY", "a.example, .b.example:444,*.c.example")]);
        let proxy = proxy.unwrap().unwrap();
        assert_eq!(proxy.for_target(&target("platform.example", 443)), Some(("p.example", 3128)));
        assert_eq!(proxy.for_target(&target("nota.example", 443)), Some(("p.example", 3128)));
        assert_eq!(proxy.for_target(&target("x.b.example", 443)), Some(("p.example", 3128)));
        for (host, port) in [("a.example", 443), ("X.A.example", 1), ("b.example", 444), ("c.example", 1)] {
            assert_eq!(proxy.for_target(&target(host, port)), None, "{host}");
        }
        for loopback in ["localhost", "127.0.0.1", "::1"] {
            assert_eq!(proxy.for_target(&target(loopback, 1)), None);
        }
        let all = from(&[("HTTPS_PROXY", "p:1"), ("NO_PROXY", "*")]).unwrap().unwrap();
        assert_eq!(all.for_target(&target("h", 443)), None);
        assert!(Proxy::new("p:1").unwrap().for_target(&target("localhost", 1)).is_some(), "asked for by name");
    }

    fn tunnel(address: &str, answer: &[u8]) -> (Result<(), String>, String) {
        let mut tunnel = Proxy::new(address).unwrap().tunnel(&target("h.example", 443));
        let asked = String::from_utf8(tunnel.request().to_vec()).unwrap();
        let mut bytes = answer.iter().copied();
        let result = loop {
            match tunnel.take(bytes.next()) {
                Ok(true) => break Ok(()),
                Ok(false) => {}
                Err(failure) => {
                    assert!(failure.not_sent && failure.phase == Phase::Tcp, "{failure:?}");
                    break Err(failure.message.into());
                }
            }
        };
        assert!(!format!("{tunnel:?}").contains("Basic"));
        (result, asked)
    }

    // CLAUSE SEC-1 SEC-6
    #[test]
    fn tunnels_are_granted_or_refused_in_words() {
        let (granted, asked) =
            tunnel("http://u%40x:hunter2@p:3128", b"HTTP/1.1 200 Connection established\r\nA: b\r\n\r\n");
        assert_eq!(granted, Ok(()));
        let login = "Proxy-Authorization: Basic dUB4Omh1bnRlcjI=\r\n";
        assert_eq!(asked, format!("CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n{login}\r\n"));
        assert!(!format!("{:?}", Proxy::new("http://u:hunter2@p:1")).contains("hunter2"));
        for quoted in ["Basic dUB4Omh1bnRlcjI=", "u@x:hunter2", &format!("{} dUB4Omh1bnRlcjI=", "x".repeat(70))] {
            let (refused, _) =
                tunnel("http://u%40x:hunter2@p:3128", format!("HTTP/1.1 407 {quoted}\r\n\r\n").as_bytes());
            let refused = refused.unwrap_err();
            assert!(!refused.contains("hunter2") && !refused.contains("dUB4"), "{refused}");
        }
        let (_, asked) = tunnel("http://u:a&b+c@p:1", b"HTTP/1.1 200 OK\r\n\r\n");
        assert!(asked.contains(" Basic dTphJmIrYw==\r\n"), "the whole password: {asked}");
        assert_eq!(tunnel("p:1", b"HTTP/1.0 200 OK\n\n").0, Ok(()));
        for (answer, part) in [
            (&b"HTTP/1.0 403 Forbidden\r\n\r\n"[..], "HTTP/1.0 403 Forbidden"),
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "password"),
            (b"HTTP/1.1 20", "without an answer"),
            (b"nonsense\r\n\r\n", "nonsense"),
            (b"\r\n\r\n", "no HTTP answer"),
            (&[b'x'; MAX_HEAD], "answers without an end"),
        ] {
            let (refused, _) = tunnel("p:1", answer);
            let refused = refused.unwrap_err();
            assert!(refused.contains(part) && refused.contains("proxy p:1"), "{refused}");
        }
    }
}
