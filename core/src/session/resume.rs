//! The recovery window, and the session at rest (REC-1, PST).

use std::time::Duration;

use super::Session;
use super::host::HostKind;
use super::link::{Link, Then};
use super::subscription::{Active, Wanted};
use crate::config::Config;
use crate::error::{NotDrained, RestoreError};
use crate::gap::GapCause;
use crate::identity::Identity;
use crate::ids::SubscriptionId;
use crate::ledger::{Ledger, PendingGap};
use crate::output::CloseReason;
use crate::retry::Window;
use crate::snapshot::{MAX_RECENT, Snapshot, StoredGap, StoredSubscription, StoredWsc, VERSION};
use crate::time::{ClockReading, Timestamp, UnixMillis};
use crate::wire::{Limits, Wsc};

/// What is needed to continue on another connection.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Recovery {
    #[cfg_attr(feature = "recorder", serde(with = "crate::snapshot::at_rest"))]
    pub(super) wsc: Option<Wsc>,
    /// Whose the session is, as its snapshots say (TOK-10).
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub(super) bound_to: Option<Identity>,
    /// The kind of host that the handle came from, and goes back to (TOK-8).
    #[cfg_attr(feature = "recorder", serde(default))]
    pub(super) given_by: Option<HostKind>,
    /// When the last frame of a ready connection came.
    pub(super) last_seen: Timestamp,
    /// When the loss of the connection was noticed, or the first connection was asked for.
    pub(super) lost_at: Timestamp,
    /// When a close frame with a code came: the server was there until then, so its window began no earlier.
    /// What it sent before may have been lost on the way, so this is no end of a gap.
    closed: Option<Timestamp>,
    /// When the frame before that one came.
    earlier_seen: Timestamp,
    /// A wake-up that no heartbeat sent after it has been answered since: what is read may have waited in the socket
    /// for as long as the sleep, and says nothing about the time in between.
    pub(super) slept: Option<Slept>,
    /// The same by the wall clock, when it was another process that received it: it may lie before the driver's epoch.
    pub(super) seen_before: Option<UnixMillis>,
    pub(super) limits: Limits,
    /// The session was lost without the server saying so on the new connection: told when that one is ready.
    pub(super) lost: Option<Lost>,
    /// The end was orderly: nothing was received after the snapshot.
    pub(super) detached: bool,
    /// The session goes on from an orderly end, and the application has not stored a newer snapshot yet (PST-2).
    #[cfg_attr(feature = "recorder", serde(default))]
    pub(super) unstored: bool,
    /// Made from a snapshot that was not the last word: what the process before received after it is not known.
    pub(super) restored: bool,
    /// A renewal is under way (HB-6).
    pub(super) renewing: bool,
}

/// A sleep that nothing received so far tells the end of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Slept {
    /// When the last frame before it came.
    pub(super) seen: Timestamp,
    /// The first message number used after it.
    pub(super) from: u64,
}

/// From when a server counts the recovery window.
enum CountedFrom {
    /// From the last sign of life, or from the loss as it was noticed.
    Here { first: Timestamp, last: Timestamp },
    /// From the last sign of life in another process, so long before this one began.
    Before { passed: Duration },
}

/// A lost session, with the code of the server if it gave one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Lost {
    pub(super) code: Option<Box<str>>,
}

impl Recovery {
    pub(super) const fn new(now: Timestamp) -> Self {
        let limits = Limits {
            recovery_buffer_size: None,
            recovery_timeout: None,
            idle_timeout: None,
            absolute_timeout: None,
            max_active_requests: None,
        };
        Self {
            wsc: None,
            bound_to: None,
            given_by: None,
            last_seen: now,
            lost_at: now,
            closed: None,
            earlier_seen: now,
            slept: None,
            seen_before: None,
            limits,
            lost: None,
            detached: false,
            unstored: false,
            restored: false,
            renewing: false,
        }
    }

    /// A frame of a ready connection came.
    pub(super) fn seen(&mut self, now: Timestamp) {
        self.earlier_seen = self.last_seen;
        self.last_seen = now;
        self.closed = None;
        self.seen_before = None;
    }

    /// A ready connection ended with a close frame.
    pub(super) fn closed_in_order(&mut self, now: Timestamp) {
        self.closed = Some(now);
    }

    /// The process woke up; `from` is the next message number.
    pub(super) fn sleep_ended(&mut self, from: u64) {
        let seen = self.slept.map_or(self.last_seen, |slept| slept.seen);
        self.slept = Some(Slept { seen, from });
    }

    /// A heartbeat was answered: if it was sent after the sleep, all that waited has been read.
    pub(super) fn heartbeat_answered(&mut self, number: u64) {
        if self.slept.is_some_and(|slept| number >= slept.from) {
            self.slept = None;
        }
    }

    /// What the server does not repeat stays as it was (CON-6).
    pub(super) fn adopt_limits(&mut self, new: Limits) {
        let old = self.limits;
        self.limits = Limits {
            recovery_buffer_size: new.recovery_buffer_size.or(old.recovery_buffer_size),
            recovery_timeout: new.recovery_timeout.or(old.recovery_timeout),
            idle_timeout: new.idle_timeout.or(old.idle_timeout),
            absolute_timeout: new.absolute_timeout.or(old.absolute_timeout),
            max_active_requests: new.max_active_requests.or(old.max_active_requests),
        };
    }
}

impl Session {
    /// How long the server keeps a lost session.
    pub(super) fn recovery_window(&self) -> Duration {
        let told = self.state.recovery.limits.recovery_timeout.map(Duration::from_secs);
        told.unwrap_or(self.config.recovery_timeout)
    }

    /// The ends of the recovery window, if there is something to recover.
    pub(super) fn window(&self) -> Option<Window> {
        let since = self.counted_from()?;
        let window = self.recovery_window();
        Some(match since {
            CountedFrom::Here { first, last } => Window { first: first.after(window), last: last.after(window) },
            CountedFrom::Before { passed } => {
                let end = self.state.clock.now.after(window.saturating_sub(passed));
                Window { first: end, last: end }
            }
        })
    }

    /// From when the server may count its window, if there is something to recover.
    fn counted_from(&self) -> Option<CountedFrom> {
        if self.state.recovery.wsc.is_none() || !self.state.subs.may_be_active() {
            return None;
        }
        Some(match self.state.recovery.seen_before {
            None => {
                let first = self.state.recovery.closed.unwrap_or(self.state.recovery.last_seen);
                CountedFrom::Here { first, last: self.state.recovery.lost_at.max(first) }
            }
            Some(seen) => {
                CountedFrom::Before { passed: Duration::from_millis(self.state.clock.unix.0.saturating_sub(seen.0)) }
            }
        })
    }

    /// When the last frame came, by the wall clock; after a sleep, the last one before it.
    pub(super) fn last_seen(&self) -> UnixMillis {
        let seen = self.state.recovery.slept.map_or(self.state.recovery.last_seen, |slept| slept.seen);
        self.state.recovery.seen_before.unwrap_or_else(|| self.state.clock.unix_at(seen))
    }

    /// When the last frame but the present one came.
    pub(super) fn seen_before_this_frame(&self) -> UnixMillis {
        match self.state.link {
            Link::Ready { .. } | Link::Closing { .. } if self.state.recovery.slept.is_none() => {
                self.state.clock.unix_at(self.state.recovery.earlier_seen)
            }
            _ => self.last_seen(),
        }
    }

    /// How many notifications the server keeps, as far as it is believed.
    pub(super) fn buffer_size(&self) -> usize {
        let told = self.state.recovery.limits.recovery_buffer_size.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        // The keys of twice as many notifications must fit into a snapshot.
        let limit = self.config.limits.recovery_buffer.min(MAX_RECENT / 2);
        told.unwrap_or(self.config.recovery_buffer_size).min(limit)
    }

    /// REC-1: the server decides whether it is too late, and a late handle costs nothing; but it is not kept for ever.
    pub(super) fn forfeit_if_late(&mut self, now: Timestamp) {
        let window = self.recovery_window();
        let late = self.counted_from().is_some_and(|since| match since {
            CountedFrom::Here { last, .. } => now >= last.after(window).after(window),
            CountedFrom::Before { passed } => {
                now.since(self.state.clock.now).saturating_add(passed) >= window.saturating_add(window)
            }
        });
        if late {
            self.session_lost(GapCause::WindowPassed, None);
        }
    }

    /// The server no longer has the session. Told when the next connection is ready.
    pub(super) fn session_lost(&mut self, cause: GapCause, code: Option<Box<str>>) {
        if self.state.recovery.wsc.take().is_some() {
            self.out.snapshot_changed();
        }
        self.state.repeats.session_gone();
        if self.state.subs.may_be_active() {
            self.state.recovery.lost = Some(Lost { code });
            self.state.subs.lost_on_server();
            let since = self.last_seen();
            self.state.ledger.lost(cause, since, &mut self.out);
        }
    }

    /// The session is of who connects it now. The snapshots say so from their next change on; before the first
    /// connection nothing changes (C13).
    pub(super) fn bind(&mut self) {
        self.state.recovery.bound_to = self.config.identity.or(self.state.recovery.bound_to);
    }

    /// From now on the snapshot is not that of an orderly end. The stored one still is: a crash would make it a lie, so
    /// nothing may be received before a newer one is stored.
    pub(super) fn continue_detached(&mut self) {
        self.state.recovery.restored &= !self.state.recovery.detached;
        if std::mem::take(&mut self.state.recovery.detached) {
            self.state.recovery.unstored = true;
            self.out.snapshot_changed();
        }
    }

    /// The application has stored a snapshot that was taken after [`connect`](Self::connect), or keeps none.
    ///
    /// A session that goes on from an orderly [`close`](Self::close) opens no connection before this call
    /// ([`SessionState::AwaitingStore`](crate::SessionState::AwaitingStore)): what that end left says that nothing was
    /// received since, and after a crash notifications would be lost without a [`Gap`](crate::Gap) (PST-2). Any other
    /// session does not wait for it. Later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`NotDrained`], as [`handle_input`](Self::handle_input).
    pub fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        if self.enter_and_run(now)? {
            self.state.recovery.unstored = false;
            self.settle(self.state.now);
        }
        Ok(())
    }

    /// The session as it can be continued by another process. `None` while outputs wait, because it would be ahead of
    /// what was handed to the application (PST-4), and while `close(Detach)` is under way, because what comes until
    /// `Closed` belongs to it (PST-5).
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let detaching = matches!(self.state.link, Link::Closing { then: Then::End(CloseReason::Detached), .. });
        if !self.out.is_drained() || detaching {
            return None;
        }
        let subscription = |id: SubscriptionId, filters: &crate::filters::Filters, server_id: Option<&str>| {
            StoredSubscription { id: id.0, filters: filters.clone(), server_id: server_id.map(Box::from) }
        };
        Some(Snapshot {
            version: VERSION,
            server: self.config.server.as_str().to_owned(),
            identity: self.state.recovery.bound_to,
            wsc: self.state.recovery.wsc.as_ref().map(StoredWsc::new),
            given_by: self.state.recovery.given_by.clone().filter(|_| self.state.recovery.wsc.is_some()),
            last_seen: self.last_seen(),
            limits: self.state.recovery.limits,
            wanted: self.state.subs.wanted.as_ref().map(|w| subscription(w.id, &w.filters, None)),
            active: self.state.subs.active.as_ref().map(|a| subscription(a.id, &a.filters, Some(&a.server_id))),
            removing: self.state.subs.removing.map(SubscriptionId::get),
            unsure: self.state.subs.unsure || self.state.subs.is_creating(),
            recent: self.state.ledger.recent().collect(),
            last: self.state.ledger.last().map(Box::from),
            gap: self.state.ledger.pending().map(|gap| StoredGap::new(&gap.cause, gap.since)),
            unproven: self.state.ledger.unproven(),
            unverified: self.state.subs.confirmed.filter(|_| self.state.subs.verify),
            detached: self.state.recovery.detached,
            next_subscription: self.state.subs.next,
            auth: self.state.tokens.stored(self.state.clock, self.state.now),
        })
    }

    /// Continues a session at rest (PST-2). Like a new one it does nothing before [`connect`](Self::connect).
    ///
    /// If the snapshot is not that of an orderly [`close`](Self::close), notifications may have been received after
    /// it was taken and before the process ended; the server does not send those again, so a
    /// [`Gap`](crate::Gap) with [`GapCause::Restored`] is reported even if the recovery succeeds.
    ///
    /// # Errors
    ///
    /// [`RestoreError`]; starting with [`new`](Self::new) is always possible (PST-3). Then nothing of the snapshot is used:
    /// no recovery handle, no subscription, no ids, and neither the calls nor the penalties of its login, because the
    /// server counts those for each user and app.
    pub fn restore(config: Config, snapshot: Snapshot, seed: u64, clock: ClockReading) -> Result<Self, RestoreError> {
        snapshot.check()?;
        if snapshot.server != config.server.as_str() {
            return Err(RestoreError::OtherServer);
        }
        if let (Some(own), Some(stored)) = (config.identity, snapshot.identity)
            && own != stored
        {
            return Err(RestoreError::OtherIdentity);
        }
        let mut session = Self::new(config, seed, clock);
        let pending = snapshot.gap.as_ref().and_then(|g| Some(PendingGap { cause: g.cause()?, since: g.since }));
        session.state.recovery = Recovery {
            wsc: snapshot.wsc.map(StoredWsc::into_wsc),
            bound_to: snapshot.identity,
            given_by: snapshot.given_by,
            seen_before: Some(snapshot.last_seen),
            limits: snapshot.limits,
            detached: snapshot.detached,
            restored: true,
            ..Recovery::new(clock.now)
        };
        session.state.ledger = Ledger::restore(clock, snapshot.recent, snapshot.last, pending);
        session.state.ledger.set_buffer(session.buffer_size());
        if let Some(since) = snapshot.unproven {
            session.state.ledger.doubt(since);
        }
        session.state.tokens.keep_packed(snapshot.auth);
        session.state.subs.next = snapshot.next_subscription;
        session.state.subs.confirmed = snapshot.unverified.or(Some(snapshot.last_seen));
        session.state.subs.verify = snapshot.unverified.is_some();
        session.state.subs.unsure = snapshot.unsure;
        session.state.subs.removing = snapshot.removing.map(SubscriptionId);
        session.state.subs.wanted = snapshot.wanted.map(|w| Wanted { id: SubscriptionId(w.id), filters: w.filters });
        session.state.subs.active = snapshot
            .active
            .and_then(|a| Some(Active { id: SubscriptionId(a.id), filters: a.filters, server_id: a.server_id? }));
        Ok(session)
    }
}
