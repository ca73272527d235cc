//! One client: a process that comes and goes, and what outlives it.

use std::collections::{BTreeSet, VecDeque};

use ringcentral_ws_core::{ClockReading, ConnId, HttpId, Snapshot, Timestamp, UnixMillis};

use super::app::App;
use super::books::Books;
use super::net::Parcel;
use super::plan::Plan;
use crate::oracle::{Mark, Oracle};

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
    /// It ended, but the session has not been told yet: actions for it may still come.
    pub(crate) ending_conn: Option<ConnId>,
    pub(crate) calls: BTreeSet<HttpId>,
    /// Not everything was drained.
    pub(crate) undrained: bool,
    pub(crate) suspended: bool,
    /// The socket is not read.
    pub(crate) not_reading: bool,
    pub(crate) inbox: VecDeque<Parcel>,
    /// The next call is told a time that lies so far back.
    pub(crate) clock_back: u64,
    /// The latest time that its session was told, in true time.
    told: u64,
    /// When the clock had gone back: what the session took for the time, and the true one.
    misdated: Option<(u64, u64)>,
    pub(crate) login: Option<Login>,
    pub(crate) oracle: Oracle,
    pub(crate) books: Books,
    pub(crate) app: App,
    pub(crate) dirty: bool,
    pub(crate) published_at: u64,
    pub(crate) published: Option<Published>,
    /// The last moment at which something was wrong.
    pub(crate) faulted_at: Option<u64>,
    /// After the end nothing is kept.
    pub(crate) revoking: bool,
    /// How the next frames are spoiled.
    pub(crate) corrupt: u32,
    pub(crate) duplicate: u32,
}

impl<S> Client<S> {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            session: None,
            life: 0,
            shift: 0,
            unix_start: plan.gateway.unix_ms_at_start,
            wake: u64::MAX,
            link: None,
            ending_conn: None,
            calls: BTreeSet::new(),
            undrained: false,
            suspended: false,
            not_reading: false,
            inbox: VecDeque::new(),
            clock_back: 0,
            told: 0,
            misdated: None,
            login: None,
            oracle: Oracle::new(10 * (plan.delay + plan.jitter)),
            books: Books::default(),
            app: App::default(),
            dirty: false,
            published_at: 0,
            published: None,
            faulted_at: None,
            revoking: false,
            corrupt: 0,
            duplicate: 0,
        }
    }

    /// A process starts whose clock shows `base`.
    pub(crate) fn boot(&mut self, base: u64, now: u64) -> ClockReading {
        self.life += 1;
        self.shift = base.wrapping_sub(now);
        self.books.new_life();
        self.told = now;
        self.misdated = None;
        let unix = UnixMillis(self.unix_start + now / 1000);
        ClockReading { now: Timestamp::from_micros(base), unix }
    }

    /// The time as the process sees it.
    pub(crate) fn time(&mut self, now: u64) -> Timestamp {
        let back = std::mem::take(&mut self.clock_back);
        if back > 0 {
            self.misdated = Some((self.told.max(now.saturating_sub(back)), now));
        } else {
            self.told = now;
        }
        Timestamp::from_micros(now.wrapping_add(self.shift).saturating_sub(back))
    }

    /// The true time of what the session says happened then, in milliseconds rounded twice.
    pub(crate) fn truly(&self, at: u64) -> u64 {
        match self.misdated {
            Some((taken, truth)) if at.abs_diff(taken) <= 2_000 => truth,
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
        self.link = None;
        self.calls.clear();
        self.undrained = false;
        self.suspended = false;
        self.not_reading = false;
        self.inbox.clear();
        self.clock_back = 0;
        self.dirty = false;
        self.corrupt = 0;
        self.duplicate = 0;
    }
}
