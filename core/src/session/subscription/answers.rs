//! Answers to the calls for the subscription, and refusals (SUB-5).

use std::time::Duration;

use http::HeaderMap;

use super::{Active, CallKind, Desired, Goal, Known, Refusals, Subscription};
use crate::classify::{self, ApiError, Cause, Class};
use crate::gap::GapCause;
use crate::ids::SubscriptionId;
use crate::notification::Notification;
use crate::output::{Event, SubscriptionInfo, WaitReason};
use crate::retry::{self, Cost, Planned, RetryContext};
use crate::session::connection::Service;
use crate::session::delivery::unconfirmed::Held;
use crate::session::tokens::MAX_STORED_PENALTY;
use crate::session::{Close, Session};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{Payload, SubscriptionReply, subscription_reply};

/// The shortest wait after a refusal, whatever the settings say: a try is a call to the server.
const MIN_WAIT: Duration = Duration::from_millis(10);

impl Subscription {
    /// The subscription that the application knows a call by.
    fn named_by(&self, kind: &CallKind) -> SubscriptionId {
        match kind {
            CallKind::Create(desired) | CallKind::Update(desired) => desired.id,
            CallKind::Delete => {
                let active = self.active().map(|active| active.id);
                let removed = if let Goal::Removed(id) = self.goal { Some(id) } else { None };
                removed.or(active).unwrap_or(SubscriptionId(self.next))
            }
        }
    }
}

impl Session {
    /// The answer to the call under way.
    pub(crate) fn subscription_answer(
        &mut self,
        status: u16,
        headers: &HeaderMap,
        payload: &Payload<'_>,
        now: Timestamp,
    ) {
        let Some(call) = self.state.subscription.call.take() else { return };
        self.state.timers.stop(TimerKind::Subscribe);
        self.state.record.service = self.state.record.service.max(Service::Answered);
        let json = if let Payload::Json(raw) = payload { raw.get() } else { "" };
        let success = (200..300).contains(&status);
        let reply = if success { subscription_reply(json, &self.masker()) } else { None };
        match (call.kind, reply) {
            (CallKind::Create(desired) | CallKind::Update(desired), Some(reply)) => {
                self.subscribed(desired, reply, now)
            }
            (CallKind::Delete, _) if success => self.removed(now),
            (kind, _) => {
                let status = if success { 502 } else { status };
                let info = ApiError::from_reply_masked(status, headers, json.as_bytes(), &self.masker());
                let gone = status == 404 || info.class() == Class::Resubscribe;
                let wait = classify::retry_after(headers, self.state.clock.unix_at(now).0);
                let removed = gone || status == 401;
                match kind {
                    CallKind::Update(_) if gone => self.subscription_gone(),
                    // Desired again before its end was reported: it may have been gone for longer, or still stand.
                    CallKind::Delete if removed && self.state.subscription.desired().is_some() => {
                        self.subscription_gone()
                    }
                    CallKind::Delete if removed => {
                        if !gone {
                            // It did not run.
                            self.state.subscription.mark_unverified();
                        }
                        self.removed(now);
                    }
                    kind => self.subscription_refused(kind, info, wait, now),
                }
            }
        }
    }

    /// The server no longer knows the active one, and nobody knows since when.
    fn subscription_gone(&mut self) {
        let since = self.state.subscription.active().map_or_else(|| self.last_seen(), |active| active.confirmed);
        self.state.subscription.lost_on_server();
        // A call before may have made another one in its place.
        self.state.subscription.known = Known::Unsure;
        self.state.delivery.lost(GapCause::SubscriptionLost, since, &mut self.out);
    }

    fn subscribed(&mut self, desired: Desired, reply: SubscriptionReply, now: Timestamp) {
        if self.state.subscription.active().is_some_and(|active| active.server_id != reply.id) {
            // An update that made another one: nobody knows which of the two sent what meanwhile.
            self.subscription_gone();
        }
        let unsure = self.state.subscription.is_unsure();
        // Its first notifications may have come through the server's buffer.
        let perhaps_replayed = self.state.record.recovering && (unsure || self.state.subscription.is_leftover());
        self.state.subscription.lost = false;
        self.state.subscription.failures = 0;
        self.state.subscription.refusals = Refusals::None;
        self.state.subscription.known = Known::Active(Active {
            id: desired.id,
            filters: desired.filters.clone(),
            server_id: reply.id.clone(),
            confirmed: self.state.clock.unix_at(now),
        });
        self.out.snapshot_changed();
        let held = self.state.unconfirmed.take();
        let belongs = |n: &Notification| n.subscription_id().is_none_or(|id| id == &*reply.id);
        if unsure && held.iter().any(|item| matches!(item, Held::Notification(n) if !belongs(n))) {
            // They belong to a subscription of this session whose confirmation was lost with its connection.
            let since = self.last_seen();
            self.state.delivery.lost(GapCause::SubscriptionLost, since, &mut self.out);
        } else if perhaps_replayed && held.len() >= self.buffer_size().max(1) {
            let since = self.last_seen();
            self.state.delivery.lost(GapCause::ReplayOverflow, since, &mut self.out);
        }
        self.state.delivery.mark_verified(now, &mut self.out);
        self.out.emit(Event::Subscribed(Box::new(SubscriptionInfo {
            id: desired.id,
            server_id: reply.id.clone(),
            requested: desired.filters,
            filters: reply.filters,
            disabled: reply.disabled,
            expires_in: reply.expires_in,
            status: reply.status,
            transport: reply.transport,
        })));
        for item in held {
            match item {
                Held::Notification(n) if belongs(&n) => self.deliver(n, now),
                Held::Notification(_) => self.stats.foreign += 1,
                Held::Lost(cause, since) => self.state.delivery.lost(cause, since, &mut self.out),
            }
        }
        self.state.delivery.mark_verified(now, &mut self.out);
    }

    /// SUB-5: sorted by whether trying again can help.
    fn subscription_refused(&mut self, kind: CallKind, error: ApiError, wait: Option<Duration>, now: Timestamp) {
        if error.status >= 500 {
            // It may have run.
            let at = self.state.clock.unix_at(now);
            self.state.subscription.leave_open(&kind, at);
        }
        let floor = now.after(wait.unwrap_or_default());
        let before = std::mem::take(&mut self.state.subscription.refusals);
        let retry_at = match error.class() {
            // A subscription that cannot be found when it is made: a filter names something that does not exist.
            Class::Permanent | Class::CallerBug | Class::Resubscribe => None,
            Class::FreeSubscriptions => {
                let slow = self.config.retry.subscription_limit;
                Some(floor.max(now.after(slow)).after(self.state.rng.up_to(slow / 10)))
            }
            Class::RateLimited => {
                let penalty = self.config.retry.penalty;
                let times = if let Refusals::Limited(times) = before { times } else { 0 };
                self.state.subscription.refusals = Refusals::Limited(times.saturating_add(1));
                let apart = retry::apart(times, penalty, &mut self.state.rng);
                let floor = now.after(wait.unwrap_or(penalty)).after(apart);
                self.hold_subscription(floor);
                Some(self.subscription_retry(floor, now))
            }
            Class::RefreshToken => {
                let number = self.state.tokens.number();
                let first = if let Refusals::Unauthorized(first) = before { first } else { number };
                self.state.subscription.refusals = Refusals::Unauthorized(first);
                if number == first {
                    self.access_refused(number);
                    // Should the budget of logins be spent, the retry asks again.
                    let _ = self.ask(now);
                }
                // Else the connection is that of a token before the one that is held, which nobody has refused.
                Some(self.subscription_retry(floor, now))
            }
            Class::Transient | Class::RecoverSession | Class::ForgetWsc => {
                if wait.is_some() {
                    let before = self.state.subscription.held(now).unwrap_or(now);
                    self.hold_subscription(before.max(floor.min(now.after(MAX_STORED_PENALTY))));
                }
                Some(self.subscription_retry(floor, now))
            }
        };
        let retry_at = retry_at.map(|at| at.max(now.after(MIN_WAIT)));
        // A timer never runs until the end of time, and what waits for nothing would be sent at once.
        let retry_at = retry_at.filter(|at| *at < Timestamp::from_micros(u64::MAX));
        // What is not desired any more is not tried again, and what follows it does not wait.
        let obsolete = self.state.subscription.desired().is_none() && self.state.subscription.active().is_none()
            // The subscription is removed before the end, whatever its filters are.
            || self.state.closing == Some(Close::Revoke) && !matches!(kind, CallKind::Delete);
        let retry_at = retry_at.filter(|_| !obsolete);
        self.state.subscription.failures = self.state.subscription.failures.saturating_add(1);
        let id = self.state.subscription.named_by(&kind);
        match retry_at {
            Some(at) => self.arm(TimerKind::Subscribe, at),
            None => self.accept_refusal(id, &kind, now),
        }
        let delay = retry_at.map(|at| at.since(now));
        self.out.emit(Event::SubscriptionFailed { id, error: Box::new(error), retry_at, delay });
        self.leave_refused_connection(now);
    }

    /// The server wants no call before then, whatever it is for.
    fn hold_subscription(&mut self, until: Timestamp) {
        if until < Timestamp::from_micros(u64::MAX) {
            self.state.subscription.hold_until(until);
            self.out.snapshot_changed();
        }
    }

    /// Another access token did not help: the connection is still that of the one before.
    fn leave_refused_connection(&mut self, now: Timestamp) {
        if let Refusals::Unauthorized(first) = self.state.subscription.refusals
            && self.state.tokens.number() > first
            && self.state.closing.is_none()
        {
            self.state.subscription.refusals = Refusals::None;
            self.connection_lost(Cause::TokenRefused, true, now);
        }
    }

    /// Refused for good: what the server has is what is desired.
    fn accept_refusal(&mut self, id: SubscriptionId, kind: &CallKind, now: Timestamp) {
        self.state.subscription.failures = 0;
        self.out.snapshot_changed();
        if self.state.subscription.active().is_some_and(|active| active.id == id) {
            // What is desired is refused itself: to ask again would be no use.
            self.state.subscription.mark_verified();
        }
        if matches!(kind, CallKind::Delete) && self.state.closing == Some(Close::Revoke) {
            self.state.subscription.known = Known::Nothing;
            return;
        }
        let still_wanted = match kind {
            CallKind::Delete => self.state.subscription.desired().is_none(),
            CallKind::Create(_) | CallKind::Update(_) => self.state.subscription.desired().is_some_and(|w| w.id == id),
        };
        if still_wanted {
            self.state.subscription.goal = match self.state.subscription.active() {
                Some(active) => Goal::Desired(Desired { id: active.id, filters: active.filters.clone() }),
                None if matches!(kind, CallKind::Delete) => Goal::None,
                None => Goal::Refused,
            };
        }
        if self.state.subscription.active().is_none() {
            self.state.subscription.lost = false;
            self.state.delivery.mark_verified(now, &mut self.out);
        }
    }

    fn subscription_retry(&mut self, floor: Timestamp, now: Timestamp) -> Timestamp {
        let context = RetryContext {
            policy: &self.config.retry,
            attempt: self.state.subscription.failures,
            cost: Cost::Call,
            recent: false,
            window: None,
            held: Planned { at: floor, reason: WaitReason::RetryAfter },
            attempts: None,
            calls: None,
        };
        context.next_attempt(&Cause::SocketTimeout, &mut self.state.rng, now).at
    }
}
