//! The application: its commands, what it gets, what it writes down.

use ringcentral_ws_core::{Body, Cause, CloseReason, Event, Filters, GapCause, RequestOptions, Resumption, WaitReason};

use super::World;
use super::client::{App, Published};
use super::net::{Alarm, Packet};
use super::plan::EVENTS;
use crate::oracle::violated;
use crate::subject::{Maker, Subject};
use crate::time::{HOUR, MINUTE, S};
use crate::trace::{brief, name_of_outcome, trace};

/// A gap or a loss of the connection must have a fault so recently.
const EXPLAINS: u64 = 3 * HOUR;
/// Three tokens that end within their first five minutes, refused within ten minutes, are no accident.
const EVICTS: u64 = 15 * MINUTE;
/// After a silence of this length, which is a little more than the heartbeat interval, a loss is reported as a gap.
const SILENCE: u64 = 31 * S;

impl<M: Maker> World<M> {
    /// A process starts, from the published snapshot if there is one.
    pub(super) fn start(&mut self, client: usize) {
        let base = *self.rng.pick(&[0, S, 30 * HOUR]);
        let seed = self.rng.next();
        let c = &mut self.clients[client];
        let clock = c.boot(base, self.now);
        let config = self.plan.config.clone();
        let restored = c.published.clone().and_then(|p| {
            let session = self.maker.restore(config.clone(), p.snapshot, seed, clock).ok()?;
            c.pacing.carried(&p.auth);
            Some((session, p.app))
        });
        let found = restored.is_some();
        c.unstored = c.published.as_ref().is_some_and(|published| found && published.snapshot.is_detached());
        let (session, app) = restored.unwrap_or_else(|| (self.maker.create(config, seed, clock), App::default()));
        c.session = Some(session);
        if c.life > 1 {
            c.faulted_at = Some(self.now);
        }
        c.app = App { closing: false, ..app };
        if self.plan.fill.is_some() {
            self.start_filler(client, seed);
        }
        let c = &mut self.clients[client];
        trace!(self, "{client}: process {} starts{}", c.life, if found { " from a snapshot" } else { "" });
        let now = c.time(self.now);
        if let Some(session) = &mut c.session {
            let _ = session.connect(now);
        }
        if !self.clients[client].app.subscribed || self.rng.chance(300) {
            self.subscribe(client);
        }
        if self.clients[client].crashes_left > 0 {
            self.clients[client].crashes_left -= 1;
            let soon = self.rng.between(S / 10, 3 * S);
            self.alarm_at(client, soon, Alarm::Crash);
        }
        self.drain_or_sip(client);
    }

    pub(super) fn subscribe(&mut self, client: usize) {
        let events = self.wanted();
        let Ok(filters) = Filters::new(events) else { return };
        trace!(self, "{client}: app subscribes to {} filters", filters.len());
        let c = &mut self.clients[client];
        let now = c.time(self.now);
        let Some(session) = &mut c.session else { return };
        if session.subscribe(filters, now).is_ok() {
            c.app.subscribed = true;
            c.app.confirmed = false;
        } else {
            self.drain(client);
            self.alarm_in(client, S, Alarm::Subscribe);
        }
    }

    /// The first is always among them: the last notifications of a run must flow.
    fn wanted(&mut self) -> Vec<&'static str> {
        let (mut events, varies) = match &self.plan.fill {
            None => (EVENTS.to_vec(), true),
            Some(fill) => (fill.topics.iter().map(|topic| topic.filter()).collect(), fill.varies),
        };
        let first = events[0];
        events.retain(|event| !varies || *event == first || self.rng.chance(700));
        events
    }

    fn unsubscribe(&mut self, client: usize) {
        trace!(self, "{client}: app unsubscribes");
        let c = &mut self.clients[client];
        let now = c.time(self.now);
        let Some(session) = &mut c.session else { return };
        if session.unsubscribe(now).is_ok() {
            c.app.subscribed = false;
            c.app.confirmed = false;
            c.oracle.unsubscribed();
        }
        self.alarm_in(client, 10 * S, Alarm::Subscribe);
    }

    pub(super) fn alarm_in(&mut self, client: usize, mean: u64, alarm: Alarm) {
        let life = self.clients[client].life;
        let at = self.now + self.rng.wait(mean);
        self.net.push(at, Packet::Alarm { client, life, alarm });
    }

    /// The application does something.
    pub(super) fn app_acts(&mut self) {
        let client = self.rng.below(self.clients.len() as u64) as usize;
        let calm = self.now >= self.plan.calm_at;
        let c = &self.clients[client];
        if c.session.is_none() || c.suspended || c.app.closing {
            return;
        }
        match self.rng.below(10) {
            0 => self.subscribe(client),
            1 if !calm => self.unsubscribe(client),
            2 => {
                let c = &mut self.clients[client];
                // The clock is read only for what the session is given.
                if let Some(id) = c.requests.any_open() {
                    let now = c.time(self.now);
                    let _ = c.session.as_mut().map(|session| session.cancel(id, now));
                }
            }
            3 => self.recover(client),
            4 => (0..20).for_each(|_| self.request(client)),
            _ => self.request(client),
        }
        self.drain_or_sip(client);
    }

    /// A session whose outputs wait refuses the call, and an application repeats it.
    pub(super) fn recover(&mut self, client: usize) {
        trace!(self, "{client}: app asks to recover");
        let c = &mut self.clients[client];
        let now = c.time(self.now);
        let refused = c.session.as_mut().is_some_and(|session| session.recover(now).is_err());
        if refused {
            self.drain(client);
            if let Some(session) = &mut self.clients[client].session {
                let _ = session.recover(now);
            }
        }
    }

    fn request(&mut self, client: usize) {
        let c = &mut self.clients[client];
        c.last_request += 1;
        let number = c.last_request;
        let own = "/restapi/v1.0/account/~/extension/~";
        let post = self.rng.chance(300);
        let repeat_if_safe = self.rng.chance(300);
        let timeout = Some(std::time::Duration::from_secs(self.rng.between(1, 60)));
        let request = http::Request::builder().header("x-number", number);
        let request = if post {
            let body = r#"{"to":[{"phoneNumber":"+16505550100"}],"text":"hi"}"#;
            request.method("POST").uri(format!("{own}/sms")).body(Body::from(body))
        } else {
            request.uri(own).body(Body::empty())
        };
        let Ok(mut request) = request else { return };
        request.extensions_mut().insert(RequestOptions { timeout, repeat_if_safe, ..RequestOptions::default() });
        let now = c.time(self.now);
        let Some(session) = &mut c.session else { return };
        if let Ok(id) = session.request(request, now) {
            trace!(self, "{client}: app asks {id}, number {number}");
            let verdict = c.requests.accepted(id, number, repeat_if_safe && !post);
            self.judge(verdict);
        }
    }

    /// Any event for the application but `SnapshotChanged`.
    pub(super) fn on_event(&mut self, client: usize, event: Event) {
        trace!(self, "{client}: app gets {}", brief(&event));
        if self.plan.fill.is_some() && self.filler_sees(client, &event) {
            return;
        }
        let slack = self.slack().min(self.now);
        let c = &mut self.clients[client];
        let verdict = match &event {
            Event::Notification(n) => c.oracle.delivered(n.uuid()),
            Event::Gap(gap) => {
                *self.report.gaps.entry(gap.cause.as_str()).or_default() += 1;
                let (since, until) = (c.sim_time_of(gap.since), c.truly(c.sim_time_of(gap.until)));
                let verdict = c.oracle.gap(gap, since, until);
                // A replay as large as the server's buffer may be all there was, and what comes before the answer to a
                // subscribing call may be more than is held.
                let full = matches!(gap.cause, GapCause::ReplayOverflow | GapCause::QueueOverflow);
                if full { verdict } else { verdict.and_then(|()| self.is_explained(client, "false-alarm", &event)) }
            }
            Event::Subscribed(info) => {
                if c.app.subscribed {
                    c.oracle.confirmed(&info.server_id);
                    c.app.confirmed = true;
                } else {
                    c.oracle.known(&info.server_id);
                }
                Ok(())
            }
            Event::Response { id, outcome } => {
                *self.report.outcomes.entry(name_of_outcome(outcome)).or_default() += 1;
                c.requests.ended(*id, outcome)
            }
            Event::Disconnected { cause, .. } => self.disconnected(client, cause, &event),
            Event::Retry { attempt, at, .. } => {
                c.pacing.announced(*at);
                let verdict = c.pacing.failed(*attempt);
                if c.prompt { verdict } else { Ok(()) }
            }
            Event::Waiting { reason, at, .. } if *reason != WaitReason::SubscriptionLimit => {
                c.pacing.announced(*at);
                Ok(())
            }
            Event::SubscriptionFailed { retry_at, .. } => {
                c.faulted_at = c.faulted_at.max(Some(self.now));
                if retry_at.is_none() {
                    c.app.subscribed = false;
                    c.app.confirmed = false;
                    c.oracle.refused(self.now - slack);
                    self.alarm_in(client, MINUTE, Alarm::Subscribe);
                }
                Ok(())
            }
            Event::Connected { resumption: Resumption::Lost, .. } => {
                c.app.confirmed = false;
                Ok(())
            }
            Event::Closed { reason } => self.closed(client, reason),
            _ => Ok(()),
        };
        self.judge(verdict);
        if let (Some(_), Event::Notification(_)) = (&self.plan.fill, &event) {
            self.note_passed(client);
        }
    }

    fn disconnected(&mut self, client: usize, cause: &Cause, event: &Event) -> Result<(), crate::Violation> {
        let ordinary = matches!(cause, Cause::Renewal | Cause::Closed);
        if !ordinary {
            self.unasked_loss(client, cause);
        }
        if !self.plan.config.auto_recover && !self.clients[client].app.closing {
            self.alarm_in(client, 10 * S, Alarm::Recover);
        }
        if ordinary { Ok(()) } else { self.is_explained(client, "needless-loss", event) }
    }

    /// A connection broke.
    fn unasked_loss(&mut self, client: usize, cause: &Cause) {
        let counts_time = self.counts_time();
        let c = &mut self.clients[client];
        let echoed = c.last_link.is_some_and(|link| self.net.links[link].echoed);
        if !echoed && self.plan.config.auto_recover && !c.app.closing {
            c.pacing.short_lived();
        }
        if echoed && matches!(cause, Cause::ServerClosed { .. }) && c.app.confirmed && !c.app.closing {
            c.closed_by_server(self.now);
        }
        let abrupt = matches!(cause, Cause::SocketLost | Cause::HeartbeatTimeout);
        if abrupt && counts_time && c.app.confirmed && self.now > c.frame_at + SILENCE {
            c.oracle.silent(c.frame_at, self.now);
        }
    }

    /// Nothing goes wrong by itself.
    fn is_explained(&self, client: usize, check: &'static str, event: &Event) -> Result<(), crate::Violation> {
        match self.clients[client].faulted_at {
            Some(at) if self.now <= at + EXPLAINS => Ok(()),
            _ => violated(check, format!("client {client}: {} although all was well", brief(event))),
        }
    }

    fn closed(&mut self, client: usize, reason: &CloseReason) -> Result<(), crate::Violation> {
        let c = &mut self.clients[client];
        let asked = c.app.closing;
        let name = match reason {
            CloseReason::Permanent(cause) => format!("permanent: {}", cause_name(cause)),
            other => format!("{other:?}"),
        };
        *self.report.endings.entry(name.clone()).or_default() += 1;
        match reason {
            CloseReason::Revoked | CloseReason::Detached if asked => Ok(()),
            CloseReason::Permanent(_) if asked => Ok(()),
            CloseReason::Permanent(cause) => {
                let refused = match cause {
                    Cause::Unauthorized => self.faults.tokens_fail,
                    // Each of three young tokens was ended before its time (TOK-4).
                    Cause::Evicted => {
                        let ended = self.faults.tokens_ended.iter().rev();
                        ended.take_while(|at| self.now <= **at + EVICTS).count() >= 3
                    }
                    _ => false,
                };
                if refused {
                    return Ok(());
                }
                violated("closed", format!("client {client} gave up: {name}"))
            }
            _ => violated("closed", format!("client {client} ended unasked: {name}")),
        }
    }

    /// The snapshot changed, and the application has taken all events before it.
    pub(super) fn may_publish(&mut self, client: usize) {
        let Some(every) = self.plan.publish_every else { return };
        let c = &mut self.clients[client];
        // What an orderly end left on the disk says that nothing was received since: that must not stay (PST-2).
        let at_rest = c.published.as_ref().is_some_and(|published| published.snapshot.is_detached());
        if self.now >= c.published_at + every || at_rest || c.app.closing {
            self.publish(client);
        }
    }

    fn publish(&mut self, client: usize) {
        let c = &mut self.clients[client];
        let Some(snapshot) = c.session.as_ref().and_then(Subject::snapshot) else { return };
        let fill = c.stored_fill(self.now);
        c.dirty = false;
        c.published_at = self.now;
        let (mark, app, auth) = (c.oracle.publish(), c.app.clone(), c.pacing.auth_calls());
        c.published = Some(Published { snapshot, mark, app, auth, fill });
    }

    /// The session is over. The process writes down what is left and ends.
    pub(super) fn ended(&mut self, client: usize) {
        let c = &mut self.clients[client];
        if c.session.is_none() {
            return;
        }
        let verdict = c.requests.finish();
        self.judge(verdict);
        if self.plan.publish_every.is_some() {
            self.publish(client);
        }
        let revoked = self.clients[client].revoking;
        if revoked {
            self.clients[client].published = None;
            self.clients[client].revoking = false;
        }
        self.process_ends(client);
    }
}

fn cause_name(cause: &ringcentral_ws_core::Cause) -> String {
    let text = format!("{cause:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}
