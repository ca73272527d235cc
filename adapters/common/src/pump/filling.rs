//! Gaps are filled, if the application asked for it: what the filler wants is a request like any other, and what it
//! brings is an event.

use std::collections::BTreeMap;

use http::{Request as HttpRequest, StatusCode};
use ringcentral_ws_api::{FillStep, GapCall, GapFiller};
use ringcentral_ws_core::classify::Class;
use ringcentral_ws_core::{Body, ClockReading, Event, RequestId, RequestOutcome, Timestamp, WaitReason};

use super::{Io, Phase, Pump, Replies};

/// Steps of one turn.
const STEPS: usize = 8;

/// The filler and its calls under way.
#[derive(Debug)]
pub(super) struct Filling {
    filler: GapFiller,
    calls: BTreeMap<RequestId, u64>,
    /// When it is to be asked again.
    wait: Option<Timestamp>,
}

impl Filling {
    pub(super) const fn new(filler: GapFiller) -> Self {
        Self { filler, calls: BTreeMap::new(), wait: None }
    }

    pub(super) const fn wait(&self) -> Option<Timestamp> {
        self.wait
    }

    /// What the next process goes on from.
    pub(super) fn state(&self, clock: ClockReading) -> Box<str> {
        self.filler.state(clock).to_json().into()
    }

    /// Looks at what the session reports.
    fn note(&mut self, event: &Event, clock: ClockReading) {
        match event {
            Event::Connected { .. } => self.filler.set_online(true),
            Event::Disconnected { .. } => self.filler.set_online(false),
            Event::Subscribed(info) => self.filler.set_filters(info.filters.iter().map(|filter| &**filter)),
            Event::Notification(notification) => self.filler.on_notification(notification, clock),
            Event::Gap(gap) => self.filler.on_gap(gap.clone(), clock.now),
            Event::SubscriptionFailed { error, retry_at: Some(at), .. } if error.class() == Class::RateLimited => {
                self.filler.yield_to_subscription(*at);
            }
            Event::Waiting { reason: WaitReason::SubscriptionLimit, at, .. } => self.filler.yield_to_subscription(*at),
            _ => return,
        }
        self.wait = Some(clock.now);
    }

    /// A call of the application ended.
    fn yield_to(&mut self, outcome: &RequestOutcome, clock: ClockReading) {
        if let RequestOutcome::Response { response, .. } = outcome
            && response.status() == StatusCode::TOO_MANY_REQUESTS
        {
            self.filler.yield_to_call(response.headers(), clock);
        }
    }

    /// Whether the request was one of these.
    fn ended(&mut self, id: RequestId, outcome: &RequestOutcome, clock: ClockReading) -> bool {
        let Some(call) = self.calls.remove(&id) else {
            self.yield_to(outcome, clock);
            return false;
        };
        self.wait = Some(clock.now);
        match outcome {
            RequestOutcome::Response { response, .. } => {
                let (status, headers) = (response.status().as_u16(), response.headers());
                self.filler.on_answer(call, status, headers, response.body(), clock);
            }
            RequestOutcome::NotSent(_)
            | RequestOutcome::TimedOut { sent: false }
            | RequestOutcome::Cancelled { sent: false } => self.filler.on_failure(call, false, clock),
            _ => self.filler.on_failure(call, true, clock),
        }
        true
    }
}

impl<R: Replies> Pump<R> {
    /// The filler sees an event of the session. `true`: it is the end of a call of the filler's, and nobody else's.
    pub(super) fn is_for_filling(&mut self, event: &Event) -> bool {
        let Some(filling) = &mut self.filling else { return false };
        let clock = ClockReading { now: self.now, ..self.clock.reading() };
        match event {
            Event::Response { id, outcome } => return filling.ended(*id, outcome, clock),
            event => filling.note(event, clock),
        }
        false
    }

    /// Something was reported to the filler after its steps of this turn.
    pub(super) fn is_filling_due(&mut self) -> bool {
        let due = self.filling.as_ref().and_then(|filling| filling.wait).is_some_and(|at| at <= self.now);
        due && matches!(self.phase, Phase::Running) && !self.events.load().is_backed_up
    }

    /// Takes the steps of the filler that are due. It makes no call while the application lets events wait.
    pub(super) fn fill(&mut self, io: &mut impl Io<Replies = R>) {
        for _ in 0..STEPS {
            let (Phase::Running, Some(filling)) = (&self.phase, &mut self.filling) else { return };
            if filling.wait.is_none_or(|at| at > self.now) || self.events.load().is_backed_up {
                return;
            }
            if self.events.is_abandoned() {
                // Nobody would get what is fetched. Listeners have the gap.
                filling.wait = None;
                return;
            }
            let clock = ClockReading { now: self.now, ..self.clock.reading() };
            match filling.filler.poll(clock) {
                FillStep::Wait(wait) => {
                    filling.wait = wait;
                    self.unpublished += usize::from(filling.filler.take_changed());
                    return;
                }
                FillStep::Filled(filled) => {
                    let event = Event::Backfill(filled);
                    self.tracer.event(&event);
                    self.events.push(event, None);
                    // Behind it, and not behind what comes next: who has both is not handed these records again.
                    self.unpublished += usize::from(filling.filler.take_changed());
                    self.publish();
                }
                FillStep::Call(call) => self.ask(call, io),
            }
        }
        self.again = true;
    }

    fn ask(&mut self, call: GapCall, io: &mut impl Io<Replies = R>) {
        self.report_unread_when_due(io);
        let about = HttpRequest::get(&call.path).body(Body::empty());
        let accepted = about.ok().and_then(|request| {
            let about = self.tracer.about(&request);
            let id = self.session.request(request, self.now).ok()?;
            self.tracer.requested(id, about);
            self.meter.requested(id, self.now);
            Some(id)
        });
        if let Some(filling) = &mut self.filling {
            match accepted {
                Some(id) => drop(filling.calls.insert(id, call.id)),
                None => {
                    let clock = ClockReading { now: self.now, ..self.clock.reading() };
                    filling.filler.on_failure(call.id, false, clock);
                }
            }
        }
        self.drain(io);
    }
}
