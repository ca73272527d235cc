//! The RingCentral WebSocket client on tokio: every notification once and in order, or a gap report says so first.
//!
//! ```no_run
//! use ringcentral_ws_tokio::{Client, Event, Filter};
//!
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
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
pub use ringcentral_ws_driver::*;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::Instant;

/// A client on tokio: a handle of a running session. Clones are handles of the same session.
///
/// ```no_run
/// use ringcentral_ws_tokio::{Client, Close};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (client, mut events) = Client::from_env()?.start()?;
///     tokio::spawn(async move {
///         while let Some(event) = events.next().await {
///             eprintln!("{event}");
///         }
///     });
///     let me = client.get("/restapi/v1.0/account/~/extension/~").await?.error_for_status()?;
///     println!("{}", String::from_utf8_lossy(me.body().as_bytes()));
///     client.close(Close::Revoke).await;
///     Ok(())
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
pub type Client = ringcentral_ws_driver::Client<Tokio>;

/// The settings of a client on tokio before it starts.
///
/// ```no_run
/// use ringcentral_ws_tokio::{Builder, Client, Config, Filter, Jwt};
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
pub type Builder = ringcentral_ws_driver::Builder<Tokio>;

/// The tokio runtime that is running here. It needs its network and time drivers (`enable_all`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokio;

impl Runtime for Tokio {
    type Stream = Stream;

    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<Stream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }

    fn keep_alive(&self, stream: &Stream, after: Duration) -> io::Result<()> {
        keep_alive(&stream.0, after)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        static EPOCH: OnceLock<Instant> = OnceLock::new();
        let now = Instant::now();
        let since = now.saturating_duration_since(*EPOCH.get_or_init(|| now));
        Box::pin(tokio::time::sleep(until_tick(since, duration)))
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) -> io::Result<()> {
        drop(Handle::try_current().map_err(io::Error::other)?.spawn(task));
        Ok(())
    }

    /// The future of `block_on` is no task, so it would come behind many turns of one that wakes itself.
    fn wake_last(&self, cx: &mut Context<'_>) {
        let _ = pin!(yield_now()).poll(cx);
    }
}

/// Long sleeps of all clients end together, at ticks: a process with thousands of idle clients wakes up for many heartbeats
/// at once, which costs less for each. How long a sleep is at least, and its tick; a shorter one is exact.
const TICKS: [(Duration, Duration); 2] =
    [(Duration::from_secs(8), Duration::from_millis(250)), (Duration::from_secs(1), Duration::from_millis(50))];

/// How long a sleep of this duration takes that begins so long after the first tick.
fn until_tick(since: Duration, duration: Duration) -> Duration {
    let Some((_, tick)) = TICKS.iter().find(|(least, _)| duration >= *least) else { return duration };
    let past = since.saturating_add(duration).as_nanos() % tick.as_nanos();
    let left = (tick.as_nanos() - past) % tick.as_nanos();
    duration.saturating_add(Duration::from_nanos(u64::try_from(left).unwrap_or_default()))
}

/// A tokio TCP stream that speaks futures-io.
#[derive(Debug)]
pub struct Stream(TcpStream);

impl AsRef<TcpStream> for Stream {
    fn as_ref(&self) -> &TcpStream {
        &self.0
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        let read = Pin::new(&mut self.0).poll_read(cx, &mut buf);
        read.map_ok(|()| buf.filled().len())
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sleeps_end_together_and_never_early() {
        let ms = Duration::from_millis;
        for (since, duration, slept) in [
            (7, 999, 999),
            (0, 1_000, 1_000),
            (7, 1_000, 1_043),
            (49, 1_000, 1_001),
            (51, 7_999, 7_999),
            (51, 8_000, 8_199),
            (50, 30_000, 30_200),
            (51, 26_251, 26_449),
        ] {
            assert_eq!(until_tick(ms(since), ms(duration)), ms(slept), "{duration} ms after {since} ms");
        }
        assert_eq!(until_tick(ms(7), Duration::MAX), Duration::MAX);
        assert_eq!(until_tick(Duration::MAX, ms(1)), ms(1));
    }
}
