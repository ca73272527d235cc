//! Counters, gauges and histograms from what a Session puts out and what its driver knows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use ::metrics::{Counter, Gauge, Histogram, Label, Unit};
use ringcentral_ws_core::{
    CloseReason, Event, RequestId, RequestOutcome, Session, SessionState, Stats, SubscriptionState, Timestamp,
    UnixMillis,
};

use super::table::names;
use super::{Kind, METRICS};
use crate::clock::Clock;
use crate::health::Pulse;

type Count = fn(&Stats) -> u64;

/// The counters that the session counts itself.
const COUNTED: [(&str, Count); 19] = [
    (names::FRAMES_TOTAL, |stats| stats.frames),
    (names::NOTIFICATIONS_TOTAL, |stats| stats.notifications),
    (names::DUPLICATES_TOTAL, |stats| stats.duplicates),
    (names::FOREIGN_NOTIFICATIONS_TOTAL, |stats| stats.foreign),
    (names::UNKNOWN_MESSAGES_TOTAL, |stats| stats.unknown),
    (names::UNMATCHED_ANSWERS_TOTAL, |stats| stats.unmatched),
    (names::UNREADABLE_FRAMES_TOTAL, |stats| stats.unreadable),
    (names::STALE_INPUTS_TOTAL, |stats| stats.stale_inputs),
    (names::CLOCK_WENT_BACK_TOTAL, |stats| stats.clock_went_back),
    (names::ATTEMPTS_TOTAL, |stats| stats.attempts),
    (names::TOKEN_CALLS_TOTAL, |stats| stats.token_calls),
    (names::AUTHORIZATIONS_TOTAL, |stats| stats.authorizations),
    (names::REFRESH_FAILURES_TOTAL, |stats| stats.refresh_failures),
    (names::CONNECTIONS_TOTAL, |stats| stats.connections),
    (names::RECOVERIES_TOTAL, |stats| stats.recoveries),
    (names::RECOVERY_FAILURES_TOTAL, |stats| stats.recovery_failures),
    (names::GAPS_TOTAL, |stats| stats.gaps),
    (names::HEARTBEATS_TOTAL, |stats| stats.heartbeats),
    (names::REQUESTS_TOTAL, |stats| stats.requests),
];

/// Measures what a driver does: it passes on each event, each request and each end of a turn.
pub struct Meter {
    labels: Vec<Label>,
    counters: [Counter; COUNTED.len()],
    counted: Stats,
    sessions: Tally,
    connected: Tally,
    subscribed: Tally,
    reading_paused: Tally,
    last_received: Time,
    window_end: Time,
    /// When the last ready connection was lost.
    lost_at: Option<Timestamp>,
    /// When each request under way began; the Session bounds their number.
    requests: BTreeMap<RequestId, Timestamp>,
    ended: bool,
}

impl Meter {
    /// For a session that begins now. `label` is the value of the label `client`.
    #[must_use]
    pub fn new(label: Option<&str>) -> Self {
        describe();
        let labels: Vec<_> = label.map(|label| Label::new("client", label.to_owned())).into_iter().collect();
        let gauge = |name: &'static str| ::metrics::gauge!(name, labels.iter());
        let (sessions, connected, subscribed) = (names::SESSIONS, names::CONNECTED, names::SUBSCRIBED);
        let mut meter = Self {
            counters: COUNTED.map(|(name, _)| ::metrics::counter!(name, labels.iter())),
            counted: Stats::default(),
            sessions: Tally::new(gauge(sessions)),
            connected: Tally::new(gauge(connected)),
            subscribed: Tally::new(gauge(subscribed)),
            reading_paused: Tally::new(gauge(names::READING_PAUSED)),
            last_received: Time::new(gauge(names::LAST_RECEIVED_TIMESTAMP_SECONDS)),
            window_end: Time::new(gauge(names::RECOVERY_WINDOW_END_TIMESTAMP_SECONDS)),
            lost_at: None,
            requests: BTreeMap::new(),
            ended: false,
            labels,
        };
        meter.sessions.set(true);
        // A rate of what appears with its first occurrence would not show that one.
        for reason in ["revoked", "detached", "permanent", "dropped"] {
            meter.counter(names::ENDS_TOTAL, [("reason", reason)]).increment(0);
        }
        for permanent in ["true", "false"] {
            meter.counter(names::SUBSCRIPTION_FAILURES_TOTAL, [("permanent", permanent)]).increment(0);
        }
        meter
    }

    /// Measures the queue of events of the same session.
    #[must_use]
    pub fn queue(&self) -> QueueMeter {
        let gauge = |name: &'static str| ::metrics::gauge!(name, self.labels.iter());
        QueueMeter(Some(QueueMeters {
            events: Level::new(gauge(names::EVENT_QUEUE_EVENTS)),
            bytes: Level::new(gauge(names::EVENT_QUEUE_BYTES)),
            delay: ::metrics::histogram!(names::DELIVERY_DELAY_SECONDS, self.labels.iter()),
        }))
    }

    /// The session took a request.
    pub fn requested(&mut self, id: RequestId, now: Timestamp) {
        self.requests.insert(id, now);
    }

    /// The session reports something.
    pub fn event(&mut self, event: &Event, now: Timestamp) {
        match event {
            Event::Response { id, outcome } => self.request_ended(*id, outcome, now),
            Event::Connected { resumption, .. } => {
                if let Some(lost_at) = self.lost_at.take() {
                    self.record(names::RECOVERY_SECONDS, [("resumption", resumption.as_str())], now.since(lost_at));
                }
            }
            Event::Disconnected { cause, .. } => {
                self.lost_at = Some(now);
                self.count(names::DISCONNECTS_TOTAL, [("cause", cause.as_str())]);
            }
            Event::Retry { cause, .. } => self.count(names::RETRIES_TOTAL, [("cause", cause.as_str())]),
            Event::Gap(gap) => {
                let certainty = gap.certainty.as_str();
                self.count(names::GAP_CAUSES_TOTAL, [("cause", gap.cause.as_str()), ("certainty", certainty)]);
            }
            Event::SubscriptionFailed { retry_at, .. } => {
                let permanent = if retry_at.is_none() { "true" } else { "false" };
                self.count(names::SUBSCRIPTION_FAILURES_TOTAL, [("permanent", permanent)]);
            }
            Event::Closed { reason } => self.end(match reason {
                CloseReason::Revoked => "revoked",
                CloseReason::Detached => "detached",
                _ => "permanent",
            }),
            _ => {}
        }
    }

    /// A turn of the driver ends.
    pub fn turn(&mut self, session: &Session, pulse: &Pulse, clock: &Clock) {
        let stats = session.stats();
        if stats != self.counted {
            for (counter, (_, of)) in self.counters.iter().zip(COUNTED) {
                let more = of(&stats) - of(&self.counted);
                if more > 0 {
                    counter.increment(more);
                }
            }
            self.counted = stats;
        }
        let is_over = pulse.session == SessionState::Closed;
        let confirmed = pulse.subscription == SubscriptionState::Active && !pulse.has_disabled;
        self.connected.set(matches!(pulse.session, SessionState::Ready { .. }));
        self.subscribed.set(confirmed && !is_over);
        self.reading_paused.set(pulse.paused_since.is_some() && !is_over);
        self.last_received.set(pulse.last_received, clock);
        self.window_end.set(session.recovery_window_end(), clock);
    }

    fn request_ended(&mut self, id: RequestId, outcome: &RequestOutcome, now: Timestamp) {
        let Some(began) = self.requests.remove(&id) else { return };
        let (outcome, via) = match outcome {
            RequestOutcome::Response { via, .. } => ("response", via.as_str()),
            RequestOutcome::NotSent(_) => ("not_sent", "none"),
            RequestOutcome::TimedOut { .. } => ("timed_out", "none"),
            RequestOutcome::Cancelled { .. } => ("cancelled", "none"),
            _ => ("unknown", "none"),
        };
        self.record(names::REQUEST_SECONDS, [("outcome", outcome), ("via", via)], now.since(began));
    }

    fn end(&mut self, reason: &'static str) {
        if !self.ended {
            self.ended = true;
            self.count(names::ENDS_TOTAL, [("reason", reason)]);
        }
    }

    fn labels<const N: usize>(&self, more: [(&'static str, &'static str); N]) -> Vec<Label> {
        self.labels.iter().cloned().chain(more.map(|(key, value)| Label::from_static_parts(key, value))).collect()
    }

    fn counter<const N: usize>(&self, name: &'static str, labels: [(&'static str, &'static str); N]) -> Counter {
        ::metrics::counter!(name, self.labels(labels))
    }

    fn count<const N: usize>(&self, name: &'static str, labels: [(&'static str, &'static str); N]) {
        self.counter(name, labels).increment(1);
    }

    fn record<const N: usize>(&self, name: &'static str, labels: [(&'static str, &'static str); N], span: Duration) {
        ::metrics::histogram!(name, self.labels(labels)).record(span.as_secs_f64());
    }
}

impl Drop for Meter {
    /// What the session held is given back, however its driver came to its end.
    fn drop(&mut self) {
        self.end("dropped");
        self.window_end.gauge.set(0.0);
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("labels", &self.labels).finish_non_exhaustive()
    }
}

/// Measures a queue of events, at both of its ends.
#[derive(Default)]
pub struct QueueMeter(Option<QueueMeters>);

struct QueueMeters {
    events: Level,
    bytes: Level,
    delay: Histogram,
}

impl QueueMeter {
    /// So much waits now.
    pub fn waiting(&self, events: usize, bytes: usize) {
        if let Some(meters) = &self.0 {
            meters.events.set(events);
            meters.bytes.set(bytes);
        }
    }

    /// The application took an event.
    pub fn taken(&self, event: &Event) {
        if let Some(meters) = &self.0
            && let Event::Notification(notification) = event
            && let Some(sent) = notification.timestamp().and_then(|text| text.parse::<UnixMillis>().ok())
        {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            meters.delay.record(now.saturating_sub(Duration::from_millis(sent.0)).as_secs_f64());
        }
    }
}

impl fmt::Debug for QueueMeter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueMeter").finish_non_exhaustive()
    }
}

/// One session's part of a gauge that counts sessions.
struct Tally {
    gauge: Gauge,
    counts: bool,
}

impl Tally {
    fn new(gauge: Gauge) -> Self {
        // So that it is there before the first one counts.
        gauge.increment(0.0);
        Self { gauge, counts: false }
    }

    fn set(&mut self, counts: bool) {
        if counts != self.counts {
            self.counts = counts;
            self.gauge.increment(if counts { 1.0 } else { -1.0 });
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// One queue's part of a gauge that adds up queues. It is changed under the lock of the queue.
struct Level {
    gauge: Gauge,
    level: AtomicUsize,
}

impl Level {
    fn new(gauge: Gauge) -> Self {
        gauge.increment(0.0);
        Self { gauge, level: AtomicUsize::new(0) }
    }

    fn set(&self, level: usize) {
        let before = self.level.swap(level, Ordering::Relaxed);
        if level > before {
            self.gauge.increment((level - before) as f64);
        } else if level < before {
            self.gauge.decrement((before - level) as f64);
        }
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A gauge that is a time.
struct Time {
    gauge: Gauge,
    shown: Option<Timestamp>,
}

impl Time {
    fn new(gauge: Gauge) -> Self {
        gauge.set(0.0);
        Self { gauge, shown: None }
    }

    /// What differs by less than a second is not shown anew.
    fn set(&mut self, at: Option<Timestamp>, clock: &Clock) {
        let is_new = match (at, self.shown) {
            (Some(at), Some(shown)) => at.since(shown).max(shown.since(at)) >= Duration::from_secs(1),
            (at, shown) => at != shown,
        };
        if is_new {
            self.shown = at;
            self.gauge.set(at.map_or(0.0, |at| clock.reading().unix_at(at).0 as f64 / 1_000.0));
        }
    }
}

fn describe() {
    for metric in METRICS {
        let unit = match metric.name {
            name if name.ends_with("_seconds") => Unit::Seconds,
            name if name.ends_with("_bytes") => Unit::Bytes,
            _ => Unit::Count,
        };
        match metric.kind {
            Kind::Counter => ::metrics::describe_counter!(metric.name, unit, metric.help),
            Kind::Gauge => ::metrics::describe_gauge!(metric.name, unit, metric.help),
            Kind::Histogram => ::metrics::describe_histogram!(metric.name, unit, metric.help),
        }
    }
}
