//! What goes to the `metrics` crate. With the feature `metrics` off (default), all of this does nothing and costs nothing.
//!
//! Install a recorder, such as that of `metrics-exporter-prometheus`, before `Builder::start`: a client that was started
//! earlier is not seen. Names, kinds and labels are part of the API, and change as other public things do.
//!
//! No label holds data of users, or an id; each has a few words only. `Builder::metrics_label` adds the label `client` to
//! all of them. Counters, and gauges that count, are sums over the clients with the same label. Of gauges that are times
//! the newest counts, so give several clients of a process a label each.
//!
//! Gauges are set when something happens. What would change by itself is exported as a time: the seconds that are left of
//! the recovery window are `ringcentral_ws_recovery_window_end_timestamp_seconds - time()`.
//!
//! | metric | kind | labels | |
//! |---|---|---|---|
//! | `ringcentral_ws_frames_total` | counter |  | messages received on live connections |
//! | `ringcentral_ws_notifications_total` | counter |  | notifications handed over |
//! | `ringcentral_ws_duplicates_total` | counter |  | notifications dropped because they had been delivered before |
//! | `ringcentral_ws_foreign_notifications_total` | counter |  | notifications dropped because they belong to another subscription |
//! | `ringcentral_ws_unknown_messages_total` | counter |  | messages of an unknown type |
//! | `ringcentral_ws_unmatched_answers_total` | counter |  | answers that no open call waits for |
//! | `ringcentral_ws_unreadable_frames_total` | counter |  | messages that could not be read |
//! | `ringcentral_ws_stale_inputs_total` | counter |  | inputs for a connection, call or login that had ended |
//! | `ringcentral_ws_clock_went_back_total` | counter |  | times the monotonic clock went back |
//! | `ringcentral_ws_attempts_total` | counter |  | connection attempts |
//! | `ringcentral_ws_token_calls_total` | counter |  | calls for a connection token |
//! | `ringcentral_ws_authorizations_total` | counter |  | questions to the credential source |
//! | `ringcentral_ws_refresh_failures_total` | counter |  | questions that failed while the old access token was still valid |
//! | `ringcentral_ws_connections_total` | counter |  | connections that became ready |
//! | `ringcentral_ws_recoveries_total` | counter |  | connections that continued the session |
//! | `ringcentral_ws_recovery_failures_total` | counter |  | connections that could not continue the session |
//! | `ringcentral_ws_heartbeats_total` | counter |  | heartbeats sent |
//! | `ringcentral_ws_requests_total` | counter |  | REST requests accepted |
//! | `ringcentral_ws_gaps_total` | counter |  | gaps reported: notifications may be lost |
//! | `ringcentral_ws_gap_causes_total` | counter | `cause`, `certainty` | the same by `GapCause` and `Certainty` |
//! | `ringcentral_ws_disconnects_total` | counter | `cause` | ready connections that ended, see `Cause` |
//! | `ringcentral_ws_retries_total` | counter | `cause` | attempts that failed, another one follows; see `Cause` |
//! | `ringcentral_ws_subscription_failures_total` | counter | `permanent` | calls for the subscription that the server refused; `true`: for good |
//! | `ringcentral_ws_ends_total` | counter | `reason` | sessions that ended: `revoked`, `detached`, `permanent` (a person must act) or `dropped` |
//! | `ringcentral_ws_sessions` | gauge |  | sessions that run |
//! | `ringcentral_ws_connected` | gauge |  | sessions whose connection is ready |
//! | `ringcentral_ws_subscribed` | gauge |  | sessions for which the server has confirmed what was asked last, every filter |
//! | `ringcentral_ws_reading_paused` | gauge |  | sessions that do not read because the application does not take its events |
//! | `ringcentral_ws_event_queue_events` | gauge |  | events that wait for the application |
//! | `ringcentral_ws_event_queue_bytes` | gauge |  | their size in memory, roughly |
//! | `ringcentral_ws_last_received_timestamp_seconds` | gauge |  | when the server was last known to be alive, since 1970; 0 before |
//! | `ringcentral_ws_recovery_window_end_timestamp_seconds` | gauge |  | when the server may give the session up, since 1970; 0 while connected or with nothing to recover |
//! | `ringcentral_ws_delivery_delay_seconds` | histogram |  | from the server's timestamp of a notification to its taking by the application |
//! | `ringcentral_ws_recovery_seconds` | histogram | `resumption` | from the loss of a ready connection to the next one: `fresh`, `recovered` or `lost` |
//! | `ringcentral_ws_request_seconds` | histogram | `outcome`, `via` | REST requests: `response`, `not_sent`, `unknown`, `timed_out` or `cancelled`; `websocket`, `https` or `none` |
//!
//! `docs/ops` has a dashboard and rules for alerts that use these names.
//!
//! Timestamps of notifications are those of the server's clock: a delay below zero counts as zero, and a notification
//! whose timestamp cannot be read is left out. What is replayed after an outage has waited, and shows it.

#[cfg(not(feature = "metrics"))]
mod off;
#[cfg(feature = "metrics")]
mod on;
mod table;

#[cfg(not(feature = "metrics"))]
pub use off::{Meter, QueueMeter};
#[cfg(feature = "metrics")]
pub use on::{Meter, QueueMeter};
pub use table::{Kind, METRICS, Metric};
