//! What the application gets, and whether what was lost had to be.

use ringcentral_ws_core::{Cause, CloseReason, Event, Snapshot};

use super::World;
use crate::oracle::{Mark, violated};
use crate::subject::{Maker, Subject};
use crate::time::{HOUR, MINUTE, S, WEEK};
use crate::trace::trace;

/// What the application writes down, always at once.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    pub(super) snapshot: Snapshot,
    pub(super) mark: Mark,
}

/// How a client stands with the server.
#[derive(Clone, Debug, Default)]
pub(super) struct Standing {
    /// The server's session whose subscription was confirmed.
    session: Option<u64>,
    /// A session was lost, and no gap was emitted yet.
    pub(super) gap_due: Option<u64>,
    gap_at: Option<u64>,
    confirmed: bool,
    dirty: bool,
    /// What the wall clock was ahead when this process started.
    wall: i64,
    /// It was another one when the process before started, so what is on disk has wrong times.
    jumped: bool,
}

impl Standing {
    pub(super) fn boots(&mut self, wall: i64) {
        self.jumped = wall != self.wall;
        self.wall = wall;
    }
}

impl<M: Maker> World<M> {
    pub(super) fn on_event(&mut self, client: usize, event: &Event) {
        let start = self.gateway.config().unix_ms_at_start;
        let c = &mut self.clients[client];
        let verdict = match event {
            Event::Notification(n) => match c.standing.gap_due {
                Some(session) => {
                    violated("silent-loss", format!("client {client}: session {session} was lost silently"))
                }
                None => c.oracle.delivered(n.uuid()),
            },
            Event::Gap(gap) => {
                trace!(self, "{client}: app gets a gap, {}", gap.cause.as_str());
                let c = &mut self.clients[client];
                self.report.gaps += 1;
                c.standing.gap_due = None;
                c.standing.gap_at = Some(self.now);
                let wall = c.standing.wall;
                let time = |ms: u64| ms.saturating_add_signed(-wall).saturating_sub(start) * 1000;
                let (mut since, mut until) = (time(gap.since.0), time(gap.until.0));
                if c.standing.jumped {
                    (since, until) = (0, until.max(self.now));
                }
                c.oracle.gap(gap, since, until)
            }
            Event::Subscribed(info) => {
                trace!(self, "{client}: app is subscribed");
                let c = &mut self.clients[client];
                c.oracle.confirmed(&info.server_id);
                c.standing.confirmed = true;
                c.standing.session = c.link.and_then(|link| self.gateway.session_of(link as u64 + 1));
                Ok(())
            }
            Event::SnapshotChanged => {
                c.standing.dirty = true;
                Ok(())
            }
            Event::Closed { reason } => self.closed(client, reason),
            other => {
                trace!(self, "{client}: app gets {other:?}");
                Ok(())
            }
        };
        self.judge(verdict);
    }

    /// Between two refusals the user may have been logged out twice; the application starts again then.
    fn closed(&mut self, client: usize, reason: &CloseReason) -> crate::oracle::Verdict {
        let excused = matches!(reason, CloseReason::Permanent(Cause::Unauthorized));
        if excused && self.now < self.faults.tokens_died_at + 5 * MINUTE {
            self.restart_in(61 * S);
            return Ok(());
        }
        violated("closed", format!("client {client} gave up: {reason:?}"))
    }

    pub(super) fn write_down(&mut self, client: usize) {
        let c = &mut self.clients[client];
        if c.standing.dirty
            && let Some(snapshot) = c.session.as_ref().and_then(Subject::snapshot)
        {
            c.standing.dirty = false;
            c.disk = Some(Disk { snapshot, mark: c.oracle.publish() });
        }
    }

    /// A client has this session now: has it lost one?
    pub(super) fn has_session(&mut self, client: usize, session: u64) {
        let standing = &mut self.clients[client].standing;
        let Some(old) = standing.session.filter(|old| *old != session) else { return };
        standing.session = None;
        standing.confirmed = false;
        let Some(known) = self.sessions.get(&old).cloned() else { return };
        let detached_at = known.detached_at.unwrap_or(self.now);
        let c = &mut self.clients[client];
        if c.standing.gap_at.is_none_or(|at| at < detached_at) {
            c.standing.gap_due = Some(old);
        }
        let away = self.now - detached_at;
        let why = if known.oauth != c.login.oauth {
            std::mem::take(&mut c.login.broken_by)
        } else if known.forgotten {
            "server restart"
        } else if away > 140 * S && self.faults.until >= detached_at + 60 * S {
            "away for longer than the window"
        } else if c.standing.jumped {
            "restart with another wall clock"
        } else {
            ""
        };
        if why.is_empty() {
            let what = format!("client {client} lost session {old} after {} s for no reason", away / S);
            return self.judge(violated("needless-loss", what));
        }
        *self.report.lost.entry(why).or_default() += 1;
    }

    /// A socket that ends with its access token could have been kept by a refresh in time.
    /// One of an older login could not: it goes with that. Nor could one that the client's own new login displaces.
    pub(super) fn check_expiry(&mut self, client: usize, oauth: Option<u64>, code: Option<u16>) {
        let current = oauth.is_some() && self.clients[client].login.oauth == oauth;
        let displaced = self.faults.kicking || self.serving == Some(client);
        let ends = code == Some(1008) && current && !displaced;
        if ends && self.faults.until + 10 * MINUTE < self.now {
            let what = format!("client {client} let its access token expire without need");
            self.judge(violated("token-expired", what));
        }
    }

    /// An OAuth session ended.
    pub(super) fn logged_out(&mut self, oauth: u64) {
        let Some(client) = self.clients.iter().position(|client| client.login.oauth == Some(oauth)) else { return };
        trace!(self, "server: login {oauth} of {client} is over");
        let login = &mut self.clients[client].login;
        login.oauth = None;
        login.broken_by = if self.serving == Some(client) {
            "displaced by its own login"
        } else if self.faults.kicking {
            "logged out"
        } else {
            "refresh token expired"
        };
        if login.broken_by == "refresh token expired" && self.faults.offline_since + 5 * 24 * HOUR > self.now {
            let what = format!("client {client} let its refresh token expire without need");
            self.judge(violated("refresh-expired", what));
        }
    }

    pub(super) fn check_well(&mut self, client: usize) {
        let c = &self.clients[client];
        let connected = c.link.is_some_and(|link| self.gateway.session_of(link as u64 + 1).is_some());
        if c.session.is_none() || !connected || !c.standing.confirmed {
            let what = format!("client {client} is not well {} min after the last fault", super::HEAL / MINUTE);
            self.judge(violated("heal", what));
        }
    }

    pub(super) fn finish(&mut self) {
        for client in &self.clients {
            self.report.notifications += &client.oracle.counts;
        }
        self.report.runs += 1;
        self.report.milli_weeks += self.now * 1000 / WEEK * self.clients.len() as u64;
    }
}
