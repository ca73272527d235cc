//! The table of metrics.

/// A metric of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, with the unit at its end.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// The labels that it has beside `client`.
    pub labels: &'static [&'static str],
    /// What it shows.
    pub help: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric { name, kind, labels, help }
}

/// All metrics, in the order of the table in the documentation of the module.
pub const METRICS: &[Metric] = &[
    metric(names::FRAMES_TOTAL, Kind::Counter, &[], "messages received on live connections"),
    metric(names::NOTIFICATIONS_TOTAL, Kind::Counter, &[], "notifications handed over"),
    metric(names::DUPLICATES_TOTAL, Kind::Counter, &[], "notifications dropped because they had been delivered before"),
    metric(
        names::FOREIGN_NOTIFICATIONS_TOTAL,
        Kind::Counter,
        &[],
        "notifications dropped because they belong to another subscription",
    ),
    metric(names::UNKNOWN_MESSAGES_TOTAL, Kind::Counter, &[], "messages of an unknown type"),
    metric(names::UNMATCHED_ANSWERS_TOTAL, Kind::Counter, &[], "answers that no open call waits for"),
    metric(names::UNREADABLE_FRAMES_TOTAL, Kind::Counter, &[], "messages that could not be read"),
    metric(names::STALE_INPUTS_TOTAL, Kind::Counter, &[], "inputs for a connection, call or login that had ended"),
    metric(names::CLOCK_WENT_BACK_TOTAL, Kind::Counter, &[], "times the monotonic clock went back"),
    metric(names::ATTEMPTS_TOTAL, Kind::Counter, &[], "connection attempts"),
    metric(names::TOKEN_CALLS_TOTAL, Kind::Counter, &[], "calls for a connection token"),
    metric(names::AUTHORIZATIONS_TOTAL, Kind::Counter, &[], "questions to the credential source"),
    metric(
        names::REFRESH_FAILURES_TOTAL,
        Kind::Counter,
        &[],
        "questions that failed while the old access token was still valid",
    ),
    metric(names::CONNECTIONS_TOTAL, Kind::Counter, &[], "connections that became ready"),
    metric(names::RECOVERIES_TOTAL, Kind::Counter, &[], "connections that continued the session"),
    metric(names::RECOVERY_FAILURES_TOTAL, Kind::Counter, &[], "connections that could not continue the session"),
    metric(names::HEARTBEATS_TOTAL, Kind::Counter, &[], "heartbeats sent"),
    metric(names::REQUESTS_TOTAL, Kind::Counter, &[], "REST requests accepted"),
    metric(names::GAPS_TOTAL, Kind::Counter, &[], "gaps reported: notifications may be lost"),
    metric(names::GAP_CAUSES_TOTAL, Kind::Counter, &["cause", "certainty"], "the same by `GapCause` and `Certainty`"),
    metric(names::DISCONNECTS_TOTAL, Kind::Counter, &["cause"], "ready connections that ended, see `Cause`"),
    metric(names::RETRIES_TOTAL, Kind::Counter, &["cause"], "attempts that failed, another one follows; see `Cause`"),
    metric(
        names::SUBSCRIPTION_FAILURES_TOTAL,
        Kind::Counter,
        &["permanent"],
        "calls for the subscription that the server refused; `true`: for good",
    ),
    metric(
        names::ENDS_TOTAL,
        Kind::Counter,
        &["reason"],
        "sessions that ended: `revoked`, `detached`, `permanent` (a person must act) or `dropped`",
    ),
    metric(names::SESSIONS, Kind::Gauge, &[], "sessions that run"),
    metric(names::CONNECTED, Kind::Gauge, &[], "sessions whose connection is ready"),
    metric(
        names::SUBSCRIBED,
        Kind::Gauge,
        &[],
        "sessions for which the server has confirmed what was asked last, every filter",
    ),
    metric(
        names::READING_PAUSED,
        Kind::Gauge,
        &[],
        "sessions that do not read because the application does not take its events",
    ),
    metric(names::EVENT_QUEUE_EVENTS, Kind::Gauge, &[], "events that wait for the application"),
    metric(names::EVENT_QUEUE_BYTES, Kind::Gauge, &[], "their size in memory, roughly"),
    metric(
        names::LAST_RECEIVED_TIMESTAMP_SECONDS,
        Kind::Gauge,
        &[],
        "when the server was last known to be alive, since 1970; 0 before",
    ),
    metric(
        names::RECOVERY_WINDOW_END_TIMESTAMP_SECONDS,
        Kind::Gauge,
        &[],
        "when the server may give the session up, since 1970; 0 while connected or with nothing to recover",
    ),
    metric(
        names::DELIVERY_DELAY_SECONDS,
        Kind::Histogram,
        &[],
        "from the server's timestamp of a notification to its taking by the application",
    ),
    metric(
        names::RECOVERY_SECONDS,
        Kind::Histogram,
        &["resumption"],
        "from the loss of a ready connection to the next one: `fresh`, `recovered` or `lost`",
    ),
    metric(
        names::REQUEST_SECONDS,
        Kind::Histogram,
        &["outcome", "via"],
        "REST requests: `response`, `not_sent`, `unknown`, `timed_out` or `cancelled`; `websocket`, `https` or `none`",
    ),
];

/// Their names.
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "the table alone uses them"))]
pub(crate) mod names {
    pub(crate) const FRAMES_TOTAL: &str = "ringcentral_ws_frames_total";
    pub(crate) const NOTIFICATIONS_TOTAL: &str = "ringcentral_ws_notifications_total";
    pub(crate) const DUPLICATES_TOTAL: &str = "ringcentral_ws_duplicates_total";
    pub(crate) const FOREIGN_NOTIFICATIONS_TOTAL: &str = "ringcentral_ws_foreign_notifications_total";
    pub(crate) const UNKNOWN_MESSAGES_TOTAL: &str = "ringcentral_ws_unknown_messages_total";
    pub(crate) const UNMATCHED_ANSWERS_TOTAL: &str = "ringcentral_ws_unmatched_answers_total";
    pub(crate) const UNREADABLE_FRAMES_TOTAL: &str = "ringcentral_ws_unreadable_frames_total";
    pub(crate) const STALE_INPUTS_TOTAL: &str = "ringcentral_ws_stale_inputs_total";
    pub(crate) const CLOCK_WENT_BACK_TOTAL: &str = "ringcentral_ws_clock_went_back_total";
    pub(crate) const ATTEMPTS_TOTAL: &str = "ringcentral_ws_attempts_total";
    pub(crate) const TOKEN_CALLS_TOTAL: &str = "ringcentral_ws_token_calls_total";
    pub(crate) const AUTHORIZATIONS_TOTAL: &str = "ringcentral_ws_authorizations_total";
    pub(crate) const REFRESH_FAILURES_TOTAL: &str = "ringcentral_ws_refresh_failures_total";
    pub(crate) const CONNECTIONS_TOTAL: &str = "ringcentral_ws_connections_total";
    pub(crate) const RECOVERIES_TOTAL: &str = "ringcentral_ws_recoveries_total";
    pub(crate) const RECOVERY_FAILURES_TOTAL: &str = "ringcentral_ws_recovery_failures_total";
    pub(crate) const HEARTBEATS_TOTAL: &str = "ringcentral_ws_heartbeats_total";
    pub(crate) const REQUESTS_TOTAL: &str = "ringcentral_ws_requests_total";
    pub(crate) const GAPS_TOTAL: &str = "ringcentral_ws_gaps_total";
    pub(crate) const GAP_CAUSES_TOTAL: &str = "ringcentral_ws_gap_causes_total";
    pub(crate) const DISCONNECTS_TOTAL: &str = "ringcentral_ws_disconnects_total";
    pub(crate) const RETRIES_TOTAL: &str = "ringcentral_ws_retries_total";
    pub(crate) const SUBSCRIPTION_FAILURES_TOTAL: &str = "ringcentral_ws_subscription_failures_total";
    pub(crate) const ENDS_TOTAL: &str = "ringcentral_ws_ends_total";
    pub(crate) const SESSIONS: &str = "ringcentral_ws_sessions";
    pub(crate) const CONNECTED: &str = "ringcentral_ws_connected";
    pub(crate) const SUBSCRIBED: &str = "ringcentral_ws_subscribed";
    pub(crate) const READING_PAUSED: &str = "ringcentral_ws_reading_paused";
    pub(crate) const EVENT_QUEUE_EVENTS: &str = "ringcentral_ws_event_queue_events";
    pub(crate) const EVENT_QUEUE_BYTES: &str = "ringcentral_ws_event_queue_bytes";
    pub(crate) const LAST_RECEIVED_TIMESTAMP_SECONDS: &str = "ringcentral_ws_last_received_timestamp_seconds";
    pub(crate) const RECOVERY_WINDOW_END_TIMESTAMP_SECONDS: &str =
        "ringcentral_ws_recovery_window_end_timestamp_seconds";
    pub(crate) const DELIVERY_DELAY_SECONDS: &str = "ringcentral_ws_delivery_delay_seconds";
    pub(crate) const RECOVERY_SECONDS: &str = "ringcentral_ws_recovery_seconds";
    pub(crate) const REQUEST_SECONDS: &str = "ringcentral_ws_request_seconds";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_has_the_table() {
        let documented: Vec<_> = include_str!("mod.rs").lines().filter(|line| line.starts_with("//! | `")).collect();
        let rows = METRICS.iter().map(|Metric { name, kind, labels, help }| {
            let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
            let kind = format!("{kind:?}").to_lowercase();
            format!("//! | `{name}` | {kind} | {} | {help} |", labels.join(", "))
        });
        assert_eq!(documented, rows.collect::<Vec<_>>());
    }

    #[test]
    fn names_say_their_unit() {
        for Metric { name, kind, .. } in METRICS {
            assert!(name.starts_with("ringcentral_ws_"), "{name}");
            assert_eq!(*kind == Kind::Counter, name.ends_with("_total"), "{name}");
            assert!(*kind != Kind::Histogram || name.ends_with("_seconds"), "{name}");
        }
    }
}
