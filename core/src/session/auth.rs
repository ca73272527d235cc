//! Access tokens from the credential source, WebSocket tokens from the server (TOK).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use url::Url;

use super::Session;
use super::link::Link;
use crate::classify::{self, ApiErrorInfo, Cause, Class};
use crate::config::Config;
use crate::ids::{AuthId, HttpId};
use crate::input::{AccessToken, AuthFailure, AuthFailureKind, HttpFailure};
use crate::outbox::Outbox;
use crate::output::{Action, AuthReason, CloseReason};
use crate::retry::Budget;
use crate::secret::{Secret, SecretUrl};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{WsTokenReply, Wsc, ws_token};

const WS_TOKEN_PATH: &str = "/restapi/oauth/wstoken";

/// An access token in use.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct Held {
    #[cfg_attr(feature = "recorder", serde(with = "crate::recorder::bare"))]
    secret: Secret,
    expires: Option<Timestamp>,
    /// It came in place of a refused one, and no server has accepted it yet (TOK-4).
    on_probation: bool,
}

/// A WebSocket token nobody has seen yet.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct WsToken {
    #[cfg_attr(feature = "recorder", serde(with = "crate::recorder::bare"))]
    token: Secret,
    #[cfg_attr(feature = "recorder", serde(with = "crate::recorder::as_text"))]
    uri: Url,
    usable_until: Timestamp,
}

/// The call under way for a WebSocket token.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct Fetching {
    id: HttpId,
    began: Timestamp,
    /// Which access token it carries.
    token: u64,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Tokens {
    access: Option<Held>,
    /// Number of the last access token: what is said about an older one does not concern it.
    number: u64,
    asking: Option<AuthId>,
    /// The server refused the last one, and another has not come yet (TOK-4).
    refused: bool,
    /// The question under way was asked after the refusal. The answer to an older one may be the refused token.
    #[cfg_attr(feature = "recorder", serde(default))]
    asked_anew: bool,
    logins: Budget,
    /// The source asked for no question before this.
    #[cfg_attr(feature = "recorder", serde(default))]
    no_login_before: Timestamp,
    ws: Option<WsToken>,
    /// The one that the opening connection carries, until it is known to have been seen.
    carried: Option<WsToken>,
    fetching: Option<Fetching>,
    calls: Budget,
    /// No call before this (TOK-3).
    not_before: Timestamp,
}

impl Tokens {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            access: None,
            number: 0,
            asking: None,
            refused: false,
            asked_anew: false,
            logins: Budget::new(config.retry.token_calls_per_minute),
            no_login_before: Timestamp::ZERO,
            ws: None,
            carried: None,
            fetching: None,
            calls: Budget::new(config.retry.token_calls_per_minute),
            not_before: Timestamp::ZERO,
        }
    }

    /// Replaces every token, and what the address of a connection asks for.
    #[cfg(feature = "recorder")]
    pub(super) fn mask(&mut self, names: &mut crate::recorder::Names) {
        if let Some(held) = &mut self.access {
            held.secret = names.secret(held.secret.expose()).into();
        }
        for ws in self.ws.iter_mut().chain(&mut self.carried) {
            ws.token = names.secret(ws.token.expose()).into();
            if let Some(uri) = names.url(ws.uri.as_str()).and_then(|uri| Url::parse(&uri).ok()) {
                ws.uri = uri;
            }
        }
    }

    pub(super) fn has_ws_token(&self, now: Timestamp) -> bool {
        self.ws.as_ref().is_some_and(|ws| now < ws.usable_until)
    }

    /// When the next call may be made. `reserve` calls are left for later.
    pub(super) fn earliest_call(&self, now: Timestamp, reserve: usize) -> Timestamp {
        self.calls.earliest(now, reserve).max(self.not_before)
    }

    /// The URL that presents the token, once (TOK-1, TOK-8).
    pub(super) fn present(&mut self, wsc: Option<&Wsc>) -> Option<SecretUrl> {
        let ws = self.ws.take()?;
        let mut url = ws.uri.clone();
        url.query_pairs_mut().append_pair("access_token", ws.token.expose());
        if let Some(wsc) = wsc {
            url.query_pairs_mut().append_pair("wsc", wsc.token.expose());
        }
        self.carried = Some(ws);
        Some(SecretUrl::new(url))
    }

    /// The server has, or may have, seen it.
    pub(super) fn presented(&mut self) {
        self.carried = None;
    }

    /// The server cannot have seen it: the next attempt uses it.
    pub(super) fn keep_unpresented(&mut self) {
        self.ws = self.carried.take();
    }

    /// A Bearer header, if a token is held that has not expired.
    pub(super) fn bearer(&self, now: Timestamp) -> Option<HeaderValue> {
        let held = self.access.as_ref().filter(|held| held.expires.is_none_or(|at| now < at))?;
        bearer_of(&held.secret)
    }

    /// Number of the access token in use.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// A server took this access token.
    pub(super) fn accepted(&mut self, token: u64) {
        if let Some(held) = self.access.as_mut().filter(|_| token == self.number) {
            held.on_probation = false;
        }
    }

    fn on_probation(&self, token: u64) -> bool {
        token == self.number && self.access.as_ref().is_some_and(|held| held.on_probation)
    }

    pub(super) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// At the end of the session.
    pub(super) fn give_up(&mut self, out: &mut Outbox) {
        if let Some(Fetching { id, .. }) = self.fetching.take() {
            out.act(Action::AbortHttp { id });
        }
        (self.access, self.asking, self.ws, self.carried) = (None, None, None, None);
    }
}

impl Session {
    /// Brings the attempt, or the renewal, one step on.
    pub(super) fn pursue_token(&mut self, now: Timestamp) {
        if self.tokens.has_ws_token(now) {
            return self.token_ready(now);
        }
        if self.tokens.fetching.is_some() || self.tokens.is_asking() {
            return;
        }
        match self.tokens.bearer(now) {
            Some(bearer) => self.fetch_ws_token(bearer, now),
            None => {
                if let Err(at) = self.ask(now) {
                    self.token_blocked(at, now);
                }
            }
        }
    }

    fn token_ready(&mut self, now: Timestamp) {
        match self.link {
            Link::Token { .. } => self.open(now),
            _ => self.renew(now),
        }
    }

    /// The budget is spent until `at`.
    fn token_blocked(&mut self, at: Timestamp, now: Timestamp) {
        match self.link {
            Link::Token { .. } => self.wait_until(at),
            _ if self.recovery.renewing => self.renewal_failed(at, now),
            _ => {}
        }
    }

    fn token_failed(&mut self, cause: Cause, floor: Timestamp, now: Timestamp) {
        match self.link {
            Link::Token { .. } => self.attempt_failed(cause, floor, now),
            _ if self.recovery.renewing => self.renewal_failed(floor, now),
            _ => {}
        }
    }

    /// Asks the credential source, at most as often as the server allows logins. `Err`: not before then.
    pub(super) fn ask(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        if self.tokens.is_asking() {
            return Ok(());
        }
        let at = self.tokens.logins.earliest(now, 0).max(self.tokens.no_login_before);
        if at > now {
            return Err(at);
        }
        self.tokens.logins.take(now);
        self.tokens.asked_anew = self.tokens.refused;
        self.stats.authorizations += 1;
        let reason = match &self.tokens.access {
            _ if self.tokens.refused => AuthReason::Refused,
            Some(_) => AuthReason::Expiring,
            None => AuthReason::Missing,
        };
        let id = AuthId(self.fresh_id());
        self.tokens.asking = Some(id);
        self.timers.stop(TimerKind::Refresh);
        self.arm(TimerKind::Authorize, self.patience(self.config.token_timeout, now));
        self.out.act(Action::Authorize { id, reason });
        Ok(())
    }

    /// The server refused this access token. If another is held by now, that one is not concerned.
    pub(super) fn access_refused(&mut self, token: u64) {
        if token == self.tokens.number {
            self.tokens.refused = true;
            self.tokens.access = None;
        }
    }

    pub(super) fn authorized(&mut self, id: AuthId, token: AccessToken, now: Timestamp) {
        if self.tokens.asking != Some(id) {
            self.stats.stale_inputs += 1;
            return;
        }
        if let Some(message) = unusable(&token, now) {
            // It cannot be presented, so it is no answer.
            let failure = AuthFailure::transient(message);
            return self.authorize_failed(id, failure, now);
        }
        self.tokens.asking = None;
        self.timers.stop(TimerKind::Authorize);
        let expires = token.expires_in.map(|life| now.after(life));
        if let Some(life) = token.expires_in {
            self.arm(TimerKind::Refresh, now.after(life / 5 * 4));
        }
        self.tokens.number += 1;
        let on_probation = std::mem::take(&mut self.tokens.refused) && self.tokens.asked_anew;
        self.tokens.access = Some(Held { secret: token.secret, expires, on_probation });
        self.go_on_with_token(now);
        self.dispatch(now);
    }

    fn go_on_with_token(&mut self, now: Timestamp) {
        if matches!(self.link, Link::Token { .. }) || self.recovery.renewing {
            self.pursue_token(now);
        }
    }

    pub(super) fn authorize_failed(&mut self, id: AuthId, failure: AuthFailure, now: Timestamp) {
        if self.tokens.asking != Some(id) {
            self.stats.stale_inputs += 1;
            return;
        }
        self.tokens.asking = None;
        self.timers.stop(TimerKind::Authorize);
        let told = failure.retry_after.unwrap_or_default().min(classify::MAX_RETRY_AFTER);
        self.tokens.no_login_before = now.after(told);
        let permanent = failure.is_permanent();
        let cause = login_failed(failure, self.config.retry.penalty);
        self.requests_without_token(&cause, now);
        if self.tokens.bearer(now).is_some() {
            // The old token is still good: the connection goes on, and the source is asked again.
            self.stats.refresh_failures += 1;
            self.arm(TimerKind::Refresh, now.after(told.max(self.config.retry.penalty)));
            return self.go_on_with_token(now);
        }
        if permanent && matches!(self.link, Link::Token { .. }) {
            return self.finish(CloseReason::Permanent(cause), false, now);
        }
        self.token_failed(cause, now.after(told), now);
    }

    pub(super) fn authorize_timed_out(&mut self, now: Timestamp) {
        if let Some(id) = self.tokens.asking {
            let failure = AuthFailure::transient("the credential source took too long");
            self.authorize_failed(id, failure, now);
        }
    }

    pub(super) fn refresh_due(&mut self, now: Timestamp) {
        if let Err(at) = self.ask(now) {
            self.arm(TimerKind::Refresh, at);
        }
    }

    /// TOK-2: inside the budget, whatever the cause.
    fn fetch_ws_token(&mut self, bearer: HeaderValue, now: Timestamp) {
        let urgent = matches!(self.link, Link::Token { urgent: true });
        let at = self.tokens.earliest_call(now, usize::from(!urgent));
        if at > now {
            return self.token_blocked(at, now);
        }
        self.tokens.calls.take(now);
        self.stats.token_calls += 1;
        let id = HttpId(self.fresh_id());
        let mut request = http::Request::new(Bytes::new());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.rest_uri(WS_TOKEN_PATH);
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        self.add_user_agent(request.headers_mut());
        self.tokens.fetching = Some(Fetching { id, began: now, token: self.tokens.number });
        self.arm(TimerKind::TokenCall, self.patience(self.config.token_timeout, now));
        self.out.act(Action::Http { id, request: Box::new(request) });
    }

    pub(super) fn token_call_timed_out(&mut self, now: Timestamp) {
        if let Some(Fetching { id, .. }) = self.tokens.fetching.take() {
            self.out.act(Action::AbortHttp { id });
            let message = "no answer in time".into();
            self.token_failed(Cause::Network { phase: crate::input::Phase::Response, message }, now, now);
        }
    }

    pub(super) fn http_response(&mut self, id: HttpId, response: Box<http::Response<Bytes>>, now: Timestamp) {
        match self.tokens.fetching {
            Some(call) if call.id == id => {
                self.tokens.fetching = None;
                self.timers.stop(TimerKind::TokenCall);
                self.ws_token_answer(&response, call, now);
            }
            _ => self.rest_response(id, response, now),
        }
    }

    pub(super) fn http_failed(&mut self, id: HttpId, failure: HttpFailure, now: Timestamp) {
        match self.tokens.fetching {
            Some(call) if call.id == id => {
                self.tokens.fetching = None;
                self.timers.stop(TimerKind::TokenCall);
                self.token_failed(Cause::Network { phase: failure.phase, message: failure.message }, now, now);
            }
            _ => self.rest_failed(id, failure, now),
        }
    }

    fn ws_token_answer(&mut self, response: &http::Response<Bytes>, call: Fetching, now: Timestamp) {
        if !response.status().is_success() {
            return self.ws_token_refused(call.token, response, now);
        }
        let Some(reply) = ws_token(response.body()) else {
            return self.token_failed(Cause::TokenUnreadable, now, now);
        };
        if !self.is_allowed(&reply.uri, "wss", "ws") {
            return self.finish(CloseReason::Permanent(Cause::InsecureUri), false, now);
        }
        self.tokens.accepted(call.token);
        self.tokens.ws = Some(self.usable(reply, call.began));
        if self.tokens.has_ws_token(now) {
            self.token_ready(now);
        } else {
            self.token_failed(Cause::TokenUnreadable, now, now);
        }
    }

    /// TOK-7: counted from the call, minus a margin.
    fn usable(&self, reply: WsTokenReply, began: Timestamp) -> WsToken {
        let life = Duration::from_secs(reply.expires_in);
        let margin = self.config.token_margin.min(life / 5);
        WsToken { token: reply.token, uri: reply.uri, usable_until: began.after(life.saturating_sub(margin)) }
    }

    fn ws_token_refused(&mut self, token: u64, response: &http::Response<Bytes>, now: Timestamp) {
        let status = response.status().as_u16();
        let info = ApiErrorInfo::from_reply(status, response.headers(), response.body());
        let wait = classify::retry_after(response.headers(), self.clock.unix_at(now).0);
        match info.class() {
            Class::RefreshToken if !self.tokens.on_probation(token) => {
                self.access_refused(token);
                self.pursue_token(now);
            }
            Class::RefreshToken => self.finish(CloseReason::Permanent(Cause::Unauthorized), false, now),
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
                self.tokens.not_before = now.after(retry_after);
                self.token_failed(Cause::RateLimited { retry_after }, now, now);
            }
            Class::Permanent
            | Class::CallerBug
            | Class::Resubscribe
            | Class::FreeSubscriptions
            | Class::Transient
            | Class::RecoverSession
            | Class::ForgetWsc => {
                self.tokens.not_before = wait.map_or(self.tokens.not_before, |wait| now.after(wait));
                let cause = if status == 503 {
                    Cause::Unavailable { retry_after: wait }
                } else {
                    Cause::TokenCall(Box::new(info))
                };
                self.token_failed(cause, now, now);
            }
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

fn bearer_of(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Why an access token cannot be presented, never quoting it.
fn unusable(token: &AccessToken, now: Timestamp) -> Option<&'static str> {
    if bearer_of(&token.secret).is_none() {
        Some("the access token holds characters that no header can, such as a line break")
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
