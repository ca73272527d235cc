//! Access tokens and WebSocket tokens as they are held, and the budget of the calls for them (TOK).

mod auth;
mod ws_token;

use std::time::Duration;

use http::HeaderValue;
use url::Url;

use crate::config::Config;
use crate::ids::{AuthId, HttpId};
use crate::mask::Masker;
use crate::outbox::Outbox;
use crate::output::{Action, WaitReason};
use crate::retry::{Budget, MINUTE, Planned};
use crate::secret::{Secret, SecretUrl};
use crate::snapshot::StoredAuth;
use crate::time::{ClockReading, Timestamp, UnixMillis};
use crate::wire::Wsc;

/// An access token in use.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct HeldToken {
    #[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::named_secret"))]
    pub(crate) secret: Secret,
    pub(crate) expires: Option<Timestamp>,
    pub(crate) issued: Timestamp,
    /// A server accepted it.
    pub(crate) accepted: bool,
}

/// The access token.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Access {
    /// None has come yet, or it is not needed any more.
    Missing,
    /// In use.
    Held(HeldToken),
    /// The server refused the last one, and another has not come yet (TOK-4).
    Refused(#[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::named_secret_option"))] Option<Secret>),
}

/// What refusals of access tokens in a row have led to (TOK-4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Doubt {
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
pub(crate) const YOUNG: Duration = Duration::from_secs(60);
/// Before a young token is tried once more, and before the login after that.
pub(crate) const SPREAD: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// Tokens that were accepted and are refused within so long after their issue were revoked by other logins. The third
/// within twice that time is the last.
pub(crate) const EVICTED: Duration = Duration::from_secs(300);
pub(crate) const MAX_EVICTIONS: usize = 3;
/// The longest penalty that is believed after a restart.
pub(crate) const MAX_STORED_PENALTY: Duration = Duration::from_secs(3_600);

/// A WebSocket token nobody has seen yet.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct WsToken {
    #[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::named_secret"))]
    pub(crate) token: Secret,
    #[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::url"))]
    pub(crate) uri: Url,
    pub(crate) usable_until: Timestamp,
}

/// The WebSocket token, which is good for one connection.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum OneUse {
    None,
    /// Nobody has seen it yet.
    Fresh(WsToken),
    /// The opening connection carries it. It is not known yet whether it has been seen.
    Carried(WsToken),
}

/// The question under way to the credential source.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Asking {
    pub(crate) id: AuthId,
    pub(crate) began: Timestamp,
    /// It was asked after a refusal. The answer to an older question may be the refused token.
    pub(crate) anew: bool,
}

/// The call under way for a WebSocket token.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Fetching {
    pub(crate) id: HttpId,
    pub(crate) began: Timestamp,
    /// Which access token it carries.
    pub(crate) token: u64,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Tokens {
    pub(crate) access: Access,
    /// Number of the last access token: what is said about an older one does not concern it.
    pub(crate) number: u64,
    pub(crate) asking: Option<Asking>,
    pub(crate) doubt: Doubt,
    /// When tokens in good use were refused soon after their issue.
    pub(crate) evictions: Vec<Timestamp>,
    /// The source asks for no question before a moment.
    pub(crate) logins: Budget,
    pub(crate) ws: OneUse,
    pub(crate) fetching: Option<Fetching>,
    /// Knows what was presented and has been replaced: a server may quote it still. So many as a [`Masker`] keeps.
    #[cfg_attr(feature = "recorder", serde(skip))]
    former: Masker,
    /// Of every call of the rate-limit group Auth, the questions to the credential source included (TOK-2).
    pub(crate) calls: Budget,
    /// So many calls in a row were refused because of the rate limit.
    pub(crate) limited: u8,
    /// The token of this number was replaced at that time because it was refused to a request.
    pub(crate) refused_to_request: Option<(u64, Timestamp)>,
    /// What another process left of it, until the first connection is asked for.
    pub(crate) packed: Option<Box<StoredAuth>>,
}

impl Tokens {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            access: Access::Missing,
            number: 0,
            asking: None,
            doubt: Doubt::None,
            evictions: Vec::new(),
            logins: Budget::without_limit(),
            ws: OneUse::None,
            fetching: None,
            former: Masker::new(),
            calls: Budget::new(config.retry.auth_calls_per_minute),
            limited: 0,
            refused_to_request: None,
            packed: None,
        }
    }

    /// Replaces every token, and what the address of a connection asks for.
    #[cfg(feature = "recorder")]
    pub(crate) fn mask(&mut self, names: &mut crate::mask::Names) {
        match &mut self.access {
            Access::Held(HeldToken { secret, .. }) | Access::Refused(Some(secret)) => {
                *secret = names.secret(secret.expose()).into();
            }
            Access::Missing | Access::Refused(None) => {}
        }
        if let OneUse::Fresh(ws) | OneUse::Carried(ws) = &mut self.ws {
            ws.token = names.secret(ws.token.expose()).into();
            if let Some(uri) = names.url(ws.uri.as_str()).and_then(|uri| Url::parse(&uri).ok()) {
                ws.uri = uri;
            }
        }
    }

    pub(crate) fn has_ws_token(&self, now: Timestamp) -> bool {
        self.fresh().is_some_and(|ws| now < ws.usable_until)
    }

    /// The WebSocket token that nobody has seen yet.
    pub(crate) const fn fresh(&self) -> Option<&WsToken> {
        if let OneUse::Fresh(ws) = &self.ws { Some(ws) } else { None }
    }

    /// The access token in use.
    pub(crate) const fn held(&self) -> Option<&HeldToken> {
        if let Access::Held(held) = &self.access { Some(held) } else { None }
    }

    /// This token, the one in use, was refused to a request. Whether it is replaced: at most once a minute, because another
    /// one is no help to a request that is refused whatever it carries.
    pub(crate) fn replaces_for_request(&mut self, token: u64, now: Timestamp) -> bool {
        match self.refused_to_request {
            // It is being replaced.
            Some((refused, _)) if refused == token => true,
            Some((_, at)) if now.since(at) < MINUTE => false,
            _ => {
                self.refused_to_request = Some((token, now));
                true
            }
        }
    }

    /// The budget of calls.
    pub(crate) const fn calls(&self) -> &Budget {
        &self.calls
    }

    /// What is left of the budget and of penalties, for another process. `subscription`: that of its calls.
    pub(crate) fn stored(&self, subscription: Option<Timestamp>, clock: ClockReading, now: Timestamp) -> StoredAuth {
        if let Some(packed) = &self.packed {
            return (**packed).clone();
        }
        let (free_at, no_call_before) = self.calls.stored(now);
        StoredAuth {
            free_at: free_at.map(|at| clock.unix_at(at)).collect(),
            no_call_before: no_call_before.map(|at| clock.unix_at(at)),
            no_login_before: Some(self.logins.held())
                // What this process allows itself is its own affair.
                .filter(|held| held.at > now && held.reason == WaitReason::RetryAfter)
                .map(|held| clock.unix_at(held.at)),
            no_subscribe_before: subscription.map(|at| clock.unix_at(at)),
        }
    }

    /// What another process left, until it is used.
    pub(crate) fn keep_packed(&mut self, stored: StoredAuth) {
        self.packed = Some(Box::new(stored));
    }

    /// Goes on with what another process left, and says before when there may be no call for the subscription. The wall
    /// clock may have been put back since: nothing of it holds long.
    pub(crate) fn unpack(&mut self, clock: ClockReading, now: Timestamp) -> Option<Timestamp> {
        let stored = self.packed.take()?;
        let at = |unix: UnixMillis, most: Duration| {
            let left = Duration::from_millis(unix.0.saturating_sub(clock.unix.0)).min(most);
            clock.now.after(left)
        };
        let free_at = stored.free_at.iter().map(|free| at(*free, MINUTE));
        self.calls.restore(free_at, stored.no_call_before.map(|until| at(until, MAX_STORED_PENALTY)), now);
        if let Some(until) = stored.no_login_before {
            let at = at(until, MAX_STORED_PENALTY);
            self.logins.hold_until(Planned { at, reason: WaitReason::RetryAfter });
        }
        stored.no_subscribe_before.map(|until| at(until, MAX_STORED_PENALTY))
    }

    /// The URL that presents the token, once (TOK-1, TOK-8).
    pub(crate) fn present(&mut self, wsc: Option<&Wsc>) -> Option<SecretUrl> {
        let OneUse::Fresh(ws) = std::mem::replace(&mut self.ws, OneUse::None) else { return None };
        let mut url = ws.uri.clone();
        url.query_pairs_mut().append_pair("access_token", ws.token.expose());
        if let Some(wsc) = wsc {
            url.query_pairs_mut().append_pair("wsc", wsc.token.expose());
            self.former.learn(wsc.token.expose());
        }
        self.former.learn(ws.token.expose());
        self.ws = OneUse::Carried(ws);
        Some(SecretUrl::new(url))
    }

    pub(crate) const fn former(&self) -> &Masker {
        &self.former
    }

    /// The one in use is refused, or replaced.
    pub(crate) fn forget_access(&mut self) -> Option<Secret> {
        let Access::Held(held) = std::mem::replace(&mut self.access, Access::Missing) else { return None };
        self.former.learn(held.secret.expose());
        Some(held.secret)
    }

    /// What a server might quote.
    pub(crate) fn learn(&self, masker: &mut Masker) {
        if let Some(held) = self.held() {
            masker.learn(held.secret.expose());
        }
        if let OneUse::Fresh(ws) | OneUse::Carried(ws) = &self.ws {
            masker.learn(ws.token.expose());
        }
    }

    /// The server has, or may have, seen it.
    pub(crate) fn presented(&mut self) {
        if matches!(self.ws, OneUse::Carried(_)) {
            self.ws = OneUse::None;
        }
    }

    /// The server cannot have seen it: the next attempt uses it.
    pub(crate) fn keep_unpresented(&mut self) {
        if let OneUse::Carried(ws) = std::mem::replace(&mut self.ws, OneUse::None) {
            self.ws = OneUse::Fresh(ws);
        }
    }

    /// A Bearer header, if a token is held that has not expired.
    pub(crate) fn bearer(&self, now: Timestamp) -> Option<HeaderValue> {
        let held = self.held().filter(|held| held.expires.is_none_or(|at| now < at))?;
        bearer_of(&held.secret)
    }

    /// The last access token that was taken, in use or refused.
    pub(crate) fn last(&self) -> Option<&Secret> {
        match &self.access {
            Access::Held(held) => Some(&held.secret),
            Access::Refused(secret) => secret.as_ref(),
            Access::Missing => None,
        }
    }

    /// Number of the access token in use.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// A server took this access token.
    pub(crate) fn accepted(&mut self, token: u64) {
        if let Access::Held(held) = &mut self.access
            && token == self.number
        {
            held.accepted = true;
            self.doubt = Doubt::None;
        }
    }

    /// A token in good use was refused soon after its issue. Whether that was once too often.
    pub(crate) fn evicted_too_often(&mut self, now: Timestamp) -> bool {
        let Some(held) = self.held() else { return false };
        let expired = held.expires.is_some_and(|at| now >= at);
        if !held.accepted || expired || now.since(held.issued) > EVICTED {
            return false;
        }
        self.evictions.retain(|at| now.since(*at) <= EVICTED * 2);
        self.evictions.push(now);
        self.evictions.len() >= MAX_EVICTIONS
    }

    pub(crate) fn is_asking(&self) -> bool {
        self.asking.is_some()
    }

    /// At the end of the session.
    pub(crate) fn give_up(&mut self, out: &mut Outbox) {
        if let Some(Fetching { id, .. }) = self.fetching.take() {
            out.act(Action::AbortHttp { id });
        }
        (self.access, self.asking, self.ws) = (Access::Missing, None, OneUse::None);
        self.former = Masker::new();
    }
}

pub(crate) fn bearer_of(secret: &Secret) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", secret.expose())).ok()?;
    value.set_sensitive(true);
    Some(value)
}
