//! Access tokens from the credential source (TOK).

use std::time::Duration;

use crate::classify::{self, Cause};
use crate::ids::AuthId;
use crate::input::{AccessToken, AuthFailure, AuthFailureKind};
use crate::json::beginning;
use crate::mask::Masker;
use crate::output::{Action, AuthReason, CloseReason, WaitReason};
use crate::retry::{self, Cost, Planned, asked_by};
use crate::session::Session;
use crate::session::connection::TokenUse;
use crate::session::recovery::StoredSnapshot;
use crate::session::tokens::{Access, Asking, Doubt, HeldToken, bearer_of};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::MAX_TOKEN;

/// Longest text of others that is shown, in bytes.
const MAX_WORDS: usize = 1024;
/// A token that the source had already is free if it lives at least so long: a source that gives shorter ones is asked
/// again and again, and may not be asked without a bound.
const LONG_LIFE: Duration = Duration::from_secs(60);

impl Session {
    /// Brings the attempt, or the renewal, one step on: an access token, a WebSocket token, the connection.
    pub(crate) fn pursue(&mut self, now: Timestamp) {
        match self.state.connection.token_use() {
            Some(TokenUse::Attempt) if self.state.tokens.has_ws_token(now) => self.open(now),
            Some(TokenUse::Attempt) => self.pursue_token(now),
            Some(TokenUse::Renewal) => self.renew(now),
            None => {}
        }
    }

    /// Takes the next step to a WebSocket token, unless there is one, or the step before has not ended.
    pub(crate) fn pursue_token(&mut self, now: Timestamp) {
        let tokens = &self.state.tokens;
        if tokens.has_ws_token(now) || tokens.fetching.is_some() || tokens.is_asking() {
            return;
        }
        match self.state.tokens.bearer(now) {
            // PST-2: no connection is opened before that. It goes on with `snapshot_stored`.
            Some(_) if self.state.recovery.stored_snapshot == StoredSnapshot::ToBeReplaced => {}
            Some(bearer) => self.fetch_ws_token(bearer, now),
            None => {
                if let Err(planned) = self.ask(now) {
                    self.token_blocked(planned, now);
                }
            }
        }
    }

    /// No call is allowed until then.
    pub(crate) fn token_blocked(&mut self, planned: Planned, now: Timestamp) {
        match self.state.connection.token_use() {
            Some(TokenUse::Attempt) => self.wait_and_say(planned, now),
            Some(TokenUse::Renewal) => self.renewal_failed(planned.at, now),
            None => {}
        }
    }

    pub(crate) fn token_failed(&mut self, cause: Cause, cost: Cost, floor: Timestamp, now: Timestamp) {
        match self.state.connection.token_use() {
            Some(TokenUse::Attempt) => self.attempt_failed(cause, cost, floor, now),
            Some(TokenUse::Renewal) => self.renewal_failed(floor, now),
            None => {}
        }
    }

    /// Asks the credential source, at most as often as the server allows logins. `Err`: not before then.
    pub(crate) fn ask(&mut self, now: Timestamp) -> Result<(), Planned> {
        if self.state.tokens.is_asking() {
            return Ok(());
        }
        let floor = self.call_allowed(now);
        let asked = self.state.tokens.logins.earliest(now);
        if asked > now && floor.is_none_or(|floor| floor.at < asked) {
            return Err(Planned { at: asked, reason: self.state.tokens.logins.held().reason });
        }
        if let Some(floor) = floor {
            return Err(floor);
        }
        self.take_call(now);
        self.stats.authorizations += 1;
        let reason = match &self.state.tokens.access {
            Access::Refused(_) => AuthReason::Refused,
            Access::Held(_) => AuthReason::Expiring,
            Access::Missing => AuthReason::Missing,
        };
        let id = AuthId(self.fresh_id());
        self.state.tokens.asking = Some(Asking { id, began: now, anew: reason == AuthReason::Refused });
        self.state.timers.stop(TimerKind::Refresh);
        self.arm(TimerKind::Authorize, self.attempt_deadline(self.config.token_timeout, now));
        let last = self.state.tokens.last().cloned();
        self.out.act(Action::Authorize { id, reason, last });
        Ok(())
    }

    /// Knows the secrets of this session by their values: servers and proxies quote what they were sent (SEC-6).
    pub(crate) fn masker(&self) -> Masker {
        let mut masker = self.state.tokens.former().clone();
        self.state.tokens.learn(&mut masker);
        if let Some(wsc) = &self.state.recovery.wsc {
            masker.learn(wsc.token.expose());
        }
        masker
    }

    /// What somebody outside says, as it is shown: masked, and not longer than a few lines.
    pub(crate) fn words(&self, text: &str) -> Box<str> {
        beginning(&self.masker().mask(text), MAX_WORDS).into()
    }

    /// When the next call of the group Auth is allowed, if it is not now (TOK-2).
    pub(crate) fn call_allowed(&self, now: Timestamp) -> Option<Planned> {
        let calls = self.state.tokens.calls();
        let reason = calls.reason(now, WaitReason::AuthBudget)?;
        Some(Planned { at: calls.earliest(now), reason })
    }

    /// A process that follows must not begin with a fresh budget (TOK-2).
    pub(crate) fn take_call(&mut self, now: Timestamp) {
        self.state.tokens.calls.take(now);
        self.out.snapshot_changed();
    }

    /// The server refused this access token. If another is held by now, that one is not concerned.
    pub(crate) fn access_refused(&mut self, token: u64) {
        if token == self.state.tokens.number {
            self.state.tokens.access = Access::Refused(self.state.tokens.forget_access());
        }
    }

    pub(crate) fn authorized(&mut self, id: AuthId, token: AccessToken, now: Timestamp) {
        let Some(Asking { anew, began, .. }) = self.state.tokens.asking.filter(|asking| asking.id == id) else {
            self.stats.stale_inputs += 1;
            return;
        };
        if let Some(message) = unusable(&token, now) {
            // It cannot be presented, so it is no answer.
            let failure = AuthFailure::transient(message);
            return self.authorize_failed(id, failure, now);
        }
        if !token.cached {
            self.state.tokens.limited = 0;
        }
        // No server saw a call.
        if token.cached && token.expires_in.is_none_or(|life| life >= LONG_LIFE) {
            self.state.tokens.calls.give_back(began);
        }
        self.state.tokens.asking = None;
        self.state.timers.stop(TimerKind::Authorize);
        let expires = token.expires_in.map(|life| now.after(life));
        if let Some(life) = token.expires_in {
            self.arm(TimerKind::Refresh, now.after(life / 5 * 4));
        }
        self.state.tokens.number += 1;
        if matches!(self.state.tokens.access, Access::Refused(_)) && !anew {
            // It may be the refused one, which says nothing about a new one.
            self.state.tokens.doubt = Doubt::None;
        }
        self.state.tokens.forget_access();
        let held = HeldToken { secret: token.secret, expires, issued: now, accepted: false };
        self.state.tokens.access = Access::Held(held);
    }

    pub(crate) fn authorize_failed(&mut self, id: AuthId, failure: AuthFailure, now: Timestamp) {
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
        let permanent = failure.is_permanent();
        let failure = AuthFailure {
            code: failure.code.map(|code| self.words(&code)),
            message: self.words(&failure.message),
            ..failure
        };
        let stated = failure.retry_after.unwrap_or_default().min(classify::MAX_RETRY_AFTER);
        let cause = login_failed(failure, self.config.retry.penalty);
        let stated = if let Cause::RateLimited { retry_after } = cause {
            self.limit_token_calls(retry_after, now)
        } else {
            stated
        };
        self.state.tokens.logins.hold_until(Planned { at: now.after(stated), reason: asked_by(&cause) });
        if !stated.is_zero() {
            // A process that follows must not ask sooner either.
            self.out.snapshot_changed();
        }
        self.requests_without_token(&cause, now);
        if self.state.tokens.bearer(now).is_some() {
            // The old token is still good: the connection goes on, and the source is asked again.
            self.stats.refresh_failures += 1;
            self.arm(TimerKind::Refresh, now.after(stated.max(self.config.retry.penalty)));
            return;
        }
        let is_needed = self.state.connection.token_use() == Some(TokenUse::Attempt)
            || self.state.subscription.is_refused_for_the_login() && self.state.closing.is_none();
        if permanent && is_needed {
            return self.terminate(CloseReason::Permanent(cause), false, now);
        }
        self.token_failed(cause, cost, now.after(stated), now);
    }

    /// A call of the group Auth was refused because of the rate limit, and none is made for so long. Returns how long: more
    /// than that if it is not the first one (TOK-3).
    pub(crate) fn limit_token_calls(&mut self, penalty: Duration, now: Timestamp) -> Duration {
        let times = self.state.tokens.limited;
        self.state.tokens.limited = times.saturating_add(1);
        let apart = retry::apart(times, self.config.retry.penalty, &mut self.state.rng);
        let wait = penalty.saturating_add(apart);
        self.state.tokens.calls.penalty(now.after(wait));
        self.out.snapshot_changed();
        wait
    }

    pub(crate) fn authorize_timed_out(&mut self, now: Timestamp) {
        if let Some(Asking { id, .. }) = self.state.tokens.asking {
            let failure = AuthFailure::transient(
                "no answer within Config::token_timeout, and it is tried again; if this goes on, look at the network and the proxy, \
                 or at a CredentialSource of your own",
            );
            self.authorize_failed(id, failure, now);
        }
    }

    pub(crate) fn refresh_due(&mut self, now: Timestamp) {
        if let Err(planned) = self.ask(now) {
            self.arm(TimerKind::Refresh, planned.at);
        }
    }
}

/// What a failed login is to an attempt that waits for it.
fn login_failed(failure: AuthFailure, penalty: Duration) -> Cause {
    let AuthFailure { kind, code, message, retry_after } = failure;
    match kind {
        AuthFailureKind::Network { phase, .. } => Cause::Network { phase, message },
        AuthFailureKind::RateLimited => Cause::RateLimited {
            retry_after: retry_after.filter(classify::says_something).unwrap_or(penalty).min(classify::MAX_RETRY_AFTER),
        },
        AuthFailureKind::Unavailable => {
            Cause::Unavailable { retry_after: retry_after.map(|wait| wait.min(classify::MAX_RETRY_AFTER)) }
        }
        AuthFailureKind::Limited => Cause::LoginLimit { message },
        AuthFailureKind::Permanent | AuthFailureKind::Other => Cause::Credentials { code, message },
    }
}

/// Why an access token cannot be presented, never quoting it.
fn unusable(token: &AccessToken, now: Timestamp) -> Option<&'static str> {
    if bearer_of(&token.secret).is_none() {
        Some("the access token holds characters that no header can, such as a line break")
    } else if token.secret.expose().len() > MAX_TOKEN {
        Some("the access token has more than 64 KiB")
    } else if token.expires_in.is_some_and(|life| now.after(life) <= now) {
        Some("the access token has no life left")
    } else {
        None
    }
}
