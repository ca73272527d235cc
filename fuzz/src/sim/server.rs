//! The far end: packets that arrive, the gateway's answers, and what becomes of what was under way.

use ringcentral_ws_core::{AccessToken, AuthFailure, AuthFailureKind, Frame, HttpFailure, Input, OpenFailure, Phase};
use ringcentral_ws_gateway::{FrameKind, GatewayOutput, HttpRequest, HttpResponse, LossCause, Upgrade};

use super::World;
use super::client::{App, Login, Poison};
use super::filling::Stored;
use super::net::{Alarm, Call, Packet};
use super::pacing::AuthCall;
use crate::http::{from_gateway, http_failure, open_failure};
use crate::oracle::violated;
use crate::subject::Maker;
use crate::time::S;
use crate::trace::trace;

const CLIENT_AUTH: &str = "Basic Z2F0ZXdheS1jbGllbnQtaWQ6Z2F0ZXdheS1jbGllbnQtc2VjcmV0";

impl<M: Maker> World<M> {
    /// Carries out the gateway's orders.
    pub(super) fn pump(&mut self) {
        self.read_events();
        while let Some(output) = self.gateway.poll() {
            let (GatewayOutput::Send { conn, .. }
            | GatewayOutput::Ping { conn }
            | GatewayOutput::Close { conn, .. }
            | GatewayOutput::Reset { conn }) = &output;
            let link = *conn as usize - 1;
            let l = &mut self.net.links[link];
            if let GatewayOutput::Send { kind: FrameKind::Notification { uuid }, .. } = &output
                && self.clients[l.client].stolen.contains(uuid)
            {
                continue;
            }
            l.server_ended |= matches!(output, GatewayOutput::Close { .. } | GatewayOutput::Reset { .. });
            if l.dead || !l.client_open {
                if let GatewayOutput::Send { kind, .. } = &output {
                    l.frames_lost = true;
                    if let FrameKind::Notification { uuid } = kind {
                        l.undelivered.push(*uuid);
                    }
                }
                continue;
            }
            let packet = match output {
                GatewayOutput::Send { text, kind, .. } => {
                    let uuid = if let FrameKind::Notification { uuid } = kind { uuid } else { 0 };
                    Packet::ToClient { link, text, uuid }
                }
                GatewayOutput::Ping { .. } => Packet::Ping { link },
                GatewayOutput::Close { code, .. } => Packet::CloseToClient { link, code },
                GatewayOutput::Reset { .. } => Packet::ResetToClient { link },
            };
            let at = self.now + self.delay();
            self.net.send_to_client(link, at, packet);
        }
    }

    /// The client a packet is for, and whether it comes through a socket.
    fn addressee(&self, packet: &Packet) -> Option<(usize, bool)> {
        match packet {
            Packet::ToClient { link, .. }
            | Packet::Ping { link }
            | Packet::CloseToClient { link, .. }
            | Packet::ResetToClient { link } => Some((self.net.links[*link].client, true)),
            Packet::Opened { link } | Packet::OpenFailed { link, .. } => Some((self.net.links[*link].client, false)),
            Packet::HttpDone { to, .. } => Some((to.client, false)),
            Packet::AuthDone { client, .. } => Some((*client, false)),
            Packet::Alarm { alarm: Alarm::Resume { .. } | Alarm::Read, .. } => None,
            Packet::Alarm { client, .. } => Some((*client, false)),
            _ => None,
        }
    }

    pub(super) fn deliver(&mut self, packet: Packet) {
        if let Some((client, by_socket)) = self.addressee(&packet) {
            let c = &mut self.clients[client];
            if c.suspended || c.not_reading && by_socket {
                return c.inbox.push_back(packet);
            }
        }
        match packet {
            Packet::ToServer { link, text } => self.server_text(link, text),
            Packet::ToClient { link, text, uuid } => self.socket_text(link, &text, uuid),
            Packet::Ping { link } => self.ping(link),
            Packet::Pong { link } => {
                if !self.net.links[link].dead {
                    self.gateway.ws_pong(link as u64 + 1, self.now);
                    self.pump();
                }
            }
            Packet::CloseToClient { link, code } => {
                if !self.net.links[link].dead {
                    self.socket_closed(link, Some(code));
                }
            }
            Packet::CloseToServer { link } => {
                if !self.net.links[link].dead {
                    let at = self.now + self.delay();
                    self.net.send_to_client(link, at, Packet::CloseToClient { link, code: 1000 });
                }
            }
            Packet::ResetToClient { link } => self.socket_closed(link, None),
            Packet::ResetToServer { link } => self.settle(link),
            Packet::OpenArrives { link, target, answer_lost } => self.upgrade(link, &target, answer_lost),
            Packet::Opened { link } => {
                if self.is_live(link) && !self.net.links[link].dead {
                    let l = &self.net.links[link];
                    let (client, conn) = (l.client, l.conn);
                    self.input(client, Input::Opened { conn });
                }
            }
            Packet::OpenFailed { link, failure } => self.open_failed(link, *failure),
            Packet::HttpArrives { to, request, answer_lost } => self.serve(to, &request, answer_lost),
            Packet::HttpDone { to, result } => self.http_done(to, *result),
            Packet::AuthDone { client, life, id, fails } => {
                if self.clients[client].life == life {
                    self.auth_done(client, id, fails);
                }
            }
            Packet::Alarm { client, life, alarm } => {
                if self.clients[client].life == life {
                    self.alarm(client, alarm);
                }
            }
            Packet::Online => self.online(),
        }
    }

    fn server_text(&mut self, link: usize, text: String) {
        let l = &self.net.links[link];
        if l.dead || !l.server_knows {
            return;
        }
        let client = l.client;
        if let Some(number) = number_in(&text) {
            let verdict = self.clients[client].requests.may_run(number);
            self.judge(verdict);
        }
        self.gateway.ws_text(link as u64 + 1, text, self.now);
        self.pump();
    }

    fn ping(&mut self, link: usize) {
        if !self.is_live(link) || self.net.links[link].dead {
            return;
        }
        let (client, conn) = (self.net.links[link].client, self.net.links[link].conn);
        let at = self.now + self.delay();
        self.net.send_to_server(link, at, Packet::Pong { link });
        self.input(client, Input::Frame { conn, frame: Frame::Control });
    }

    /// An upgrade request arrived.
    fn upgrade(&mut self, link: usize, target: &str, answer_lost: bool) {
        let l = &self.net.links[link];
        if l.dead || !l.client_open {
            return;
        }
        let client = l.client;
        for older in 0..link {
            if self.net.links[older].client == client {
                self.settle(older);
            }
        }
        self.clients[client].theft = false;
        let at = self.now + self.delay();
        let poison = self.clients[client].poison.filter(|_| target.contains("wsc=") && !answer_lost);
        if let Some((poison, _)) = poison {
            self.net.links[link].poisoned = true;
            if poison == Poison::Refused {
                let c = &mut self.clients[client];
                c.faulted_at = c.faulted_at.max(Some(self.now));
                let status = Some(*self.rng.pick(&[400, 404, 500]));
                let failure = Box::new(OpenFailure { status, ..open_failure(Phase::Response) });
                return self.net.push(at, Packet::OpenFailed { link, failure });
            }
        }
        let upgrade = self.gateway.ws_open(link as u64 + 1, target, None, self.now);
        match upgrade {
            _ if answer_lost => {
                self.net.links[link].server_knows = true;
                self.net.links[link].dead = true;
                let failure = Box::new(open_failure(Phase::Response));
                self.net.push(at, Packet::OpenFailed { link, failure });
                self.net.push(at, Packet::ResetToServer { link });
            }
            Upgrade::Accepted => {
                self.net.links[link].server_knows = true;
                self.net.send_to_client(link, at, Packet::Opened { link });
            }
            Upgrade::Refused(response) => {
                self.net.links[link].poisoned = false;
                self.explain(client);
                let after = response.get("Retry-After").and_then(|text| text.parse().ok());
                let retry_after = after.map(std::time::Duration::from_secs);
                let failure =
                    OpenFailure { status: Some(response.status), retry_after, ..open_failure(Phase::Response) };
                self.net.push(at, Packet::OpenFailed { link, failure: Box::new(failure) });
            }
        }
        self.pump();
    }

    /// The server learns that the connection is gone, and what never arrived on it.
    pub(super) fn settle(&mut self, link: usize) {
        let l = &mut self.net.links[link];
        if !l.server_knows {
            return;
        }
        l.server_knows = false;
        let mut undelivered = std::mem::take(&mut l.undelivered);
        if self.net.under_way(link, &mut undelivered) {
            self.net.links[link].frames_lost = true;
        }
        for packet in &self.clients[self.net.links[link].client].inbox {
            if let Packet::ToClient { link: of, uuid, .. } = packet
                && *of == link
                && *uuid != 0
            {
                undelivered.push(*uuid);
            }
        }
        self.net.links[link].dead = true;
        if undelivered.is_empty() {
            self.gateway.ws_closed(link as u64 + 1, self.now);
        } else {
            trace!(self, "server: {undelivered:?} never arrived");
            self.gateway.ws_lost(link as u64 + 1, &undelivered, self.now);
        }
        self.pump();
    }

    pub(super) fn note_lost(&mut self, session: u64, uuids: &[u64], cause: LossCause) {
        // Behind what the server sends again, the hole that an overflow left is not at the beginning of the replay,
        // and no client can know where it is.
        let hidden = cause == LossCause::Overflow && self.plan.gateway.replay_sent_tail > 0;
        if (cause == LossCause::Undelivered || hidden)
            && let Some((client, _)) = self.sessions.get(&session)
        {
            uuids.iter().for_each(|uuid| self.clients[*client].oracle.excuse(*uuid));
        }
    }

    fn serve(&mut self, to: Call, request: &HttpRequest, answer_lost: bool) {
        let (response, delay) = self.gateway.http_delayed(request, self.now);
        if let Some(number) = request.get("x-number").and_then(|number| number.parse().ok())
            && response.status != 401
            && self.clients[to.client].life == to.life
        {
            let verdict = self.clients[to.client].requests.may_run(number);
            self.judge(verdict);
        }
        self.pump();
        if answer_lost || response.status >= 400 {
            self.explain(to.client);
        }
        let at = self.now + delay + self.delay();
        let result = if answer_lost { Err(http_failure(Phase::Response, false)) } else { Ok(response) };
        self.net.push(at, Packet::HttpDone { to, result: Box::new(result) });
    }

    /// A fault took effect now, perhaps long after it was planned.
    pub(super) fn explain(&mut self, client: usize) {
        self.faults.scripted = self.faults.scripted.saturating_sub(1);
        let c = &mut self.clients[client];
        c.faulted_at = c.faulted_at.max(Some(self.now));
    }

    fn http_done(&mut self, to: Call, result: Result<HttpResponse, HttpFailure>) {
        let c = &mut self.clients[to.client];
        if c.life != to.life || !c.calls.remove(&to.id) {
            return;
        }
        trace!(self, "{}: http {} done {:?}", to.client, to.id, result.as_ref().map(|r| r.status));
        if result.as_ref().is_err_and(|failure| failure.not_sent) {
            self.clients[to.client].pacing.never_left(AuthCall::Token(to.id));
        }
        match result {
            Err(failure) => self.input(to.client, Input::HttpFailed { id: to.id, failure }),
            Ok(answer) => match from_gateway(answer) {
                Ok(response) => self.input(to.client, Input::HttpResponse { id: to.id, response: Box::new(response) }),
                Err(error) => self.judge(violated("simulator", format!("not a response: {error}"))),
            },
        }
    }

    fn auth_done(&mut self, client: usize, id: ringcentral_ws_core::AuthId, fails: bool) {
        if fails {
            let mut failure = AuthFailure::transient("simulated");
            if self.rng.chance(300) {
                failure.kind = AuthFailureKind::Network { phase: Phase::Tcp, not_sent: true };
                self.clients[client].pacing.never_left(AuthCall::Login(id));
            }
            return self.input(client, Input::AuthorizeFailed { id, failure });
        }
        let refresh = self.clients[client].login.as_ref().and_then(|login| login.refresh.clone());
        let login = match refresh.and_then(|token| self.refresh(&token)) {
            Some(login) => login,
            None => {
                // A new login is another OAuth session: the WebSocket session is lost with the old one.
                self.clients[client].faulted_at = Some(self.now);
                let Some(login) = self.gateway.login(client, self.now) else { return };
                Login { access: login.access_token, refresh: login.refresh_token }
            }
        };
        self.pump();
        let secret = login.access.as_str().into();
        let expires_in = Some(self.plan.gateway.oauth.access_token_lifetime);
        self.clients[client].login = Some(login);
        self.input(client, Input::Authorized { id, token: AccessToken { secret, expires_in, cached: false } });
    }

    fn refresh(&mut self, token: &str) -> Option<Login> {
        // Tokens are of an alphabet that needs no escapes, here and in the answer.
        let body = ["grant_type=refresh_token&refresh_token=", token].concat();
        let request = HttpRequest::new("POST", "/restapi/oauth/token").header("Authorization", CLIENT_AUTH);
        let answer = self.gateway.http(&request.with_body(body), self.now);
        let field = |name: &str| Some(answer.text().split_once(name)?.1.split_once('"')?.0.to_owned());
        let access = field("\"access_token\":\"").filter(|_| answer.status == 200)?;
        Some(Login { access, refresh: field("\"refresh_token\":\"") })
    }

    /// A process is gone, for whatever reason; its sockets go with it.
    pub(super) fn process_ends(&mut self, client: usize) {
        let c = &mut self.clients[client];
        let link = c.link;
        let mark = c.published.as_ref().map(|published| published.mark.clone());
        if mark.is_none() {
            c.app = App::default();
        }
        // Before the inbox is emptied: what lies in it never arrived.
        if let Some(link) = link {
            self.hang_up(link);
        }
        // Also on a connection that was dropped before, of which the server has not heard yet.
        for packet in std::mem::take(&mut self.clients[client].inbox) {
            if let Packet::ToClient { link, uuid, .. } = packet
                && uuid != 0
            {
                self.net.links[link].undelivered.push(uuid);
            }
        }
        let c = &mut self.clients[client];
        c.end();
        if let Some(fill) = &mut c.fill {
            let published = c.published.as_ref();
            let subscribed = published.is_some_and(|published| published.snapshot.filters().is_some());
            fill.ends(published.and_then(|published| published.fill.as_ref()).map(Stored::mark), subscribed);
        }
        c.oracle.crash(mark);
        let downtime = if self.clients[client].crashes_left > 0 { S / 10 } else { self.downtime() };
        self.alarm_in(client, downtime, Alarm::Start);
    }
}

/// The number of the application's request in a frame.
fn number_in(text: &str) -> Option<u64> {
    if text.len() < 100 {
        return None;
    }
    text.split_once("\"x-number\":\"")?.1.split_once('"')?.0.parse().ok()
}
