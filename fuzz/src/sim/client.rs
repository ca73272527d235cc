//! One client: a process that comes and goes, and what outlives it.

use std::collections::{BTreeSet, VecDeque};

use ringcentral_ws_core::{ClockReading, ConnId, HttpId, Snapshot, Timestamp, UnixMillis};

use super::filling::{Fill, Stored};
use super::net::Packet;
use super::pacing::Pacing;
use super::plan::Plan;
use crate::oracle::{Deliveries, Mark, Requests};
use crate::time::{MINUTE, S};

/// What the application knows, in memory and on disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct App {
    /// It asked for notifications.
    pub(crate) subscribed: bool,
    /// The subscription was confirmed.
    pub(crate) confirmed: bool,
    /// It asked for the end.
    pub(crate) closing: bool,
}

/// Tokens as the application keeps them, across lives.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
}

/// What is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) snapshot: Snapshot,
    pub(crate) mark: Mark,
    pub(crate) app: App,
    /// The calls of the rate-limit group Auth before it.
    pub(crate) auth: Vec<u64>,
    /// Of an application that fills gaps.
    pub(crate) fill: Option<Stored>,
}

/// What every connection that carries the recovery token runs into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Poison {
    /// It breaks right after ConnectionDetails.
    Breaks,
    /// It is refused.
    Refused,
}

#[derive(Debug)]
pub(crate) struct Client<S> {
    /// `None`: no process.
    pub(crate) session: Option<S>,
    pub(crate) life: u32,
    /// Added to the true time, it is the time of the process.
    shift: u64,
    unix_start: u64,
    /// When its timer runs out, in true time.
    pub(crate) wake: u64,
    /// The live connection.
    pub(crate) link: Option<usize>,
    /// The last one that was opened.
    pub(crate) last_link: Option<usize>,
    /// It ended, but the session does not know yet: actions for it may still come.
    pub(crate) ending_conn: Option<ConnId>,
    pub(crate) calls: BTreeSet<HttpId>,
    /// Not everything was drained.
    pub(crate) undrained: bool,
    /// It was suspended undrained: when what it does first after waking was decided, in true time.
    pub(crate) decided_at: Option<u64>,
    pub(crate) suspended: bool,
    /// The socket is not read.
    pub(crate) not_reading: bool,
    pub(crate) inbox: VecDeque<Packet>,
    /// The next call gets a time that lies so far back.
    pub(crate) clock_back: u64,
    /// The latest time that its session was given, in true time.
    session_time: u64,
    /// When the clock had gone back: what the session took for the time, and the true one.
    misdated: Option<(u64, u64)>,
    pub(crate) login: Option<Login>,
    pub(crate) oracle: Deliveries,
    pub(crate) pacing: Pacing,
    pub(crate) requests: Requests,
    /// The number of its last request.
    pub(crate) last_request: u64,
    pub(crate) app: App,
    pub(crate) dirty: bool,
    /// The session goes on from an orderly end, and nothing newer has been published.
    pub(crate) unstored: bool,
    pub(crate) published_at: u64,
    pub(crate) published: Option<Published>,
    /// The last moment at which something was wrong.
    pub(crate) faulted_at: Option<u64>,
    /// After the end nothing is kept.
    pub(crate) revoking: bool,
    /// How the next frames are spoiled.
    pub(crate) corrupt: u32,
    pub(crate) duplicate: u32,
    /// When the session was given a frame last, in true time.
    pub(crate) frame_at: u64,
    /// The handle is poisoned, and so many connections in a row have shown it.
    pub(crate) poison: Option<(Poison, u32)>,
    /// So many of the next processes are killed soon after they start.
    pub(crate) crashes_left: u32,
    /// Another client takes the session so many times more.
    pub(crate) thefts_left: u32,
    /// It has the session now, and gets what is sent; and what it got so far.
    pub(crate) theft: bool,
    pub(crate) stolen: BTreeSet<u64>,
    /// When the session got to know that the server had closed a good connection.
    pub(crate) closings: Vec<u64>,
    /// Its driver takes all outputs at once, so what it is given is the latest.
    pub(crate) prompt: bool,
    /// It fills gaps; and when its filler is to be asked again, in true time.
    pub(crate) fill: Option<Box<Fill>>,
    pub(crate) fill_at: u64,
}

impl<S> Client<S> {
    pub(crate) fn new(plan: &Plan) -> Self {
        let ahead = plan.fill.as_ref().map_or(0, |fill| fill.ahead);
        let watches = plan.fill.is_some();
        Self {
            session: None,
            life: 0,
            shift: 0,
            unix_start: plan.gateway.unix_ms_at_start.saturating_add_signed(ahead),
            wake: u64::MAX,
            link: None,
            last_link: None,
            ending_conn: None,
            calls: BTreeSet::new(),
            undrained: false,
            decided_at: None,
            suspended: false,
            not_reading: false,
            inbox: VecDeque::new(),
            clock_back: 0,
            session_time: 0,
            misdated: None,
            login: None,
            oracle: Deliveries::new(10 * (plan.delay + plan.jitter), watches),
            pacing: Pacing::default(),
            requests: Requests::default(),
            last_request: 0,
            app: App::default(),
            dirty: false,
            unstored: false,
            published_at: 0,
            published: None,
            faulted_at: None,
            revoking: false,
            corrupt: 0,
            duplicate: 0,
            frame_at: 0,
            poison: None,
            crashes_left: 0,
            thefts_left: 0,
            theft: false,
            stolen: BTreeSet::new(),
            closings: Vec::new(),
            prompt: plan.lazy == 0,
            fill: plan.fill.as_ref().map(|_| Box::new(Fill::new(plan.gateway.unix_ms_at_start))),
            fill_at: u64::MAX,
        }
    }

    /// A process starts whose clock shows `base`.
    pub(crate) fn boot(&mut self, base: u64, now: u64) -> ClockReading {
        self.life += 1;
        self.shift = base.wrapping_sub(now);
        self.pacing = Pacing::default();
        self.requests.clear();
        self.session_time = now;
        self.misdated = None;
        ClockReading { now: Timestamp::from_micros(base), unix: self.unix(now) }
    }

    /// Its wall clock.
    pub(crate) const fn unix(&self, now: u64) -> UnixMillis {
        UnixMillis(self.unix_start + now / 1000)
    }

    /// The time as the process sees it.
    pub(crate) fn time(&mut self, now: u64) -> Timestamp {
        let back = std::mem::take(&mut self.clock_back);
        if back > 0 {
            self.misdated = Some((self.session_time.max(now.saturating_sub(back)), now));
        } else {
            self.session_time = now;
        }
        Timestamp::from_micros(now.wrapping_add(self.shift).saturating_sub(back))
    }

    /// The process wakes up. What was not drained was decided before it slept.
    pub(crate) fn wakes(&mut self) {
        if self.undrained {
            self.decided_at = Some(self.session_time);
        }
    }

    /// The true time of what the session says happened then, in milliseconds rounded twice.
    pub(crate) fn truly(&self, at: u64) -> u64 {
        match self.misdated {
            Some((taken, real)) if at.abs_diff(taken) <= 2_000 => real,
            _ => at,
        }
    }

    /// When a deadline of the process is.
    pub(crate) fn true_time(&self, at: Timestamp) -> u64 {
        at.as_micros().wrapping_sub(self.shift)
    }

    /// A wall clock time in the time of the simulation.
    pub(crate) fn sim_time_of(&self, at: UnixMillis) -> u64 {
        at.0.saturating_sub(self.unix_start) * 1000
    }

    /// The process is gone.
    pub(crate) fn end(&mut self) {
        self.session = None;
        self.wake = u64::MAX;
        self.fill_at = u64::MAX;
        self.link = None;
        self.calls.clear();
        self.undrained = false;
        self.decided_at = None;
        self.suspended = false;
        self.not_reading = false;
        self.inbox.clear();
        self.clock_back = 0;
        self.dirty = false;
        self.unstored = false;
        self.corrupt = 0;
        self.duplicate = 0;
        self.closings.clear();
        if let Some((_, shown)) = &mut self.poison {
            *shown = 0;
        }
    }

    /// The true time by the clock of the process.
    pub(crate) fn clock(&self, now: u64) -> Timestamp {
        Timestamp::from_micros(now.wrapping_add(self.shift))
    }

    /// The server closed a good connection. The third within a minute makes the session rest (CON-7).
    pub(crate) fn closed_by_server(&mut self, now: u64) {
        self.closings.retain(|at| now - at <= MINUTE);
        self.closings.push(now);
        if self.closings.len() > 2 {
            self.closings.clear();
        }
    }

    /// The session goes on. Twice within a minute after the server had closed a good connection says that another
    /// client has it as well. What that one got since the second time is asked for: a gap that waited to be emitted by
    /// then keeps its beginning.
    pub(crate) fn continued(&mut self, now: u64) {
        // A moment less, as the clocks of the two are not read at once.
        self.closings.retain(|at| now - at <= MINUTE - S);
        if let [first, _] = self.closings[..] {
            self.oracle.owe(&self.stolen, first);
        }
    }
}
