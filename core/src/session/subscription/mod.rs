//! The one subscription: what is desired, what the server has, and the call that brings the two together (SUB).

mod answers;

use http::{HeaderMap, Method};

use crate::classify::Cause;
use crate::filters::Filters;
use crate::gap::GapCause;
use crate::ids::SubscriptionId;
use crate::output::{Action, Event, Purpose, WaitReason};
use crate::session::connection::attempts::SILENT_WAIT;
use crate::session::{Session, SubscriptionState};
use crate::time::{Timestamp, UnixMillis};
use crate::timers::TimerKind;
use crate::wire::{client_request, subscription_body};

/// Without a trailing slash (SUB-2).
const PATH: &str = "/restapi/v1.0/subscription";

/// What the application asked for.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Desired {
    pub(crate) id: SubscriptionId,
    pub(crate) filters: Filters,
}

/// What is to become of the subscription.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Goal {
    /// None is desired.
    #[default]
    None,
    /// The last one desired was refused for good, and there is no other.
    Refused,
    /// This `subscribe` is undone. `Unsubscribed` comes when the server has done it.
    Removed(SubscriptionId),
    /// The server is to have this one.
    Desired(Desired),
}

/// What the server is believed to have.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Known {
    /// Nothing of this session.
    #[default]
    Nothing,
    /// Perhaps one whose id is not known here: a creating call left, and was never answered or by words that do not say
    /// whether it ran.
    Unsure,
    /// Perhaps such a one, which is not desired any more: nothing of it is owed. But the server may give it again to who
    /// asks for the same.
    Leftover,
    /// This one.
    Active(Active),
    /// This one, perhaps with other filters after an update that may have run, or another one, after a snapshot that was
    /// not the last word. A PUT shows it, and settles it.
    Unverified(Active),
}

/// What the server confirmed.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Active {
    pub(crate) id: SubscriptionId,
    pub(crate) filters: Filters,
    pub(crate) server_id: Box<str>,
    /// When the server was last known to have it.
    pub(crate) confirmed: UnixMillis,
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
    Create(Desired),
    Update(Desired),
    Delete,
}

/// Refusals in a row.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
enum Refusals {
    #[default]
    None,
    /// Because of the rate limit, so many.
    Limited(u8),
    /// Because of the login, which then had the access token of this number.
    Unauthorized(u64),
}

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Subscription {
    goal: Goal,
    known: Known,
    /// The server lost it: the next creating call is named apart (REC-3).
    lost: bool,
    call: Option<Call>,
    /// No call is made before: it would begin the rate limit's penalty anew (SUB-5).
    not_before: Timestamp,
    /// The refusals before, as far as they were of one kind.
    refusals: Refusals,
    failures: u32,
    pub(crate) next: u64,
}

impl Subscription {
    /// As a snapshot says.
    pub(crate) fn restored(goal: Goal, known: Known, next: u64) -> Self {
        Self { goal, known, next, ..Self::default() }
    }

    /// No call is made before this, for the sake of the rate limit.
    pub(crate) fn held(&self, now: Timestamp) -> Option<Timestamp> {
        (self.not_before > now).then_some(self.not_before)
    }

    /// The same, as another process left it.
    pub(crate) fn hold_until(&mut self, at: Timestamp) {
        self.not_before = at;
    }

    pub(crate) const fn goal(&self) -> &Goal {
        &self.goal
    }

    pub(crate) const fn known(&self) -> &Known {
        &self.known
    }

    pub(crate) const fn desired(&self) -> Option<&Desired> {
        if let Goal::Desired(desired) = &self.goal { Some(desired) } else { None }
    }

    pub(crate) const fn active(&self) -> Option<&Active> {
        match &self.known {
            Known::Active(active) | Known::Unverified(active) => Some(active),
            Known::Nothing | Known::Unsure | Known::Leftover => None,
        }
    }

    pub(crate) const fn active_mut(&mut self) -> Option<&mut Active> {
        match &mut self.known {
            Known::Active(active) | Known::Unverified(active) => Some(active),
            Known::Nothing | Known::Unsure | Known::Leftover => None,
        }
    }

    pub(crate) const fn is_unsure(&self) -> bool {
        matches!(self.known, Known::Unsure)
    }

    pub(crate) const fn is_leftover(&self) -> bool {
        matches!(self.known, Known::Leftover)
    }

    /// What an unconfirmed call may have made belongs to a session that is gone. Whether there was such a call.
    pub(crate) fn leave_behind(&mut self) -> bool {
        let unsure = self.is_unsure();
        if unsure || self.is_leftover() {
            self.known = Known::Nothing;
        }
        unsure
    }

    /// The active one, if there is one, is to be verified.
    pub(crate) fn mark_unverified(&mut self) {
        self.known = match std::mem::take(&mut self.known) {
            Known::Active(active) => Known::Unverified(active),
            other => other,
        };
    }

    /// The session continues, so it had its subscription when the connection before was lost. Later another client may have
    /// put another one in its place (CON-7).
    pub(crate) fn was_there(&mut self, at: UnixMillis) {
        if let Known::Active(active) = &mut self.known {
            active.confirmed = active.confirmed.max(at);
        }
    }

    fn mark_verified(&mut self) {
        self.known = match std::mem::take(&mut self.known) {
            Known::Unverified(active) => Known::Active(active),
            other => other,
        };
    }

    /// `close(Revoke)`: nothing is desired any more.
    pub(crate) fn revoke(&mut self) {
        if self.desired().is_some() {
            self.goal = Goal::None;
        }
    }

    /// Whether the server has what is desired.
    #[inline]
    pub(crate) fn is_settled(&self) -> bool {
        matches!((&self.goal, &self.known), (Goal::Desired(desired), Known::Active(active)) if desired.id == active.id)
    }

    /// Whether the server may be keeping notifications for this session.
    pub(crate) fn may_be_active(&self) -> bool {
        match self.known {
            Known::Active(_) | Known::Unverified(_) => true,
            Known::Unsure if self.desired().is_some() => true,
            Known::Nothing | Known::Unsure | Known::Leftover => self.is_creating(),
        }
    }

    /// Whether what comes, or what cannot be read, may belong to what is desired, if this is the session that it was made in.
    pub(crate) fn may_be_owed(&self, same_session: bool) -> bool {
        self.may_be_active() || same_session && self.is_leftover() && self.desired().is_some()
    }

    /// The filters of all that is desired, active or on its way.
    #[cfg(feature = "recorder")]
    pub(crate) fn filters_mut(&mut self) -> impl Iterator<Item = &mut Filters> {
        let calling = self.call.iter_mut().filter_map(|call| match &mut call.kind {
            CallKind::Create(desired) | CallKind::Update(desired) => Some(&mut desired.filters),
            CallKind::Delete => None,
        });
        let desired = if let Goal::Desired(desired) = &mut self.goal { Some(&mut desired.filters) } else { None };
        let active = match &mut self.known {
            Known::Active(active) | Known::Unverified(active) => Some(&mut active.filters),
            Known::Nothing | Known::Unsure | Known::Leftover => None,
        };
        desired.into_iter().chain(active).chain(calling)
    }

    /// Its last call was refused because of the login.
    pub(crate) const fn is_refused_for_the_login(&self) -> bool {
        matches!(self.refusals, Refusals::Unauthorized(_))
    }

    pub(crate) const fn is_calling(&self) -> bool {
        self.call.is_some()
    }

    pub(crate) fn is_creating(&self) -> bool {
        self.call.as_ref().is_some_and(|call| matches!(call.kind, CallKind::Create(_)))
    }

    pub(crate) fn lost_on_server(&mut self) {
        self.known = Known::Nothing;
        self.lost = true;
    }

    /// A call ended at that time, and nobody knows whether the server carried it out.
    fn leave_open(&mut self, kind: &CallKind, at: UnixMillis) {
        match kind {
            CallKind::Create(_) => self.known = Known::Unsure,
            CallKind::Update(_) => self.mark_unverified(),
            // If it is gone, this call is why.
            CallKind::Delete => {
                if let Some(active) = self.active_mut() {
                    active.confirmed = active.confirmed.max(at);
                }
            }
        }
    }

    /// Everything, for good.
    pub(crate) fn forget(&mut self) {
        // The rate limit is the user's, whatever subscription it is for.
        *self = Self { next: self.next, not_before: self.not_before, ..Self::default() };
    }

    pub(crate) const fn state(&self) -> SubscriptionState {
        match (&self.known, &self.goal) {
            (Known::Active(_) | Known::Unverified(_), _) => SubscriptionState::Active,
            (_, Goal::Desired(_)) => SubscriptionState::Pending,
            (_, Goal::Refused) => SubscriptionState::Refused,
            (_, Goal::None | Goal::Removed(_)) => SubscriptionState::None,
        }
    }

    pub(crate) fn owns(&self, message: u64) -> bool {
        self.call.as_ref().is_some_and(|call| call.message == message)
    }
}

impl Session {
    pub(crate) fn set_desired(&mut self, filters: Filters, now: Timestamp) -> SubscriptionId {
        self.state.subscription.next += 1;
        let id = SubscriptionId(self.state.subscription.next);
        self.state.subscription.goal = Goal::Desired(Desired { id, filters });
        self.state.subscription.failures = 0;
        if self.state.subscription.is_leftover() {
            // From now on it is desired again, and nothing of it is proven complete.
            self.state.delivery.mark_unverified(self.last_seen());
        }
        self.retry_subscription_now();
        self.out.snapshot_changed();
        self.settle(now);
        id
    }

    /// `false`: nothing is subscribed.
    pub(crate) fn clear_desired(&mut self, now: Timestamp) -> bool {
        let Some(Desired { id, .. }) = self.state.subscription.desired() else { return false };
        self.state.subscription.goal = Goal::Removed(*id);
        self.retry_subscription_now();
        self.out.snapshot_changed();
        if self.ready().is_none() && !self.state.subscription.may_be_active() && !self.state.subscription.is_calling() {
            self.removed(now);
        }
        true
    }

    /// What is desired has changed: a retry of what was desired before is not waited for.
    pub(crate) fn retry_subscription_now(&mut self) {
        if !self.state.subscription.is_calling() {
            self.state.timers.stop(TimerKind::Subscribe);
        }
    }

    /// Stops the deadline of a call. The wait after a refusal goes on, whatever happens to the connection (SUB-5).
    pub(crate) fn forget_call_timer(&mut self) {
        if self.state.subscription.is_calling() {
            self.state.timers.stop(TimerKind::Subscribe);
        }
    }

    /// Brings the server's subscription one call nearer to what is desired, if nothing stands in the way.
    pub(crate) fn reconcile(&mut self, now: Timestamp) {
        let busy = self.state.subscription.is_calling() || self.state.timers.get(TimerKind::Subscribe).is_some();
        if self.ready().is_none() || busy || !self.has_free_slot() {
            return;
        }
        let Subscription { goal, known, .. } = &self.state.subscription;
        match (goal, known) {
            (Goal::Desired(desired), Known::Nothing | Known::Unsure | Known::Leftover) => {
                self.call(CallKind::Create(desired.clone()), now)
            }
            (Goal::Desired(desired), Known::Active(active)) if desired.id == active.id => {}
            (Goal::Desired(desired), Known::Active(_) | Known::Unverified(_)) => {
                self.call(CallKind::Update(desired.clone()), now);
            }
            (_, Known::Active(_) | Known::Unverified(_)) => self.call(CallKind::Delete, now),
            (_, Known::Nothing | Known::Unsure | Known::Leftover) => {
                self.removed(now);
                self.close_after_delete(now);
            }
        }
    }

    fn call(&mut self, kind: CallKind, now: Timestamp) {
        let Some(conn) = self.ready() else { return };
        let not_before = self.state.subscription.not_before;
        if not_before > now && self.state.closing.is_none() {
            let delay = not_before.since(now);
            if delay > SILENT_WAIT {
                self.out.emit(Event::Waiting { reason: WaitReason::SubscriptionLimit, at: not_before, delay });
            }
            return self.arm(TimerKind::Subscribe, not_before);
        }
        let message = self.fresh_id();
        let server_id = self.state.subscription.active().map_or("", |active| &active.server_id);
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
            self.state.delivery.mark_unverified(self.last_seen());
        }
        self.state.subscription.call = Some(Call { message, kind });
        self.state.liveness.sent(now);
        self.arm(TimerKind::Subscribe, now.after(self.config.request_timeout));
        if purpose == Purpose::Subscribe && self.state.subscription.lost {
            self.out.act(Action::Resubscribe { conn, text });
        } else {
            self.out.act(Action::Send { conn, text, purpose });
        }
    }

    /// Time to try again, or the answer did not come in time: then the connection is not to be trusted.
    pub(crate) fn subscribe_due(&mut self, now: Timestamp) {
        if self.state.subscription.is_calling() {
            self.connection_lost(Cause::SocketTimeout, true, now);
        }
    }

    /// It is gone from the server, or never was there.
    fn removed(&mut self, now: Timestamp) {
        let (known, had) = match self.state.subscription.known {
            Known::Nothing => (Known::Nothing, false),
            Known::Leftover => (Known::Leftover, false),
            Known::Unsure | Known::Unverified(_) => (Known::Leftover, true),
            Known::Active(_) => (Known::Nothing, true),
        };
        self.state.subscription.known = known;
        self.state.subscription.lost = false;
        self.state.subscription.failures = 0;
        self.state.subscription.refusals = Refusals::None;
        self.stats.foreign += self.state.unconfirmed.forget();
        if self.state.subscription.desired().is_none() {
            self.state.delivery.replay_ended(now, &mut self.out);
            self.state.delivery.mark_verified(now, &mut self.out);
        }
        let removed = if let Goal::Removed(id) = self.state.subscription.goal { Some(id) } else { None };
        if had || removed.is_some() {
            self.out.snapshot_changed();
        }
        if let Some(id) = removed {
            self.state.subscription.goal = Goal::None;
            self.out.emit(Event::Unsubscribed { id });
        }
    }

    /// The connection is gone, and with it the answer (SUB-8): what is desired stays so.
    pub(crate) fn subscription_disconnected(&mut self) {
        if let Some(call) = self.state.subscription.call.take() {
            let at = self.last_seen();
            self.state.subscription.leave_open(&call.kind, at);
        }
        if !self.state.unconfirmed.is_empty() {
            self.stats.foreign += self.state.unconfirmed.forget();
            let since = self.last_seen();
            self.state.delivery.lost(GapCause::SubscriptionLost, since, &mut self.out);
        }
    }
}
