//! A `watch` program that is killed again and again while notifications flow, and continued from its state file.
//!
//! What it printed before its death counts as delivered. Nothing may come twice but what was not yet written down, and
//! nothing may be missing unless a gap was printed before the next notification (C15, PST-4).

mod damage;
mod oracle;
mod process;
mod tally;
mod traffic;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};
use serde_json::Value;

use self::damage::{Damaged, content, damage, login};
use self::oracle::{End, Life, Oracle, Start};
use self::process::{Lines, Process};
pub use self::tally::Tally;
use self::traffic::Traffic;
use crate::DEADLINE;

/// How many notifications that were sent already the server sends again at the head of a replay: without these the
/// window against duplicates would have nothing to do.
const REPEATED: usize = 20;

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The `watch` program.
    pub program: PathBuf,
    /// So many deaths.
    pub deaths: u64,
    /// No further death after this time.
    pub time: Duration,
    /// Decides when it dies and what is damaged; the rest is left to the machine.
    pub seed: u64,
    /// Damage the state file or the login now and then.
    pub damage: bool,
}

/// Runs a plan. It ends early at the first violation.
///
/// # Panics
///
/// When the machine does not play along: no ports, no processes, no files.
#[must_use]
pub fn run(plan: &Plan) -> Tally {
    let began = Instant::now();
    let folder = std::env::temp_dir().join(format!("ringcentral-ws-crash-{}-{}", std::process::id(), plan.seed));
    std::fs::create_dir_all(&folder).expect("a folder for the state");
    let mut world = World::new(plan, &folder);
    while world.deaths() < plan.deaths && began.elapsed() < plan.time && world.oracle.tally.violations.is_empty() {
        world.live();
    }
    if world.oracle.tally.violations.is_empty() {
        world.last_life(&folder);
    }
    std::fs::remove_dir_all(&folder).expect("the folder goes away");
    let mut tally = world.oracle.tally;
    tally.sent = world.traffic.log.sent.len() as u64;
    tally
}

/// When a life ends.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So long after its start.
    Time(Duration),
    /// So long after so many lines of a kind.
    Lines(&'static str, u64, Duration),
}

struct World<'a> {
    plan: &'a Plan,
    rng: fastrand::Rng,
    oracle: Oracle,
    traffic: Traffic,
    state: PathBuf,
    /// The state file as it was damaged.
    bad_state: Option<Vec<u8>>,
    /// The login as it was damaged, or `None` when it was taken away.
    bad_login: Option<Option<Vec<u8>>>,
    server: Server,
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan, folder: &Path) -> Self {
        let mut gateway = GatewayConfig::default();
        // A thousand starts in a few minutes, and what the dead leave behind, are beyond what the service allows.
        gateway.ws_token.rate_limit = None;
        gateway.max_subscriptions = 1_000_000;
        gateway.replay_sent_tail = REPEATED;
        gateway.event_log_size = 1 << 20;
        let server = Server::start(ServerConfig { gateway, ..ServerConfig::default() }).expect("the loopback serves");
        Self {
            plan,
            rng: fastrand::Rng::with_seed(plan.seed),
            oracle: Oracle::default(),
            traffic: Traffic::default(),
            state: folder.join("state"),
            bad_state: None,
            bad_login: None,
            server,
        }
    }

    fn deaths(&self) -> u64 {
        self.oracle.tally.kills + self.oracle.tally.detached
    }

    /// What the next process finds.
    fn start(&self) -> Start {
        match content(&self.state) {
            None => Start::Nothing,
            state if state == self.bad_state => Start::Damaged,
            Some(_) if self.bad_login == Some(content(&login(&self.state))) => Start::NoLogin,
            Some(_) => Start::Whole,
        }
    }

    fn live(&mut self) {
        let (start, before) = (self.start(), content(&self.state));
        let moment = self.moment();
        let detach = self.rng.u64(..12) == 0;
        let mut process = Process::start(&self.plan.program, &self.server, &self.state);
        let come = self.traffic.flow(&self.server, &mut self.rng, &mut process, moment);
        let (end, lines) = if detach { (End::Detached, process.detach()) } else { (End::Killed, process.kill()) };
        if !come {
            self.violated(&format!("{moment:?} never came: {lines:?}"));
        }
        self.settle(start, end, lines, before.as_deref());
        let pause = Duration::from_micros(self.rng.u64(..40_000));
        self.traffic.pause(&self.server, &mut self.rng, pause);
        if self.plan.damage && self.rng.u64(..6) == 0 {
            match damage(&self.state, &mut self.rng) {
                Damaged::State => self.bad_state = content(&self.state),
                Damaged::Login => self.bad_login = Some(content(&login(&self.state))),
            }
        }
    }

    fn moment(&mut self) -> Moment {
        let after = Duration::from_micros(self.rng.u64(..3_000));
        match self.rng.u64(..10) {
            0..3 => Moment::Time(Duration::from_micros(self.rng.u64(..250_000))),
            3 => Moment::Lines("connected", 1, after),
            4 => Moment::Lines("notification", 1, Duration::ZERO),
            _ => Moment::Lines("notification", self.rng.u64(..40) + 1, after),
        }
    }

    /// Hands the life that ended to the oracle.
    fn settle(&mut self, start: Start, end: End, lines: Lines, before: Option<&[u8]>) {
        self.traffic.read_events(&self.server);
        self.complaints(start, &lines);
        self.oracle.tally.torn_lines += u64::from(lines.torn);
        let mut written = None;
        if let Some(text) = content(&self.state)
            && Some(text.as_slice()) != before
        {
            match serde_json::from_slice::<Value>(&text) {
                Ok(state) => written = Some(state["last"].as_str().map(str::to_owned)),
                Err(error) => self.violated(&format!("the kill tore the state file: {error}")),
            }
        }
        self.oracle.judge(&Life { start, end, lines: lines.whole, written }, &self.traffic.log);
    }

    /// One line about a file that cannot be used, none about anything else.
    fn complaints(&mut self, start: Start, lines: &Lines) {
        let connected = lines.whole.iter().any(|line| line.json["event"] == "connected");
        let expected = match start {
            Start::Damaged if connected => 1..=1,
            Start::Damaged => 0..=1,
            Start::Whole | Start::NoLogin | Start::Nothing => 0..=0,
        };
        let complaints = &lines.complaints;
        if !expected.contains(&complaints.len())
            || complaints.iter().any(|line| !line.contains("the state file cannot be used"))
        {
            self.violated(&format!("started with {start:?} it complained: {complaints:?}"));
        }
        if lines.ended {
            self.violated(&format!("it did not live until it was asked to end: {complaints:?}"));
        }
    }

    /// One that is left alone: all must flow again, and nothing of the dead lie about.
    fn last_life(&mut self, folder: &Path) {
        let (start, before) = (self.start(), content(&self.state));
        let mut process = Process::start(&self.plan.program, &self.server, &self.state);
        let began = Instant::now();
        loop {
            self.traffic.send(&self.server);
            let newest = self.traffic.log.sent.len() as u64 - 1;
            std::thread::sleep(Duration::from_millis(20));
            if process.newest() == Some(newest) {
                break;
            }
            if began.elapsed() > DEADLINE {
                self.violated("in peace it does not deliver");
                break;
            }
        }
        self.settle(start, End::Detached, process.detach(), before.as_deref());
        let mut left: Vec<_> =
            std::fs::read_dir(folder).expect("a folder").flatten().map(|file| file.file_name()).collect();
        // A lock file may outlive its process: it holds nothing and locks nobody out. A damaged session is kept.
        left.retain(|name| name != "state.rcws.lock" && !name.to_string_lossy().starts_with("state.bad"));
        if left.len() > 2 {
            self.violated(&format!("files of the dead are left: {left:?}"));
        }
    }

    fn violated(&mut self, what: &str) {
        let deaths = self.deaths();
        self.oracle.tally.violations.push(format!("after {deaths} deaths: {what}"));
    }
}
