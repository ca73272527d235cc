//! The first steps of every client.

use std::fmt;

use ringcentral_ws_core::{ClockReading, Config, RestoreError, Session, Snapshot, is_loopback};
use url::Url;

/// The server has no TLS and is not this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsecureServer;

impl fmt::Display for InsecureServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the server's address is not https, so credentials would travel in the clear: use https, a loopback \
             address, or set `allow_insecure`",
        )
    }
}

impl std::error::Error for InsecureServer {}

/// Takes the server of the credentials unless the configuration names another than production. Returns whether TLS is
/// needed to reach it.
///
/// # Errors
///
/// [`InsecureServer`], when credentials would travel in the clear.
pub fn settle_server(config: &mut Config, of_credentials: Option<&Url>) -> Result<bool, InsecureServer> {
    if let Some(server) = of_credentials.filter(|_| config.server == Config::default().server) {
        config.server = server.clone();
    }
    let secure = config.server.scheme() == "https";
    if secure || config.allow_insecure || is_loopback(&config.server) { Ok(secure) } else { Err(InsecureServer) }
}

/// A new Session, or the one of a snapshot.
///
/// # Errors
///
/// [`RestoreError`], when the snapshot cannot be used.
pub fn make_session(
    config: Config,
    snapshot: Option<Snapshot>,
    seed: u64,
    clock: ClockReading,
) -> Result<Session, RestoreError> {
    match snapshot {
        Some(snapshot) => Session::restore(config, snapshot, seed, clock),
        None => Ok(Session::new(config, seed, clock)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE TOK-8
    #[test]
    fn credentials_never_travel_in_the_clear_unasked() {
        let url = |text: &str| text.parse::<Url>().unwrap();
        let settle = |mut config: Config, server: &str| settle_server(&mut config, Some(&url(server)));
        assert_eq!(settle(Config::default(), "https://h.example"), Ok(true));
        assert_eq!(settle(Config::default(), "http://127.0.0.1:1"), Ok(false));
        assert_eq!(settle(Config::default(), "http://h.example"), Err(InsecureServer));
        let allowed = Config { allow_insecure: true, ..Config::default() };
        assert_eq!(settle(allowed, "http://h.example"), Ok(false));
        let mut named = Config { server: url("https://named.example"), ..Config::default() };
        assert_eq!(settle_server(&mut named, Some(&url("http://h.example"))), Ok(true));
        assert_eq!(named.server.host_str(), Some("named.example"), "the configuration comes first");
    }
}
