//! What the pump has of the listeners: the hub, and the driver's ends of their queues.

use std::sync::Arc;
use std::task::Waker;

use ringcentral_ws_core::{Event, Filters, Gap, GapCause, SubscriptionId, SubscriptionState, Timestamp, UnixMillis};

use super::{
    Change, Hub, LaneReceiver, LaneSender, ListenError, ListenOptions, ListenerEvent, Live, Refusal, Restart,
    Snapshots, lane,
};
use crate::clock::Clock;
use crate::events::{Load, weight};

/// The listeners of a client. It costs nothing until the first one comes.
#[derive(Debug, Default)]
pub(crate) struct Switchboard {
    board: Option<Box<Board>>,
    /// Of a session that was restored.
    restart: Option<Box<Restart>>,
}

#[derive(Debug)]
struct Board {
    hub: Hub,
    /// By their places in the hub.
    lanes: Vec<Option<LaneSender>>,
    /// Those that got something in this turn.
    fed: Vec<u32>,
    /// The call of `subscribe` that is to bring the session to what the hub issued.
    asked: Option<SubscriptionId>,
    /// Listeners that are not live yet, and go on in place of those of the run before.
    heirs: Vec<u32>,
}

/// What an event goes with.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Timestamp,
    pub(crate) clock: &'a Clock,
    /// The server has a subscription.
    pub(crate) stands: bool,
}

impl Switchboard {
    /// Nobody listens yet.
    pub(crate) fn new(restart: Option<Box<Restart>>) -> Self {
        Self { board: None, restart }
    }

    /// Somebody listens.
    pub(crate) fn has_members(&self) -> bool {
        self.board.as_ref().is_some_and(|board| board.hub.listeners() > 0)
    }

    pub(crate) const fn is_on(&self) -> bool {
        self.board.is_some()
    }

    /// A listener comes. `plain` and `state` are what the session has before the first one.
    pub(crate) fn join(
        &mut self,
        filters: Filters,
        options: &ListenOptions,
        before: (Option<&Filters>, SubscriptionState),
        moment: Moment<'_>,
    ) -> Result<LaneReceiver, ListenError> {
        let board = self.board.get_or_insert_with(|| {
            let (plain, state) = before;
            let hub = Hub::new(plain.cloned(), state == SubscriptionState::Active);
            Box::new(Board { hub, lanes: Vec::new(), fed: Vec::new(), asked: None, heirs: Vec::new() })
        });
        board.join(filters, options, self.restart.as_deref(), moment)
    }

    /// Listeners that are gone leave.
    pub(crate) fn sweep(&mut self, now: Timestamp) {
        let Some(board) = &mut self.board else { return };
        for (place, slot) in (0..).zip(&mut board.lanes) {
            if slot.take_if(|lane| lane.has_left()).is_some() {
                board.hub.leave(place, now);
            }
        }
    }

    /// What the plain stream asks for; the change that follows at once. `None`: there are no listeners to think of.
    pub(crate) fn set_plain(
        &mut self,
        filters: Option<Filters>,
        now: Timestamp,
        ready: bool,
    ) -> Result<Option<Change>, ListenError> {
        let Some(board) = &mut self.board else { return Ok(None) };
        let again = filters.is_some();
        board.hub.set_plain(filters, now)?;
        Ok(board.hub.change_now(now, ready, again))
    }

    /// The change that is due.
    pub(crate) fn take_change(&mut self, now: Timestamp, ready: bool) -> Option<Change> {
        self.board.as_mut()?.hub.take_change(now, ready)
    }

    /// When a change is due.
    pub(crate) fn deadline(&self, ready: bool) -> Option<Timestamp> {
        self.board.as_ref()?.hub.deadline(ready)
    }

    /// The session took a change under this id; `None` for the end of the subscription, whose answer has the id of an
    /// earlier call.
    pub(crate) fn asked(&mut self, id: Option<SubscriptionId>) {
        if let Some(board) = &mut self.board {
            board.asked = id;
        }
    }

    /// The session has no subscription to remove.
    pub(crate) fn nothing_is_subscribed(&mut self, now: Timestamp) {
        if let Some(board) = &mut self.board {
            board.hub.unsubscribed(now);
        }
    }

    /// A gap is reported, to the plain stream and to those who are live now.
    pub(crate) fn note_gap(&mut self, gap: &Gap, now: Timestamp) {
        if let Some(restart) = &mut self.restart {
            restart.note(gap, now);
        }
    }

    /// Hands an event to those whom it concerns, and gives it back if it is for the plain stream too.
    pub(crate) fn pass(&mut self, event: Event, moment: Moment<'_>) -> Option<Event> {
        let restart = self.restart.as_deref();
        let Some(board) = &mut self.board else { return Some(event) };
        match &event {
            Event::Notification(_) => return board.notification(event, moment),
            Event::Gap(gap) => {
                let concerned: Vec<u32> = board.hub.concerned().collect();
                for place in concerned {
                    board.push(place, ListenerEvent::Gap(gap.clone()), moment);
                }
            }
            Event::Subscribed(info) => {
                let last = board.is_last(info.id);
                for live in board.hub.subscribed(info, last, moment.now) {
                    board.live(live, restart, moment);
                }
            }
            Event::Unsubscribed { .. } => board.hub.unsubscribed(moment.now),
            Event::SubscriptionFailed { id, error, retry_at: None, .. } if board.is_last(*id) => {
                for Refusal { listener, filters } in board.hub.refused(error, moment.stands, moment.now) {
                    board.push(listener, ListenerEvent::Refused { filters, error: error.clone() }, moment);
                    board.announce();
                    // Its queue ends with it.
                    if let Some(slot) = board.lanes.get_mut(listener as usize) {
                        *slot = None;
                    }
                }
            }
            _ => {}
        }
        Some(event)
    }

    /// What waits for listeners, as far as reading has to stop for it, beside what waits for the plain stream.
    pub(crate) fn load(&mut self, mut load: Load) -> Load {
        for lane in self.board.iter_mut().flat_map(|board| board.lanes.iter_mut().flatten()) {
            let other = lane.load();
            load.is_full |= other.is_full;
            load.is_heavy |= other.is_heavy;
            load.backlog = load.backlog.max(other.backlog);
        }
        load
    }

    /// The driver is about to wait: if it waits for a listener this waker is woken when there is room. `true` when there
    /// is already.
    pub(crate) fn await_room(&mut self, waker: &Waker) -> bool {
        let lanes = self.board.iter_mut().flat_map(|board| board.lanes.iter_mut().flatten());
        lanes.map(|lane| lane.await_room(waker)).fold(false, |one, other| one | other)
    }

    /// What listeners have yet to take.
    pub(crate) fn behind(&self) -> Snapshots {
        self.board.as_ref().map_or_else(Snapshots::default, |board| Snapshots::behind(board.lanes.iter().flatten()))
    }

    /// Wakes those that got something.
    pub(crate) fn flush(&mut self) {
        if let Some(board) = &mut self.board {
            board.announce();
        }
    }

    /// Nothing more comes.
    pub(crate) fn end(&mut self) {
        self.board = None;
    }
}

impl Board {
    /// Whether no later change than this one is under way. After a refusal the session goes back to the one before it.
    fn is_last(&self, id: SubscriptionId) -> bool {
        self.asked.is_none_or(|asked| asked == id) || !self.hub.is_awaiting()
    }

    fn join(
        &mut self,
        filters: Filters,
        options: &ListenOptions,
        restart: Option<&Restart>,
        moment: Moment<'_>,
    ) -> Result<LaneReceiver, ListenError> {
        let is_heir = restart.is_some_and(|restart| restart.is_for(&filters, moment.now));
        let (place, live) = self.hub.join(filters, moment.now)?;
        self.heirs.retain(|heir| *heir != place);
        if is_heir {
            self.heirs.push(place);
        }
        let (sender, receiver) = lane(options);
        let slot = place as usize;
        if self.lanes.len() <= slot {
            self.lanes.resize_with(slot + 1, || None);
        }
        self.lanes[slot] = Some(sender);
        if let Some(live) = live {
            self.live(live, restart, moment);
        }
        Ok(receiver)
    }

    fn notification(&mut self, event: Event, moment: Moment<'_>) -> Option<Event> {
        let weight = weight(&event, None);
        let Event::Notification(n) = event else { return Some(event) };
        let Self { hub, lanes, fed, .. } = self;
        let route = hub.route(n.event());
        let (now, clock) = (moment.now, || moment.clock.reading());
        let plain = match *route.listeners {
            [] => return route.plain.then_some(Event::Notification(n)),
            [only] if !route.plain => {
                fed.push(only);
                if let Some(lane) = lane_at(lanes, only) {
                    lane.push(ListenerEvent::Notification(n), weight, now, clock);
                }
                return None;
            }
            _ => route.plain.then(|| Event::Notification(n.clone())),
        };
        let n = Arc::new(n);
        for place in &route.listeners {
            fed.push(*place);
            if let Some(lane) = lane_at(lanes, *place) {
                lane.push_shared(&n, weight, now, clock);
            }
        }
        plain
    }

    fn live(&mut self, live: Live, restart: Option<&Restart>, moment: Moment<'_>) {
        let Live { listener, lost_since, disabled } = live;
        if let Some(since) = lost_since {
            let clock = moment.clock.reading();
            let (since, until) = (clock.unix_at(since), clock.unix);
            self.push(listener, ListenerEvent::Gap(without_subscription(since, until)), moment);
        }
        self.push(listener, ListenerEvent::Live { disabled }, moment);
        // Once. What is reported from now on it has with all that are live.
        if let Some(place) = self.heirs.iter().position(|heir| *heir == listener) {
            self.heirs.swap_remove(place);
            if let Some(gap) = restart.and_then(Restart::gap) {
                self.push(listener, ListenerEvent::Gap(gap.clone()), moment);
            }
        }
    }

    fn push(&mut self, place: u32, event: ListenerEvent, moment: Moment<'_>) {
        let weight = match &event {
            ListenerEvent::Refused { filters, .. } => filters.iter().map(|filter| filter.len()).sum(),
            ListenerEvent::Live { disabled } => disabled.iter().map(|one| one.filter.len() + one.message.len()).sum(),
            _ => 0,
        };
        if let Some(lane) = self.lanes.get_mut(place as usize).and_then(Option::as_mut) {
            lane.push(event, weight + size_of::<ListenerEvent>(), moment.now, || moment.clock.reading());
            self.fed.push(place);
        }
    }

    fn announce(&mut self) {
        for place in self.fed.drain(..) {
            if let Some(Some(lane)) = self.lanes.get(place as usize) {
                lane.announce();
            }
        }
    }
}

fn lane_at(lanes: &mut [Option<LaneSender>], place: u32) -> Option<&mut LaneSender> {
    lanes.get_mut(place as usize)?.as_mut()
}

/// The listener's filters were not subscribed for a while, because the server refused those of others with them.
fn without_subscription(since: UnixMillis, until: UnixMillis) -> Gap {
    let cause = GapCause::SubscriptionLost;
    Gap { certainty: cause.certainty(), cause, after: None, since, until }
}
