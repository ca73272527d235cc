//! The session between two processes: its snapshot, and how it goes on from there (PST).

use crate::config::Config;
use crate::error::{NotDrained, RestoreError};
use crate::ids::SubscriptionId;
use crate::session::connection::{AfterClose, ConnectionState};
use crate::session::delivery::{Delivery, PendingGap};
use crate::session::liveness::Liveness;
use crate::session::recovery::{Recovery, StoredSnapshot};
use crate::session::subscription::{Active, Desired, Goal, Known, Subscription};
use crate::session::{Close, Session};
use crate::snapshot::{Snapshot, StoredGap, StoredSubscription, StoredWsc, VERSION};
use crate::time::{ClockReading, Timestamp};

impl Session {
    /// The session is of who connects it now. The snapshots say so from their next change on; before the first
    /// connection nothing changes (C13).
    pub(crate) fn bind(&mut self) {
        self.state.recovery.bound_to = self.config.identity.or(self.state.recovery.bound_to);
    }

    /// From now on the snapshot is not that of an orderly end. The stored one still is: a crash would make it a lie, so
    /// nothing may be received before a newer one is stored.
    pub(crate) fn continue_detached(&mut self) {
        if self.state.recovery.stored_snapshot == StoredSnapshot::Final {
            self.state.recovery.stored_snapshot = StoredSnapshot::ToBeReplaced;
            self.out.snapshot_changed();
        }
    }

    /// Reports that the application has stored a snapshot that was taken after [`connect`](Self::connect), or keeps
    /// none.
    ///
    /// A session that continues from an orderly [`close`](Self::close) opens no connection before this call
    /// ([`SessionState::AwaitingStore`](crate::SessionState::AwaitingStore)). The snapshot of that end says that
    /// nothing was received since, so after a crash notifications would be lost without a [`Gap`](crate::Gap)
    /// ([PST-2](crate::protocol#pst-2)). No other session waits for it. Later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`NotDrained`], as [`handle_input`](Self::handle_input).
    pub fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        if self.enter_and_run(now)? {
            if self.state.recovery.stored_snapshot == StoredSnapshot::ToBeReplaced {
                self.state.recovery.stored_snapshot = StoredSnapshot::NotNeeded;
            }
            self.settle(self.state.now);
        }
        Ok(())
    }

    /// The snapshot with which another process can continue the session.
    ///
    /// `None` while outputs wait, because it would include notifications that the application does not have yet
    /// ([PST-4](crate::protocol#pst-4)), and between `close(Detach)` and `Closed` ([PST-5](crate::protocol#pst-5)).
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        let detaching =
            matches!(self.state.connection, ConnectionState::Closing { after: AfterClose::End(Close::Detach), .. });
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
            wanted: self.state.subscription.desired().map(|w| subscription(w.id, &w.filters, None)),
            active: self.state.subscription.active().map(|a| subscription(a.id, &a.filters, Some(&a.server_id))),
            removing: if let Goal::Removed(id) = self.state.subscription.goal() { Some(id.get()) } else { None },
            unsure: self.state.subscription.is_unsure() || self.state.subscription.is_creating(),
            recent: self.state.delivery.recent(),
            last: self.state.delivery.last().map(Box::from),
            gap: self.state.delivery.pending().map(|gap| StoredGap::new(&gap.cause, gap.since)),
            unproven: self.state.delivery.unverified_since(),
            confirmed: match self.state.subscription.known() {
                Known::Active(active) => Some(active.confirmed).filter(|at| *at < self.last_seen()),
                _ => None,
            },
            unverified: match self.state.subscription.known() {
                Known::Unverified(active) => Some(active.confirmed),
                _ => None,
            },
            detached: self.state.recovery.stored_snapshot == StoredSnapshot::Final,
            next_subscription: self.state.subscription.next,
            auth: {
                let (clock, now) = (self.state.clock, self.state.now);
                self.state.tokens.stored(self.state.subscription.held(now), clock, now)
            },
            extra: None,
        })
    }

    /// A session that continues the one of this snapshot ([PST-2](crate::protocol#pst-2)). It does nothing before
    /// [`connect`](Self::connect).
    ///
    /// If the snapshot is not that of an orderly [`close`](Self::close), the process may have received notifications
    /// after it was taken. The server does not send those again, so a [`Gap`](crate::Gap) with
    /// [`GapCause::Restored`](crate::GapCause::Restored) is reported even if the recovery succeeds.
    ///
    /// # Errors
    ///
    /// [`RestoreError`]. Starting with [`new`](Self::new) is always possible ([PST-3](crate::protocol#pst-3)). Then
    /// nothing of the snapshot is used: no recovery token, no subscription, no ids, and neither the calls nor the
    /// penalties of its login, which the server counts for each user and app.
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
            limits: snapshot.limits,
            stored_snapshot: if snapshot.detached { StoredSnapshot::Final } else { StoredSnapshot::Incomplete },
            ..Recovery::new(clock.now)
        };
        session.state.liveness = Liveness::new(clock.now, Some(snapshot.last_seen));
        session.state.delivery = Delivery::restore(clock, snapshot.recent, snapshot.last, pending);
        session.state.delivery.set_buffer(session.buffer_size());
        if let Some(since) = snapshot.unproven {
            session.state.delivery.mark_unverified(since);
        }
        session.state.tokens.keep_packed(snapshot.auth);
        let active = |stored: StoredSubscription| {
            let confirmed = snapshot.unverified.or(snapshot.confirmed).unwrap_or(snapshot.last_seen);
            Some(Active {
                id: SubscriptionId(stored.id),
                filters: stored.filters,
                server_id: stored.server_id?,
                confirmed,
            })
        };
        let known = match snapshot.active.and_then(active) {
            Some(active) if snapshot.unverified.is_some() => Known::Unverified(active),
            Some(active) => Known::Active(active),
            None if snapshot.unsure => Known::Unsure,
            None => Known::Nothing,
        };
        let goal = match (snapshot.wanted, snapshot.removing) {
            (Some(wanted), _) => Goal::Desired(Desired { id: SubscriptionId(wanted.id), filters: wanted.filters }),
            (None, Some(id)) => Goal::Removed(SubscriptionId(id)),
            (None, None) => Goal::None,
        };
        session.state.subscription = Subscription::restored(goal, known, snapshot.next_subscription);
        Ok(session)
    }
}
