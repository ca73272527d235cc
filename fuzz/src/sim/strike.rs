//! What goes wrong, when, and how it ends.

use std::time::Duration;

use ringcentral_ws_core::{Close, ConnId, Frame, Input, Phase};
use ringcentral_ws_gateway::{ConnectionTimeout, HttpRequest, HttpResponse};

use super::World;
use super::client::Poison;
use super::fault::FaultState;
use super::net::{Alarm, Call, Packet};
use super::plan::Fault;
use crate::http::{http_failure, open_failure};
use crate::subject::{Maker, Subject};
use crate::time::{HOUR, MINUTE, S};
use crate::trace::trace;

impl<M: Maker> World<M> {
    pub(super) fn fault_due(&mut self) {
        self.faults.next = self.now + self.rng.wait(self.plan.fault_every);
        if self.now >= self.plan.calm_at {
            self.faults.next = u64::MAX;
            return;
        }
        let fault = *self.rng.pick(&self.plan.faults);
        let client = self.rng.below(self.clients.len() as u64) as usize;
        if self.clients[client].session.is_none() {
            return;
        }
        trace!(self, "FAULT {} at client {client}", fault.as_str());
        *self.report.faults.entry(fault.as_str()).or_default() += 1;
        for c in &mut self.clients {
            c.faulted_at = Some(self.now);
        }
        self.strike(fault, client);
    }

    /// The faults are over: what they left behind is cleared up.
    pub(super) fn clear_up(&mut self) {
        trace!(self, "the faults are over");
        let FaultState { tokens_fail, tokens_ended, .. } = std::mem::take(&mut self.faults);
        self.faults = FaultState { next: u64::MAX, tokens_fail, tokens_ended, ..FaultState::default() };
        self.plan.lazy = 0;
        self.gateway.overload(503, Duration::ZERO, false, self.now);
        self.gateway.fail_no_more();
        for client in 0..self.clients.len() {
            self.clients[client].faulted_at = Some(self.now);
            self.clients[client].corrupt = 0;
            self.clients[client].duplicate = 0;
            let c = &mut self.clients[client];
            (c.poison, c.crashes_left, c.thefts_left) = (None, 0, 0);
            if let Some(fill) = &mut c.fill {
                (fill.cuts, fill.crashes) = (0, 0);
            }
            self.resume(client, true);
            if self.clients[client].session.is_none() {
                self.start(client);
            }
        }
    }

    fn strike(&mut self, fault: Fault, client: usize) {
        let now = self.now;
        if self.clients[client].suspended && fault.needs_process() {
            return;
        }
        match fault {
            Fault::Reset | Fault::HalfOpen | Fault::Stall | Fault::Offline => self.strike_link(fault, client),
            Fault::ConnectRefused => self.strike_and_cut(client, |w, n| w.refuse = n),
            Fault::UpgradeLost => self.strike_and_cut(client, |w, n| w.lose_upgrade = n),
            Fault::HttpFailed => self.strike_and_cut(client, |w, n| w.http_fails = n),
            Fault::HttpHangs => self.strike_and_cut(client, |w, n| w.http_hangs = n),
            Fault::UpgradeRefused => self.script("/ws", &[401, 403, 429, 500, 503], client),
            Fault::HttpRefused => self.script("/restapi/oauth/wstoken", &[200, 403, 429, 500, 503], client),
            Fault::SubscriptionRefused => {
                self.script("/restapi/v1.0/subscription", &[400, 404, 429, 500, 503], client);
                self.subscribe(client);
                self.drain_or_sip(client);
            }
            Fault::Overload => {
                let status = *self.rng.pick(&[429, 503]);
                let time = self.rng.between(1, 300);
                self.gateway.overload(status, Duration::from_secs(time), self.rng.chance(500), now);
                self.prolong(time * S);
                if self.rng.chance(500) {
                    self.gateway.close_all(1013, "try again later", now);
                }
            }
            Fault::ServerClose => self.gateway.close_all(*self.rng.pick(&[1000, 1001, 1012, 4000]), "bye", now),
            Fault::ServerRestart => self.gateway.restart(now),
            Fault::IdleTimeout => self.gateway.force_timeout(None, ConnectionTimeout::Idle, now),
            Fault::AbsoluteTimeout => self.gateway.force_timeout(None, ConnectionTimeout::Absolute, now),
            Fault::TokenExpiry => {
                self.tokens_end();
                self.gateway.expire_access_tokens(now);
            }
            Fault::LoggedOut => {
                self.tokens_end();
                self.gateway.log_out(client, now);
            }
            Fault::Credentials => {
                let time = self.rng.between(1, 600) * S;
                self.faults.no_credentials_until = now + time;
                self.prolong(time);
                self.gateway.expire_access_tokens(now);
                self.tokens_end();
            }
            Fault::CrashLoop | Fault::PoisonedHandle | Fault::Taken => self.strike_session(fault, client),
            Fault::Burst => (0..self.rng.between(1, 300)).for_each(|_| self.notify()),
            _ if fault.is_for_filling() => self.strike_filling(fault, client),
            _ => self.strike_client(fault, client),
        }
        self.pump();
    }

    /// What comes again and again until something changes.
    fn strike_session(&mut self, fault: Fault, client: usize) {
        match fault {
            Fault::CrashLoop => {
                self.clients[client].crashes_left = self.rng.between(4, 8) as u32;
                self.process_ends(client);
            }
            Fault::PoisonedHandle => {
                let poison = *self.rng.pick(&[Poison::Breaks, Poison::Refused]);
                self.clients[client].poison.get_or_insert((poison, 0));
                self.strike_link(Fault::Reset, client);
            }
            Fault::Taken => {
                self.clients[client].thefts_left = self.rng.between(1, 4) as u32;
                self.take_session(client);
            }
            _ => {}
        }
    }

    pub(super) fn tokens_end(&mut self) {
        self.faults.tokens_fail = true;
        self.faults.tokens_ended.push(self.now);
    }

    /// Another client opens the same session: it is closed here, and what is sent meanwhile goes there. Only a session
    /// with a live connection is taken: of one without, the other client would get all that waits for it, and what
    /// waits is the model's to lose.
    fn take_session(&mut self, client: usize) {
        let live = self.clients[client].link.map(|link| &self.net.links[link]);
        if !live.is_some_and(|l| l.echoed && !l.dead && !l.server_ended) || self.clients[client].thefts_left == 0 {
            return;
        }
        trace!(self, "server: another client takes the session of client {client}");
        self.prolong(MINUTE);
        let c = &mut self.clients[client];
        c.thefts_left -= 1;
        c.theft = true;
        self.gateway.close_all(*self.rng.pick(&[1000, 1001, 4000]), "taken", self.now);
        self.pump();
        for _ in 0..3 {
            let soon = self.rng.below(4 * S);
            self.alarm_at(client, soon, Alarm::Notify);
        }
    }

    /// The fault lasts: it explains what comes up to its end.
    fn prolong(&mut self, time: u64) {
        for c in &mut self.clients {
            c.faulted_at = Some(self.now + time);
        }
    }

    /// Something fails when next tried, and then it is tried.
    fn strike_and_cut(&mut self, client: usize, set: impl Fn(&mut FaultState, u32)) {
        let count = self.rng.between(1, 8) as u32;
        set(&mut self.faults, count);
        if self.rng.chance(800) {
            self.strike_link(Fault::Reset, client);
        }
    }

    /// The next calls of a path get one of these answers.
    fn script(&mut self, path: &str, statuses: &[u16], client: usize) {
        for _ in 0..self.rng.between(1, 4) {
            if self.faults.scripted >= 6 {
                break;
            }
            self.faults.scripted += 1;
            let status = *self.rng.pick(statuses);
            let mut response = HttpResponse::new(status, if status == 200 { "<html>" } else { "" });
            if matches!(status, 429 | 503) && self.rng.chance(500) {
                response = response.header("Retry-After", &self.rng.between(0, 90).to_string());
            }
            self.gateway.fail_next(path, response);
        }
        if self.rng.chance(800) {
            self.strike_link(Fault::Reset, client);
        }
    }

    pub(super) fn strike_link(&mut self, fault: Fault, client: usize) {
        let time = self.rng.between(1, 400) * S;
        match (fault, self.clients[client].link) {
            (Fault::Reset, Some(link)) => {
                self.net.links[link].dead = true;
                let (near, far) = (self.delay(), self.rng.below(2 * S));
                self.net.push(self.now + near, Packet::ResetToClient { link });
                self.net.push(self.now + far, Packet::ResetToServer { link });
            }
            (Fault::HalfOpen, Some(link)) => self.net.links[link].dead = true,
            (Fault::Stall, Some(link)) => {
                let time = time.min(60 * S);
                let l = &mut self.net.links[link];
                l.to_client_last = l.to_client_last.max(self.now + time);
                l.to_server_last = l.to_server_last.max(self.now + time);
                let oracle = &mut self.clients[client].oracle;
                oracle.latency = oracle.latency.max(time * 2);
            }
            (Fault::Offline, link) => {
                if let Some(link) = link {
                    self.net.links[link].dead = true;
                }
                self.faults.offline_until = self.now + time;
                self.prolong(time);
                self.net.push(self.now + time, Packet::Online);
                if self.rng.chance(500) && !self.clients[client].suspended {
                    self.input(client, Input::NetworkChanged { online: false });
                }
            }
            _ => {}
        }
    }

    fn strike_client(&mut self, fault: Fault, client: usize) {
        let time = self.rng.between(1, 400) * S;
        let conn = self.clients[client].link.map(|link| self.net.links[link].conn);
        match fault {
            Fault::ClockBack => self.clients[client].clock_back = time,
            Fault::Suspend => {
                self.clients[client].suspended = true;
                (self.clients[client].wake, self.clients[client].fill_at) = (u64::MAX, u64::MAX);
                let time = if self.rng.chance(100) { time * 20 } else { time };
                self.prolong(time);
                // A timer that is late shows a driver that the process was away.
                let shows = self.plan.fill.is_some() && time > 40 * S;
                let noticed = self.rng.chance(800) || shows;
                if !noticed {
                    let oracle = &mut self.clients[client].oracle;
                    oracle.latency = oracle.latency.max(time * 2);
                }
                self.alarm_at(client, time, Alarm::Resume { noticed });
            }
            Fault::SlowConsumer => {
                self.clients[client].not_reading = true;
                let oracle = &mut self.clients[client].oracle;
                oracle.latency = oracle.latency.max(time * 2);
                self.prolong(time);
                self.alarm_at(client, time, Alarm::Read);
            }
            Fault::Crash => self.process_ends(client),
            Fault::Detach | Fault::Revoke => self.close(client, fault == Fault::Revoke),
            Fault::SendBlocked => {
                if let Some(conn) = conn {
                    self.input(client, Input::SendBlocked { conn });
                    self.alarm_at(client, time / 10, Alarm::SendReady);
                }
            }
            Fault::Garbage => {
                if let Some(link) = self.clients[client].link.filter(|link| !self.net.links[*link].dead) {
                    let conn = self.net.links[link].conn;
                    for _ in 0..*self.rng.pick(&[1, 1, 2, 20]) {
                        self.garbage(client, conn);
                    }
                }
            }
            Fault::Corrupt => self.clients[client].corrupt = self.rng.between(1, 3) as u32,
            Fault::Duplicate => {
                self.clients[client].duplicate = self.rng.between(1, 5) as u32;
                self.gateway.duplicate_next(2);
            }
            Fault::NetworkHint => {
                let online = self.rng.chance(700);
                self.input(client, Input::NetworkChanged { online });
            }
            _ => {}
        }
    }

    pub(super) fn alarm_at(&mut self, client: usize, time: u64, alarm: Alarm) {
        let life = self.clients[client].life;
        self.net.push(self.now + time, Packet::Alarm { client, life, alarm });
    }

    fn close(&mut self, client: usize, revoke: bool) {
        let c = &mut self.clients[client];
        if c.app.closing || c.suspended {
            return;
        }
        let now = c.time(self.now);
        let mode = if revoke { Close::Revoke } else { Close::Detach };
        let Some(session) = &mut c.session else { return };
        if session.close(mode, now).is_ok() {
            trace!(self, "{client}: app closes {mode:?}");
            c.app.closing = true;
            c.revoking = revoke;
            if revoke {
                // A process that is killed before the end finds its subscription in what it had written down.
                (c.app.subscribed, c.app.confirmed) = (false, false);
                c.oracle.unsubscribed();
            }
        }
        self.drain_or_sip(client);
    }

    fn garbage(&mut self, client: usize, conn: ConnId) {
        let frame = match self.rng.below(6) {
            0 => Frame::Text(""),
            1 => Frame::Text("<html>502 Bad Gateway</html>"),
            2 => Frame::Text("[{\"type\":\"ServerNotification\",\"messageId\":\"1\"},{\"uuid\":"),
            3 => Frame::Binary(&[0, 1, 2]),
            4 => Frame::TooLarge(1 << 30),
            _ => Frame::Text("[{\"type\":\"SomethingNew\"},{}]"),
        };
        self.input(client, Input::Frame { conn, frame });
    }

    /// A frame that arrived damaged.
    pub(super) fn spoiled_frame(&mut self, client: usize, conn: ConnId, text: &str) {
        trace!(self, "{client}: the frame arrived damaged");
        let mut end = self.rng.below(text.len() as u64) as usize;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.input(client, Input::Frame { conn, frame: Frame::Text(&text[..end]) });
    }

    pub(super) fn downtime(&mut self) -> u64 {
        let calm = self.now >= self.plan.calm_at;
        let times = if calm { &[1, S] } else { &[S, 10 * S] };
        let long = if calm { &[S, S] } else { &[2 * MINUTE, HOUR] };
        if self.rng.chance(250) { *self.rng.pick(long) } else { *self.rng.pick(times) }
    }

    /// The client connects.
    pub(super) fn dial(&mut self, link: usize, target: String) {
        let at = self.now + 3 * self.delay();
        let phases = [Phase::Dns, Phase::Tcp, Phase::Tls];
        let offline = self.now < self.faults.offline_until;
        if offline || self.faults.refuse > 0 {
            self.faults.refuse = self.faults.refuse.saturating_sub(u32::from(!offline));
            self.net.links[link].dead = true;
            self.explain(self.net.links[link].client);
            let phase = *self.rng.pick(&phases);
            // One of them hangs until the deadline of the attempt.
            if !self.rng.chance(200) {
                self.net.push(at, Packet::OpenFailed { link, failure: Box::new(open_failure(phase)) });
            }
            return;
        }
        let answer_lost = self.faults.lose_upgrade > 0;
        self.faults.lose_upgrade = self.faults.lose_upgrade.saturating_sub(1);
        if answer_lost {
            self.explain(self.net.links[link].client);
        }
        self.net.push(at, Packet::OpenArrives { link, target, answer_lost });
    }

    /// The client calls over HTTPS.
    pub(super) fn post(&mut self, to: Call, request: HttpRequest) {
        let at = self.now + self.delay();
        let w = &mut self.faults;
        let offline = self.now < w.offline_until;
        if w.http_hangs > 0 {
            w.http_hangs -= 1;
            return self.explain(to.client);
        }
        if offline || w.http_fails > 0 {
            self.explain(to.client);
            let w = &mut self.faults;
            w.http_fails = w.http_fails.saturating_sub(u32::from(!offline));
            match self.rng.below(3) {
                1 if !offline => {
                    self.net.push(at, Packet::HttpArrives { to, request: Box::new(request), answer_lost: true })
                }
                _ => {
                    let result = Box::new(Err(http_failure(Phase::Tcp, true)));
                    self.net.push(at, Packet::HttpDone { to, result });
                }
            }
            return;
        }
        self.net.push(at, Packet::HttpArrives { to, request: Box::new(request), answer_lost: false });
    }

    pub(super) fn online(&mut self) {
        for client in 0..self.clients.len() {
            if !self.clients[client].suspended && self.rng.chance(500) {
                self.input(client, Input::NetworkChanged { online: true });
            }
        }
    }

    pub(super) fn alarm(&mut self, client: usize, alarm: Alarm) {
        match alarm {
            Alarm::Drain => self.drain_or_sip(client),
            Alarm::Resume { noticed } => self.resume(client, noticed),
            Alarm::Read => self.read(client),
            Alarm::Start if self.clients[client].session.is_some() => {}
            Alarm::Start => self.start(client),
            Alarm::Recover => {
                self.recover(client);
                self.drain_or_sip(client);
            }
            Alarm::Subscribe => {
                if !self.clients[client].app.closing {
                    self.subscribe(client);
                    self.drain_or_sip(client);
                }
            }
            Alarm::Crash => self.process_ends(client),
            Alarm::Notify => self.notify(),
            Alarm::Cut => {
                self.clients[client].faulted_at = self.clients[client].faulted_at.max(Some(self.now));
                self.strike_link(Fault::Reset, client);
            }
            Alarm::Take => self.take_session(client),
            Alarm::SendReady => {
                if let Some(link) = self.clients[client].link {
                    let conn = self.net.links[link].conn;
                    self.input(client, Input::SendReady { conn });
                }
            }
        }
    }

    /// The process wakes up: first it gets `Resumed`, then it reads what waited.
    fn resume(&mut self, client: usize, noticed: bool) {
        let c = &mut self.clients[client];
        c.not_reading = false;
        if std::mem::take(&mut c.suspended) {
            c.wakes();
            c.faulted_at = Some(self.now);
            if noticed {
                self.input(client, Input::Resumed);
            }
            self.read_inbox(client);
            let c = &mut self.clients[client];
            if c.session.is_some() && c.wake == u64::MAX {
                c.wake = self.now;
            }
            if c.session.is_some() && c.fill.is_some() {
                c.fill_at = self.now;
            }
        }
        self.read_inbox(client);
    }

    fn read(&mut self, client: usize) {
        self.clients[client].not_reading = false;
        self.read_inbox(client);
    }

    fn read_inbox(&mut self, client: usize) {
        if self.clients[client].suspended {
            return;
        }
        while let Some(packet) = self.clients[client].inbox.pop_front() {
            self.deliver(packet);
        }
    }
}
