//! Where the tokens come from: one login for each user, driven as a driver does, and the checks of it.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use ringcentral_ws_api::{ClientApp, Login, LoginLimits, LoginStep, TokenBudget};
use ringcentral_ws_core::{AuthId, AuthReason, HttpFailure, Input, Secret};
use ringcentral_ws_gateway::HttpRequest;

use super::wire::{Packet, To};
use super::{CEILING, DELAY, World};
use crate::http::to_gateway;
use crate::oracle::violated;
use crate::subject::Maker;
use crate::time::{MINUTE, S};
use crate::trace::trace;

/// A mistake that a login may make: what the checks must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginDefect {
    /// Uses the JWT where it has a refresh token.
    JwtInsteadOfRefresh,
    /// Does not keep the new refresh token.
    KeepsOldRefresh,
    /// Takes a server that it cannot reach for one that refuses.
    OutageIsRefusal,
    /// Knows no limit and no pause.
    NoBudget,
    /// Keeps its own limit, and knows no ceiling for the app.
    NoCeiling,
    /// Does not write the new refresh token down.
    ForgetsToStore,
}

impl LoginDefect {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::JwtInsteadOfRefresh,
        Self::KeepsOldRefresh,
        Self::OutageIsRefusal,
        Self::NoBudget,
        Self::NoCeiling,
        Self::ForgetsToStore,
    ];
}

/// A user's login, and what the world knows of it.
pub(super) struct UserLogin {
    user: u32,
    machine: Login,
    /// What the session was given last.
    given: Option<Secret>,
    /// Whom the call under way is for, the token it presents, and when it was made.
    asking: Option<(AuthId, Grant, u64)>,
    calls: Calls,
    waiting: VecDeque<(AuthId, AuthReason)>,
    /// On disk.
    stored: Option<Secret>,
    /// Refresh tokens that the process knows to be spent or refused.
    spent: BTreeSet<String>,
    /// The OAuth session that the server has for it, while it lives.
    pub(super) oauth: Option<u64>,
    /// The server has issued tokens whose answer was lost.
    answer_lost: bool,
    /// A refresh was refused, or there was nothing to refresh with: the next login may be by JWT.
    may_log_in: bool,
    /// The reason, for the report.
    pub(super) broken_by: &'static str,
}

/// The token calls of the last minute that the server may have seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Calls(VecDeque<u64>);

impl Calls {
    /// One more. Returns how many there were in this minute.
    fn add(&mut self, now: u64) -> usize {
        while self.0.front().is_some_and(|at| now - at > MINUTE) {
            self.0.pop_front();
        }
        self.0.push_back(now);
        self.0.len()
    }

    /// That one never left.
    fn take_back(&mut self, at: u64) {
        if let Some(i) = self.0.iter().position(|call| *call == at) {
            self.0.remove(i);
        }
    }
}

/// What a token call presents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Grant {
    Jwt,
    Refresh(String),
}

fn app() -> ClientApp {
    let config = ringcentral_ws_gateway::AppConfig::default();
    ClientApp {
        server: ringcentral_ws_core::Config::default().server,
        client_id: config.client_id,
        client_secret: Some(config.client_secret.into()),
    }
}

fn jwt_of(user: u32) -> Login {
    let mut login = Login::jwt(app(), ringcentral_ws_gateway::UserConfig::numbered(user).jwt);
    login.set_limits(LoginLimits::default().app_ceiling(Some(CEILING)));
    login
}

impl UserLogin {
    pub(super) fn new(user: u32) -> Self {
        Self {
            user,
            machine: jwt_of(user),
            given: None,
            asking: None,
            calls: Calls::default(),
            waiting: VecDeque::new(),
            stored: None,
            spent: BTreeSet::new(),
            oauth: None,
            answer_lost: false,
            may_log_in: true,
            broken_by: "",
        }
    }

    /// A process knows what is on disk.
    pub(super) fn process_starts(&mut self) {
        self.machine = jwt_of(self.user);
        (self.given, self.asking, self.calls) = (None, None, Calls::default());
        self.waiting.clear();
        if let Some(token) = &self.stored {
            self.machine.set_refresh_token(token.clone());
        }
    }

    /// What it wrote down is gone.
    pub(super) fn lose(&mut self) {
        self.stored = None;
        self.may_log_in = true;
        self.broken_by = "disk lost";
    }
}

impl<M: Maker> World<M> {
    /// The session of a client asks for a token. One question at a time.
    pub(super) fn authorize(&mut self, client: usize, id: AuthId, reason: AuthReason) {
        trace!(self, "{client}: asks for a token, {reason:?}");
        if self.clients[client].login.asking.is_some() {
            return self.clients[client].login.waiting.push_back((id, reason));
        }
        let now = self.time();
        if self.defect == Some(LoginDefect::NoBudget) {
            self.budget = TokenBudget::new();
        }
        let login = &mut self.clients[client].login;
        if self.defect == Some(LoginDefect::JwtInsteadOfRefresh) {
            login.machine = jwt_of(login.user);
        }
        if self.defect == Some(LoginDefect::NoCeiling) {
            login.machine.set_limits(LoginLimits::default().app_ceiling(None));
        }
        let step = login.machine.begin(reason, login.given.as_ref(), &self.budget, now);
        self.login_step(client, id, step);
    }

    fn login_step(&mut self, client: usize, id: AuthId, step: LoginStep) {
        match step {
            LoginStep::Call(request) => self.token_call(client, id, &request),
            LoginStep::Token { token, issued } => {
                if let Some(refresh) = issued.and_then(|issued| issued.refresh_token)
                    && self.defect != Some(LoginDefect::ForgetsToStore)
                {
                    self.clients[client].login.stored = Some(refresh);
                }
                self.clients[client].login.given = Some(token.secret.clone());
                self.input(client, Input::Authorized { id, token });
                self.next_question(client);
            }
            LoginStep::Failed(failure) => {
                trace!(self, "{client}: no token: {} {:?}", failure.message, failure.retry_after);
                self.input(client, Input::AuthorizeFailed { id, failure });
                self.next_question(client);
            }
        }
    }

    fn next_question(&mut self, client: usize) {
        if let Some((id, reason)) = self.clients[client].login.waiting.pop_front() {
            self.authorize(client, id, reason);
        }
    }

    fn token_call(&mut self, client: usize, id: AuthId, request: &http::Request<Bytes>) {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let grant = form.split("&refresh_token=").nth(1).map_or(Grant::Jwt, |token| Grant::Refresh(token.to_owned()));
        trace!(
            self,
            "{client}: calls the token endpoint with {}",
            if grant == Grant::Jwt { "the JWT" } else { "refresh" }
        );
        self.report.token_calls += 1;
        let (of_app, of_login) = (self.token_calls.add(self.now), self.clients[client].login.calls.add(self.now));
        if of_login > 5 {
            self.judge(violated("token-budget", format!("{of_login} token calls of client {client} within a minute")));
        }
        if of_app > CEILING as usize {
            self.judge(violated("token-budget", format!("{of_app} token calls of the app within a minute")));
        }
        if self.now < self.pause_until {
            self.judge(violated("pause", "a token call during the pause that the server asked for".to_owned()));
        }
        let login = &mut self.clients[client].login;
        if let Grant::Refresh(token) = &grant
            && login.spent.contains(token)
        {
            self.judge(violated("refresh-twice", format!("client {client} presents a spent refresh token")));
        }
        self.clients[client].login.asking = Some((id, grant, self.now));
        let life = self.life;
        let request = Box::new(to_gateway(request));
        self.push(self.now + DELAY, Packet::Call { to: To { client, life, id: None }, request });
    }

    /// A token call arrives at the server: is it one that had to be?
    pub(super) fn check_login(&mut self, client: usize, request: &HttpRequest) {
        let login = &self.clients[client].login;
        let by_jwt = !String::from_utf8_lossy(&request.body).contains("grant_type=refresh_token");
        if by_jwt && login.oauth.is_some() && !login.may_log_in {
            let what = format!("client {client} makes a new login, though a refresh would have kept the old one");
            self.judge(violated("needless-login", what));
        }
    }

    /// The server answered a token call: by itself, or a fault did in its place.
    pub(super) fn token_call_served(&mut self, to: To, status: u16, lost: bool, by_fault: bool) {
        let login = &mut self.clients[to.client].login;
        login.answer_lost |= status == 200 && (lost || to.life != self.life);
        if status != 400 {
            return;
        }
        if !by_fault && login.oauth.is_some() && !login.answer_lost {
            let what = format!("client {} presents a refresh token that is not the newest", to.client);
            return self.judge(violated("stale-refresh", what));
        }
        login.may_log_in = true;
        if login.broken_by.is_empty() {
            login.broken_by = if by_fault { "refresh refused" } else { "answer of a refresh lost for an hour" };
        }
    }

    /// An answer came when the process that asked was gone.
    pub(super) fn token_answer_missed(&mut self, to: To, status: u16) {
        self.clients[to.client].login.answer_lost |= to.id.is_none() && status == 200;
    }

    /// The answer to a token call arrived at the process.
    pub(super) fn token_call_done(&mut self, client: usize, answer: Result<http::Response<Bytes>, HttpFailure>) {
        let now = self.time();
        let Some((id, grant, called)) = self.clients[client].login.asking.take() else { return };
        if answer.as_ref().is_err_and(|failure| failure.not_sent) {
            self.token_calls.take_back(called);
            self.clients[client].login.calls.take_back(called);
        }
        let status = answer.as_ref().map_or(0, |response| response.status().as_u16());
        trace!(self, "{client}: the token endpoint answers {status}");
        if let Ok(response) = &answer {
            let seconds =
                response.headers().get("Retry-After").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            self.pause_until = self.pause_until.max(self.now + seconds.unwrap_or(0) * S);
        }
        let login = &mut self.clients[client].login;
        if let Grant::Refresh(token) = &grant
            && matches!(status, 200 | 400)
        {
            login.spent.insert(token.clone());
        }
        if status == 200 {
            (login.answer_lost, login.may_log_in) = (false, false);
            *(if grant == Grant::Jwt { &mut self.report.logins } else { &mut self.report.refreshes }) += 1;
        }
        let step = login.machine.answered(answer, &self.budget, now);
        match (self.defect, &grant) {
            (Some(LoginDefect::KeepsOldRefresh), Grant::Refresh(_)) if status == 200 => {
                if let Some(old) = login.stored.clone() {
                    login.machine.set_refresh_token(old);
                }
            }
            (Some(LoginDefect::OutageIsRefusal), _) if status == 0 => login.machine = jwt_of(login.user),
            _ => {}
        }
        self.login_step(client, id, step);
    }
}
