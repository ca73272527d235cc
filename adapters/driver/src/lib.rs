//! The async driver of [`ringcentral_ws_core`], generic over the runtime.
//!
//! Programs use it through a crate of a runtime, such as `ringcentral-ws-tokio`, which re-exports all of it. A runtime
//! is five methods ([`Runtime`]).
//!
//! The driver adds what the sans-IO [`Session`] leaves out: name lookup, TCP, TLS, HTTPS, WebSocket, clocks and
//! credentials, and a [`Client`] with its stream of [`Events`]. All decisions about the protocol are the session's.
//!
//! # Features
//!
//! All are additive; the crates of the runtimes pass them on.
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `webpki-roots` | on | trusts Mozilla's list of certificates, as it was when the program was built |
//! | `native-roots` | | trusts the certificates of the machine too |
//! | `platform-verifier` | | lets the operating system decide, whatever else is on |
//! | `ring` | on | encrypts with ring |
//! | `aws-lc-rs` | | encrypts with AWS-LC; when `ring` is on too, only if asked to by [`TlsSettings::provider`] |
//! | `tracing` | on | spans and events: [`trace`] has the table, and the targets of other crates that show secrets |
//! | `gzip` | on | asks for compressed answers to HTTPS calls and unpacks them |
//! | `recorder` | on | the flight recorder, which costs nothing until [`Builder::flight_recorder`] asks for it |
//! | `metrics` | | counters, gauges and histograms for the `metrics` crate: [`metrics`] has the table |
//! | `watch` | | the program behind the adapters' `watch` examples |
//!
//! The process-wide provider of rustls is never used. If the features for certificates or for the provider are off,
//! call [`Builder::tls`]; otherwise [`Builder::start`] fails and says what is missing ([`StartError::Tls`]). Only a
//! plain HTTP server on this machine needs neither.
//!
//! HTTPS and serde are always there. Every connection begins with HTTPS calls (the login, the WebSocket token), so REST
//! calls and downloads add no dependency. The protocol is JSON, so serde is there for snapshots and payload types too.
#![cfg_attr(docsrs, feature(doc_cfg))]

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
mod reader;
mod runtime;
mod socket;
mod states;
#[cfg(test)]
mod testing;
mod tls;
#[cfg(feature = "watch")]
pub mod watch;

pub use bytes;
pub use client::{Builder, Client};
pub use credentials::{CredentialSource, Jwt, RefreshToken, TokenRequest};
pub use download::Download;
pub use events::Events;
pub use futures_util::future::BoxFuture;
pub use http;
pub use https::{HttpsSender, https_client};
pub use listener::Listener;
pub use ringcentral_ws_adapter::file::FileError;
pub use ringcentral_ws_adapter::{
    Ack, Batch, CallError, ClockTimes, ConnectionState, Delivery, DownloadError, FixedToken, ForeignState, Health,
    IoLimits, ListenError, ListenOptions, ListenerEvent, MAX_LISTENERS, NotReady, Once, Overflow, Provider, Proxy,
    ProxyError, RefusedState, RequestError, RequestErrorKind, Response, RetryAfter, StartError, StateFile, TlsError,
    TlsSettings, default_tls, keep_alive, metrics, trace, with_query,
};
pub use ringcentral_ws_api::*;
pub use ringcentral_ws_core::*;
pub use runtime::Runtime;
pub use rustls;
pub use states::StateWatch;
pub use url;
