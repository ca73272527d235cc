//! The sessions of the fleet, and what the application sees of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringcentral_ws::{
    Client, ClientApp, Config, Event, Events, Filter, HttpsSender, IoLimits, Jwt, Notification, Resumption,
    RetryPolicy, https_client, tokio::Tokio,
};
use ringcentral_ws_gateway::{AppConfig, UserConfig};

use super::Failure;
use super::options::Options;
use super::process::StandIn;

/// Connections for calls that are kept for the next call of any client.
const KEPT: usize = 50;

/// What all sessions saw together.
#[derive(Debug, Default)]
pub struct Seen {
    /// Sessions that are connected and subscribed.
    pub ready: AtomicUsize,
    /// Connections that were ready.
    pub connected: AtomicUsize,
    /// Of these, those that continued the session before.
    pub recovered: AtomicUsize,
    /// Ready connections that ended.
    pub lost: AtomicUsize,
    /// Failed attempts.
    pub retries: AtomicUsize,
    /// Sessions that ended.
    pub closed: AtomicUsize,
    /// Notifications.
    pub notifications: AtomicU64,
    /// Gaps.
    pub gaps: AtomicUsize,
    /// Notifications that were missing although no gap had come before the next one.
    pub missing: AtomicU64,
    /// Notifications that came twice or too late.
    pub repeated: AtomicU64,
    /// The number of a notification that is waited for, and how many sessions have it.
    pub awaited: (AtomicU64, AtomicUsize),
    /// The application has asked for the end.
    pub is_closing: AtomicBool,
    /// Why connections ended and attempts failed, and how often.
    causes: Mutex<BTreeMap<String, usize>>,
}

impl Seen {
    fn note_cause(&self, cause: String) {
        *self.causes.lock().unwrap_or_else(PoisonError::into_inner).entry(cause).or_default() += 1;
    }

    /// Why connections ended and attempts failed since the last time, and how often.
    #[must_use]
    pub fn take_causes(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *self.causes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How one session is.
#[derive(Debug, Default)]
struct One {
    is_ready: bool,
    /// The number that the next notification has, if none is lost.
    next: u64,
    is_after_gap: bool,
}

impl One {
    fn set_ready(&mut self, ready: bool, seen: &Seen) {
        if self.is_ready != ready {
            self.is_ready = ready;
            if ready {
                seen.ready.fetch_add(1, Relaxed)
            } else {
                seen.ready.fetch_sub(1, Relaxed)
            };
        }
    }

    fn notification(&mut self, notification: &Notification, seen: &Seen) {
        seen.notifications.fetch_add(1, Relaxed);
        let Some(number) = number(notification.body()) else { return };
        if number < self.next {
            seen.repeated.fetch_add(1, Relaxed);
            return;
        }
        if !std::mem::take(&mut self.is_after_gap) {
            seen.missing.fetch_add(number - self.next, Relaxed);
        }
        self.next = number + 1;
        if number == seen.awaited.0.load(Relaxed) {
            seen.awaited.1.fetch_add(1, Relaxed);
        }
    }

    fn take(&mut self, event: &Event, seen: &Seen) {
        match event {
            Event::Notification(notification) => self.notification(notification, seen),
            Event::Gap(_) => {
                self.is_after_gap = true;
                seen.gaps.fetch_add(1, Relaxed);
            }
            Event::Connected { resumption, .. } => {
                seen.connected.fetch_add(1, Relaxed);
                if *resumption == Resumption::Recovered {
                    seen.recovered.fetch_add(1, Relaxed);
                    self.set_ready(true, seen);
                }
            }
            Event::Subscribed(_) => self.set_ready(true, seen),
            Event::Disconnected { cause, reason, .. } => {
                seen.lost.fetch_add(1, Relaxed);
                seen.note_cause(format!("{cause} ({})", reason.as_deref().unwrap_or("no reason")));
                self.set_ready(false, seen);
            }
            Event::Retry { cause, .. } => {
                seen.note_cause(cause.to_string());
                seen.retries.fetch_add(1, Relaxed);
            }
            Event::Closed { reason } => {
                if !seen.is_closing.load(Relaxed) {
                    eprintln!("a session has ended: {reason}");
                }
                seen.closed.fetch_add(1, Relaxed);
                self.set_ready(false, seen);
            }
            _ => {}
        }
    }
}

/// The number that the stand-in gave a notification: `{"n":7,…`.
fn number(body: &str) -> Option<u64> {
    let digits = body.strip_prefix("{\"n\":")?;
    let end = digits.bytes().position(|byte| !byte.is_ascii_digit())?;
    digits[..end].parse().ok()
}

async fn follow(mut events: Events, seen: Arc<Seen>) {
    let mut one = One::default();
    while let Some(event) = events.next().await {
        one.take(&event, &seen);
    }
}

/// The settings of a client. Those of the guide's chapter on many accounts, unless reconnects are to come one after the
/// other: then the budgets do not count.
fn config(options: &Options) -> Config {
    let mut retry = RetryPolicy::default();
    if options.reconnects > 0 {
        retry = RetryPolicy { auth_calls_per_minute: 10_000, attempts_per_minute: 10_000, ..retry };
    }
    if options.is_quick {
        let ms = Duration::from_millis;
        retry = RetryPolicy {
            socket_lost: ms(300),
            unsent: ms(500),
            unsent_later: ms(500),
            base: ms(200),
            max: ms(500),
            ..retry
        };
    }
    Config { heartbeat_interval: options.heartbeat, retry, ..Config::default() }
}

/// What all clients share.
pub struct Shared {
    /// What they saw.
    pub seen: Arc<Seen>,
    limits: IoLimits,
    /// Makes their calls, if they do not make them alone.
    https: Option<Arc<dyn HttpsSender>>,
}

impl Shared {
    /// For the clients of a run.
    ///
    /// # Errors
    ///
    /// The environment names a proxy that cannot be used.
    pub fn new(options: &Options) -> Result<Self, Failure> {
        let limits = IoLimits {
            event_bytes: 4 << 20,
            longest_sleep: options.longest_sleep,
            idle_connections: KEPT,
            ..IoLimits::default()
        };
        let https = (!options.alone).then(|| https_client(Tokio, limits.clone(), None)).transpose()?;
        Ok(Self { seen: Arc::default(), limits, https })
    }
}

/// Starts a client as that user of the stand-in; its events go to a task.
///
/// # Errors
///
/// It cannot start.
pub fn start(stand_in: &StandIn, user: usize, options: &Options, shared: &Shared) -> Result<Client, Failure> {
    let app = AppConfig::default();
    let app = ClientApp {
        server: format!("http://{}", stand_in.address).parse()?,
        client_id: app.client_id,
        client_secret: Some(app.client_secret.into()),
    };
    let login = Jwt::new(app, UserConfig::numbered(u32::try_from(user)?).jwt);
    let builder = Client::builder(login).config(config(options)).limits(shared.limits.clone());
    let builder = match &shared.https {
        Some(https) => builder.http_client(Arc::clone(https)),
        None => builder,
    };
    let (client, events) = builder.filters([Filter::message_store()]).start()?;
    tokio::spawn(follow(events, Arc::clone(&shared.seen)));
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found() {
        assert_eq!(number(r#"{"n":17,"text":"x"}"#), Some(17));
        assert_eq!(number(r#"{"text":"x"}"#), None);
    }
}
