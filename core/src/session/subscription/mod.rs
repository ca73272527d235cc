//! The one subscription: what is desired, what the server has, and the call that brings the two together (SUB).

mod answers;

use http::{HeaderMap, Method};

use crate::classify::Cause;
use crate::filters::Filters;
use crate::gap::GapCause;
use crate::ids::SubscriptionId;
use crate::output::{Action, Event, Purpose};
use crate::session::delivery::held::{Held, Waiting};
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

/// What the server confirmed.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Active {
    pub(crate) id: SubscriptionId,
    pub(crate) filters: Filters,
    pub(crate) server_id: Box<str>,
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

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Subscription {
    pub(crate) desired: Option<Desired>,
    pub(crate) active: Option<Active>,
    /// Which `subscribe` is being undone; stated when the server has done it.
    pub(crate) removing: Option<SubscriptionId>,
    /// A creating call left, and was never answered or by words that do not say whether it ran: the server may hold a
    /// subscription whose id is not known here.
    pub(crate) unsure: bool,
    /// The server lost it: the next creating call is named apart (REC-3).
    lost: bool,
    /// The server may have other filters, after an update that may have run, or another subscription, after a snapshot
    /// that was not the last word. A PUT shows it, and settles it.
    pub(crate) verify: bool,
    call: Option<Call>,
    /// What was desired last was refused for good, and there is no other.
    #[cfg_attr(feature = "recorder", serde(default))]
    refused: bool,
    failures: u32,
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub(crate) held: Waiting,
    /// The server was last known to have the active one.
    pub(crate) confirmed: Option<UnixMillis>,
    pub(crate) next: u64,
}

impl Subscription {
    /// Whether the server may be keeping notifications for this session.
    pub(crate) fn may_be_active(&self) -> bool {
        self.active.is_some() || self.is_creating() || self.desired.is_some() && self.unsure
    }

    /// Whether nothing waits for the reply.
    pub(crate) fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// The filters of all that is desired, active or on its way.
    #[cfg(feature = "recorder")]
    pub(crate) fn filters_mut(&mut self) -> impl Iterator<Item = &mut Filters> {
        let calling = self.call.iter_mut().filter_map(|call| match &mut call.kind {
            CallKind::Create(desired) | CallKind::Update(desired) => Some(&mut desired.filters),
            CallKind::Delete => None,
        });
        let desired = self.desired.iter_mut().map(|desired| &mut desired.filters);
        desired.chain(self.active.iter_mut().map(|active| &mut active.filters)).chain(calling)
    }

    pub(crate) const fn is_calling(&self) -> bool {
        self.call.is_some()
    }

    pub(crate) fn is_creating(&self) -> bool {
        self.call.as_ref().is_some_and(|call| matches!(call.kind, CallKind::Create(_)))
    }

    pub(crate) fn lost_on_server(&mut self) {
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
    pub(crate) fn forget(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    pub(crate) const fn state(&self) -> SubscriptionState {
        match (&self.active, &self.desired) {
            (Some(_), _) => SubscriptionState::Active,
            (None, Some(_)) => SubscriptionState::Pending,
            (None, None) if self.refused => SubscriptionState::Refused,
            (None, None) => SubscriptionState::None,
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
        self.state.subscription.desired = Some(Desired { id, filters });
        self.state.subscription.refused = false;
        self.state.subscription.removing = None;
        self.state.subscription.failures = 0;
        self.retry_subscription_now();
        self.out.snapshot_changed();
        self.settle(now);
        id
    }

    /// `false`: nothing is subscribed.
    pub(crate) fn clear_desired(&mut self, now: Timestamp) -> bool {
        let Some(desired) = self.state.subscription.desired.take() else { return false };
        self.state.subscription.removing = Some(desired.id);
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
        match (&self.state.subscription.desired, &self.state.subscription.active) {
            (None, Some(_)) => self.call(CallKind::Delete, now),
            (None, None) => {
                self.removed(now);
                self.close_after_delete(now);
            }
            (Some(desired), None) => self.call(CallKind::Create(desired.clone()), now),
            (Some(desired), Some(active)) if desired.id != active.id || self.state.subscription.verify => {
                self.call(CallKind::Update(desired.clone()), now)
            }
            (Some(_), Some(_)) => {}
        }
    }

    fn call(&mut self, kind: CallKind, now: Timestamp) {
        let Some(conn) = self.ready() else { return };
        let message = self.fresh_id();
        let server_id = self.state.subscription.active.as_ref().map_or("", |active| &active.server_id);
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
        self.state.last_sent = now;
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
        let had = self.state.subscription.active.take().is_some() | std::mem::take(&mut self.state.subscription.unsure);
        self.state.subscription.lost = false;
        self.state.subscription.verify = false;
        self.state.subscription.failures = 0;
        self.stats.foreign += self.state.subscription.forget_held();
        if self.state.subscription.desired.is_none() {
            self.state.delivery.replay_ended(now, &mut self.out);
            self.state.delivery.mark_verified(now, &mut self.out);
        }
        let removed = self.state.subscription.removing.take();
        if had || removed.is_some() {
            self.out.snapshot_changed();
        }
        if let Some(id) = removed {
            self.out.emit(Event::Unsubscribed { id });
        }
    }

    /// The connection is gone, and with it the answer (SUB-8): what is desired stays so.
    pub(crate) fn subscription_disconnected(&mut self) {
        if let Some(call) = self.state.subscription.call.take() {
            self.state.subscription.leave_open(&call.kind);
        }
        if !self.state.subscription.holds_nothing() {
            self.stats.foreign += self.state.subscription.forget_held();
            let since = self.last_seen();
            self.state.delivery.lost(GapCause::SubscriptionLost, since, &mut self.out);
        }
    }
}
