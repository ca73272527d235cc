//! Whether the server can be reached at all: a wrong address must not look like patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use ringcentral_ws_core::{AccessToken, AuthFailure, Cause, Event, HttpFailure, Phase};
use url::Url;

use crate::credentials::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;

/// Attempts in a row that may fail on the way to the server before the first connection.
const ATTEMPTS: u32 = 3;

/// Watches the first attempts.
pub(super) struct Reach {
    server: String,
    /// The last call of the credential source did not get through to a server.
    login_unreached: Arc<AtomicBool>,
    failed: u32,
    connected: bool,
}

impl Reach {
    pub(super) fn new(server: String, login_unreached: Arc<AtomicBool>) -> Self {
        Self { server, login_unreached, failed: 0, connected: false }
    }

    /// The line to end with, once it is clear that the server cannot be reached.
    pub(super) fn on(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Connected { .. } => self.connected = true,
            Event::Retry { cause, .. } if !self.connected => {
                self.failed = if self.is_unreached(cause) { self.failed + 1 } else { 0 };
                if self.failed == ATTEMPTS {
                    let Self { server, .. } = self;
                    return Some(format!(
                        "{server} cannot be reached, {ATTEMPTS} attempts failed ({cause}): check RC_SERVER_URL and the network"
                    ));
                }
            }
            _ => {}
        }
        None
    }

    fn is_unreached(&self, cause: &Cause) -> bool {
        match cause {
            Cause::ConnectFailed { phase, .. } | Cause::Network { phase, .. } => is_on_the_way(*phase),
            Cause::Credentials { .. } => self.login_unreached.load(Ordering::Relaxed),
            _ => false,
        }
    }
}

fn is_on_the_way(phase: Phase) -> bool {
    matches!(phase, Phase::Dns | Phase::Tcp | Phase::Tls)
}

/// A credential source whose calls are watched.
pub(super) struct Watched<C> {
    pub(super) source: C,
    pub(super) unreached: Arc<AtomicBool>,
}

struct WatchedCalls<'a> {
    https: &'a dyn HttpsSender,
    unreached: &'a AtomicBool,
}

impl HttpsSender for WatchedCalls<'_> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
        Box::pin(async move {
            let result = self.https.send(request).await;
            let unreached = result.as_ref().is_err_and(|failure| is_on_the_way(failure.phase));
            self.unreached.store(unreached, Ordering::Relaxed);
            result
        })
    }
}

impl<C: CredentialSource> CredentialSource for Watched<C> {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(async move {
            let https = WatchedCalls { https: request.https, unreached: &self.unreached };
            self.source.access_token(TokenRequest { https: &https, ..request }).await
        })
    }

    fn server(&self) -> Option<&Url> {
        self.source.server()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringcentral_ws_core::Timestamp;

    use super::*;

    fn retry(phase: Phase) -> Event {
        let cause = Cause::Network { phase, message: "refused".into() };
        Event::Retry { attempt: 1, cause, at: Timestamp::ZERO, delay: Duration::ZERO }
    }

    #[test]
    fn three_failures_on_the_way_are_enough_before_the_first_connection_only() {
        let mut reach = Reach::new("https://h.example".into(), Arc::default());
        for phase in [Phase::Dns, Phase::Tcp, Phase::Response, Phase::Tls, Phase::Tcp] {
            assert_eq!(reach.on(&retry(phase)), None);
        }
        let line = reach.on(&retry(Phase::Dns)).unwrap();
        for part in ["https://h.example", "refused", "RC_SERVER_URL", "network"] {
            assert!(line.contains(part), "{line}");
        }
        reach.connected = true;
        assert!((0..9).all(|_| reach.on(&retry(Phase::Tcp)).is_none()));
    }
}
