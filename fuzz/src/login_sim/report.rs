//! What the runs came to.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use crate::oracle::Counts;

/// Counts over runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginReport {
    /// Runs that ended well.
    pub runs: u64,
    /// Steps of the simulation.
    pub steps: u64,
    /// Session-weeks simulated, in thousandths.
    pub milli_weeks: u64,
    /// Refreshes that succeeded.
    pub refreshes: u64,
    /// Logins by JWT that succeeded.
    pub logins: u64,
    /// Calls of the token endpoint.
    pub token_calls: u64,
    /// Sessions recovered.
    pub recovered: u64,
    /// Sessions lost, by what made it impossible to keep them.
    pub lost: BTreeMap<&'static str, u64>,
    /// Gaps emitted.
    pub gaps: u64,
    /// Notifications, and gaps by certainty.
    pub notifications: Counts,
    /// Faults, by name.
    pub faults: BTreeMap<&'static str, u64>,
}

impl AddAssign<&Self> for LoginReport {
    fn add_assign(&mut self, other: &Self) {
        self.runs += other.runs;
        self.steps += other.steps;
        self.milli_weeks += other.milli_weeks;
        self.refreshes += other.refreshes;
        self.logins += other.logins;
        self.token_calls += other.token_calls;
        self.recovered += other.recovered;
        self.gaps += other.gaps;
        self.notifications += &other.notifications;
        other.lost.iter().for_each(|(name, count)| *self.lost.entry(name).or_default() += count);
        other.faults.iter().for_each(|(name, count)| *self.faults.entry(name).or_default() += count);
    }
}

impl fmt::Display for LoginReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { sent, delivered, covered, .. } = &self.notifications;
        writeln!(f, "runs            {}", self.runs)?;
        writeln!(f, "session-weeks   {:.1}", self.milli_weeks as f64 / 1000.0)?;
        writeln!(f, "steps           {}", self.steps)?;
        writeln!(f, "token calls     {}: {} refreshes, {} JWT logins", self.token_calls, self.refreshes, self.logins)?;
        writeln!(f, "sessions        {} recovered, {} lost", self.recovered, self.lost.values().sum::<u64>())?;
        self.lost.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))?;
        writeln!(f, "notifications   {sent} sent, {delivered} delivered, {covered} covered by {} gaps", self.gaps)?;
        writeln!(f, "faults          {}", self.faults.values().sum::<u64>())?;
        self.faults.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))
    }
}
