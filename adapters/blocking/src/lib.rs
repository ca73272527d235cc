//! The RingCentral WebSocket client on threads, without async: every notification once and in order, or a gap report
//! says so first.
//!
//! ```no_run
//! use ringcentral_ws_blocking::{Client, Event, Filter};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (_client, events) = Client::from_env()?.filters([Filter::sms()]).start()?;
//!     for event in events {
//!         match event {
//!             Event::Notification(n) => println!("{} {}", n.event(), n.body()),
//!             Event::Gap(gap) => println!("{gap}"),
//!             Event::SnapshotChanged => {} // for programs that continue after a restart
//!             Event::Closed { reason } => return Ok(reason.into_result()?),
//!             other => eprintln!("{other}"),
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! One thread owns the [`Session`] and the socket. It never waits for the application, so a slow consumer stops neither
//! heartbeats nor deadlines. Work that blocks (name lookup, connecting, HTTPS calls, credentials) runs on threads of
//! its own.
//!
//! # Features
//!
//! All are additive: `webpki-roots` (default), `native-roots` and `platform-verifier` say whose certificates are
//! trusted, `ring` (default) and `aws-lc-rs` what encrypts (see [`TlsSettings`]); `tracing` (default) gives spans and
//! events (see [`trace`]); `gzip` (default) asks for compressed answers to HTTPS calls and unpacks them; `recorder`
//! (default) has the flight recorder, which costs nothing until [`Builder::flight_recorder`] asks for it; `metrics` gives
//! counters, gauges and histograms (see [`metrics`]). Without certificates or provider, [`Builder::tls`] must be given,
//! else [`Builder::start`] says what is missing.
//!
//! If you log at the levels DEBUG or TRACE, leave out the targets in [`trace::LOUD_TARGETS`]: other crates write tokens
//! there.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod abort;
mod calls;
mod carry_out;
mod client;
mod command;
mod credentials;
mod dial;
mod download;
mod driver;
mod events;
mod https;
mod io;
mod layer;
mod listener;
mod reach;
mod socket;
mod states;
mod tcp;
mod timed_out;

pub use bytes;
pub use carry_out::carry_out;
pub use client::{Builder, Client};
pub use command::Pending;
pub use credentials::{CredentialSource, Jwt, RefreshToken, TokenRequest};
pub use download::Download;
pub use events::Events;
pub use http;
pub use https::{HttpsSender, https_client};
pub use listener::Listener;
pub use reach::connect_tcp;
pub use ringcentral_ws_adapter::file::FileError;
pub use ringcentral_ws_adapter::{
    Ack, Batch, CallError, ConnectionState, Delivery, DownloadError, FixedToken, ForeignState, Health, IoLimits,
    ListenError, ListenOptions, ListenerEvent, MAX_LISTENERS, NotReady, Once, Overflow, Provider, Proxy, ProxyError,
    RefusedState, RequestError, RequestErrorKind, Response, RetryAfter, StartError, StateFile, TlsError, TlsSettings,
    default_tls, metrics, trace, with_query,
};
pub use ringcentral_ws_api::*;
pub use ringcentral_ws_core::*;
pub use rustls;
pub use states::StateWatch;
pub use timed_out::TimedOut;
pub use url;
