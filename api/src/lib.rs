//! RingCentral's REST side as values without I/O: logins, types for the content of notifications, event filters, forms of
//! several parts, and the filling of gaps ([`GapFiller`]).
//!
//! A [`ClientApp`] makes the requests of the token service, a [`TokenSet`] reads their answers, and [`Login`] is the
//! state machine over both: which token to give, which call to make for one, and when. A [`Session`] of
//! `ringcentral-ws-core` asks for access tokens and does not care where they come from; this crate is where.
//!
//! [`Session`]: ringcentral_ws_core::Session
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod app;
pub mod backfill;
mod budget;
#[cfg(test)]
mod crowd_tests;
mod env;
mod filter;
mod jwt;
mod limiter;
mod line;
mod login;
#[cfg(test)]
mod login_tests;
mod multipart;
pub mod payloads;
mod pkce;
mod stored;
mod subscriptions;
mod tokens;

pub use app::ClientApp;
pub use backfill::{Backfill, BackfillState, CallGroup, FetchedRecordExt, FillStep, GapCall, GapFiller, RecordContent};
pub use budget::TokenBudget;
pub use env::EnvError;
pub use filter::Filter;
pub use limiter::{LoginCall, LoginKey, LoginKind, LoginLimiter, LoginLimits, LoginWait};
pub use login::{Login, LoginStep, fixed_token, source_panicked};
pub use multipart::{Multipart, Part};
pub use payloads::{Id, Message, NotificationExt, Payload};
pub use pkce::{Callback, Pkce};
pub use ringcentral_ws_core::{Identity, NotAnIdentity};
pub use stored::ForeignTokens;
pub use subscriptions::{ListedSubscription, SUBSCRIPTIONS, SubscriptionsError};
pub use tokens::TokenSet;
