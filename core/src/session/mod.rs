//! The Session: sub-machines joined by one clock, one outbox and one table of timers.

// The one circle of files in this crate: each file below has the methods of `Session` for its topic, and they call
// each other through it. Everything else depends one way.

#[cfg(feature = "recorder")]
mod checkpoint;
mod connection;
mod delivery;
mod health;
mod liveness;
mod persist;
mod recovery;
mod requests;
mod state;
mod subscription;
#[cfg(test)]
mod tests;
mod tokens;

use std::time::Duration;

#[cfg(feature = "recorder")]
pub(crate) use self::checkpoint::Checkpoint;
use self::connection::ConnectionState;
pub(crate) use self::delivery::MIN_WINDOW;
use self::recovery::StoredSnapshot;
pub use self::requests::options::{OverHttps, RequestOptions};
use self::state::State;
pub use self::state::{Close, SessionState, SubscriptionState};
use crate::classify::Cause;
use crate::config::{Config, MIN_HEARTBEAT_INTERVAL};
use crate::error::{CommandError, InvalidReason, NotDrained};
use crate::filters::Filters;
use crate::ids::{ConnId, SubscriptionId};
use crate::input::{Frame, Input};
use crate::outbox::Outbox;
use crate::output::{Output, Wait};
use crate::stats::Stats;
use crate::time::{ClockReading, Timestamp};
use crate::timers::TimerKind;

/// The smallest step of the clock: a timer armed at `now` fires at the next one (C3).
const TICK: Duration = Duration::from_micros(1);

/// A RingCentral WebSocket session: the client's side of the protocol as a state machine.
///
/// It connects, recovers, keeps the subscription, delivers each notification once, and makes REST requests. It has no
/// I/O, no clock, no threads, no async, and no randomness beyond its seed.
///
/// Inputs go in by [`handle_input`](Self::handle_input), commands by the other calls. Everything that is to happen
/// comes out of [`poll_output`](Self::poll_output), in order. The whole loop of a driver:
///
/// ```no_run
/// # use ringcentral_ws_core::*;
/// # fn perform(_: Action) {} fn handle(_: Event) {}
/// # fn next_input(_: Wait) -> Input<'static> { Input::Timeout }
/// # fn now() -> Timestamp { Timestamp::ZERO }
/// # let mut session = Session::new(Config::default(), 7, ClockReading::default());
/// session.connect(now())?;
/// loop {
///     let wait = loop {
///         match session.poll_output() {
///             Output::Action(action) => perform(action),
///             Output::Event(event) => handle(event),
///             Output::Wait(wait) => break wait,
///         }
///     };
///     if wait == Wait::Finished {
///         break;
///     }
///     session.handle_input(next_input(wait), now())?;
/// }
/// # Ok::<(), NotDrained>(())
/// ```
///
/// The rules that it follows are in the module [`protocol`](crate::protocol).
///
/// # Contract
///
/// - **C1** No call panics, whatever the server sends and the caller does.
/// - **C2** `poll_output` reaches `Wait` in a bounded number of calls: at most what one input can cause, which is the
///   notifications held back (`recovery_buffer` + `held_notifications`) and one outcome for each accepted request,
///   plus a constant.
/// - **C3** Once drained after a call at `now`, `Wait::Until.at` is later than `now`.
/// - **C4** At most one connection is live; `ConnId`s grow.
/// - **C5** `Send`, `Resubscribe` and `Close` name the live connection only.
/// - **C6** Input for any other connection changes nothing but a counter.
/// - **C7** Every accepted `RequestId` ends in exactly one `Response` event.
/// - **C8** `Closed` comes once; afterwards there is only `Wait::Finished`, and every call is inert.
/// - **C9** Memory stays within [`SessionLimits`](crate::SessionLimits).
/// - **C10** The same seed and calls give the same outputs.
/// - **C11** `Input::Timeout` before the deadline yields nothing.
/// - **C12** A `now` that goes back is taken as the latest one seen, and counted.
/// - **C13** A snapshot, restored and taken again before `connect`, is the same snapshot.
/// - **C14** Once faults stop, the session is ready or closed within a bounded time.
/// - **C15** Every notification the server sent is delivered exactly once and in order, or covered by a `Gap` that
///   came first. The server numbers nothing, so a loss is inferred: from a failed or late recovery, from a replay as
///   large as the server's buffer, from an unreadable frame. What the server drops without a word on a healthy
///   connection cannot be known.
/// - **C16** Each asynchronous action has exactly one completing input:
///
/// | Action | Completed by | or ended by |
/// |---|---|---|
/// | `Authorize` | `Authorized`, `AuthorizeFailed` | the `Authorize` timer; a later completion is only counted |
/// | `Http` | `HttpResponse`, `HttpFailed` | `AbortHttp` |
/// | `Open` | `Opened`, `OpenFailed` | `Drop` |
/// | `Close` | `Closed` | `Drop` |
/// | `Send`, `Resubscribe`, `Drop`, `AbortHttp` | nothing | |
///
/// A connection that is open ends with `Closed` (input) or `Drop` (action), never both; but a `Drop` that waited in
/// the queue when `Closed` came still comes out, and has nothing to do. So does an `AbortHttp` that waited when its
/// call ended.
#[derive(Clone, Debug)]
pub struct Session {
    config: Config,
    out: Outbox,
    stats: Stats,
    state: State,
}

impl Session {
    /// A session that has never been connected. `seed` feeds jitter and message ids only.
    #[must_use]
    pub fn new(mut config: Config, seed: u64, clock: ClockReading) -> Self {
        config.heartbeat_interval = config.heartbeat_interval.max(MIN_HEARTBEAT_INTERVAL);
        Self { state: State::new(&config, seed, clock), out: Outbox::default(), stats: Stats::default(), config }
    }

    /// Takes an input: what happened outside since the last call.
    ///
    /// # Errors
    ///
    /// [`NotDrained`] when [`SessionLimits::undrained`](crate::SessionLimits::undrained) outputs or
    /// [`SessionLimits::held_bytes`](crate::SessionLimits::held_bytes) wait already; nothing has changed.
    #[inline(always)]
    pub fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        if self.enter(now)? {
            // By far the most frequent two go the shortest way; they own nothing that would have to be dropped.
            match input {
                Input::Timeout => {
                    std::mem::forget(input);
                    self.run_timers(self.state.now);
                }
                Input::Frame { conn, frame } => {
                    std::mem::forget(input);
                    self.take_frame(conn, frame);
                }
                other => self.take(other),
            }
        }
        Ok(())
    }

    /// A frame that is there is read before a timer drops its connection: the server does not send it again (C15).
    fn take_frame(&mut self, conn: ConnId, frame: Frame<'_>) {
        let now = self.state.now;
        // A notification brings nothing that a request waits for, however many wait.
        let only_delivered = self.frame(conn, frame, now);
        if !only_delivered || !self.state.is_settled_but_for_requests() {
            self.settle(now);
        }
        self.run_timers(now);
    }

    fn take(&mut self, input: Input<'_>) {
        let now = self.state.now;
        // What has ended needs no end by a timer that is due at the same time (C16).
        let ended = input.is_an_end();
        match input {
            Input::Resumed => self.resumed(now),
            Input::Unread { conn } => self.unread(conn, now),
            _ => {}
        }
        if !ended {
            self.run_timers(now);
            if matches!(self.state.connection, ConnectionState::Closed) {
                return;
            }
        }
        match input {
            Input::Authorized { id, token } => self.authorized(id, token, now),
            Input::AuthorizeFailed { id, failure } => self.authorize_failed(id, failure, now),
            Input::HttpResponse { id, response } => self.http_response(id, response, now),
            Input::HttpFailed { id, failure } => self.http_failed(id, failure, now),
            Input::Opened { conn } => self.opened(conn),
            Input::OpenFailed { conn, failure } => self.open_failed(conn, failure, now),
            Input::Closed { conn, close } => self.socket_closed(conn, &close, now),
            Input::SendBlocked { conn } => self.send_blocked(conn, true),
            Input::SendReady { conn } => self.send_blocked(conn, false),
            Input::NetworkChanged { online } => self.network_changed(online, now),
            Input::Frame { .. } | Input::Unread { .. } | Input::Resumed | Input::Timeout => {}
        }
        self.settle(now);
        if ended {
            self.run_timers(now);
        }
    }

    /// Opens the first connection. Later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`NotDrained`], as [`handle_input`](Self::handle_input).
    pub fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        if self.enter_and_run(now)? && matches!(self.state.connection, ConnectionState::Idle) {
            self.start(self.state.now);
            self.settle(self.state.now);
        }
        Ok(())
    }

    /// Sets the event filters ([SUB-1](crate::protocol#sub-1)). The subscription is made, or changed if there is one,
    /// as soon as there is a connection, and again whenever the server has lost it. Ends with
    /// [`Event::Subscribed`](crate::Event::Subscribed) or
    /// [`Event::SubscriptionFailed`](crate::Event::SubscriptionFailed).
    ///
    /// # Errors
    ///
    /// [`CommandError`] hands the filters back; nothing has changed.
    pub fn subscribe(&mut self, filters: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
        match self.command(now) {
            Err(why) => Err(why.with(filters)),
            Ok(now) => Ok(self.set_desired(filters, now)),
        }
    }

    /// Deletes the subscription ([SUB-7](crate::protocol#sub-7)). Ends with
    /// [`Event::Unsubscribed`](crate::Event::Unsubscribed).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        let now = self.command(now).map_err(|why| why.with(()))?;
        let removed = self.clear_desired(now);
        self.settle(now);
        if removed { Ok(()) } else { Err(CommandError::Invalid((), InvalidReason::NoSubscription)) }
    }

    /// Connects now, inside the budgets. Does nothing on a live connection ([REC-7](crate::protocol#rec-7)).
    ///
    /// # Errors
    ///
    /// [`CommandError`]; nothing has changed.
    pub fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        let now = self.command(now).map_err(|why| why.with(()))?;
        self.recover_now(now);
        self.settle(now);
        Ok(())
    }

    /// Ends the session within [`Config::close_timeout`](crate::Config::close_timeout)
    /// ([CLS-1](crate::protocol#cls-1)). Later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`NotDrained`], as [`handle_input`](Self::handle_input).
    pub fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
        if self.enter_and_run(now)? && self.state.closing.is_none() {
            self.begin_close(mode, self.state.now);
            self.settle(self.state.now);
        }
        Ok(())
    }

    /// The next output: an action, an event, or what to wait for. Call it until it returns [`Output::Wait`].
    pub fn poll_output(&mut self) -> Output {
        if let Some(output) = self.out.pop() {
            return output;
        }
        Output::Wait(match self.state.connection {
            ConnectionState::Closed => Wait::Finished,
            _ => self.state.timers.next().map_or(Wait::ForInput, |(at, reason)| Wait::Until { at, reason }),
        })
    }

    /// Lets go of room that outputs took and do not need now. For a driver that is about to wait, perhaps for long; it
    /// changes nothing else.
    pub fn rest(&mut self) {
        self.out.rest();
    }

    /// The state of the session.
    #[must_use]
    pub fn state(&self) -> SessionState {
        match self.state.connection {
            ConnectionState::Closed => SessionState::Closed,
            _ if self.state.closing.is_some() => SessionState::Closing,
            ConnectionState::Idle => SessionState::Idle,
            ConnectionState::Offline => SessionState::Offline,
            ConnectionState::Waiting { reason } => SessionState::Waiting {
                attempt: self.state.attempts.failed(),
                until: self.state.timers.get(TimerKind::Retry).unwrap_or(self.state.now),
                reason,
            },
            ConnectionState::Attempting if self.state.recovery.stored_snapshot == StoredSnapshot::ToBeReplaced => {
                SessionState::AwaitingStore
            }
            ConnectionState::Attempting | ConnectionState::Opening { .. } | ConnectionState::Handshaking { .. } => {
                SessionState::Connecting
            }
            ConnectionState::Ready { conn } | ConnectionState::Renewing { conn } => SessionState::Ready { conn },
            ConnectionState::Closing { .. } => SessionState::Closing,
        }
    }

    /// The state of the subscription.
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionState {
        self.state.subscription.state()
    }

    /// Whether the server has confirmed the subscription. Then notifications come while there is a connection.
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        matches!(self.state.subscription.state(), SubscriptionState::Active)
    }

    /// The counters.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        Stats { gaps: self.state.delivery.gaps(), ..self.stats }
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Clamps the clock. `false`: the session is over and the call is inert.
    #[inline]
    fn enter(&mut self, now: Timestamp) -> Result<bool, NotDrained> {
        if matches!(self.state.connection, ConnectionState::Closed) {
            return Ok(false);
        }
        let waiting = self.out.len();
        if waiting >= self.config.limits.undrained.max(1) || waiting > 0 && self.waits_to_be_drained() {
            return Err(NotDrained);
        }
        if now < self.state.now {
            self.stats.clock_went_back += 1;
        }
        self.state.now = now.max(self.state.now);
        Ok(true)
    }

    fn enter_and_run(&mut self, now: Timestamp) -> Result<bool, NotDrained> {
        let open = self.enter(now)?;
        if open {
            self.run_timers(self.state.now);
        }
        Ok(open && !matches!(self.state.connection, ConnectionState::Closed))
    }

    /// What every command begins with.
    fn command(&mut self, now: Timestamp) -> Result<Timestamp, Refused> {
        match self.enter_and_run(now) {
            Err(NotDrained) => Err(Refused::NotDrained),
            Ok(true) if self.state.closing.is_none() => Ok(self.state.now),
            Ok(_) => Err(Refused::Closed),
        }
    }

    #[inline]
    fn run_timers(&mut self, now: Timestamp) {
        if self.state.timers.is_due(now) {
            self.run_due_timers(now);
        }
    }

    #[inline(never)]
    fn run_due_timers(&mut self, now: Timestamp) {
        while !matches!(self.state.connection, ConnectionState::Closed)
            && let Some(kind) = self.state.timers.pop_due(now)
        {
            match kind {
                TimerKind::Retry => self.begin_attempt(now),
                TimerKind::TokenCall => self.token_call_timed_out(now),
                TimerKind::Authorize => self.authorize_timed_out(now),
                TimerKind::Handshake => self.handshake_timed_out(now),
                TimerKind::Heartbeat => self.heartbeat_due(now),
                TimerKind::Liveness => self.connection_lost(Cause::HeartbeatTimeout, true, now),
                TimerKind::Replay => self.replay_due(now),
                TimerKind::Renewal => self.renewal_due(),
                TimerKind::Close => self.close_timed_out(now),
                TimerKind::Subscribe => self.subscribe_due(now),
                TimerKind::Refresh => self.refresh_due(now),
                TimerKind::Request => self.deadlines_due(now),
            }
            self.settle(now);
        }
    }

    /// Does what follows from the state, after every input, command and timer, and is the only one that does.
    /// `reconcile` begins the call that brings the subscription closer to what the application asked for, or finishes
    /// `close(Revoke)`. `pursue` takes the next step of an attempt or of a renewal. `dispatch` sends requests that wait.
    #[inline]
    fn settle(&mut self, now: Timestamp) {
        if !self.state.is_settled() {
            self.settle_all(now);
        }
    }

    fn settle_all(&mut self, now: Timestamp) {
        if matches!(self.state.connection, ConnectionState::Closed) {
            return;
        }
        self.reconcile(now);
        self.pursue(now);
        self.dispatch(now);
    }

    /// Sets a timer, never at or before the present.
    fn arm(&mut self, kind: TimerKind, at: Timestamp) {
        self.state.timers.set(kind, at.max(self.state.now.after(TICK)));
    }

    fn live(&self) -> Option<ConnId> {
        self.state.connection.live()
    }

    fn ready(&self) -> Option<ConnId> {
        self.state.connection.ready()
    }

    fn fresh_id(&mut self) -> u64 {
        let id = self.state.next_id;
        self.state.next_id += 1;
        id
    }

    fn message_id(&self, n: u64) -> String {
        self.state.tag.id(n)
    }

    /// The number in a message id of this session.
    fn own_message(&self, id: &str) -> Option<u64> {
        self.state.tag.number(id)
    }
}

/// A refusal, before it is joined with the argument.
enum Refused {
    NotDrained,
    Closed,
}

impl Refused {
    fn with<T>(self, argument: T) -> CommandError<T> {
        match self {
            Self::NotDrained => CommandError::NotDrained(argument),
            Self::Closed => CommandError::Closed(argument),
        }
    }
}
