//! The steps, and the healing after them.

use std::time::Duration;

use http::Request;
use ringcentral_ws_core::{
    Body, Close, Filters, HttpFailure, HttpId, Input, OverHttps, Phase, RequestOptions, SessionState,
};

use super::server::{Call, Packet};
use super::{DenseRun, Written, clock};
use crate::oracle::violated;
use crate::subject::{Maker, Subject};
use crate::trace::trace;

/// Steps of a run.
const STEPS: usize = 600;
/// Longer than the server keeps a session.
const LONG: u64 = 200_000_000;
/// Steps in which it must be whole again, and then deliver what is sent.
const HEAL: usize = 1000;
const FLOW: usize = 100;
/// Steps in which nothing may go wrong any more.
const QUIET: usize = 60;

impl<M: Maker> DenseRun<M> {
    pub(super) fn walk(&mut self) {
        let now = self.time();
        if self.session.connect(now).is_err() {
            self.judge(violated("contract", "a new session does not connect".to_owned()));
        }
        self.drain();
        for _ in 0..STEPS {
            if self.violation.is_some() {
                return;
            }
            self.report.steps += 1;
            self.step();
            self.check_awake();
        }
        self.heal();
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..=19 => self.notify(),
            20..=54 => self.go_on(),
            55..=69 => self.serve(),
            70..=84 => self.pass_time(),
            85..=88 => self.lose(),
            89..=91 => self.subscribe(),
            92 => self.unsubscribe(),
            93 => self.deadline_or_wake(),
            94 => self.ask_or_recover(),
            95..=96 => self.detach(),
            97 => self.crash(),
            _ => self.input(Input::NetworkChanged { online: true }),
        }
    }

    /// Somebody must have the next move.
    fn check_awake(&mut self) {
        let idle = self.wake.is_none() && self.login.is_none() && self.calls.is_empty() && self.live.is_none();
        if idle && !matches!(self.session.state(), SessionState::Offline | SessionState::Closed) {
            self.judge(violated("asleep", "it waits for nothing".to_owned()));
        }
    }

    /// One thing that the session waits for comes.
    fn go_on(&mut self) {
        if self.log_in() {
            return;
        }
        if let Some(call) = self.calls.pop_front() {
            return match call.request {
                Some(number) => self.end_https(call.id, number),
                None => self.give_token(call.id),
            };
        }
        if self.finish_opening() {
            return;
        }
        let Some(packet) = self.server.wire.pop_front() else { return };
        if let Packet::Note(note) = &packet
            && self.rough
        {
            if self.chance(6) {
                trace!(self, "net: {} cannot be read", note.number);
                self.fault("garbled");
                return self.text("garbage");
            }
            if self.chance(10) {
                self.fault("twice");
                self.arrive(&packet);
            }
        }
        self.arrive(&packet);
    }

    /// A request over HTTPS is answered, refused for its token, or fails before or after it left.
    fn end_https(&mut self, id: HttpId, number: u64) {
        let failed = |phase, not_sent| HttpFailure { phase, not_sent, message: "".into() };
        match self.rng.below(5) {
            0 => {
                self.fault("HTTPS: 401");
                self.open.did_not_run(number);
                self.answer_https(id, 401, r#"{"errorCode":"OAU-123"}"#);
            }
            1 => {
                self.fault("HTTPS: never left");
                self.open.did_not_run(number);
                self.input(Input::HttpFailed { id, failure: failed(Phase::Dns, true) });
            }
            2 => {
                self.fault("HTTPS: no answer");
                self.input(Input::HttpFailed { id, failure: failed(Phase::Response, false) });
            }
            _ => self.answer_https(id, 200, "{}"),
        }
    }

    /// The server takes up the next call. Before it ends a connection it sends all it has.
    fn serve(&mut self) {
        match self.server.inbox.pop_front() {
            Some(Call::Close) => {
                self.arrive_all();
                self.end_socket(Some(1000));
            }
            Some(call) => self.take_up(call),
            None => {}
        }
    }

    fn pass_time(&mut self) {
        let end = self.now + 1000 * self.rng.pick(&[1, 100, 2000, 9000]);
        while self.wake.is_some_and(|at| at <= end) && self.violation.is_none() {
            self.run_timer();
        }
        self.now = end;
    }

    /// The connection ends, by the network or by a word of the server.
    fn lose(&mut self) {
        if !self.server.up || self.live.is_none() {
            return;
        }
        let idle = matches!(self.session.state(), SessionState::Ready { .. }) && self.server.wire.is_empty();
        if self.rough && self.chance(20) && idle {
            self.fault("WSG-902");
            return self.text(r#"[{"type":"Error"},{"errorCode":"WSG-902"}]"#);
        }
        let code = *self.rng.pick(&[None, Some(1001), Some(1006)]);
        self.fault("cut");
        self.end_socket(code);
    }

    fn subscribe(&mut self) {
        let Ok(filters) = Filters::new([format!("/f{}", self.rng.below(3))]) else { return };
        trace!(self, "app: subscribes");
        if !self.asked_for && !self.unsubscribing {
            self.oracle.excuse_pending();
        }
        self.asked_for = true;
        let now = self.time();
        if let Ok(id) = self.session.subscribe(filters, now) {
            self.desired = Some(id);
            self.unsubscribing = false;
            self.drain();
        }
    }

    fn unsubscribe(&mut self) {
        if !self.asked_for || !self.chance(40) {
            return;
        }
        self.fault("unsubscribed");
        self.asked_for = false;
        let now = self.time();
        if self.session.unsubscribe(now).is_ok() {
            self.desired = None;
            self.unsubscribing = true;
        }
        self.drain();
    }

    /// A frame at the very deadline; or a sleep has ended.
    fn deadline_or_wake(&mut self) {
        if self.chance(50) {
            self.fault("sleep");
            if self.chance(10) {
                self.fault("long sleep");
                self.now += LONG;
            }
            return self.input(Input::Resumed);
        }
        if let Some(at) = self.wake {
            self.now = at;
        }
        match self.server.wire.pop_front().filter(|_| self.live.is_some()) {
            Some(packet) => {
                self.fault("frame at a deadline");
                self.arrive(&packet);
            }
            None => self.input(Input::Timeout),
        }
    }

    fn ask_or_recover(&mut self) {
        let now = self.time();
        if self.chance(30) {
            trace!(self, "app: recover");
            // It is refused where there is nothing to recover.
            let _ = self.session.recover(now);
            return self.drain();
        }
        self.requests += 1;
        let number = self.requests;
        let Ok(mut request) = Request::get(format!("/r{number}")).body(Body::empty()) else { return };
        let timeout = *self.rng.pick(&[None, Some(Duration::from_secs(3))]);
        let repeat_if_safe = self.chance(50);
        request.extensions_mut().insert(RequestOptions { repeat_if_safe, timeout, ..RequestOptions::default() });
        if self.chance(20) {
            request.extensions_mut().insert(OverHttps);
        }
        if let Ok(id) = self.session.request(request, now) {
            trace!(self, "app: request {number} is {id}");
            let verdict = self.open.accepted(id, number, repeat_if_safe);
            self.judge(verdict);
            if self.chance(20) {
                self.drain();
                if self.session.cancel(id, now).is_err() {
                    self.judge(violated("contract", "a drained session refused to cancel".to_owned()));
                }
            }
        }
        self.drain();
    }

    /// The process ends in order, or as far as that goes, and another one goes on.
    fn detach(&mut self) {
        self.fault("detached");
        let now = self.time();
        if self.session.close(Close::Detach, now).is_err() {
            self.judge(violated("contract", "a drained session refused to close".to_owned()));
        }
        self.drain();
        for _ in 0..3 {
            if self.live.is_none() || self.session.state() == SessionState::Closed {
                break;
            }
            if self.chance(70) {
                self.arrive_all();
                self.end_socket(Some(1000));
            } else {
                self.end_socket(None);
            }
        }
        self.write_down();
        self.restart();
    }

    fn crash(&mut self) {
        if self.written.is_some() && self.chance(40) {
            self.fault("crash");
            self.restart();
        }
    }

    /// A new process goes on from what is written down, which may be older than the process before it.
    fn restart(&mut self) {
        let Some(Written { snapshot, at, asked_for, desired, confirmed, unsubscribing }) = self.written.clone() else {
            return;
        };
        trace!(self, "process: starts from what was written at {at}");
        self.cut();
        self.login = None;
        self.calls.clear();
        self.known_session = None;
        self.oracle.restarted();
        self.open.clear();
        // The subscription that is written down is desired again, and nothing else.
        (self.asked_for, self.desired, self.confirmed, self.unsubscribing) =
            (asked_for, desired, confirmed, unsubscribing);
        // One that was refused for good, with none confirmed before it, is no subscription either: what a later process
        // asked for and did not write down is not owed.
        if !self.asked_for || self.desired.is_none() && self.confirmed.is_none() && !self.unsubscribing {
            self.oracle.unsubscribed();
        }
        let seed = self.rng.next();
        match self.maker.restore(self.config.clone(), snapshot, seed, clock(self.now)) {
            Ok(session) => self.session = session,
            Err(error) => self.judge(violated("contract", format!("a snapshot cannot be used: {error}"))),
        }
        let now = self.time();
        if self.session.connect(now).is_err() {
            self.judge(violated("contract", "a restored session does not connect".to_owned()));
        }
        self.drain();
    }
}

// The end: all goes well.
impl<M: Maker> DenseRun<M> {
    fn heal(&mut self) {
        trace!(self, "ALL GOES WELL");
        (self.calm, self.rough) = (true, false);
        self.steps_until(HEAL, Self::is_healed);
        if !self.is_healed() {
            let (state, desired, confirmed) = (self.session.state(), self.desired.is_some(), self.confirmed);
            let what = format!(
                "{state:?}, desired: {desired}, confirmed {confirmed:?}, on the server {:?}",
                self.server.subscription
            );
            return self.judge(violated("heal", what));
        }
        self.check_flow();
        self.quiet = true;
        for step in 0..QUIET {
            self.good_step();
            if step % 10 == 0 {
                self.check_flow();
            }
        }
        let verdict = self.open.finish();
        self.judge(verdict);
    }

    /// Connected, and with the subscription that the server has, if one is desired, or without what it unsubscribed
    /// from.
    fn is_healed(&self) -> bool {
        // A session without a handle ends in a gap, however orderly.
        let at_rest = self.server.wire.is_empty() && self.server.inbox.is_empty() && !self.server.nameless;
        let subscribed = self.server.subscription.is_some() && self.server.subscription == self.confirmed;
        let settled = if self.desired.is_some() { subscribed } else { !(self.unsubscribing && subscribed) };
        matches!(self.session.state(), SessionState::Ready { .. }) && at_rest && settled
    }

    /// What is sent comes.
    fn check_flow(&mut self) {
        if self.desired.is_none() {
            return;
        }
        self.notify();
        let number = self.oracle.counts.sent;
        self.steps_until(FLOW, |run| run.oracle.has(number));
        if !self.oracle.has(number) {
            self.judge(violated("flow", format!("{number} did not come")));
        }
    }

    fn steps_until(&mut self, limit: usize, there: impl Fn(&Self) -> bool) {
        for _ in 0..limit {
            if there(self) || self.violation.is_some() {
                return;
            }
            self.good_step();
        }
    }

    /// What can happen at once happens; only then time passes.
    fn good_step(&mut self) {
        self.report.steps += 1;
        if self.session.state() == SessionState::Offline {
            let now = self.time();
            let _ = self.session.recover(now);
            self.drain();
        }
        if self.log_in() {
        } else if let Some(call) = self.calls.pop_front() {
            match call.request {
                Some(_) => self.answer_https(call.id, 200, "{}"),
                None => self.give_token(call.id),
            }
        } else if self.finish_opening() {
        } else if let Some(packet) = self.server.wire.pop_front() {
            self.arrive(&packet);
        } else if !self.server.inbox.is_empty() {
            self.serve();
        } else {
            self.run_timer();
        }
    }
}
