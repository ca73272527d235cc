//! Real logins for weeks: sessions with [`Login`] machines behind them against the stand-in server, in virtual time.
//!
//! The days of [`simulate`](crate::simulate) always have a token at hand. Here every token is asked for,
//! refreshed, rotated, refused and lost as it would be by a driver, and the checks are about that: no recovery is lost
//! that a refresh could have kept, no refresh token is used twice, the token endpoint's limits are kept.

mod app;
mod fault;
mod login;
mod report;
mod wire;

use std::collections::BTreeSet;

use ringcentral_ws_api::TokenBudget;
use ringcentral_ws_core::{
    ClockReading, Config, ConnId, Filters, HttpId, Input, Output, SessionState, Timestamp, UnixMillis, Wait,
};
use ringcentral_ws_gateway::{Gateway, GatewayConfig, UserConfig};

use self::app::{Disk, Standing};
use self::fault::FaultState;
pub use self::login::LoginDefect;
use self::login::{Calls, UserLogin};
pub use self::report::LoginReport;
use self::wire::{Link, Packet};
use crate::arrivals::Arrivals;
use crate::oracle::{Deliveries, Verdict, Violation, violated};
use crate::rng::Rng;
use crate::run::{Failure, Simulation, checked};
use crate::subject::{Maker, Subject};
use crate::time::{HOUR, MINUTE, S, WEEK};
use crate::trace::{Trace, trace};

/// One way through the network.
const DELAY: u64 = 20 * S / 1000;
/// After the last fault, everything must be well within this.
const HEAL: u64 = 30 * MINUTE;
/// What happens on the server.
const EVENT: &str = "/restapi/v1.0/account/~/extension/~/message-store";
/// Token calls a minute for the app: fewer than two logins may make that each keep their own limit.
const CEILING: u32 = 7;

/// Simulates logins for so many weeks. With a `defect` the logins have that mistake.
///
/// # Errors
///
/// The violation, with the trace of its last steps.
pub fn simulate_logins<M: Maker + Clone>(
    maker: &M,
    seed: u64,
    weeks: u64,
    defect: Option<LoginDefect>,
) -> Result<LoginReport, Box<Failure>> {
    checked(seed, |trace| World::new(maker.clone(), seed, weeks, defect, trace))
}

/// A user's client: a session of the process that runs now, and what outlives it.
struct Client<S> {
    session: Option<S>,
    wake: u64,
    link: Option<usize>,
    calls: BTreeSet<HttpId>,
    login: UserLogin,
    disk: Option<Disk>,
    oracle: Deliveries,
    standing: Standing,
}

struct World<M: Maker> {
    maker: M,
    rng: Rng,
    now: u64,
    end: u64,
    gateway: Gateway,
    packets: Arrivals<Packet>,
    links: Vec<Link>,
    clients: Vec<Client<M::Subject>>,
    /// Gateway session → client, subscription, and when its socket was lost.
    sessions: std::collections::BTreeMap<u64, wire::ServerSession>,
    /// Counts the starts of the process.
    life: u32,
    budget: TokenBudget,
    /// When the process called the token endpoint.
    token_calls: Calls,
    /// The token endpoint asked the process to wait until then.
    pause_until: u64,
    defect: Option<LoginDefect>,
    /// The gateway works on a token call of this client.
    serving: Option<usize>,
    faults: FaultState,
    next_traffic: u64,
    report: LoginReport,
    violation: Option<Violation>,
    trace: Option<Trace>,
}

impl<M: Maker> Simulation for World<M> {
    type Report = LoginReport;

    fn run(&mut self) {
        self.run_to_the_end();
    }

    fn end(self) -> (Option<Violation>, LoginReport, Option<Trace>) {
        (self.violation, self.report, self.trace)
    }
}

impl<M: Maker> World<M> {
    fn new(maker: M, seed: u64, weeks: u64, defect: Option<LoginDefect>, trace: Option<Trace>) -> Self {
        let mut rng = Rng::new(seed ^ 0x7765_656b);
        let users = 1 + rng.below(2) as u32;
        let mut config = GatewayConfig::default();
        config.seed = rng.next();
        config.users = (0..users).map(UserConfig::numbered).collect();
        config.oauth.token_rate_limit = Some(CEILING);
        // Abandoned subscriptions live for a day, and the limit of a user is another trace.
        config.max_subscriptions = 100_000;
        config.oauth.access_token_lifetime = std::time::Duration::from_secs(*rng.pick(&[600, 1_800, 3_600, 3_600]));
        let clients = (0..users).map(|user| Client {
            session: None,
            wake: u64::MAX,
            link: None,
            calls: BTreeSet::new(),
            login: UserLogin::new(user),
            disk: None,
            oracle: Deliveries::new(10 * DELAY, false),
            standing: Standing::default(),
        });
        Self {
            clients: clients.collect(),
            next_traffic: rng.wait(10 * MINUTE),
            faults: FaultState::new(&mut rng),
            gateway: Gateway::new(config),
            maker,
            rng,
            now: 0,
            end: weeks * WEEK,
            packets: Arrivals::default(),
            links: Vec::new(),
            sessions: std::collections::BTreeMap::new(),
            life: 0,
            budget: TokenBudget::new(),
            token_calls: Calls::default(),
            pause_until: 0,
            defect,
            serving: None,
            report: LoginReport::default(),
            violation: None,
            trace,
        }
    }

    fn run_to_the_end(&mut self) {
        self.start();
        self.run_until(self.end - HOUR);
        self.faults.stop();
        self.run_until(self.now.max(self.faults.until) + HEAL);
        for client in 0..self.clients.len() {
            self.check_well(client);
        }
        self.run_until(self.now + HEAL);
        self.next_traffic = u64::MAX;
        self.run_until(self.now + 5 * MINUTE);
        for client in 0..self.clients.len() {
            let verdict = self.clients[client].oracle.finish();
            self.judge(verdict);
            let due = self.clients[client].standing.gap_due;
            self.judge(due.map_or(Ok(()), |session| {
                violated("silent-loss", format!("client {client} got no gap for the lost session {session}"))
            }));
        }
        self.finish();
    }

    fn run_until(&mut self, end: u64) {
        while self.violation.is_none() {
            let mut next = self.packets.next();
            next = self.clients.iter().map(|client| client.wake).fold(next, u64::min);
            next = next.min(self.gateway.next_deadline().unwrap_or(u64::MAX));
            next = next.min(self.next_traffic).min(self.faults.next);
            if next > end {
                break;
            }
            self.report.steps += 1;
            self.now = self.now.max(next);
            self.step();
        }
        self.now = self.now.max(end);
    }

    /// What arrived comes before timers that are due.
    fn step(&mut self) {
        if self.packets.next() <= self.now {
            if let Some(packet) = self.packets.pop() {
                self.deliver(packet);
            }
        } else if let Some(client) = self.clients.iter().position(|client| client.wake <= self.now) {
            self.clients[client].wake = u64::MAX;
            self.input(client, Input::Timeout);
        } else if self.gateway.next_deadline().is_some_and(|at| at <= self.now) {
            self.gateway.handle_timeout(self.now);
            self.pump();
        } else if self.next_traffic <= self.now {
            self.next_traffic = self.now + self.rng.wait(10 * MINUTE);
            self.notify();
        } else {
            self.fault_due();
        }
    }

    fn notify(&mut self) {
        self.gateway.notify(EVENT, "{\"n\":1}", self.now);
        self.pump();
    }

    /// The process starts: sessions and logins from what is on disk.
    fn start(&mut self) {
        self.life += 1;
        self.budget = TokenBudget::new();
        self.token_calls = Calls::default();
        self.pause_until = 0;
        trace!(self, "the process starts");
        for client in 0..self.clients.len() {
            let seed = self.rng.next();
            let unix =
                (self.gateway.config().unix_ms_at_start + self.now / 1000).saturating_add_signed(self.faults.wall);
            let clock = ClockReading { now: self.time(), unix: UnixMillis(unix) };
            let c = &mut self.clients[client];
            c.login.process_starts();
            c.standing.boots(self.faults.wall);
            let config = Config::default();
            let restored =
                c.disk.clone().and_then(|disk| self.maker.restore(config.clone(), disk.snapshot, seed, clock).ok());
            let is_new = restored.is_none();
            let mut session = restored.unwrap_or_else(|| self.maker.create(config, seed, clock));
            let now = self.time();
            let _ = session.connect(now);
            if is_new && let Ok(filters) = Filters::new([EVENT]) {
                let _ = session.subscribe(filters, now);
            }
            self.clients[client].session = Some(session);
            self.drain(client);
        }
    }

    fn time(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    fn input(&mut self, client: usize, input: Input<'_>) {
        let now = self.time();
        let Some(session) = &mut self.clients[client].session else { return };
        if session.handle_input(input, now).is_err() {
            self.judge(violated("contract", "a drained session refused an input".to_owned()));
        }
        self.drain(client);
    }

    fn drain(&mut self, client: usize) {
        while let Some(session) = &mut self.clients[client].session {
            match session.poll_output() {
                Output::Action(action) => self.act(client, action),
                Output::Event(event) => self.on_event(client, &event),
                Output::Wait(wait) => {
                    self.clients[client].wake = match wait {
                        Wait::Until { at, .. } => at.as_micros(),
                        Wait::ForInput | Wait::Finished => u64::MAX,
                    };
                    self.write_down(client);
                    let (c, now) = (&mut self.clients[client], Timestamp::from_micros(self.now));
                    let Some(session) = &mut c.session else { return };
                    if session.state() != SessionState::AwaitingStore || session.snapshot_stored(now).is_err() {
                        return;
                    }
                }
            }
        }
    }

    fn push(&mut self, at: u64, packet: Packet) {
        self.packets.push(at, packet);
    }

    fn link_of(&self, client: usize, conn: ConnId) -> Option<usize> {
        self.clients[client].link.filter(|link| self.links[*link].conn == conn)
    }

    fn judge(&mut self, verdict: Verdict) {
        if let Err(violation) = verdict
            && self.violation.is_none()
        {
            trace!(self, "VIOLATION {violation}");
            self.violation = Some(violation);
        }
    }
}
