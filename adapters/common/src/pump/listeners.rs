//! The listeners of the client: what they make of the subscription, and what they receive.

use ringcentral_ws_core::SubscriptionState;
use ringcentral_ws_core::{CommandError, Event, Filters, InvalidReason, SessionState, SubscriptionId, Timestamp};

use super::{Io, Phase, Pump, Replies};
use crate::listen::{Change, LaneReceiver, ListenError, ListenOptions, Moment};

impl<R: Replies> Pump<R> {
    pub(super) fn listen(&mut self, filters: Filters, options: &ListenOptions) -> Result<LaneReceiver, ListenError> {
        if self.closing_since.is_some() || !matches!(self.phase, Phase::Running) {
            return Err(ListenError::Closed);
        }
        if self.events.acknowledges() {
            return Err(ListenError::Acknowledged);
        }
        let session = self.session.session();
        let before = (session.desired_filters(), session.subscription_as_asked());
        let stands = self.session.subscription() == SubscriptionState::Active;
        let moment = Moment { now: self.now, clock: &self.clock, stands };
        self.listeners.join(filters, options, before, moment)
    }

    /// `Client::subscribe`: the plain stream asks for something else.
    pub(super) fn subscribe_plain(&mut self, filters: Filters) -> Result<SubscriptionId, CommandError<Filters>> {
        let (now, ready) = (self.now, self.is_ready());
        let asked = match self.listeners.set_plain(Some(filters.clone()), now, ready) {
            Ok(Some(Change::Subscribe(union))) => union,
            Ok(_) => filters.clone(),
            Err(_) => return Err(CommandError::Invalid(filters, InvalidReason::TooManyFilters)),
        };
        match self.session.subscribe(asked, now) {
            Ok(id) => {
                self.listeners.asked(Some(id));
                Ok(id)
            }
            // The filters that come back are those of the call.
            Err(CommandError::Invalid(_, why)) => Err(CommandError::Invalid(filters, why)),
            Err(CommandError::NotDrained(_)) => Err(CommandError::NotDrained(filters)),
            Err(_) => Err(CommandError::Closed(filters)),
        }
    }

    /// `Client::unsubscribe`: the plain stream asks for nothing. Listeners keep what they ask for.
    pub(super) fn unsubscribe_plain(&mut self) -> Result<(), CommandError<()>> {
        let (now, ready) = (self.now, self.is_ready());
        // Fewer filters always have room.
        match self.listeners.set_plain(None, now, ready).unwrap_or_default() {
            Some(Change::Subscribe(union)) => {
                let id = self.session.subscribe(union, now).map_err(|_| CommandError::Closed(()))?;
                self.listeners.asked(Some(id));
                Ok(())
            }
            None if self.listeners.has_members() => Ok(()),
            _ => {
                self.listeners.asked(None);
                self.session.unsubscribe(now)
            }
        }
    }

    /// Brings the subscription to what is asked for, if that is due.
    pub(super) fn change_subscription(&mut self, io: &mut impl Io<Replies = R>) {
        while let Phase::Running = self.phase
            && let Some(change) = self.listeners.take_change(self.now, self.is_ready())
        {
            self.report_unread_when_due(io);
            match change {
                Change::Subscribe(filters) => {
                    if let Ok(id) = self.session.subscribe(filters, self.now) {
                        self.listeners.asked(Some(id));
                    }
                }
                Change::Unsubscribe => {
                    self.listeners.asked(None);
                    if self.session.unsubscribe(self.now).is_err() {
                        // The last call was refused, so there is nothing.
                        self.listeners.nothing_is_subscribed(self.now);
                    }
                }
            }
            self.drain(io);
        }
    }

    /// When the subscription is to be changed.
    pub(super) fn change_is_due_at(&self) -> Option<Timestamp> {
        if self.listeners.is_on() { self.listeners.deadline(self.is_ready()) } else { None }
    }

    /// Hands an event to the listeners. What is not for them alone comes back.
    pub(super) fn pass_to_listeners(&mut self, event: Event) -> Option<Event> {
        let stands = self.session.subscription() == SubscriptionState::Active;
        let moment = Moment { now: self.now, clock: &self.clock, stands };
        self.listeners.pass(event, moment)
    }

    fn is_ready(&self) -> bool {
        matches!(self.session.state(), SessionState::Ready { .. })
    }
}
