//! Dense faults: a session and a small server of its own, and at nearly every step something goes wrong. Where a day of
//! the simulator has hours between two faults, here they fall together: calls that were done and answered 5xx, cuts
//! among replays, garbage and duplicates, frames at the very deadline, ends and crashes, older snapshots. Then all goes
//! well, and everything must heal.

mod client;
mod oracle;
mod serve;
mod server;
mod walk;

use std::collections::VecDeque;

use ringcentral_ws_core::{
    AuthId, ClockReading, Config, ConnId, HttpId, Snapshot, SubscriptionId, Timestamp, UnixMillis,
};

use self::oracle::Oracle;
use self::server::Server;
use crate::oracle::{Requests, Verdict, Violation};
use crate::report::Report;
use crate::rng::Rng;
use crate::run::{Failure, Simulation, checked, traced};
use crate::subject::Maker;
use crate::trace::{Trace, trace};

/// One run of dense faults.
///
/// # Errors
///
/// The violation, with the trace of its last steps.
pub fn simulate_dense<M: Maker + Clone>(maker: &M, seed: u64) -> Result<Report, Box<Failure>> {
    checked(seed, |trace| DenseRun::new(maker.clone(), seed, trace))
}

/// The same, with its last steps.
pub fn simulate_dense_traced<M: Maker + Clone>(
    maker: &M,
    seed: u64,
    steps: usize,
) -> (Result<Report, Violation>, Trace) {
    traced(steps, |trace| DenseRun::new(maker.clone(), seed, trace))
}

/// An HTTPS call under way.
#[derive(Debug)]
struct HttpsCall {
    id: HttpId,
    /// The number of the application's request; `None`: it is for a WebSocket token.
    request: Option<u64>,
}

/// A socket that is to open, and what it presents.
#[derive(Debug)]
struct Opening {
    conn: ConnId,
    token: String,
    wsc: Option<String>,
}

fn clock(now: u64) -> ClockReading {
    ClockReading { now: Timestamp::from_micros(now), unix: UnixMillis(1_700_000_000_000 + now / 1000) }
}

/// What the application keeps on disk.
#[derive(Clone, Debug)]
struct Written {
    snapshot: Snapshot,
    at: u64,
    asked_for: bool,
    desired: Option<SubscriptionId>,
    confirmed: Option<u64>,
    unsubscribing: bool,
}

/// One run.
struct DenseRun<M: Maker> {
    maker: M,
    config: Config,
    rng: Rng,
    /// Microseconds since the beginning.
    now: u64,
    session: M::Subject,
    /// When its timer runs out.
    wake: Option<u64>,
    server: Server,
    oracle: Oracle,
    /// What this process was asked.
    open: Requests,
    /// What the session waits for.
    login: Option<AuthId>,
    calls: VecDeque<HttpsCall>,
    opening: Option<Opening>,
    /// The socket, from its opening on.
    live: Option<ConnId>,
    /// Its ConnectionDetails were delivered; and said that the session was recovered.
    greeted: bool,
    recovered: bool,
    /// The server's session that this process heard of last.
    known_session: Option<u64>,
    /// Whether the application subscribed or unsubscribed last.
    asked_for: bool,
    /// The subscription that this process is to have: after a crash, the one that is written down.
    desired: Option<SubscriptionId>,
    /// The id that was confirmed to this process.
    confirmed: Option<u64>,
    /// It unsubscribed, and does not know yet how that ended.
    unsubscribing: bool,
    requests: u64,
    /// The snapshot changed since it was written down.
    changed: bool,
    written: Option<Written>,
    /// The server forgets and replaces subscriptions, and frames arrive garbled or twice.
    rough: bool,
    /// Nothing goes wrong any more; and all was seen to be whole.
    calm: bool,
    quiet: bool,
    report: Report,
    trace: Option<Trace>,
    violation: Option<Violation>,
}

impl<M: Maker> Simulation for DenseRun<M> {
    type Report = Report;

    fn run(&mut self) {
        self.walk();
    }

    fn end(self) -> (Option<Violation>, Report, Option<Trace>) {
        let report = self.sum();
        (self.violation, report, self.trace)
    }
}

impl<M: Maker> DenseRun<M> {
    fn new(maker: M, seed: u64, trace: Option<Trace>) -> Self {
        let mut rng = Rng::new(seed);
        let mut config = Config { rest_over_websocket: true, ..Config::default() };
        // The budgets are not the matter here.
        config.retry.auth_calls_per_minute = 1000;
        config.retry.attempts_per_minute = 1000;
        if rng.chance(300) {
            config.limits.held_notifications = 3;
            // As much as a few notifications of such a run.
            config.limits.held_bytes = 700;
            config.auto_recover = false;
        }
        Self {
            session: maker.create(config.clone(), seed, clock(0)),
            maker,
            config,
            rough: rng.chance(500),
            rng,
            now: 0,
            wake: None,
            server: Server::default(),
            oracle: Oracle::default(),
            open: Requests::default(),
            login: None,
            calls: VecDeque::new(),
            opening: None,
            live: None,
            greeted: false,
            recovered: false,
            known_session: None,
            asked_for: false,
            desired: None,
            confirmed: None,
            unsubscribing: false,
            requests: 0,
            changed: false,
            written: None,
            calm: false,
            quiet: false,
            report: Report::default(),
            trace,
            violation: None,
        }
    }

    /// `true` in so many of a hundred cases.
    fn chance(&mut self, percent: u64) -> bool {
        self.rng.chance(10 * percent)
    }

    /// Something goes wrong.
    fn fault(&mut self, kind: &'static str) {
        trace!(self, "FAULT {kind}");
        *self.report.faults.entry(kind).or_default() += 1;
    }

    fn judge(&mut self, verdict: Verdict) {
        if let Err(violation) = verdict
            && self.violation.is_none()
        {
            trace!(self, "VIOLATION {violation}");
            self.violation = Some(violation);
        }
    }

    fn sum(&self) -> Report {
        let mut report = self.report.clone();
        report.runs = 1;
        report.micros = self.now;
        report.notifications = self.oracle.counts.clone();
        report
    }
}
