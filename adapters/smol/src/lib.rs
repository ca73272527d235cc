//! The RingCentral WebSocket client on smol: every notification once and in order, or a gap report says so first.
//!
//! ```no_run
//! use ringcentral_ws_smol::{Client, Event, Filter};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     smol::block_on(async {
//!         let (_client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
//!         while let Some(event) = events.next().await {
//!             match event {
//!                 Event::Notification(n) => println!("{} {}", n.event(), n.body()),
//!                 Event::Gap(gap) => println!("{gap}"),
//!                 Event::SnapshotChanged => {} // for programs that continue after a restart
//!                 Event::Closed { reason } => return Ok(reason.into_result()?),
//!                 other => eprintln!("{other}"),
//!             }
//!         }
//!         Ok(())
//!     })
//! }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

pub use ringcentral_ws_driver::*;
use smol::net::resolve;
use smol::{Async, Executor, Timer};

/// A client on smol: a handle of a running session. Clones are handles of the same session.
///
/// ```no_run
/// use ringcentral_ws_smol::{Client, Close};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     smol::block_on(async {
///         let (client, mut events) = Client::from_env()?.start()?;
///         smol::spawn(async move {
///             while let Some(event) = events.next().await {
///                 eprintln!("{event}");
///             }
///         })
///         .detach();
///         let me = client.get("/restapi/v1.0/account/~/extension/~").await?.error_for_status()?;
///         println!("{}", String::from_utf8_lossy(me.body().as_bytes()));
///         client.close(Close::Revoke).await;
///         Ok(())
///     })
/// }
/// ```
///
/// The type behind it is [that of all async runtimes](ringcentral_ws_driver::Client), and so are its methods:
///
/// | To | call |
/// |---|---|
/// | begin | [`builder`], [`from_env`], [`from_vars`] |
/// | take events | [`next`], [`next_delivery`], [`next_batch`] of `Events` |
/// | change the filters | [`subscribe`], [`unsubscribe`] |
/// | listen with filters of its own, beside others | [`listen`], [`listen_with`] |
/// | see and delete subscriptions on the server | [`subscriptions`], [`delete_subscription`] |
/// | make REST calls | [`get`], [`post`], [`put`], [`delete`], [`request`], [`request_with`], [`download`] |
/// | wait out 429 and 503 in calls | [`retry_after`] |
/// | take the messages or the SMS of an event, or list the SMS of a gap | [`messages_of`], [`sms_of`], [`missed_sms`] |
/// | see how it is | [`health`], [`state`], [`states`], [`stats`], [`flight_record`] |
/// | continue after a restart | [`snapshot`] |
/// | connect now | [`recover`], [`network_changed`] |
/// | end | [`close_when`], [`close_when_idle`], [`close`] |
///
/// [`builder`]: ringcentral_ws_driver::Client::builder
/// [`from_env`]: ringcentral_ws_driver::Client::from_env
/// [`from_vars`]: ringcentral_ws_driver::Client::from_vars
/// [`next`]: ringcentral_ws_driver::Events::next
/// [`next_delivery`]: ringcentral_ws_driver::Events::next_delivery
/// [`next_batch`]: ringcentral_ws_driver::Events::next_batch
/// [`listen`]: ringcentral_ws_driver::Client::listen
/// [`listen_with`]: ringcentral_ws_driver::Client::listen_with
/// [`subscriptions`]: ringcentral_ws_driver::Client::subscriptions
/// [`delete_subscription`]: ringcentral_ws_driver::Client::delete_subscription
/// [`subscribe`]: ringcentral_ws_driver::Client::subscribe
/// [`unsubscribe`]: ringcentral_ws_driver::Client::unsubscribe
/// [`get`]: ringcentral_ws_driver::Client::get
/// [`post`]: ringcentral_ws_driver::Client::post
/// [`put`]: ringcentral_ws_driver::Client::put
/// [`delete`]: ringcentral_ws_driver::Client::delete
/// [`request`]: ringcentral_ws_driver::Client::request
/// [`request_with`]: ringcentral_ws_driver::Client::request_with
/// [`download`]: ringcentral_ws_driver::Client::download
/// [`health`]: ringcentral_ws_driver::Client::health
/// [`state`]: ringcentral_ws_driver::Client::state
/// [`states`]: ringcentral_ws_driver::Client::states
/// [`stats`]: ringcentral_ws_driver::Client::stats
/// [`flight_record`]: ringcentral_ws_driver::Client::flight_record
/// [`snapshot`]: ringcentral_ws_driver::Client::snapshot
/// [`recover`]: ringcentral_ws_driver::Client::recover
/// [`network_changed`]: ringcentral_ws_driver::Client::network_changed
/// [`close`]: ringcentral_ws_driver::Client::close
/// [`close_when`]: ringcentral_ws_driver::Client::close_when
/// [`close_when_idle`]: ringcentral_ws_driver::Client::close_when_idle
/// [`retry_after`]: ringcentral_ws_driver::Client::retry_after
/// [`messages_of`]: ringcentral_ws_driver::Client::messages_of
/// [`sms_of`]: ringcentral_ws_driver::Client::sms_of
/// [`missed_sms`]: ringcentral_ws_driver::Client::missed_sms
pub type Client = ringcentral_ws_driver::Client<Smol>;

/// The settings of a client on smol before it starts.
///
/// ```no_run
/// use ringcentral_ws_smol::{Builder, Client, Config, Filter, Jwt};
///
/// # fn make() -> Result<Builder, Box<dyn std::error::Error>> {
/// let config = Config { rest_over_websocket: true, ..Config::default() };
/// let builder = Client::builder(Jwt::from_env()?).config(config).filters([Filter::sms(), Filter::voicemail()]);
/// # Ok(builder)
/// # }
/// ```
///
/// The type behind it is [that of all async runtimes](ringcentral_ws_driver::Builder), and so are its methods. Each but
/// `start` changes one setting:
///
/// | To | call |
/// |---|---|
/// | say what to listen to | [`filters`] |
/// | continue a session | [`stored_in`], [`restore`] |
/// | cover what is acknowledged, in place of what is taken | [`acknowledge`] |
/// | fetch what a gap may have cost | [`backfill`] |
/// | wait for less in tests | [`for_tests`] |
/// | make calls without a connection | [`calls_only`] |
/// | change times and limits | [`config`], [`limits`] |
/// | change the way to the server | [`tls`], [`proxy`], [`content_hosts`], [`http_client`] |
/// | watch it | [`debug`], [`flight_recorder`], `metrics_label` (feature `metrics`) |
/// | start | [`start`] |
///
/// [`filters`]: ringcentral_ws_driver::Builder::filters
/// [`restore`]: ringcentral_ws_driver::Builder::restore
/// [`stored_in`]: ringcentral_ws_driver::Builder::stored_in
/// [`acknowledge`]: ringcentral_ws_driver::Builder::acknowledge
/// [`backfill`]: ringcentral_ws_driver::Builder::backfill
/// [`for_tests`]: ringcentral_ws_driver::Builder::for_tests
/// [`calls_only`]: ringcentral_ws_driver::Builder::calls_only
/// [`config`]: ringcentral_ws_driver::Builder::config
/// [`limits`]: ringcentral_ws_driver::Builder::limits
/// [`tls`]: ringcentral_ws_driver::Builder::tls
/// [`proxy`]: ringcentral_ws_driver::Builder::proxy
/// [`content_hosts`]: ringcentral_ws_driver::Builder::content_hosts
/// [`http_client`]: ringcentral_ws_driver::Builder::http_client
/// [`debug`]: ringcentral_ws_driver::Builder::debug
/// [`flight_recorder`]: ringcentral_ws_driver::Builder::flight_recorder
/// [`start`]: ringcentral_ws_driver::Builder::start
pub type Builder = ringcentral_ws_driver::Builder<Smol>;

/// smol: sockets and timers of async-io, tasks on smol's global executor or on one of yours.
#[derive(Clone, Default)]
pub struct Smol {
    executor: Option<Arc<Executor<'static>>>,
}

impl Smol {
    /// Runs the client's task on `executor`, which somebody must run. [`Smol::default`] uses the global one, which
    /// runs by itself.
    #[must_use]
    pub const fn on(executor: Arc<Executor<'static>>) -> Self {
        Self { executor: Some(executor) }
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.executor.is_some() { "Smol(an executor of its own)" } else { "Smol(global)" })
    }
}

impl Runtime for Smol {
    // Not smol's own `TcpStream`, which takes five times the memory.
    type Stream = Async<TcpStream>;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        resolve((host, port)).await
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Async<TcpStream>> {
        let stream = Async::<TcpStream>::connect(address).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(stream)
    }

    fn keep_alive(&self, stream: &Async<TcpStream>, after: Duration) -> io::Result<()> {
        keep_alive(stream, after)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // Made here, not at the first poll: the time runs from now.
        let timer = Timer::after(duration);
        Box::pin(async move {
            timer.await;
        })
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        match &self.executor {
            Some(executor) => executor.spawn(task).detach(),
            None => smol::spawn(task).detach(),
        }
        Ok(())
    }
}
