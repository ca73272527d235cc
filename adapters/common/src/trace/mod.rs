//! What goes to the `tracing` crate. With the feature `tracing` (default) off, all of this does nothing.
//!
//! Names, targets, levels and fields are part of the API, and change only as other public items do. The message of an
//! event is its name. No field has a secret; of addresses only host, port and path are shown.
//!
//! # Spans
//!
//! The client's task or thread runs within the span `session`, so the records of a credential source or a TLS library
//! are in it too. It begins in `Builder::start`, as a child of the span that is current there.
//!
//! | span | target | level | fields | |
//! |---|---|---|---|---|
//! | `session` | `ringcentral_ws::session` | INFO | `server`, `restored` | the server's host; whether it began from a snapshot |
//! | `connection` | `ringcentral_ws::connection` | INFO | `conn`, `resumption` | its number; once it is ready `fresh`, `recovered` or `lost` |
//! | `request` | `ringcentral_ws::request` | DEBUG | `request`, `method`, `path`, `outcome`, `status`, `via` | the last three at its end: `response`, `not_sent`, `unknown`, `timed_out` or `cancelled`; the HTTP status; `websocket` or `https` |
//!
//! # Events
//!
//! | event | target | level | fields | when |
//! |---|---|---|---|---|
//! | `authorize` | `ringcentral_ws::session` | DEBUG | `reason` | an access token is asked for: `missing`, `expiring` or `refused` |
//! | `authorized` | `ringcentral_ws::session` | DEBUG | `expires_in_s` | there is one |
//! | `authorize_failed` | `ringcentral_ws::session` | WARN | `permanent`, `code`, `detail` | there is none |
//! | `closed` | `ringcentral_ws::session` | INFO | `reason` | the session ended as asked: `revoked` or `detached` |
//! | `failed` | `ringcentral_ws::session` | ERROR | `cause`, `detail` | the session ended because no retry can help |
//! | `opening` | `ringcentral_ws::connection` | DEBUG | `conn`, `host` | an attempt begins |
//! | `connected` | `ringcentral_ws::connection` | INFO | `conn`, `resumption` | the connection is ready |
//! | `recovered` | `ringcentral_ws::connection` | INFO | `conn` | it continues the session before |
//! | `recovery_failed` | `ringcentral_ws::connection` | WARN | `conn`, `code` | it does not |
//! | `heartbeat` | `ringcentral_ws::connection` | TRACE | `conn` | one is sent |
//! | `protocol_error` | `ringcentral_ws::connection` | WARN | `conn`, `error`, `kind` | the server sent something unreadable; of bytes that are no message, what is wrong with them, as `utf8` or `cut` |
//! | `disconnected` | `ringcentral_ws::connection` | INFO | `conn`, `cause`, `detail`, `reason` | the connection is gone; `reason`: of the close frame or the transport, if there is one |
//! | `retry` | `ringcentral_ws::connection` | WARN | `attempt`, `cause`, `delay_ms`, `detail` | an attempt failed; the time to the next |
//! | `waiting` | `ringcentral_ws::connection` | INFO | `waits_for`, `delay_ms` | the next attempt or step waits for more than 2 s, or with `subscription_limit` the subscription does, on a connection |
//! | `nothing_subscribed` | `ringcentral_ws::subscription` | WARN | `conn` | a new session is connected, and no filters were given: no notification comes until `subscribe` is called |
//! | `subscribed` | `ringcentral_ws::subscription` | INFO | `subscription`, `filters`, `disabled` | it stands: the server's id, how many filters, how many of them it refused |
//! | `not_delivered` | `ringcentral_ws::subscription` | WARN | `subscription`, `problem`, `detail` | it stands, but nothing comes of it: it is not active, has no filter, or delivers elsewhere |
//! | `subscription_failed` | `ringcentral_ws::subscription` | WARN | `status`, `code`, `permanent`, `detail` | it was refused |
//! | `resubscribe` | `ringcentral_ws::subscription` | INFO | `conn` | the server lost it, so it is made anew |
//! | `unsubscribed` | `ringcentral_ws::subscription` | INFO | | it is gone, as asked |
//! | `notification` | `ringcentral_ws::notification` | DEBUG | `uuid`, `bytes` | one is handed to the application; the size of its body |
//! | `gap` | `ringcentral_ws::notification` | WARN | `cause`, `since_ms`, `until_ms` | notifications may be lost; times since 1970 |
//! | `backfill` | `ringcentral_ws::notification` | INFO | `records`, `complete` | a gap was filled, if the client does so |
//! | `request_ended` | `ringcentral_ws::request` | DEBUG | `request`, `outcome`, `status`, `via` | a request came to its end; within its span |
//! | `http` | `ringcentral_ws::http` | DEBUG | `method`, `host`, `port`, `path`, `status` | an HTTPS call was answered |
//! | `http_failed` | `ringcentral_ws::http` | DEBUG | `method`, `host`, `port`, `path`, `detail` | it was not |
//! | `frame` | `ringcentral_ws::frames` | TRACE | `line` | a message, masked, or a note about the socket |
//!
//! # The records of other crates
//!
//! Dependencies write records of their own, with `tracing` or `log`. Those about connections, TLS, threads and timers
//! show no secret. Three targets show secrets at the levels DEBUG and TRACE: `tungstenite::protocol` (every frame, with
//! the recovery token), and on threads `ureq_proto` (every byte of an HTTPS call) and `ureq` (queries). No feature
//! turns them off. So if you log at these levels, leave these targets out, for instance with `env_logger` or
//! `tracing-subscriber`:
//!
//! ```text
//! RUST_LOG=trace,tungstenite::protocol=info,ureq=info,ureq_proto=info
//! ```
//!
//! [`LOUD_TARGETS`] has their names, for filters that are made in code. A test that logs everything keeps the list
//! complete. It was checked with the feature `logging` of `rustls`, which another dependency of a program may turn on.
//! TLS settings with a `KeyLog` reveal everything that is encrypted. Records of `ringcentral_ws::frames` mask secrets,
//! but show the messages: what users write, and the paths and queries of requests over the WebSocket.

/// Targets of other crates whose records show secrets at the levels DEBUG and TRACE, with all targets below them
/// (`…::…`). Let only INFO and above through. See [the records of other crates](self#the-records-of-other-crates).
pub const LOUD_TARGETS: &[&str] = &["tungstenite::protocol", "ureq", "ureq_proto"];

#[cfg(not(feature = "tracing"))]
mod off;
#[cfg(feature = "tracing")]
mod on;

#[cfg(not(feature = "tracing"))]
pub use off::{About, SessionSpan, Tracer, frame, http, wants_frames};
#[cfg(feature = "tracing")]
pub use on::{About, SessionSpan, Tracer, frame, http, wants_frames};
