//! What a series of runs came to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use crate::oracle::{Counts, Fills};

/// Sums over runs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs that ended well.
    pub runs: u64,
    /// Simulated time of all clients, in microseconds.
    pub micros: u64,
    /// Steps of the simulator.
    pub steps: u64,
    /// Heartbeats the servers answered.
    pub heartbeats: u64,
    /// Recoveries that succeeded.
    pub recoveries: u64,
    /// Recoveries that failed.
    pub recoveries_failed: u64,
    /// Notifications, and gaps by certainty.
    pub notifications: Counts,
    /// Gaps by cause.
    pub gaps: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Outcomes of REST requests by kind.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Sessions that ended by themselves, by reason.
    pub endings: BTreeMap<String, u64>,
    /// Gaps that applications filled.
    pub fills: Fills,
}

impl Report {
    /// Simulated days of sessions.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.micros as f64 / 86_400e6
    }
}

impl AddAssign<&Self> for Report {
    fn add_assign(&mut self, other: &Self) {
        self.runs += other.runs;
        self.micros += other.micros;
        self.steps += other.steps;
        self.heartbeats += other.heartbeats;
        self.recoveries += other.recoveries;
        self.recoveries_failed += other.recoveries_failed;
        self.notifications += &other.notifications;
        for (mine, theirs) in
            [(&mut self.gaps, &other.gaps), (&mut self.faults, &other.faults), (&mut self.outcomes, &other.outcomes)]
        {
            for (key, count) in theirs {
                *mine.entry(key).or_default() += count;
            }
        }
        self.fills += &other.fills;
        for (key, count) in &other.endings {
            *self.endings.entry(key.clone()).or_default() += count;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u64 = self.faults.values().sum();
        let gaps: u64 = self.gaps.values().sum();
        let of = &self.notifications;
        writeln!(f, "runs            {}", self.runs)?;
        writeln!(f, "session-days    {:.1}", self.days())?;
        writeln!(f, "steps           {}", self.steps)?;
        writeln!(f, "heartbeats      {}", self.heartbeats)?;
        writeln!(f, "recoveries      {} successful, {} failed", self.recoveries, self.recoveries_failed)?;
        writeln!(
            f,
            "notifications   {} sent, {} delivered, {} covered by gaps, {} not owed",
            of.sent, of.delivered, of.covered, of.excused
        )?;
        writeln!(f, "gaps            {gaps}, of which {} with nothing missing", of.false_alarms)?;
        for (name, [reported, missing]) in &of.certainties {
            let share = 100.0 * *missing as f64 / (*reported).max(1) as f64;
            writeln!(f, "  {reported:>10}  {name}, of which {share:.1} % with something missing")?;
        }
        lines(f, &self.gaps)?;
        writeln!(f, "faults          {faults}")?;
        lines(f, &self.faults)?;
        writeln!(f, "requests        {}", self.outcomes.values().sum::<u64>())?;
        lines(f, &self.outcomes)?;
        if !self.endings.is_empty() {
            writeln!(f, "endings")?;
            self.endings.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))?;
        }
        if self.fills.days > 0 { self.fills.fmt(f) } else { Ok(()) }
    }
}

fn lines(f: &mut fmt::Formatter<'_>, counts: &BTreeMap<&'static str, u64>) -> fmt::Result {
    counts.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))
}
