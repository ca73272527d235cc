//! Whether the server can be reached at all: a wrong address must not look like a slow server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ringcentral_ws_core::{Cause, Event, HttpFailure, Phase};

/// Attempts in a row that may fail on the way to the server before the first connection.
const ATTEMPTS: u32 = 3;

/// Watches the first attempts.
#[derive(Debug)]
pub struct Reach {
    server: String,
    login: LoginCalls,
    failed: u32,
    connected: bool,
}

impl Reach {
    /// `server` is what the line names; `login` notes how the calls of the credential source end.
    #[must_use]
    pub const fn new(server: String, login: LoginCalls) -> Self {
        Self { server, login, failed: 0, connected: false }
    }

    /// The line to end with, once it is clear that the server cannot be reached.
    pub fn on(&mut self, event: &Event) -> Option<String> {
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

    /// Whether a call of the credential source is under way.
    pub(super) fn is_login_under_way(&self) -> bool {
        self.login.under_way.load(Ordering::Relaxed)
    }

    /// That something, such as `the login to`, is waited for.
    pub(super) fn waits_for(&self, what: &str) -> String {
        format!("{what} {} is not answered yet", self.server)
    }

    fn is_unreached(&self, cause: &Cause) -> bool {
        match cause {
            Cause::ConnectFailed { phase, .. } | Cause::Network { phase, .. } => is_on_the_way(*phase),
            Cause::Credentials { .. } => self.login.unreached.load(Ordering::Relaxed),
            _ => false,
        }
    }
}

/// How the last call of the credential source went.
#[derive(Clone, Debug, Default)]
pub struct LoginCalls {
    /// It did not get through to a server.
    unreached: Arc<AtomicBool>,
    /// It has not ended yet.
    under_way: Arc<AtomicBool>,
}

impl LoginCalls {
    /// A call begins.
    pub fn began(&self) {
        self.under_way.store(true, Ordering::Relaxed);
    }

    /// How a call ended.
    pub fn ended<T>(&self, result: &Result<T, HttpFailure>) {
        let unreached = result.as_ref().is_err_and(|failure| is_on_the_way(failure.phase));
        self.unreached.store(unreached, Ordering::Relaxed);
        self.under_way.store(false, Ordering::Relaxed);
    }
}

fn is_on_the_way(phase: Phase) -> bool {
    matches!(phase, Phase::Dns | Phase::Tcp | Phase::Tls)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ringcentral_ws_core::{Timestamp, WaitReason};

    use super::*;

    fn retry(phase: Phase) -> Event {
        let cause = Cause::Network { phase, message: "refused".into() };
        Event::Retry { attempt: 1, cause, at: Timestamp::ZERO, delay: Duration::ZERO, reason: WaitReason::Backoff }
    }

    #[test]
    fn three_failures_on_the_way_are_enough_before_the_first_connection_only() {
        let mut reach = Reach::new("https://h.example".into(), LoginCalls::default());
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
