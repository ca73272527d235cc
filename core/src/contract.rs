//! The contract of [`Session`], watched from outside: every call of a [`Checked`] goes to a Session and to its twin,
//! and every output is held against C1 to C13 and C16. For tests, fuzzing and ports; feature `contract`.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::error::{CommandError, NotDrained, RestoreError};
use crate::filters::Filters;
use crate::ids::{AuthId, ConnId, HttpId, RequestId, SubscriptionId};
use crate::input::Input;
use crate::output::{Action, Event, Output, Wait};
use crate::session::{Close, Session, SessionState, SubscriptionState};
use crate::snapshot::Snapshot;
use crate::stats::Stats;
use crate::time::{ClockReading, Timestamp};
use crate::{Body, UnixMillis};

/// A Session that panics when it, or its driver, breaks the contract.
#[derive(Clone, Debug)]
pub struct Checked {
    session: Session,
    twin: Session,
    config: Config,
    now: Timestamp,
    /// Polls since the last call.
    polls: usize,
    poll_limit: usize,
    quiet: Option<Output>,
    wait: Option<Wait>,
    live: Option<ConnId>,
    newest: u64,
    closing: bool,
    late_drop: Option<ConnId>,
    /// Calls that ended while outputs waited: their abort may be among those.
    late_aborts: BTreeSet<HttpId>,
    logins: BTreeSet<AuthId>,
    calls: BTreeSet<HttpId>,
    requests: BTreeSet<RequestId>,
    newest_request: u64,
    delivered: BTreeSet<Box<str>>,
    snapshot_announced: bool,
    closed: bool,
}

impl Checked {
    /// As [`Session::new`].
    #[must_use]
    pub fn new(config: Config, seed: u64, clock: ClockReading) -> Self {
        let session = Session::new(config.clone(), seed, clock);
        Self::around(session.clone(), session, config, clock)
    }

    /// As [`Session::restore`]; the snapshot must come out as it went in (C13).
    ///
    /// # Errors
    ///
    /// As [`Session::restore`].
    pub fn restore(config: Config, snapshot: Snapshot, seed: u64, clock: ClockReading) -> Result<Self, RestoreError> {
        let session = Session::restore(config.clone(), snapshot.clone(), seed, clock)?;
        assert!(session.snapshot().as_ref() == Some(&snapshot), "C13: the snapshot changed on its way");
        Ok(Self::around(session.clone(), session, config, clock))
    }

    fn around(session: Session, twin: Session, config: Config, clock: ClockReading) -> Self {
        let limits = &config.limits;
        Self {
            session,
            twin,
            poll_limit: limits.undrained
                + limits.recovery_buffer
                + limits.held_notifications
                + limits.queued_requests
                + 4 * limits.active_requests
                + 64,
            config,
            now: clock.now,
            polls: 0,
            quiet: None,
            wait: None,
            live: None,
            newest: 0,
            closing: false,
            late_drop: None,
            late_aborts: BTreeSet::new(),
            logins: BTreeSet::new(),
            calls: BTreeSet::new(),
            requests: BTreeSet::new(),
            newest_request: 0,
            delivered: BTreeSet::new(),
            snapshot_announced: false,
            closed: false,
        }
    }

    /// As [`Session::handle_input`].
    ///
    /// # Errors
    ///
    /// As [`Session::handle_input`].
    pub fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        let stale = self.is_stale(&input);
        let wait = self.wait.take();
        let early = match wait {
            Some(Wait::Until { at, .. }) => now.max(self.now) < at,
            Some(Wait::ForInput) => true,
            Some(Wait::Finished) | None => false,
        };
        let before = (self.session.state(), self.session.stats());
        let result = self.session.handle_input(input.clone(), now);
        assert_eq!(result, self.twin.handle_input(input.clone(), now), "C10");
        if result.is_err() {
            assert_eq!((self.session.state(), self.session.stats()), before, "a refused input changed something");
            self.wait = wait;
            return result;
        }
        self.complete(&input, wait.is_some());
        self.called(now);
        if early && (stale || matches!(input, Input::Timeout)) {
            assert_eq!(self.session.state(), before.0, "C6, C11");
            self.quiet = wait.map(Output::Wait);
        }
        Ok(())
    }

    /// Whether the input is for something that has ended (C6).
    fn is_stale(&self, input: &Input<'_>) -> bool {
        match input {
            Input::Opened { conn }
            | Input::OpenFailed { conn, .. }
            | Input::Frame { conn, .. }
            | Input::Closed { conn, .. }
            | Input::SendBlocked { conn }
            | Input::SendReady { conn }
            | Input::Unread { conn } => self.live != Some(*conn),
            Input::HttpResponse { id, .. } | Input::HttpFailed { id, .. } => !self.calls.contains(id),
            Input::Authorized { id, .. } | Input::AuthorizeFailed { id, .. } => !self.logins.contains(id),
            Input::NetworkChanged { .. } | Input::Resumed | Input::Timeout => false,
        }
    }

    fn complete(&mut self, input: &Input<'_>, drained: bool) {
        match input {
            Input::OpenFailed { conn, .. } | Input::Closed { conn, .. } if self.live == Some(*conn) => {
                // It may be about to be dropped: that action then comes too late, and does nothing.
                self.late_drop = (!drained).then_some(*conn);
                self.live = None;
                self.closing = false;
            }
            Input::HttpResponse { id, .. } | Input::HttpFailed { id, .. } => {
                let awaited = self.calls.remove(id);
                if awaited && !drained {
                    self.late_aborts.insert(*id);
                }
            }
            Input::Authorized { id, .. } | Input::AuthorizeFailed { id, .. } => drop(self.logins.remove(id)),
            _ => {}
        }
    }

    fn called(&mut self, now: Timestamp) {
        let (held, counted, most) = self.session.held();
        assert!(held == counted && held <= most, "C9: {held} bytes held, counted {counted}, of {most}");
        self.now = now.max(self.now);
        self.polls = 0;
        self.quiet = None;
        self.wait = None;
        self.snapshot_announced = false;
    }

    /// A call that was refused because the session was not drained did not reach the session: its time is not known there either.
    fn called_unless(&mut self, refused: bool, now: Timestamp) {
        if !refused {
            self.called(now);
        }
    }

    /// As [`Session::connect`].
    ///
    /// # Errors
    ///
    /// As [`Session::connect`].
    pub fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        let result = self.session.connect(now);
        assert_eq!(result, self.twin.connect(now), "C10");
        self.called_unless(result == Err(NotDrained), now);
        result
    }

    /// As [`Session::subscribe`].
    ///
    /// # Errors
    ///
    /// As [`Session::subscribe`].
    pub fn subscribe(&mut self, filters: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
        let result = self.session.subscribe(filters.clone(), now);
        assert_eq!(result, self.twin.subscribe(filters, now), "C10");
        self.called_unless(matches!(result, Err(CommandError::NotDrained(_))), now);
        result
    }

    /// As [`Session::unsubscribe`].
    ///
    /// # Errors
    ///
    /// As [`Session::unsubscribe`].
    pub fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        let result = self.session.unsubscribe(now);
        assert_eq!(result, self.twin.unsubscribe(now), "C10");
        self.called_unless(matches!(result, Err(CommandError::NotDrained(_))), now);
        result
    }

    /// As [`Session::request`].
    ///
    /// # Errors
    ///
    /// As [`Session::request`].
    #[expect(clippy::result_large_err, reason = "the request is handed back")]
    pub fn request(
        &mut self,
        request: http::Request<Body>,
        now: Timestamp,
    ) -> Result<RequestId, CommandError<http::Request<Body>>> {
        let copy = request.clone();
        let result = self.session.request(request, now);
        assert_eq!(result.as_ref().ok(), self.twin.request(copy, now).ok().as_ref(), "C10");
        self.called_unless(matches!(result, Err(CommandError::NotDrained(_))), now);
        if let Ok(id) = &result {
            assert!(id.get() > self.newest_request, "request ids grow");
            self.newest_request = id.get();
            self.requests.insert(*id);
        }
        result
    }

    /// As [`Session::cancel`].
    ///
    /// # Errors
    ///
    /// As [`Session::cancel`].
    pub fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
        let result = self.session.cancel(id, now);
        assert_eq!(result, self.twin.cancel(id, now), "C10");
        self.called_unless(result == Err(NotDrained), now);
        result
    }

    /// As [`Session::recover`].
    ///
    /// # Errors
    ///
    /// As [`Session::recover`].
    pub fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        let result = self.session.recover(now);
        assert_eq!(result, self.twin.recover(now), "C10");
        self.called_unless(matches!(result, Err(CommandError::NotDrained(_))), now);
        result
    }

    /// As [`Session::snapshot_stored`].
    ///
    /// # Errors
    ///
    /// As [`Session::snapshot_stored`].
    pub fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        let result = self.session.snapshot_stored(now);
        assert_eq!(result, self.twin.snapshot_stored(now), "C10");
        self.called_unless(result == Err(NotDrained), now);
        result
    }

    /// As [`Session::close`].
    ///
    /// # Errors
    ///
    /// As [`Session::close`].
    pub fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
        let result = self.session.close(mode, now);
        assert_eq!(result, self.twin.close(mode, now), "C10");
        self.called_unless(result == Err(NotDrained), now);
        result
    }

    /// As [`Session::poll_output`].
    pub fn poll_output(&mut self) -> Output {
        let output = self.session.poll_output();
        assert_eq!(output, self.twin.poll_output(), "C10");
        self.polls += 1;
        assert!(self.polls <= self.poll_limit, "C2: {} polls without a wait", self.polls);
        if let Some(quiet) = self.quiet.take() {
            assert_eq!(output, quiet, "C6, C11: something came of nothing");
        }
        match &output {
            Output::Wait(wait) => self.check_wait(*wait),
            Output::Action(action) => self.check_action(action),
            Output::Event(event) => self.check_event(event),
        }
        output
    }

    fn check_wait(&mut self, wait: Wait) {
        if let Wait::Until { at, .. } = wait {
            assert!(at > self.now, "C3: {at} is not after {}", self.now);
        }
        assert_eq!(wait == Wait::Finished, self.closed, "C8");
        self.late_aborts.clear();
        self.wait = Some(wait);
    }

    fn check_action(&mut self, action: &Action) {
        assert!(!self.closed, "C8: an action after Closed");
        match action {
            Action::Authorize { id, .. } => {
                // One that timed out may still be answered; that answer is stale.
                self.logins.clear();
                self.logins.insert(*id);
            }
            Action::Http { id, .. } => assert!(self.calls.insert(*id), "C16: {id} twice"),
            Action::AbortHttp { id } if self.late_aborts.remove(id) => {}
            Action::AbortHttp { id } => assert!(self.calls.remove(id), "C16: {id} is not under way"),
            Action::Open { conn, .. } => {
                assert!(self.live.is_none(), "C4: {conn} beside {:?}", self.live);
                assert!(conn.get() > self.newest, "C4: {conn} is not new");
                (self.live, self.newest, self.closing) = (Some(*conn), conn.get(), false);
            }
            Action::Send { conn, .. } | Action::Resubscribe { conn, .. } => {
                assert!(self.live == Some(*conn) && !self.closing, "C5: a message on {conn}");
            }
            Action::Close { conn, .. } => {
                assert!(self.live == Some(*conn) && !self.closing, "C5: a close of {conn}");
                self.closing = true;
            }
            Action::Drop { conn } if self.late_drop.take() == Some(*conn) => {}
            Action::Drop { conn } => {
                assert_eq!(self.live, Some(*conn), "C5: a drop of {conn}");
                (self.live, self.closing) = (None, false);
            }
        }
    }

    fn check_event(&mut self, event: &Event) {
        assert!(!self.closed, "C8: {event:?} after Closed");
        match event {
            Event::Response { id, .. } => assert!(self.requests.remove(id), "C7: {id} ended twice"),
            Event::Notification(n) => {
                let new = n.uuid().is_empty() || self.delivered.insert(n.uuid().into());
                assert!(new, "C15: {} delivered twice", n.uuid());
            }
            Event::SnapshotChanged => {
                assert!(!self.snapshot_announced, "WSC-3: emitted twice in one drain");
                self.snapshot_announced = true;
            }
            Event::Closed { .. } => {
                assert!(self.requests.is_empty(), "CLS-2: {:?} did not end", self.requests);
                assert!(self.calls.is_empty(), "C16: {:?} under way after the end", self.calls);
                assert!(self.live.is_none(), "C16: {:?} live after the end", self.live);
                self.closed = true;
            }
            _ => {}
        }
    }

    /// As [`Session::snapshot`]. The snapshot is restored and taken again (C13), and read back from its text.
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let snapshot = self.session.snapshot();
        assert!(snapshot == self.twin.snapshot(), "C10");
        if let Some(snapshot) = &snapshot {
            let clock = ClockReading { now: Timestamp::from_secs(1), unix: UnixMillis(1_800_000_000_000) };
            let again = Session::restore(self.config.clone(), snapshot.clone(), 1, clock);
            assert!(again.is_ok_and(|s| s.snapshot().as_ref() == Some(snapshot)), "C13");
            assert!(Snapshot::from_json(&snapshot.to_json()).as_ref() == Ok(snapshot), "PST-1");
        }
        snapshot
    }

    /// As [`Session::state`].
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.session.state()
    }

    /// As [`Session::subscription`].
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionState {
        self.session.subscription()
    }

    /// As [`Session::is_subscribed`].
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        self.session.is_subscribed()
    }

    /// As [`Session::stats`].
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.session.stats()
    }

    /// The live connection, as the outputs and inputs so far show it.
    #[must_use]
    pub const fn live(&self) -> Option<ConnId> {
        self.live
    }

    /// Requests that have not ended.
    pub fn open_requests(&self) -> impl Iterator<Item = RequestId> + '_ {
        self.requests.iter().copied()
    }
}

/// Whether a text frame can be read. For benchmarks and fuzzing of the parser alone.
#[must_use]
pub fn is_readable(text: &str) -> bool {
    crate::wire::parse(text).is_ok()
}

#[cfg(test)]
mod tests;
