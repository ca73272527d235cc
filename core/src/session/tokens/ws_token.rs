//! WebSocket tokens from the server, and what their refusal says about the access token (TOK).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};

use crate::classify::{self, ApiError, Cause, Class, RateLimit};
use crate::hosts::HostKind;
use crate::ids::HttpId;
use crate::input::HttpFailure;
use crate::output::{Action, CloseReason, HttpPurpose, WaitReason};
use crate::retry::{Cost, Planned};
use crate::session::Session;
use crate::session::connection::TokenUse;
use crate::session::tokens::{Doubt, Fetching, OneUse, SPREAD, WsToken, YOUNG};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{WsTokenReply, ws_token};

const WS_TOKEN_PATH: &str = "/restapi/oauth/wstoken";
/// A WebSocket token is used for no longer, less its margin. The service gives 30, 60 or 600 s.
const LONGEST_USE: Duration = Duration::from_secs(60);

impl Session {
    /// TOK-2: inside the budget, whatever the cause.
    pub(crate) fn fetch_ws_token(&mut self, bearer: HeaderValue, now: Timestamp) {
        if let Some(floor) = self.call_allowed(now) {
            return self.token_blocked(floor, now);
        }
        self.take_call(now);
        self.stats.token_calls += 1;
        let id = HttpId(self.fresh_id());
        let mut request = http::Request::new(Bytes::new());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.rest_uri(WS_TOKEN_PATH);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        self.add_user_agent(request.headers_mut());
        self.state.tokens.fetching = Some(Fetching { id, began: now, token: self.state.tokens.number });
        self.arm(TimerKind::TokenCall, self.attempt_deadline(self.config.token_timeout, now));
        self.out.act(Action::Http { id, purpose: HttpPurpose::ConnectionToken, request: Box::new(request) });
    }

    pub(crate) fn token_call_timed_out(&mut self, now: Timestamp) {
        if let Some(Fetching { id, .. }) = self.state.tokens.fetching.take() {
            self.out.act(Action::AbortHttp { id });
            let message = "no answer in time".into();
            let cause = Cause::Network { phase: crate::input::Phase::Response, message };
            self.token_failed(cause, Cost::Call, now, now);
        }
    }

    pub(crate) fn http_response(&mut self, id: HttpId, response: Box<http::Response<Bytes>>, now: Timestamp) {
        match self.state.tokens.fetching {
            Some(call) if call.id == id => {
                self.state.tokens.fetching = None;
                self.state.timers.stop(TimerKind::TokenCall);
                self.ws_token_answer(&response, call, now);
            }
            _ => self.rest_response(id, response, now),
        }
    }

    pub(crate) fn http_failed(&mut self, id: HttpId, failure: HttpFailure, now: Timestamp) {
        match self.state.tokens.fetching {
            Some(call) if call.id == id => {
                self.state.tokens.fetching = None;
                self.state.timers.stop(TimerKind::TokenCall);
                let cost = if failure.not_sent { Cost::Local } else { Cost::Call };
                if failure.not_sent {
                    self.state.tokens.calls.give_back(call.began);
                }
                let message = self.words(&failure.message);
                self.token_failed(Cause::Network { phase: failure.phase, message }, cost, now, now);
            }
            _ => self.rest_failed(id, failure),
        }
    }

    fn ws_token_answer(&mut self, response: &http::Response<Bytes>, call: Fetching, now: Timestamp) {
        if let Some(limit) = RateLimit::from_headers(response.headers()) {
            self.state.tokens.calls.believe(&limit, now);
        }
        if !response.status().is_success() {
            return self.ws_token_refused(call.token, response, now);
        }
        let Some(reply) = ws_token(response.body()) else {
            return self.token_failed(Cause::TokenUnreadable, Cost::Call, now, now);
        };
        self.state.tokens.accepted(call.token);
        self.state.tokens.limited = 0;
        if let Err(mut cause) = HostKind::of(&reply.uri, &self.config) {
            if let Cause::ForeignUri { host } = &mut cause {
                let mut masker = self.masker();
                masker.learn(reply.token.expose());
                *host = masker.mask(host).into();
            }
            // Nothing is sent there. Whoever set the address wrong may set it right.
            return self.token_failed(cause, Cost::Call, now, now);
        }
        self.state.tokens.ws = OneUse::Fresh(self.usable(reply, call.began));
        if !self.state.tokens.has_ws_token(now) {
            self.token_failed(Cause::TokenUnreadable, Cost::Call, now, now);
        }
    }

    /// TOK-7: counted from the call, minus a margin. One that was never presented is given up after a minute, whatever
    /// the server says: the answer may hold an address that leads nowhere.
    fn usable(&self, reply: WsTokenReply, began: Timestamp) -> WsToken {
        let life = Duration::from_secs(reply.expires_in).min(LONGEST_USE);
        let margin = self.config.token_margin.min(life / 5);
        WsToken { token: reply.token, uri: reply.uri, usable_until: began.after(life.saturating_sub(margin)) }
    }

    fn ws_token_refused(&mut self, token: u64, response: &http::Response<Bytes>, now: Timestamp) {
        let status = response.status().as_u16();
        let info = ApiError::from_reply_masked(status, response.headers(), response.body(), &self.masker());
        let wait = classify::retry_after(response.headers(), self.state.clock.unix_at(now).0);
        match info.class() {
            Class::RefreshToken => self.token_doubted(token, now),
            Class::Permanent | Class::CallerBug if is_final(&info) => {
                let cause = match status {
                    401 => Cause::Unauthorized,
                    403 => Cause::Forbidden(Box::new(info)),
                    _ => Cause::TokenCall(Box::new(info)),
                };
                self.terminate(CloseReason::Permanent(cause), false, now);
            }
            Class::RateLimited => {
                let retry_after = wait.unwrap_or(self.config.retry.penalty);
                self.limit_token_calls(retry_after, now);
                self.token_failed(Cause::RateLimited { retry_after }, Cost::Call, now, now);
            }
            Class::Permanent
            | Class::CallerBug
            | Class::Resubscribe
            | Class::FreeSubscriptions
            | Class::Transient
            | Class::RecoverSession
            | Class::ForgetWsc => {
                if let Some(wait) = wait {
                    self.state.tokens.calls.penalty(now.after(wait));
                    self.out.snapshot_changed();
                }
                let cause = if status == 503 {
                    Cause::Unavailable { retry_after: wait }
                } else {
                    Cause::TokenCall(Box::new(info))
                };
                self.token_failed(cause, Cost::Call, now, now);
            }
        }
    }

    /// TOK-4: the server refused this access token. One that was just issued may not be known everywhere yet.
    fn token_doubted(&mut self, token: u64, now: Timestamp) {
        let Some(held) = self.state.tokens.held().filter(|_| token == self.state.tokens.number) else {
            // Another one is held by now, or will be.
            return self.pursue_token(now);
        };
        let young = now.since(held.issued) < YOUNG;
        if self.state.tokens.evicted_too_often(now) {
            return self.terminate(CloseReason::Permanent(Cause::Evicted), false, now);
        }
        match self.state.tokens.doubt {
            Doubt::Replaced if young => {
                self.state.tokens.doubt = Doubt::Repeated;
                self.wait_for_token(SPREAD[0], now);
            }
            Doubt::Repeated if young => {
                self.state.tokens.doubt = Doubt::ReplacedAgain;
                self.access_refused(token);
                self.wait_for_token(SPREAD[1], now);
            }
            Doubt::ReplacedAgain => self.terminate(CloseReason::Permanent(Cause::Unauthorized), false, now),
            Doubt::None | Doubt::Replaced | Doubt::Repeated => {
                self.state.tokens.doubt = Doubt::Replaced;
                self.access_refused(token);
                self.pursue_token(now);
            }
        }
    }

    fn wait_for_token(&mut self, wait: Duration, now: Timestamp) {
        let at = now.after(wait);
        match self.state.connection.token_use() {
            Some(TokenUse::Attempt) => {
                let planned = Planned { at, reason: WaitReason::TokenSpread };
                self.attempt_failed_until(Cause::TokenRefused, planned, now);
            }
            Some(TokenUse::Renewal) => self.renewal_failed(at, now),
            None => {}
        }
    }
}

/// A refusal without a code is not the service's own word, and 401 and 403 aside a code must be a known one: unknown
/// causes are retried (BCK-5).
fn is_final(info: &ApiError) -> bool {
    let known = |code: &str| classify::lookup(code).is_some();
    info.code.as_deref().is_some_and(|code| matches!(info.status, 401 | 403) || known(code))
}
