//! The one subscription: what is wanted, what the server has, and the call that brings the two together (SUB).

use std::time::Duration;

use http::{HeaderMap, Method};

use super::held::{Held, Waiting};
use super::{Close, Session, SubscriptionState};
use crate::classify::{self, ApiErrorInfo, Cause, Class};
use crate::filters::Filters;
use crate::gap::GapCause;
use crate::ids::SubscriptionId;
use crate::notification::Notification;
use crate::output::{Action, Event, Purpose, SubscriptionInfo};
use crate::retry::{Cost, RetryContext};
use crate::time::{Timestamp, UnixMillis};
use crate::timers::TimerKind;
use crate::wire::{Payload, SubscriptionReply, client_request, subscription_body, subscription_reply};

/// Without a trailing slash (SUB-2).
const PATH: &str = "/restapi/v1.0/subscription";

/// The shortest wait after a refusal, whatever the settings say: a try is a call to the server.
const MIN_WAIT: Duration = Duration::from_millis(10);

/// The application's wish.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Wanted {
    pub(super) id: SubscriptionId,
    pub(super) filters: Filters,
}

/// What the server confirmed.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Active {
    pub(super) id: SubscriptionId,
    pub(super) filters: Filters,
    pub(super) server_id: Box<str>,
}

/// A call whose answer is awaited.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct Call {
    message: u64,
    kind: CallKind,
}

#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
enum CallKind {
    Create(Wanted),
    Update(Wanted),
    Delete,
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Subscriptions {
    pub(super) wanted: Option<Wanted>,
    pub(super) active: Option<Active>,
    /// Which `subscribe` is being undone; told when the server has done it.
    pub(super) removing: Option<SubscriptionId>,
    /// A creating call left, and was never answered or by words that do not say whether it ran: the server may hold a
    /// subscription whose id is not known here.
    pub(super) unsure: bool,
    /// The server lost it: the next creating call is named apart (REC-3).
    lost: bool,
    /// The server may have other filters, after an update that may have run, or another subscription, after a snapshot
    /// that was not the last word. A PUT tells, and settles it.
    pub(super) verify: bool,
    call: Option<Call>,
    /// What was wanted last was refused for good, and there is no other.
    #[cfg_attr(feature = "recorder", serde(default))]
    refused: bool,
    failures: u32,
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub(super) held: Waiting,
    /// The server was last known to have the active one.
    pub(super) confirmed: Option<UnixMillis>,
    pub(super) next: u64,
}

impl Subscriptions {
    /// Whether the server may be keeping notifications for this session.
    pub(super) fn may_be_active(&self) -> bool {
        self.active.is_some() || self.is_creating() || self.wanted.is_some() && self.unsure
    }

    /// Whether nothing waits for the reply.
    pub(super) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// Every wish, also one that is on its way.
    #[cfg(feature = "recorder")]
    pub(super) fn wishes(&mut self) -> impl Iterator<Item = &mut Filters> {
        let calling = self.call.iter_mut().filter_map(|call| match &mut call.kind {
            CallKind::Create(wanted) | CallKind::Update(wanted) => Some(&mut wanted.filters),
            CallKind::Delete => None,
        });
        let wanted = self.wanted.iter_mut().map(|wanted| &mut wanted.filters);
        wanted.chain(self.active.iter_mut().map(|active| &mut active.filters)).chain(calling)
    }

    pub(super) const fn is_calling(&self) -> bool {
        self.call.is_some()
    }

    pub(super) fn is_creating(&self) -> bool {
        self.call.as_ref().is_some_and(|call| matches!(call.kind, CallKind::Create(_)))
    }

    pub(super) fn lost_on_server(&mut self) {
        self.active = None;
        self.confirmed = None;
        self.unsure = false;
        self.verify = false;
        self.lost = true;
    }

    /// A call ended, and nobody knows whether the server carried it out.
    fn leave_open(&mut self, kind: &CallKind) {
        match kind {
            CallKind::Create(_) => self.unsure = true,
            CallKind::Update(_) => self.verify = true,
            CallKind::Delete => {}
        }
    }

    /// Forgets what waits for the reply; returns how many notifications.
    fn forget_held(&mut self) -> u64 {
        let held = self.held.take();
        held.iter().filter(|item| matches!(item, Held::Notification(_))).count() as u64
    }

    /// Everything, for good.
    pub(super) fn forget(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    pub(super) const fn state(&self) -> SubscriptionState {
        match (&self.active, &self.wanted) {
            (Some(_), _) => SubscriptionState::Active,
            (None, Some(_)) => SubscriptionState::Pending,
            (None, None) if self.refused => SubscriptionState::Refused,
            (None, None) => SubscriptionState::None,
        }
    }

    pub(super) fn owns(&self, message: u64) -> bool {
        self.call.as_ref().is_some_and(|call| call.message == message)
    }
}

impl Session {
    pub(super) fn want(&mut self, filters: Filters, now: Timestamp) -> SubscriptionId {
        self.state.subs.next += 1;
        let id = SubscriptionId(self.state.subs.next);
        self.state.subs.wanted = Some(Wanted { id, filters });
        self.state.subs.refused = false;
        self.state.subs.removing = None;
        self.state.subs.failures = 0;
        self.retry_subscription_now();
        self.out.snapshot_changed();
        self.settle(now);
        id
    }

    /// `false`: nothing is subscribed.
    pub(super) fn unwant(&mut self, now: Timestamp) -> bool {
        let Some(wanted) = self.state.subs.wanted.take() else { return false };
        self.state.subs.removing = Some(wanted.id);
        self.retry_subscription_now();
        self.out.snapshot_changed();
        if self.ready().is_none() && !self.state.subs.may_be_active() && !self.state.subs.is_calling() {
            self.removed(now);
        }
        true
    }

    /// What is wanted has changed: a retry of what was wanted before is not waited for.
    pub(super) fn retry_subscription_now(&mut self) {
        if !self.state.subs.is_calling() {
            self.state.timers.stop(TimerKind::Subscribe);
        }
    }

    /// Stops the deadline of a call. The wait after a refusal goes on, whatever happens to the connection (SUB-5).
    pub(super) fn forget_call_timer(&mut self) {
        if self.state.subs.is_calling() {
            self.state.timers.stop(TimerKind::Subscribe);
        }
    }

    /// Brings the server's subscription one call nearer to what is wanted, if nothing stands in the way.
    pub(super) fn step(&mut self, now: Timestamp) {
        let busy = self.state.subs.is_calling() || self.state.timers.get(TimerKind::Subscribe).is_some();
        if self.ready().is_none() || busy || !self.has_free_slot() {
            return;
        }
        match (&self.state.subs.wanted, &self.state.subs.active) {
            (None, Some(_)) => self.call(CallKind::Delete, now),
            (None, None) => {
                self.removed(now);
                self.close_after_delete(now);
            }
            (Some(wanted), None) => self.call(CallKind::Create(wanted.clone()), now),
            (Some(wanted), Some(active)) if wanted.id != active.id || self.state.subs.verify => {
                self.call(CallKind::Update(wanted.clone()), now)
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn call(&mut self, kind: CallKind, now: Timestamp) {
        let Some(conn) = self.ready() else { return };
        let message = self.fresh_id();
        let server_id = self.state.subs.active.as_ref().map_or("", |active| &active.server_id);
        let one = || format!("{PATH}/{}", crate::wire::path_segment(server_id));
        let (method, path, body, purpose) = match &kind {
            CallKind::Create(w) => {
                (Method::POST, PATH.to_owned(), Some(subscription_body(&w.filters)), Purpose::Subscribe)
            }
            CallKind::Update(w) => (Method::PUT, one(), Some(subscription_body(&w.filters)), Purpose::Update),
            CallKind::Delete => (Method::DELETE, one(), None, Purpose::Unsubscribe),
        };
        let mut headers = HeaderMap::new();
        self.add_user_agent(&mut headers);
        let id = self.message_id(message);
        let text = client_request(&id, method.as_str(), &path, None, &headers, body.as_deref());
        if purpose == Purpose::Subscribe {
            // Nothing of a subscription can be lost before it was asked for.
            self.state.ledger.doubt(self.last_seen());
        }
        self.state.subs.call = Some(Call { message, kind });
        self.state.last_sent = now;
        self.arm(TimerKind::Subscribe, now.after(self.config.request_timeout));
        if purpose == Purpose::Subscribe && self.state.subs.lost {
            self.out.act(Action::Resubscribe { conn, text });
        } else {
            self.out.act(Action::Send { conn, text, purpose });
        }
    }

    /// Time to try again, or the answer did not come in time: then the connection is not to be trusted.
    pub(super) fn subscribe_due(&mut self, now: Timestamp) {
        if self.state.subs.is_calling() {
            self.lose(Cause::SocketTimeout, true, now);
        }
    }

    /// The answer to the call under way.
    pub(super) fn subscription_answer(
        &mut self,
        status: u16,
        headers: &HeaderMap,
        payload: &Payload<'_>,
        now: Timestamp,
    ) {
        let Some(call) = self.state.subs.call.take() else { return };
        self.state.timers.stop(TimerKind::Subscribe);
        self.state.trial.answered = true;
        let json = if let Payload::Json(raw) = payload { raw.get() } else { "" };
        let success = (200..300).contains(&status);
        let reply = if success { subscription_reply(json, &self.masker()) } else { None };
        match (call.kind, reply) {
            (CallKind::Create(wanted) | CallKind::Update(wanted), Some(reply)) => self.subscribed(wanted, reply, now),
            (CallKind::Delete, _) if success => self.removed(now),
            (kind, _) => {
                let status = if success { 502 } else { status };
                let info = ApiErrorInfo::from_reply_masked(status, headers, json.as_bytes(), &self.masker());
                let gone = status == 404 || info.class() == Class::Resubscribe;
                let wait = classify::retry_after(headers, self.state.clock.unix_at(now).0);
                let removed = gone || status == 401;
                match kind {
                    CallKind::Update(_) if gone => self.subscription_gone(),
                    // Wanted again before anybody was told of its end: it may have been gone for longer, or still stand.
                    CallKind::Delete if removed && self.state.subs.wanted.is_some() => self.subscription_gone(),
                    CallKind::Delete if removed => self.removed(now),
                    kind => self.subscription_refused(kind, info, wait, now),
                }
            }
        }
    }

    /// The server no longer knows the active one, and nobody knows since when.
    fn subscription_gone(&mut self) {
        let since = self.state.subs.confirmed.unwrap_or_else(|| self.last_seen());
        self.state.subs.lost_on_server();
        // A call before may have made another one in its place.
        self.state.subs.unsure = true;
        self.state.ledger.lost(GapCause::SubscriptionLost, since, &mut self.out);
    }

    fn subscribed(&mut self, wanted: Wanted, reply: SubscriptionReply, now: Timestamp) {
        if self.state.subs.active.as_ref().is_some_and(|active| active.server_id != reply.id) {
            // An update that made another one: what the two sent meanwhile was not told apart.
            self.subscription_gone();
        }
        let unsure = std::mem::take(&mut self.state.subs.unsure);
        self.state.subs.lost = false;
        self.state.subs.verify = false;
        self.state.subs.failures = 0;
        self.state.subs.active =
            Some(Active { id: wanted.id, filters: wanted.filters.clone(), server_id: reply.id.clone() });
        self.out.snapshot_changed();
        let held = self.state.subs.held.take();
        let belongs = |n: &Notification| n.subscription_id().is_none_or(|id| id == &*reply.id);
        if unsure && held.iter().any(|item| matches!(item, Held::Notification(n) if !belongs(n))) {
            // They belong to a subscription of this session whose confirmation was lost with its connection.
            let since = self.last_seen();
            self.state.ledger.lost(GapCause::SubscriptionLost, since, &mut self.out);
        } else if unsure && held.len() >= self.buffer_size().max(1) {
            // Its first notifications may have come through the server's buffer.
            let since = self.last_seen();
            self.state.ledger.lost(GapCause::ReplayOverflow, since, &mut self.out);
        }
        self.state.subs.confirmed = Some(self.state.clock.unix_at(now));
        self.state.ledger.proven(now, &mut self.out);
        self.out.tell(Event::Subscribed(Box::new(SubscriptionInfo {
            id: wanted.id,
            server_id: reply.id.clone(),
            requested: wanted.filters,
            filters: reply.filters,
            disabled: reply.disabled,
            expires_in: reply.expires_in,
        })));
        for item in held {
            match item {
                Held::Notification(n) if belongs(&n) => self.deliver(n, now),
                Held::Notification(_) => self.stats.foreign += 1,
                Held::Lost(cause, since) => self.state.ledger.lost(cause, since, &mut self.out),
            }
        }
        self.state.ledger.proven(now, &mut self.out);
    }

    /// It is gone from the server, or never was there.
    fn removed(&mut self, now: Timestamp) {
        let had = self.state.subs.active.take().is_some() | std::mem::take(&mut self.state.subs.unsure);
        self.state.subs.lost = false;
        self.state.subs.verify = false;
        self.state.subs.failures = 0;
        self.stats.foreign += self.state.subs.forget_held();
        if self.state.subs.wanted.is_none() {
            self.state.ledger.replay_ended(now, &mut self.out);
            self.state.ledger.proven(now, &mut self.out);
        }
        let removed = self.state.subs.removing.take();
        if had || removed.is_some() {
            self.out.snapshot_changed();
        }
        if let Some(id) = removed {
            self.out.tell(Event::Unsubscribed { id });
        }
    }

    /// SUB-5: sorted by whether trying again can help.
    fn subscription_refused(&mut self, kind: CallKind, error: ApiErrorInfo, wait: Option<Duration>, now: Timestamp) {
        if error.status >= 500 {
            // It may have run.
            self.state.subs.leave_open(&kind);
        }
        let floor = now.after(wait.unwrap_or_default());
        let retry_at = match error.class() {
            // A subscription that cannot be found when it is made: a filter names something that does not exist.
            Class::Permanent | Class::CallerBug | Class::Resubscribe => None,
            Class::FreeSubscriptions => {
                let slow = self.config.retry.subscription_limit;
                Some(floor.max(now.after(slow)).after(self.state.rng.up_to(slow / 10)))
            }
            Class::RateLimited => {
                let floor = now.after(wait.unwrap_or(self.config.retry.penalty));
                Some(self.subscription_retry(floor, now))
            }
            Class::RefreshToken => {
                self.access_refused(self.state.tokens.number());
                // Should the budget of logins be spent, the retry asks again.
                let _ = self.ask(now);
                Some(self.subscription_retry(floor, now))
            }
            Class::Transient | Class::RecoverSession | Class::ForgetWsc => Some(self.subscription_retry(floor, now)),
        };
        let retry_at = retry_at.map(|at| at.max(now.after(MIN_WAIT)));
        // A timer never runs until the end of time, and what waits for nothing would be sent at once.
        let retry_at = retry_at.filter(|at| *at < Timestamp::from_micros(u64::MAX));
        // A wish that was taken back meanwhile is not tried again, and what follows it does not wait.
        let retry_at = retry_at.filter(|_| self.state.subs.wanted.is_some() || self.state.subs.active.is_some());
        self.state.subs.failures = self.state.subs.failures.saturating_add(1);
        let id = match &kind {
            CallKind::Create(wanted) | CallKind::Update(wanted) => wanted.id,
            CallKind::Delete => {
                let active = self.state.subs.active.as_ref().map(|active| active.id);
                self.state.subs.removing.or(active).unwrap_or(SubscriptionId(self.state.subs.next))
            }
        };
        match retry_at {
            Some(at) => self.arm(TimerKind::Subscribe, at),
            None => self.give_up_wish(id, &kind, now),
        }
        self.out.tell(Event::SubscriptionFailed { id, error: Box::new(error), retry_at });
    }

    /// Refused for good: what the server has is what is wanted.
    fn give_up_wish(&mut self, id: SubscriptionId, kind: &CallKind, now: Timestamp) {
        self.state.subs.failures = 0;
        self.out.snapshot_changed();
        if self.state.subs.active.as_ref().is_some_and(|active| active.id == id) {
            // What is wanted is refused itself: to ask again would be no use.
            self.state.subs.verify = false;
        }
        if matches!(kind, CallKind::Delete) && self.state.ending == Some(Close::Revoke) {
            self.state.subs.active = None;
            return;
        }
        let still_wanted = match kind {
            CallKind::Delete => self.state.subs.wanted.is_none(),
            CallKind::Create(_) | CallKind::Update(_) => self.state.subs.wanted.as_ref().is_some_and(|w| w.id == id),
        };
        if still_wanted {
            let active = self.state.subs.active.as_ref();
            self.state.subs.refused = active.is_none() && !matches!(kind, CallKind::Delete);
            self.state.subs.wanted = active.map(|a| Wanted { id: a.id, filters: a.filters.clone() });
            self.state.subs.removing = None;
        }
        if self.state.subs.active.is_none() {
            self.state.subs.lost = false;
            self.state.ledger.proven(now, &mut self.out);
        }
    }

    fn subscription_retry(&mut self, floor: Timestamp, now: Timestamp) -> Timestamp {
        let context = RetryContext {
            policy: &self.config.retry,
            attempt: self.state.subs.failures,
            cost: Cost::Call,
            recent: false,
            window: None,
            not_before: floor,
            attempts: None,
            calls: None,
        };
        context.next_attempt(&Cause::SocketTimeout, &mut self.state.rng, now).at
    }

    /// The connection is gone, and with it the answer (SUB-8): the wish stays.
    pub(super) fn subs_disconnected(&mut self) {
        if let Some(call) = self.state.subs.call.take() {
            self.state.subs.leave_open(&call.kind);
        }
        if !self.state.subs.holds_nothing() {
            self.stats.foreign += self.state.subs.forget_held();
            let since = self.last_seen();
            self.state.ledger.lost(GapCause::SubscriptionLost, since, &mut self.out);
        }
    }
}
