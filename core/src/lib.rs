//! RingCentral WebSocket subscriptions as a sans-IO state machine: no I/O, no clock, no RNG beyond a seed, no async.
//!
//! [`Session`] is the protocol as a value: inputs and commands go in, actions and events come out. Its documentation
//! has the loop and the contract. The module [`protocol`] has the rules that it follows.
//!
//! Most programs do not use this crate, but a client that brings sockets, timers and HTTPS along, such as
//! `ringcentral-ws-tokio`. This one is for other runtimes, for tests and for simulations. [`http`], [`bytes`] and
//! [`url`], of which its public types are made, are re-exported.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod backfilled;
mod body;
pub mod classify;
mod config;
#[cfg(any(test, feature = "contract"))]
pub mod contract;
mod error;
mod filters;
mod gap;
mod hosts;
mod identity;
mod ids;
mod input;
pub mod json;
mod keys;
mod loopback;
mod mask;
mod message_id;
mod notification;
mod outbox;
mod output;
#[doc = include_str!("../PROTOCOL.md")]
pub mod protocol {}
#[cfg(feature = "recorder")]
pub mod recorder;
mod request_line;
mod retry;
mod rng;
mod secret;
mod serde_forms;
mod session;
mod shown;
mod snapshot;
mod stats;
pub mod terminal;
mod time;
mod timers;
mod wire;

pub use backfilled::*;
pub use body::*;
pub use bytes;
pub use classify::{ApiError, Cause, RateLimit};
pub use config::*;
pub use error::*;
pub use filters::*;
pub use gap::*;
pub use http;
pub use identity::{Identity, NotAnIdentity};
pub use ids::*;
pub use input::*;
pub use loopback::{is_loopback, is_loopback_host};
pub use mask::{Masker, mask};
pub use notification::{NotANotification, Notification};
pub use output::*;
pub use request_line::{RequestLine, is_read};
pub use secret::*;
pub use session::{Close, OverHttps, RequestOptions, Session, SessionState, SubscriptionState};
pub use snapshot::Snapshot;
pub use stats::Stats;
pub use time::*;
pub use timers::TimerKind;
pub use url;
pub use wire::{ConnectionDetails, RecoveryState, ServerLimits, Wsc};
