//! RingCentral WebSocket subscriptions as a sans-IO state machine: no I/O, no clock, no RNG beyond a seed, no async.
//!
//! The rooms stand (wire, notifications, classification, timers, outbox, retry policy, loss ledger); the `Session`
//! that joins them does not exist yet.
#![forbid(unsafe_code)]
// The Session that uses these rooms is still to come.
#![allow(dead_code, unused_imports)]

mod body;
pub mod classify;
mod config;
mod error;
mod filters;
mod ids;
mod input;
mod ledger;
mod notification;
pub mod oauth;
mod outbox;
mod output;
mod retry;
mod rng;
mod secret;
mod time;
mod timers;
mod wire;

pub use body::*;
pub use classify::{ApiErrorInfo, Cause};
pub use config::*;
pub use error::*;
pub use filters::*;
pub use ids::*;
pub use input::*;
pub use notification::Notification;
pub use output::*;
pub use secret::*;
pub use time::*;
pub use timers::TimerKind;
pub use wire::{ConnectionDetails, Limits, RecoveryState, Wsc};
