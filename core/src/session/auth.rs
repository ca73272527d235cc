//! Access tokens from the credential source, WebSocket tokens from the server (TOK).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};

use super::Session;
use super::host::HostKind;
use super::link::Link;
use super::tokens::{Asking, Doubt, Fetching, Held, SPREAD, WsToken, YOUNG, bearer_of};
use crate::classify::{self, ApiErrorInfo, Cause, Class, RateLimit};
use crate::ids::{AuthId, HttpId};
use crate::input::{AccessToken, AuthFailure, AuthFailureKind, HttpFailure};
use crate::json::beginning;
use crate::mask::Masker;
use crate::output::{Action, AuthReason, CloseReason, HttpPurpose, WaitReason};
use crate::retry::{Cost, Planned};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{MAX_HANDLE, WsTokenReply, ws_token};

/// Longest text of others that is told, in bytes.
const MAX_WORDS: usize = 1024;

const WS_TOKEN_PATH: &str = "/restapi/oauth/wstoken";
/// A WebSocket token is used for no longer, less its margin. The service gives 30, 60 or 600 s.
const LONGEST_USE: Duration = Duration::from_secs(60);

impl Session {
    /// Brings the attempt, or the renewal, one step on: an access token, a WebSocket token, the connection.
    pub(super) fn pursue(&mut self, now: Timestamp) {
        match self.state.link {
            Link::Token if self.state.tokens.has_ws_token(now) => self.open(now),
            Link::Token => self.pursue_token(now),
            Link::Ready { .. } => self.renew(now),
            _ => {}
        }
    }

    /// Takes the next step to a WebSocket token, unless there is one, or the step before has not ended.
    pub(super) fn pursue_token(&mut self, now: Timestamp) {
        let tokens = &self.state.tokens;
        if tokens.has_ws_token(now) || tokens.fetching.is_some() || tokens.is_asking() {
            return;
        }
        match self.state.tokens.bearer(now) {
            // Goes on with `snapshot_stored`.
            Some(_) if self.state.recovery.unstored => {}
            Some(bearer) => self.fetch_ws_token(bearer, now),
            None => {
                if let Err(planned) = self.ask(now) {
                    self.token_blocked(planned, now);
                }
            }
        }
    }

    /// No call is allowed until then.
    fn token_blocked(&mut self, planned: Planned, now: Timestamp) {
        match self.state.link {
            Link::Token => self.wait_and_say(planned, now),
            _ if self.state.recovery.renewing => self.renewal_failed(planned.at, now),
            _ => {}
        }
    }

    fn token_failed(&mut self, cause: Cause, cost: Cost, floor: Timestamp, now: Timestamp) {
        match self.state.link {
            Link::Token => self.attempt_failed(cause, cost, floor, now),
            _ if self.state.recovery.renewing => self.renewal_failed(floor, now),
            _ => {}
        }
    }

    /// Asks the credential source, at most as often as the server allows logins. `Err`: not before then.
    pub(super) fn ask(&mut self, now: Timestamp) -> Result<(), Planned> {
        if self.state.tokens.is_asking() {
            return Ok(());
        }
        let floor = self.call_allowed(now);
        let asked = self.state.tokens.no_login_before;
        if asked > now && floor.is_none_or(|floor| floor.at < asked) {
            return Err(Planned { at: asked, reason: WaitReason::RetryAfter });
        }
        if let Some(floor) = floor {
            return Err(floor);
        }
        self.take_call(now);
        self.state.tokens.asked_anew = self.state.tokens.refused;
        self.stats.authorizations += 1;
        let reason = match &self.state.tokens.access {
            _ if self.state.tokens.refused => AuthReason::Refused,
            Some(_) => AuthReason::Expiring,
            None => AuthReason::Missing,
        };
        let id = AuthId(self.fresh_id());
        self.state.tokens.asking = Some(Asking { id, began: now });
        self.state.timers.stop(TimerKind::Refresh);
        self.arm(TimerKind::Authorize, self.step_deadline(self.config.token_timeout, now));
        let last = self.state.tokens.last().cloned();
        self.out.act(Action::Authorize { id, reason, last });
        Ok(())
    }

    /// Knows the secrets of this session by their values: servers and proxies quote what they were sent (SEC-6).
    pub(super) fn masker(&self) -> Masker {
        let mut masker = self.state.tokens.former().clone();
        self.state.tokens.learn(&mut masker);
        if let Some(wsc) = &self.state.recovery.wsc {
            masker.learn(wsc.token.expose());
        }
        masker
    }

    /// What somebody outside says, as it is told: masked, and not longer than a few lines.
    pub(super) fn words(&self, text: &str) -> Box<str> {
        beginning(&self.masker().mask(text), MAX_WORDS).into()
    }

    /// When the next call of the group Auth is allowed, if it is not now (TOK-2).
    fn call_allowed(&self, now: Timestamp) -> Option<Planned> {
        let calls = self.state.tokens.calls();
        let reason = calls.reason(now, WaitReason::AuthBudget)?;
        Some(Planned { at: calls.earliest(now), reason })
    }

    /// A process that follows must not begin with a fresh budget (TOK-2).
    fn take_call(&mut self, now: Timestamp) {
        self.state.tokens.calls.take(now);
        self.out.snapshot_changed();
    }

    /// The server refused this access token. If another is held by now, that one is not concerned.
    pub(super) fn access_refused(&mut self, token: u64) {
        if token == self.state.tokens.number {
            self.state.tokens.refused = true;
            self.state.tokens.replaced = self.state.tokens.access.as_ref().map(|held| held.secret.clone());
            self.state.tokens.forget_access();
        }
    }

    pub(super) fn authorized(&mut self, id: AuthId, token: AccessToken, now: Timestamp) {
        if self.state.tokens.asking.is_none_or(|asking| asking.id != id) {
            self.stats.stale_inputs += 1;
            return;
        }
        if let Some(message) = unusable(&token, now) {
            // It cannot be presented, so it is no answer.
            let failure = AuthFailure::transient(message);
            return self.authorize_failed(id, failure, now);
        }
        self.state.tokens.asking = None;
        self.state.timers.stop(TimerKind::Authorize);
        let expires = token.expires_in.map(|life| now.after(life));
        if let Some(life) = token.expires_in {
            self.arm(TimerKind::Refresh, now.after(life / 5 * 4));
        }
        self.state.tokens.number += 1;
        let replaces = std::mem::take(&mut self.state.tokens.refused);
        if replaces && !self.state.tokens.asked_anew {
            // It may be the refused one, which says nothing about a new one.
            self.state.tokens.doubt = Doubt::None;
        }
        self.state.tokens.replaced = None;
        self.state.tokens.forget_access();
        self.state.tokens.access = Some(Held { secret: token.secret, expires, issued: now, accepted: false });
    }

    pub(super) fn authorize_failed(&mut self, id: AuthId, failure: AuthFailure, now: Timestamp) {
        let Some(Asking { began, .. }) = self.state.tokens.asking.filter(|asking| asking.id == id) else {
            self.stats.stale_inputs += 1;
            return;
        };
        self.state.tokens.asking = None;
        self.state.timers.stop(TimerKind::Authorize);
        if failure.not_sent() {
            self.state.tokens.calls.give_back(began);
        }
        let cost = if failure.not_sent() { Cost::Local } else { Cost::Call };
        let told = failure.retry_after.unwrap_or_default().min(classify::MAX_RETRY_AFTER);
        self.state.tokens.no_login_before = now.after(told);
        let permanent = failure.is_permanent();
        let failure = AuthFailure {
            code: failure.code.map(|code| self.words(&code)),
            message: self.words(&failure.message),
            ..failure
        };
        let cause = login_failed(failure, self.config.retry.penalty);
        self.requests_without_token(&cause, now);
        if self.state.tokens.bearer(now).is_some() {
            // The old token is still good: the connection goes on, and the source is asked again.
            self.stats.refresh_failures += 1;
            self.arm(TimerKind::Refresh, now.after(told.max(self.config.retry.penalty)));
            return;
        }
        if permanent && matches!(self.state.link, Link::Token) {
            return self.finish(CloseReason::Permanent(cause), false, now);
        }
        self.token_failed(cause, cost, now.after(told), now);
    }

    pub(super) fn authorize_timed_out(&mut self, now: Timestamp) {
        if let Some(Asking { id, .. }) = self.state.tokens.asking {
            let failure = AuthFailure::transient("the credential source took too long");
            self.authorize_failed(id, failure, now);
        }
    }

    pub(super) fn refresh_due(&mut self, now: Timestamp) {
        if let Err(planned) = self.ask(now) {
            self.arm(TimerKind::Refresh, planned.at);
        }
    }

    /// TOK-2: inside the budget, whatever the cause.
    fn fetch_ws_token(&mut self, bearer: HeaderValue, now: Timestamp) {
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
        self.arm(TimerKind::TokenCall, self.step_deadline(self.config.token_timeout, now));
        self.out.act(Action::Http { id, purpose: HttpPurpose::ConnectionToken, request: Box::new(request) });
    }

    pub(super) fn token_call_timed_out(&mut self, now: Timestamp) {
        if let Some(Fetching { id, .. }) = self.state.tokens.fetching.take() {
            self.out.act(Action::AbortHttp { id });
            let message = "no answer in time".into();
            let cause = Cause::Network { phase: crate::input::Phase::Response, message };
            self.token_failed(cause, Cost::Call, now, now);
        }
    }

    pub(super) fn http_response(&mut self, id: HttpId, response: Box<http::Response<Bytes>>, now: Timestamp) {
        match self.state.tokens.fetching {
            Some(call) if call.id == id => {
                self.state.tokens.fetching = None;
                self.state.timers.stop(TimerKind::TokenCall);
                self.ws_token_answer(&response, call, now);
            }
            _ => self.rest_response(id, response),
        }
    }

    pub(super) fn http_failed(&mut self, id: HttpId, failure: HttpFailure, now: Timestamp) {
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
        if let Err(mut cause) = HostKind::of(&reply.uri, &self.config) {
            if let Cause::ForeignUri { host } = &mut cause {
                let mut masker = self.masker();
                masker.learn(reply.token.expose());
                *host = masker.mask(host).into();
            }
            // Nothing is sent there. Whoever set the address wrong may set it right.
            return self.token_failed(cause, Cost::Call, now, now);
        }
        self.state.tokens.ws = Some(self.usable(reply, call.began));
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
        let info = ApiErrorInfo::from_reply_masked(status, response.headers(), response.body(), &self.masker());
        let wait = classify::retry_after(response.headers(), self.state.clock.unix_at(now).0);
        match info.class() {
            Class::RefreshToken => self.token_doubted(token, now),
            Class::Permanent | Class::CallerBug if is_final(&info) => {
                let cause = match status {
                    401 => Cause::Unauthorized,
                    403 => Cause::Forbidden(Box::new(info)),
                    _ => Cause::TokenCall(Box::new(info)),
                };
                self.finish(CloseReason::Permanent(cause), false, now);
            }
            Class::RateLimited => {
                let retry_after = wait.unwrap_or(self.config.retry.penalty);
                self.state.tokens.calls.penalty(now.after(retry_after));
                self.out.snapshot_changed();
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
        let Some(held) = self.state.tokens.access.as_ref().filter(|_| token == self.state.tokens.number) else {
            // Another one is held by now, or will be.
            return self.pursue_token(now);
        };
        let young = now.since(held.issued) < YOUNG;
        if self.state.tokens.evicted_too_often(now) {
            return self.finish(CloseReason::Permanent(Cause::Evicted), false, now);
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
            Doubt::ReplacedAgain => self.finish(CloseReason::Permanent(Cause::Unauthorized), false, now),
            Doubt::None | Doubt::Replaced | Doubt::Repeated => {
                self.state.tokens.doubt = Doubt::Replaced;
                self.access_refused(token);
                self.pursue_token(now);
            }
        }
    }

    fn wait_for_token(&mut self, wait: Duration, now: Timestamp) {
        let at = now.after(wait);
        match self.state.link {
            Link::Token => {
                let planned = Planned { at, reason: WaitReason::TokenSpread };
                self.attempt_failed_until(Cause::TokenRefused, planned, now);
            }
            _ if self.state.recovery.renewing => self.renewal_failed(at, now),
            _ => {}
        }
    }
}

/// What a failed login is to an attempt that waits for it.
fn login_failed(failure: AuthFailure, penalty: Duration) -> Cause {
    let AuthFailure { kind, code, message, retry_after } = failure;
    match kind {
        AuthFailureKind::Network { phase, .. } => Cause::Network { phase, message },
        AuthFailureKind::RateLimited => Cause::RateLimited { retry_after: retry_after.unwrap_or(penalty) },
        AuthFailureKind::Unavailable => Cause::Unavailable { retry_after },
        AuthFailureKind::Limited => Cause::LoginLimit { message },
        AuthFailureKind::Permanent | AuthFailureKind::Other => Cause::Credentials { code, message },
    }
}

/// Why an access token cannot be presented, never quoting it.
fn unusable(token: &AccessToken, now: Timestamp) -> Option<&'static str> {
    if bearer_of(&token.secret).is_none() {
        Some("the access token holds characters that no header can, such as a line break")
    } else if token.secret.expose().len() > MAX_HANDLE {
        Some("the access token has more than 64 KiB")
    } else if token.expires_in.is_some_and(|life| now.after(life) <= now) {
        Some("the access token has no life left")
    } else {
        None
    }
}

/// A refusal without a code is not the service's own word, and 401 and 403 aside a code must be a known one: unknown
/// causes are retried (BCK-5).
fn is_final(info: &ApiErrorInfo) -> bool {
    let known = |code: &str| classify::lookup(code).is_some();
    info.code.as_deref().is_some_and(|code| matches!(info.status, 401 | 403) || known(code))
}
