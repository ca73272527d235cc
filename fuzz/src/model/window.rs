//! When a lost session is tried again, and for how long: REC-1, BCK-1, BCK-2.

use super::{Loss, Model, RECOVERY_WINDOW, SECOND, Time, Timer};

const MILLIS: Time = SECOND / 1000;
/// How long before an end of the window its last stretch begins, and how long before it ends.
const STRETCH: (Time, Time) = (4_900 * MILLIS, 612_500);

/// What a failed attempt cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Nothing had left the machine.
    Local,
    /// The server may have seen it.
    Call,
    /// It said that the token is spent.
    Spent,
}

/// What the session may choose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    earliest: Time,
    latest: Time,
    /// The last stretch before the next end of the window. What would come after it comes within it.
    stretch: Option<(Time, Time)>,
    reason: &'static str,
}

impl Choice {
    pub(super) fn between(earliest: Time, latest: Time) -> Self {
        Self { earliest, latest, stretch: None, reason: "backoff" }
    }

    pub(super) fn fixed(at: Time, reason: &'static str) -> Self {
        Self { reason, ..Self::between(at, at) }
    }

    pub(super) fn allows(&self, at: Time, reason: &str) -> bool {
        let Self { earliest, latest, stretch, .. } = *self;
        match stretch {
            Some((start, stop)) if reason == "last_chance" => latest >= stop && (start..=stop).contains(&at),
            Some((_, stop)) if at >= stop => false,
            _ => reason == self.reason && (earliest..=latest).contains(&at),
        }
    }
}

impl Model {
    /// The first and the last moment at which the server can end the session, if there is something to recover.
    fn ends(&self) -> Option<(Time, Time)> {
        if self.wsc.is_none() || !self.subs.may_be_active() {
            return None;
        }
        let first = self.closed_at.unwrap_or(self.last_seen);
        Some((first + RECOVERY_WINDOW, self.lost_at.max(first) + RECOVERY_WINDOW))
    }

    /// Whether the server may have the session still.
    pub(super) fn is_within_window(&self) -> bool {
        self.ends().is_some_and(|(_, last)| self.now < last)
    }

    /// The handle is presented for once more the window, and then no longer.
    pub(super) fn forfeit_if_late(&mut self) {
        if self.ends().is_some_and(|(_, last)| self.now >= last + RECOVERY_WINDOW) {
            self.session_lost("window_passed");
        }
    }

    /// Two ends that are close together have one stretch.
    fn stretches(&self) -> Vec<(Time, Time)> {
        let Some((first, last)) = self.ends() else { return Vec::new() };
        let (from, to) = STRETCH;
        if last - first < 3_675 * MILLIS {
            vec![(last - from, first - to)]
        } else {
            vec![(first - from, first - to), (last - from, last - to)]
        }
    }

    /// One step that hangs must not take the time of the last try (BCK-2).
    pub(super) fn arm_patiently(&mut self, timer: Timer, after: Time) {
        let next = self.stretches().into_iter().map(|(start, _)| start).find(|start| self.now < *start);
        let at = self.now + after;
        // One that has just begun has half a stretch.
        let least = self.now + STRETCH.0 / 2;
        self.timers.insert(timer, next.map_or(at, |start| at.min(start.max(least))));
    }

    fn plan(&self, earliest: Time, latest: Time) -> Choice {
        let stretch = self.stretches().into_iter().find(|(start, _)| self.now <= *start);
        Choice { stretch, ..Choice::between(self.now + earliest, self.now + latest) }
    }

    pub(super) fn after_failure(&self, cost: Cost) -> Choice {
        match cost {
            Cost::Local if self.now < self.lost_at + RECOVERY_WINDOW => self.plan(1_800 * MILLIS, 4_500 * MILLIS),
            Cost::Local => self.plan(8 * SECOND, 16 * SECOND),
            Cost::Spent if self.attempt <= 2 => self.plan(0, SECOND),
            Cost::Call | Cost::Spent => self.plan_after(self.attempt),
        }
    }

    /// Soon, unless connections before this one were no good either.
    pub(super) fn after_loss(&self, loss: Loss) -> Choice {
        match (self.attempt, loss) {
            // 4400 is about one client only.
            (0, Loss::Closed(code)) if code != 4400 => self.plan(0, 5 * SECOND),
            (0, _) => self.plan(0, 2 * SECOND),
            (attempt, _) => self.plan_after(attempt),
        }
    }

    fn plan_after(&self, attempt: u32) -> Choice {
        let (earliest, latest) = grown(attempt);
        self.plan(earliest, latest)
    }

    /// CON-7. The handle is forgotten, so there is no window.
    pub(super) fn rest(&self) -> Choice {
        Choice { reason: "contended", ..Choice::between(self.now + 45 * SECOND, self.now + 75 * SECOND) }
    }
}

/// 2 s, 4 s, 8 s, then 12 s, give or take an eighth.
pub(super) fn grown(times: u32) -> (Time, Time) {
    let delay = match times {
        0 => 2,
        1 => 4,
        2 => 8,
        _ => 12,
    } * SECOND;
    (delay - delay / 8, delay + delay / 8)
}
