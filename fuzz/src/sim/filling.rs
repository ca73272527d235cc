//! An application that fills gaps: what it tells the filler and asks for it, as the drivers do, and what happens on the
//! server that can be fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use ringcentral_ws_api::{BackfillState, FillStep};
use ringcentral_ws_core::classify::Class;
use ringcentral_ws_core::{Body, ClockReading, Event, Gap, RequestId, RequestOutcome};
use ringcentral_ws_gateway::{CallPlan, HttpResponse, MessageKind, Receipt};
use serde::de::IgnoredAny;

use super::World;
use super::client::Client;
use super::filler::Filler;
use super::net::Alarm;
use super::plan::Fault;
use crate::oracle::{FillMark, Filling, Topic, Verdict};
use crate::subject::{Maker, Subject};
use crate::time::{MINUTE, S};
use crate::trace::trace;

/// The stand-in ends further calls at once.
const MOST_LIVE: usize = 90;
/// An answer or a half of one that cannot be read.
const GARBLED: [&str; 5] = ["", "{}", "{\"records\":[", "[]", "<html>"];

/// What a client that fills gaps has besides.
#[derive(Debug, Default)]
pub(crate) struct Fill {
    /// Of the process that runs.
    filler: Option<Filler>,
    /// The end of a gap by a clock that went back, before what was passed next.
    misdated: Option<u64>,
    /// Under way: the filler's number, and the path.
    calls: BTreeMap<RequestId, (u64, String)>,
    pub(crate) oracle: Filling,
    is_online: bool,
    /// When a call brought something last.
    answered_at: u64,
    /// So many of the next calls lose their connection, and so many their process.
    pub(super) cuts: u32,
    pub(super) crashes: u32,
}

/// What it writes down beside a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    state: BackfillState,
    mark: FillMark,
}

impl Fill {
    pub(crate) fn new(server_unix: u64) -> Self {
        Self { oracle: Filling::new(server_unix), ..Self::default() }
    }

    /// The process is gone; the next one goes on from this. `subscribed`: that knows of a subscription.
    pub(crate) fn ends(&mut self, stored: Option<FillMark>, subscribed: bool) {
        self.filler = None;
        self.calls.clear();
        self.is_online = false;
        self.oracle.crash(stored, subscribed);
    }

    pub(crate) fn store(&mut self, clock: ClockReading) -> Option<Stored> {
        let filler = self.filler.as_ref()?;
        Some(Stored { state: filler.state(clock), mark: self.oracle.publish() })
    }
}

impl Stored {
    pub(crate) fn mark(&self) -> FillMark {
        self.mark.clone()
    }
}

/// When a gap was.
#[derive(Clone, Copy, Debug, Default)]
struct Dated {
    since: u64,
    until: u64,
    /// When it ended by the clock of the process, if that had gone back.
    stated: Option<u64>,
}

impl<S: Subject> Client<S> {
    /// It begins where the clock of the process says, which may have gone back since.
    fn dated(&self, gap: &Gap) -> Dated {
        let [since, until] = [gap.since, gap.until].map(|at| self.sim_time_of(at));
        Dated {
            since: since.min(self.truly(since)),
            until: self.truly(until),
            stated: Some(until).filter(|until| self.truly(*until) != *until),
        }
    }

    fn reading(&self, now: u64) -> ClockReading {
        ClockReading { now: self.clock(now), unix: self.unix(now) }
    }

    /// What was written down with a snapshot.
    pub(crate) fn stored_fill(&mut self, now: u64) -> Option<Stored> {
        let clock = self.reading(now);
        self.fill.as_mut()?.store(clock)
    }
}

impl<M: Maker> World<M> {
    /// The filler of a process that starts, perhaps from what another one wrote down.
    pub(super) fn start_filler(&mut self, client: usize, seed: u64) {
        let Some(plan) = &self.plan.fill else { return };
        let now = self.now;
        if self.clients[client].life == 1 {
            trace!(self, "{client}: fills {plan:?}, {} messages an answer", self.plan.gateway.sync_records);
        }
        let c = &mut self.clients[client];
        let clock = c.reading(now);
        let published = c.published.as_ref();
        let snapshot = published.map(|published| published.snapshot.clone());
        let stored = published.and_then(|published| published.fill.as_ref()).map(|stored| stored.state.to_json());
        // As it comes back from the disk.
        let snapshot = snapshot.map(|snapshot| snapshot.with_extra(stored.map(Into::into)));
        let extra = snapshot.as_ref().and_then(|snapshot| snapshot.extra());
        let mut filler = Filler::start(&plan.settings, extra, seed, clock, self.fill_defect);
        if let Some(filters) = snapshot.as_ref().and_then(|snapshot| snapshot.filters())
            && !filler.knows_filters()
        {
            filler.set_filters(filters.iter());
            if let Some(fill) = &mut c.fill {
                fill.oracle.restored(filters.iter(), now);
            }
        }
        c.fill_at = now;
        if let Some(fill) = &mut c.fill {
            fill.filler = Some(filler);
        }
    }

    /// The filler sees an event. `true`: it is the end of one of its calls.
    pub(super) fn filler_sees(&mut self, client: usize, event: &Event) -> bool {
        let now = self.now;
        if let Event::Response { id, outcome } = event {
            return self.filler_hears(client, *id, outcome);
        }
        let c = &mut self.clients[client];
        let clock = c.reading(now);
        let dated = if let Event::Gap(gap) = event { c.dated(gap) } else { Dated::default() };
        let Some(fill) = &mut c.fill else { return false };
        let Some(filler) = &mut fill.filler else { return false };
        match event {
            Event::Connected { .. } => {
                filler.set_online(true);
                fill.is_online = true;
            }
            Event::Disconnected { .. } => {
                filler.set_online(false);
                fill.is_online = false;
            }
            Event::Subscribed(info) => {
                filler.set_filters(info.filters.iter().map(|filter| &**filter));
                fill.oracle.subscribed(info.filters.iter().map(|filter| &**filter), now);
            }
            Event::SubscriptionFailed { error, retry_at: Some(at), .. } if error.class() == Class::RateLimited => {
                filler.yield_to_subscription(*at);
            }
            Event::Notification(n) => {
                filler.on_notification(n, clock);
                if let Ok(uuid) = n.uuid().parse() {
                    fill.oracle.delivered(uuid, n.event(), n.body());
                }
            }
            Event::Gap(gap) => {
                filler.on_gap(gap.clone(), clock);
                fill.oracle.gap(dated.since, dated.until);
                fill.misdated = fill.misdated.into_iter().chain(dated.stated).min();
            }
            _ => return false,
        }
        c.dirty |= filler.take_changed();
        c.fill_at = now;
        false
    }

    /// A call ended. `true`: it was one of the filler's.
    fn filler_hears(&mut self, client: usize, id: RequestId, outcome: &RequestOutcome) -> bool {
        let now = self.now;
        let c = &mut self.clients[client];
        let clock = c.reading(now);
        let Some(fill) = &mut c.fill else { return false };
        let Some(filler) = &mut fill.filler else { return false };
        let response = if let RequestOutcome::Response { response, .. } = outcome { Some(response) } else { None };
        let Some((call, path)) = fill.calls.remove(&id) else {
            if let Some(response) = response.filter(|response| response.status() == 429) {
                filler.yield_to_call(response.headers(), clock);
                c.fill_at = now;
            }
            return false;
        };
        if let Some(response) = response {
            let (status, headers) = (response.status().as_u16(), response.headers());
            let body = response.body();
            let count = body.windows(14).filter(|part| part == b"\"availability\"").count();
            trace!(self, "{client}: filling gets {status}, {} bytes, {count} messages", body.len());
            fill.oracle.answered(&path, status, response.body(), now);
            if status == 200 {
                fill.answered_at = now;
            }
            filler.on_answer(call, status, headers, response.body(), clock);
        } else {
            filler.on_failure(call, may_have_left(outcome), clock);
        }
        c.fill_at = now;
        true
    }

    /// What the checks found to lie in a gap.
    pub(super) fn note_passed(&mut self, client: usize) {
        let c = &mut self.clients[client];
        let passed = std::mem::take(&mut c.oracle.passed);
        if let Some(fill) = &mut c.fill {
            fill.oracle.in_gap(&passed, fill.misdated.take());
        }
    }

    /// An answer may be garbled long after that was decided. Over the socket it is a frame that nobody can read.
    pub(super) fn garbled_frame(&mut self, client: usize, text: &str) {
        let may_be = self.plan.faults.contains(&Fault::FillGarbled) && text.starts_with('[');
        if may_be && serde_json::from_str::<IgnoredAny>(text).is_err() {
            let c = &mut self.clients[client];
            c.faulted_at = c.faulted_at.max(Some(self.now));
        }
    }

    /// One step of the filler, if one is due. `true`: the session has something to do for it.
    pub(super) fn fills(&mut self, client: usize) -> bool {
        let now = self.now;
        let c = &mut self.clients[client];
        if c.fill_at > now {
            return false;
        }
        if c.app.closing {
            c.fill_at = u64::MAX;
            return false;
        }
        let clock = c.reading(now);
        let Some(fill) = &mut c.fill else { return false };
        let Some(filler) = &mut fill.filler else { return false };
        let step = filler.poll(clock);
        c.dirty |= filler.take_changed();
        match step {
            FillStep::Wait(wait) => {
                if wait.is_none() && fill.calls.is_empty() && fill.is_online {
                    fill.oracle.rests();
                }
                c.fill_at = wait.map_or(u64::MAX, |at| c.true_time(at).max(now + 1));
                false
            }
            FillStep::Filled(filled) => {
                trace!(
                    self,
                    "{client}: app gets {filled}: {:?}",
                    filled.records.iter().map(|one| one.id()).collect::<Vec<_>>()
                );
                let c = &mut self.clients[client];
                let gap = &filled.gap;
                let Dated { since, until, .. } = c.dated(gap);
                let verdict = c.fill.as_mut().map_or(Ok(()), |fill| fill.oracle.filled(&filled, [since, until], now));
                self.judge(verdict);
                self.violation.is_none()
            }
            FillStep::Call(call) => {
                self.ask_to_fill(client, call.id, call.path);
                true
            }
        }
    }

    fn ask_to_fill(&mut self, client: usize, call: u64, path: String) {
        let clock = self.clients[client].reading(self.now);
        let c = &mut self.clients[client];
        let Some(fill) = &mut c.fill else { return };
        let verdict = fill.oracle.asks(&path);
        let request = http::Request::get(&path).body(Body::empty()).ok();
        let now = c.time(self.now);
        let c = &mut self.clients[client];
        let accepted = request.and_then(|request| c.session.as_mut()?.request(request, now).ok());
        let Some(fill) = &mut c.fill else { return };
        let (mut cuts, mut crashes) = (false, false);
        match (accepted, &mut fill.filler) {
            (Some(id), _) => {
                trace!(self, "{client}: filling asks {id} {}", path.split("syncToken").next().unwrap_or_default());
                fill.calls.insert(id, (call, path));
                (cuts, crashes) = (fill.cuts > 0, fill.crashes > 0);
                fill.cuts = fill.cuts.saturating_sub(1);
                fill.crashes = fill.crashes.saturating_sub(u32::from(!cuts));
            }
            (None, Some(filler)) => filler.on_failure(call, false, clock),
            (None, None) => {}
        }
        self.judge(verdict);
        if cuts || crashes {
            let soon = self.rng.below(4 * self.plan.delay + self.plan.jitter);
            self.alarm_at(client, soon, if cuts { Alarm::Cut } else { Alarm::Crash });
        }
    }

    fn busy_fills(&self) -> impl Iterator<Item = &Fill> {
        let fills = self.clients.iter().filter_map(|client| client.fill.as_deref());
        fills.filter(|fill| fill.filler.as_ref().is_some_and(|filler| filler.waiting() > 0))
    }

    /// A gap waits for what it may have cost.
    pub(super) fn is_filling(&self) -> bool {
        self.busy_fills().next().is_some()
    }

    /// Who is not done with a gap gets answers.
    pub(super) fn reads_on(&self) -> bool {
        self.busy_fills().all(|fill| self.now <= fill.answered_at + 2 * MINUTE)
    }

    /// Everything was asked for by the end.
    pub(super) fn check_filling(&mut self, client: usize) -> Verdict {
        let c = &mut self.clients[client];
        let Some(fill) = &mut c.fill else { return Ok(()) };
        let waiting = fill.filler.as_ref().map_or(0, Filler::waiting);
        fill.oracle.finish(waiting)?;
        fill.oracle.counts.days = 1;
        self.report.fills += &fill.oracle.counts;
        Ok(())
    }
}

/// Whether a call without an answer may have reached the server.
const fn may_have_left(outcome: &RequestOutcome) -> bool {
    !matches!(
        outcome,
        RequestOutcome::NotSent(_)
            | RequestOutcome::TimedOut { sent: false }
            | RequestOutcome::Cancelled { sent: false }
    )
}

impl<M: Maker> World<M> {
    /// Something happens that can be fetched, or cannot.
    pub(super) fn happens(&mut self) {
        let has_posts = self.plan.fill.as_ref().is_some_and(|fill| fill.chats.is_some());
        let is_post = has_posts && self.rng.chance(250);
        let topic = if is_post { Topic::Posts } else { *self.rng.pick(Topic::DAILY) };
        let user = self.rng.below(self.clients.len() as u64) as usize;
        self.happens_of(topic, user);
    }

    pub(super) fn happens_of(&mut self, topic: Topic, user: usize) {
        let now = self.now;
        let kind = match topic {
            Topic::Sms => MessageKind::Sms,
            Topic::Voicemail => MessageKind::VoiceMail,
            Topic::Fax => MessageKind::Fax,
            Topic::Store => MessageKind::Pager,
            Topic::Calls => return self.calls(user),
            Topic::Posts => return self.posts(user),
            Topic::Presence | Topic::Contacts => {
                self.made += 1;
                let receipts = self.gateway.notify(topic.filter(), &format!("{{\"n\":{}}}", self.made), now);
                (0..self.clients.len()).for_each(|client| self.enter(client, topic, self.made, [now; 2], &receipts));
                return self.pump();
            }
        };
        let (id, receipts) = self.gateway.receive(user, kind, "+16505550100", "hi", now);
        self.enter(user, topic, id, [now; 2], &receipts);
        self.pump();
    }

    /// Somebody writes in a team that all users are members of.
    fn posts(&mut self, user: usize) {
        let chats = self.plan.fill.as_ref().and_then(|fill| fill.chats).unwrap_or(1);
        let chat = format!("team {}", self.rng.below(chats));
        if let Some((id, receipts)) = self.gateway.post(user, &chat, "62264420101", "hi", self.now) {
            let times = [self.now; 2];
            (0..self.clients.len()).for_each(|client| self.enter(client, Topic::Posts, id, times, &receipts));
        }
        self.pump();
    }

    fn calls(&mut self, user: usize) {
        let live: usize = self.clients.iter().flat_map(|c| &c.fill).map(|fill| fill.oracle.live(self.now)).sum();
        // What is on in the end must have ended when all that was sent is looked for.
        let longest = if self.now < self.plan.calm_at { 10 * MINUTE } else { MINUTE };
        let time =
            |most: u64, rng: &mut crate::Rng| if rng.chance(300) || live > MOST_LIVE { 0 } else { rng.below(most) };
        let (ringing, talking) = (time(20 * S, &mut self.rng), time(longest, &mut self.rng));
        let plan =
            if self.rng.chance(500) { CallPlan::inbound("+16505550100") } else { CallPlan::outbound("+16505550100") };
        let plan = plan.ringing(Duration::from_micros(ringing)).talking(Duration::from_micros(talking));
        let is_missed = self.rng.chance(300);
        let end = self.now + ringing + if is_missed { 0 } else { talking };
        let plan = if is_missed { plan.missed() } else { plan };
        if let Some((id, receipts)) = self.gateway.call(user, &plan, self.now) {
            // Where it ends at once the last of its notifications is among these.
            let receipts = if end == self.now { receipts } else { Vec::new() };
            self.enter(user, Topic::Calls, id, [self.now, end], &receipts);
        }
        self.pump();
    }

    fn enter(&mut self, client: usize, topic: Topic, id: u64, times: [u64; 2], receipts: &[Receipt]) {
        let sessions = &self.sessions;
        let uuids = receipts.iter().filter(|one| sessions.get(&one.session).is_some_and(|(of, _)| *of == client));
        if let Some(fill) = &mut self.clients[client].fill {
            fill.oracle.happened(topic, id, times, uuids.map(|one| one.uuid));
        }
    }

    pub(super) fn strike_filling(&mut self, fault: Fault, client: usize) {
        let own = "/restapi/v1.0/account/~/extension/~";
        let paths = ["message-sync", "message-sync", "call-log-sync", "active-calls", "presence"];
        let mut paths: Vec<String> = paths.iter().map(|path| format!("{own}/{path}")).collect();
        if self.plan.fill.as_ref().is_some_and(|fill| fill.chats.is_some()) {
            paths.extend(["recent", "chats", "chats"].map(|path| format!("/team-messaging/v1/{path}")));
        }
        let count = self.rng.between(1, 8) as u32;
        match fault {
            Fault::SyncTokens => self.gateway.expire_sync_tokens(),
            Fault::FillRefused | Fault::FillGarbled => {
                for _ in 0..count {
                    let path = self.rng.pick(&paths).clone();
                    let garbled = fault == Fault::FillGarbled;
                    let usual = [408, 429, 429, 500, 502, 503, 503, 504];
                    let odd = [401, 403, 404];
                    let statuses = if self.rng.chance(900) { &usual[..] } else { &odd };
                    let status = if garbled { 200 } else { *self.rng.pick(statuses) };
                    if status == 401 {
                        self.tokens_end();
                    }
                    let body = if garbled { *self.rng.pick(&GARBLED) } else { "" };
                    let mut response = HttpResponse::new(status, body).header("Content-Type", "application/json");
                    if matches!(status, 429 | 503) && self.rng.chance(700) {
                        response = response.header("Retry-After", &self.rng.between(0, 90).to_string());
                    }
                    self.gateway.fail_next(&path, response);
                }
            }
            Fault::FillCut | Fault::FillCrash => {
                let Some(fill) = &mut self.clients[client].fill else { return };
                if fault == Fault::FillCut {
                    fill.cuts = count
                } else {
                    fill.crashes = count.min(3)
                }
                self.strike_link(Fault::Reset, client);
            }
            Fault::Flood => {
                for _ in 0..10 * count {
                    let soon = self.rng.below(MINUTE);
                    self.alarm_at(client, soon, Alarm::Notify);
                }
                if self.rng.chance(700) {
                    self.strike_link(Fault::Offline, client);
                }
            }
            _ => {}
        }
    }
}
