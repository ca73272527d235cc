//! What tests of a program ask of the stand-in: what it sent, and waits that fail with words.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Server;
use crate::Gateway;

/// Nothing on one machine takes this long; it only turns a hang into a failure.
const LIMIT: Duration = Duration::from_secs(30);

/// How often [`eventually`] looks.
const LOOK: Duration = Duration::from_millis(5);

/// Waits until something is true, for 30 s at most: what a handler has seen, a file, or whatever else a test can look at.
/// It looks every 5 ms. For what the stand-in knows there is [`Server::eventually`].
///
/// It blocks the thread. A test whose program runs in the same process says
/// `#[tokio::test(flavor = "multi_thread")]`, because on one thread neither would go on.
///
/// ```
/// use std::sync::Mutex;
///
/// use ringcentral_ws_gateway::eventually;
///
/// let seen = Mutex::new(Vec::new()); // the handler pushes into it
/// # seen.lock().unwrap().push("Hello");
/// eventually("the handler has seen it", || seen.lock().unwrap().contains(&"Hello"));
/// ```
///
/// # Panics
///
/// It did not become true; the message names `what`.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "not within {} s: {what}", LIMIT.as_secs());
        std::thread::sleep(LOOK);
    }
}

/// Waits until `look` gives what is expected, as [`eventually`] does: counts, names, what a handler has seen.
///
/// ```
/// use std::sync::Mutex;
///
/// use ringcentral_ws_gateway::eventually_eq;
///
/// let seen = Mutex::new(Vec::new()); // the handler pushes into it
/// # seen.lock().unwrap().push("Hello");
/// eventually_eq(|| seen.lock().unwrap().clone(), ["Hello"]);
/// ```
///
/// # Panics
///
/// It did not give that within 30 s; the message says what it gave at last.
#[track_caller]
pub fn eventually_eq<T: PartialEq<U> + Debug, U: Debug>(mut look: impl FnMut() -> T, expected: U) {
    let begun = Instant::now();
    loop {
        let seen = look();
        if seen == expected {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "not within {} s: {expected:?}; it is {seen:?}", LIMIT.as_secs());
        std::thread::sleep(LOOK);
    }
}

/// An SMS that a program sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentSms {
    /// The number that it went to.
    pub to: String,
    /// Its text.
    pub text: String,
}

impl Server {
    /// Waits until something is true of the gateway, as [`wait_until`](Self::wait_until) does, for 30 s at most.
    ///
    /// It blocks the thread. A test whose program runs in the same process says
    /// `#[tokio::test(flavor = "multi_thread")]`, because on one thread neither would go on.
    ///
    /// # Panics
    ///
    /// It did not become true; the message names `what`.
    #[track_caller]
    pub fn eventually(&self, what: &str, holds: impl FnMut(&Gateway) -> bool) {
        assert!(self.wait_until(LIMIT, holds), "not within {} s: {what}", LIMIT.as_secs());
    }

    /// Waits until a client is connected and has subscribed: what arrives from then on reaches it. After
    /// [`restart`](Self::restart) it waits for the new subscription. As [`eventually`](Self::eventually).
    ///
    /// # Panics
    ///
    /// None is so within 30 s.
    #[track_caller]
    pub fn wait_for_subscription(&self) {
        let listens = |gateway: &Gateway| gateway.sessions().any(|one| one.conn.is_some() && !one.filters.is_empty());
        self.eventually("a client is connected and subscribed", listens);
    }

    /// Waits until a user has sent so many SMS, and returns all that it sent, in order. As
    /// [`eventually`](Self::eventually).
    ///
    /// ```no_run
    /// # let server = ringcentral_ws_gateway::Server::start(Default::default())?;
    /// server.receive_sms(0, "+16505550100", "Are you open?");
    /// assert_eq!(server.wait_for_sent_sms(0, 1)[0].to, "+16505550100");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    ///
    /// The user did not within 30 s.
    #[track_caller]
    pub fn wait_for_sent_sms(&self, user: usize, count: usize) -> Vec<SentSms> {
        self.eventually(&format!("{count} SMS are sent"), |gateway| sent(gateway, user).count() >= count);
        self.sent_sms(user)
    }

    /// The SMS that a user has sent so far, in order.
    #[must_use]
    pub fn sent_sms(&self, user: usize) -> Vec<SentSms> {
        self.with_gateway(|gateway, _| sent(gateway, user).collect())
    }

    /// The phone number of a user.
    ///
    /// # Panics
    ///
    /// If there is no such user.
    #[must_use]
    pub fn phone_number(&self, user: usize) -> String {
        let number =
            self.with_gateway(|gateway, _| gateway.config().users.get(user).map(|one| one.phone_number.clone()));
        number.unwrap_or_else(|| panic!("the stand-in has no user {user}: start it with ServerConfig::users"))
    }
}

fn sent(gateway: &Gateway, user: usize) -> impl Iterator<Item = SentSms> + '_ {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let sms = gateway.messages(user).filter(|one| one["type"] == "SMS" && one["direction"] == "Outbound");
    sms.map(move |one| SentSms { to: text(&one["to"][0]["phoneNumber"]), text: text(&one["subject"]) })
}
