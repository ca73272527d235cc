//! The world in virtual time: clients, a network with faults, one gateway, and the checks of what comes of it.

mod app;
mod client;
mod driver;
mod fault;
pub(crate) mod fill_plan;
pub(crate) mod filler;
mod filling;
mod net;
mod pacing;
pub(crate) mod plan;
mod server;
mod strike;

use std::collections::BTreeMap;

use ringcentral_ws_gateway::{Gateway, GatewayEvent, Recovery};

use self::client::Client;
use self::fault::FaultState;
use self::filler::FillDefect;
use self::net::Net;
use self::plan::{EVENTS, Plan};
use crate::oracle::{Topic, Verdict, Violation, violated};
use crate::report::Report;
use crate::rng::Rng;
use crate::run::Simulation;
use crate::subject::Maker;
use crate::time::{MINUTE, S};
use crate::trace::{Trace, trace};

/// After the faults have stopped, a client must be ready within this.
const HEAL: u64 = 15 * MINUTE;
/// A client that was ready may be at a planned renewal, or have changed its subscription, just when it is looked at.
const BLINK: u64 = 2 * MINUTE;
/// A gap is filled within this, also when calls for others were made just before; or, while page after page is read, within
/// the other.
const FILLED: u64 = 10 * MINUTE;
const READ: u64 = 180 * MINUTE;
/// How often it is looked at.
const LOOK: u64 = 5 * S;
/// How often the notifications after the healing are tried: a renewal may come between them.
const TRIES: usize = 3;
/// A run that needs more steps than this, beside one for each notification, is going in circles.
const MAX_STEPS: u64 = 500_000;

/// One run.
pub(crate) struct World<M: Maker> {
    pub(crate) maker: M,
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    /// Microseconds since the beginning.
    pub(crate) now: u64,
    pub(crate) gateway: Gateway,
    pub(crate) net: Net,
    pub(crate) clients: Vec<Client<M::Subject>>,
    /// Gateway session → client and subscription.
    pub(crate) sessions: BTreeMap<u64, (usize, Option<u32>)>,
    pub(crate) faults: FaultState,
    pub(crate) next_traffic: u64,
    pub(crate) next_app: u64,
    pub(crate) report: Report,
    pub(crate) trace: Option<Trace>,
    pub(crate) violation: Option<Violation>,
    made: u64,
    fill_defect: Option<FillDefect>,
}

impl<M: Maker> Simulation for World<M> {
    type Report = Report;

    fn run(&mut self) {
        self.run_to_the_end();
    }

    fn end(self) -> (Option<Violation>, Report, Option<Trace>) {
        (self.violation, self.report, self.trace)
    }
}

impl<M: Maker> World<M> {
    pub(crate) fn new(maker: M, seed: u64, plan: Plan, trace: Option<Trace>) -> Self {
        let mut rng = Rng::new(seed);
        let gateway = Gateway::new(plan.gateway.clone());
        let clients = (0..plan.clients).map(|_| Client::new(&plan)).collect();
        let faults = FaultState::new(&plan, &mut rng);
        Self {
            next_traffic: rng.wait(plan.traffic_every),
            next_app: if plan.app_every == 0 { u64::MAX } else { rng.wait(plan.app_every) },
            maker,
            rng,
            now: 0,
            gateway,
            net: Net::default(),
            clients,
            sessions: BTreeMap::new(),
            faults,
            report: Report::default(),
            trace,
            violation: None,
            made: 0,
            fill_defect: None,
            plan,
        }
    }

    /// The same, with something wrong in the filling of gaps.
    pub(crate) fn filling_with(self, fill_defect: Option<FillDefect>) -> Self {
        Self { fill_defect, ..self }
    }

    fn run_to_the_end(&mut self) {
        for client in 0..self.clients.len() {
            self.start(client);
        }
        let calm = self.plan.calm_at;
        self.run_until(calm);
        self.clear_up();
        self.heal((calm + HEAL).min(self.plan.end_at));
        self.check_server();
        self.next_app = u64::MAX;
        self.check_flow();
        self.run_until(self.now + 4 * MINUTE);
        self.next_traffic = u64::MAX;
        self.run_until(self.now + 2 * MINUTE);
        for client in 0..self.clients.len() {
            let verdict = self.is_balanced(client);
            self.judge(verdict);
        }
        let end = self.plan.end_at;
        self.run_until(end);
        // A gap that came just before the end is filled too.
        while self.is_filling() && self.violation.is_none() {
            let limit = if self.reads_on() { READ } else { FILLED };
            if self.now >= end + limit {
                break;
            }
            self.run_until(self.now + LOOK);
        }
        self.finish();
    }

    /// Each client must have been ready by the time it is to be healed, and all at once soon after.
    fn heal(&mut self, end: u64) {
        let mut healed = vec![false; self.clients.len()];
        while self.now < end && self.violation.is_none() {
            self.run_until((self.now + LOOK).min(end));
            for (client, healed) in healed.iter_mut().enumerate() {
                *healed |= self.is_healed(client).is_ok();
            }
        }
        let all = |world: &Self| (0..world.clients.len()).try_for_each(|client| world.is_healed(client));
        if healed.iter().all(|healed| *healed) {
            while all(self).is_err() && self.now < end + BLINK && self.violation.is_none() {
                self.run_until(self.now + LOOK);
            }
        }
        let verdict = all(self);
        self.judge(verdict);
    }

    /// Three notifications in a row reach every client.
    fn check_flow(&mut self) {
        for attempt in 1..=TRIES {
            let since = self.now;
            for _ in 0..3 {
                if self.plan.fill.is_some() {
                    (0..self.clients.len()).for_each(|user| self.happens_of(Topic::Sms, user));
                } else {
                    self.notify_of(EVENTS[0]);
                }
                self.run_until(self.now + S);
            }
            self.run_until(self.now + MINUTE);
            let flowing = self.clients.iter().map(|client| client.oracle.delivered_since(since)).min().unwrap_or(0);
            if flowing >= 3 || self.violation.is_some() {
                return;
            }
            if attempt == TRIES {
                self.judge(violated("flow", format!("{flowing} of 3 notifications came after healing")));
            }
        }
    }

    fn run_until(&mut self, end: u64) {
        while self.violation.is_none() {
            let (arrival, alarm) = (self.net.next(), self.next_alarm());
            let next = arrival.min(alarm);
            if next > end {
                break;
            }
            self.report.steps += 1;
            if self.report.steps > MAX_STEPS && self.report.steps - MAX_STEPS > self.sent() {
                self.judge(violated("circles", "too many steps".to_owned()));
            }
            self.now = self.now.max(next);
            // What arrived comes before timers that are due.
            if arrival <= self.now {
                if let Some(packet) = self.net.pop() {
                    self.deliver(packet);
                }
            } else {
                self.step();
            }
        }
        self.now = self.now.max(end);
    }

    /// The next moment at which something happens by itself.
    fn next_alarm(&self) -> u64 {
        let wake = self.clients.iter().map(|client| client.wake.min(client.fill_at)).min().unwrap_or(u64::MAX);
        let next = self.next_traffic.min(self.next_app).min(self.faults.next).min(wake);
        self.gateway.next_deadline().map_or(next, |at| next.min(at))
    }

    fn step(&mut self) {
        if let Some(client) = self.clients.iter().position(|client| client.wake <= self.now) {
            return self.wake(client);
        }
        if let Some(client) = self.clients.iter().position(|client| client.fill_at <= self.now) {
            if self.clients[client].undrained {
                // It is asked when that is done.
                self.clients[client].fill_at = u64::MAX;
            } else {
                self.drain(client);
            }
            return;
        }
        if self.gateway.next_deadline().is_some_and(|at| at <= self.now) {
            self.gateway.handle_timeout(self.now);
            return self.pump();
        }
        if self.next_traffic <= self.now {
            self.next_traffic = self.now + self.rng.wait(self.plan.traffic_every);
            return self.notify();
        }
        if self.next_app <= self.now {
            self.next_app = self.now + self.rng.wait(self.plan.app_every);
            return self.app_acts();
        }
        self.fault_due();
    }

    /// Notifications made for subscribed sessions.
    fn sent(&self) -> u64 {
        self.clients.iter().map(|client| client.oracle.counts.sent).sum()
    }

    /// Something happens on the server that the clients may have subscribed to.
    pub(crate) fn notify(&mut self) {
        if self.plan.fill.is_some() {
            return self.happens();
        }
        let event = *self.rng.pick(&EVENTS);
        self.notify_of(event);
    }

    fn notify_of(&mut self, event: &str) {
        self.made += 1;
        // Without the formatting machinery, as this is part of nearly all that is simulated.
        let body = ["{\"n\":", &self.made.to_string(), "}"].concat();
        self.gateway.notify(event, &body, self.now);
        self.pump();
    }

    pub(crate) fn judge(&mut self, verdict: Verdict) {
        if let Err(violation) = verdict
            && self.violation.is_none()
        {
            trace!(self, "VIOLATION {violation}");
            self.violation = Some(violation);
        }
    }

    /// What the gateway reports.
    pub(crate) fn read_events(&mut self) {
        while let Some(event) = self.gateway.poll_event() {
            match event {
                GatewayEvent::Connected { conn, session, recovery, replayed } => {
                    let link = conn as usize - 1;
                    let client = self.net.links[link].client;
                    // It had given a newer token, which never arrived, and takes no older one: no client can help it.
                    let (gateway, failed) = (&self.plan.gateway, matches!(recovery, Recovery::Failed(_)));
                    let strict = gateway.rotate_wsc_every.is_some() && !gateway.accept_old_wsc;
                    if failed && strict && self.net.lost_before(link) {
                        self.clients[client].faulted_at = self.clients[client].faulted_at.max(Some(self.now));
                    }
                    trace!(self, "server: connection {conn} has session {session}, {recovery:?}, {replayed} replayed");
                    self.sessions.entry(session).or_insert((client, None));
                }
                GatewayEvent::Sent { session, uuid, replay: false, .. } => self.made_one(session, uuid, false),
                GatewayEvent::Buffered { session, uuid } => self.made_one(session, uuid, true),
                GatewayEvent::Subscribed { session, id, .. } => {
                    trace!(self, "server: subscription {id} of session {session}");
                    if let Some((client, subscription)) = self.sessions.get_mut(&session) {
                        *subscription = Some(self.clients[*client].oracle.subscription(&id));
                    }
                }
                GatewayEvent::Lost { session, uuids, cause } => {
                    trace!(self, "server: session {session} lost {uuids:?}: {cause:?}");
                    self.note_lost(session, &uuids, cause);
                }
                GatewayEvent::SessionEnded { session } => {
                    trace!(self, "server: session {session} ended");
                    self.sessions.remove(&session);
                }
                other => trace!(self, "server: {other:?}"),
            }
        }
    }

    fn made_one(&mut self, session: u64, uuid: u64, buffered: bool) {
        trace!(self, "server: notification {uuid} for session {session}");
        let Some((client, Some(subscription))) = self.sessions.get(&session).copied() else { return };
        let c = &mut self.clients[client];
        c.oracle.made(uuid, subscription, self.now);
        if buffered && c.theft {
            trace!(self, "server: gives {uuid} to another client");
            c.oracle.stolen(uuid);
            c.stolen.insert(uuid);
        }
    }

    fn is_healed(&self, client: usize) -> Verdict {
        let c = &self.clients[client];
        let problem = match &c.session {
            None => "no process",
            Some(_) if c.link.is_none_or(|link| !self.net.links[link].ready) => "not connected",
            Some(_) if !c.app.confirmed => "not subscribed",
            Some(_) => return Ok(()),
        };
        violated("heal", format!("client {client}: {problem} {} min after the last fault", HEAL / MINUTE))
    }

    fn is_balanced(&mut self, client: usize) -> Verdict {
        let c = &mut self.clients[client];
        let verdict = c.oracle.finish();
        self.note_passed(client);
        verdict?;
        self.clients[client].requests.finish()
    }

    /// What the server saw that it must not see.
    fn check_server(&mut self) {
        let stats = self.gateway.observations();
        let checks = [
            ("token-reuse", stats.ws_tokens_presented_again, "WebSocket tokens presented again"),
            ("before-details", stats.frames_before_details, "frames before ConnectionDetails"),
            ("active-requests", stats.active_requests_exceeded, "requests beyond the allowed number"),
        ];
        for (check, count, what) in checks {
            if count > 0 {
                self.judge(violated(check, format!("{count} {what}")));
            }
        }
    }

    fn finish(&mut self) {
        self.check_server();
        for client in 0..self.clients.len() {
            let verdict = self.check_filling(client);
            self.judge(verdict);
        }
        let stats = self.gateway.observations();
        self.report.heartbeats += stats.heartbeats;
        self.report.recoveries += stats.recoveries;
        self.report.recoveries_failed += stats.recoveries_failed;
        for client in &self.clients {
            self.report.notifications += &client.oracle.counts;
        }
        self.report.micros += self.plan.end_at * self.clients.len() as u64;
        self.report.runs += 1;
    }
}
