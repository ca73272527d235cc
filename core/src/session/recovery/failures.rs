//! What fails again and again: recoveries that cannot work (REC-9), and a session that two clients share (CON-7).

use std::time::Duration;

use crate::classify::{Cause, EndedBy};
use crate::gap::GapCause;
use crate::retry::MINUTE;
use crate::session::Session;
use crate::session::connection::Service;
use crate::time::{Timestamp, UnixMillis};

/// So many in a row are enough (REC-9).
const ENOUGH: u8 = 3;
/// A connection that ends this soon after ConnectionDetails had no time to be of use (REC-9).
const SHORT: Duration = Duration::from_secs(10);
/// So many endings by the server within a minute are another client's doing (CON-7).
const CONTENDED: usize = 3;

/// Whether another client may have had the session since the last loss, and from when on, if the session goes on.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
enum Suspect {
    #[default]
    Nobody,
    /// Another client was at it a short time before.
    Again(UnixMillis),
    /// The server ended the connection as it does when another client takes the session, and not for the first time.
    Taken(UnixMillis),
}

/// The series of failures that are under way.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct FailureSeries {
    /// Connections in a row that presented the recovery token and ended at once.
    futile: u8,
    /// Refusals in a row of connections that presented it.
    refused: u8,
    suspect: Suspect,
    /// Another client was at it: it may take the session at any loss until then, whatever ends the connection.
    contended_until: Timestamp,
    /// Endings of good connections by the server, oldest first, each with the last frame before it.
    ended: Vec<(Timestamp, UnixMillis)>,
}

impl FailureSeries {
    /// The recovery token is gone, or has proven good: it is not at fault.
    pub(crate) fn recovery_token_cleared(&mut self) {
        (self.futile, self.refused) = (0, 0);
    }

    /// Another session follows, of which nobody else knows: whoever took the one before is no contender for it.
    pub(crate) fn session_gone(&mut self) {
        *self = Self::default();
    }
}

impl Session {
    /// A connection that presented the recovery token was refused. `away`: in words that say that the service is away.
    /// As long as the session may still be there these do not count: everybody is refused, and the token is not at fault.
    pub(crate) fn recovery_token_refused(&mut self, away: bool, now: Timestamp) {
        if away && self.window().is_some_and(|window| now < window.last) {
            return;
        }
        self.state.failures.refused = self.state.failures.refused.saturating_add(1);
        if self.state.failures.refused >= ENOUGH {
            self.session_lost(GapCause::RecoveryAbandoned, None);
        }
    }

    /// A ready connection ended: whether another client may be the reason, and whether the recovery was of no use (REC-9).
    pub(crate) fn note_short_recovery(&mut self, cause: &Cause, now: Timestamp) {
        let record = self.state.record;
        let ours = cause.ended_by() == EndedBy::Client;
        let contended = now < self.state.failures.contended_until && !ours;
        self.state.failures.suspect = if contended { Suspect::Again(self.last_seen()) } else { Suspect::Nobody };
        if record.service == Service::Delivered {
            self.state.failures.recovery_token_cleared();
        } else if record.recovering && !record.is_good() && !ours && now.since(record.since) <= SHORT {
            self.state.failures.futile = self.state.failures.futile.saturating_add(1);
            if self.state.failures.futile >= ENOUGH {
                self.session_lost(GapCause::RecoveryAbandoned, None);
            }
        }
    }

    /// A ready connection ended. Until when the session rests, if another client takes it again and again (CON-7).
    pub(crate) fn contention_pause(&mut self, cause: &Cause, now: Timestamp) -> Option<Timestamp> {
        if !self.state.record.was_healthy()
            || cause.ended_by() != EndedBy::Server
            || !self.state.subscription.may_be_active()
        {
            return None;
        }
        self.state.failures.ended.retain(|(at, _)| now.since(*at) <= MINUTE);
        self.state.failures.ended.push((now, self.last_seen()));
        // Endings are compared with each other: the recovery may have to wait for calls.
        if let [(_, since), _, ..] = self.state.failures.ended[..] {
            self.state.failures.suspect = Suspect::Taken(since);
        }
        if self.state.failures.ended.len() < CONTENDED {
            return None;
        }
        self.session_lost(GapCause::Contended, None);
        // Two that rest for the same time would meet again.
        let rest = self.config.retry.contended;
        Some(now.after(rest / 4 * 3).after(self.state.rng.up_to(rest / 2)))
    }

    /// The session continued: twice within a minute after the server had ended a good connection is no accident (CON-7).
    pub(crate) fn session_continued(&mut self, now: Timestamp) {
        let since = match std::mem::take(&mut self.state.failures.suspect) {
            Suspect::Nobody => return,
            Suspect::Again(since) => since,
            Suspect::Taken(since) => {
                self.state.failures.contended_until = now.after(MINUTE);
                since
            }
        };
        self.state.delivery.lost(GapCause::Contended, since, &mut self.out);
    }
}
