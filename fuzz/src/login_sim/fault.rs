//! What goes wrong: with tokens, with the token endpoint, with the network, the clock and the process.

use std::time::Duration;

use ringcentral_ws_core::Input;
use ringcentral_ws_gateway::{HttpRequest, HttpResponse};

use super::World;
use super::wire::{Packet, TOKEN};
use crate::rng::Rng;
use crate::subject::Maker;
use crate::time::{HOUR, MINUTE, S};
use crate::trace::trace;

/// What is wrong now.
pub(super) struct FaultState {
    every: u64,
    pub(super) next: u64,
    /// The end of the last faults so far.
    pub(super) until: u64,
    pub(super) offline_since: u64,
    pub(super) offline_until: u64,
    /// The token endpoint answers with this.
    token: Option<TokenFault>,
    refuse_refresh: bool,
    pub(super) lose_answer: bool,
    /// The server ends logins now, on purpose.
    pub(super) kicking: bool,
    /// The server restarts now.
    pub(super) restarting: bool,
    /// Tokens died last then, on purpose.
    pub(super) tokens_died_at: u64,
    /// What the wall clock is ahead, in ms.
    pub(super) wall: i64,
}

struct TokenFault {
    status: u16,
    until: u64,
    retry_after: bool,
}

impl FaultState {
    pub(super) fn new(rng: &mut Rng) -> Self {
        let every = *rng.pick(&[HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR]);
        Self {
            every,
            next: rng.wait(every),
            until: 0,
            offline_since: 0,
            offline_until: 0,
            token: None,
            refuse_refresh: false,
            lose_answer: false,
            kicking: false,
            restarting: false,
            tokens_died_at: 0,
            wall: 0,
        }
    }

    pub(super) fn stop(&mut self) {
        self.next = u64::MAX;
        (self.refuse_refresh, self.lose_answer) = (false, false);
    }

    fn lasts_until(&mut self, at: u64) {
        self.until = self.until.max(at);
    }

    /// The answer to a call of the token endpoint that never reaches the service.
    pub(super) fn token_answer(&mut self, request: &HttpRequest, now: u64) -> Option<HttpResponse> {
        if !request.target.starts_with(TOKEN) {
            return None;
        }
        if let Some(faults) = self.token.as_ref().filter(|faults| now < faults.until) {
            let answer = HttpResponse::new(faults.status, "");
            let left = (faults.until - now).div_ceil(S).min(300).to_string();
            return Some(if faults.retry_after { answer.header("Retry-After", &left) } else { answer });
        }
        let refreshes = String::from_utf8_lossy(&request.body).contains("grant_type=refresh_token");
        if refreshes && std::mem::take(&mut self.refuse_refresh) {
            return Some(HttpResponse::new(400, r#"{"error":"invalid_grant","errorCode":"OAU-213"}"#));
        }
        None
    }
}

impl<M: Maker> World<M> {
    pub(super) fn fault_due(&mut self) {
        self.faults.next = self.now + self.rng.wait(self.faults.every);
        self.faults.lasts_until(self.now);
        let name = match self.rng.below(100) {
            0..15 => self.cut_connections(),
            15..30 => self.go_offline(),
            30..45 => self.spoil_token_endpoint(),
            45..50 => {
                self.faults.refuse_refresh = true;
                "refresh refused"
            }
            50..55 => {
                self.faults.lose_answer = true;
                "answer of a token call lost"
            }
            55..61 => self.log_out(),
            61..67 => self.strangers_log_in(),
            67..74 => self.jump(),
            74..84 => {
                let downtime =
                    self.rng.between(61 * S, *[3 * MINUTE, HOUR].get(self.now as usize & 1).unwrap_or(&HOUR));
                self.restart_in(downtime);
                "restart of the process"
            }
            84..87 => self.lose_disk(),
            87..93 => {
                self.faults.tokens_died_at = self.now;
                self.gateway.expire_access_tokens(self.now);
                "access tokens expired early"
            }
            _ => {
                self.faults.restarting = true;
                self.gateway.restart(self.now);
                self.pump();
                self.faults.restarting = false;
                "restart of the server"
            }
        };
        self.pump();
        trace!(self, "FAULT {name}");
        *self.report.faults.entry(name).or_default() += 1;
    }

    fn cut_connections(&mut self) -> &'static str {
        let noticed = self.rng.chance(500);
        self.cut(noticed);
        if noticed { "connections reset" } else { "connections half-open" }
    }

    fn go_offline(&mut self) -> &'static str {
        let long = self.rng.chance(15);
        let length = if long {
            8 * 24 * HOUR
        } else {
            let most = *self.rng.pick(&[30 * S, 2 * MINUTE, 10 * MINUTE, HOUR, 6 * HOUR]);
            self.rng.between(S, most)
        };
        if self.now >= self.faults.offline_until {
            self.faults.offline_since = self.now;
        }
        self.faults.offline_until = self.faults.offline_until.max(self.now + length);
        let until = self.faults.offline_until;
        self.faults.lasts_until(until);
        self.cut(true);
        if long { "offline for eight days" } else { "offline" }
    }

    fn spoil_token_endpoint(&mut self) -> &'static str {
        let status = *self.rng.pick(&[429, 500, 503]);
        let most = *self.rng.pick(&[MINUTE, 10 * MINUTE, HOUR, 3 * HOUR]);
        let until = self.now + self.rng.between(S, most);
        let retry_after = self.rng.chance(500);
        self.faults.token = Some(TokenFault { status, until, retry_after });
        // The wait that it asks for may last longer.
        self.faults.lasts_until(until + MINUTE);
        match status {
            429 => "token endpoint: 429",
            500 => "token endpoint: 500",
            _ => "token endpoint: 503",
        }
    }

    fn log_out(&mut self) -> &'static str {
        let user = self.rng.below(self.clients.len() as u64) as usize;
        self.kick(|gateway, now| gateway.log_out(user, now));
        "user logged out"
    }

    fn strangers_log_in(&mut self) -> &'static str {
        let user = self.rng.below(self.clients.len() as u64) as usize;
        let count = self.rng.between(1, 6);
        self.kick(|gateway, now| (0..count).for_each(|_| drop(gateway.login(user, now))));
        "logins elsewhere"
    }

    fn kick(&mut self, act: impl FnOnce(&mut ringcentral_ws_gateway::Gateway, u64)) {
        self.faults.tokens_died_at = self.now;
        self.faults.kicking = true;
        act(&mut self.gateway, self.now);
        self.pump();
        self.faults.kicking = false;
    }

    /// The wall clock is put forward or back. Put forward, it looks as if the machine had slept.
    fn jump(&mut self) -> &'static str {
        let by = self.rng.between(10, 2 * 24 * 3600 * 1000) as i64;
        if self.rng.chance(500) {
            self.faults.wall -= by;
            return "wall clock put back";
        }
        self.faults.wall += by;
        if by > Duration::from_secs(2).as_millis() as i64 {
            (0..self.clients.len()).for_each(|client| self.input(client, Input::Resumed));
        }
        "wall clock put forward"
    }

    /// What is on disk is lost: also the refresh token. The process starts as if for the first time.
    fn lose_disk(&mut self) -> &'static str {
        self.restart_in(61 * S);
        for client in &mut self.clients {
            client.disk = None;
            client.oracle.crash(None);
            client.standing = super::Standing::default();
            client.login.lose();
        }
        "disk lost"
    }

    /// The process ends now and starts again after so long.
    pub(super) fn restart_in(&mut self, downtime: u64) {
        if self.clients.iter().all(|client| client.session.is_none()) {
            return;
        }
        for client in 0..self.clients.len() {
            if let Some(link) = self.clients[client].link {
                self.hang_up(link);
            }
            let c = &mut self.clients[client];
            (c.session, c.wake) = (None, u64::MAX);
            c.calls.clear();
            let mark = c.disk.as_ref().map(|disk| disk.mark.clone());
            c.oracle.crash(mark);
        }
        self.faults.lasts_until(self.now + downtime);
        self.push(self.now + downtime, Packet::Start);
    }
}
