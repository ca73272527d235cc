//! The loop of a driver, without I/O: it is the same for all drivers, and never waits.

mod command;
mod effects;
mod filling;
mod io;
mod listeners;
mod reading;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::recording::Recorded;
use ringcentral_ws_api::GapFiller;
use ringcentral_ws_core::{AuthId, ClockReading, ConnId, Event, Filters, Input, RequestId, TimerKind, Timestamp, Wait};

use self::command::Pending;
pub use self::command::{Answered, Command, Replies, Request};
use self::filling::Filling;
pub use self::io::{Abandoned, Completion, Io};
use crate::clock::Clock;
use crate::debug::Debug;
use crate::events::EventSender;
use crate::health::{LastCause, Pulse};
use crate::limits::IoLimits;
use crate::listen::{Restart, Switchboard};
use crate::metrics::Meter;
use crate::socket::Incoming;
use crate::state::StateSender;
use crate::trace::Tracer;

/// What a [`Pump`] is made of.
#[derive(Debug)]
pub struct PumpParts {
    /// The session.
    pub session: Recorded,
    /// Its clock.
    pub clock: Clock,
    /// What to subscribe to at the start.
    pub filters: Option<Filters>,
    /// The driver's end of the queue of events.
    pub events: EventSender,
    /// Where the state is shown.
    pub states: StateSender,
    /// Where debug lines go.
    pub debug: Debug,
    /// Where spans and events of `tracing` go.
    pub tracer: Tracer,
    /// Where metrics go.
    pub meter: Meter,
    /// Limits of input and output.
    pub limits: Arc<IoLimits>,
    /// How long the end of the session may take (`Config::close_timeout`).
    pub close_timeout: Duration,
    /// No connection is made: the session is there for calls.
    pub calls_only: bool,
    /// Fills gaps, if the application asked for it.
    pub filler: Option<Box<GapFiller>>,
    /// What listeners are owed of the run before, if the session was restored.
    pub restart: Option<Box<Restart>>,
}

/// The loop of a driver, without I/O: it owns the Session and decides what is done when. The driver around it implements
/// [`Io`], calls [`turn`](Self::turn) whenever something may have happened, and waits as the [`Turn`] says.
///
/// A turn has these steps, each bounded, so that each has its turn however busy another one is:
///
/// 1. the clock, which may have jumped, and a snapshot that was stored; in the first turn the session begins instead
/// 2. commands of the application
/// 3. completions of calls and logins
/// 4. messages from the socket, so that what is readable comes before timers that are due (HB-4)
/// 5. timers, a change of the subscription that listeners ask for, and the steps of filling gaps
/// 6. flush: what waits for the socket, the newest snapshot, and the application's wake
///
/// The session is drained after each input, so what an input causes is under way before the next one is looked at.
pub struct Pump<R: Replies> {
    session: Recorded,
    clock: Clock,
    events: EventSender,
    listeners: Switchboard,
    states: StateSender,
    debug: Debug,
    tracer: Tracer,
    meter: Meter,
    close_timeout: Duration,
    calls_only: bool,
    snapshot_every: usize,
    clock_slack: Duration,
    phase: Phase,
    connection: Connection,
    /// The time of this turn.
    now: Timestamp,
    /// What the session waits for.
    wait: Wait,
    requests: BTreeMap<RequestId, Pending<R>>,
    /// Those that were sent over the socket, whose answers come there.
    over_socket: BTreeSet<RequestId>,
    /// Who waits for the end.
    closers: Vec<R::Reply<()>>,
    /// Logins under way.
    logins: usize,
    /// Logins that were too many.
    refused_logins: Vec<AuthId>,
    /// A message that was read while the application lets events wait: it stays here until there is room.
    parked: Option<Incoming>,
    /// Since when, as the last turn ended.
    paused_since: Option<Timestamp>,
    /// The server disabled some of the filters that it confirmed last.
    has_disabled: bool,
    /// Why the last attempt failed.
    last_cause: LastCause,
    filling: Option<Box<Filling>>,
    /// Changes of the snapshot that were not published yet.
    unpublished: usize,
    /// Something else than notifications was emitted, and the application acknowledges events: the snapshot that belongs to
    /// it is not left for later, so that what comes next is never stored with one of a session before.
    is_turning_point: bool,
    /// When the application asked for the end.
    closing_since: Option<Timestamp>,
    /// The last event, which comes when no login is under way any more.
    last: Option<Box<Event>>,
    /// Something may have happened that was not looked at in this turn.
    again: bool,
    /// The socket had more than one turn reads.
    flooded: bool,
}

/// How far a session has come.
#[derive(Debug)]
enum Phase {
    /// It has not begun to connect.
    New(Option<Filters>),
    Running,
    /// It has ended, but for logins under way. They have time until then.
    Ending {
        until: Timestamp,
    },
}

/// The one connection there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Connection {
    None,
    Opening(ConnId),
    Open(ConnId),
}

impl Connection {
    fn is(self, conn: ConnId) -> bool {
        self == Self::Opening(conn) || self == Self::Open(conn)
    }
}

/// What a driver does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// There is more to do: another turn comes at once.
    Again,
    /// The same, and the socket had more than one turn reads: who shares a thread with others lets them go first.
    Flooded,
    /// Wait until something happens, and no longer than until this time.
    Wait {
        /// The time of this turn.
        now: Timestamp,
        /// When the next turn comes at the latest.
        until: Option<Timestamp>,
    },
    /// The driver is done, and lets go of everything.
    Ended,
}

impl<R: Replies> Pump<R> {
    /// A session that begins to connect in the first turn.
    #[must_use]
    pub fn new(parts: PumpParts) -> Self {
        Self {
            session: parts.session,
            clock: parts.clock,
            events: parts.events,
            listeners: Switchboard::new(parts.restart),
            states: parts.states,
            debug: parts.debug,
            tracer: parts.tracer,
            meter: parts.meter,
            close_timeout: parts.close_timeout,
            calls_only: parts.calls_only,
            snapshot_every: parts.limits.snapshot_every,
            clock_slack: parts.limits.clock_slack,
            phase: Phase::New(parts.filters),
            connection: Connection::None,
            now: Timestamp::ZERO,
            wait: Wait::ForInput,
            requests: BTreeMap::new(),
            over_socket: BTreeSet::new(),
            closers: Vec::new(),
            logins: 0,
            refused_logins: Vec::new(),
            parked: None,
            paused_since: None,
            has_disabled: false,
            last_cause: LastCause::default(),
            filling: parts.filler.map(|filler| Box::new(Filling::new(*filler))),
            unpublished: 0,
            is_turning_point: false,
            closing_since: None,
            last: None,
            again: false,
            flooded: false,
        }
    }

    /// Looks at everything once, and carries out what comes of it.
    pub fn turn(&mut self, io: &mut impl Io<Replies = R>) -> Turn {
        self.again = false;
        let jumped = self.read_clock();
        if let Phase::New(filters) = &mut self.phase {
            let filters = filters.take();
            self.begin(filters, io);
        } else {
            self.report_suspension(jumped, io);
            self.report_stored_snapshot(io);
        }
        if !self.take_commands(io) {
            return Turn::Ended;
        }
        self.take_completions(io);
        self.read_socket(io);
        self.run_timers(io);
        self.change_subscription(io);
        self.fill(io);
        self.flush(io);
        if let Phase::Ending { until } = self.phase
            && (self.logins == 0 || until <= self.now)
        {
            self.finish(io);
            return Turn::Ended;
        }
        if self.flooded {
            return Turn::Flooded;
        }
        if self.again || self.is_filling_due() || self.may_go_on() {
            return Turn::Again;
        }
        let (waker, listeners) = (io.waker(), &mut self.listeners);
        if self.events.await_application(waker) | listeners.await_room(waker) {
            return Turn::Again;
        }
        self.session.rest();
        Turn::Wait { now: self.now, until: self.deadline() }
    }

    fn deadline(&self) -> Option<Timestamp> {
        let session = match (&self.phase, self.wait) {
            (Phase::Ending { until }, _) => return Some(*until),
            (_, Wait::Until { at, .. }) => Some(at),
            _ => None,
        };
        // What is due waits for the application.
        let filling = self.filling.as_ref().and_then(|filling| filling.wait()).filter(|at| *at > self.now);
        session.into_iter().chain(filling).chain(self.change_is_due_at()).min()
    }

    /// Sets the time of this turn. Whether the clocks show that the process was away.
    fn read_clock(&mut self) -> bool {
        let reading = self.clock.read();
        self.now = reading.now;
        self.events.begin_turn(reading.now);
        reading.jumped
    }

    fn begin(&mut self, filters: Option<Filters>, io: &mut impl Io<Replies = R>) {
        self.phase = Phase::Running;
        if let Some(filters) = filters {
            // One snapshot for both steps: that of an orderly end with other filters is not the newer one that is to be
            // stored first (PST-2).
            let every = std::mem::replace(&mut self.snapshot_every, usize::MAX);
            // A new session refuses nothing.
            let _ = self.session.subscribe(filters, self.now);
            self.drain(io);
            self.snapshot_every = every;
        }
        if !self.calls_only {
            let _ = self.session.connect(self.now);
        }
        self.drain(io);
    }

    /// The process was away: the clocks jumped, or a timer is late.
    fn report_suspension(&mut self, jumped: bool, io: &mut impl Io<Replies = R>) {
        let late = matches!(self.wait, Wait::Until { at, .. } if self.now.since(at) > self.clock_slack);
        if jumped || late {
            if let Connection::Open(_) = self.connection {
                io.pause_reading();
            }
            self.input(Input::Resumed, io);
        }
    }

    /// The application has stored a snapshot.
    fn report_stored_snapshot(&mut self, io: &mut impl Io<Replies = R>) {
        if self.events.take_stored() {
            self.report_unread_when_due(io);
            let _ = self.session.snapshot_stored(self.now);
            self.drain(io);
        }
    }

    fn run_timers(&mut self, io: &mut impl Io<Replies = R>) {
        let Wait::Until { at, reason } = self.wait else { return };
        if at > self.now {
            return;
        }
        let is_open = matches!(self.connection, Connection::Open(_));
        // What came of a message is lost with the connection, and the next read says so.
        if reason == TimerKind::Liveness && is_open && self.parked.is_none() && io.gives_up_within_message() {
            self.again = true;
            return;
        }
        self.report_unread_when_due(io);
        self.input(Input::Timeout, io);
    }

    /// Sends what waits for the socket, publishes the newest snapshot when a burst is over, and wakes the application,
    /// which then sees the state that belongs to its events.
    fn flush(&mut self, io: &mut impl Io<Replies = R>) {
        self.write_socket(io);
        if !self.flooded {
            self.publish();
        }
        if let Phase::Running = self.phase {
            self.show_state();
        }
        self.paused_since = self.parked.is_some().then(|| self.paused_since.unwrap_or(self.now));
        self.show();
    }

    fn show_state(&mut self) {
        let (session, clock) = (&self.session, &self.clock);
        self.states.set(session.state(), session.subscription(), || clock.reading().now);
    }

    /// Shows how things stand, and wakes the application.
    fn show(&mut self) {
        let pulse = self.pulse();
        self.meter.turn(self.session.session(), &pulse, &self.clock);
        let goes_on = self.flooded && matches!(self.phase, Phase::Running);
        self.events.flush_turn(self.session.stats(), pulse, goes_on);
        self.listeners.flush();
    }

    /// What is shown of the health (`Client::health`).
    fn pulse(&self) -> Pulse {
        let session = self.session.session();
        Pulse {
            session: session.state(),
            subscription: session.subscription_as_asked(),
            has_disabled: self.has_disabled,
            last_received: session.last_received(),
            paused_since: self.paused_since,
            due: self.deadline(),
            last_cause: self.last_cause.clone(),
        }
    }

    /// Puts the newest snapshot behind the events it covers. While an orderly end is under way there is none; the last one
    /// comes before `Closed`.
    fn publish(&mut self) {
        if std::mem::take(&mut self.unpublished) > 0
            && let Some(snapshot) = self.session.snapshot()
        {
            let clock = || ClockReading { now: self.now, ..self.clock.reading() };
            let snapshot = snapshot.with_extra(self.filling.as_ref().map(|filling| filling.state(clock())));
            self.events.push_with(Event::SnapshotChanged, Some((snapshot, self.listeners.behind())));
        }
    }

    /// Everything ends but logins under way, which have the time that closing may take: a server that answers a refresh
    /// has replaced the refresh token, and the application keeps the new one only if it comes.
    fn release(&mut self, io: &mut impl Io<Replies = R>) {
        let until = self.closing_since.unwrap_or(self.now).after(self.close_timeout);
        self.phase = Phase::Ending { until };
        (self.connection, self.parked) = (Connection::None, None);
        io.release();
    }

    /// The last that the application learns: `Closed` comes behind the answers to all requests (CLS-2), and the events
    /// that wait stay with it.
    fn finish(&mut self, io: &mut impl Io<Replies = R>) {
        self.show_state();
        while let Some(command) = io.last_command() {
            if let Command::Close(_, reply) = command {
                self.closers.push(reply);
            } else {
                command.refuse();
            }
        }
        self.publish();
        if let Some(event) = self.last.take() {
            self.events.push(*event, None);
        }
        self.show();
        self.listeners.end();
        for reply in self.closers.drain(..) {
            R::reply(reply, ());
        }
    }
}

impl<R: Replies> std::fmt::Debug for Pump<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pump").field("phase", &self.phase).field("wait", &self.wait).finish_non_exhaustive()
    }
}
