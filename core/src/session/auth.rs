//! Access tokens from the credential source, WebSocket tokens from the server (TOK).

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, header};
use url::Url;

use super::Session;
use super::link::Link;
use crate::classify::{self, ApiErrorInfo, Cause, Class, RateLimit};
use crate::config::Config;
use crate::ids::{AuthId, HttpId};
use crate::input::{AccessToken, AuthFailure, AuthFailureKind, HttpFailure};
use crate::mask::Masker;
use crate::outbox::Outbox;
use crate::output::{Action, AuthReason, CloseReason, WaitReason};
use crate::retry::{Budget, Cost, MINUTE, Planned};
use crate::secret::{Secret, SecretUrl};
use crate::snapshot::StoredAuth;
use crate::time::{ClockReading, Timestamp, UnixMillis};
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
    issued: Timestamp,
    /// A server accepted it.
    accepted: bool,
}

/// What refusals of access tokens in a row have led to (TOK-4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
enum Doubt {
    /// Nothing: the last one was accepted, or none has been presented.
    #[default]
    None,
    /// Another one was asked for.
    Replaced,
    /// The other one was refused too, and is tried once more.
    Repeated,
    /// A third one was asked for, and is the last.
    ReplacedAgain,
}

/// A token that is younger may not be known everywhere yet (TOK-4).
const YOUNG: Duration = Duration::from_secs(60);
/// Before a young token is tried once more, and before the login after that.
const SPREAD: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// Tokens that were accepted and are refused within so long after their issue were revoked by other logins. The third
/// within twice that time is the last.
const EVICTED: Duration = Duration::from_secs(300);
const MAX_EVICTIONS: usize = 3;
/// The longest penalty that is believed after a restart.
const MAX_STORED_PENALTY: Duration = Duration::from_secs(3_600);

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

/// The question under way to the credential source.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct Asking {
    id: AuthId,
    began: Timestamp,
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
    asking: Option<Asking>,
    /// The server refused the last one, and another has not come yet (TOK-4).
    refused: bool,
    /// The question under way was asked after the refusal. The answer to an older one may be the refused token.
    #[cfg_attr(feature = "recorder", serde(default))]
    asked_anew: bool,
    #[cfg_attr(feature = "recorder", serde(default))]
    doubt: Doubt,
    /// When tokens in good use were refused soon after their issue.
    #[cfg_attr(feature = "recorder", serde(default))]
    evictions: Vec<Timestamp>,
    /// The source asked for no question before this.
    #[cfg_attr(feature = "recorder", serde(default))]
    no_login_before: Timestamp,
    ws: Option<WsToken>,
    /// The one that the opening connection carries, until it is known to have been seen.
    carried: Option<WsToken>,
    fetching: Option<Fetching>,
    /// Of every call of the rate-limit group Auth, the questions to the credential source included (TOK-2).
    calls: Budget,
    /// What another process left of it, until the first connection is asked for.
    #[cfg_attr(feature = "recorder", serde(default))]
    packed: Option<StoredAuth>,
}

impl Tokens {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            access: None,
            number: 0,
            asking: None,
            refused: false,
            asked_anew: false,
            doubt: Doubt::None,
            evictions: Vec::new(),
            no_login_before: Timestamp::ZERO,
            ws: None,
            carried: None,
            fetching: None,
            calls: Budget::new(config.retry.auth_calls_per_minute),
            packed: None,
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

    /// The budget of calls.
    pub(super) const fn calls(&self) -> &Budget {
        &self.calls
    }

    /// What is left of the budget and of penalties, for another process.
    pub(super) fn stored(&self, clock: ClockReading, now: Timestamp) -> StoredAuth {
        if let Some(packed) = &self.packed {
            return packed.clone();
        }
        let (free_at, no_call_before) = self.calls.stored(now);
        StoredAuth {
            free_at: free_at.into_iter().map(|at| clock.unix_at(at)).collect(),
            no_call_before: no_call_before.map(|at| clock.unix_at(at)),
            no_login_before: Some(self.no_login_before).filter(|at| *at > now).map(|at| clock.unix_at(at)),
        }
    }

    /// What another process left, until it is used.
    pub(super) fn keep_packed(&mut self, stored: StoredAuth) {
        self.packed = Some(stored);
    }

    /// Goes on with what another process left. The wall clock may have been put back since: nothing of it holds long.
    pub(super) fn unpack(&mut self, clock: ClockReading, now: Timestamp) {
        let Some(stored) = self.packed.take() else { return };
        let at = |unix: UnixMillis, most: Duration| {
            let left = Duration::from_millis(unix.0.saturating_sub(clock.unix.0)).min(most);
            clock.now.after(left)
        };
        let free_at = stored.free_at.iter().map(|free| at(*free, MINUTE));
        self.calls.restore(free_at, stored.no_call_before.map(|until| at(until, MAX_STORED_PENALTY)), now);
        self.no_login_before =
            stored.no_login_before.map_or(self.no_login_before, |until| at(until, MAX_STORED_PENALTY));
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

    /// What a server might quote.
    fn learn(&self, masker: &mut Masker) {
        if let Some(held) = &self.access {
            masker.learn(held.secret.expose());
        }
        for ws in self.ws.iter().chain(&self.carried) {
            masker.learn(ws.token.expose());
        }
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
            held.accepted = true;
            self.doubt = Doubt::None;
        }
    }

    /// Whether the answer to the question under way cannot be the token that was refused.
    const fn asks_anew(&self) -> bool {
        self.asked_anew
    }

    /// A token in good use was refused soon after its issue. Whether that was once too often.
    fn evicted_too_often(&mut self, now: Timestamp) -> bool {
        let Some(held) = &self.access else { return false };
        let expired = held.expires.is_some_and(|at| now >= at);
        if !held.accepted || expired || now.since(held.issued) > EVICTED {
            return false;
        }
        self.evictions.retain(|at| now.since(*at) <= EVICTED * 2);
        self.evictions.push(now);
        self.evictions.len() >= MAX_EVICTIONS
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
                if let Err(planned) = self.ask(now) {
                    self.token_blocked(planned, now);
                }
            }
        }
    }

    fn token_ready(&mut self, now: Timestamp) {
        match self.link {
            Link::Token => self.open(now),
            _ => self.renew(now),
        }
    }

    /// No call is allowed until then.
    fn token_blocked(&mut self, planned: Planned, now: Timestamp) {
        match self.link {
            Link::Token => self.wait_and_say(planned, now),
            _ if self.recovery.renewing => self.renewal_failed(planned.at, now),
            _ => {}
        }
    }

    fn token_failed(&mut self, cause: Cause, cost: Cost, floor: Timestamp, now: Timestamp) {
        match self.link {
            Link::Token => self.attempt_failed(cause, cost, floor, now),
            _ if self.recovery.renewing => self.renewal_failed(floor, now),
            _ => {}
        }
    }

    /// Asks the credential source, at most as often as the server allows logins. `Err`: not before then.
    pub(super) fn ask(&mut self, now: Timestamp) -> Result<(), Planned> {
        if self.tokens.is_asking() {
            return Ok(());
        }
        let floor = self.call_allowed(now);
        let asked = self.tokens.no_login_before;
        if asked > now && floor.is_none_or(|floor| floor.at < asked) {
            return Err(Planned { at: asked, reason: WaitReason::RetryAfter });
        }
        if let Some(floor) = floor {
            return Err(floor);
        }
        self.take_call(now);
        self.tokens.asked_anew = self.tokens.refused;
        self.stats.authorizations += 1;
        let reason = match &self.tokens.access {
            _ if self.tokens.refused => AuthReason::Refused,
            Some(_) => AuthReason::Expiring,
            None => AuthReason::Missing,
        };
        let id = AuthId(self.fresh_id());
        self.tokens.asking = Some(Asking { id, began: now });
        self.timers.stop(TimerKind::Refresh);
        self.arm(TimerKind::Authorize, self.step_deadline(self.config.token_timeout, now));
        self.out.act(Action::Authorize { id, reason });
        Ok(())
    }

    /// Knows the secrets of this session by their values: servers and proxies quote what they were sent (SEC-6).
    pub(super) fn masker(&self) -> Masker {
        let mut masker = Masker::new();
        self.tokens.learn(&mut masker);
        if let Some(wsc) = &self.recovery.wsc {
            masker.learn(wsc.token.expose());
        }
        masker
    }

    /// When the next call of the group Auth is allowed, if it is not now (TOK-2).
    fn call_allowed(&self, now: Timestamp) -> Option<Planned> {
        let calls = self.tokens.calls();
        let reason = calls.reason(now, WaitReason::AuthBudget)?;
        Some(Planned { at: calls.earliest(now), reason })
    }

    /// A process that follows must not begin with a fresh budget (TOK-2).
    fn take_call(&mut self, now: Timestamp) {
        self.tokens.calls.take(now);
        self.out.snapshot_changed();
    }

    /// The server refused this access token. If another is held by now, that one is not concerned.
    pub(super) fn access_refused(&mut self, token: u64) {
        if token == self.tokens.number {
            self.tokens.refused = true;
            self.tokens.access = None;
        }
    }

    pub(super) fn authorized(&mut self, id: AuthId, token: AccessToken, now: Timestamp) {
        if self.tokens.asking.is_none_or(|asking| asking.id != id) {
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
        let replaces = std::mem::take(&mut self.tokens.refused);
        if replaces && !self.tokens.asks_anew() {
            // It may be the refused one, which says nothing about a new one.
            self.tokens.doubt = Doubt::None;
        }
        self.tokens.access = Some(Held { secret: token.secret, expires, issued: now, accepted: false });
        self.go_on_with_token(now);
        self.dispatch(now);
    }

    fn go_on_with_token(&mut self, now: Timestamp) {
        if matches!(self.link, Link::Token) || self.recovery.renewing {
            self.pursue_token(now);
        }
    }

    pub(super) fn authorize_failed(&mut self, id: AuthId, failure: AuthFailure, now: Timestamp) {
        let Some(Asking { began, .. }) = self.tokens.asking.filter(|asking| asking.id == id) else {
            self.stats.stale_inputs += 1;
            return;
        };
        self.tokens.asking = None;
        self.timers.stop(TimerKind::Authorize);
        if failure.not_sent() {
            self.tokens.calls.give_back(began);
        }
        let cost = if failure.not_sent() { Cost::Local } else { Cost::Call };
        let told = failure.retry_after.unwrap_or_default().min(classify::MAX_RETRY_AFTER);
        self.tokens.no_login_before = now.after(told);
        let permanent = failure.is_permanent();
        let masker = self.masker();
        let failure = AuthFailure {
            code: failure.code.map(|code| masker.mask(&code).into()),
            message: masker.mask(&failure.message).into(),
            ..failure
        };
        let cause = login_failed(failure, self.config.retry.penalty);
        self.requests_without_token(&cause, now);
        if self.tokens.bearer(now).is_some() {
            // The old token is still good: the connection goes on, and the source is asked again.
            self.stats.refresh_failures += 1;
            self.arm(TimerKind::Refresh, now.after(told.max(self.config.retry.penalty)));
            return self.go_on_with_token(now);
        }
        if permanent && matches!(self.link, Link::Token) {
            return self.finish(CloseReason::Permanent(cause), false, now);
        }
        self.token_failed(cause, cost, now.after(told), now);
    }

    pub(super) fn authorize_timed_out(&mut self, now: Timestamp) {
        if let Some(Asking { id, .. }) = self.tokens.asking {
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
        self.tokens.fetching = Some(Fetching { id, began: now, token: self.tokens.number });
        self.arm(TimerKind::TokenCall, self.step_deadline(self.config.token_timeout, now));
        self.out.act(Action::Http { id, request: Box::new(request) });
    }

    pub(super) fn token_call_timed_out(&mut self, now: Timestamp) {
        if let Some(Fetching { id, .. }) = self.tokens.fetching.take() {
            self.out.act(Action::AbortHttp { id });
            let message = "no answer in time".into();
            let cause = Cause::Network { phase: crate::input::Phase::Response, message };
            self.token_failed(cause, Cost::Call, now, now);
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
                let cost = if failure.not_sent { Cost::Local } else { Cost::Call };
                if failure.not_sent {
                    self.tokens.calls.give_back(call.began);
                }
                let message = self.masker().mask(&failure.message).into();
                self.token_failed(Cause::Network { phase: failure.phase, message }, cost, now, now);
            }
            _ => self.rest_failed(id, failure, now),
        }
    }

    fn ws_token_answer(&mut self, response: &http::Response<Bytes>, call: Fetching, now: Timestamp) {
        if let Some(limit) = RateLimit::from_headers(response.headers()) {
            self.tokens.calls.believe(&limit, now);
        }
        if !response.status().is_success() {
            return self.ws_token_refused(call.token, response, now);
        }
        let Some(reply) = ws_token(response.body()) else {
            return self.token_failed(Cause::TokenUnreadable, Cost::Call, now, now);
        };
        if !self.is_allowed(&reply.uri, "wss", "ws") {
            return self.finish(CloseReason::Permanent(Cause::InsecureUri), false, now);
        }
        self.tokens.accepted(call.token);
        self.tokens.ws = Some(self.usable(reply, call.began));
        if self.tokens.has_ws_token(now) {
            self.token_ready(now);
        } else {
            self.token_failed(Cause::TokenUnreadable, Cost::Call, now, now);
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
        let info = ApiErrorInfo::from_reply_masked(status, response.headers(), response.body(), &self.masker());
        let wait = classify::retry_after(response.headers(), self.clock.unix_at(now).0);
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
                self.tokens.calls.penalty(now.after(retry_after));
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
                    self.tokens.calls.penalty(now.after(wait));
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
        let Some(held) = self.tokens.access.as_ref().filter(|_| token == self.tokens.number) else {
            // Another one is held by now, or will be.
            return self.pursue_token(now);
        };
        let young = now.since(held.issued) < YOUNG;
        if self.tokens.evicted_too_often(now) {
            return self.finish(CloseReason::Permanent(Cause::Evicted), false, now);
        }
        match self.tokens.doubt {
            Doubt::Replaced if young => {
                self.tokens.doubt = Doubt::Repeated;
                self.wait_for_token(SPREAD[0], now);
            }
            Doubt::Repeated if young => {
                self.tokens.doubt = Doubt::ReplacedAgain;
                self.access_refused(token);
                self.wait_for_token(SPREAD[1], now);
            }
            Doubt::ReplacedAgain => self.finish(CloseReason::Permanent(Cause::Unauthorized), false, now),
            Doubt::None | Doubt::Replaced | Doubt::Repeated => {
                self.tokens.doubt = Doubt::Replaced;
                self.access_refused(token);
                self.pursue_token(now);
            }
        }
    }

    fn wait_for_token(&mut self, wait: Duration, now: Timestamp) {
        let at = now.after(wait);
        match self.link {
            Link::Token => {
                let planned = Planned { at, reason: WaitReason::TokenSpread };
                self.attempt_failed_until(Cause::TokenRefused, planned, now);
            }
            _ if self.recovery.renewing => self.renewal_failed(at, now),
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
