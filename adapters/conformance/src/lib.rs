//! The same scenarios, over real sockets, for every adapter: faults differ, and all adapters must report the same events.
//!
//! An adapter joins by a [`Harness`]; [`scenarios::all`] has the scenarios, [`run`] runs one and gives its [`Trace`].
//! [`watch`] checks that a `watch` program speaks the line protocol, [`binding`] what becomes of
//! another user's state file, [`crash`] kills one a thousand times.
//! [`demo`] starts the server of the demonstration that the `watch` programs play. [`fake`] has servers and proxies that misbehave, for the adapters' own tests; [`peer`] is a server made of bytes;
//! [`settings`] has what these tests set.

pub mod binding;
pub mod cpu;
pub mod crash;
pub mod demo;
pub mod fake;
#[cfg(unix)]
pub mod files;
pub mod peer;
mod proxy;
pub mod scenarios;
pub mod settings;
#[cfg(unix)]
pub mod streams;
#[cfg(target_os = "linux")]
mod suspend;
mod trace;
pub mod watch;
mod world;

use std::time::{Duration, Instant};

use ringcentral_ws_adapter::Batch;
use ringcentral_ws_api::{Backfill, ClientApp};
use ringcentral_ws_core::{Body, Close, Config, Event, Snapshot, Stats, Via};

pub use self::proxy::{Fault, Proxy};
#[cfg(target_os = "linux")]
pub use self::suspend::suspended;
pub use self::trace::Trace;
pub use self::world::World;

/// Nothing here takes this long; it only turns a hang into a failure.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Waits until something is so.
///
/// # Panics
///
/// When it is not so within `limit`.
pub fn until(limit: Duration, what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < limit, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// What a client is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The app to log in to.
    pub app: ClientApp,
    /// The JWT to log in with.
    pub jwt: String,
    /// Log in with this refresh token first.
    pub refresh_token: Option<String>,
    /// Settings of the session.
    pub config: Config,
    /// What to subscribe to.
    pub filters: Vec<String>,
    /// Certificates to trust besides the usual, in DER.
    pub trust: Option<Vec<u8>>,
    /// The session to continue.
    pub snapshot: Option<Snapshot>,
    /// Events that may wait for the application.
    pub event_queue: usize,
    /// Bytes of them.
    pub event_bytes: usize,
    /// The limit of each step of connecting.
    pub step_limit: Duration,
    /// How gaps are filled, if they are.
    pub backfill: Option<Backfill>,
    /// The application acknowledges events. So many may be open.
    pub acknowledge: Option<usize>,
}

/// An adapter.
pub trait Harness: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Starts a client; the error has the adapter's words.
    ///
    /// # Errors
    ///
    /// When the builder refuses.
    fn try_start(&self, setup: Setup) -> Result<Box<dyn Running>, String>;

    /// Starts a client.
    ///
    /// # Panics
    ///
    /// When the builder refuses.
    fn start(&self, setup: Setup) -> Box<dyn Running> {
        self.try_start(setup).unwrap_or_else(|why| panic!("it does not start: {why}"))
    }
}

/// A client that runs. Dropping it drops all its handles.
pub trait Running: Send {
    /// The next event within `limit`: `None` when none came, `Some(None)` after the last.
    fn next_event(&mut self, limit: Duration) -> Option<Option<Event>>;

    /// The next events within `limit`, at most so many, with the handle that acknowledges them. Ports have none.
    fn next_batch(&mut self, most: usize, limit: Duration) -> Option<Option<Batch>> {
        panic!("no {most} events with a handle within {limit:?}: a port has none");
    }

    /// Makes a request and waits for its end.
    fn request(&mut self, request: http::Request<Body>) -> Outcome;

    /// Makes a request whose body is streamed, and reads it to its end.
    fn download(&mut self, request: http::Request<Body>) -> Outcome;

    /// Closes, and waits for the end.
    fn close(&mut self, mode: Close);

    /// The session as it can be continued, and the refresh token that goes with it.
    fn keep(&self) -> (Option<Snapshot>, Option<String>);

    /// The counters.
    fn stats(&self) -> Stats;
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With a response: status, size of the body, and the way it went.
    Response(u16, usize, Option<Via>),
    /// Without one: the word of the line protocol, and whether it may have run.
    Failed(&'static str, bool),
    /// With a response whose body ended too early, after so many bytes.
    Broken(u64),
}

/// Runs one scenario.
///
/// # Panics
///
/// When something that must happen does not.
#[must_use]
pub fn run(scenario: &scenarios::Scenario, harness: &dyn Harness) -> Trace {
    let mut world = World::new(harness, scenario.tls);
    (scenario.play)(&mut world);
    world.end()
}
