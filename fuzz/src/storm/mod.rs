//! A storm: a session and a small server of its own, and at nearly every step something goes wrong. Where a day of the
//! simulator has hours between two faults, here they fall together: calls that were done and answered 5xx, cuts among
//! replays, garbage and duplicates, frames at the very deadline, ends and crashes, older snapshots. Then all goes well,
//! and everything must heal.

mod client;
mod oracle;
mod server;
mod walk;

use std::collections::VecDeque;

use ringcentral_ws_core::{AuthId, Config, ConnId, Snapshot, SubscriptionId};

use self::client::{HttpsCall, Opening, clock};
use self::oracle::Oracle;
use self::server::Server;
use crate::oracle::{Verdict, Violation};
use crate::report::Report;
use crate::rng::Rng;
use crate::sim::{Story, trace};
use crate::simulate::{Failure, caught, retold};
use crate::subject::Maker;

/// One storm.
///
/// # Errors
///
/// The violation, with the story of its last steps.
pub fn storm<M: Maker + Clone>(maker: &M, seed: u64) -> Result<Report, Box<Failure>> {
    retold(seed, |story| attempt(maker, seed, story))
}

/// One storm, and its last steps.
pub fn tell_storm<M: Maker + Clone>(maker: &M, seed: u64, steps: usize) -> (Result<Report, Violation>, Story) {
    let (result, story) = attempt(maker, seed, Some(Story::new(steps)));
    (result, story.unwrap_or_default())
}

fn attempt<M: Maker + Clone>(maker: &M, seed: u64, story: Option<Story>) -> (Result<Report, Violation>, Option<Story>) {
    let mut storm = Storm::new(maker.clone(), seed, story);
    let result = caught(|| storm.run()).and_then(|()| storm.violation.take().map_or(Ok(()), Err));
    (result.map(|()| storm.sum()), storm.story)
}

/// What the application keeps on disk.
#[derive(Clone, Debug)]
struct Written {
    snapshot: Snapshot,
    at: u64,
    wanted: bool,
    wish: Option<SubscriptionId>,
    confirmed: Option<u64>,
    parted: bool,
}

/// One run.
struct Storm<M: Maker> {
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
    /// What the session waits for.
    login: Option<AuthId>,
    calls: VecDeque<HttpsCall>,
    opening: Option<Opening>,
    /// The socket, from its opening on.
    live: Option<ConnId>,
    /// Its ConnectionDetails were delivered; and said that the session was recovered.
    greeted: bool,
    recovered: bool,
    /// The server's session that this process was told of last.
    told_session: Option<u64>,
    /// What the application said last.
    wanted: bool,
    /// What this process is to want: after a crash, what is written down.
    wish: Option<SubscriptionId>,
    /// The id that this process was told.
    confirmed: Option<u64>,
    /// It unsubscribed, and was not told how that ended.
    parted: bool,
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
    story: Option<Story>,
    violation: Option<Violation>,
}

impl<M: Maker> Storm<M> {
    fn new(maker: M, seed: u64, story: Option<Story>) -> Self {
        let mut rng = Rng::new(seed);
        let mut config = Config { rest_over_websocket: true, ..Config::default() };
        // The budgets are not the matter here.
        config.retry.auth_calls_per_minute = 1000;
        config.retry.attempts_per_minute = 1000;
        if rng.chance(300) {
            config.limits.held_notifications = 3;
            // As much as a few notifications of a storm.
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
            login: None,
            calls: VecDeque::new(),
            opening: None,
            live: None,
            greeted: false,
            recovered: false,
            told_session: None,
            wanted: false,
            wish: None,
            confirmed: None,
            parted: false,
            requests: 0,
            changed: false,
            written: None,
            calm: false,
            quiet: false,
            report: Report::default(),
            story,
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
        report.sent = self.oracle.sent;
        report.delivered = self.oracle.delivered();
        report.covered = self.oracle.covered;
        report.excused = self.oracle.excused;
        report.false_alarms = self.oracle.false_alarms;
        report.certainties = self.oracle.certainties.clone();
        report
    }
}
