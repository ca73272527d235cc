//! What the adapters of [`ringcentral_ws_core`] have in common, whether they are asynchronous or not.
//!
//! Nothing here waits, reads or sends. Programs depend on an adapter, such as `ringcentral-ws-tokio`, which re-exports
//! what they need of this crate. It has:
//!
//! - the [`Pump`], the loop of every driver, and the queue of events for the application;
//! - the state of a WebSocket ([`SocketState`]), its upgrade, and the send queue;
//! - clocks, limits of I/O, TLS settings, proxies, and the order in which addresses are tried;
//! - requests, their answers and errors, downloads, and logins;
//! - masked debug lines and tracing;
//! - the program that replays and draws recordings;
//! - the private files of programs, and the parts of the `watch` program that do no I/O.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod below;
mod call;
mod call_error;
mod channel;
mod clock;
mod content;
mod debug;
mod dialling;
mod events;
pub mod file;
mod foreign;
mod frames;
#[cfg(feature = "gzip")]
pub mod gzip;
#[cfg(not(feature = "gzip"))]
#[path = "uncompressed.rs"]
pub mod gzip;
mod health;
mod limits;
mod listen;
mod login;
pub mod metrics;
mod missed;
mod net;
mod proxy;
mod pump;
mod query;
mod recording;
#[cfg(feature = "replay")]
pub mod replay;
mod request;
mod response;
mod retry_after;
mod sending;
mod setup;
mod sleep;
mod socket;
mod start_error;
mod state;
mod state_file;
mod subscriptions;
pub mod terminal;
mod tls;
pub mod trace;
mod unread;
mod upgrade;
#[cfg(feature = "watch")]
pub mod watch;
mod work;

pub use address::{Target, client_is_silent, client_panicked, masked, not_sent};
pub use below::{Below, Tracked};
pub use call::{
    Call, TOO_MANY_PROVISIONAL, body_broke_off, body_is_late, body_is_too_large, ended_early, head_is_late, not_found,
    tls_failed, tls_to, too_many_provisional,
};
pub use call_error::{CallError, call_remedy};
pub use channel::{Receiver, Sender, WeakSender, channel};
pub use clock::{Clock, ClockTimes, ClockView, Reading};
pub use content::{CONTENT_HOST, ContentHosts, DownloadError, Redirects, Streamed, content_length, lost};
pub use debug::{Debug, DebugSink};
pub use dialling::{Race, RaceStep, keep_alive, order};
pub use events::{Ack, Batch, Delivery, EventReceiver, EventSender, Load, SessionView, event_queue};
pub use foreign::{ForeignState, RefusedState, StateNames};
pub use frames::{FrameCounts, FrameTracker};
pub use health::{Health, LastCause, NotReady, Pulse, Vitals};
pub use limits::{
    FIRST_READ, IoLimits, LARGE_READ, MAX_ADDRESSES, MAX_LEFT_CALLS, MAX_PROVISIONAL, MESSAGE_FRAMES, MessageLimits,
    STREAM_BYTES, TURN_BYTES, TURN_FRAMES,
};
pub use listen::{
    Change, Hub, LaneReceiver, LaneSender, ListenError, ListenOptions, ListenerEvent, Live, MAX_LISTENERS, Overflow,
    Refusal, Restart, Route, Snapshots, lane,
};
#[doc(hidden)]
pub use login::names as login_names;
pub use login::{FixedToken, Login, LoginNext, login_aged, login_now};
pub use missed::{Given, Missed, messages_in, sms_in};
pub use net::Net;
pub use proxy::{Proxy, ProxyChoice, ProxyError, Tunnel};
pub use pump::{Abandoned, Answered, Command, Completion, Io, Pump, PumpParts, Replies, Request, Turn};
pub use query::with_query;
pub use recording::{FlightRecorder, Recorded};
pub use request::{Answer, RequestError, RequestErrorKind, frame, named, request_to, request_with_json, response};
pub use response::Response;
pub use retry_after::{Penalties, RetryAfter, Tries};
pub use sending::{Pressure, SendQueue, UNREAD_PONGS, not_dialled, not_opened, not_upgraded, opening_panicked};
#[doc(hidden)]
pub use setup::names as setup_names;
pub use setup::{Prepared, Settings};
pub use socket::{Incoming, SocketSettings, SocketState};
pub use start_error::StartError;
pub use state::{ConnectionState, StateSender, Watcher};
#[doc(hidden)]
pub use state_file::Attempt;
pub use state_file::{Once, StateFile};
pub use subscriptions::{deleted, listed, subscription_path};
pub use tls::{Provider, TlsError, TlsSettings, default_tls, tls_for};
pub use trace::{SessionSpan, Tracer};
pub use unread::is_in_record;
pub use upgrade::Upgrade;
pub use work::{InHand, UnderWay, Work};
