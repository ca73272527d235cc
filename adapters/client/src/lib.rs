//! RingCentral's notifications (an SMS, a ringing call, a change of presence) over a WebSocket: **every notification the
//! server sent is delivered once and in order, or a [`Gap`] before the next one says what may be missing.**
//!
//! ```no_run
//! use ringcentral_ws::{Client, Event, Filter};
//!
//! # #[cfg(feature = "tokio")]
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let (_client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
//!     while let Some(event) = events.next().await {
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
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! `from_env` reads the credentials from the environment: [`Login::from_vars`] names the variables. `builder` takes any
//! other source of access tokens. The [`guide`] goes on from here: restarts, gaps, many accounts, operations, testing.
//!
//! # What is where
//!
//! Values ([`Event`], [`Gap`], [`Config`], [`Body`], [`ApiError`]) are flat in the root and the same on every runtime. With
//! the feature `tokio` the root has tokio's `Client` and `Builder`. Each runtime has a module with the same names:
//!
//! | module | feature | a client is |
//! |---|---|---|
//! | root, `tokio` | `tokio` | a task of the tokio runtime that is running |
//! | `smol` | `smol` | a task of smol's global executor, or of one of yours |
//! | `async_std` | `async-std` | a task of async-std, which is discontinued |
//! | `blocking` | `blocking` | a thread; its events are an iterator, its calls wait |
//!
//! Credential sources (`Jwt`, `RefreshToken`) and `Events` are one type for all async runtimes, and another one in
//! `blocking`.
//!
//! Most items live in crates below this one, and the examples on their pages import from there (`ringcentral_ws_core`,
//! `ringcentral_ws_api`, `ringcentral_ws_driver` and others). Take the same names from `ringcentral_ws`: a program needs
//! no other crate of the family.
//!
//! Import names, not `use ringcentral_ws::*`: the modules `tokio`, `smol` and `async_std` would hide the crates of the
//! same names, and `#[tokio::main]` does not compile then.
//!
//! # Features
//!
//! All are additive: a feature that another crate turns on takes nothing away.
//!
//! | feature | default | what it does |
//! |---|---|---|
//! | `tokio` | on | the client on tokio |
//! | `smol` | | the client on smol |
//! | `async-std` | | the client on async-std |
//! | `blocking` | | the client on threads, without async |
//! | `webpki-roots` | on | trusts Mozilla's list of certificates, as it was when the program was built |
//! | `native-roots` | | trusts the certificates of the machine too |
//! | `platform-verifier` | | lets the operating system decide, whatever other roots are on |
//! | `ring` | on | encrypts with ring |
//! | `aws-lc-rs` | | encrypts with AWS-LC; when `ring` is on too, only if [`TlsSettings::provider`] asks for it |
//! | `tracing` | on | spans and events: [`trace`] has the table, and the targets of other crates that show secrets |
//! | `gzip` | on | asks for compressed answers to HTTPS calls and unpacks them |
//! | `metrics` | | counters, gauges and histograms for the `metrics` crate: [`metrics`] has the table |
//! | `recorder` | on | the flight recorder, which costs nothing until `Builder::flight_recorder` asks for it |
//!
//! Without a feature that brings certificates, or without a provider, `Builder::tls` must be given, else `start` says what
//! is missing ([`StartError::Tls`]).
#![cfg_attr(docsrs, feature(doc_cfg))]

pub use ringcentral_ws_adapter::file::FileError;
pub use ringcentral_ws_adapter::{
    Ack, Batch, CallError, ConnectionState, Delivery, DownloadError, FixedToken, ForeignState, Health, IoLimits,
    ListenError, ListenOptions, ListenerEvent, MAX_LISTENERS, NotReady, Once, Overflow, Provider, Proxy, ProxyError,
    RefusedState, RequestError, RequestErrorKind, Response, RetryAfter, StartError, StateFile, TlsError, TlsSettings,
    default_tls, metrics, trace, with_query,
};
pub use ringcentral_ws_api::*;
pub use ringcentral_ws_core::*;
#[cfg(any(feature = "tokio", feature = "smol", feature = "async-std"))]
pub use ringcentral_ws_driver::{
    CredentialSource, Download, Events, HttpsSender, Jwt, Listener, RefreshToken, StateWatch, TokenRequest,
    https_client,
};
#[cfg(feature = "tokio")]
pub use ringcentral_ws_tokio::{Builder, Client};
pub use {bytes, http, rustls, url};

mod error;

pub use error::Error;

#[cfg(any(doc, all(doctest, feature = "tokio", feature = "blocking")))]
pub mod guide;

/// The client on tokio. `Client` and `Builder` are those of the root.
#[cfg(feature = "tokio")]
pub mod tokio {
    pub use ringcentral_ws_tokio::*;
}

/// The client on smol.
///
/// ```no_run
/// use ringcentral_ws::smol::{Client, Event, Filter};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     smol::block_on(async {
///         let (_client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
///         while let Some(event) = events.next().await {
///             match event {
///                 Event::Notification(n) => println!("{} {}", n.event(), n.body()),
///                 Event::Gap(gap) => println!("{gap}"),
///                 Event::SnapshotChanged => {} // for programs that continue after a restart
///                 Event::Closed { reason } => return Ok(reason.into_result()?),
///                 other => eprintln!("{other}"),
///             }
///         }
///         Ok(())
///     })
/// }
/// ```
#[cfg(feature = "smol")]
pub mod smol {
    pub use ringcentral_ws_smol::*;
}

/// The client on async-std, which is discontinued: for programs that still run on it. The program of the module `smol`
/// runs here with `ringcentral_ws::async_std` and `async_std::task::block_on` in place of the names of smol.
#[cfg(feature = "async-std")]
pub mod async_std {
    pub use ringcentral_ws_async_std::*;
}

/// The client on threads, without async.
///
/// ```no_run
/// use ringcentral_ws::blocking::{Client, Event, Filter};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (_client, events) = Client::from_env()?.filters([Filter::sms()]).start()?;
///     for event in events {
///         match event {
///             Event::Notification(n) => println!("{} {}", n.event(), n.body()),
///             Event::Gap(gap) => println!("{gap}"),
///             Event::SnapshotChanged => {} // for programs that continue after a restart
///             Event::Closed { reason } => return Ok(reason.into_result()?),
///             other => eprintln!("{other}"),
///         }
///     }
///     Ok(())
/// }
/// ```
#[cfg(feature = "blocking")]
pub mod blocking {
    pub use ringcentral_ws_blocking::*;
}

/// The examples of README.md are compiled.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
