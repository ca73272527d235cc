//! The token endpoint's limits, for all logins of a process together.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use url::Url;

use super::ClientApp;
use crate::input::{AuthFailure, AuthFailureKind};
use crate::time::Timestamp;

/// Calls of the token endpoint that RingCentral allows an app in any rolling window …
const CALLS: usize = 5;
/// … of a minute. One call may be a little longer on its way than another, so a second more is kept.
const WINDOW: Duration = Duration::from_secs(61);

/// Server and client id.
type App = (String, String);

#[derive(Clone, Debug, Default)]
struct Used {
    /// At most [`CALLS`].
    calls: VecDeque<Timestamp>,
    /// The server asked for quiet until then.
    not_before: Timestamp,
}

/// How often the token endpoint may be called: 5 times a minute for an app, however many logins it has, and not before
/// the end of a `Retry-After`. Keep one in a process and hand it to every [`Login`](super::Login). It holds at most
/// five times of each app that made a call within a minute or still has to wait.
#[derive(Clone, Debug, Default)]
pub struct TokenBudget {
    apps: BTreeMap<App, Used>,
}

impl TokenBudget {
    /// A budget of which nothing is used.
    #[must_use]
    pub const fn new() -> Self {
        Self { apps: BTreeMap::new() }
    }

    /// Takes one call of this app. A server on this machine is a stand-in and has no limit.
    ///
    /// # Errors
    ///
    /// A transient failure that says how long to wait. No call may be made then.
    pub fn take(&mut self, app: &ClientApp, now: Timestamp) -> Result<(), AuthFailure> {
        if is_loopback(&app.server) {
            return Ok(());
        }
        self.apps.retain(|_, used| {
            used.calls.retain(|call| now <= call.after(WINDOW));
            !used.calls.is_empty() || now < used.not_before
        });
        let used = self.apps.entry(key(app)).or_default();
        if now < used.not_before {
            return Err(wait("the token service asked for a pause", used.not_before.since(now)));
        }
        if let Some(oldest) = used.calls.front().filter(|_| used.calls.len() >= CALLS) {
            // A call exactly as old as the window is still within it.
            let left = oldest.after(WINDOW).since(now) + Duration::from_micros(1);
            return Err(wait("5 token calls were made within a minute, which is all RingCentral allows", left));
        }
        used.calls.push_back(now);
        Ok(())
    }

    /// The server asked for no call of this app for so long. Calls before that make it longer.
    pub(super) fn pause(&mut self, app: &ClientApp, pause: Duration, now: Timestamp) {
        if !is_loopback(&app.server) {
            let used = self.apps.entry(key(app)).or_default();
            used.not_before = used.not_before.max(now.after(pause));
        }
    }
}

fn key(app: &ClientApp) -> App {
    (app.server.origin().ascii_serialization(), app.client_id.clone())
}

fn wait(message: &str, left: Duration) -> AuthFailure {
    AuthFailure { retry_after: Some(left), ..AuthFailure::new(AuthFailureKind::Limited, message) }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(server: &str, id: &str) -> ClientApp {
        ClientApp { server: server.parse().unwrap(), client_id: id.to_owned(), client_secret: None }
    }

    fn wait_of(budget: &mut TokenBudget, app: &ClientApp, now: Timestamp) -> Option<Duration> {
        budget.take(app, now).err().map(|failure| {
            assert!(!failure.is_permanent());
            failure.retry_after.unwrap()
        })
    }

    #[test]
    fn five_calls_a_minute_for_each_app() {
        let (mut budget, at) = (TokenBudget::new(), Timestamp::from_secs);
        let (one, two) = (app("https://h.example", "1"), app("https://h.example", "2"));
        for second in 0..5 {
            assert_eq!(wait_of(&mut budget, &one, at(second)), None);
        }
        assert_eq!(wait_of(&mut budget, &one, at(5)), Some(Duration::from_micros(56_000_001)));
        assert_eq!(wait_of(&mut budget, &two, at(5)), None);
        assert_eq!(
            wait_of(&mut budget, &app("https://h.example/base", "1"), at(5)).map(|_| ()),
            Some(()),
            "one server"
        );
        assert_eq!(wait_of(&mut budget, &app("https://other.example", "1"), at(5)), None);
        assert_eq!(wait_of(&mut budget, &one, at(61)), Some(Duration::from_micros(1)));
        assert_eq!(wait_of(&mut budget, &one, at(61).after(Duration::from_micros(1))), None);
        assert_eq!(wait_of(&mut budget, &app("https://h.example", "3"), at(200)), None);
        assert_eq!(budget.apps.len(), 1, "old apps are forgotten");
    }

    #[test]
    fn a_pause_holds_for_all_logins_of_an_app() {
        let (mut budget, at) = (TokenBudget::new(), Timestamp::from_secs);
        let (one, two) = (app("https://h.example", "1"), app("https://h.example", "2"));
        budget.pause(&one, Duration::from_secs(60), at(10));
        budget.pause(&one, Duration::from_secs(5), at(11));
        assert_eq!(wait_of(&mut budget, &two, at(11)), None);
        assert_eq!(wait_of(&mut budget, &one, at(69)), Some(Duration::from_secs(1)));
        assert_eq!(wait_of(&mut budget, &one, at(70)), None);
    }

    #[test]
    fn a_stand_in_has_no_limit() {
        let mut budget = TokenBudget::new();
        for server in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost", "http://a.localhost"] {
            budget.pause(&app(server, "1"), Duration::from_secs(9), Timestamp::ZERO);
            for _ in 0..9 {
                assert_eq!(wait_of(&mut budget, &app(server, "1"), Timestamp::ZERO), None);
            }
        }
    }
}
