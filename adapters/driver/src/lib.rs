//! The async driver of [`ringcentral_ws_core`], generic over the runtime.
//!
//! A runtime is five methods ([`Runtime`]); crates such as `ringcentral-ws-tokio` bring one and re-export the rest.
//! The driver adds what the sans-IO [`Session`](ringcentral_ws_core::Session) leaves out: names, TCP, TLS, HTTPS,
//! WebSocket, clocks, credentials, and a [`Client`] with its stream of [`Events`]. It decides nothing about the
//! protocol.

mod client;
mod command;
mod credentials;
mod dial;
mod download;
mod driver;
mod gzip;
mod https;
mod outlet;
mod proxy;
mod query;
mod runtime;
mod socket;
mod surge;
#[cfg(test)]
mod testing;
mod tls;
#[cfg(feature = "watch")]
pub mod watch;

pub use bytes;
pub use client::{Builder, Client, StartError};
pub use credentials::{CredentialSource, FixedToken, Jwt, RefreshToken, TokenRequest};
pub use download::{Download, DownloadError};
pub use futures_util::future::BoxFuture;
pub use http;
pub use https::{HttpsSender, https_client};
pub use outlet::Events;
pub use proxy::{Proxy, ProxyError};
pub use query::with_query;
pub use ringcentral_ws_adapter::{ClockTimes, IoLimits, RequestError, default_tls};
pub use ringcentral_ws_core as core;
pub use ringcentral_ws_core::event_filters as filters;
pub use ringcentral_ws_core::oauth::EnvError;
pub use runtime::Runtime;
pub use rustls;
pub use url;
