//! The session on the server: its recovery token, how long it is kept there, and its loss (REC, WSC).

pub(crate) mod failures;

use std::time::Duration;

use crate::classify::{Cause, EndedBy, NO_SUBSCRIPTION};
use crate::config::InFlightGaps;
use crate::gap::GapCause;
use crate::hosts::HostKind;
use crate::identity::Identity;
use crate::retry::Window;
use crate::session::Session;
use crate::session::connection::ConnectionState;
use crate::snapshot::MAX_RECENT;
use crate::time::{Timestamp, UnixMillis};
use crate::wire::{ServerLimits, Wsc};

/// What is needed to continue on another connection.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Recovery {
    #[cfg_attr(feature = "recorder", serde(with = "crate::snapshot::at_rest"))]
    pub(crate) wsc: Option<Wsc>,
    /// Whose the session is, as its snapshots say (TOK-10).
    #[cfg_attr(feature = "recorder", serde(skip))]
    pub(crate) bound_to: Option<Identity>,
    /// The kind of host that the recovery token came from, and goes back to (TOK-8).
    pub(crate) given_by: Option<HostKind>,
    /// When the loss of the connection was noticed, or the first connection was asked for.
    pub(crate) lost_at: Timestamp,
    pub(crate) limits: ServerLimits,
    /// The session was lost without the server saying so on the new connection: reported when that one is ready.
    pub(crate) lost: Option<Lost>,
    pub(crate) stored_snapshot: StoredSnapshot,
}

/// How far the last stored snapshot can be trusted, if the next process has to begin with it (PST-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum StoredSnapshot {
    /// This session depends on none: it received everything itself. A stored one says that more may have followed.
    NotNeeded,
    /// This session was made from one, and the process before it may have received more after that.
    Incomplete,
    /// The end was orderly: nothing was received after it.
    Final,
    /// This session goes on from an orderly end, and the application has not stored a newer one yet. What is received
    /// now would make the stored one a lie.
    ToBeReplaced,
}

impl StoredSnapshot {
    /// The session ends. `detached`: by `close(Detach)`, and nothing was received that is not delivered.
    pub(crate) fn end(&mut self, detached: bool) {
        *self = match self {
            Self::NotNeeded | Self::ToBeReplaced | Self::Final if detached => Self::Final,
            // A restored session that was never connected keeps what its snapshot said.
            Self::Incomplete | Self::Final => Self::Incomplete,
            Self::NotNeeded | Self::ToBeReplaced => Self::NotNeeded,
        };
    }
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
pub(crate) struct Lost {
    pub(crate) code: Option<Box<str>>,
}

impl Recovery {
    pub(crate) const fn new(now: Timestamp) -> Self {
        let limits = ServerLimits {
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
            lost_at: now,
            limits,
            lost: None,
            stored_snapshot: StoredSnapshot::NotNeeded,
        }
    }

    /// What the server does not repeat stays as it was (CON-6).
    pub(crate) fn adopt_limits(&mut self, new: ServerLimits) {
        let old = self.limits;
        self.limits = ServerLimits {
            recovery_buffer_size: new.recovery_buffer_size.or(old.recovery_buffer_size),
            recovery_timeout: new.recovery_timeout.or(old.recovery_timeout),
            idle_timeout: new.idle_timeout.or(old.idle_timeout),
            absolute_timeout: new.absolute_timeout.or(old.absolute_timeout),
            max_active_requests: new.max_active_requests.or(old.max_active_requests),
        };
    }
}

impl Session {
    /// Before the next connection opens: a recovery token that a host of another kind gave is forgotten. Whoever answers for the
    /// token service could lead it elsewhere otherwise.
    pub(crate) fn meet_host(&mut self) {
        let Some(Ok(kind)) = self.state.tokens.fresh().map(|ws| HostKind::of(&ws.uri, &self.config)) else {
            return;
        };
        if self.state.recovery.given_by.as_ref().is_some_and(|given| *given != kind) {
            self.session_lost(GapCause::RecoveryFailed(None), None);
        }
        self.state.recovery.given_by = Some(kind);
    }

    /// How long the server keeps a lost session.
    pub(crate) fn recovery_window(&self) -> Duration {
        let stated = self.state.recovery.limits.recovery_timeout.map(Duration::from_secs);
        stated.unwrap_or(self.config.recovery_timeout)
    }

    /// The ends of the recovery window, if there is something to recover.
    pub(crate) fn window(&self) -> Option<Window> {
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
        if self.state.recovery.wsc.is_none() || !self.state.subscription.may_be_active() {
            return None;
        }
        Some(match self.state.liveness.seen_before() {
            None => {
                let first = self.state.liveness.last_sign();
                CountedFrom::Here { first, last: self.state.recovery.lost_at.max(first) }
            }
            Some(seen) => {
                CountedFrom::Before { passed: Duration::from_millis(self.state.clock.unix.0.saturating_sub(seen.0)) }
            }
        })
    }

    /// How many notifications the server keeps, as far as it is believed.
    pub(crate) fn buffer_size(&self) -> usize {
        let stated = self.state.recovery.limits.recovery_buffer_size.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        // The keys of twice as many notifications must fit into a snapshot.
        let limit = self.config.limits.recovery_buffer.min(MAX_RECENT / 2);
        stated.unwrap_or(self.config.recovery_buffer_size).min(limit)
    }

    /// REC-1: the server decides whether it is too late, and a late recovery token costs nothing; but it is not kept for ever.
    pub(crate) fn forfeit_if_late(&mut self, now: Timestamp) {
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

    /// The server no longer has the session. It is reported when the next connection is ready.
    pub(crate) fn session_lost(&mut self, cause: GapCause, code: Option<Box<str>>) {
        let since = self.missing_since(code.as_deref());
        if self.state.recovery.wsc.take().is_some() {
            self.out.snapshot_changed();
        }
        self.state.failures.session_gone();
        if self.state.subscription.may_be_active() {
            self.state.recovery.lost = Some(Lost { code });
            self.state.subscription.lost_on_server();
            self.state.delivery.lost(cause, since, &mut self.out);
        } else {
            self.state.subscription.leave_behind();
        }
    }

    /// Since when the server may have sent nothing, if it says this of the session. A session that it cannot have
    /// forgotten yet, and that has no subscription, may have had none for longer than the connection was down.
    fn missing_since(&self, code: Option<&str>) -> UnixMillis {
        let in_window = self.window().is_some_and(|window| self.state.now < window.first);
        let active = self.state.subscription.active().filter(|_| in_window && code == Some(NO_SUBSCRIPTION));
        active.map_or_else(|| self.last_seen(), |active| active.confirmed.min(self.last_seen()))
    }

    /// What the server sent last may have been lost on the way (REC-5).
    pub(crate) fn note_in_flight(&mut self, cause: &Cause, now: Timestamp) {
        // A replay may have been sent into a connection of which not even ConnectionDetails came.
        let was_of_use = match self.state.connection {
            ConnectionState::Handshaking { recovering, .. } => recovering,
            _ => self.state.connection.was_ready(),
        };
        let dead = cause.ended_by() == EndedBy::Silence;
        let abrupt = dead || cause.ended_by() == EndedBy::Transport;
        if !abrupt || !was_of_use || !self.state.subscription.may_be_active() {
            return;
        }
        let was_ready = !matches!(self.state.connection, ConnectionState::Handshaking { .. });
        let silence = was_ready && self.state.liveness.silence(now) > self.config.heartbeat_interval;
        let noted = match self.config.in_flight_gaps {
            InFlightGaps::Off => false,
            InFlightGaps::AfterSilence => dead || silence || was_ready && self.state.liveness.is_behind_a_sleep(),
            InFlightGaps::EveryLoss => true,
        };
        if noted {
            let since = self.last_seen();
            self.state.delivery.lost(GapCause::InFlight, since, &mut self.out);
        }
    }
}
