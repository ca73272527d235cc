//! The network between the process and the gateway, and the gateway's side of it.

use ringcentral_ws_core::{Action, CloseInfo, ConnId, Frame, HttpFailure, HttpId, Input, OpenFailure, Phase};
use ringcentral_ws_gateway::{FrameKind, GatewayEvent, GatewayOutput, HttpRequest, HttpResponse, Recovery, Upgrade};

use super::{DELAY, World};
use crate::http::{from_gateway, http_failure, open_failure, to_gateway};
use crate::oracle::violated;
use crate::subject::Maker;
use crate::time::S;
use crate::trace::trace;

pub(super) const TOKEN: &str = "/restapi/oauth/token";

/// On the way.
pub(super) enum Packet {
    Call { to: To, request: Box<HttpRequest> },
    Answer { to: To, result: Box<Result<HttpResponse, HttpFailure>> },
    Open { link: usize, target: String },
    Opened { link: usize },
    OpenFailed { link: usize, failure: Box<OpenFailure> },
    ToServer { link: usize, text: String },
    ToClient { link: usize, text: String, uuid: u64 },
    CloseToServer { link: usize },
    ClosedToClient { link: usize, code: Option<u16> },
    GoneToServer { link: usize },
    Start,
}

/// Who waits for an HTTP answer: the session, or without an id the login.
#[derive(Clone, Copy)]
pub(super) struct To {
    pub(super) client: usize,
    pub(super) life: u32,
    pub(super) id: Option<HttpId>,
}

/// A connection; its number at the gateway is one more than its index.
pub(super) struct Link {
    pub(super) client: usize,
    pub(super) conn: ConnId,
    /// The client holds its end.
    open: bool,
    server_knows: bool,
    /// Nothing that is sent arrives.
    dead: bool,
    undelivered: Vec<u64>,
}

/// A WebSocket session of the server.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerSession {
    pub(super) client: usize,
    pub(super) subscription: Option<u32>,
    pub(super) oauth: Option<u64>,
    /// When its socket was lost.
    pub(super) detached_at: Option<u64>,
    /// The server forgot it before its time.
    pub(super) forgotten: bool,
}

impl<M: Maker> World<M> {
    pub(super) fn act(&mut self, client: usize, action: Action) {
        let life = self.life;
        match action {
            Action::Authorize { id, reason, .. } => self.authorize(client, id, reason),
            Action::Http { id, request, .. } => {
                self.clients[client].calls.insert(id);
                let (to, request) = (To { client, life, id: Some(id) }, Box::new(to_gateway(&request)));
                self.push(self.now + DELAY, Packet::Call { to, request });
            }
            Action::AbortHttp { id } => drop(self.clients[client].calls.remove(&id)),
            Action::Open { conn, url } => {
                let target = format!("{}?{}", url.expose().path(), url.expose().query().unwrap_or_default());
                trace!(self, "{client}: opens {conn}{}", if target.contains("wsc=") { " with wsc" } else { "" });
                let undelivered = Vec::new();
                self.links.push(Link { client, conn, open: true, server_knows: false, dead: false, undelivered });
                let link = self.links.len() - 1;
                self.clients[client].link = Some(link);
                self.push(self.now + DELAY, Packet::Open { link, target });
            }
            Action::Send { conn, text, .. } | Action::Resubscribe { conn, text } => {
                if let Some(link) = self.link_of(client, conn) {
                    self.push(self.now + DELAY, Packet::ToServer { link, text });
                }
            }
            Action::Close { conn, .. } => {
                if let Some(link) = self.link_of(client, conn) {
                    self.push(self.now + DELAY, Packet::CloseToServer { link });
                }
            }
            Action::Drop { conn } => {
                trace!(self, "{client}: drops {conn}");
                if let Some(link) = self.link_of(client, conn) {
                    self.hang_up(link);
                }
            }
        }
    }

    /// The client forgets its end.
    pub(super) fn hang_up(&mut self, link: usize) {
        let l = &mut self.links[link];
        l.open = false;
        let (client, dead) = (l.client, l.dead);
        self.clients[client].link = None;
        if !dead {
            self.push(self.now + DELAY, Packet::GoneToServer { link });
        }
    }

    /// Nothing passes on any connection any more. The client notices at once, or must find out; the server finds out.
    pub(super) fn cut(&mut self, noticed: bool) {
        for link in 0..self.links.len() {
            let l = &mut self.links[link];
            if l.dead || !l.open {
                continue;
            }
            l.dead = true;
            if noticed {
                self.push(self.now + DELAY, Packet::ClosedToClient { link, code: None });
            }
            let late = self.rng.between(DELAY, 60 * S);
            self.push(self.now + late, Packet::GoneToServer { link });
        }
    }

    pub(super) fn deliver(&mut self, packet: Packet) {
        match packet {
            Packet::Call { to, request } => self.serve(to, &request),
            Packet::Answer { to, result } => self.answered(to, *result),
            Packet::Open { link, target } => self.upgrade(link, &target),
            Packet::Opened { link } if self.is_up(link) => {
                let (client, conn) = (self.links[link].client, self.links[link].conn);
                self.input(client, Input::Opened { conn });
            }
            Packet::OpenFailed { link, failure } if self.links[link].open => {
                let (client, conn) = (self.links[link].client, self.links[link].conn);
                self.links[link].open = false;
                self.clients[client].link = None;
                self.input(client, Input::OpenFailed { conn, failure: *failure });
            }
            Packet::ToServer { link, text } if !self.links[link].dead && self.links[link].server_knows => {
                self.gateway.ws_text(link as u64 + 1, text, self.now);
                self.pump();
            }
            Packet::ToClient { link, text, uuid } => {
                if !self.is_up(link) {
                    return self.links[link].undelivered.extend((uuid != 0).then_some(uuid));
                }
                let (client, conn) = (self.links[link].client, self.links[link].conn);
                self.input(client, Input::Frame { conn, frame: Frame::Text(&text) });
            }
            Packet::CloseToServer { link } if !self.links[link].dead => {
                self.push(self.now + DELAY, Packet::ClosedToClient { link, code: Some(1000) });
            }
            Packet::ClosedToClient { link, code } => {
                self.settle(link);
                if self.links[link].open {
                    let (client, conn) = (self.links[link].client, self.links[link].conn);
                    trace!(self, "{client}: {conn} closed with {code:?}");
                    self.links[link].open = false;
                    self.clients[client].link = None;
                    self.input(client, Input::Closed { conn, close: CloseInfo { code, reason: "".into() } });
                }
            }
            Packet::GoneToServer { link } => self.settle(link),
            Packet::Start => self.start(),
            Packet::Opened { .. }
            | Packet::OpenFailed { .. }
            | Packet::ToServer { .. }
            | Packet::CloseToServer { .. } => {}
        }
    }

    fn is_up(&self, link: usize) -> bool {
        self.links[link].open && !self.links[link].dead
    }

    fn serve(&mut self, to: To, request: &HttpRequest) {
        let is_token = request.target.starts_with(TOKEN);
        if is_token {
            self.check_login(to.client, request);
        }
        let (result, by_fault) = if self.now < self.faults.offline_until {
            (Err(http_failure(Phase::Tcp, true)), true)
        } else if let Some(answer) = self.faults.token_answer(request, self.now) {
            (Ok(answer), true)
        } else {
            self.serving = Some(to.client);
            let answer = self.gateway.http(request, self.now);
            self.pump();
            self.serving = None;
            (Ok(answer), false)
        };
        let status = result.as_ref().map_or(0, |answer| answer.status);
        let lost = is_token && status == 200 && std::mem::take(&mut self.faults.lose_answer);
        if is_token {
            self.token_call_served(to, status, lost, by_fault);
        }
        let result = Box::new(if lost { Err(http_failure(Phase::Response, false)) } else { result });
        self.push(self.now + DELAY, Packet::Answer { to, result });
    }

    fn answered(&mut self, to: To, result: Result<HttpResponse, HttpFailure>) {
        if to.life != self.life || self.clients[to.client].session.is_none() {
            return self.token_answer_missed(to, result.map_or(0, |answer| answer.status));
        }
        let answer = result.map(|answer| from_gateway(answer).unwrap_or_default());
        let Some(id) = to.id else { return self.token_call_done(to.client, answer) };
        if !self.clients[to.client].calls.remove(&id) {
            return;
        }
        match answer {
            Ok(response) => self.input(to.client, Input::HttpResponse { id, response: response.into() }),
            Err(failure) => self.input(to.client, Input::HttpFailed { id, failure }),
        }
    }

    fn upgrade(&mut self, link: usize, target: &str) {
        let client = self.links[link].client;
        if !self.is_up(link) {
            return;
        }
        if self.now < self.faults.offline_until {
            let failure = Box::new(open_failure(Phase::Tcp));
            return self.push(self.now + DELAY, Packet::OpenFailed { link, failure });
        }
        for older in 0..link {
            if self.links[older].client == client {
                self.settle(older);
            }
        }
        match self.gateway.ws_open(link as u64 + 1, target, None, self.now) {
            Upgrade::Accepted => {
                self.links[link].server_knows = true;
                self.push(self.now + DELAY, Packet::Opened { link });
            }
            Upgrade::Refused(response) => {
                let failure = OpenFailure { status: Some(response.status), ..open_failure(Phase::Response) };
                self.push(self.now + DELAY, Packet::OpenFailed { link, failure: Box::new(failure) });
            }
        }
        self.pump();
    }

    /// The server learns that the connection is gone, and what never arrived on it.
    fn settle(&mut self, link: usize) {
        let l = &mut self.links[link];
        l.dead = true;
        if !std::mem::take(&mut l.server_knows) {
            return;
        }
        let mut undelivered = std::mem::take(&mut l.undelivered);
        undelivered.extend(self.packets.iter().filter_map(|packet| match packet {
            Packet::ToClient { link: of, uuid, .. } if *of == link && *uuid != 0 => Some(*uuid),
            _ => None,
        }));
        undelivered.sort_unstable();
        if undelivered.is_empty() {
            self.gateway.ws_closed(link as u64 + 1, self.now);
        } else {
            self.gateway.ws_lost(link as u64 + 1, &undelivered, self.now);
        }
        self.pump();
    }

    /// Carries out the gateway's orders and reads its events.
    pub(super) fn pump(&mut self) {
        while let Some(event) = self.gateway.poll_event() {
            self.note(event);
        }
        while let Some(output) = self.gateway.poll() {
            match output {
                GatewayOutput::Send { conn, text, kind } => {
                    let link = conn as usize - 1;
                    let uuid = if let FrameKind::Notification { uuid } = kind { uuid } else { 0 };
                    if self.is_up(link) {
                        self.push(self.now + DELAY, Packet::ToClient { link, text, uuid });
                    } else {
                        self.links[link].undelivered.extend((uuid != 0).then_some(uuid));
                    }
                }
                GatewayOutput::Close { conn, code, .. } if !self.links[conn as usize - 1].dead => {
                    let link = conn as usize - 1;
                    self.push(self.now + DELAY, Packet::ClosedToClient { link, code: Some(code) });
                }
                GatewayOutput::Reset { conn } if !self.links[conn as usize - 1].dead => {
                    self.push(self.now + DELAY, Packet::ClosedToClient { link: conn as usize - 1, code: None });
                }
                GatewayOutput::Close { .. } | GatewayOutput::Reset { .. } | GatewayOutput::Ping { .. } => {}
            }
        }
    }

    fn note(&mut self, event: GatewayEvent) {
        match event {
            GatewayEvent::LoggedIn { oauth, .. } => {
                if let Some(client) = self.serving {
                    trace!(self, "server: login {oauth} of {client}");
                    self.clients[client].login.oauth = Some(oauth);
                }
            }
            GatewayEvent::LoggedOut { oauth } => self.logged_out(oauth),
            GatewayEvent::Connected { conn, session, recovery, replayed } => {
                let client = self.links[conn as usize - 1].client;
                trace!(self, "server: {client} has session {session}, {recovery:?}, {replayed} replayed");
                let oauth = self.clients[client].login.oauth;
                let known =
                    self.sessions.entry(session).or_insert(ServerSession { client, oauth, ..Default::default() });
                known.detached_at = None;
                if recovery == Recovery::Successful {
                    self.report.recovered += 1;
                }
                self.has_session(client, session);
            }
            GatewayEvent::Disconnected { session: Some(session), code, .. } => {
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.detached_at = Some(self.now);
                    let (client, oauth) = (known.client, known.oauth);
                    self.check_expiry(client, oauth, code);
                }
            }
            GatewayEvent::Sent { session, uuid, replay: false, .. } | GatewayEvent::Buffered { session, uuid } => {
                if let Some(ServerSession { client, subscription: Some(subscription), .. }) =
                    self.sessions.get(&session)
                {
                    self.clients[*client].oracle.made(uuid, *subscription, self.now);
                }
            }
            GatewayEvent::Subscribed { session, id, .. } => {
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.subscription = Some(self.clients[known.client].oracle.subscription(&id));
                }
            }
            GatewayEvent::SessionEnded { session } => {
                let early = self.faults.restarting;
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.forgotten |= early;
                }
            }
            GatewayEvent::RateLimited { .. } => {
                self.judge(violated("rate-limit", "the server had to refuse a call for its limit".to_owned()));
            }
            _ => {}
        }
    }
}
