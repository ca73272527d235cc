//! The health of a client, for readiness probes.

mod pulse;
mod reason;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::{Duration, SystemTime};

use ringcentral_ws_core::terminal::escape;
use ringcentral_ws_core::{Cause, SessionState, SubscriptionState, Timestamp, WaitReason};
use serde::ser::{Serialize, SerializeStruct, Serializer};

pub(crate) use self::pulse::Unacknowledged;
pub use self::pulse::{LastCause, Pulse, Vitals};
pub use self::reason::NotReady;

/// `Display` shows what waits when the oldest has waited for so long: bursts are normal.
const SLOW: Duration = Duration::from_secs(1);
/// Most characters of the last cause that `Display` shows.
const SHOWN: usize = 200;

/// The health of a client at one moment: made for readiness probes, so it shows what is known and nothing better.
///
/// It asks nobody, so it can be read while the driver is stuck, and after its end. Two things show late. A server that
/// is gone without a word is noticed when a heartbeat is not answered, 40 s after its last frame by default
/// ([HB-2](ringcentral_ws_core::protocol#hb-2)). A driver that does not run is noticed by the first deadline that it
/// misses by `IoLimits::clock_slack`, which on a connection is the next heartbeat at the latest. Until then it may look
/// ready.
///
/// `Display` is one line for people, such as `ready; the server was last heard 0.4 s ago`. As JSON it has the fields
/// below, durations in seconds with `_seconds` at the end of their names, and `ready`.
///
/// ```
/// # fn probe(health: ringcentral_ws_adapter::Health) -> (u16, String) {
/// // In the handler of `/ready`, with `let health = client.health();`
/// (if health.is_ready() { 200 } else { 503 }, health.to_string())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// A connection is ready: not merely a socket, the server has sent its ConnectionDetails.
    pub connected: bool,
    /// Whether the server has confirmed what the application asked for last, every filter of it; `None` when it has
    /// asked for nothing. It stays as it is while there is no connection. Of filters that the server disabled before
    /// this process continued the session nothing is known.
    pub subscribed_as_wanted: Option<bool>,
    /// How long ago the server was last known to be alive: since its last frame, of any kind, on a ready connection.
    /// `None` before the first. Time in which the machine slept counts where the system has such a clock. What is read
    /// after a sleep or a pause may have waited in the socket, so it counts when a later heartbeat has been answered.
    pub last_proof_of_life: Option<Duration>,
    /// The time to the next attempt, while the session waits for it; zero if it is due.
    pub next_try: Option<Duration>,
    /// Failed attempts since the last good connection, while the session waits for the next one; otherwise 0.
    pub failed_attempts: u32,
    /// Why the last attempt failed, or the last connection or the session ended. `None` while a connection is ready, and
    /// after an orderly end. `Display` shows its first 200 characters, and JSON its word ([`Cause::as_str`]).
    pub last_cause: Option<Cause>,
    /// How long reading has paused because the application does not take its events, or does not acknowledge those that it
    /// took. `Display` says which.
    pub reading_paused: Option<Duration>,
    /// How many events were taken and are not acknowledged: see `Builder::acknowledge`. `None` without it.
    pub unacknowledged: Option<usize>,
    /// How many of them never will be: their handles were dropped. While there are any, the snapshot does not move beyond
    /// them: store no further one, and start again from the stored one.
    pub dropped_unacknowledged: usize,
    /// By how much the driver has missed the time at which it was to run, when that is more than
    /// `IoLimits::clock_slack`: its runtime is blocked or is not running, or the machine has just slept. All the rest
    /// is what it knew before.
    pub driver_late: Option<Duration>,
    /// The session has ended for good, or its driver is gone: stopped, panicked, or dropped with its runtime.
    pub ended: bool,
    /// Why [`is_ready`](Self::is_ready) is false.
    pub reason: Option<NotReady>,
    /// Events that wait for the application to take them.
    pub events_waiting: usize,
    /// How many may wait before reading pauses (`IoLimits::event_queue`). `IoLimits::event_bytes` may be reached first.
    pub events_capacity: usize,
    /// How long the oldest of them has waited. A slow application shows here long before reading pauses.
    pub oldest_event: Option<Duration>,
    /// Reading goes on when the application acknowledges events.
    awaits_acknowledgement: bool,
    /// When this was.
    at: SystemTime,
    now: Timestamp,
}

impl Health {
    /// Whether all is as it should be: connected, subscribed as wanted (or nothing is wanted), the driver runs, and the
    /// server was heard within the time of a heartbeat and its answer. A pause of reading alone changes nothing until
    /// it has lasted so long: short ones are normal in a burst.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        self.reason.is_none()
    }

    /// [`last_proof_of_life`](Self::last_proof_of_life) as a time of the wall clock.
    #[must_use]
    pub fn last_proof_of_life_at(&self) -> Option<SystemTime> {
        self.at.checked_sub(self.last_proof_of_life?)
    }

    /// The health that this pulse shows, or showed last.
    pub(crate) fn of(pulse: &Pulse, driver_is_gone: bool, vitals: &Vitals) -> Self {
        let (now, wall) = vitals.clock.now();
        let ended = driver_is_gone || matches!(pulse.session, SessionState::Closed);
        let mut health = Self {
            connected: !ended && matches!(pulse.session, SessionState::Ready { .. }),
            subscribed_as_wanted: match pulse.subscription {
                SubscriptionState::None => None,
                SubscriptionState::Active => Some(!pulse.has_disabled),
                _ => Some(false),
            },
            last_proof_of_life: pulse.last_received.map(|at| now.since(at)),
            next_try: None,
            failed_attempts: 0,
            last_cause: pulse.last_cause.get().cloned(),
            reading_paused: pulse.paused_since.filter(|_| !ended).map(|since| now.since(since)),
            unacknowledged: None,
            dropped_unacknowledged: 0,
            driver_late: pulse.due.filter(|_| !ended).map(|due| now.since(due)).filter(|late| *late > vitals.slack),
            ended,
            reason: None,
            events_waiting: 0,
            events_capacity: 0,
            oldest_event: None,
            awaits_acknowledgement: false,
            at: SystemTime::UNIX_EPOCH + wall,
            now,
        };
        if let SessionState::Waiting { attempt, until, .. } = pulse.session
            && !ended
        {
            (health.next_try, health.failed_attempts) = (Some(until.since(now)), attempt);
        }
        health.reason = health.find_reason(pulse, vitals);
        health
    }

    /// The same, with what the application has not acknowledged.
    pub(crate) fn with_unacknowledged(mut self, unacknowledged: Option<Unacknowledged>) -> Self {
        if let Some(Unacknowledged { events, dropped, is_full }) = unacknowledged {
            (self.unacknowledged, self.dropped_unacknowledged) = (Some(events), dropped);
            self.awaits_acknowledgement = is_full;
            if is_full && self.reason == Some(NotReady::ReadingPaused) {
                self.reason = Some(NotReady::Unacknowledged);
            }
        }
        self
    }

    /// The same with what waits in the queue.
    pub(crate) fn with_queue(self, waiting: Waiting) -> Self {
        let oldest_event = waiting.oldest.map(|since| self.now.since(since));
        Self { events_waiting: waiting.events, events_capacity: waiting.capacity, oldest_event, ..self }
    }

    /// What is in the way, the root of it first.
    fn find_reason(&self, pulse: &Pulse, vitals: &Vitals) -> Option<NotReady> {
        if self.ended {
            return Some(NotReady::Ended);
        }
        if self.driver_late.is_some() {
            return Some(NotReady::DriverLate);
        }
        match pulse.session {
            SessionState::Ready { .. } => {}
            SessionState::Idle => return Some(NotReady::NotStarted),
            SessionState::Waiting { reason: WaitReason::LoginLimit, .. } => return Some(NotReady::LoginLimit),
            SessionState::Waiting { reason, .. } => return Some(NotReady::Waiting(reason)),
            SessionState::AwaitingStore => return Some(NotReady::AwaitingStore),
            SessionState::Offline => return Some(NotReady::Offline),
            SessionState::Closing | SessionState::Closed => return Some(NotReady::Closing),
            _ => return Some(NotReady::Connecting),
        }
        if self.last_proof_of_life.is_none_or(|ago| ago > vitals.silence) {
            return Some(if self.reading_paused.is_some() { NotReady::ReadingPaused } else { NotReady::Silent });
        }
        match pulse.subscription {
            SubscriptionState::None => None,
            SubscriptionState::Active => pulse.has_disabled.then_some(NotReady::FiltersDisabled),
            SubscriptionState::Refused => Some(NotReady::SubscriptionRefused),
            _ => Some(NotReady::SubscriptionPending),
        }
    }
}

/// What waits in the queue of events.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) events: usize,
    pub(crate) capacity: usize,
    /// Since when the oldest waits.
    pub(crate) oldest: Option<Timestamp>,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            None => f.write_str("ready")?,
            Some(reason) => write!(f, "not ready: {reason}")?,
        }
        if let Some(late) = self.driver_late {
            write!(f, "; it is {:.1} s late", late.as_secs_f64())?;
        }
        if let Some(wait) = self.next_try {
            write!(f, "; next try in {:.1} s, {} failed", wait.as_secs_f64(), self.failed_attempts)?;
        }
        if let Some(cause) = &self.last_cause {
            let line = cause.to_string().chars().take(SHOWN).collect::<String>();
            write!(f, "; last failure: {}", escape(&line))?;
        }
        if let Some(paused) = self.reading_paused {
            write!(f, "; reading has paused for {:.1} s", paused.as_secs_f64())?;
            if self.awaits_acknowledgement {
                f.write_str(" until events are acknowledged")?;
            }
        }
        match (self.unacknowledged, self.dropped_unacknowledged) {
            (None | Some(0), _) => {}
            (Some(events), 0) => write!(f, "; events that are not acknowledged: {events}")?,
            (Some(events), dropped) => {
                write!(
                    f,
                    "; events that are not acknowledged: {events}, {dropped} of them never will be: start again"
                )?;
            }
        }
        if let Some(waited) = self.oldest_event.filter(|waited| *waited >= SLOW) {
            let (waiting, capacity) = (self.events_waiting, self.events_capacity);
            write!(f, "; {waiting} of {capacity} events wait, the oldest for {:.1} s", waited.as_secs_f64())?;
        }
        if self.subscribed_as_wanted.is_none() && !self.ended {
            f.write_str("; nothing is subscribed")?;
        }
        match self.last_proof_of_life {
            Some(ago) => write!(f, "; the server was last heard {:.1} s ago", ago.as_secs_f64()),
            None => f.write_str("; the server was never heard"),
        }
    }
}

impl Serialize for Health {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let seconds = |span: Option<Duration>| span.map(|span| span.as_secs_f64());
        let mut fields = serializer.serialize_struct("Health", 16)?;
        fields.serialize_field("ready", &self.is_ready())?;
        fields.serialize_field("reason", &self.reason.map(NotReady::as_str))?;
        fields.serialize_field("connected", &self.connected)?;
        fields.serialize_field("subscribed_as_wanted", &self.subscribed_as_wanted)?;
        fields.serialize_field("last_proof_of_life_seconds", &seconds(self.last_proof_of_life))?;
        fields.serialize_field("next_try_seconds", &seconds(self.next_try))?;
        fields.serialize_field("failed_attempts", &self.failed_attempts)?;
        fields.serialize_field("last_cause", &self.last_cause.as_ref().map(Cause::as_str))?;
        fields.serialize_field("reading_paused_seconds", &seconds(self.reading_paused))?;
        // Without `Builder::acknowledge` there are no such fields.
        if let Some(events) = self.unacknowledged {
            fields.serialize_field("unacknowledged", &events)?;
            fields.serialize_field("dropped_unacknowledged", &self.dropped_unacknowledged)?;
        } else {
            fields.skip_field("unacknowledged")?;
            fields.skip_field("dropped_unacknowledged")?;
        }
        fields.serialize_field("driver_late_seconds", &seconds(self.driver_late))?;
        fields.serialize_field("ended", &self.ended)?;
        fields.serialize_field("events_waiting", &self.events_waiting)?;
        fields.serialize_field("events_capacity", &self.events_capacity)?;
        fields.serialize_field("oldest_event_seconds", &seconds(self.oldest_event))?;
        fields.end()
    }
}
